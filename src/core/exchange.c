/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes wrong falls into a few kinds, and each has one answer: what passes is tried again after a pause
 * that is random; a server that wants to be left alone is left alone; an assertion that was refused while the
 * server's clock shows another time is signed once more with that time, and one that had been sent before is
 * signed anew; everything else is final. Nothing is sent that was not signed for that very server.
 */
#include "core/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "core/retry.h"
#include "crypto/random.h"
#include "http/date.h"
#include "oauth/entra_advice.h"
#include "oauth/token_request.h"
#include "oauth/token_response.h"

enum {
    HELD_MARGIN_S = 60, /* an assertion is on its way for a while, and the server's clock may be ahead */
    SKEW_LEAST_S = 60,
    SKEW_MOST_S = 3600,
    WAIT_WORTH_SAYING_MS = 1000,
};

/* One exchange under way. */
struct exchange {
    struct keystay_client *client;
    const struct exchange_request *request;
    struct provider_plan plan;
    int64_t deadline_ms; /* for the network and the pauses */
    unsigned int n_failed;
    bool was_sent;      /* the last attempt got as far as the server, or tried to */
    bool was_reused;    /* its assertion had been sent before */
    bool has_renewed;   /* an assertion that was refused when it was sent again has been signed anew */
    bool has_corrected; /* it has signed with the server's time already */
    char request_id[RANDOM_UUID_SIZE];
};

static int64_t left_ms(const struct exchange *exchange)
{
    return exchange->deadline_ms - exchange->client->clock.now_ms();
}

/* What the throttle is kept under on the disk. */
static enum keystay_status throttle_key(const struct keystay_client *client, struct cache_key *ret_key)
{
    static const char *const parts[] = { "throttle" };

    return cache_key_make(&client->key, parts, ARRAY_LEN(parts), ret_key, NULL);
}

/* Until when this process or another was asked to wait, or 0. */
static int64_t asked_until_s(struct keystay_client *client)
{
    CLEANUP(cache_key_clear) struct cache_key key = { 0 };
    CLEANUP(cache_record_clear) struct cache_record record = { 0 };
    const struct clock_moment now = client_moment(client);

    if (client->disk != NULL && throttle_key(client, &key) == KEYSTAY_OK &&
        cache_disk_find(client->disk, &key, now, &record) && record.token == NULL) {
        throttle_note(&client->throttle, record.wait_until_s, record.lead_s);
    }
    return throttle_until_s(&client->throttle, now);
}

static void note_wait(struct keystay_client *client, int64_t until_s)
{
    CLEANUP(cache_key_clear) struct cache_key key = { 0 };
    CLEANUP(file_closep) int lock_fd = -1;
    const struct cache_record record = { .wait_until_s = until_s, .lead_s = client->clock.lead_s() };

    throttle_note(&client->throttle, until_s, record.lead_s);
    /* Whoever has the lock is writing down the same. */
    if (client->disk != NULL && throttle_key(client, &key) == KEYSTAY_OK &&
        cache_disk_try_lock(client->disk, &key, &lock_fd) && lock_fd >= 0) {
        cache_disk_put(client->disk, &key, &record);
    }
}

/* For messages: where it is asked next. */
static const char *server_name(const struct exchange *exchange)
{
    return exchange->plan.needs_discovery ? exchange->plan.issuer : exchange->plan.token_endpoint;
}

/* Waits as long as the server asked for, or says that this is too long. */
static enum keystay_status wait_as_asked(struct exchange *exchange, struct keystay_error *err)
{
    struct keystay_client *client = exchange->client;
    int64_t until_s = asked_until_s(client);
    int64_t wait_ms = (until_s - client->clock.now_s()) * 1000;
    char until[CLOCK_TEXT_SIZE];

    if (until_s == 0 || wait_ms <= 0) {
        return KEYSTAY_OK;
    }
    clock_format_utc(until_s, until);
    if (wait_ms > left_ms(exchange)) {
        const struct keystay_error answer = *err;
        (void)err_set_hint(
            err, KEYSTAY_E_THROTTLED, "try again then; with a longer --timeout keystay waits by itself",
            "%s wants to be left alone until %s, for %" PRId64 " s more (Retry-After)", server_name(exchange),
            until, wait_ms / 1000);
        err->http_status = answer.http_status;
        memcpy(err->trace_id, answer.trace_id, sizeof(err->trace_id));
        memcpy(err->correlation_id, answer.correlation_id, sizeof(err->correlation_id));
        return KEYSTAY_E_THROTTLED;
    }
    log_wait(
        client->log, "waiting %" PRId64 " s, until %s, as %s asks", wait_ms / 1000, until,
        server_name(exchange));
    client->clock.sleep_ms(wait_ms);
    return KEYSTAY_OK;
}

static bool may_use(const struct exchange *exchange, const struct held_assertion *held)
{
    return held->token != NULL && str_equal(held->audience, exchange->plan.audience) &&
           token_left_s(held->token, client_moment(exchange->client)) >= HELD_MARGIN_S;
}

static enum keystay_status sign(
    struct exchange *exchange, struct keystay_token **ret_assertion, struct keystay_error *err)
{
    const struct exchange_request *request = exchange->request;
    struct keystay_signer *signer = NULL; /* borrowed */

    TRY(request->source->get(request->source->context, &signer, err));
    return client_sign(exchange->client, &request->wanted, &exchange->plan, signer, ret_assertion, err);
}

/* With the lock held: what is held afterwards may be used, or the error is told. */
static enum keystay_status hold(
    struct exchange *exchange, struct held_assertion *held, struct keystay_error *err)
{
    struct keystay_token *token = NULL;

    if (may_use(exchange, held)) {
        return KEYSTAY_OK;
    }
    TRY(sign(exchange, &token, err));
    exchange->was_reused = false;
    token_freep(&held->token);
    held->token = token;
    memcpy(held->audience, exchange->plan.audience, sizeof(held->audience));
    return KEYSTAY_OK;
}

/* One that lives does for every scope; while one is signed, nobody else need sign. */
static enum keystay_status reuse_or_sign(
    struct exchange *exchange, struct keystay_token **ret_assertion, struct keystay_error *err)
{
    struct held_assertion *held = &exchange->client->held;

    (void)pthread_mutex_lock(&held->lock);
    exchange->was_reused = true; /* unless it is signed now */
    enum keystay_status status = hold(exchange, held, err);
    if (status == KEYSTAY_OK) {
        *ret_assertion = token_share(held->token);
    }
    (void)pthread_mutex_unlock(&held->lock);
    return status;
}

/* Where a jti is for one use: the one that was signed ahead, which leaves the store, or a new one. */
static enum keystay_status take_or_sign(
    struct exchange *exchange, struct keystay_token **ret_assertion, struct keystay_error *err)
{
    struct held_assertion *held = &exchange->client->held;

    (void)pthread_mutex_lock(&held->lock);
    struct keystay_token *ready = may_use(exchange, held) ? take_ptr(&held->token) : NULL;
    (void)pthread_mutex_unlock(&held->lock);
    if (ready != NULL) {
        *ret_assertion = ready;
        return KEYSTAY_OK;
    }
    return sign(exchange, ret_assertion, err);
}

/* The assertion to send. Signing takes as long as it takes: it does not count. */
static enum keystay_status get_assertion(
    struct exchange *exchange, struct keystay_token **ret_assertion, struct keystay_error *err)
{
    int64_t begun_ms = exchange->client->clock.now_ms();
    enum keystay_status status = provider_reuses_assertion(&exchange->plan)
                                     ? reuse_or_sign(exchange, ret_assertion, err)
                                     : take_or_sign(exchange, ret_assertion, err);

    exchange->deadline_ms += exchange->client->clock.now_ms() - begun_ms;
    return status;
}

/* It was refused: nobody shall send it again. */
static void drop_assertion(struct keystay_client *client)
{
    (void)pthread_mutex_lock(&client->held.lock);
    token_freep(&client->held.token);
    (void)pthread_mutex_unlock(&client->held.lock);
}

/* The server was asked to say which request it answers; whatever else it does, that should be ours. */
static void check_echo(const struct exchange *exchange, const struct http_response *response)
{
    if (response->client_request_id[0] != '\0' &&
        !str_iequal(response->client_request_id, exchange->request_id)) {
        log_warning(
            exchange->client->log,
            "the answer is one to another request (client-request-id %s, ours is %s): what is in between?",
            response->client_request_id, exchange->request_id);
    }
}

static enum keystay_status post(
    struct exchange *exchange, const struct secret *assertion, struct http_response *ret_response,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf form = BUF(TOKEN_REQUEST_MAX);
    struct keystay_client *client = exchange->client;
    struct token_request request;
    char id_header[80];

    provider_token_request(&exchange->plan, &exchange->request->wanted, assertion, &request);
    request.claims = exchange->request->claims;
    TRY(random_uuid(exchange->request_id, err));
    (void)snprintf(id_header, sizeof(id_header), "client-request-id: %s", exchange->request_id);
    const char *const headers[] = { "Accept: application/json", id_header, "return-client-request-id: true" };
    TRY(token_request_form(&request, &form, err));
    log_step(
        client->log, "POST %s, client-request-id %s", exchange->plan.token_endpoint, exchange->request_id);
    int64_t timeout_ms = left_ms(exchange);
    const struct http_request http = {
        .url = exchange->plan.token_endpoint,
        .headers = headers,
        .n_headers = ARRAY_LEN(headers),
        .form = buf_slice(&form),
        .timeout_ms = timeout_ms > 0 ? timeout_ms : 1,
    };
    exchange->was_sent = true;
    TRY(http_post(client->transport, &http, ret_response, err));
    log_step(client->log, "HTTP %d, %zu bytes", ret_response->status, ret_response->body.len);
    check_echo(exchange, ret_response);
    return KEYSTAY_OK;
}

/* The server's metadata, where it says where tokens are asked for. A failure is one of the exchange. */
static enum keystay_status discover(
    struct exchange *exchange, struct http_response *response, struct keystay_error *err)
{
    int64_t timeout_ms = left_ms(exchange);

    if (!exchange->plan.needs_discovery) {
        return KEYSTAY_OK;
    }
    exchange->was_sent = true;
    TRY(client_complete_plan(
        exchange->client, &exchange->request->wanted, timeout_ms > 0 ? timeout_ms : 1, response,
        &exchange->plan, err));
    http_response_clear(response);
    exchange->was_sent = false;
    return KEYSTAY_OK;
}

static enum keystay_status attempt(
    struct exchange *exchange, struct http_response *response, struct keystay_token **ret_token,
    struct keystay_error *err)
{
    CLEANUP(token_freep) struct keystay_token *assertion = NULL;

    exchange->was_sent = false;
    TRY(wait_as_asked(exchange, err));
    TRY(discover(exchange, response, err));
    TRY(get_assertion(exchange, &assertion, err));
    const struct clock_moment asked_at = client_moment(exchange->client);
    TRY(post(exchange, &assertion->value, response, err));
    TRY(token_response_parse(response, exchange->plan.token_endpoint, asked_at.now_s, ret_token, err));
    (*ret_token)->lead_s = asked_at.lead_s;
    return KEYSTAY_OK;
}

static bool is_more_than(int64_t span_s, int64_t limit_s)
{
    return span_s > limit_s || span_s < -limit_s;
}

static void tell_skew(int64_t ahead_s, struct keystay_error *error)
{
    if (is_more_than(ahead_s, SKEW_LEAST_S)) {
        (void)err_hint(
            error, error->status,
            "set the clock (timedatectl, chronyc tracking): this machine's is %" PRId64 " s %s the server's",
            ahead_s > 0 ? ahead_s : -ahead_s, ahead_s > 0 ? "behind" : "ahead of");
    }
}

/*
 * An assertion that was refused by a server whose clock shows another time than the one that it was signed
 * with: that is the likely reason. Whether to sign another with the server's time; a person is told in any
 * case. The offset stays with the client, and goes again when the clock was set meanwhile.
 */
static bool corrects_clock(
    struct exchange *exchange, const struct http_response *response, struct keystay_error *error)
{
    struct keystay_client *client = exchange->client;
    int64_t now_s = client->clock.now_s();
    int64_t server_s = 0;

    if (!str_equal(error->oauth_error, "invalid_client")) {
        return false;
    }
    if (!http_date_parse(response->date, &server_s)) {
        if (entra_server_time(error->message, &server_s)) {
            tell_skew(server_s - now_s, error); /* a text is good for people only */
        }
        return false;
    }
    int64_t ahead_s = server_s - now_s;
    tell_skew(ahead_s, error);
    if (exchange->has_corrected || is_more_than(ahead_s, SKEW_MOST_S) ||
        !is_more_than(ahead_s - atomic_load(&client->clock_offset_s), SKEW_LEAST_S)) {
        return false;
    }
    exchange->has_corrected = true;
    atomic_store(&client->clock_offset_s, is_more_than(ahead_s, SKEW_LEAST_S) ? ahead_s : 0);
    log_warning(
        client->log,
        "this machine's clock is %" PRId64 " s %s the server's: signing again with the server's time",
        ahead_s > 0 ? ahead_s : -ahead_s, ahead_s > 0 ? "behind" : "ahead of");
    return true;
}

/* Not the scope, not the client's rights. Servers do not agree on which of these it is. */
static bool is_about_assertion(const struct keystay_error *error)
{
    static const char *const codes[] = { "invalid_client", "invalid_request", "invalid_grant" };

    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (str_equal(error->oauth_error, codes[i])) {
            return true;
        }
    }
    return false;
}

/*
 * Entra takes an assertion for as long as it lives, but it does not promise to; and the certificate may have
 * been replaced meanwhile. A refusal counts only for an assertion that is new.
 */
static bool signs_anew(struct exchange *exchange)
{
    bool is_worth_it = exchange->was_reused && !exchange->has_renewed;

    exchange->has_renewed = true;
    return is_worth_it;
}

/* A pause, if there is time for one and for what comes after. */
static bool pauses(struct exchange *exchange, const struct keystay_error *error)
{
    uint32_t random = 0;

    if (exchange->n_failed >= RETRY_ATTEMPTS_MAX ||
        random_bytes((uint8_t *)&random, sizeof(random), NULL) != KEYSTAY_OK) {
        return false;
    }
    int64_t pause_ms = retry_delay_ms(exchange->n_failed, random);
    if (pause_ms >= left_ms(exchange)) {
        return false;
    }
    if (pause_ms >= WAIT_WORTH_SAYING_MS) {
        log_wait(
            exchange->client->log, "waiting %" PRId64 " ms before the next attempt: %s", pause_ms,
            error->message);
    } else {
        log_step(exchange->client->log, "another attempt in %" PRId64 " ms: %s", pause_ms, error->message);
    }
    exchange->client->clock.sleep_ms(pause_ms);
    return true;
}

/* Whether to go on after an attempt that failed. */
static bool goes_on(
    struct exchange *exchange, enum keystay_status status, const struct http_response *response,
    struct keystay_error *error)
{
    int64_t until_s = 0;

    if (!exchange->was_sent) {
        return false;
    }
    exchange->n_failed++;
    if (error->correlation_id[0] == '\0') {
        memcpy(error->correlation_id, exchange->request_id, sizeof(exchange->request_id));
    }
    if (status == KEYSTAY_E_SERVER_REFUSED && is_about_assertion(error)) {
        drop_assertion(exchange->client);
        return corrects_clock(exchange, response, error) || signs_anew(exchange);
    }
    if (!retry_may_help(status, response->status)) {
        return false;
    }
    if (throttle_read(response, exchange->client->clock.now_s(), &until_s)) {
        note_wait(exchange->client, until_s);
        return exchange->n_failed < RETRY_ATTEMPTS_MAX;
    }
    return pauses(exchange, error);
}

/* An override of scope or resource may take another endpoint than the profile's own. */
static enum keystay_status begin(
    struct keystay_client *client, const struct exchange_request *request, struct exchange *ret_exchange,
    struct keystay_error *err)
{
    *ret_exchange = (struct exchange){ .client = client, .request = request };
    TRY(provider_make_plan(&request->wanted, &ret_exchange->plan, err));
    ret_exchange->deadline_ms =
        client->clock.now_ms() + (int64_t)profile_number(client->profile, SETTING_TIMEOUT) * 1000;
    return KEYSTAY_OK;
}

enum keystay_status exchange_token(
    struct keystay_client *client, const struct exchange_request *request, struct keystay_token **ret_token,
    struct keystay_error *err)
{
    struct exchange exchange;
    struct keystay_error last = { 0 };

    TRY(begin(client, request, &exchange, err));
    for (;;) {
        CLEANUP(http_response_clear) struct http_response response = { 0 };
        enum keystay_status status = attempt(&exchange, &response, ret_token, &last);

        if (status == KEYSTAY_OK) {
            return status;
        }
        if (!goes_on(&exchange, status, &response, &last)) {
            if (err != NULL) {
                *err = last;
            }
            return status;
        }
    }
}

enum keystay_status exchange_sign_ahead(
    struct keystay_client *client, const struct exchange_request *request, struct keystay_error *err)
{
    CLEANUP(http_response_clear) struct http_response response = { 0 };
    struct held_assertion *held = &client->held;
    struct exchange exchange;

    TRY(begin(client, request, &exchange, err));
    TRY(client_complete_plan(client, &request->wanted, left_ms(&exchange), &response, &exchange.plan, err));
    (void)pthread_mutex_lock(&held->lock);
    enum keystay_status status = may_use(&exchange, held) ? KEYSTAY_OK : sign(&exchange, &held->token, err);
    memcpy(held->audience, exchange.plan.audience, sizeof(held->audience));
    (void)pthread_mutex_unlock(&held->lock);
    return status;
}
