/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a configuration file says. libini_config parts keys from values and knows the line of each. What it
 * does not do is done before: it knows no line of a section, folds the case of names, takes time in the
 * square of the number of sections, and gives up without a word on some characters and at a NUL.
 */
#include <errno.h>
#include <ini_configobj.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "base/suggest.h"
#include "core/config_text.h"

enum { TITLE_MAX = CONFIG_NAME_MAX + 16, QUOTE_SIZE = 64 };

static const struct {
    const char *word;
    enum config_kind kind;
    bool has_name;
} kinds[] = {
    { "defaults", CONFIG_DEFAULTS, false },
    { "profile", CONFIG_PROFILE, true },
    /* Reserved for the agent, which reads them. */
    { "agent", CONFIG_RESERVED, false },
    { "grant", CONFIG_RESERVED, true },
};

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

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice text)
{
    while (text.len > 0 && is_blank(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_blank(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

/* libini_config has a meaning of its own for '!'. */
static enum keystay_status check_name(const char *name, struct keystay_error *err)
{
    struct slice text = slice_of_str(name);

    if (text.len == 0 || text.len > CONFIG_NAME_MAX || !str_is_visible_ascii(text) ||
        strpbrk(name, "[]!") != NULL) {
        return err_set(
            err, KEYSTAY_E_CONFIG,
            "a name is 1 to %d visible ASCII characters, without blanks, brackets and '!'", CONFIG_NAME_MAX);
    }
    return KEYSTAY_OK;
}

static enum keystay_status unknown_section(const char *title, struct keystay_error *err)
{
    const char *words[ARRAY_LEN(kinds) + 1] = { NULL };
    char first[TITLE_MAX + 1];
    char quoted[QUOTE_SIZE];

    (void)snprintf(first, sizeof(first), "%.*s", (int)strcspn(title, " \t"), title);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        words[i] = kinds[i].word;
        if (str_equal(first, kinds[i].word)) {
            return err_set(
                err, KEYSTAY_E_CONFIG, kinds[i].has_name ? "[%s] wants a name" : "[%s] takes no name", first);
        }
    }
    str_quote_foreign(slice_of_str(title), quoted, sizeof(quoted));
    (void)err_set_hint(
        err, KEYSTAY_E_CONFIG, "a profile's section is [profile NAME]", "there is no section [%s]", quoted);
    const char *near = suggest_nearest(first, words);
    return near == NULL ? KEYSTAY_E_CONFIG
                        : err_hint(
                              err, KEYSTAY_E_CONFIG, "did you mean [%s%s]?", near,
                              str_equal(near, "profile") || str_equal(near, "grant") ? " NAME" : "");
}

static enum keystay_status classify(struct config_section *section, struct keystay_error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const size_t len = strlen(kinds[i].word);

        if (!kinds[i].has_name && str_equal(section->title, kinds[i].word)) {
            section->kind = kinds[i].kind;
            section->name = section->title + len;
            return KEYSTAY_OK;
        }
        if (kinds[i].has_name && str_has_prefix(section->title, kinds[i].word) &&
            section->title[len] == ' ') {
            section->kind = kinds[i].kind;
            section->name = section->title + len + 1;
            return check_name(section->name, err);
        }
    }
    return unknown_section(section->title, err);
}

/* Names that differ in case only would be one to libini_config. */
static enum keystay_status check_new(
    const struct config_file *file, const char *title, struct keystay_error *err)
{
    for (size_t i = 0; i < file->n_sections; i++) {
        if (str_iequal(file->sections[i].title, title)) {
            return err_set_hint(
                err, KEYSTAY_E_CONFIG, "write both as one section; case makes no difference",
                "[%s] stands in line %u already", title, file->sections[i].line);
        }
    }
    if (file->n_sections == CONFIG_SECTIONS_MAX) {
        return err_set(err, KEYSTAY_E_CONFIG, "there are more than %d sections", CONFIG_SECTIONS_MAX);
    }
    return KEYSTAY_OK;
}

/* text is a line that begins with '['. */
static enum keystay_status add_section(
    struct slice text, unsigned int line, struct config_file *file, struct keystay_error *err)
{
    struct slice inner = trim(text);

    if (inner.data[inner.len - 1] != ']' || inner.len - 2 > TITLE_MAX) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "such as [profile backup]; a comment stands on a line of its own",
            inner.data[inner.len - 1] == ']' ? "the section's name is too long"
                                             : "a section's line ends in ']'");
    }
    inner = trim((struct slice){ inner.data + 1, inner.len - 2 });
    CLEANUP(freep) char *title = strndup((const char *)inner.data, inner.len);
    if (title == NULL) {
        return err_no_memory(err);
    }
    struct config_section section = { .title = title, .line = line };
    TRY(classify(&section, err));
    TRY(check_new(file, title, err));
    struct config_section *grown = realloc(file->sections, (file->n_sections + 1) * sizeof(*grown));
    if (grown == NULL) {
        return err_no_memory(err);
    }
    file->sections = grown;
    file->sections[file->n_sections++] = section;
    title = NULL;
    return KEYSTAY_OK;
}

static enum keystay_status check_characters(struct slice text, struct keystay_error *err)
{
    bool is_good = str_is_utf8(text);

    for (size_t i = 0; i < text.len; i++) {
        is_good = is_good && (text.data[i] >= 0x20 || text.data[i] == '\t') && text.data[i] != 0x7F;
    }
    return is_good ? KEYSTAY_OK
                   : err_set(err, KEYSTAY_E_CONFIG, "there is a control character, or it is not UTF-8");
}

static enum keystay_status check_key_line(struct slice text, struct keystay_error *err)
{
    for (size_t i = 0; i < text.len && text.data[i] != '='; i++) {
        if (text.data[i] == '!' || text.data[i] > 0x7E) {
            return err_set(err, KEYSTAY_E_CONFIG, "a key has only letters, digits and '_' in its name");
        }
    }
    return KEYSTAY_OK;
}

static enum keystay_status scan_line(
    struct slice text, unsigned int line, struct config_file *file, struct keystay_error *err)
{
    TRY(check_characters(text, err));
    if (trim(text).len == 0 || text.data[0] == '#' || text.data[0] == ';') {
        return KEYSTAY_OK;
    }
    if (text.data[0] == '[') {
        return add_section(text, line, file, err);
    }
    if (file->n_sections == 0) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "begin with [defaults] or [profile NAME]",
            "this stands before the first section");
    }
    return check_key_line(text, err);
}

static enum keystay_status at_line(
    const struct config_file *file, unsigned int line, enum keystay_status status, struct keystay_error *err)
{
    return status == KEYSTAY_OK ? status : err_prefix(err, status, "%s:%u", file->path, line);
}

/* Every line is looked at before libini_config sees any. */
static enum keystay_status scan(struct slice text, struct config_file *file, struct keystay_error *err)
{
    for (unsigned int line = 1; text.len > 0; line++) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.data);
        struct slice one = { text.data, len > 0 && text.data[len - 1] == '\r' ? len - 1 : len };

        TRY(at_line(file, line, scan_line(one, line, file, err), err));
        len += end != NULL;
        text = (struct slice){ text.data + len, text.len - len };
    }
    return KEYSTAY_OK;
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
    return at_line(file, line, status, err);
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
static enum keystay_status unknown_key(const char *key, struct keystay_error *err)
{
    char names[SETTING_N][SETTING_ENV_SIZE];
    const char *list[SETTING_N + 1] = { NULL };
    char word[SETTING_ENV_SIZE];
    char quoted[QUOTE_SIZE];

    for (enum setting_id id = 0; id < SETTING_N; id++) {
        setting_key_name(id, names[id]);
        list[id] = names[id];
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
    const size_t len = strlen(value->text);
    int n = 0;

    for (size_t i = 0; i < section->n_values; i++) {
        if (section->values[i].id == value->id && !setting_rows[value->id].is_list) {
            return err_set_hint(
                err, KEYSTAY_E_CONFIG, "keep one of the two", "%s is set in line %u already", key,
                section->values[i].line);
        }
        n += section->values[i].id == value->id;
    }
    if (n == PROFILE_LIST_MAX) {
        return err_set(err, KEYSTAY_E_CONFIG, "%s may be given %d times", key, PROFILE_LIST_MAX);
    }
    if (len >= 2 && value->text[0] == '"' && value->text[len - 1] == '"') {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "leave the quotes out; blanks inside a value stay",
            "the value of %s is in quotes", key);
    }
    return setting_check(value->id, value->text, err);
}

static enum keystay_status add_value(
    struct config_section *section, const char *key, unsigned int line, const char *text,
    struct keystay_error *err)
{
    CLEANUP(freep) char *copy = strdup(text);
    const struct config_value value = { setting_find_key(key), line, copy };

    if (value.id == SETTING_N) {
        return unknown_key(key, err);
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
        TRY(at_line(file, line, add_value(section, keys[i], line, text, err), err));
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
    TRY(scan(text, file, err));
    if (file->n_sections == 0) {
        return KEYSTAY_OK;
    }
    TRY(ini_read(text, file, &ini, err));
    for (size_t i = 0; i < file->n_sections; i++) {
        if (file->sections[i].kind != CONFIG_RESERVED) {
            TRY(read_section(ini.object, file, &file->sections[i], err));
        }
    }
    return KEYSTAY_OK;
}
