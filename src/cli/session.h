/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

/* What token and assertion have in common: settings, client, signer. */

#include "cli/cli.h"
#include "keystay/client.h"

struct session {
    struct keystay_client *client;
    struct keystay_signer *signer;
};

/* Checks the settings, without a token: the environment is read into the profile first. */
enum keystay_status session_prepare(struct cli *cli, struct session *ret_session, struct keystay_error *err);

/* Loads the module, under the watchdog, and logs in. */
enum keystay_status session_open_signer(struct cli *cli, struct session *session, struct keystay_error *err);

void session_clear(struct session *session);

#endif
