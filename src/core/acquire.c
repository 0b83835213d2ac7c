/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token, from the nearest place that has a fresh one: memory, the disk, the server.
 *
 * The invariants. One signature and one POST for all who want the same token at once: threads by a flight,
 * processes by the lock of the key on the disk; whoever gets to the front looks once more whether it is still
 * needed. A token that lives is served when a new one cannot be had. What a challenge refused is not served.
 *
 * A process holds a key's lock while it opens the signer, signs and asks, so that the others sign nothing.
 * No lock may be held while a person is asked for a PIN: where that may happen the caller signs before
 * (acquire_sign_ahead), and two people at two terminals cost two signatures, but still one POST.
 */
#include "core/acquire.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "crypto/random.h"
#include "oauth/claims.h"

enum {
    YOUNG_S = 5,           /* a token that is no older does for whoever wants more of its life than is left */
    RENEW_RETRY_S = 60,    /* after a renewal that failed */
    RENEW_SPREAD = 5,      /* jitter: a fifth of what is left after the moment to renew */
    WARN_AGAIN_MS = 60000, /* a service that is asked often would say nothing else */
    LOCK_FIRST_MS = 5,     /* between looks whether another process is done */
    LOCK_LONGEST_MS = 100,
};

struct acquisition {
    struct keystay_client *client;
    struct exchange_request request;
    struct cache_key key;      /* owned; among the client's own tokens */
    struct cache_key disk_key; /* owned; among everybody's; empty until there is need for it */
    struct buf claims;         /* what request.claims points to */
    int64_t min_valid_s;
    bool is_new; /* what is kept does not do */
};

static void acquisition_clear(struct acquisition *acquisition)
{
    cache_key_clear(&acquisition->key);
    cache_key_clear(&acquisition->disk_key);
    buf_clear(&acquisition->claims);
}

/* Claims that every request of a profile has, in no other form: they are part of the key. */
static const char *claims_of(const struct keystay_profile *profile)
{
    return profile_switch(profile, SETTING_CAE) ? "{\"access_token\":{\"xms_cc\":{\"values\":[\"cp1\"]}}}"
                                                : NULL;
}

static enum keystay_status make_disk_key(
    const struct cache_key *base, const struct keystay_profile *profile, const char *scope,
    const char *resource, struct cache_key *ret_key, struct keystay_error *err)
{
    /* A token that was got with a key of which less was required does not do for who requires more. */
    const char *const parts[] = { "token",
                                  scope,
                                  resource,
                                  claims_of(profile),
                                  profile_text(profile, SETTING_REQUIRE),
                                  profile_text(profile, SETTING_ALLOW_EXTRACTABLE) };

    return cache_key_make(base, parts, ARRAY_LEN(parts), ret_key, err);
}

/*
 * It lives long enough. Of a token whose whole life is shorter than what is asked for, half of that is
 * enough: a new one would be no better. Nor would it where one has only just been got: whoever asks for
 * nearly all of a token's life does not have a new one with each call.
 */
static bool is_fresh(const struct keystay_token *token, int64_t min_valid_s, struct clock_moment now)
{
    int64_t life_s = token->expires_at_s - token->obtained_at_s;
    int64_t needed_s = life_s > min_valid_s ? min_valid_s : life_s / 2;
    int64_t left_s = token_left_s(token, now);
    bool is_young = token_age_s(token, now) <= YOUNG_S && left_s >= life_s / 2;

    return left_s > 0 && (left_s >= needed_s || is_young);
}

/*
 * From refresh_in or half of its life, and a bit later at random: clients that started together renew apart.
 * One that lives so shortly that it would not be fresh by then is renewed while it is.
 */
static int64_t renew_at_s(const struct keystay_token *token, int64_t min_valid_s)
{
    const int64_t half_s = (token->expires_at_s - token->obtained_at_s) / 2;
    const int64_t fresh_until_s = token->expires_at_s - (min_valid_s < half_s ? min_valid_s : half_s);
    int64_t from_s = token->refresh_at_s != 0 ? token->refresh_at_s : token->obtained_at_s + half_s;
    uint32_t random = 0;

    if (from_s >= fresh_until_s) {
        from_s = token->obtained_at_s + (fresh_until_s - token->obtained_at_s) * 3 / 4;
    }
    const int64_t spread_s = (fresh_until_s - from_s) / RENEW_SPREAD;

    if (random_bytes((uint8_t *)&random, sizeof(random), NULL) != KEYSTAY_OK) {
        return from_s;
    }
    return from_s + (int64_t)random % (spread_s + 1);
}

static void keep_in_memory(struct acquisition *acquisition, struct keystay_token *token)
{
    struct keystay_client *client = acquisition->client;

    /* Without memory for it the token is still good. */
    if (client->cache != NULL) {
        (void)cache_put(
            client->cache, &acquisition->key, token, renew_at_s(token, client->min_valid_s),
            client->clock.now_s(), NULL);
    }
}

/* The token in memory, if it is fresh. *ret_is_due as cache_find has it. */
static struct keystay_token *fresh_in_memory(struct acquisition *acquisition, bool *ret_is_due)
{
    struct keystay_client *client = acquisition->client;
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    const struct clock_moment now = client_moment(client);

    if (client->cache == NULL || acquisition->is_new) {
        return NULL;
    }
    token = cache_find(client->cache, &acquisition->key, now.now_s, RENEW_RETRY_S, ret_is_due);
    return token != NULL && is_fresh(token, acquisition->min_valid_s, now) ? take_ptr(&token) : NULL;
}

static struct keystay_token *fresh_on_disk(
    struct cache_disk *disk, const struct cache_key *key, int64_t min_valid_s, struct clock_moment now)
{
    CLEANUP(cache_record_clear) struct cache_record record = { 0 };

    if (!cache_disk_find(disk, key, now, &record) || record.token == NULL ||
        !is_fresh(record.token, min_valid_s, now)) {
        return NULL;
    }
    return take_ptr(&record.token);
}

static struct keystay_token *look_on_disk(struct acquisition *acquisition)
{
    struct keystay_client *client = acquisition->client;

    if (client->disk == NULL || acquisition->is_new) {
        return NULL;
    }
    return fresh_on_disk(
        client->disk, &acquisition->disk_key, acquisition->min_valid_s, client_moment(client));
}

/*
 * The lock of the key, or the token that its holder has got meanwhile. After the profile's timeout it goes on
 * without the lock: a holder who takes so long must not stop everybody.
 */
static struct keystay_token *lock_or_look(struct acquisition *acquisition, int *ret_lock_fd)
{
    struct keystay_client *client = acquisition->client;
    int64_t timeout_s = profile_number(client->profile, SETTING_TIMEOUT);
    int64_t deadline_ms = client->clock.now_ms() + timeout_s * 1000;
    int64_t pause_ms = LOCK_FIRST_MS;

    if (client->disk == NULL) {
        return NULL;
    }
    for (;;) {
        bool is_over = cache_disk_try_lock(client->disk, &acquisition->disk_key, ret_lock_fd);
        struct keystay_token *token = look_on_disk(acquisition);
        if (token != NULL || is_over) {
            return token;
        }
        if (client->clock.now_ms() >= deadline_ms) {
            log_warning(
                client->log,
                "another process has been getting this token for %" PRId64 " s: not waiting longer",
                timeout_s);
            return NULL;
        }
        client->clock.sleep_ms(pause_ms);
        pause_ms = pause_ms * 2 < LOCK_LONGEST_MS ? pause_ms * 2 : LOCK_LONGEST_MS;
    }
}

/* A flight_work: it is this thread's turn. */
static enum keystay_status obtain(void *context, struct keystay_token **ret_token, struct keystay_error *err)
{
    struct acquisition *acquisition = context;
    struct keystay_client *client = acquisition->client;
    CLEANUP(file_closep) int lock_fd = -1;

    /* Another flight may have landed between the look and this one. */
    struct keystay_token *token = fresh_in_memory(acquisition, NULL);
    if (token == NULL) {
        token = lock_or_look(acquisition, &lock_fd);
    }
    if (token == NULL) {
        TRY(exchange_token(client, &acquisition->request, &token, err));
        const struct cache_record record = { .token = token };
        if (client->disk != NULL && lock_fd >= 0) {
            cache_disk_put(client->disk, &acquisition->disk_key, &record);
        }
        keep_in_memory(acquisition, token);
    }
    *ret_token = token;
    return KEYSTAY_OK;
}

/* What is asked for with claims does not join the flight of those who have none. */
static enum keystay_status fly(
    struct acquisition *acquisition, struct keystay_token **ret_token, struct keystay_error *err)
{
    struct flights *flights = acquisition->client->flights;
    CLEANUP(cache_key_clear) struct cache_key key = { 0 };
    const char *const parts[] = { acquisition->claims.len > 0 ? acquisition->request.claims : NULL };

    TRY(cache_key_make(&acquisition->key, parts, ARRAY_LEN(parts), &key, err));
    return flight_run(flights, &key, obtain, acquisition, ret_token, err);
}

/* Signing or the network failed, not: the server said no. */
static bool is_away(enum keystay_status status)
{
    int exit_status = keystay_status_exit(status);

    return exit_status == keystay_status_exit(KEYSTAY_E_MODULE) ||
           exit_status == keystay_status_exit(KEYSTAY_E_NETWORK) ||
           exit_status == keystay_status_exit(KEYSTAY_E_PIN_INCORRECT);
}

/* A token that lives, however shortly. */
static struct keystay_token *find_living(struct acquisition *acquisition)
{
    struct acquisition any = *acquisition; /* a shallow copy: the original keeps what is owned */

    any.min_valid_s = 1;
    struct keystay_token *token = fresh_in_memory(&any, NULL);
    return token != NULL ? token : look_on_disk(&any);
}

static bool may_warn(struct keystay_client *client)
{
    const int64_t now_ms = client->clock.now_ms();
    int64_t before_ms = atomic_load(&client->warned_ms);

    return (before_ms == 0 || now_ms - before_ms >= WARN_AGAIN_MS) &&
           atomic_compare_exchange_strong(&client->warned_ms, &before_ms, now_ms);
}

static enum keystay_status serve_living(
    struct acquisition *acquisition, enum keystay_status status, const struct keystay_error *why,
    struct keystay_token **ret_token, struct keystay_error *err)
{
    struct keystay_token *token = is_away(status) ? find_living(acquisition) : NULL;

    if (token == NULL) {
        if (err != NULL) {
            *err = *why;
        }
        return status;
    }
    if (may_warn(acquisition->client)) {
        log_warning(
            acquisition->client->log, "no new token, so the one that ends in %" PRId64 " s is served: %s",
            token_left_s(token, client_moment(acquisition->client)), why->message);
    }
    *ret_token = token;
    return KEYSTAY_OK;
}

/* What is fresh but due is renewed by this call; if that fails, it is as good as before. */
static void renew(struct acquisition *acquisition, struct keystay_token **token)
{
    struct keystay_token *renewed = NULL;
    struct keystay_error why;
    struct acquisition again = *acquisition; /* a shallow copy */

    again.is_new = true;
    if (fly(&again, &renewed, &why) == KEYSTAY_OK) {
        token_freep(token);
        *token = renewed;
    } else {
        log_warning(
            acquisition->client->log, "the token could not be renewed ahead of its end: %s", why.message);
    }
}

/* With claims, what is kept was refused: a new one takes its place. */
static enum keystay_status take_claims(
    struct acquisition *acquisition, const struct keystay_request *request, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf asked = BUF(CLAIMS_MAX);

    if (request->claims != NULL && request->claims_challenge != NULL) {
        return err_set(err, KEYSTAY_E_USAGE, "claims and a claims challenge are both given");
    }
    acquisition->claims = BUF(CLAIMS_SENT_MAX);
    if (request->claims_challenge != NULL) {
        TRY(claims_of_challenge(slice_of_str(request->claims_challenge), &asked, err));
    }
    TRY(claims_add_capability(
        request->claims == NULL ? buf_slice(&asked) : slice_of_str(request->claims), &acquisition->claims,
        err));
    acquisition->request.claims = buf_str(&acquisition->claims);
    return KEYSTAY_OK;
}

/* What a look into the memory needs; it is all that most calls need. */
static enum keystay_status begin(
    struct keystay_client *client, const struct keystay_request *request, struct acquisition *ret_acquisition,
    struct keystay_error *err)
{
    bool has_target = request != NULL && (request->scope != NULL || request->resource != NULL);
    const char *const target[] = {
        has_target ? request->scope : profile_text(client->profile, SETTING_SCOPE),
        has_target ? request->resource : profile_text(client->profile, SETTING_RESOURCE),
    };

    ret_acquisition->client = client;
    ret_acquisition->request.wanted.scope = target[0];
    ret_acquisition->request.wanted.resource = target[1];
    ret_acquisition->min_valid_s =
        request != NULL && request->min_valid_s != 0 ? request->min_valid_s : client->min_valid_s;
    ret_acquisition->is_new =
        request != NULL && (request->claims != NULL || request->claims_challenge != NULL);
    return cache_key_make(NULL, target, ARRAY_LEN(target), &ret_acquisition->key, err);
}

/* What getting a token needs. */
static enum keystay_status complete(
    struct acquisition *acquisition, const struct signer_source *source,
    const struct keystay_request *request, struct keystay_error *err)
{
    const struct keystay_client *client = acquisition->client;
    struct provider_request wanted = client_request(client);

    wanted.scope = acquisition->request.wanted.scope;
    wanted.resource = acquisition->request.wanted.resource;
    if (wanted.scope == NULL && wanted.resource == NULL) {
        TRY(client_check_target(client, err)); /* some servers know by themselves */
    }
    acquisition->request =
        (struct exchange_request){ .source = source, .wanted = wanted, .claims = claims_of(client->profile) };
    TRY(make_disk_key(
        &client->key, client->profile, wanted.scope, wanted.resource, &acquisition->disk_key, err));
    return acquisition->is_new ? take_claims(acquisition, request, err) : KEYSTAY_OK;
}

/* It is not in memory. */
static enum keystay_status get(
    struct acquisition *acquisition, struct keystay_token **ret_token, struct keystay_error *err)
{
    struct keystay_token *token = look_on_disk(acquisition);
    struct keystay_error why = { 0 };

    if (token != NULL) {
        keep_in_memory(acquisition, token);
        *ret_token = token;
        return KEYSTAY_OK;
    }
    enum keystay_status status = fly(acquisition, ret_token, &why);
    return status == KEYSTAY_OK ? status : serve_living(acquisition, status, &why, ret_token, err);
}

enum keystay_status acquire_token(
    struct keystay_client *client, const struct signer_source *source, const struct keystay_request *request,
    struct keystay_token **ret_token, struct keystay_error *err)
{
    CLEANUP(acquisition_clear) struct acquisition acquisition = { 0 };
    bool is_due = false;

    TRY(begin(client, request, &acquisition, err));
    struct keystay_token *token = fresh_in_memory(&acquisition, &is_due);
    if (token == NULL) {
        TRY(complete(&acquisition, source, request, err));
        return get(&acquisition, ret_token, err);
    }
    if (is_due && complete(&acquisition, source, request, NULL) == KEYSTAY_OK) {
        renew(&acquisition, &token);
    }
    *ret_token = token;
    return KEYSTAY_OK;
}

enum keystay_status acquire_sign_ahead(
    struct keystay_client *client, const struct signer_source *source, const struct keystay_request *request,
    struct keystay_error *err)
{
    CLEANUP(acquisition_clear) struct acquisition acquisition = { 0 };

    TRY(begin(client, request, &acquisition, err));
    TRY(complete(&acquisition, source, request, err));
    return exchange_sign_ahead(client, &acquisition.request, err);
}

enum keystay_status acquire_peek(
    const struct keystay_profile *profile, struct cache_disk *disk, struct clock_moment now,
    struct keystay_token **ret_token, struct keystay_error *err)
{
    CLEANUP(cache_key_clear) struct cache_key base = { 0 };
    CLEANUP(cache_key_clear) struct cache_key key = { 0 };

    TRY(cache_key_of_profile(profile, &base, err));
    TRY(make_disk_key(
        &base, profile, profile_text(profile, SETTING_SCOPE), profile_text(profile, SETTING_RESOURCE), &key,
        err));
    *ret_token = fresh_on_disk(disk, &key, profile_number(profile, SETTING_MIN_VALID), now);
    return KEYSTAY_OK;
}

struct keystay_token *acquire_held(struct keystay_client *client, const struct keystay_request *request)
{
    CLEANUP(acquisition_clear) struct acquisition acquisition = { 0 };

    return begin(client, request, &acquisition, NULL) == KEYSTAY_OK ? fresh_in_memory(&acquisition, NULL)
                                                                    : NULL;
}

void acquire_note_use(struct keystay_client *client, const struct keystay_request *request)
{
    CLEANUP(acquisition_clear) struct acquisition acquisition = { 0 };

    if (client->cache != NULL && begin(client, request, &acquisition, NULL) == KEYSTAY_OK) {
        cache_note_use(client->cache, &acquisition.key);
    }
}

enum keystay_status acquire_renew(
    struct keystay_client *client, const struct signer_source *source, const struct keystay_request *request,
    struct keystay_token **ret_token, struct keystay_error *err)
{
    CLEANUP(acquisition_clear) struct acquisition acquisition = { 0 };

    TRY(begin(client, request, &acquisition, err));
    TRY(complete(&acquisition, source, request, err));
    acquisition.is_new = true;
    return fly(&acquisition, ret_token, err);
}
