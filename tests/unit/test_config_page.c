/* SPDX-License-Identifier: Apache-2.0 */
/* What the manual page and the example say of configuration files is held against the table of settings. */
#include "unit.h"

#include <stdio.h>

#include "base/file.h"
#include "core/agent_setting.h"
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

/* Keys of one name stand in several tables: the headings say whose keys follow. */
static const struct setting_table profile_settings = { setting_rows, SETTING_N, 0 };
static const struct {
    const char *heading;
    const struct setting_table *table;
} tables[] = {
    { "# KEYS OF [AGENT]\n", &agent_settings },
    { "# KEYS OF [GRANT NAME]\n", &grant_settings },
    { "# ", &profile_settings },
};

static void set_table(const char *line, const struct setting_table **table)
{
    for (size_t i = ARRAY_LEN(tables); i-- > 0;) {
        if (strncmp(line, tables[i].heading, strlen(tables[i].heading)) == 0) {
            *table = tables[i].table;
        }
    }
}

/* Whether a line is an entry, of the form "*key* = ...", and of this key. */
static bool is_entry_of(const char *line, const char *key)
{
    const size_t len = strlen(key);

    return line[0] == '*' && strncmp(line + 1, key, len) == 0 && strncmp(line + 1 + len, "* = ", 4) == 0;
}

static bool is_entry(const char *line)
{
    const char *end = line[0] == '*' ? strstr(line, "* = ") : NULL;

    return end != NULL && (size_t)(end - line) < strcspn(line, "\n");
}

/* How many entries the page has for a key of a table; *n_entries: for any of that table. */
static int count(const char *text, const struct setting_table *wanted, const char *key, size_t *n_entries)
{
    const struct setting_table *table = &profile_settings;
    int n = 0;

    *n_entries = 0;
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += line[0] == '\n';
        set_table(line, &table);
        *n_entries += table == wanted && is_entry(line);
        n += table == wanted && is_entry_of(line, key);
    }
    return n;
}

TEST(the_page_has_each_key_once_and_no_other)
{
    CLEANUP(buf_clear) struct buf text = BUF(PAGE_MAX);

    read_page("keystay.conf.5.scd", &text);
    for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
        const struct setting_table *table = tables[t].table;

        for (size_t i = 0; i < table->n; i++) {
            char key[SETTING_ENV_SIZE];
            size_t n_entries = 0;

            setting_key_name(&table->rows[i], key);
            const int n = count(buf_str(&text), table, key, &n_entries);
            if (n != 1 || n_entries != table->n) {
                fail_msg(
                    "docs/keystay.conf.5.scd has %d entries '*%s* = _VALUE_' under '%s', and %zu of %zu in all",
                    n, key, tables[t].heading, n_entries, table->n);
            }
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
