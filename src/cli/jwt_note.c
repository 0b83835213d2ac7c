/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/jwt_note.h"

#include <math.h>

#include "base/str.h"

bool jwt_time_of(const struct json *member, int64_t *ret_time_s)
{
    static const double far_s = 1e12; /* some thirty thousand years: beyond it the words make no sense */

    if (member == NULL || json_type(member) != JSON_NUMBER || fabs(json_number(member)) > far_s) {
        return false;
    }
    *ret_time_s = (int64_t)floor(json_number(member));
    return true;
}

/* A token, as the notes look at it. */
struct view {
    const struct jws *jws;
    const struct json *claims;
    int64_t now_s;
};

static bool claim_is(const struct view *view, const char *name, const char *value)
{
    const char *text = json_str_or_null(view->claims, name);

    return text != NULL && str_equal(text, value);
}

static bool has_ended(const struct view *view)
{
    int64_t end_s = 0;

    return jwt_time_of(json_member(view->claims, "exp"), &end_s) && end_s <= view->now_s;
}

static bool never_ends(const struct view *view)
{
    return !json_has(view->claims, "exp");
}

static bool has_not_begun(const struct view *view)
{
    int64_t begin_s = 0;

    return jwt_time_of(json_member(view->claims, "nbf"), &begin_s) && begin_s > view->now_s;
}

static bool has_shared_secret(const struct view *view)
{
    return str_has_prefix(view->jws->alg, "HS");
}

static bool has_nonce(const struct view *view)
{
    return json_has(view->jws->header, "nonce");
}

static bool is_for_graph(const struct view *view)
{
    static const char *const names[] = {
        "00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com",
        "https://graph.microsoft.com/",         "https://graph.microsoft.us",
        "https://dod-graph.microsoft.us",       "https://microsoftgraph.chinacloudapi.cn",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (claim_is(view, "aud", names[i])) {
            return true;
        }
    }
    return false;
}

static bool cannot_be_verified(const struct view *view)
{
    return has_nonce(view) || is_for_graph(view);
}

/* "ver" is Entra's own claim, beside its own "tid". */
static bool is_v1(const struct view *view)
{
    return claim_is(view, "ver", "1.0") && json_has(view->claims, "tid");
}

static bool used_secret(const struct view *view)
{
    return claim_is(view, "azpacr", "1") || claim_is(view, "appidacr", "1");
}

/* RFC 7523 §3: iss and sub are both the client. */
static bool is_assertion(const struct view *view)
{
    const char *issuer = json_str_or_null(view->claims, "iss");

    return issuer != NULL && claim_is(view, "sub", issuer) && json_has(view->claims, "aud");
}

static bool has_text_times(const struct view *view)
{
    static const char *const names[] = { "exp", "nbf", "iat" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (json_str_or_null(view->claims, names[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static const struct {
    bool (*applies)(const struct view *view);
    const char *text;
} rows[] = {
    { has_ended, "it has ended" },
    { has_not_begun, "it is not valid yet" },
    { never_ends, "it does not say when it ends; keystay jwt verify refuses that" },
    { has_text_times, "its times are texts; RFC 7519 wants numbers, and keystay jwt verify too" },
    { has_shared_secret,
      "whoever can verify it can make such tokens: it is signed with a shared secret, not with a key pair" },
    { cannot_be_verified,
      "a token of Microsoft Graph (by aud, or by the nonce in its header): nobody but Graph can verify it, and its "
      "form may change any day" },
    { is_v1,
      "a v1.0 token of Entra ID: its issuer is https://sts.windows.net/TENANT/ (in China sts.chinacloudapi.cn), "
      "whichever endpoint it was asked from; the resource decides (requestedAccessTokenVersion)" },
    { used_secret, "the client that got it used a secret, not a key on a token" },
    { is_assertion,
      "it has the form of a client assertion: until it ends, whoever has it can get tokens as this client" },
};

size_t jwt_notes(
    const struct jws *jws, const struct json *claims, int64_t now_s, const char *ret_notes[JWT_NOTES_MAX])
{
    const struct view view = { jws, claims, now_s };
    size_t n = 0;

    _Static_assert(ARRAY_LEN(rows) <= JWT_NOTES_MAX, "each note has its place");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].applies(&view)) {
            ret_notes[n++] = rows[i].text;
        }
    }
    return n;
}
