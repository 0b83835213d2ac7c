/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_PROVIDER_H
#define OAUTH_PROVIDER_H

/*
 * What differs between authorization servers, as rows of one table (provider_table.c), and the plan that a
 * row and a profile make: which URL is asked, for which audience the assertion is made, how it is signed,
 * what the form holds.
 *
 * A plan is made in two steps, and then used any number of times:
 *
 *     provider_make_plan(&request, &plan, err)                         settings alone: no network, no key
 *     provider_discover(&plan, &request, transport, ms, log, &response, err)      one or two GETs, where
 * needs_discovery provider_assertion(&plan, &request, can, now_s, jti, &assertion, err)
 *     provider_token_request(&plan, &request, &secret, &token_request)
 *
 * After the second step the plan is whole, does not change any more, and may be read by any number of
 * threads. It borrows nothing from the request; what it says of a server stays true as long as the process
 * cares to keep it.
 *
 * The invariant: the audience of an assertion is the very URL that it is sent to, the issuer that the user
 * configured, or what the user gave literally. Nothing that a server says makes it another server's.
 */

#include <stdbool.h>

#include "base/secret.h"
#include "http/http.h"
#include "http/url.h"
#include "jose/assertion.h"
#include "keystay/log.h"
#include "oauth/token_request.h"

/* What a profile says to the provider. Strings are borrowed; NULL or 0 is "not given". */
struct provider_request {
    const char *provider;  /* the row's name */
    const char *authority; /* NULL: the row's own */
    const char *tenant;
    const char *issuer;         /* exactly as the server writes it */
    const char *token_endpoint; /* NULL: as the row says, or as the issuer's metadata says */
    const char *client_id;
    const char *subject; /* sub of a grant; NULL: the row's way */
    const char *scope;   /* scope or resource; neither is fine for an assertion alone */
    const char *resource;
    const char *grant;    /* "auto", "client-credentials" or "jwt-bearer" */
    const char *audience; /* "auto", "issuer", "token-endpoint" or the text itself */
    const char *kid;      /* "auto", "none", "jwk", "sha1", "sha256", "sha1-hex", "sha256-hex" or the text */
    const char *typ;      /* "auto", "none", "JWT" or "client-authentication+jwt" */
    bool x5c;
    enum keystay_alg alg;
    int thumbprints;    /* enum thumbprint; 0: the row's own */
    int64_t lifetime_s; /* 0: the row's own */
    int64_t backdate_s; /* 0 to ASSERTION_BACKDATE_MAX_S */
    bool allow_http_loopback;
};

struct provider_row;
struct provider_form;

/* Everything is decided but the algorithm, which the key may have a say in. */
struct provider_plan {
    const struct provider_row *row;   /* static */
    const struct provider_form *form; /* static */
    enum token_grant grant;
    bool needs_discovery; /* token_endpoint is not known yet, and maybe neither is the audience */
    int64_t lifetime_s;   /* of an assertion, from now to its end */
    alg_set algs;         /* that the server takes, as far as known */
    char issuer[URL_MAX]; /* "" when the row has none */
    char token_endpoint[URL_MAX];
    char audience[URL_MAX];
};

/* The rows' names, NULL at the end: for settings and their help. */
extern const char *const provider_names[];

/*
 * Whether a provider has a use for one of the settings that say where a server is and what is asked of it.
 * True for any other setting, and for a provider that there is not.
 */
bool provider_takes(const char *provider, const char *setting);

/* The first step. KEYSTAY_E_CONFIG with the setting's name as on the command line. */
enum keystay_status provider_make_plan(
    const struct provider_request *request, struct provider_plan *ret_plan, struct keystay_error *err);

/* Has an assertion live lifetime_s, or as long as the provider takes it, where the request does not say how
 * long. 0: nothing changes. */
void provider_set_lifetime(
    struct provider_plan *plan, const struct provider_request *request, int64_t lifetime_s);

/* Whether it is said what an access token is for; an assertion alone does not need that. KEYSTAY_E_CONFIG. */
enum keystay_status provider_check_target(
    const struct provider_plan *plan, const struct provider_request *request, struct keystay_error *err);

/*
 * The second step: nothing to do unless plan->needs_discovery, which is false afterwards. On failure the plan
 * is as before, so it can be tried again: KEYSTAY_E_NETWORK, _TLS, _TIMEOUT, _THROTTLED, _SERVER_DOWN may
 * pass; KEYSTAY_E_SERVER_RESPONSE (another issuer, an endpoint that may not be asked, no metadata) and
 * _CONFIG will not. timeout_ms is for each GET, 0: the transport's own. log may be NULL.
 * *ret_response is what was answered last, if anything; the caller clears it.
 */
enum keystay_status provider_discover(
    struct provider_plan *plan, const struct provider_request *request, struct http_transport *transport,
    int64_t timeout_ms, const struct keystay_log *log, struct http_response *ret_response,
    struct keystay_error *err);

/*
 * The algorithm to sign with: the one asked for, or the row's first that is in the set of what the key can
 * do and the server takes. KEYSTAY_E_ALGORITHM when there is none.
 */
enum keystay_status provider_choose_alg(
    const struct provider_plan *plan, const struct provider_request *request, alg_set can,
    enum keystay_alg *ret_alg, struct keystay_error *err);

/*
 * The assertion to sign, for a key with these algorithms. plan is whole. jti is a new one, used where the row
 * wants it. *ret_assertion borrows from plan, request and jti.
 */
enum keystay_status provider_assertion(
    const struct provider_plan *plan, const struct provider_request *request, alg_set can, int64_t now_s,
    const char *jti, struct assertion *ret_assertion, struct keystay_error *err);

/* What is sent with it. *ret_request borrows from plan, request and assertion. */
void provider_token_request(
    const struct provider_plan *plan, const struct provider_request *request, const struct secret *assertion,
    struct token_request *ret_request);

/* Whether one assertion may be sent several times while it lives; else its jti is for one use. */
bool provider_reuses_assertion(const struct provider_plan *plan);

#endif
