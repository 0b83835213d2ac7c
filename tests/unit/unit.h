/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

/*
 * What all unit tests share. One file a module; in each, the tests stand in this order: misuse, happy,
 * boundary, hostile. Cases that differ only in their data are rows of a table, and a row that fails names
 * itself.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

#define TEST(name) static void name(__attribute__((unused)) void **state)

#define RUN_TESTS(tests) cmocka_run_group_tests(tests, NULL, NULL)

/* The bytes of a string literal, which may hold NULs. */
#define SLICE(literal) ((struct slice){ (const uint8_t *)(literal), sizeof(literal) - 1 })

#define assert_ok(call) assert_int_equal(call, KEYSTAY_OK)

/* For tables: says which row it was. */
#define assert_row(condition, row)                               \
    do {                                                         \
        if (!(condition)) {                                      \
            fail_msg("row '%s': not true: %s", row, #condition); \
        }                                                        \
    } while (0)

void assert_contains(const char *text, const char *part);
void assert_lacks(const char *text, const char *part);
void assert_slice(struct slice bytes, const char *text);
void assert_buf(const struct buf *buf, const char *text);

/* Neither control characters nor anything that is not UTF-8: fit for a terminal. */
void assert_tame(const char *text);

/* A file of its own in the system's temporary folder, removed when the variable leaves its scope. */
struct temp_file {
    char path[64];
};
struct temp_file temp_file(struct slice content);
void temp_file_remove(struct temp_file *file);

/* The reading end of a pipe that holds content and then ends. At most 64 KiB. */
int pipe_with(struct slice content);

/*
 * Runs fn(context) in a child of its own that has no terminal, and gives back what it returned. A child that
 * is still there after ten seconds is killed and fails the test.
 */
int in_child_without_terminal(int (*fn)(void *context), void *context);

#endif
