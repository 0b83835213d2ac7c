/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan: where the server is, and for whom an assertion is made.
 *
 * The one invariant: the audience is derived from the very URL that the assertion is sent to, or is the
 * issuer that the user configured, or was given literally. A server's metadata is believed only when it names
 * exactly that issuer (RFC 8414 §3.3), and even then it moves only the address that is asked: where the
 * audience is to be the token endpoint, metadata may name one at the issuer's own origin alone. So a server
 * that lies can send its own assertion astray, and never gets one that another server would take.
 */
#include "oauth/provider_row.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "oauth/metadata.h"

enum { TENANT_SIZE = 254 };

/* External ID: each tenant has a host of its own, and a domain of that name. */
static const char external_id_suffix[] = ".ciamlogin.com";

/* What stands in the holes of a template. "" for what there is not. */
struct places {
    struct buf authority;
    char tenant[TENANT_SIZE];
};

static void places_clear(struct places *places)
{
    buf_clear(&places->authority);
}

/* "contoso" of https://contoso.ciamlogin.com, or nothing. */
static struct slice external_id_name(const char *origin)
{
    const char *host = origin + strlen("https://");
    size_t len = strcspn(host, ".");

    return str_equal(host + len, external_id_suffix) ? (struct slice){ (const uint8_t *)host, len }
                                                     : (struct slice){ 0 };
}

static enum keystay_status find_tenant(
    const struct provider_request *request, struct places *places, struct keystay_error *err)
{
    const struct slice name = external_id_name(buf_str(&places->authority));

    if (request->tenant != NULL) {
        (void)snprintf(places->tenant, sizeof(places->tenant), "%s", request->tenant);
        return KEYSTAY_OK;
    }
    if (name.len > 0) {
        (void)snprintf(
            places->tenant, sizeof(places->tenant), "%.*s.onmicrosoft.com", (int)name.len,
            (const char *)name.data);
        return KEYSTAY_OK;
    }
    return err_set_hint(
        err, KEYSTAY_E_CONFIG, "give --tenant the directory's id or one of its domains",
        "no tenant is given");
}

static enum keystay_status find_places(
    const struct provider_row *row, const struct provider_request *request, struct places *places,
    struct keystay_error *err)
{
    const char *authority = request->authority != NULL ? request->authority : row->authority;

    if ((row->uses & PROVIDER_USES_AUTHORITY) != 0) {
        if (authority == NULL) {
            return err_set_hint(
                err, KEYSTAY_E_CONFIG, "give --authority the server's host, as in https://login.example",
                "no authority is given, and provider %s has none of its own", row->name);
        }
        TRY(url_origin(authority, request->allow_http_loopback, &places->authority, err));
    }
    return (row->uses & PROVIDER_USES_TENANT) != 0 ? find_tenant(request, places, err) : KEYSTAY_OK;
}

static enum keystay_status put_hole(
    const struct places *places, const char *issuer, const char **at, struct buf *to,
    struct keystay_error *err)
{
    size_t issuer_len = strlen(issuer);
    const struct {
        const char *hole;
        struct slice text;
    } holes[] = {
        { "{authority}", buf_slice(&places->authority) },
        { "{tenant}", slice_of_str(places->tenant) },
        { "{issuer}",
          { (const uint8_t *)issuer, issuer_len - (issuer_len > 0 && issuer[issuer_len - 1] == '/') } },
    };

    for (size_t i = 0; i < ARRAY_LEN(holes); i++) {
        if (str_has_prefix(*at, holes[i].hole)) {
            *at += strlen(holes[i].hole);
            return buf_put(to, holes[i].text, err);
        }
    }
    return buf_putc(to, *(*at)++, err);
}

static enum keystay_status fill_template(
    const char *text, const struct places *places, const char *issuer, char ret_url[URL_MAX],
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf url = BUF(URL_MAX - 1);

    while (*text != '\0') {
        if (put_hole(places, issuer, &text, &url, NULL) != KEYSTAY_OK) {
            return err_set(err, KEYSTAY_E_CONFIG, "authority or issuer and tenant make too long a URL");
        }
    }
    memcpy(ret_url, buf_str(&url), url.len + 1);
    return KEYSTAY_OK;
}

static enum keystay_status find_issuer(
    const struct provider_request *request, const struct places *places, struct provider_plan *plan,
    struct keystay_error *err)
{
    if (request->issuer != NULL) {
        TRY(url_check("issuer", request->issuer, request->allow_http_loopback, err));
        memcpy(plan->issuer, request->issuer, strlen(request->issuer) + 1);
        return KEYSTAY_OK;
    }
    if (plan->row->issuer != NULL) {
        return fill_template(plan->row->issuer, places, "", plan->issuer, err);
    }
    if ((plan->row->uses & PROVIDER_USES_ISSUER) != 0) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "give --issuer the server's issuer, exactly as the server writes it",
            "no issuer is given");
    }
    return KEYSTAY_OK;
}

static bool is_bare(const char *url)
{
    const char *path = strchr(url + strlen("https://"), '/');

    return path == NULL || path[1] == '\0';
}

static const struct provider_form *find_form(
    const struct provider_row *row, const struct provider_request *request, const char *issuer)
{
    const struct provider_form *form = row->forms;

    while ((form->when == PROVIDER_WHEN_RESOURCE && request->resource == NULL) ||
           (form->when == PROVIDER_WHEN_BARE_ISSUER && !is_bare(issuer))) {
        form++;
    }
    return form;
}

static enum keystay_status find_token_endpoint(
    const struct provider_request *request, const struct places *places, struct provider_plan *plan,
    struct keystay_error *err)
{
    if (request->token_endpoint != NULL) {
        TRY(url_check("token endpoint", request->token_endpoint, request->allow_http_loopback, err));
        memcpy(plan->token_endpoint, request->token_endpoint, strlen(request->token_endpoint) + 1);
        return KEYSTAY_OK;
    }
    plan->needs_discovery = plan->form->token_endpoint == NULL;
    return plan->needs_discovery
               ? KEYSTAY_OK
               : fill_template(plan->form->token_endpoint, places, plan->issuer, plan->token_endpoint, err);
}

/* The rule in force; a text that is none of the rules is the audience itself. */
static const char *audience_rule(const struct provider_row *row, const struct provider_request *request)
{
    if (request->audience != NULL && !str_equal(request->audience, "auto")) {
        return request->audience;
    }
    return row->is_audience_issuer ? "issuer" : "token-endpoint";
}

/* External ID names its issuer by the tenant's id, also as a host. */
static enum keystay_status check_external_issuer(
    const struct places *places, struct provider_plan *plan, struct keystay_error *err)
{
    if (places->authority.len == 0 || external_id_name(buf_str(&places->authority)).len == 0) {
        return KEYSTAY_OK;
    }
    if (!str_is_guid(places->tenant)) {
        return err_set(err, KEYSTAY_E_CONFIG, "for the issuer as audience, give --tenant the directory's id");
    }
    (void)snprintf(
        plan->issuer, sizeof(plan->issuer), "https://%s%s/%s/v2.0", places->tenant, external_id_suffix,
        places->tenant);
    return KEYSTAY_OK;
}

static enum keystay_status find_audience(
    const struct provider_request *request, const struct places *places, struct provider_plan *plan,
    struct keystay_error *err)
{
    const char *rule = audience_rule(plan->row, request);

    if (str_equal(rule, "issuer")) {
        if (plan->issuer[0] == '\0') {
            return err_set(
                err, KEYSTAY_E_CONFIG, "provider %s has no issuer that could be the audience",
                plan->row->name);
        }
        TRY(check_external_issuer(places, plan, err));
        memcpy(plan->audience, plan->issuer, sizeof(plan->audience));
        return KEYSTAY_OK;
    }
    if (str_equal(rule, "token-endpoint")) {
        memcpy(plan->audience, plan->token_endpoint, sizeof(plan->audience)); /* "" until discovered */
        return KEYSTAY_OK;
    }
    if (!str_is_visible_ascii(slice_of_str(rule)) || strlen(rule) >= URL_MAX || rule[0] == '\0') {
        return err_set(
            err, KEYSTAY_E_CONFIG, "the audience is empty, too long, or has characters outside ASCII");
    }
    memcpy(plan->audience, rule, strlen(rule) + 1);
    return KEYSTAY_OK;
}

static void find_numbers(const struct provider_request *request, struct provider_plan *plan)
{
    const struct provider_row *row = plan->row;

    plan->grant = row->grant;
    if (request->grant != NULL && str_equal(request->grant, "jwt-bearer")) {
        plan->grant = TOKEN_GRANT_JWT_BEARER;
    }
    plan->lifetime_s = request->lifetime_s != 0 ? request->lifetime_s : row->lifetime_s;
    for (const enum keystay_alg *alg = plan->form->algs; *alg != KEYSTAY_ALG_AUTO; alg++) {
        plan->algs |= ALG_BIT(*alg);
    }
}

void provider_set_lifetime(
    struct provider_plan *plan, const struct provider_request *request, int64_t lifetime_s)
{
    const int64_t max_s = plan->row->lifetime_max_s - request->backdate_s;

    if (request->lifetime_s == 0 && lifetime_s != 0) {
        plan->lifetime_s = lifetime_s < max_s ? lifetime_s : max_s;
    }
}

enum keystay_status provider_make_plan(
    const struct provider_request *request, struct provider_plan *ret_plan, struct keystay_error *err)
{
    struct provider_plan plan = { .row = provider_find(request->provider) };
    CLEANUP(places_clear) struct places places = { .authority = BUF(URL_MAX) };

    if (plan.row == NULL) {
        return err_set(err, KEYSTAY_E_CONFIG, "there is no provider '%s'", request->provider);
    }
    TRY(provider_check_request(plan.row, request, err));
    TRY(find_places(plan.row, request, &places, err));
    TRY(find_issuer(request, &places, &plan, err));
    plan.form = find_form(plan.row, request, plan.issuer);
    TRY(find_token_endpoint(request, &places, &plan, err));
    TRY(find_audience(request, &places, &plan, err));
    find_numbers(request, &plan);
    *ret_plan = plan;
    return KEYSTAY_OK;
}

enum keystay_status provider_check_target(
    const struct provider_plan *plan, const struct provider_request *request, struct keystay_error *err)
{
    if (plan->row->wants_target && request->scope == NULL && request->resource == NULL) {
        if (plan->row->resource == PROVIDER_RESOURCE_NONE) {
            return err_set_hint(err, KEYSTAY_E_CONFIG, "give --scope", "no scope is given");
        }
        return err_set_hint(
            err, KEYSTAY_E_CONFIG,
            plan->row->scope_suffix != NULL ? "such as --scope https://graph.microsoft.com/.default"
                                            : "give --scope, --resource or both",
            "neither scope nor resource is given");
    }
    return KEYSTAY_OK;
}

/*
 * RFC 8414 lets a token endpoint be at another host than the issuer, and some are. Then the audience can be
 * the issuer, which the user configured, but not that endpoint: it would be a name that a server chose.
 */
static enum keystay_status take_endpoint(
    const struct metadata *metadata, struct provider_plan *plan, struct keystay_error *err)
{
    if (plan->audience[0] == '\0') {
        if (!url_same_origin(plan->issuer, metadata->token_endpoint)) {
            return err_set_hint(
                err, KEYSTAY_E_SERVER_RESPONSE,
                "use --audience issuer, or give --token-endpoint if you know it to be this server's",
                "the metadata of %s has its token endpoint elsewhere: %s; it is not made the audience",
                plan->issuer, metadata->token_endpoint);
        }
        memcpy(plan->audience, metadata->token_endpoint, sizeof(plan->audience));
    }
    memcpy(plan->token_endpoint, metadata->token_endpoint, sizeof(plan->token_endpoint));
    return KEYSTAY_OK;
}

enum keystay_status provider_discover(
    struct provider_plan *plan, const struct provider_request *request, struct http_transport *transport,
    int64_t timeout_ms, const struct keystay_log *log, struct http_response *ret_response,
    struct keystay_error *err)
{
    struct metadata metadata = { 0 };

    if (!plan->needs_discovery) {
        return KEYSTAY_OK;
    }
    TRY(metadata_fetch(
        transport, plan->issuer, request->allow_http_loopback, timeout_ms, log, ret_response, &metadata,
        err));
    TRY(take_endpoint(&metadata, plan, err));
    if (metadata.has_algs) {
        plan->algs = metadata.algs; /* the row's own are a guess, kept as an order of preference */
    }
    if (!metadata.has_private_key_jwt && plan->grant == TOKEN_GRANT_CLIENT_CREDENTIALS) {
        log_warning(
            log, "the metadata of %s does not say that clients may use private_key_jwt", plan->issuer);
    }
    plan->needs_discovery = false;
    log_step(log, "token endpoint %s, by the metadata of %s", plan->token_endpoint, plan->issuer);
    return KEYSTAY_OK;
}
