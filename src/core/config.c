/* SPDX-License-Identifier: Apache-2.0 */
#include "core/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "base/suggest.h"
#include "core/config_text.h"

enum { PATH_SIZE = 4096, DESCRIPTION_SIZE = 512 };

static const char system_path[] = "/etc/keystay/keystay.conf";

void config_clear(struct config *config)
{
    for (int i = 0; i < CONFIG_PLACES; i++) {
        config_clear_sections(&config->files[i]);
        freep(&config->files[i].path);
    }
}

enum keystay_status config_read_file(
    const char *path, enum config_place place, bool must_exist, struct config *config,
    struct keystay_error *err)
{
    struct config_file *file = &config->files[place];
    CLEANUP(buf_clear) struct buf text = BUF(CONFIG_SIZE_MAX);
    bool is_there = false;

    file->path = strdup(path);
    if (file->path == NULL) {
        return err_no_memory(err);
    }
    TRY(config_load_text(path, must_exist, &is_there, &text, err));
    return is_there ? config_parse(buf_slice(&text), file, err) : KEYSTAY_OK;
}

/* XDG Base Directory Specification: what is not absolute is ignored. Empty when there is no such folder. */
static void user_path(char ret_path[PATH_SIZE])
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int len = 0;

    ret_path[0] = '\0';
    if (config != NULL && config[0] == '/') {
        len = snprintf(ret_path, PATH_SIZE, "%s/keystay/keystay.conf", config);
    } else if (home != NULL && home[0] == '/') {
        len = snprintf(ret_path, PATH_SIZE, "%s/.config/keystay/keystay.conf", home);
    }
    if (len >= PATH_SIZE) {
        ret_path[0] = '\0';
    }
}

enum keystay_status config_read(const char *path, struct config *config, struct keystay_error *err)
{
    char of_user[PATH_SIZE];

    if (path != NULL) {
        return config_read_file(path, CONFIG_USER, true, config, err);
    }
    user_path(of_user);
    TRY(config_read_file(system_path, CONFIG_SYSTEM, false, config, err));
    return of_user[0] == '\0' ? KEYSTAY_OK : config_read_file(of_user, CONFIG_USER, false, config, err);
}

static const struct config_section *find_section(
    const struct config_file *file, enum config_kind kind, const char *name)
{
    for (size_t i = 0; i < file->n_sections; i++) {
        if (file->sections[i].kind == kind && str_equal(file->sections[i].name, name)) {
            return &file->sections[i];
        }
    }
    return NULL;
}

const struct config_section *config_find(const struct config_file *file, const char *name)
{
    return find_section(file, CONFIG_PROFILE, name);
}

void config_names_of(
    const struct config *config, enum config_kind kind, const char *ret_names[CONFIG_NAMES_SIZE])
{
    size_t n = 0;

    for (int place = 0; place < CONFIG_PLACES; place++) {
        const struct config_file *file = &config->files[place];

        for (size_t i = 0; i < file->n_sections; i++) {
            const struct config_section *section = &file->sections[i];
            if (section->kind == kind &&
                (place == CONFIG_SYSTEM ||
                 find_section(&config->files[CONFIG_SYSTEM], kind, section->name) == NULL)) {
                ret_names[n++] = section->name;
            }
        }
    }
    ret_names[n] = NULL;
}

void config_names(const struct config *config, const char *ret_names[CONFIG_NAMES_SIZE])
{
    config_names_of(config, CONFIG_PROFILE, ret_names);
}

struct config_item config_item(
    const struct config *config, enum config_kind kind, const char *name, unsigned int id, size_t i)
{
    for (int place = CONFIG_PLACES - 1; place >= 0; place--) {
        const struct config_file *file = &config->files[place];
        const struct config_section *section = find_section(file, kind, name);
        size_t n = 0;

        for (size_t k = 0; section != NULL && k < section->n_values; k++) {
            const struct config_value *value = &section->values[k];
            if (value->id == id && n++ == i) {
                return (struct config_item){ value->text, file->path, value->line };
            }
        }
        if (n > 0) {
            break;
        }
    }
    return (struct config_item){ NULL, NULL, 0 };
}

struct config_item config_section_item(const struct config *config, enum config_kind kind, const char *name)
{
    for (int place = CONFIG_PLACES - 1; place >= 0; place--) {
        const struct config_file *file = &config->files[place];
        const struct config_section *section = find_section(file, kind, name);

        if (section != NULL) {
            return (struct config_item){ section->title, file->path, section->line };
        }
    }
    return (struct config_item){ NULL, NULL, 0 };
}

void config_describe(const struct config *config, char *ret_text, size_t size)
{
    const char *of_system = config->files[CONFIG_SYSTEM].path;
    const char *of_user = config->files[CONFIG_USER].path;

    (void)snprintf(
        ret_text, size, "%s%s%s", of_system == NULL ? "" : of_system,
        of_system == NULL || of_user == NULL ? "" : " and ", of_user == NULL ? "" : of_user);
}

static enum keystay_status unknown_profile(
    const struct config *config, const char *name, struct keystay_error *err)
{
    const char *names[CONFIG_NAMES_SIZE];
    char where[DESCRIPTION_SIZE];

    config_names(config, names);
    config_describe(config, where, sizeof(where));
    if (names[0] == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "write a section [profile NAME]: keystay.conf(5)",
            "there is no profile of that name, and no other: looked at %s", where);
    }
    (void)err_set_hint(
        err, KEYSTAY_E_CONFIG, "keystay profile list",
        "there is no profile of that name in %s; there:", where);
    for (size_t i = 0; names[i] != NULL; i++) {
        err_append(err, " %s", names[i]);
    }
    const char *near = suggest_nearest(name, names);
    return near == NULL ? KEYSTAY_E_CONFIG : err_hint(err, KEYSTAY_E_CONFIG, "did you mean %s?", near);
}

enum keystay_status config_check_profile(
    const struct config *config, const char *name, struct keystay_error *err)
{
    for (int place = 0; place < CONFIG_PLACES; place++) {
        if (config_find(&config->files[place], name) != NULL) {
            return KEYSTAY_OK;
        }
    }
    return unknown_profile(config, name, err);
}

static enum keystay_status apply_section(
    const struct config_file *file, const struct config_section *section, enum profile_origin origin,
    struct keystay_profile *profile, struct keystay_error *err)
{
    for (size_t i = 0; section != NULL && i < section->n_values; i++) {
        const struct config_value *value = &section->values[i];
        const struct profile_source source = { origin, file->path, value->line };

        TRY(profile_set_from(profile, value->id, value->text, &source, err));
    }
    return KEYSTAY_OK;
}

enum keystay_status config_apply(
    const struct config *config, const char *name, struct keystay_profile *profile, struct keystay_error *err)
{
    static const enum profile_origin defaults[] = { PROFILE_SYSTEM_DEFAULTS, PROFILE_USER_DEFAULTS };
    static const enum profile_origin named[] = { PROFILE_SYSTEM_NAMED, PROFILE_USER_NAMED };

    if (name != NULL) {
        TRY(config_check_profile(config, name, err));
    }
    for (int place = 0; place < CONFIG_PLACES; place++) {
        const struct config_file *file = &config->files[place];
        const struct config_section *section = name == NULL ? NULL : config_find(file, name);

        TRY(apply_section(file, find_section(file, CONFIG_DEFAULTS, ""), defaults[place], profile, err));
        TRY(apply_section(file, section, named[place], profile, err));
    }
    return KEYSTAY_OK;
}

enum keystay_status keystay_profile_load(
    const char *path, const char *name, struct keystay_profile **ret_profile, struct keystay_error *err)
{
    CLEANUP(config_clear) struct config config = { 0 };
    CLEANUP(profile_freep) struct keystay_profile *profile = NULL;

    TRY(config_read(path, &config, err));
    TRY(keystay_profile_new(&profile, err));
    TRY(config_apply(&config, name, profile, err));
    *ret_profile = take_ptr(&profile);
    return KEYSTAY_OK;
}
