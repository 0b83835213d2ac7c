/* SPDX-License-Identifier: Apache-2.0 */
/* What the manual page and the example say of configuration files is held against the table of settings. */
#include "unit.h"

#include <stdio.h>

#include "base/file.h"
#include "core/config.h"
#include "core/config_text.h"

enum { PAGE_MAX = 256 * 1024 };

static const char *docs; /* the folder */

static void read_page(const char *name, struct buf *text)
{
    char path[1024];

    (void)snprintf(path, sizeof(path), "%s/%s", docs, name);
    assert_ok(file_read(path, "the page", KEYSTAY_E_CONFIG, text, NULL));
}

/* The key of an entry, a line of the form "*key* = ...", or SETTING_N; *is_entry says whether it is one. */
static enum setting_id entry_of(const char *line, bool *is_entry)
{
    char key[SETTING_ENV_SIZE];
    const char *end = line[0] == '*' ? strstr(line, "* = ") : NULL;

    *is_entry = end != NULL && (size_t)(end - line) < strcspn(line, "\n");
    if (!*is_entry) {
        return SETTING_N;
    }
    assert_true((size_t)(end - line) <= sizeof(key));
    (void)snprintf(key, sizeof(key), "%.*s", (int)(end - line - 1), line + 1);
    enum setting_id id = setting_find_key(key);
    assert_row(id != SETTING_N, key); /* the page has a key that keystay does not know */
    return id;
}

TEST(the_page_has_each_key_once_and_no_other)
{
    CLEANUP(buf_clear) struct buf text = BUF(PAGE_MAX);
    int n[SETTING_N] = { 0 };

    read_page("keystay.conf.5.scd", &text);
    for (const char *line = buf_str(&text); line != NULL; line = strchr(line, '\n')) {
        bool is_entry = false;

        line += line[0] == '\n';
        enum setting_id id = entry_of(line, &is_entry);
        if (is_entry) {
            n[id]++;
        }
    }
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        char key[SETTING_ENV_SIZE];

        setting_key_name(id, key);
        if (n[id] != 1) {
            fail_msg("docs/keystay.conf.5.scd has %d entries of the form '*%s* = _VALUE_'", n[id], key);
        }
    }
}

static void parse(struct slice text, const char *profile)
{
    struct config_file file = { .path = drop_const("the example") };
    struct keystay_error err = { 0 };

    if (config_parse(text, &file, &err) != KEYSTAY_OK) {
        fail_msg("%s", err.message);
    }
    assert_non_null(config_find(&file, profile));
    assert_int_equal(config_find(&file, profile)->n_values > 0, 1);
    config_clear_sections(&file);
}

TEST(the_example_is_a_configuration)
{
    CLEANUP(buf_clear) struct buf text = BUF(PAGE_MAX);

    read_page("examples/keystay.conf", &text);
    parse(buf_slice(&text), "backup");
    parse(buf_slice(&text), "graph");
}

TEST(the_example_of_the_page_is_one_too)
{
    CLEANUP(buf_clear) struct buf text = BUF(PAGE_MAX);
    CLEANUP(buf_clear) struct buf example = BUF(PAGE_MAX);

    read_page("keystay.conf.5.scd", &text);
    const char *begin = strstr(buf_str(&text), "\n```\n[");
    assert_non_null(begin);
    begin += strlen("\n```\n");
    const char *end = strstr(begin, "\n```\n");
    assert_non_null(end);
    assert_ok(buf_put(&example, (struct slice){ (const uint8_t *)begin, (size_t)(end - begin) }, NULL));
    parse(buf_slice(&example), "backup");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_has_each_key_once_and_no_other),
        cmocka_unit_test(the_example_is_a_configuration),
        cmocka_unit_test(the_example_of_the_page_is_one_too),
    };

    docs = argc == 2 ? argv[1] : "docs";
    return RUN_TESTS(tests);
}
