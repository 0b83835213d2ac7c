/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_PROVIDER_ROW_H
#define OAUTH_PROVIDER_ROW_H

/* What a row of the table of providers says. For provider*.c alone. */

#include "oauth/provider.h"

enum { PROVIDER_ALGS_MAX = 9, PROVIDER_FORMS_MAX = 2 };

/* When a form is the one: the first whose condition holds. */
enum provider_when {
    PROVIDER_ALWAYS,
    PROVIDER_WHEN_RESOURCE,    /* `resource` is given instead of `scope` */
    PROVIDER_WHEN_BARE_ISSUER, /* the issuer is a host without a path */
};

/*
 * One way of asking. A template is a URL in which {authority} is the origin without a slash, {tenant} the
 * tenant, {issuer} the issuer without a slash at its end.
 */
struct provider_form {
    enum provider_when when;
    const char *token_endpoint;               /* template; NULL: the issuer's metadata says it */
    enum keystay_alg algs[PROVIDER_ALGS_MAX]; /* in order of preference, KEYSTAY_ALG_AUTO ends the list */
    int thumbprints;                          /* enum thumbprint, or 0 */
};

/* Which settings say where the server is. One that is not used is refused, not passed over. */
enum {
    PROVIDER_USES_AUTHORITY = 1,
    PROVIDER_USES_TENANT = 2,
    PROVIDER_USES_ISSUER = 4,
    PROVIDER_USES_SUBJECT = 8,
    PROVIDER_USES_GRANT = 16,
};

/* Claims that not every server wants to see. */
enum {
    PROVIDER_CLAIM_NBF = 1,
    PROVIDER_CLAIM_IAT = 2,
    PROVIDER_CLAIM_JTI = 4,
};

/* What `resource` becomes. */
enum provider_resource {
    PROVIDER_RESOURCE_NONE,    /* it is refused */
    PROVIDER_RESOURCE_INSTEAD, /* a field of the form, and scope is then not given */
    PROVIDER_RESOURCE_FIELD,   /* a field of the form, beside scope (RFC 8707 §2) */
    PROVIDER_RESOURCE_CLAIM,   /* a claim of the assertion */
};

struct provider_row {
    const char *name;
    const char *authority;              /* NULL: it must be given, where it is used */
    const char *issuer;                 /* template; NULL: the setting, or none */
    const char *scope_suffix;           /* every scope ends in it; NULL: any */
    const char *resource_name;          /* of the field or claim */
    int64_t lifetime_s, lifetime_max_s; /* of an assertion */
    struct provider_form forms[PROVIDER_FORMS_MAX];
    int uses;   /* PROVIDER_USES_* */
    int claims; /* PROVIDER_CLAIM_*, beside aud, iss, sub and exp */
    enum token_grant grant;
    enum provider_resource resource;
    enum assertion_typ typ;
    bool is_audience_issuer; /* else the token endpoint */
    bool wants_target;       /* a token is for some scope or resource */
    bool is_scope_in_assertion;
    bool has_x5c;          /* unless there is a kid */
    bool reuses_assertion; /* it takes a jti more than once */
};

/* NULL when there is none. Static. */
const struct provider_row *provider_find(const char *name);

/* The settings as far as one alone can be checked. KEYSTAY_E_CONFIG. */
enum keystay_status provider_check_request(
    const struct provider_row *row, const struct provider_request *request, struct keystay_error *err);

#endif
