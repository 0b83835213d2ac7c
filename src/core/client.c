/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public face: what a client is made of, and the one thing that it signs. Nothing is signed before the
 * settings are known to be good.
 */
#include "core/client.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "core/acquire.h"
#include "crypto/random.h"
#include "http/curl.h"
#include "jose/assertion.h"
#include "signer/set.h"

static void sleep_ms(int64_t ms)
{
    struct timespec left = { ms / 1000, (long)(ms % 1000) * 1000000 };

    while (nanosleep(&left, &left) != 0) { /* a signal: sleep on */
    }
}

const struct client_clock client_system_clock = { clock_now_s, clock_monotonic_ms, sleep_ms, clock_lead_s };

struct clock_moment client_moment(const struct keystay_client *client)
{
    return (struct clock_moment){ client->clock.now_s(), client->clock.lead_s() };
}

void keystay_client_free(struct keystay_client *client)
{
    if (client != NULL) {
        http_transport_freep(&client->transport);
        cache_key_clear(&client->key);
        cache_freep(&client->cache);
        cache_disk_freep(&client->disk);
        flights_freep(&client->flights);
        throttle_clear(&client->throttle);
        token_freep(&client->held.token);
        (void)pthread_mutex_destroy(&client->held.lock);
        (void)pthread_mutex_destroy(&client->discovered.lock);
        free(client);
    }
}

void client_freep(struct keystay_client **client)
{
    keystay_client_free(*client);
    *client = NULL;
}

void client_drop_assertion(struct keystay_client *client)
{
    (void)pthread_mutex_lock(&client->held.lock);
    token_freep(&client->held.token);
    (void)pthread_mutex_unlock(&client->held.lock);
}

void client_forget(struct keystay_client *client)
{
    if (client->cache != NULL) {
        cache_clear(client->cache);
    }
    client_drop_assertion(client);
}

void client_forgive(struct keystay_client *client)
{
    flights_forgive(client->flights);
}

size_t client_count_tokens(const struct keystay_client *client)
{
    return client->cache == NULL ? 0 : cache_count(client->cache);
}

/* What the keys of tokens in memory begin with: acquire.c. */
enum { PART_SCOPE, PART_RESOURCE };

struct walk {
    token_viewer view;
    void *context;
    struct clock_moment now;
};

static void view_one(void *context, const struct cache_key *key, const struct keystay_token *token)
{
    const struct walk *walk = context;
    const struct slice scope = cache_key_part(key, PART_SCOPE);

    walk->view(
        walk->context, scope.data != NULL ? scope : cache_key_part(key, PART_RESOURCE),
        walk->now.now_s + token_left_s(token, walk->now));
}

void client_walk_tokens(const struct keystay_client *client, token_viewer view, void *context)
{
    struct walk walk = { view, context, client_moment(client) };

    if (client->cache != NULL) {
        cache_walk(client->cache, view_one, &walk);
    }
}

/* NULL where it is absent. Owned. */
static char *copy_part(const struct cache_key *key, size_t i)
{
    const struct slice part = cache_key_part(key, i);

    return part.data == NULL ? NULL : strndup((const char *)part.data, part.len);
}

static void show_due(const struct cache_key *key, due_viewer view, void *context)
{
    char *scope = copy_part(key, PART_SCOPE);
    char *resource = copy_part(key, PART_RESOURCE);

    view(context, scope, resource);
    free(scope);
    free(resource);
}

void client_take_due(struct keystay_client *client, size_t max, due_viewer view, void *context)
{
    const struct clock_moment now = client_moment(client);
    struct cache_key keys[CLIENT_DUE_MAX];

    if (client->cache == NULL || throttle_until_s(&client->throttle, now) > now.now_s) {
        return;
    }
    const size_t n = cache_take_due(client->cache, now, keys, max < CLIENT_DUE_MAX ? max : CLIENT_DUE_MAX);
    for (size_t i = 0; i < n; i++) {
        show_due(&keys[i], view, context);
        cache_key_clear(&keys[i]);
    }
}

const char *client_token_endpoint(const struct keystay_client *client)
{
    return client->plan.needs_discovery ? client->discovered.plan.token_endpoint
                                        : client->plan.token_endpoint;
}

static int thumbprints_of(const char *name)
{
    return str_equal(name, "sha256") ? THUMBPRINT_SHA256
           : str_equal(name, "sha1") ? THUMBPRINT_SHA1
           : str_equal(name, "both") ? THUMBPRINT_BOTH
                                     : 0;
}

/* 0 where the profile leaves it to the provider. */
static int64_t lifetime_of(const struct keystay_profile *profile)
{
    return profile_text(profile, SETTING_LIFETIME) == NULL ? 0 : profile_number(profile, SETTING_LIFETIME);
}

/* What stands in [defaults] for the provider that is used most is not meant for a profile of another one,
 * which has no way to take it back. What was said beside the provider itself, or after it, is. */
static const char *text_for_provider(const struct keystay_profile *profile, enum setting_id id)
{
    const char *text = profile_text(profile, id);

    if (text == NULL || provider_takes(profile_text(profile, SETTING_PROVIDER), setting_rows[id].name)) {
        return text;
    }
    return profile_source(profile, id, 0).origin < profile_source(profile, SETTING_PROVIDER, 0).origin ? NULL
                                                                                                       : text;
}

static struct provider_request request_of(const struct keystay_profile *profile)
{
    const struct alg *alg = alg_by_name(profile_text(profile, SETTING_ALG));

    return (struct provider_request){
        .provider = profile_text(profile, SETTING_PROVIDER),
        .authority = text_for_provider(profile, SETTING_AUTHORITY),
        .tenant = text_for_provider(profile, SETTING_TENANT),
        .issuer = text_for_provider(profile, SETTING_ISSUER),
        .token_endpoint = profile_text(profile, SETTING_TOKEN_ENDPOINT),
        .client_id = profile_text(profile, SETTING_CLIENT_ID),
        .subject = text_for_provider(profile, SETTING_SUBJECT),
        .scope = profile_text(profile, SETTING_SCOPE),
        .resource = text_for_provider(profile, SETTING_RESOURCE),
        .grant = text_for_provider(profile, SETTING_GRANT),
        .audience = profile_text(profile, SETTING_AUDIENCE),
        .kid = profile_text(profile, SETTING_KID),
        .typ = profile_text(profile, SETTING_TYP),
        .x5c = profile_switch(profile, SETTING_X5C),
        .alg = alg == NULL ? KEYSTAY_ALG_AUTO : alg->id,
        .thumbprints = thumbprints_of(profile_text(profile, SETTING_THUMBPRINT)),
        .lifetime_s = lifetime_of(profile),
        .backdate_s = profile_number(profile, SETTING_BACKDATE),
        .allow_http_loopback = profile_switch(profile, SETTING_ALLOW_HTTP_LOOPBACK),
    };
}

struct provider_request client_request(const struct keystay_client *client)
{
    return request_of(client->profile);
}

/* What a client has of its own. */
static enum keystay_status fill(struct keystay_client *client, struct keystay_error *err)
{
    client->min_valid_s = profile_number(client->profile, SETTING_MIN_VALID);
    TRY(cache_key_of_profile(client->profile, &client->key, err));
    TRY(flights_new(client->clock.now_ms, &client->flights, err));
    return str_equal(profile_text(client->profile, SETTING_CACHE), "none") ? KEYSTAY_OK
                                                                           : cache_new(&client->cache, err);
}

enum keystay_status client_new_with(
    const struct keystay_profile *profile, const struct keystay_log *log, struct http_transport *transport,
    const struct client_clock *clock, struct keystay_client **ret_client, struct keystay_error *err)
{
    CLEANUP(http_transport_freep) struct http_transport *taken = transport;
    CLEANUP(client_freep) struct keystay_client *client = NULL;
    const struct provider_request request = request_of(profile);
    struct provider_plan plan;

    TRY(provider_make_plan(&request, &plan, err));
    client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return err_no_memory(err);
    }
    *client = (struct keystay_client){
        .profile = profile, .log = log, .transport = take_ptr(&taken), .clock = *clock, .plan = plan
    };
    throttle_init(&client->throttle);
    (void)pthread_mutex_init(&client->held.lock, NULL);
    (void)pthread_mutex_init(&client->discovered.lock, NULL);
    TRY(fill(client, err));
    *ret_client = take_ptr(&client);
    return KEYSTAY_OK;
}

enum keystay_status keystay_client_new(
    const struct keystay_profile *profile, const struct keystay_log *log, struct keystay_client **ret_client,
    struct keystay_error *err)
{
    struct http_transport *transport = NULL;
    const struct http_curl_config config = {
        .cacert = profile_text(profile, SETTING_CACERT),
        .timeout_ms = (int64_t)profile_number(profile, SETTING_TIMEOUT) * 1000,
        .user_agent = "keystay/" KEYSTAY_VERSION,
        .allow_http_loopback = profile_switch(profile, SETTING_ALLOW_HTTP_LOOPBACK),
    };

    TRY(http_curl_new(&config, &transport, err));
    return client_new_with(profile, log, transport, &client_system_clock, ret_client, err);
}

enum keystay_status client_wrap_transport(
    struct keystay_client *client, client_wrapper wrap, void *context, struct keystay_error *err)
{
    return wrap(take_ptr(&client->transport), context, &client->transport, err);
}

void client_use_disk(struct keystay_client *client, struct cache_disk *disk)
{
    cache_disk_freep(&client->disk);
    client->disk = disk;
}

enum keystay_status client_complete_plan(
    struct keystay_client *client, const struct provider_request *request, int64_t timeout_ms,
    struct http_response *ret_response, struct provider_plan *plan, struct keystay_error *err)
{
    if (!plan->needs_discovery) {
        return KEYSTAY_OK;
    }
    (void)pthread_mutex_lock(&client->discovered.lock);
    struct provider_plan *discovered = &client->discovered.plan;
    if (discovered->row == NULL) {
        *discovered = *plan;
    }
    enum keystay_status status =
        provider_discover(discovered, request, client->transport, timeout_ms, client->log, ret_response, err);
    if (status == KEYSTAY_OK) {
        *plan = *discovered;
    }
    (void)pthread_mutex_unlock(&client->discovered.lock);
    return status;
}

/* One assertion, made with whichever key works. */
struct assertion_work {
    const struct keystay_log *log;
    const struct provider_request *request;
    const struct provider_plan *plan;
    int64_t now_s; /* by the server's clock, as far as that is known */
    struct secret *assertion;
};

/* A signer_work. */
static enum keystay_status sign_with_one(
    struct keystay_signer *signer, void *context, struct keystay_error *err)
{
    const struct assertion_work *work = context;
    const struct provider_request *request = work->request;
    char jti[RANDOM_UUID_SIZE];
    struct assertion assertion;

    TRY(random_uuid(jti, err));
    TRY(provider_assertion(work->plan, request, signer->algs, work->now_s, jti, &assertion, err));
    TRY(assertion_sign(&assertion, signer, work->assertion, err));
    log_step(
        work->log, "assertion for '%s', %s, ends in %lld s", assertion.audience,
        alg_by_id(assertion.alg)->name, (long long)assertion.lifetime_s);
    return KEYSTAY_OK;
}

enum keystay_status client_sign(
    struct keystay_client *client, const struct provider_request *request, const struct provider_plan *plan,
    struct keystay_signer *signer, struct keystay_token **ret_assertion, struct keystay_error *err)
{
    CLEANUP(token_freep) struct keystay_token *assertion = NULL;

    TRY(token_new(&assertion, err));
    assertion->obtained_at_s = client->clock.now_s();
    assertion->lead_s = client->clock.lead_s();
    struct assertion_work work = {
        .log = client->log,
        .request = request,
        .plan = plan,
        .now_s = assertion->obtained_at_s + atomic_load(&client->clock_offset_s),
        .assertion = &assertion->value,
    };
    assertion->expires_at_s = assertion->obtained_at_s + plan->lifetime_s;
    TRY(signer_with(signer, sign_with_one, &work, err));
    *ret_assertion = take_ptr(&assertion);
    return KEYSTAY_OK;
}

enum keystay_status client_assertion(
    struct keystay_client *client, struct keystay_signer *signer, int64_t lifetime_s,
    struct keystay_token **ret_assertion, struct keystay_error *err)
{
    const struct provider_request request = request_of(client->profile);

    CLEANUP(http_response_clear) struct http_response response = { 0 };
    struct provider_plan plan = client->plan;

    TRY(client_complete_plan(client, &request, 0, &response, &plan, err));
    provider_set_lifetime(&plan, &request, lifetime_s);
    return client_sign(client, &request, &plan, signer, ret_assertion, err);
}

enum keystay_status keystay_client_assertion(
    struct keystay_client *client, struct keystay_signer *signer, struct keystay_token **ret_assertion,
    struct keystay_error *err)
{
    return client_assertion(client, signer, 0, ret_assertion, err);
}

enum keystay_status client_check_target(const struct keystay_client *client, struct keystay_error *err)
{
    const struct provider_request request = request_of(client->profile);

    return provider_check_target(&client->plan, &request, err);
}

/* A signer_source's get: there is one already. */
static enum keystay_status get_given(
    void *context, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    (void)err;
    *ret_signer = context;
    return KEYSTAY_OK;
}

enum keystay_status keystay_client_acquire(
    struct keystay_client *client, struct keystay_signer *signer, struct keystay_token **ret_token,
    struct keystay_error *err)
{
    return keystay_client_acquire_for(client, signer, NULL, ret_token, err);
}

enum keystay_status keystay_client_acquire_for(
    struct keystay_client *client, struct keystay_signer *signer, const struct keystay_request *request,
    struct keystay_token **ret_token, struct keystay_error *err)
{
    const struct signer_source source = { get_given, signer };

    return acquire_token(client, &source, request, ret_token, err);
}
