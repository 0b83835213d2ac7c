/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/watchdog.h"
#include "core/client.h"
#include "keystay/pkcs11.h"
#include "signer/set.h"
#include "signer/signer.h"

enum keystay_status session_prepare(struct cli *cli, struct session *ret_session, struct keystay_error *err)
{
    return keystay_client_new(cli->profile, &cli->log, &ret_session->client, err);
}

/* What all keys of a profile have in common. */
static void fill_config(const struct cli *cli, struct session *session, struct keystay_pkcs11_config *config)
{
    const struct keystay_profile *profile = cli->profile;

    for (size_t i = 0; i < profile_count(profile, SETTING_CERTIFICATE); i++) {
        session->certificates[i] = profile_item(profile, SETTING_CERTIFICATE, i);
    }
    for (size_t i = 0; i < profile_count(profile, SETTING_ATTESTATION_CA); i++) {
        session->attestation_cas[i] = profile_item(profile, SETTING_ATTESTATION_CA, i);
    }
    *config = (struct keystay_pkcs11_config){
        .module = profile_text(profile, SETTING_MODULE),
        .module_args = profile_text(profile, SETTING_MODULE_ARGS),
        .certificates = session->certificates,
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
        .attestation_cas = session->attestation_cas,
        .n_attestation_cas = profile_count(profile, SETTING_ATTESTATION_CA),
        .engine = profile_text(profile, SETTING_ENGINE),
        .isolate = profile_switch(profile, SETTING_ISOLATE),
        .signer_program = profile_text(profile, SETTING_SIGNER_PROGRAM),
        .timeout_s = profile_number(profile, SETTING_TIMEOUT),
        .interaction_timeout_s = profile_number(profile, SETTING_INTERACTION_TIMEOUT),
        .now_s = clock_now_s(),
        .log = &cli->log,
    };
}

bool session_is_isolated(const struct cli *cli)
{
    return profile_switch(cli->profile, SETTING_ISOLATE) ||
           str_equal(profile_text(cli->profile, SETTING_ENGINE), "libp11");
}

/* A signer_opener. */
static enum keystay_status open_one(
    const void *config, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    return keystay_pkcs11_open(config, ret_signer, err);
}

enum keystay_status session_open_signer(struct cli *cli, struct session *session, struct keystay_error *err)
{
    struct keystay_pkcs11_config common;
    struct signer_candidate candidates[PROFILE_LIST_MAX];
    size_t n = profile_count(cli->profile, SETTING_KEY);

    fill_config(cli, session, &common);
    common.watch = &watchdog_of_another;
    if (!session_is_isolated(cli)) {
        TRY(watchdog_start(cli, err, &common.watch));
    }
    for (size_t i = 0; i < n; i++) {
        session->configs[i] = common;
        session->configs[i].key_uri = profile_item(cli->profile, SETTING_KEY, i);
        (void)snprintf(session->names[i], sizeof(session->names[i]), "--key %u", (unsigned int)i + 1);
        candidates[i] = (struct signer_candidate){ &session->configs[i], session->names[i] };
    }
    if (n > 1) {
        return signer_set_new(candidates, n, open_one, clock_monotonic_ms, &cli->log, &session->signer, err);
    }
    common.key_uri = n == 1 ? session->configs[0].key_uri : NULL;
    return keystay_pkcs11_open(&common, &session->signer, err);
}

void session_clear(struct session *session)
{
    signer_freep(&session->signer);
    client_freep(&session->client);
}

enum keystay_status session_config(
    struct cli *cli, struct session *session, struct keystay_pkcs11_config *ret_config,
    struct keystay_error *err)
{
    const char *key = profile_text(cli->profile, SETTING_KEY);

    if (session_is_isolated(cli)) {
        log_warning(
            &cli->log, "this command loads the module into this process: --isolate is for signatures");
    }
    fill_config(cli, session, ret_config);
    ret_config->key_uri = key == NULL ? "pkcs11:" : key;
    return watchdog_start(cli, err, &ret_config->watch);
}

enum keystay_status session_look_config(
    struct cli *cli, struct session *session, struct keystay_pkcs11_config *ret_config,
    struct keystay_error *err)
{
    TRY(session_config(cli, session, ret_config, err));
    ret_config->n_certificates = 0;
    ret_config->require_attested = 0;
    return KEYSTAY_OK;
}
