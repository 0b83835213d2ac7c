/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adding a server is adding a row. The one invariant: the audience of an assertion is derived from the very
 * URL that it is sent to, or given literally by the user; it never comes from something a server said.
 */
#include "oauth/provider.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"

/* One way of asking: Entra has a newer one with `scope` and an older one with `resource`. */
struct provider_form {
    const char *token_path;   /* "{tenant}" is replaced */
    enum keystay_alg algs[4]; /* in order of preference, KEYSTAY_ALG_AUTO ends the list */
    enum thumbprint thumbprints;
};

struct provider_row {
    const char *name;
    const char *authority;
    const char *issuer_path;
    const char *scope_suffix; /* every scope ends in it */
    bool reuses_assertion;    /* it takes a jti more than once */
    struct provider_form scope_form;
    struct provider_form resource_form;
};

static const struct provider_row rows[] = {
    {
        .name = "entra",
        .authority = "https://login.microsoftonline.com",
        .issuer_path = "/{tenant}/v2.0",
        .scope_suffix = "/.default",
        .reuses_assertion = true,
        .scope_form = { "/{tenant}/oauth2/v2.0/token",
                        { KEYSTAY_ALG_PS256, KEYSTAY_ALG_RS256 },
                        THUMBPRINT_SHA256 },
        .resource_form = { "/{tenant}/oauth2/token", { KEYSTAY_ALG_RS256 }, THUMBPRINT_SHA1 },
    },
};

static const struct provider_form *form_of(const struct provider_plan *plan)
{
    return plan->is_resource_form ? &plan->row->resource_form : &plan->row->scope_form;
}

static const struct provider_row *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (str_equal(rows[i].name, name)) {
            return &rows[i];
        }
    }
    return NULL;
}

/* It becomes part of a path: letters, digits, '-' and '.', as GUIDs and domain names have. */
static enum keystay_status check_tenant(const char *tenant, struct keystay_error *err)
{
    static const char *const shared[] = { "common", "organizations", "consumers" };

    if (tenant == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "give --tenant the directory's id or one of its domains",
            "no tenant is given");
    }
    for (size_t i = 0; i < ARRAY_LEN(shared); i++) {
        if (str_iequal(tenant, shared[i])) {
            return err_set_hint(
                err, KEYSTAY_E_CONFIG, "give --tenant the directory's own id or domain",
                "tenant '%s' is for people who sign in; a client with a certificate belongs to one tenant",
                tenant);
        }
    }
    size_t good = strspn(tenant, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-");
    if (good == 0 || tenant[good] != '\0' || tenant[0] == '.' || strstr(tenant, "..") != NULL || good > 253) {
        return err_set(err, KEYSTAY_E_CONFIG, "tenant '%s' is neither an id nor a domain name", tenant);
    }
    return KEYSTAY_OK;
}

static enum keystay_status check_client(const struct provider_request *request, struct keystay_error *err)
{
    if (request->client_id == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "give --client-id the application (client) id", "no client id is given");
    }
    if (request->client_id[0] == '\0' || !str_is_visible_ascii(slice_of_str(request->client_id))) {
        return err_set(
            err, KEYSTAY_E_CONFIG, "the client id is empty or has blanks or characters outside ASCII");
    }
    return KEYSTAY_OK;
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t len = strlen(text);
    size_t suffix_len = strlen(suffix);

    return len > suffix_len && str_equal(text + len - suffix_len, suffix);
}

static enum keystay_status check_scope(
    const struct provider_row *row, const struct provider_request *request, struct keystay_error *err)
{
    const char *wanted = request->scope != NULL ? request->scope : request->resource;

    if (request->scope != NULL && request->resource != NULL) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "--scope is the current form, --resource the older one (v1.0)",
            "scope and resource are both given");
    }
    if (wanted != NULL && (wanted[0] == '\0' || !str_is_visible_ascii(slice_of_str(wanted)))) {
        return err_set(
            err, KEYSTAY_E_CONFIG, "the %s is empty or has blanks or characters outside ASCII",
            request->scope != NULL ? "scope" : "resource");
    }
    if (request->scope != NULL && !ends_with(request->scope, row->scope_suffix)) {
        (void)err_set(
            err, KEYSTAY_E_CONFIG,
            "scope '%s' must end in %s: without a user there are no single permissions", request->scope,
            row->scope_suffix);
        return err_hint(
            err, KEYSTAY_E_CONFIG, "such as --scope https://graph.microsoft.com%s", row->scope_suffix);
    }
    return KEYSTAY_OK;
}

/* authority + path, with the tenant in its place. */
static enum keystay_status make_url(
    const char *authority, const char *path, const char *tenant, char ret_url[URL_MAX],
    struct keystay_error *err)
{
    static const char place[] = "{tenant}";
    const char *hole = strstr(path, place);
    int len = hole == NULL ? snprintf(ret_url, URL_MAX, "%s%s", authority, path)
                           : snprintf(
                                 ret_url, URL_MAX, "%s%.*s%s%s", authority, (int)(hole - path), path, tenant,
                                 hole + sizeof(place) - 1);

    if (len < 0 || len >= URL_MAX) {
        return err_set(err, KEYSTAY_E_CONFIG, "authority and tenant make too long a URL");
    }
    return KEYSTAY_OK;
}

static enum keystay_status make_audience(
    const struct provider_request *request, const char *authority, struct provider_plan *plan,
    struct keystay_error *err)
{
    const char *rule = request->audience == NULL ? "auto" : request->audience;

    if (str_equal(rule, "issuer")) {
        return make_url(authority, plan->row->issuer_path, request->tenant, plan->audience, err);
    }
    if (str_equal(rule, "auto") || str_equal(rule, "token-endpoint")) {
        memcpy(plan->audience, plan->token_endpoint, sizeof(plan->audience));
        return KEYSTAY_OK;
    }
    if (!str_is_visible_ascii(slice_of_str(rule)) || strlen(rule) >= URL_MAX || rule[0] == '\0') {
        return err_set(
            err, KEYSTAY_E_CONFIG, "the audience is empty, too long, or has characters outside ASCII");
    }
    (void)snprintf(plan->audience, sizeof(plan->audience), "%s", rule);
    return KEYSTAY_OK;
}

enum keystay_status provider_make_plan(
    const struct provider_request *request, struct provider_plan *ret_plan, struct keystay_error *err)
{
    struct provider_plan plan = { .row = find(request->provider),
                                  .is_resource_form = request->resource != NULL };
    CLEANUP(buf_clear) struct buf authority = BUF(URL_MAX);

    if (plan.row == NULL) {
        return err_set(err, KEYSTAY_E_CONFIG, "there is no provider '%s'", request->provider);
    }
    TRY(url_origin(
        request->authority == NULL ? plan.row->authority : request->authority, request->allow_http_loopback,
        &authority, err));
    TRY(check_tenant(request->tenant, err));
    TRY(check_client(request, err));
    TRY(check_scope(plan.row, request, err));
    TRY(make_url(buf_str(&authority), form_of(&plan)->token_path, request->tenant, plan.token_endpoint, err));
    TRY(make_audience(request, buf_str(&authority), &plan, err));
    *ret_plan = plan;
    return KEYSTAY_OK;
}

enum keystay_status provider_choose_alg(
    const struct provider_plan *plan, const struct provider_request *request, alg_set can,
    enum keystay_alg *ret_alg, struct keystay_error *err)
{
    const enum keystay_alg *preferred = form_of(plan)->algs;

    if (request->alg != KEYSTAY_ALG_AUTO) {
        if ((can & ALG_BIT(request->alg)) == 0) {
            return err_set_hint(
                err, KEYSTAY_E_ALGORITHM, "leave --alg out: keystay then takes what the token offers",
                "the token cannot sign %s with this key", alg_by_id(request->alg)->name);
        }
        *ret_alg = request->alg;
        return KEYSTAY_OK;
    }
    for (; *preferred != KEYSTAY_ALG_AUTO; preferred++) {
        if (can & ALG_BIT(*preferred)) {
            *ret_alg = *preferred;
            return KEYSTAY_OK;
        }
    }
    return err_set_hint(
        err, KEYSTAY_E_ALGORITHM, "choose an RSA key; --alg names another algorithm, if the server takes it",
        "the key can sign none of the algorithms that provider %s takes", plan->row->name);
}

enum thumbprint provider_thumbprints(const struct provider_plan *plan, const struct provider_request *request)
{
    return request->thumbprints != 0 ? (enum thumbprint)request->thumbprints : form_of(plan)->thumbprints;
}

bool provider_reuses_assertion(const struct provider_plan *plan)
{
    return plan->row->reuses_assertion;
}
