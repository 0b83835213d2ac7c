/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYSTAY_CLIENT_H
#define KEYSTAY_CLIENT_H

/*
 * From a profile and a signer to an access token: composes the client assertion (RFC 7523 §2.2), has it
 * signed, sends it to the token endpoint (RFC 6749 §4.4), reads the answer strictly, and keeps the token.
 *
 *     keystay_client_new(profile, NULL, &client, &err); // before the signer: it finds what is wrong with the
 *                                                       // settings
 *     keystay_pkcs11_open(&config, &signer, &err);
 *     keystay_client_acquire(client, signer, &token, &err); // as often as a token is needed
 *     use(keystay_token_value(token));
 *     keystay_token_free(token);
 *
 * A client lives as long as the program, and keystay_client_acquire is called each time a token is needed:
 * most calls are answered from the client's memory. docs/examples has a program with threads.
 *
 * What is kept, and for how long. Tokens are kept in the client's memory by server, client id, scope or
 * resource, never on a disk. A token is fresh until the profile's `min-valid` before its end (one whose whole
 * life is shorter, for the first half of it). From the server's "refresh_in", or else from half of its life,
 * plus some jitter, one call renews it ahead of need, while all others go on with the one that is there; when
 * that fails, it is tried again a minute later. A token that still lives but is not fresh is served, with a
 * warning in the log, when the signer or the network fails. With the profile's `cache` set to "none" nothing
 * is kept.
 *
 * Single flight. Any number of threads that want the same token at once cause one signature and one request;
 * an error reaches all of them, and whoever asks within the next second gets it too.
 *
 * Calm. A request is tried again, up to four times and within the profile's `timeout`, when there was no
 * connection or the server answered 408, 429 or 5xx. When it says for how long to leave it alone
 * (Retry-After), the client does so: it waits if the timeout allows it, and fails at once with
 * KEYSTAY_E_THROTTLED if not.
 *
 * Thread rule: a client may be used by any number of threads at once, and freed when none uses it any more.
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
 * An access token for what the profile says. Blocks for at most the profile's `timeout` on the network, and
 * as long as the signer takes; a call that finds another at work for the same token waits for that. A client
 * is used with one signer. *ret_token is owned.
 *
 * A caller may branch on KEYSTAY_E_NETWORK, _TIMEOUT, _THROTTLED, _SERVER_DOWN (later may help),
 * KEYSTAY_E_SERVER_REFUSED (oauth_error says why), and what the signer answers (keystay/pkcs11.h).
 */
KEYSTAY_PUBLIC KEYSTAY_MUST_CHECK enum keystay_status keystay_client_acquire(
    struct keystay_client *client, struct keystay_signer *signer, struct keystay_token **ret_token,
    struct keystay_error *err);

/* What one call wants other than the profile. Strings are borrowed until the call returns; NULL, and 0, is as
 * the profile has it. */
struct keystay_request {
    const char *scope;    /* instead of the profile's scope and resource */
    const char *resource; /* likewise; not both */
    /*
     * Continuous access evaluation: a resource has refused the token and wants one with more claims. A claims
     * request in JSON, or the value of the resource's WWW-Authenticate header, not both. The token that is
     * kept is passed by, and the new one takes its place.
     */
    const char *claims;
    const char *claims_challenge;
    unsigned int min_valid_s; /* how long the token must still live, unless it has only just been got */
};

/* The same for a request of its own. KEYSTAY_E_CONFIG, _E_USAGE also for what is wrong with it. */
KEYSTAY_PUBLIC KEYSTAY_MUST_CHECK enum keystay_status keystay_client_acquire_for(
    struct keystay_client *client, struct keystay_signer *signer, const struct keystay_request *request,
    struct keystay_token **ret_token, struct keystay_error *err);

/*
 * Only the signed assertion, a new one each time. Whoever has it can get any token of the client until it
 * ends. *ret_assertion is owned.
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
