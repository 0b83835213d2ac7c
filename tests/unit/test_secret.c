/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include <stdio.h>

#include "base/secret.h"

TEST(an_empty_secret_can_be_cleared_and_read)
{
    struct secret secret = { 0 };

    secret_clear(&secret);
    secret_clear(&secret);
    assert_int_equal(secret_slice(&secret).len, 0);
    secret_truncate(&secret, 0);
}

TEST(truncating_to_more_changes_nothing)
{
    CLEANUP(secret_clear) struct secret secret = { 0 };

    assert_ok(secret_set(&secret, SLICE("1234"), NULL));
    secret_truncate(&secret, 4);
    secret_truncate(&secret, 400);
    assert_slice(secret_slice(&secret), "1234");
}

TEST(holds_a_copy_with_a_nul_behind_it)
{
    CLEANUP(secret_clear) struct secret secret = { 0 };
    char text[] = "12\0"
                  "34";

    assert_ok(secret_set(&secret, (struct slice){ (uint8_t *)text, 5 }, NULL));
    memset(text, 0, sizeof(text));
    assert_true(slice_equal(
        secret_slice(&secret), SLICE("12\0"
                                     "34")));
    assert_int_equal(secret.data[5], 0);
}

TEST(setting_it_again_replaces_it)
{
    CLEANUP(secret_clear) struct secret secret = { 0 };

    assert_ok(secret_set(&secret, SLICE("a long first secret"), NULL));
    assert_ok(secret_set(&secret, SLICE("two"), NULL));
    assert_string_equal(secret.data, "two");
    assert_int_equal(secret.len, 3);
}

TEST(room_comes_zeroed)
{
    CLEANUP(secret_clear) struct secret secret = { 0 };

    assert_ok(secret_alloc(&secret, 10000, NULL));
    for (size_t i = 0; i <= 10000; i++) {
        assert_int_equal(secret.data[i], 0);
    }
}

TEST(truncating_wipes_the_tail)
{
    CLEANUP(secret_clear) struct secret secret = { 0 };

    assert_ok(secret_set(&secret, SLICE("1234\r\n"), NULL));
    secret_truncate(&secret, 4);
    assert_int_equal(secret.len, 4);
    assert_memory_equal(secret.data, "1234\0\0\0", 7);
}

TEST(moving_leaves_nothing_behind)
{
    CLEANUP(secret_clear) struct secret from = { 0 };
    CLEANUP(secret_clear) struct secret to = { 0 };

    assert_ok(secret_set(&from, SLICE("new"), NULL));
    assert_ok(secret_set(&to, SLICE("old"), NULL));
    const char *pages = from.data;
    secret_move(&to, &from);
    assert_null(from.data);
    assert_int_equal(from.len, 0);
    assert_ptr_equal(to.data, pages);
    assert_slice(secret_slice(&to), "new");
}

TEST(the_nul_fits_when_the_secret_fills_its_pages)
{
    static const size_t lens[] = { 0, 1, 4095, 4096, 4097, 65536 };

    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        CLEANUP(secret_clear) struct secret secret = { 0 };
        assert_ok(secret_alloc(&secret, lens[i], NULL));
        assert_true(secret.mapped_len > secret.len);
        memset(secret.data, 'x', secret.len);
        assert_int_equal(strlen(secret.data), lens[i]);
    }
}

TEST(a_page_that_is_used_again_has_nothing_of_before)
{
    struct secret many[100] = { 0 };

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(many); i++) {
            assert_ok(secret_alloc(&many[i], 4000, NULL));
            for (size_t at = 0; at < many[i].mapped_len; at++) {
                assert_int_equal(many[i].data[at], 0);
            }
            memset(many[i].data, 'x', many[i].mapped_len);
        }
        for (size_t i = 0; i < ARRAY_LEN(many); i++) {
            assert_ptr_not_equal(many[i].data, many[(i + 1) % ARRAY_LEN(many)].data);
            secret_clear(&many[i]);
        }
    }
}

TEST(a_length_beyond_all_memory_is_refused)
{
    CLEANUP(secret_clear) struct secret secret = { 0 };

    assert_int_equal(secret_alloc(&secret, SIZE_MAX, NULL), KEYSTAY_E_NO_MEMORY);
    assert_int_equal(secret_alloc(&secret, SIZE_MAX / 2, NULL), KEYSTAY_E_NO_MEMORY);
    assert_null(secret.data);
}

#ifdef __linux__
/* The line "VmFlags:" of the mapping that address is in; see proc(5). */
static void flags_of(const void *address, char *ret_flags, size_t size)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    char line[512];
    bool is_ours = false;

    assert_non_null(maps);
    ret_flags[0] = '\0';
    while (fgets(line, sizeof(line), maps) != NULL) {
        char *dash = NULL;
        unsigned long start = strtoul(line, &dash, 16);
        if (*dash == '-') {
            is_ours = start <= (uintptr_t)address && (uintptr_t)address < strtoul(dash + 1, NULL, 16);
        }
        if (is_ours && strncmp(line, "VmFlags:", 8) == 0) {
            (void)snprintf(ret_flags, size, "%s", line);
        }
    }
    (void)fclose(maps);
}

TEST(its_pages_stay_out_of_core_files_and_swap)
{
    CLEANUP(secret_clear) struct secret secret = { 0 };
    char flags[512];

    assert_ok(secret_set(&secret, SLICE("1234"), NULL));
    flags_of(secret.data, flags, sizeof(flags));
    if (flags[0] == '\0' && getenv("LD_PRELOAD") != NULL &&
        strstr(getenv("LD_PRELOAD"), "valgrind") != NULL) {
        return; /* valgrind shows no flags; the run without it does */
    }
    assert_contains(flags, " dd"); /* do not include in core dumps */
#ifndef __SANITIZE_ADDRESS__       /* which leaves mlock out, and says that it did it */
    if (secret.is_locked) {
        assert_contains(flags, " lo");
    }
#endif
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_secret_can_be_cleared_and_read),
        cmocka_unit_test(truncating_to_more_changes_nothing),
        cmocka_unit_test(holds_a_copy_with_a_nul_behind_it),
        cmocka_unit_test(setting_it_again_replaces_it),
        cmocka_unit_test(room_comes_zeroed),
        cmocka_unit_test(truncating_wipes_the_tail),
        cmocka_unit_test(moving_leaves_nothing_behind),
        cmocka_unit_test(the_nul_fits_when_the_secret_fills_its_pages),
        cmocka_unit_test(a_page_that_is_used_again_has_nothing_of_before),
        cmocka_unit_test(a_length_beyond_all_memory_is_refused),
#ifdef __linux__
        cmocka_unit_test(its_pages_stay_out_of_core_files_and_swap),
#endif
    };

    return RUN_TESTS(tests);
}
