/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_PROVIDER_H
#define OAUTH_PROVIDER_H

/*
 * What differs between authorization servers, as rows of one table, and the plan that a row and a profile
 * make: which URL is asked, for which audience the assertion is made, how it is signed.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "crypto/alg.h"
#include "http/url.h"
#include "jose/thumbprint.h"

/* What a profile says to the provider. Strings are borrowed; NULL is "not given". */
struct provider_request {
    const char *provider;  /* the row's name */
    const char *authority; /* NULL: the row's own */
    const char *tenant;
    const char *client_id;
    const char *scope; /* scope or resource, not both; neither is fine for an assertion alone */
    const char *resource;
    const char *audience; /* "auto", "issuer", "token-endpoint" or the text itself */
    enum keystay_alg alg;
    int thumbprints; /* enum thumbprint; 0: the row's own */
    bool allow_http_loopback;
};

struct provider_row;

/* Everything is decided but the algorithm, which the key may have a say in. */
struct provider_plan {
    const struct provider_row *row;
    bool is_resource_form; /* the older form: `resource` instead of `scope` */
    char token_endpoint[URL_MAX];
    char audience[URL_MAX];
};

/* KEYSTAY_E_CONFIG with the setting's name as on the command line. */
enum keystay_status provider_make_plan(
    const struct provider_request *request, struct provider_plan *ret_plan, struct keystay_error *err);

/*
 * The algorithm to sign with: the one asked for, or the row's first that is in the set of what the key can
 * do. KEYSTAY_E_ALGORITHM when there is none.
 */
enum keystay_status provider_choose_alg(
    const struct provider_plan *plan, const struct provider_request *request, alg_set can,
    enum keystay_alg *ret_alg, struct keystay_error *err);

enum thumbprint provider_thumbprints(
    const struct provider_plan *plan, const struct provider_request *request);

/* Whether one assertion may be sent several times while it lives; else its jti is for one use. */
bool provider_reuses_assertion(const struct provider_plan *plan);

#endif
