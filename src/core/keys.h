/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_KEYS_H
#define CORE_KEYS_H

/* What a profile says of module, keys and PIN, in the form that a signer is opened from. */

#include "core/profile.h"
#include "keystay/pkcs11.h"
#include "signer/set.h"

enum { KEYS_NAME_SIZE = 20 };

/* Everything in the configurations is borrowed from the profile or from here: it stays where it is. */
struct keys {
    struct keystay_pkcs11_config configs[PROFILE_LIST_MAX]; /* one for each key; the first also without any */
    size_t n;
    const char *certificates[PROFILE_LIST_MAX];
    const char *attestation_cas[PROFILE_LIST_MAX];
    char names[PROFILE_LIST_MAX][KEYS_NAME_SIZE]; /* "--key 1": a URI may hold what must not be said */
};

/* Fills them in; log and the rest are the caller's to change. Without a key any token and key fits. */
void keys_of_profile(
    const struct keystay_profile *profile, int64_t now_s, const struct keystay_log *log,
    struct keys *ret_keys);

/* Whether each key's URI says where the PIN comes from: there it is always a file. */
bool keys_have_pin_sources(const struct keystay_profile *profile);

/* Whether signatures are made by another process, which loads the module. */
bool keys_are_isolated(const struct keystay_profile *profile);

/* One signer over all of them, tried in order (signer/set.h). keys is borrowed for the signer's life; open
 * gets a struct keystay_pkcs11_config: this room knows no PKCS#11. */
enum keystay_status keys_open(
    const struct keys *keys, signer_opener open, struct keystay_signer **ret_signer,
    struct keystay_error *err);

#endif
