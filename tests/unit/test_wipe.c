/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is given back must be wiped first. Linked with --wrap=free, so that the test sees each block at
 * the moment it is given back.
 */
#include "unit.h"

#include <malloc.h>
#include <stdlib.h>

#include "base/wipe.h"

void __real_free(void *memory);
void __wrap_free(void *memory);

static const void *watched;
static size_t watched_len;
static volatile int
    n_dirty; /* bytes that were not zero; -1: not given back yet; free is thought not to write it */

static void watch(const void *memory, size_t len)
{
    watched = memory;
    watched_len = len;
    n_dirty = -1;
}

void __wrap_free(void *memory)
{
    if (memory != NULL && memory == watched) {
        n_dirty = 0;
        for (size_t i = 0; i < watched_len; i++) {
            n_dirty += ((const uint8_t *)memory)[i] != 0;
        }
        watched = NULL;
    }
    __real_free(memory);
}

TEST(wiping_nothing_is_fine)
{
    wipe(NULL, 0);
    wiping_free(NULL);
}

TEST(wipes_so_many_bytes)
{
    char text[] = "12345";

    wipe(text + 1, 3);
    assert_memory_equal(
        text,
        "1\0\0\0"
        "5",
        6);
}

TEST(what_is_freed_is_wiped)
{
    char *text = wiping_strdup("canary");

    assert_string_equal(text, "canary");
    watch(text, 7);
    wiping_free(text);
    assert_int_equal(n_dirty, 0);
}

TEST(growing_keeps_the_bytes_and_wipes_the_old_place)
{
    char *text = wiping_malloc(16);

    memset(text, 'x', 16);
    watch(text, 16);
    char *grown = wiping_realloc(text, 100000);
    assert_int_equal(n_dirty, 0);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(grown[i], 'x');
    }
    wiping_free(grown);
}

TEST(shrinking_wipes_the_tail)
{
    char *text = wiping_malloc(64);

    memset(text, 'x', 64);
    char *shrunk = wiping_realloc(text, 8);
    assert_ptr_equal(shrunk, text);
    assert_memory_equal(shrunk, "xxxxxxxx", 8);
#ifndef __SANITIZE_ADDRESS__
    assert_int_equal(((volatile char *)shrunk)[8], 0);
#endif
    wiping_free(shrunk);
}

TEST(realloc_from_nothing_is_malloc)
{
    char *text = wiping_realloc(NULL, 8);

    assert_non_null(text);
    memset(text, 'x', 8);
    wiping_free(text);
}

TEST(a_size_of_0_is_no_failure)
{
    void *a = wiping_malloc(0);
    void *b = wiping_realloc(NULL, 0);

    assert_non_null(a);
    assert_non_null(b);
    wiping_free(a);
    wiping_free(b);
}

TEST(calloc_zeroes_and_refuses_to_wrap_around)
{
    /* Not constants, or the compiler sees through it. */
    volatile size_t many = SIZE_MAX / 2;
    char *text = wiping_calloc(4, 4);

    for (int i = 0; i < 16; i++) {
        assert_int_equal(text[i], 0);
    }
    wiping_free(text);
#ifndef __SANITIZE_ADDRESS__
    assert_null(wiping_calloc(many, 4));
#else
    (void)many;
#endif
}

TEST(a_buffer_wipes_the_place_that_it_outgrows)
{
    CLEANUP(buf_clear) struct buf buf = BUF(1024);

    assert_ok(buf_puts(&buf, "canary", NULL));
    watch(buf.data, buf.capacity);
    while (n_dirty < 0 && buf_putc(&buf, 'x', NULL) == KEYSTAY_OK) {
    }
    assert_int_equal(n_dirty, 0);
}

TEST(a_buffer_wipes_what_it_gives_back)
{
    struct buf buf = BUF(1024);

    assert_ok(buf_puts(&buf, "canary", NULL));
    watch(buf.data, buf.capacity);
    buf_clear(&buf);
    assert_int_equal(n_dirty, 0);
}

/* The net itself must hold: a plain free is seen as dirty. */
TEST(a_block_that_nobody_wiped_is_noticed)
{
    char *text = malloc(7);
    volatile char *bytes = text; /* or the compiler leaves out what is written just before free */

    assert_non_null(text);
    for (size_t i = 0; i < 7; i++) {
        bytes[i] = "canary"[i];
    }
    watch(text, 7);
    free(text);
    assert_int_equal(n_dirty, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wiping_nothing_is_fine),
        cmocka_unit_test(wipes_so_many_bytes),
        cmocka_unit_test(what_is_freed_is_wiped),
        cmocka_unit_test(growing_keeps_the_bytes_and_wipes_the_old_place),
        cmocka_unit_test(shrinking_wipes_the_tail),
        cmocka_unit_test(realloc_from_nothing_is_malloc),
        cmocka_unit_test(a_size_of_0_is_no_failure),
        cmocka_unit_test(calloc_zeroes_and_refuses_to_wrap_around),
        cmocka_unit_test(a_buffer_wipes_the_place_that_it_outgrows),
        cmocka_unit_test(a_buffer_wipes_what_it_gives_back),
        cmocka_unit_test(a_block_that_nobody_wiped_is_noticed),
    };

    return RUN_TESTS(tests);
}
