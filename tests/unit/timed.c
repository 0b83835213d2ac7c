/* SPDX-License-Identifier: Apache-2.0 */
#include "timed.h"

#include <stdio.h>

#include "base/error.h"
#include "oauth/access_token.h"

int64_t timed_now_s, timed_now_ms, timed_slept_ms;
static int64_t lead_s;

static int64_t fake_now_s(void)
{
    return timed_now_s;
}

static int64_t fake_now_ms(void)
{
    return timed_now_ms;
}

static void fake_sleep_ms(int64_t ms)
{
    timed_slept_ms += ms;
    timed_now_ms += ms;
    timed_now_s += (ms + 999) / 1000;
}

static int64_t fake_lead_s(void)
{
    return lead_s;
}

static const struct client_clock fake_clock = { fake_now_s, fake_now_ms, fake_sleep_ms, fake_lead_s };

void timed_set_clock(int64_t by_s)
{
    timed_now_s += by_s;
    lead_s += by_s;
}

static enum keystay_status exchange(
    struct http_transport *base, const struct http_request *request, struct http_response *ret_response,
    struct keystay_error *err)
{
    struct timed_server *server = (struct timed_server *)base;
    const struct timed_answer *answer = &server->answers[server->n_posts++];
    char body[200];

    assert_true(server->n_posts <= TIMED_ANSWERS_MAX);
    (void)snprintf(
        server->last_form, sizeof(server->last_form), "%.*s", (int)request->form.len,
        (const char *)request->form.data);
    server->last_timeout_ms = request->timeout_ms;
    if (answer->http_status < 0) {
        return err_set(err, KEYSTAY_E_NETWORK, "no connection");
    }
    (void)snprintf(
        body, sizeof(body), "{\"token_type\":\"Bearer\",\"access_token\":\"token-%d\",\"expires_in\":%d}",
        server->n_posts, TIMED_LIFE_S);
    ret_response->status = answer->http_status == 0 ? 200 : answer->http_status;
    if (answer->retry_after != NULL) {
        (void)snprintf(
            ret_response->retry_after, sizeof(ret_response->retry_after), "%s", answer->retry_after);
    }
    if (answer->request_id != NULL) {
        (void)snprintf(
            ret_response->client_request_id, sizeof(ret_response->client_request_id), "%s",
            answer->request_id);
    }
    if (answer->date != NULL) {
        (void)snprintf(ret_response->date, sizeof(ret_response->date), "%s", answer->date);
    }
    return buf_puts(&ret_response->body, answer->body == NULL ? body : answer->body, err);
}

static void keep_open(struct http_transport *base)
{
    (void)base;
}

static const struct http_ops server_ops = { exchange, keep_open };

void timed_init_empty(struct timed *timed)
{
    timed_now_s = TIMED_START_S;
    timed_now_ms = timed_slept_ms = lead_s = 0;
    *timed = (struct timed){ .server = { .base = { &server_ops } },
                             .signer = soft_signer_new(ALG_BIT(KEYSTAY_ALG_RS256), NULL) };
    ear_init(&timed->ear);
    assert_ok(keystay_profile_new(&timed->profile, NULL));
}

void timed_set(struct timed *timed, const char *setting, const char *value)
{
    assert_ok(keystay_profile_set(timed->profile, setting, value, NULL));
}

void timed_start(struct timed *timed)
{
    assert_ok(client_new_with(
        timed->profile, &timed->ear.log, &timed->server.base, &fake_clock, &timed->client, NULL));
}

void timed_init(struct timed *timed, const char *setting, const char *value)
{
    timed_init_empty(timed);
    timed_set(timed, "tenant", "contoso.example");
    timed_set(timed, "client-id", "an-id");
    timed_set(timed, "scope", "https://graph.example/.default");
    if (setting != NULL) {
        timed_set(timed, setting, value);
    }
    timed_start(timed);
}

void timed_clear(struct timed *timed)
{
    client_freep(&timed->client);
    profile_freep(&timed->profile);
    soft_signer_freep(&timed->signer);
}

const char *timed_ask_for(struct timed *timed, const struct keystay_request *request)
{
    static char text[64];
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    struct keystay_error err = { 0 };
    enum keystay_status status =
        keystay_client_acquire_for(timed->client, &timed->signer->base, request, &token, &err);

    assert_int_equal(err.status, status);
    (void)snprintf(
        text, sizeof(text), "%s",
        status == KEYSTAY_OK ? keystay_token_value(token) : keystay_status_name(status));
    return text;
}

const char *timed_ask(struct timed *timed)
{
    return timed_ask_for(timed, NULL);
}
