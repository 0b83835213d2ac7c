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
 * or, from what the administrator wrote into the configuration files (keystay.conf(5)):
 *
 *     keystay_profile_load(NULL, "backup", &profile, &err);
 *
 * Who wins, for each setting: keystay_profile_set; then what the loaded profile itself sets; then a KEYSTAY_*
 * variable, if keystay_profile_read_environment is called; then [defaults] of the files; then, for provider
 * entra, an AZURE_* variable, likewise; then the built-in default. A list of values comes from one of these
 * as a whole.
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
 * The profile that the configuration files call name; with NULL only their [defaults].
 *
 * path: NULL for the usual files, /etc/keystay/keystay.conf and $XDG_CONFIG_HOME/keystay/keystay.conf (else
 * ~/.config), which may be missing; the user's file wins, key by key. Otherwise that file alone, which must
 * be there; "/dev/null" stands for no file.
 *
 * All of it is checked before anything is used, other profiles too. KEYSTAY_E_CONFIG, with file and line: for
 * an unknown section or key, a value out of its range, a key or section that is repeated, a name that no
 * profile has (those that exist are listed); and for a file that is no plain file, larger than 1 MiB,
 * writable by group or others, or owned by someone who is neither root nor the effective user. *ret_profile
 * is owned (keystay_profile_free). name is visible ASCII without blanks, brackets and '!', at most 64 bytes.
 *
 * Thread rule: XDG_CONFIG_HOME and HOME are read, so no other thread may change the environment meanwhile.
 */
KEYSTAY_PUBLIC KEYSTAY_MUST_CHECK enum keystay_status keystay_profile_load(
    const char *path, const char *name, struct keystay_profile **ret_profile, struct keystay_error *err);

/*
 * Reads KEYSTAY_* and, if the provider is entra by then, AZURE_*, where nothing stronger has set the same; an
 * empty variable counts as unset. To be called once, after keystay_profile_load and keystay_profile_set; not
 * by a service that its caller's environment must not steer. KEYSTAY_E_CONFIG names the variable.
 *
 * Thread rule: no other thread may change the environment meanwhile.
 */
KEYSTAY_PUBLIC KEYSTAY_MUST_CHECK enum keystay_status keystay_profile_read_environment(
    struct keystay_profile *profile, struct keystay_error *err);

/*
 * Sets one setting from its text, which is copied. A switch ("allow-extractable") takes "yes" or "no".
 * KEYSTAY_E_CONFIG for an unknown name or a value out of its range; the profile is then as before.
 */
KEYSTAY_PUBLIC KEYSTAY_MUST_CHECK enum keystay_status keystay_profile_set(
    struct keystay_profile *profile, const char *name, const char *value, struct keystay_error *err);

/* The text of a setting or of its default; NULL when it has neither, or the name is unknown. Borrowed until
 * it is set. */
KEYSTAY_PUBLIC const char *keystay_profile_get(const struct keystay_profile *profile, const char *name);

/*
 * Value i, from 0, of a setting that is a list ("key", "certificate"), in the order of their preference; NULL
 * after the last. keystay_profile_get gives the first. Borrowed until it is set.
 */
KEYSTAY_PUBLIC const char *keystay_profile_item(
    const struct keystay_profile *profile, const char *name, unsigned int i);

/* NULL is fine. */
KEYSTAY_PUBLIC void keystay_profile_free(struct keystay_profile *profile);

#ifdef __cplusplus
}
#endif

#endif
