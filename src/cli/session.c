/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

#include "base/clock.h"
#include "cli/watchdog.h"
#include "core/client.h"
#include "keystay/pkcs11.h"
#include "signer/signer.h"

enum keystay_status session_prepare(struct cli *cli, struct session *ret_session, struct keystay_error *err)
{
    TRY(profile_read_environment(cli->profile, err));
    return keystay_client_new(cli->profile, &cli->log, &ret_session->client, err);
}

enum keystay_status session_open_signer(struct cli *cli, struct session *session, struct keystay_error *err)
{
    struct keystay_pkcs11_config config = {
        .module = profile_text(cli->profile, SETTING_MODULE),
        .module_args = profile_text(cli->profile, SETTING_MODULE_ARGS),
        .key_uri = profile_text(cli->profile, SETTING_KEY),
        .certificate = profile_text(cli->profile, SETTING_CERTIFICATE),
        .pin_source = profile_text(cli->profile, SETTING_PIN_SOURCE),
        .pin_final_try = profile_switch(cli->profile, SETTING_PIN_FINAL_TRY),
        .allow_extractable = profile_switch(cli->profile, SETTING_ALLOW_EXTRACTABLE),
        .now_s = clock_now_s(),
        .log = &cli->log,
    };

    TRY(watchdog_start(cli, &config.watch, err));
    return keystay_pkcs11_open(&config, &session->signer, err);
}

void session_clear(struct session *session)
{
    signer_freep(&session->signer);
    client_freep(&session->client);
}
