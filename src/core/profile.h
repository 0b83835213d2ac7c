/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PROFILE_H
#define CORE_PROFILE_H

#include "core/setting.h"
#include "keystay/profile.h"

enum { PROFILE_LIST_MAX = 8 };

/* Who gave a value. A later one in this list is not overruled by an earlier one. */
enum profile_origin {
    PROFILE_DEFAULT,
    PROFILE_AZURE, /* AZURE_* */
    PROFILE_ENV,   /* KEYSTAY_* */
    PROFILE_FLAG,  /* the command line, or keystay_profile_set */
};

void profile_freep(struct keystay_profile **profile);

/*
 * Sets unless a stronger origin did. A list that the same origin sets again grows. KEYSTAY_E_CONFIG as
 * setting_check.
 */
enum keystay_status profile_set(
    struct keystay_profile *profile, enum setting_id id, const char *value, enum profile_origin origin,
    struct keystay_error *err);

/* Reads KEYSTAY_* and AZURE_* from the environment (an empty variable counts as unset); errors name the
 * variable. */
enum keystay_status profile_read_environment(struct keystay_profile *profile, struct keystay_error *err);

/* NULL when neither set nor given a default. Borrowed until it is set again. */
const char *profile_text(const struct keystay_profile *profile, enum setting_id id);
/* How many values a list has, and each of them. profile_text gives the first. */
size_t profile_count(const struct keystay_profile *profile, enum setting_id id);
const char *profile_item(const struct keystay_profile *profile, enum setting_id id, size_t i);

uint32_t profile_number(const struct keystay_profile *profile, enum setting_id id);
bool profile_switch(const struct keystay_profile *profile, enum setting_id id);

#endif
