/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYSTAY_CLIENT_H
#define KEYSTAY_CLIENT_H

/*
 * From a profile and a signer to an access token: composes the client assertion (RFC 7523 §2.2), has it
 * signed, sends it to the token endpoint (RFC 6749 §4.4), and reads the answer strictly.
 *
 *     keystay_client_new(profile, NULL, &client, &err);      before the signer: it finds what is wrong with
 * the settings keystay_pkcs11_open(&config, &signer, &err); keystay_client_acquire(client, signer, &token,
 * &err);
 *
 * Thread rule: a client may be used by any number of threads at once.
 */

#include "keystay/log.h"
#include "keystay/profile.h"
#include "keystay/signer.h"
#include "keystay/token.h"

#ifdef __cplusplus
extern "C" {
#endif

struct keystay_client;

/*
 * Checks all that can be checked without a token and a server. profile and log (which may be NULL) are
 * borrowed for the client's life. *ret_client is owned (keystay_client_free).
 */
KEYSTAY_PUBLIC KEYSTAY_MUST_CHECK enum keystay_status keystay_client_new(
    const struct keystay_profile *profile, const struct keystay_log *log, struct keystay_client **ret_client,
    struct keystay_error *err);

/*
 * One signature, one POST, one access token. Blocks for at most the profile's `timeout` on the network.
 * *ret_token is owned. A caller may branch on KEYSTAY_E_NETWORK, _TIMEOUT, _THROTTLED, _SERVER_DOWN (later
 * may help) and KEYSTAY_E_SERVER_REFUSED (oauth_error says why).
 */
KEYSTAY_PUBLIC KEYSTAY_MUST_CHECK enum keystay_status keystay_client_acquire(
    struct keystay_client *client, struct keystay_signer *signer, struct keystay_token **ret_token,
    struct keystay_error *err);

/*
 * Only the signed assertion. Whoever has it can get any token of the client until it ends. *ret_assertion is
 * owned.
 */
KEYSTAY_PUBLIC KEYSTAY_MUST_CHECK enum keystay_status keystay_client_assertion(
    struct keystay_client *client, struct keystay_signer *signer, struct keystay_token **ret_assertion,
    struct keystay_error *err);

/* NULL is fine. */
KEYSTAY_PUBLIC void keystay_client_free(struct keystay_client *client);

#ifdef __cplusplus
}
#endif

#endif
