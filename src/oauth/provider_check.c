/* SPDX-License-Identifier: Apache-2.0 */
/* The settings one by one, in words for whoever wrote them: before any network, before any key. */
#include "oauth/provider_row.h"

#include <string.h>

#include "base/error.h"
#include "base/str.h"

static const char not_a_text[] = "the %s is empty or has blanks or characters outside ASCII";

static bool is_auto(const char *text)
{
    return text == NULL || str_equal(text, "auto");
}

/* The settings that only some providers have a use for. */
static const struct {
    const char *name;
    int use;
} uses[] = {
    { "authority", PROVIDER_USES_AUTHORITY }, { "tenant", PROVIDER_USES_TENANT },
    { "issuer", PROVIDER_USES_ISSUER },       { "subject", PROVIDER_USES_SUBJECT },
    { "grant", PROVIDER_USES_GRANT },
};

static bool takes(const struct provider_row *row, const char *setting)
{
    for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
        if (str_equal(setting, uses[i].name)) {
            return (row->uses & uses[i].use) != 0;
        }
    }
    return !str_equal(setting, "resource") || row->resource != PROVIDER_RESOURCE_NONE;
}

bool provider_takes(const char *provider, const char *setting)
{
    const struct provider_row *row = provider_find(provider);

    return row == NULL || takes(row, setting);
}

/* What a provider has no use for is refused: passed over, it would be believed to have an effect. */
static enum keystay_status check_uses(
    const struct provider_row *row, const struct provider_request *request, struct keystay_error *err)
{
    const struct {
        const char *name, *value;
    } given[] = {
        { "authority", request->authority }, { "tenant", request->tenant },
        { "issuer", request->issuer },       { "subject", request->subject },
        { "resource", request->resource },   { "grant", is_auto(request->grant) ? NULL : request->grant },
    };

    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        if (given[i].value == NULL || takes(row, given[i].name)) {
            continue;
        }
        return err_set_hint(
            err, KEYSTAY_E_CONFIG,
            str_equal(given[i].name, "resource")      ? "say what the token is for with --scope"
            : (row->uses & PROVIDER_USES_ISSUER) != 0 ? "leave it out: this provider is found by its --issuer"
                                                      : "leave it out",
            "provider %s takes no --%s", row->name, given[i].name);
    }
    return KEYSTAY_OK;
}

/* It becomes part of a path: letters, digits, '-' and '.', as GUIDs and domain names have. */
static enum keystay_status check_tenant(const char *tenant, struct keystay_error *err)
{
    static const char *const shared[] = { "common", "organizations", "consumers" };

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

static enum keystay_status check_text(const char *what, const char *text, struct keystay_error *err)
{
    if (text[0] == '\0' || !str_is_visible_ascii(slice_of_str(text))) {
        return err_set(err, KEYSTAY_E_CONFIG, not_a_text, what);
    }
    if (strlen(text) > ASSERTION_TEXT_MAX) {
        return err_set(err, KEYSTAY_E_CONFIG, "the %s has more than %d characters", what, ASSERTION_TEXT_MAX);
    }
    return KEYSTAY_OK;
}

static enum keystay_status check_client(const struct provider_request *request, struct keystay_error *err)
{
    if (request->client_id == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "give --client-id the application (client) id", "no client id is given");
    }
    TRY(check_text("client id", request->client_id, err));
    return request->subject == NULL ? KEYSTAY_OK : check_text("subject", request->subject, err);
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t len = strlen(text);
    size_t suffix_len = strlen(suffix);

    return len > suffix_len && str_equal(text + len - suffix_len, suffix);
}

/* RFC 6749 §3.3: words of visible characters but '"' and '\', one blank between them. */
static bool is_scope_list(const char *scope)
{
    bool is_in_word = false;

    for (const char *c = scope; *c != '\0'; c++) {
        bool is_blank = *c == ' ';
        if ((is_blank && !is_in_word) || (!is_blank && (*c < 0x21 || *c > 0x7E || *c == '"' || *c == '\\'))) {
            return false;
        }
        is_in_word = !is_blank;
    }
    return is_in_word && strlen(scope) <= ASSERTION_TEXT_MAX;
}

static enum keystay_status check_scope(
    const struct provider_row *row, const char *scope, struct keystay_error *err)
{
    if (row->scope_suffix == NULL) {
        return is_scope_list(scope)
                   ? KEYSTAY_OK
                   : err_set(
                         err, KEYSTAY_E_CONFIG,
                         "the scope is empty, too long, or no list of words with one blank between them");
    }
    TRY(check_text("scope", scope, err));
    if (!ends_with(scope, row->scope_suffix)) {
        (void)err_set(
            err, KEYSTAY_E_CONFIG,
            "scope '%s' must end in %s: without a user there are no single permissions", scope,
            row->scope_suffix);
        return err_hint(
            err, KEYSTAY_E_CONFIG, "such as --scope https://graph.microsoft.com%s", row->scope_suffix);
    }
    return KEYSTAY_OK;
}

static enum keystay_status check_targets(
    const struct provider_row *row, const struct provider_request *request, struct keystay_error *err)
{
    if (request->scope != NULL && request->resource != NULL && row->resource == PROVIDER_RESOURCE_INSTEAD) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "--scope is the current form, --resource the older one (v1.0)",
            "scope and resource are both given");
    }
    if (request->scope != NULL) {
        TRY(check_scope(row, request->scope, err));
    }
    return request->resource == NULL ? KEYSTAY_OK : check_text("resource", request->resource, err);
}

static enum keystay_status check_key_id(
    const struct provider_row *row, const struct provider_request *request, struct keystay_error *err)
{
    if (is_auto(request->kid)) {
        return KEYSTAY_OK;
    }
    TRY(check_text("key id", request->kid, err));
    if (row->has_x5c && request->x5c && !str_equal(request->kid, "none")) {
        return err_set(err, KEYSTAY_E_CONFIG, "provider %s takes either --kid or --x5c, not both", row->name);
    }
    return KEYSTAY_OK;
}

static enum keystay_status check_lifetime(
    const struct provider_row *row, const struct provider_request *request, struct keystay_error *err)
{
    int64_t lifetime_s = request->lifetime_s == 0 ? row->lifetime_s : request->lifetime_s;

    if (request->lifetime_s > row->lifetime_max_s) {
        return err_set(
            err, KEYSTAY_E_CONFIG, "provider %s takes assertions of at most %lld s", row->name,
            (long long)row->lifetime_max_s);
    }
    /* What the server measures is from iat to exp. */
    if (lifetime_s + request->backdate_s > row->lifetime_max_s) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "give a shorter --lifetime",
            "lifetime and backdate are together more than the %lld s that provider %s takes",
            (long long)row->lifetime_max_s, row->name);
    }
    return KEYSTAY_OK;
}

enum keystay_status provider_check_request(
    const struct provider_row *row, const struct provider_request *request, struct keystay_error *err)
{
    TRY(check_uses(row, request, err));
    if (request->tenant != NULL) {
        TRY(check_tenant(request->tenant, err));
    }
    TRY(check_client(request, err));
    TRY(check_targets(row, request, err));
    TRY(check_key_id(row, request, err));
    return check_lifetime(row, request, err);
}
