/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OBTAIN_H
#define CLI_OBTAIN_H

/*
 * The access token of one call: the one that is kept, or else a new one. Nothing that a hit does not need is
 * loaded before it is clear that there is none: no client, no libcurl, no module.
 */

#include "cli/session.h"
#include "keystay/token.h"

/* *ret_token is owned; err is not NULL, and borrowed for good (watchdog.h); session is cleared by the caller,
 * afterwards.
 */
enum keystay_status obtain_token(
    struct cli *cli, struct session *session, struct keystay_token **ret_token, struct keystay_error *err);

#endif
