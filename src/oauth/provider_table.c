/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of providers. Adding a server is adding a row, its name below, and a case file in tests/cases.
 * Where a server's documentation is silent, a row says as little as it can: an unknown claim or a key id that
 * does not match is fatal with some servers, a missing one with few.
 */
#include "oauth/provider_row.h"

#include "base/str.h"

/* RS256 is what every server can (RFC 7518 §3.1 recommends it); a key that is no RSA key takes the others. */
#define ANY_ALG                                                                                        \
    {                                                                                                  \
        KEYSTAY_ALG_RS256, KEYSTAY_ALG_PS256, KEYSTAY_ALG_ES256, KEYSTAY_ALG_ES384, KEYSTAY_ALG_PS384, \
            KEYSTAY_ALG_RS384, KEYSTAY_ALG_PS512, KEYSTAY_ALG_RS512                                    \
    }

#define OKTA_ALGS                                                                                     \
    {                                                                                                 \
        KEYSTAY_ALG_RS256, KEYSTAY_ALG_ES256, KEYSTAY_ALG_ES384, KEYSTAY_ALG_RS384, KEYSTAY_ALG_RS512 \
    }

const char *const provider_names[] = { "entra", "adfs",      "oidc",         "keycloak", "okta",
                                       "auth0", "google-sa", "maskinporten", NULL };

static const struct provider_row rows[] = {
    /* learn.microsoft.com/entra/identity-platform/certificate-credentials: RSA only. Its audience is the
     * token endpoint, also after RFC 7523bis. Other clouds and External ID are other authorities. */
    {
        .name = "entra",
        .authority = "https://login.microsoftonline.com",
        .issuer = "{authority}/{tenant}/v2.0",
        .uses = PROVIDER_USES_AUTHORITY | PROVIDER_USES_TENANT,
        .grant = TOKEN_GRANT_CLIENT_CREDENTIALS,
        .scope_suffix = "/.default",
        .wants_target = true,
        .resource = PROVIDER_RESOURCE_INSTEAD,
        .resource_name = "resource",
        .typ = ASSERTION_TYP_JWT,
        .claims = PROVIDER_CLAIM_NBF | PROVIDER_CLAIM_IAT | PROVIDER_CLAIM_JTI,
        .reuses_assertion = true,
        .lifetime_s = 600,
        .lifetime_max_s = ASSERTION_LIFETIME_MAX_S,
        .forms = { { PROVIDER_WHEN_RESOURCE,
                     "{authority}/{tenant}/oauth2/token",
                     { KEYSTAY_ALG_RS256 },
                     THUMBPRINT_SHA1 },
                   { PROVIDER_ALWAYS,
                     "{authority}/{tenant}/oauth2/v2.0/token",
                     { KEYSTAY_ALG_PS256, KEYSTAY_ALG_RS256 },
                     THUMBPRINT_SHA256 } },
    },
    /* It knows a certificate by its SHA-1 alone. */
    {
        .name = "adfs",
        .issuer = "{authority}/adfs",
        .uses = PROVIDER_USES_AUTHORITY,
        .grant = TOKEN_GRANT_CLIENT_CREDENTIALS,
        .wants_target = true,
        .resource = PROVIDER_RESOURCE_FIELD,
        .resource_name = "resource",
        .typ = ASSERTION_TYP_JWT,
        .claims = PROVIDER_CLAIM_NBF | PROVIDER_CLAIM_IAT | PROVIDER_CLAIM_JTI,
        .reuses_assertion = true,
        .lifetime_s = 600,
        .lifetime_max_s = ASSERTION_LIFETIME_MAX_S,
        .forms = { { PROVIDER_ALWAYS,
                     "{authority}/adfs/oauth2/token",
                     { KEYSTAY_ALG_RS256 },
                     THUMBPRINT_SHA1 } },
    },
    /* RFC 7523bis: the issuer as the sole audience, and a typ that no other JWT has. */
    {
        .name = "oidc",
        .uses = PROVIDER_USES_ISSUER | PROVIDER_USES_SUBJECT | PROVIDER_USES_GRANT,
        .grant = TOKEN_GRANT_CLIENT_CREDENTIALS,
        .is_audience_issuer = true,
        .resource = PROVIDER_RESOURCE_FIELD,
        .resource_name = "resource",
        .typ = ASSERTION_TYP_CLIENT_AUTHENTICATION,
        .claims = PROVIDER_CLAIM_NBF | PROVIDER_CLAIM_IAT | PROVIDER_CLAIM_JTI,
        .lifetime_s = 300,
        .lifetime_max_s = ASSERTION_LIFETIME_MAX_S,
        .forms = { { .algs = ANY_ALG } },
    },
    /* A client's tokenEndpointAuthSigningMaxExp is 60 s unless it is changed; each jti is taken once. */
    {
        .name = "keycloak",
        .uses = PROVIDER_USES_ISSUER,
        .grant = TOKEN_GRANT_CLIENT_CREDENTIALS,
        .is_audience_issuer = true,
        .resource = PROVIDER_RESOURCE_FIELD,
        .resource_name = "resource",
        .typ = ASSERTION_TYP_JWT,
        .claims = PROVIDER_CLAIM_NBF | PROVIDER_CLAIM_IAT | PROVIDER_CLAIM_JTI,
        .lifetime_s = 60,
        .lifetime_max_s = ASSERTION_LIFETIME_MAX_S,
        .forms = { { .token_endpoint = "{issuer}/protocol/openid-connect/token", .algs = ANY_ALG } },
    },
    /* developer.okta.com, "Build a JWT for client authentication": the full URL of the endpoint. The server
     * of the organisation itself is at a path of its own, custom ones are below their issuer. */
    {
        .name = "okta",
        .uses = PROVIDER_USES_ISSUER,
        .grant = TOKEN_GRANT_CLIENT_CREDENTIALS,
        .wants_target = true,
        .typ = ASSERTION_TYP_JWT,
        .claims = PROVIDER_CLAIM_IAT | PROVIDER_CLAIM_JTI,
        .lifetime_s = 300,
        .lifetime_max_s = 3600,
        .forms = { { .when = PROVIDER_WHEN_BARE_ISSUER,
                     .token_endpoint = "{issuer}/oauth2/v1/token",
                     .algs = OKTA_ALGS },
                   { .token_endpoint = "{issuer}/v1/token", .algs = OKTA_ALGS } },
    },
    /* auth0.com/docs, "Authenticate with Private Key JWT": the issuer ends in a slash. What a token is for is
     * called audience there: the API's identifier. */
    {
        .name = "auth0",
        .issuer = "{authority}/",
        .uses = PROVIDER_USES_AUTHORITY,
        .grant = TOKEN_GRANT_CLIENT_CREDENTIALS,
        .is_audience_issuer = true,
        .wants_target = true,
        .resource = PROVIDER_RESOURCE_FIELD,
        .resource_name = "audience",
        .typ = ASSERTION_TYP_JWT,
        .claims = PROVIDER_CLAIM_IAT | PROVIDER_CLAIM_JTI,
        .lifetime_s = 60,
        .lifetime_max_s = 300,
        .forms = { { .token_endpoint = "{authority}/oauth/token",
                     .algs = { KEYSTAY_ALG_RS256, KEYSTAY_ALG_RS384, KEYSTAY_ALG_PS256 } } },
    },
    /* developers.google.com/identity/protocols/oauth2/service-account: a grant, with the scope in it. */
    {
        .name = "google-sa",
        .authority = "https://oauth2.googleapis.com",
        .uses = PROVIDER_USES_AUTHORITY | PROVIDER_USES_SUBJECT,
        .grant = TOKEN_GRANT_JWT_BEARER,
        .wants_target = true,
        .is_scope_in_assertion = true,
        .typ = ASSERTION_TYP_JWT,
        .claims = PROVIDER_CLAIM_IAT,
        .lifetime_s = 600,
        .lifetime_max_s = 3600,
        .forms = { { .token_endpoint = "{authority}/token", .algs = { KEYSTAY_ALG_RS256 } } },
    },
    /* docs.digdir.no, "maskinporten_protocol_jwtgrant": any other claim is an error, and so are the token
     * endpoint as audience, more than 120 s, and a kid beside x5c. */
    {
        .name = "maskinporten",
        .authority = "https://maskinporten.no",
        .issuer = "{authority}/",
        .uses = PROVIDER_USES_AUTHORITY,
        .grant = TOKEN_GRANT_JWT_BEARER,
        .is_audience_issuer = true,
        .wants_target = true,
        .is_scope_in_assertion = true,
        .resource = PROVIDER_RESOURCE_CLAIM,
        .resource_name = "resource",
        .has_x5c = true,
        .claims = PROVIDER_CLAIM_IAT | PROVIDER_CLAIM_JTI,
        .lifetime_s = 120,
        .lifetime_max_s = 120,
        .forms = { { .token_endpoint = "{authority}/token",
                     .algs = { KEYSTAY_ALG_RS256, KEYSTAY_ALG_RS384, KEYSTAY_ALG_RS512 } } },
    },
};

const struct provider_row *provider_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (str_equal(rows[i].name, name)) {
            return &rows[i];
        }
    }
    return NULL;
}
