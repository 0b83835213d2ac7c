/* SPDX-License-Identifier: Apache-2.0 */
#include "core/keys.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

static struct keystay_pkcs11_config common_to_all(
    const struct keystay_profile *profile, int64_t now_s, const struct keystay_log *log)
{
    return (struct keystay_pkcs11_config){
        .module = profile_text(profile, SETTING_MODULE),
        .module_args = profile_text(profile, SETTING_MODULE_ARGS),
        .n_certificates = profile_count(profile, SETTING_CERTIFICATE),
        .pin_source = profile_text(profile, SETTING_PIN_SOURCE),
        .login = profile_text(profile, SETTING_LOGIN),
        .state_dir = profile_text(profile, SETTING_STATE_DIR),
        .pin_final_try = profile_switch(profile, SETTING_PIN_FINAL_TRY),
        .pin_count_low_try = str_equal(profile_text(profile, SETTING_PIN_COUNT_LOW), "try"),
        .pin_reuse = profile_switch(profile, SETTING_PIN_REUSE),
        .allow_extractable = profile_switch(profile, SETTING_ALLOW_EXTRACTABLE),
        .require_generated = str_equal(profile_text(profile, SETTING_REQUIRE), "generated-on-token"),
        .require_attested = str_equal(profile_text(profile, SETTING_REQUIRE), "attested"),
        .n_attestation_cas = profile_count(profile, SETTING_ATTESTATION_CA),
        .engine = profile_text(profile, SETTING_ENGINE),
        .isolate = profile_switch(profile, SETTING_ISOLATE),
        .signer_program = profile_text(profile, SETTING_SIGNER_PROGRAM),
        .timeout_s = profile_number(profile, SETTING_TIMEOUT),
        .interaction_timeout_s = profile_number(profile, SETTING_INTERACTION_TIMEOUT),
        .now_s = now_s,
        .log = log,
    };
}

void keys_of_profile(
    const struct keystay_profile *profile, int64_t now_s, const struct keystay_log *log,
    struct keys *ret_keys)
{
    struct keystay_pkcs11_config common = common_to_all(profile, now_s, log);

    *ret_keys = (struct keys){ .n = profile_count(profile, SETTING_KEY) };
    for (size_t i = 0; i < common.n_certificates; i++) {
        ret_keys->certificates[i] = profile_item(profile, SETTING_CERTIFICATE, i);
    }
    for (size_t i = 0; i < common.n_attestation_cas; i++) {
        ret_keys->attestation_cas[i] = profile_item(profile, SETTING_ATTESTATION_CA, i);
    }
    common.certificates = ret_keys->certificates;
    common.attestation_cas = ret_keys->attestation_cas;
    ret_keys->configs[0] = common;
    for (size_t i = 0; i < ret_keys->n; i++) {
        ret_keys->configs[i] = common;
        ret_keys->configs[i].key_uri = profile_item(profile, SETTING_KEY, i);
        (void)snprintf(ret_keys->names[i], sizeof(ret_keys->names[i]), "--key %u", (unsigned int)i + 1);
    }
}

bool keys_have_pin_sources(const struct keystay_profile *profile)
{
    size_t n = profile_count(profile, SETTING_KEY);
    size_t n_with = 0;

    for (size_t i = 0; i < n; i++) {
        n_with += strstr(profile_item(profile, SETTING_KEY, i), "pin-source=") != NULL;
    }
    return n > 0 && n_with == n;
}

bool keys_are_isolated(const struct keystay_profile *profile)
{
    return profile_switch(profile, SETTING_ISOLATE) ||
           str_equal(profile_text(profile, SETTING_ENGINE), "libp11");
}

enum keystay_status keys_open(
    const struct keys *keys, signer_opener open, struct keystay_signer **ret_signer,
    struct keystay_error *err)
{
    struct signer_candidate candidates[PROFILE_LIST_MAX];

    if (keys->n <= 1) {
        return open(&keys->configs[0], ret_signer, err);
    }
    for (size_t i = 0; i < keys->n; i++) {
        candidates[i] = (struct signer_candidate){ &keys->configs[i], keys->names[i] };
    }
    return signer_set_new(
        candidates, keys->n, open, clock_monotonic_ms, keys->configs[0].log, ret_signer, err);
}
