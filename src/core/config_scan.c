/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of a configuration file, before libini_config sees any: what cannot be a line at all, and the
 * sections, each with its line and of a known kind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "base/suggest.h"
#include "core/agent_setting.h"
#include "core/config_text.h"

enum { TITLE_MAX = CONFIG_NAME_MAX + 16, QUOTE_SIZE = 64 };

static const struct setting_table profile_settings = { setting_rows, SETTING_N, PROFILE_LIST_MAX };

static const struct {
    const char *word;
    enum config_kind kind;
    bool has_name;
    const struct setting_table *table;
} kinds[] = {
    { "defaults", CONFIG_DEFAULTS, false, &profile_settings },
    { "profile", CONFIG_PROFILE, true, &profile_settings },
    { "agent", CONFIG_AGENT, false, &agent_settings },
    { "grant", CONFIG_GRANT, true, &grant_settings },
};

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

/* The agent makes files of that name. */
static enum keystay_status check_grant_name(const char *name, struct keystay_error *err)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    if (strchr("._-", name[0]) != NULL || name[strspn(name, good)] != '\0') {
        return err_set(
            err, KEYSTAY_E_CONFIG,
            "a grant's name has only letters, digits, '.', '_' and '-', and begins with a letter or digit");
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

        section->kind = kinds[i].kind;
        section->table = kinds[i].table;
        if (!kinds[i].has_name && str_equal(section->title, kinds[i].word)) {
            section->name = section->title + len;
            return KEYSTAY_OK;
        }
        if (kinds[i].has_name && str_has_prefix(section->title, kinds[i].word) &&
            section->title[len] == ' ') {
            section->name = section->title + len + 1;
            TRY(check_name(section->name, err));
            return section->kind == CONFIG_GRANT ? check_grant_name(section->name, err) : KEYSTAY_OK;
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

enum keystay_status config_at_line(
    const struct config_file *file, unsigned int line, enum keystay_status status, struct keystay_error *err)
{
    return status == KEYSTAY_OK ? status : err_prefix(err, status, "%s:%u", file->path, line);
}

enum keystay_status config_scan(struct slice text, struct config_file *file, struct keystay_error *err)
{
    for (unsigned int line = 1; text.len > 0; line++) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.data);
        struct slice one = { text.data, len > 0 && text.data[len - 1] == '\r' ? len - 1 : len };

        TRY(config_at_line(file, line, scan_line(one, line, file, err), err));
        len += end != NULL;
        text = (struct slice){ text.data + len, text.len - len };
    }
    return KEYSTAY_OK;
}
