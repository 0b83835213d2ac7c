/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a configuration file says. libini_config parts keys from values and knows the line of each. What it
 * does not do is done before, in core/config_scan: it knows no line of a section, folds the case of names,
 * takes time in the square of the number of sections, and gives up without a word on some characters and at a
 * NUL.
 */
#include <assert.h>
#include <errno.h>
#include <ini_configobj.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "base/suggest.h"
#include "core/agent_setting.h"
#include "core/config_text.h"

enum { QUOTE_SIZE = 64, KEYS_MAX = SETTING_N };
static_assert(
    (int)AGENT_SETTING_N <= (int)KEYS_MAX && (int)GRANT_SETTING_N <= (int)KEYS_MAX,
    "room for any table's keys");

void config_clear_sections(struct config_file *file)
{
    for (size_t i = 0; i < file->n_sections; i++) {
        for (size_t k = 0; k < file->sections[i].n_values; k++) {
            free(file->sections[i].values[k].text);
        }
        free(file->sections[i].values);
        free(file->sections[i].title);
    }
    free(file->sections);
    file->sections = NULL;
    file->n_sections = 0;
}

struct ini {
    struct ini_cfgfile *file;
    struct ini_cfgobj *object;
};

static void ini_clear(struct ini *ini)
{
    ini_config_destroy(ini->object);
    ini_config_file_destroy(ini->file);
}

static unsigned long next_number(const char **at)
{
    char *end = NULL;

    *at += strcspn(*at, "0123456789");
    unsigned long number = strtoul(*at, &end, 10);
    *at = end;
    return number;
}

/* "Error (5) on line 3: ...", perhaps translated: the two numbers count. */
static enum keystay_status explain(
    struct ini_cfgobj *object, const struct config_file *file, struct keystay_error *err)
{
    char **errors = NULL;

    if (ini_config_error_count(object) == 0 || ini_config_get_errors(object, &errors) != 0) {
        return err_set(err, KEYSTAY_E_CONFIG, "%s: it cannot be understood", file->path);
    }
    const char *at = errors[0];
    const unsigned long code = next_number(&at);
    const unsigned int line = (unsigned int)next_number(&at);
    ini_config_free_errors(errors);
    enum keystay_status status = err_set(
        err, KEYSTAY_E_CONFIG, "%s",
        code == ERR_NOEQUAL
            ? "this is no KEY = VALUE, no [section] and no comment, which has its # in the first column"
        : code == ERR_NOKEY   ? "there is no key before the '='"
        : code == ERR_LONGKEY ? "the key is too long"
                              : "the line cannot be understood");
    return config_at_line(file, line, status, err);
}

static enum keystay_status ini_read(
    struct slice text, const struct config_file *file, struct ini *ini, struct keystay_error *err)
{
    if (ini_config_create(&ini->object) != 0 ||
        ini_config_file_from_mem(drop_const(text.data), (uint32_t)text.len, &ini->file) != 0) {
        return err_no_memory(err);
    }
    const int failed = ini_config_parse(
        ini->file, INI_STOP_ON_ANY, INI_MV1S_ALLOW | INI_MV2S_ERROR | INI_MS_ERROR,
        INI_PARSE_NOWRAP | INI_PARSE_NO_C_COMMENTS, ini->object);
    return failed == 0 ? KEYSTAY_OK : failed == ENOMEM ? err_no_memory(err) : explain(ini->object, file, err);
}

/* "Client-ID" was meant to be client_id: so it looks like a name of the table, and then for the nearest. */
static enum keystay_status unknown_key(
    const struct setting_table *table, const char *key, struct keystay_error *err)
{
    char names[KEYS_MAX][SETTING_ENV_SIZE];
    const char *list[KEYS_MAX + 1] = { NULL };
    char word[SETTING_ENV_SIZE];
    char quoted[QUOTE_SIZE];

    for (size_t i = 0; i < table->n && i < KEYS_MAX; i++) {
        setting_key_name(&table->rows[i], names[i]);
        list[i] = names[i];
    }
    (void)snprintf(word, sizeof(word), "%s", key);
    for (char *c = word; *c != '\0'; c++) {
        *c = (char)(*c == '-' ? '_' : (*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c));
    }
    str_quote_foreign(slice_of_str(key), quoted, sizeof(quoted));
    (void)err_set_hint(
        err, KEYSTAY_E_CONFIG, "keystay.conf(5) lists the keys", "there is no key '%s'", quoted);
    const char *near = suggest_nearest(word, list);
    return near == NULL ? KEYSTAY_E_CONFIG : err_hint(err, KEYSTAY_E_CONFIG, "did you mean %s?", near);
}

static enum keystay_status check_value(
    const struct config_section *section, const char *key, const struct config_value *value,
    struct keystay_error *err)
{
    const struct setting *setting = &section->table->rows[value->id];
    const size_t len = strlen(value->text);
    size_t n = 0;

    for (size_t i = 0; i < section->n_values; i++) {
        if (section->values[i].id == value->id && !setting->is_list) {
            return err_set_hint(
                err, KEYSTAY_E_CONFIG, "keep one of the two", "%s is set in line %u already", key,
                section->values[i].line);
        }
        n += section->values[i].id == value->id;
    }
    if (n == section->table->list_max) {
        return err_set(err, KEYSTAY_E_CONFIG, "%s may be given %zu times", key, n);
    }
    if (len >= 2 && value->text[0] == '"' && value->text[len - 1] == '"') {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "leave the quotes out; blanks inside a value stay",
            "the value of %s is in quotes", key);
    }
    return setting_check_row(setting, value->text, err);
}

static enum keystay_status add_value(
    struct config_section *section, const char *key, unsigned int line, const char *text,
    struct keystay_error *err)
{
    CLEANUP(freep) char *copy = strdup(text);
    const struct config_value value = { (unsigned int)setting_find_key(section->table, key), line, copy };

    if (value.id == section->table->n) {
        return unknown_key(section->table, key, err);
    }
    if (copy == NULL) {
        return err_no_memory(err);
    }
    TRY(check_value(section, key, &value, err));
    struct config_value *grown = realloc(section->values, (section->n_values + 1) * sizeof(*grown));
    if (grown == NULL) {
        return err_no_memory(err);
    }
    section->values = grown;
    section->values[section->n_values++] = value;
    copy = NULL;
    return KEYSTAY_OK;
}

/* A key that is repeated is listed each time; names that differ in case only are looked up as one. */
static struct value_obj *find_value(struct ini_cfgobj *object, const char *title, char *const *keys, int i)
{
    struct value_obj *value = NULL;
    int mode = INI_GET_FIRST_VALUE;

    for (int k = 0; k <= i; k++) {
        if (str_iequal(keys[k], keys[i])) {
            if (ini_get_config_valueobj(title, keys[i], object, mode, &value) != 0) {
                return NULL;
            }
            mode = INI_GET_NEXT_VALUE;
        }
    }
    return value;
}

static enum keystay_status read_keys(
    struct ini_cfgobj *object, char *const *keys, int n, const struct config_file *file,
    struct config_section *section, struct keystay_error *err)
{
    for (int i = 0; i < n; i++) {
        struct value_obj *value = find_value(object, section->title, keys, i);
        const char *text = value == NULL ? NULL : ini_get_const_string_config_value(value, NULL);
        uint32_t line = 0;

        if (text == NULL || value_get_line(value, &line) != 0) {
            return err_set(err, KEYSTAY_E_INTERNAL, "%s: a value was lost on the way", file->path);
        }
        TRY(config_at_line(file, line, add_value(section, keys[i], line, text, err), err));
    }
    return KEYSTAY_OK;
}

static enum keystay_status read_section(
    struct ini_cfgobj *object, const struct config_file *file, struct config_section *section,
    struct keystay_error *err)
{
    int n = 0;
    int failed = 0;
    char **keys = ini_get_attribute_list(object, section->title, &n, &failed);

    if (keys == NULL || failed != 0) {
        return err_set(err, KEYSTAY_E_INTERNAL, "%s:%u: the section was lost", file->path, section->line);
    }
    enum keystay_status status = read_keys(object, keys, n, file, section, err);
    ini_free_attribute_list(keys);
    return status;
}

enum keystay_status config_parse(struct slice text, struct config_file *file, struct keystay_error *err)
{
    static const char mark[] = "\xEF\xBB\xBF"; /* what some editors begin a file of UTF-8 with */
    CLEANUP(ini_clear) struct ini ini = { NULL, NULL };

    if (text.len >= 3 && memcmp(text.data, mark, 3) == 0) {
        text = (struct slice){ text.data + 3, text.len - 3 };
    }
    TRY(config_scan(text, file, err));
    if (file->n_sections == 0) {
        return KEYSTAY_OK;
    }
    TRY(ini_read(text, file, &ini, err));
    for (size_t i = 0; i < file->n_sections; i++) {
        TRY(read_section(ini.object, file, &file->sections[i], err));
    }
    return KEYSTAY_OK;
}
