/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYSTAY_PROFILE_H
#define KEYSTAY_PROFILE_H

/*
 * A profile: all settings that one kind of token request needs, by the names that they have on the command
 * line.
 *
 *     struct keystay_profile *profile = NULL;
 *     keystay_profile_new(&profile, &err);
 *     keystay_profile_set(profile, "tenant", "contoso.example", &err);
 *     keystay_profile_set(profile, "client-id", "11111111-2222-3333-4444-555555555555", &err);
 *
 * The names, what they mean and which values they take: keystay-token(1). `keystay help token` prints the
 * same table.
 *
 * Thread rule: set by one thread, then read by any number.
 */

#include "keystay/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct keystay_profile;

/* *ret_profile is owned (keystay_profile_free); every setting has its default. */
KEYSTAY_PUBLIC KEYSTAY_MUST_CHECK enum keystay_status keystay_profile_new(
    struct keystay_profile **ret_profile, struct keystay_error *err);

/*
 * Sets one setting from its text, which is copied. A switch ("allow-extractable") takes "yes" or "no".
 * KEYSTAY_E_CONFIG for an unknown name or a value out of its range; the profile is then as before.
 */
KEYSTAY_PUBLIC KEYSTAY_MUST_CHECK enum keystay_status keystay_profile_set(
    struct keystay_profile *profile, const char *name, const char *value, struct keystay_error *err);

/* The text of a setting or of its default; NULL when it has neither, or the name is unknown. Borrowed until
 * it is set. */
KEYSTAY_PUBLIC const char *keystay_profile_get(const struct keystay_profile *profile, const char *name);

/* NULL is fine. */
KEYSTAY_PUBLIC void keystay_profile_free(struct keystay_profile *profile);

#ifdef __cplusplus
}
#endif

#endif
