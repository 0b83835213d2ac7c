/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/policy.h"

#include <string.h>

#include "agent/grant.h"
#include "base/str.h"

static const char *const texts[POLICY_VERDICTS] = {
    [POLICY_NOT_GRANTED] = "no grant for this user",
    [POLICY_STRANGER] = "the system does not know who this is",
    [POLICY_MALFORMED] = "the scope is malformed",
    [POLICY_WRONG_LISTENER] = "only on the Unix socket",
    [POLICY_SEVERAL_PROFILES] = "more than one profile is granted to this user, and none was named",
    [POLICY_WRONG_UNIT] = "the grant is for another unit",
    [POLICY_NO_ASSERTION] = "the grant is not for assertions",
    [POLICY_WRONG_SCOPE] = "the grant is not for this scope",
    [POLICY_ALLOWED] = "allowed",
};

const char *policy_verdict_text(enum policy_verdict verdict)
{
    return verdict >= 0 && verdict < POLICY_VERDICTS ? texts[verdict] : texts[POLICY_NOT_GRANTED];
}

/* The resource of a scope R/.default; anything else as it is. */
static struct slice resource_of(struct slice scope)
{
    static const char suffix[] = "/.default";
    const size_t len = sizeof(suffix) - 1;

    if (scope.len > len && memcmp(scope.data + scope.len - len, suffix, len) == 0) {
        scope.len -= len;
    }
    return scope;
}

bool policy_is_same_scope(struct slice a, struct slice b)
{
    return slice_equal(resource_of(a), resource_of(b));
}

/* RFC 6749 §3.3: scopes are separated by single spaces. Here any number of them, also at the ends. */
static bool next_word(struct slice *text, struct slice *ret_word)
{
    while (text->len > 0 && text->data[0] == ' ') {
        *text = (struct slice){ text->data + 1, text->len - 1 };
    }
    const uint8_t *end = text->len == 0 ? NULL : memchr(text->data, ' ', text->len);
    const size_t len = end == NULL ? text->len : (size_t)(end - text->data);

    *ret_word = (struct slice){ text->data, len };
    *text = (struct slice){ text->data + len, text->len - len };
    return len > 0;
}

static bool is_well_formed(const char *scope)
{
    struct slice text = slice_of_str(scope);
    struct slice word;
    bool is_good = true;
    size_t n = 0;

    for (; next_word(&text, &word); n++) {
        is_good = is_good && str_is_visible_ascii(word);
    }
    return is_good && n > 0;
}

static bool is_among(struct slice wanted, const char *scopes)
{
    struct slice text = slice_of_str(scopes);
    struct slice word;

    while (next_word(&text, &word)) {
        if (policy_is_same_scope(wanted, word)) {
            return true;
        }
    }
    return false;
}

static bool has_word(const struct grant *grant, const struct policy_request *request, struct slice word)
{
    if (request->own_scope != NULL && is_among(word, request->own_scope)) {
        return true;
    }
    for (size_t i = 0; i < grant->scopes.n; i++) {
        if (policy_is_same_scope(word, slice_of_str(grant->scopes.items[i]))) {
            return true;
        }
    }
    return false;
}

/* Each of several scopes must be one that is granted. */
static bool has_scope(const struct grant *grant, const struct policy_request *request)
{
    if (request->scope == NULL || grant->any_scope) {
        return true;
    }
    struct slice text = slice_of_str(request->scope);
    struct slice word;
    while (next_word(&text, &word)) {
        if (!has_word(grant, request, word)) {
            return false;
        }
    }
    return true;
}

/* Such a peer is not made; and if one were, it would be let nowhere. */
static bool is_stranger(const struct agent_config *config, const struct peer *peer)
{
    return peer->uid == config->nobody || peer->uid == (uid_t)-1;
}

static bool has_id(const struct id_list *list, uint32_t id)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->items[i] == id) {
            return true;
        }
    }
    return false;
}

static bool has_group(const struct agent_config *config, const struct grant *grant, const struct peer *peer)
{
    for (size_t i = 0; i < grant->groups.n; i++) {
        const gid_t gid = (gid_t)grant->groups.items[i];

        if (gid != config->nogroup && peer_has_group(peer, gid)) {
            return true;
        }
    }
    return false;
}

static bool names(const struct agent_config *config, const struct grant *grant, const struct peer *peer)
{
    return has_id(&grant->users, peer->uid) || has_group(config, grant, peer);
}

/* POLICY_ALLOWED: as far as the caller is concerned. */
static enum policy_verdict for_whom(
    const struct agent_config *config, const struct grant *grant, const struct peer *peer)
{
    if (!names(config, grant, peer)) {
        return POLICY_NOT_GRANTED;
    }
    if (grant->units.n > 0 && !(peer->unit[0] != '\0' && text_list_has(&grant->units, peer->unit))) {
        return POLICY_WRONG_UNIT;
    }
    return POLICY_ALLOWED;
}

static enum policy_verdict by_grant(
    const struct agent_config *config, const struct grant *grant, const struct peer *peer,
    const struct policy_request *request)
{
    if (!str_equal(grant->profile, request->profile)) {
        return POLICY_NOT_GRANTED;
    }
    const enum policy_verdict verdict = for_whom(config, grant, peer);
    if (verdict != POLICY_ALLOWED) {
        return verdict;
    }
    if (request->right == POLICY_ASSERTION) {
        return grant->assertion ? POLICY_ALLOWED : POLICY_NO_ASSERTION;
    }
    return has_scope(grant, request) ? POLICY_ALLOWED : POLICY_WRONG_SCOPE;
}

/* Those that a request goes by. */
static const struct grant *grants_of(
    const struct agent_config *config, const struct policy_request *request, size_t *ret_n)
{
    *ret_n = request->grant == NULL ? config->n_grants : 1;
    return request->grant == NULL ? config->grants : request->grant;
}

static enum policy_verdict by_grants(
    const struct agent_config *config, const struct peer *peer, const struct policy_request *request,
    const struct grant **ret_grant)
{
    size_t n = 0;
    const struct grant *grants = grants_of(config, request, &n);
    enum policy_verdict nearest = POLICY_NOT_GRANTED;

    for (size_t i = 0; i < n && nearest != POLICY_ALLOWED; i++) {
        const enum policy_verdict verdict = by_grant(config, &grants[i], peer, request);

        nearest = verdict > nearest ? verdict : nearest;
        if (verdict == POLICY_ALLOWED) {
            *ret_grant = &grants[i];
        }
    }
    return nearest;
}

bool policy_wants_unit(
    const struct agent_config *config, const struct peer *peer, const struct policy_request *request)
{
    size_t n = 0;
    const struct grant *grants = grants_of(config, request, &n);
    bool is_wanted = false;

    for (size_t i = 0; i < n; i++) {
        const bool is_asked_for = request->profile == NULL || str_equal(request->profile, grants[i].profile);

        is_wanted = is_wanted || (is_asked_for && grants[i].units.n > 0 && names(config, &grants[i], peer));
    }
    return is_wanted && peer->unit[0] == '\0' && !is_stranger(config, peer);
}

/* What is no profile's. */
static enum policy_verdict of_the_agent(
    const struct agent_config *config, const struct peer *peer, enum policy_right right)
{
    const bool is_named = right == POLICY_METRICS && has_id(&config->metrics_users, peer->uid);

    return peer->uid == config->owner || peer->uid == 0 || is_named ? POLICY_ALLOWED : POLICY_NOT_GRANTED;
}

enum policy_verdict policy_decide(
    const struct agent_config *config, const struct peer *peer, const struct policy_request *request,
    const struct grant **ret_grant)
{
    const enum policy_right right = request->right;
    const struct grant *grant = NULL;
    enum policy_verdict verdict = POLICY_NOT_GRANTED;

    if (is_stranger(config, peer)) {
        return POLICY_STRANGER;
    }
    if (peer->kind != PEER_UNIX && (right == POLICY_ASSERTION || right == POLICY_CONTROL)) {
        return POLICY_WRONG_LISTENER;
    }
    if (right == POLICY_CONTROL || right == POLICY_METRICS) {
        verdict = of_the_agent(config, peer, right);
    } else if (request->profile == NULL || (request->scope != NULL && !is_well_formed(request->scope))) {
        verdict = POLICY_MALFORMED;
    } else if (right == POLICY_TOKEN && peer->uid == config->owner) {
        verdict = POLICY_ALLOWED;
    } else {
        verdict = by_grants(config, peer, request, &grant);
    }
    if (verdict == POLICY_ALLOWED && ret_grant != NULL) {
        *ret_grant = grant;
    }
    return verdict;
}

bool policy_knows(const struct agent_config *config, const struct peer *peer)
{
    bool is_known = of_the_agent(config, peer, POLICY_METRICS) == POLICY_ALLOWED;

    for (size_t i = 0; i < config->n_grants && !is_known; i++) {
        is_known = names(config, &config->grants[i], peer);
    }
    return is_known && !is_stranger(config, peer);
}

enum policy_verdict policy_single_profile(
    const struct agent_config *config, const struct peer *peer, const char **ret_profile)
{
    const char *single = NULL;

    if (is_stranger(config, peer)) {
        return POLICY_STRANGER;
    }
    if (peer->uid == config->owner) {
        if (config->profiles.n != 1) {
            return config->profiles.n == 0 ? POLICY_NOT_GRANTED : POLICY_SEVERAL_PROFILES;
        }
        *ret_profile = config->profiles.items[0];
        return POLICY_ALLOWED;
    }
    for (size_t i = 0; i < config->n_grants; i++) {
        const struct grant *grant = &config->grants[i];

        if (for_whom(config, grant, peer) != POLICY_ALLOWED) {
            continue;
        }
        if (single != NULL && !str_equal(single, grant->profile)) {
            return POLICY_SEVERAL_PROFILES;
        }
        single = grant->profile;
    }
    if (single == NULL) {
        return POLICY_NOT_GRANTED;
    }
    *ret_profile = single;
    return POLICY_ALLOWED;
}
