/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PROFILE_H
#define CORE_PROFILE_H

#include "core/setting.h"
#include "keystay/profile.h"

enum { PROFILE_LIST_MAX = 8 };

/* Who gave a value. A later one in this list is not overruled by an earlier one. */
enum profile_origin {
    PROFILE_DEFAULT,
    PROFILE_AZURE,           /* AZURE_* */
    PROFILE_SYSTEM_DEFAULTS, /* [defaults] of the system's configuration file */
    PROFILE_USER_DEFAULTS,   /* [defaults] of the user's, or of the one file that was named */
    PROFILE_ENV,             /* KEYSTAY_* */
    PROFILE_SYSTEM_NAMED,    /* [profile NAME], likewise */
    PROFILE_USER_NAMED,
    PROFILE_FLAG, /* the command line, or keystay_profile_set */
};

/* Where a value stands; path and line only for those of a configuration file. */
struct profile_source {
    enum profile_origin origin;
    const char *path;
    unsigned int line;
};

void profile_freep(struct keystay_profile **profile);

/*
 * Sets unless a stronger origin did. A list that the same origin sets again grows. KEYSTAY_E_CONFIG as
 * setting_check.
 */
enum keystay_status profile_set(
    struct keystay_profile *profile, enum setting_id id, const char *value, enum profile_origin origin,
    struct keystay_error *err);

/* The same for a value of a configuration file; errors name the place. The path is copied. */
enum keystay_status profile_set_from(
    struct keystay_profile *profile, enum setting_id id, const char *value,
    const struct profile_source *source, struct keystay_error *err);

/* Of value i of a setting. The path is borrowed until it is set again. */
struct profile_source profile_source(const struct keystay_profile *profile, enum setting_id id, size_t i);

/*
 * NULL when neither set nor given a default; and, with provider entra, of scope and resource the one with the
 * weaker origin. Borrowed until it is set again.
 */
const char *profile_text(const struct keystay_profile *profile, enum setting_id id);
/* How many values a list has, and each of them. profile_text gives the first. */
size_t profile_count(const struct keystay_profile *profile, enum setting_id id);
const char *profile_item(const struct keystay_profile *profile, enum setting_id id, size_t i);

/* Whether both say the same, by the same right. */
bool profile_equal(const struct keystay_profile *a, const struct keystay_profile *b);

uint32_t profile_number(const struct keystay_profile *profile, enum setting_id id);
bool profile_switch(const struct keystay_profile *profile, enum setting_id id);

#endif
