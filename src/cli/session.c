/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

#include "base/clock.h"
#include "base/log.h"
#include "cli/renewal.h"
#include "cli/watchdog.h"
#include "core/client.h"
#include "signer/signer.h"

enum keystay_status session_prepare(struct cli *cli, struct session *ret_session, struct keystay_error *err)
{
    return keystay_client_new(cli->profile, &cli->log, &ret_session->client, err);
}

/* A signer_opener. With --quiet nobody would read the warning, so that today's is not used up. */
static enum keystay_status open_one(
    const void *config, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    const struct keystay_pkcs11_config *one = config;
    const struct cli *cli = one->log->context;

    TRY(keystay_pkcs11_open(one, ret_signer, err));
    if (!cli_given(cli, CLI_QUIET)) {
        renewal_warn(signer_certificate(*ret_signer), one->state_dir, one->now_s, one->log);
    }
    return KEYSTAY_OK;
}

enum keystay_status session_open_signer(struct cli *cli, struct session *session, struct keystay_error *err)
{
    struct keys *keys = &session->keys;
    const struct keystay_call_watch *watch = &watchdog_of_another;

    keys_of_profile(cli->profile, clock_now_s(), &cli->log, keys);
    if (!keys_are_isolated(cli->profile)) {
        TRY(watchdog_start(cli, err, &watch));
    }
    for (size_t i = 0; i < ARRAY_LEN(keys->configs); i++) {
        keys->configs[i].watch = watch;
    }
    return keys_open(keys, open_one, &session->signer, err);
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
    if (keys_are_isolated(cli->profile)) {
        log_warning(
            &cli->log, "this command loads the module into this process: --isolate is for signatures");
    }
    keys_of_profile(cli->profile, clock_now_s(), &cli->log, &session->keys);
    *ret_config = session->keys.configs[0];
    if (ret_config->key_uri == NULL) {
        ret_config->key_uri = "pkcs11:";
    }
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
