/* SPDX-License-Identifier: Apache-2.0 */
/* What a token says: whose it is, for whom, and when. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "jose/verify.h"

enum { QUOTE_SIZE = 256 };

static const char tenant_place[] = "{tenantid}";

/* Entra's issuers of v1.0 tokens, whichever endpoint these were asked from. */
static const char *const v1_issuers[] = { "https://sts.windows.net/", "https://sts.chinacloudapi.cn/" };

static void quote(const char *text, char ret_text[QUOTE_SIZE])
{
    str_quote_foreign(slice_of_str(text), ret_text, QUOTE_SIZE);
}

static bool is_v1(const char *issuer)
{
    for (size_t i = 0; i < ARRAY_LEN(v1_issuers); i++) {
        if (str_has_prefix(issuer, v1_issuers[i])) {
            return true;
        }
    }
    return false;
}

static bool is_v2(const char *issuer)
{
    static const char end[] = "/v2.0";
    size_t len = strlen(issuer);

    return len >= sizeof(end) && str_equal(issuer + len - (sizeof(end) - 1), end);
}

/* Writes issuer with the tenant that the claims name in the place of "{tenantid}". */
static enum keystay_status expand(
    const struct json *claims, const char *issuer, char ret_issuer[VERIFY_ISSUER_SIZE],
    struct keystay_error *err)
{
    const char *place = strstr(issuer, tenant_place);
    const char *tenant = json_str_or_null(claims, "tid");
    int len = 0;

    /* The tenant becomes part of an address: nothing but a GUID may. */
    if (place != NULL && (tenant == NULL || !str_is_guid(tenant))) {
        return err_set(err, KEYSTAY_E_ANSWER_NO, "the token names no tenant (\"tid\", a GUID)");
    }
    len = place == NULL ? snprintf(ret_issuer, VERIFY_ISSUER_SIZE, "%s", issuer)
                        : snprintf(
                              ret_issuer, VERIFY_ISSUER_SIZE, "%.*s%s%s", (int)(place - issuer), issuer,
                              tenant, place + sizeof(tenant_place) - 1);
    if (len < 0 || len >= VERIFY_ISSUER_SIZE) {
        return err_set(
            err, KEYSTAY_E_CONFIG, "an issuer of more than %d bytes is not taken", VERIFY_ISSUER_SIZE - 1);
    }
    return KEYSTAY_OK;
}

static enum keystay_status other_issuer(const char *found, const char *wanted, struct keystay_error *err)
{
    char name[QUOTE_SIZE];
    size_t found_len = strlen(found);
    size_t wanted_len = strlen(wanted);

    quote(found, name);
    (void)err_set(err, KEYSTAY_E_ANSWER_NO, "the token's issuer (iss) is '%s', not '%s'", name, wanted);
    if (is_v1(found) && !is_v1(wanted)) {
        return err_hint(
            err, KEYSTAY_E_ANSWER_NO,
            "this is a v1.0 token of Entra ID; the resource decides that (requestedAccessTokenVersion), not the "
            "endpoint it was asked from: give --issuer as the token has it");
    }
    if (is_v2(found) && is_v1(wanted)) {
        return err_hint(
            err, KEYSTAY_E_ANSWER_NO, "this is a v2.0 token of Entra ID: give --issuer as the token has it");
    }
    if (found_len + 1 == wanted_len
            ? wanted[found_len] == '/' && str_has_prefix(wanted, found)
            : wanted_len + 1 == found_len && found[wanted_len] == '/' && str_has_prefix(found, wanted)) {
        return err_hint(err, KEYSTAY_E_ANSWER_NO, "they differ in the slash at the end, which counts");
    }
    return KEYSTAY_E_ANSWER_NO;
}

enum keystay_status verify_issuer(
    const struct json *claims, const char *issuer, char ret_issuer[VERIFY_ISSUER_SIZE],
    struct keystay_error *err)
{
    const char *found = json_str_or_null(claims, "iss");
    char wanted[VERIFY_ISSUER_SIZE];

    TRY(expand(claims, issuer, wanted, err));
    if (found == NULL) {
        return err_set(err, KEYSTAY_E_ANSWER_NO, "the token names no issuer (iss)");
    }
    if (!str_equal(found, wanted)) {
        return other_issuer(found, wanted, err);
    }
    memcpy(ret_issuer, wanted, sizeof(wanted));
    return KEYSTAY_OK;
}

enum keystay_status verify_key_issuer(
    const struct jwk *jwk, const struct json *claims, struct keystay_error *err)
{
    const char *found = json_str_or_null(claims, "iss");
    char issuer[VERIFY_ISSUER_SIZE];
    char name[QUOTE_SIZE];

    if (jwk->issuer[0] == '\0') {
        return KEYSTAY_OK;
    }
    TRY(expand(claims, jwk->issuer, issuer, err));
    if (found != NULL && str_equal(found, issuer)) {
        return KEYSTAY_OK;
    }
    quote(issuer, name);
    return err_set(err, KEYSTAY_E_ANSWER_NO, "the key that the token names is for tokens of '%s' only", name);
}

static enum keystay_status other_audience(
    const struct json *found, const char *wanted, struct keystay_error *err)
{
    const char *text = json_text(found);
    char name[QUOTE_SIZE];

    if (text == NULL) {
        return err_set(err, KEYSTAY_E_ANSWER_NO, "'%s' is not among those the token is for (aud)", wanted);
    }
    quote(text, name);
    (void)err_set(err, KEYSTAY_E_ANSWER_NO, "the token is for '%s' (aud), not for '%s'", name, wanted);
    if (str_is_guid(text) != str_is_guid(wanted)) {
        return err_hint(
            err, KEYSTAY_E_ANSWER_NO,
            "of Entra ID's tokens, those of v2.0 name an application by its id, those of v1.0 mostly by its App "
            "ID URI");
    }
    return KEYSTAY_E_ANSWER_NO;
}

/* RFC 7519 §4.1.3: one string, or an array of them. */
static enum keystay_status check_audience(
    const struct json *claims, const char *wanted, struct keystay_error *err)
{
    const struct json *found = json_member(claims, "aud");
    const struct json *item = json_type(found) == JSON_ARRAY ? json_first(found) : found;

    if (wanted == NULL) {
        return KEYSTAY_OK;
    }
    if (found == NULL) {
        return err_set(err, KEYSTAY_E_ANSWER_NO, "the token does not say whom it is for (aud)");
    }
    for (; item != NULL; item = json_type(found) == JSON_ARRAY ? json_next(item) : NULL) {
        if (json_text(item) != NULL && str_equal(json_text(item), wanted)) {
            return KEYSTAY_OK;
        }
    }
    return other_audience(found, wanted, err);
}

/* RFC 7515 §4.1.9: "application/" may be left out. */
static enum keystay_status check_typ(const struct jws *jws, const char *wanted, struct keystay_error *err)
{
    static const char prefix[] = "application/";
    const char *found = jws->typ == NULL ? "" : jws->typ;
    char name[QUOTE_SIZE];

    if (wanted == NULL) {
        return KEYSTAY_OK;
    }
    if (str_iequal(str_has_prefix(found, prefix) ? found + sizeof(prefix) - 1 : found, wanted)) {
        return KEYSTAY_OK;
    }
    quote(found, name);
    return err_set(err, KEYSTAY_E_ANSWER_NO, "the token's typ is '%s', not '%s'", name, wanted);
}

/* RFC 7519 §2, NumericDate: a number, perhaps with a fraction; no text. */
static enum keystay_status read_time(
    const struct json *claims, const char *name, double fallback, double *ret_time_s,
    struct keystay_error *err)
{
    const struct json *member = json_member(claims, name);

    if (member != NULL && json_type(member) != JSON_NUMBER) {
        return err_set(
            err, KEYSTAY_E_ANSWER_NO, "the token's %s is not a number, so it is no time (RFC 7519)", name);
    }
    *ret_time_s = member == NULL ? fallback : json_number(member);
    return KEYSTAY_OK;
}

static enum keystay_status wrong_time(
    const char *what, double time_s, int64_t now_s, struct keystay_error *err)
{
    static const double far = 1e12;
    const int64_t whole_s = time_s > far ? (int64_t)far : (time_s < -far ? (int64_t)-far : (int64_t)time_s);
    char time[CLOCK_TEXT_SIZE];
    char distance[CLOCK_DISTANCE_SIZE];

    clock_format_utc(whole_s, time);
    clock_format_distance(whole_s, now_s, distance);
    return err_set(err, KEYSTAY_E_ANSWER_NO, "the token %s: %s, %s", what, time, distance);
}

static enum keystay_status check_times(
    const struct json *claims, int64_t now_s, int64_t leeway_s, struct keystay_error *err)
{
    const double latest_s = (double)(now_s + leeway_s);
    const double earliest_s = (double)(now_s - leeway_s);
    double end_s = 0;
    double begin_s = 0;
    double made_s = 0;

    if (!json_has(claims, "exp")) {
        return err_set(err, KEYSTAY_E_ANSWER_NO, "the token does not say when it ends (exp)");
    }
    TRY(read_time(claims, "exp", 0, &end_s, err));
    TRY(read_time(claims, "nbf", earliest_s, &begin_s, err));
    TRY(read_time(claims, "iat", earliest_s, &made_s, err));
    /* RFC 7519 §4.1.4: the current date/time MUST be before the expiration date/time. */
    if (!(earliest_s < end_s)) {
        return wrong_time("has ended (exp)", end_s, now_s, err);
    }
    if (begin_s > latest_s) {
        (void)wrong_time("is not valid yet (nbf)", begin_s, now_s, err);
        return err_hint(err, KEYSTAY_E_ANSWER_NO, "is this machine's clock right?");
    }
    if (made_s > latest_s) {
        (void)wrong_time("was made in the future (iat)", made_s, now_s, err);
        return err_hint(err, KEYSTAY_E_ANSWER_NO, "is this machine's clock right?");
    }
    return KEYSTAY_OK;
}

enum keystay_status verify_claims(
    const struct jws *jws, const struct json *claims, const struct verify_rules *rules,
    struct keystay_error *err)
{
    char issuer[VERIFY_ISSUER_SIZE];

    if (rules->issuer != NULL) {
        TRY(verify_issuer(claims, rules->issuer, issuer, err));
    }
    TRY(check_audience(claims, rules->audience, err));
    TRY(check_typ(jws, rules->typ, err));
    return check_times(claims, rules->now_s, rules->leeway_s, err);
}
