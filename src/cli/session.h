/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

/* What token and assertion have in common: settings, client, signer. */

#include "cli/cli.h"
#include "core/keys.h"
#include "keystay/client.h"

struct session {
    struct keystay_client *client;
    struct keystay_signer *signer;
    struct keys keys; /* for the signer's life */
};

/* Checks the settings, without a token. */
enum keystay_status session_prepare(struct cli *cli, struct session *ret_session, struct keystay_error *err);

/*
 * What the profile says of module, key and PIN, for whoever opens a token without a client; the watchdog is
 * started. Without
 * --key any token and key fits.
 */
enum keystay_status session_config(
    struct cli *cli, struct session *session, struct keystay_pkcs11_config *ret_config,
    struct keystay_error *err);

/* The same without what is asked of a key that signs assertions: a certificate, an attestation. */
enum keystay_status session_look_config(
    struct cli *cli, struct session *session, struct keystay_pkcs11_config *ret_config,
    struct keystay_error *err);

/* Loads the module, under the watchdog, and logs in. */
enum keystay_status session_open_signer(struct cli *cli, struct session *session, struct keystay_error *err);

void session_clear(struct session *session);

#endif
