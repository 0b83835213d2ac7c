/* SPDX-License-Identifier: Apache-2.0 */
#include "core/profile.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"

struct keystay_profile {
    struct {
        char *items[PROFILE_LIST_MAX]; /* owned */
        unsigned int lines[PROFILE_LIST_MAX];
        size_t n; /* 0: the default */
        enum profile_origin origin;
        char *path; /* owned; NULL: not from a file */
    } values[SETTING_N];
};

enum keystay_status keystay_profile_new(struct keystay_profile **ret_profile, struct keystay_error *err)
{
    struct keystay_profile *profile = calloc(1, sizeof(*profile));

    if (profile == NULL) {
        return err_no_memory(err);
    }
    *ret_profile = profile;
    return KEYSTAY_OK;
}

static void clear_value(struct keystay_profile *profile, enum setting_id id)
{
    for (size_t i = 0; i < profile->values[id].n; i++) {
        free(profile->values[id].items[i]);
    }
    profile->values[id].n = 0;
    profile->values[id].origin = PROFILE_DEFAULT;
    freep(&profile->values[id].path);
}

void keystay_profile_free(struct keystay_profile *profile)
{
    if (profile != NULL) {
        for (enum setting_id id = 0; id < SETTING_N; id++) {
            clear_value(profile, id);
        }
        free(profile);
    }
}

void profile_freep(struct keystay_profile **profile)
{
    keystay_profile_free(*profile);
    *profile = NULL;
}

/* All values of a list come from one origin, hence from one file. */
static enum keystay_status add_value(
    struct keystay_profile *profile, enum setting_id id, const char *value,
    const struct profile_source *source, struct keystay_error *err)
{
    CLEANUP(freep) char *text = strdup(value);
    CLEANUP(freep) char *path = source->path == NULL ? NULL : strdup(source->path);

    if (text == NULL || (path == NULL && source->path != NULL)) {
        return err_no_memory(err);
    }
    if (!setting_rows[id].is_list || source->origin > profile->values[id].origin) {
        clear_value(profile, id);
    }
    const size_t n = profile->values[id].n;
    if (n == PROFILE_LIST_MAX) {
        return err_set(
            err, KEYSTAY_E_CONFIG, "%s may be given %d times", setting_rows[id].name, PROFILE_LIST_MAX);
    }
    free(profile->values[id].path);
    profile->values[id].path = take_ptr(&path);
    profile->values[id].items[n] = take_ptr(&text);
    profile->values[id].lines[n] = source->line;
    profile->values[id].n = n + 1;
    profile->values[id].origin = source->origin;
    return KEYSTAY_OK;
}

enum keystay_status profile_set_from(
    struct keystay_profile *profile, enum setting_id id, const char *value,
    const struct profile_source *source, struct keystay_error *err)
{
    enum keystay_status status = setting_check(id, value, err);

    if (status == KEYSTAY_OK && source->origin >= profile->values[id].origin) {
        status = add_value(profile, id, value, source, err);
    }
    if (status != KEYSTAY_OK && source->path != NULL) {
        return err_prefix(err, status, "%s:%u", source->path, source->line);
    }
    return status;
}

enum keystay_status profile_set(
    struct keystay_profile *profile, enum setting_id id, const char *value, enum profile_origin origin,
    struct keystay_error *err)
{
    const struct profile_source source = { .origin = origin };

    return profile_set_from(profile, id, value, &source, err);
}

struct profile_source profile_source(const struct keystay_profile *profile, enum setting_id id, size_t i)
{
    return (struct profile_source){ .origin = profile->values[id].origin,
                                    .path = profile->values[id].path,
                                    .line = i < profile->values[id].n ? profile->values[id].lines[i] : 0 };
}

enum keystay_status keystay_profile_set(
    struct keystay_profile *profile, const char *name, const char *value, struct keystay_error *err)
{
    enum setting_id id = setting_find(name);

    if (id == SETTING_N) {
        return err_set(err, KEYSTAY_E_CONFIG, "there is no setting '%s'", name);
    }
    return profile_set(profile, id, value, PROFILE_FLAG, err);
}

static bool is_for_entra(const struct keystay_profile *profile)
{
    return str_equal(profile_text(profile, SETTING_PROVIDER), "entra");
}

static enum keystay_status read_variable(
    struct keystay_profile *profile, enum setting_id id, const char *variable, enum profile_origin origin,
    struct keystay_error *err)
{
    const char *value = getenv(variable);

    if (value == NULL || value[0] == '\0') {
        return KEYSTAY_OK;
    }
    enum keystay_status status = profile_set(profile, id, value, origin, err);
    return status == KEYSTAY_OK ? status : err_prefix(err, status, "environment variable %s", variable);
}

enum keystay_status keystay_profile_read_environment(
    struct keystay_profile *profile, struct keystay_error *err)
{
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        char variable[SETTING_ENV_SIZE];

        setting_env_name(id, variable);
        TRY(read_variable(profile, id, variable, PROFILE_ENV, err));
    }
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        if (setting_rows[id].azure != NULL && is_for_entra(profile)) {
            TRY(read_variable(profile, id, setting_rows[id].azure, PROFILE_AZURE, err));
        }
    }
    return KEYSTAY_OK;
}

/* With Entra scope and resource are two ways to say one thing, and what was said with more right counts. */
static bool is_overruled(const struct keystay_profile *profile, enum setting_id id)
{
    const enum setting_id rival = id == SETTING_SCOPE      ? SETTING_RESOURCE
                                  : id == SETTING_RESOURCE ? SETTING_SCOPE
                                                           : id;

    return profile->values[rival].origin > profile->values[id].origin && is_for_entra(profile);
}

const char *profile_text(const struct keystay_profile *profile, enum setting_id id)
{
    return profile_count(profile, id) > 0 ? profile->values[id].items[0] : setting_rows[id].fallback;
}

size_t profile_count(const struct keystay_profile *profile, enum setting_id id)
{
    return is_overruled(profile, id) ? 0 : profile->values[id].n;
}

const char *profile_item(const struct keystay_profile *profile, enum setting_id id, size_t i)
{
    return profile->values[id].items[i];
}

const char *keystay_profile_get(const struct keystay_profile *profile, const char *name)
{
    enum setting_id id = setting_find(name);

    return id == SETTING_N ? NULL : profile_text(profile, id);
}

const char *keystay_profile_item(const struct keystay_profile *profile, const char *name, unsigned int i)
{
    if (i == 0) {
        return keystay_profile_get(profile, name);
    }
    enum setting_id id = setting_find(name);
    return id == SETTING_N || i >= profile->values[id].n ? NULL : profile->values[id].items[i];
}

uint32_t profile_number(const struct keystay_profile *profile, enum setting_id id)
{
    uint64_t number = 0;

    /* setting_check has let nothing else in. */
    (void)str_parse_u64(profile_text(profile, id), 0, UINT32_MAX, &number, NULL);
    return (uint32_t)number;
}

bool profile_switch(const struct keystay_profile *profile, enum setting_id id)
{
    return str_equal(profile_text(profile, id), "yes");
}

static bool has_same_value(
    const struct keystay_profile *a, const struct keystay_profile *b, enum setting_id id)
{
    if (a->values[id].n != b->values[id].n || a->values[id].origin != b->values[id].origin) {
        return false;
    }
    for (size_t i = 0; i < a->values[id].n; i++) {
        if (!str_equal(a->values[id].items[i], b->values[id].items[i])) {
            return false;
        }
    }
    return true;
}

bool profile_equal(const struct keystay_profile *a, const struct keystay_profile *b)
{
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        if (!has_same_value(a, b, id)) {
            return false;
        }
    }
    return true;
}
