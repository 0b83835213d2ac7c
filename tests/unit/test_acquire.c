/* SPDX-License-Identifier: Apache-2.0 */
/* What a client keeps, when it asks again, what it serves when that fails: by a clock that the test sets. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/str.h"
#include "core/acquire.h"
#include "oauth/access_token.h"
#include "rsa.h"
#include "scratch.h"

enum { START_S = CERT_NOW_S, LIFE_S = 3600, ANSWERS_MAX = 16 };

static const char graph[] = "https://graph.example/.default";
static int64_t now_s, now_ms, slept_ms, lead_s;

static int64_t fake_now_s(void)
{
    return now_s;
}

static int64_t fake_now_ms(void)
{
    return now_ms;
}

/* Time passes only here and where a test says so. */
static void fake_sleep_ms(int64_t ms)
{
    slept_ms += ms;
    now_ms += ms;
    now_s += (ms + 999) / 1000;
}

static int64_t fake_lead_s(void)
{
    return lead_s;
}

static const struct client_clock fake_clock = { fake_now_s, fake_now_ms, fake_sleep_ms, fake_lead_s };

/* Somebody sets the clock. */
static void set_clock(int64_t by_s)
{
    now_s += by_s;
    lead_s += by_s;
}

/* What the server answers to a request; a status of 0: there is no connection. */
struct answer {
    int http_status;
    const char *body; /* NULL: a token of its own */
    const char *retry_after, *date, *request_id;
};

struct server {
    struct http_transport base; /* first: the seam casts */
    struct answer answers[ANSWERS_MAX];
    int n_posts;
    char last_form[8192];
    int64_t last_timeout_ms;
};

static enum keystay_status exchange(
    struct http_transport *base, const struct http_request *request, struct http_response *ret_response,
    struct keystay_error *err)
{
    struct server *server = (struct server *)base;
    const struct answer *answer = &server->answers[server->n_posts++];
    char body[200];

    assert_true(server->n_posts <= ANSWERS_MAX);
    (void)snprintf(
        server->last_form, sizeof(server->last_form), "%.*s", (int)request->form.len,
        (const char *)request->form.data);
    server->last_timeout_ms = request->timeout_ms;
    if (answer->http_status < 0) {
        return err_set(err, KEYSTAY_E_NETWORK, "no connection");
    }
    (void)snprintf(
        body, sizeof(body), "{\"token_type\":\"Bearer\",\"access_token\":\"token-%d\",\"expires_in\":%d}",
        server->n_posts, LIFE_S);
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

struct world {
    struct server server;
    struct keystay_profile *profile;
    struct keystay_client *client;
    struct soft_signer *signer;
    struct ear ear;
};

static void world_init(struct world *world, const char *setting, const char *value)
{
    now_s = START_S;
    now_ms = 0;
    slept_ms = 0;
    lead_s = 0;
    *world = (struct world){ .server = { .base = { &server_ops } },
                             .signer = soft_signer_new(ALG_BIT(KEYSTAY_ALG_RS256), NULL) };
    ear_init(&world->ear);
    assert_ok(keystay_profile_new(&world->profile, NULL));
    assert_ok(keystay_profile_set(world->profile, "tenant", "contoso.example", NULL));
    assert_ok(keystay_profile_set(world->profile, "client-id", "an-id", NULL));
    assert_ok(keystay_profile_set(world->profile, "scope", graph, NULL));
    if (setting != NULL) {
        assert_ok(keystay_profile_set(world->profile, setting, value, NULL));
    }
    assert_ok(client_new_with(
        world->profile, &world->ear.log, &world->server.base, &fake_clock, &world->client, NULL));
}

static void world_clear(struct world *world)
{
    client_freep(&world->client);
    profile_freep(&world->profile);
    soft_signer_freep(&world->signer);
}

/* What a call gives, as a text: the token's value, or the status' name. */
static const char *ask_for(struct world *world, const struct keystay_request *request)
{
    static char text[64];
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    struct keystay_error err = { 0 };
    enum keystay_status status =
        keystay_client_acquire_for(world->client, &world->signer->base, request, &token, &err);

    assert_int_equal(err.status, status);
    (void)snprintf(
        text, sizeof(text), "%s",
        status == KEYSTAY_OK ? keystay_token_value(token) : keystay_status_name(status));
    return text;
}

static const char *ask(struct world *world)
{
    return ask_for(world, NULL);
}

TEST(what_is_wrong_with_a_request_is_said_before_anything_is_signed)
{
    static const struct {
        struct keystay_request request;
        const char *status;
    } rows[] = {
        { { .scope = "https://graph.example/User.Read" }, "config" },
        { { .scope = graph, .resource = "https://graph.example" }, "config" },
        { { .claims = "x" }, "config" },
        { { .claims_challenge = "Bearer" }, "config" },
        { { .claims = "{}", .claims_challenge = "Bearer" }, "usage" },
    };
    CLEANUP(world_clear) struct world world;

    world_init(&world, NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(ask_for(&world, &rows[i].request), rows[i].status);
    }
    assert_int_equal(world.server.n_posts, 0);
    assert_int_equal(world.signer->n_signed, 0);
}

TEST(a_token_is_kept_until_it_is_no_longer_fresh)
{
    CLEANUP(world_clear) struct world world;

    world_init(&world, NULL, NULL);
    assert_string_equal(ask(&world), "token-1");
    assert_string_equal(ask(&world), "token-1");
    now_s = START_S + LIFE_S / 2 - 1;
    assert_string_equal(ask(&world), "token-1");
    now_s = START_S + LIFE_S - 299;
    assert_string_equal(ask(&world), "token-2");
    assert_int_equal(world.server.n_posts, 2);
}

TEST(each_scope_has_a_token_and_one_assertion_does_for_all)
{
    const struct keystay_request vault = { .scope = "https://vault.example/.default" };
    const struct keystay_request older = { .resource = "https://graph.example" };
    CLEANUP(world_clear) struct world world;

    world_init(&world, NULL, NULL);
    assert_string_equal(ask(&world), "token-1");
    assert_string_equal(ask_for(&world, &vault), "token-2");
    assert_int_equal(world.signer->n_signed, 1);
    assert_string_equal(ask_for(&world, &older), "token-3");
    assert_int_equal(world.signer->n_signed, 2); /* another endpoint is another audience */
    assert_string_equal(ask_for(&world, &vault), "token-2");
    assert_string_equal(ask(&world), "token-1");
}

TEST(without_a_cache_nothing_is_kept)
{
    CLEANUP(world_clear) struct world world;

    world_init(&world, "cache", "none");
    assert_string_equal(ask(&world), "token-1");
    assert_string_equal(ask(&world), "token-2");
}

TEST(an_assertion_near_its_end_is_signed_anew)
{
    const struct keystay_request vault = { .scope = "https://vault.example/.default" };
    CLEANUP(world_clear) struct world world;

    world_init(&world, NULL, NULL);
    assert_string_equal(ask(&world), "token-1");
    now_s += 600 - 59;
    assert_string_equal(ask_for(&world, &vault), "token-2");
    assert_int_equal(world.signer->n_signed, 2);
}

TEST(where_a_jti_is_for_one_use_each_attempt_signs)
{
    CLEANUP(world_clear) struct world world;

    now_s = START_S;
    world = (struct world){ .server = { .base = { &server_ops } },
                            .signer = soft_signer_new(ALG_BIT(KEYSTAY_ALG_RS256), NULL) };
    ear_init(&world.ear);
    assert_ok(keystay_profile_new(&world.profile, NULL));
    assert_ok(keystay_profile_set(world.profile, "provider", "okta", NULL));
    assert_ok(keystay_profile_set(world.profile, "issuer", "https://dev.okta.example/oauth2/default", NULL));
    assert_ok(keystay_profile_set(world.profile, "client-id", "an-id", NULL));
    assert_ok(keystay_profile_set(world.profile, "scope", "a", NULL));
    assert_ok(
        client_new_with(world.profile, &world.ear.log, &world.server.base, &fake_clock, &world.client, NULL));
    world.server.answers[0].http_status = 503;
    world.server.answers[1].http_status = 503;
    assert_string_equal(ask(&world), "token-3");
    assert_int_equal(world.signer->n_signed, 3);
}

TEST(one_call_renews_ahead_and_a_failure_costs_nothing)
{
    CLEANUP(world_clear) struct world world;

    world_init(&world, NULL, NULL);
    assert_string_equal(ask(&world), "token-1");
    now_s = START_S + LIFE_S * 3 / 4; /* past half of its life and the jitter */
    world.server.answers[1].http_status = 403;
    assert_string_equal(ask(&world), "token-1");
    assert_int_equal(world.server.n_posts, 2);
    assert_contains(world.ear.last, "renewed ahead");
    now_ms += 60000;
    now_s += 59;
    assert_string_equal(ask(&world), "token-1");
    assert_int_equal(world.server.n_posts, 2);
    now_s += 1;
    assert_string_equal(ask(&world), "token-3");
}

/* A signer_source's get. */
static enum keystay_status get_signer(
    void *context, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    struct world *world = context;

    (void)err;
    *ret_signer = &world->signer->base;
    return KEYSTAY_OK;
}

TEST(a_look_never_asks)
{
    CLEANUP(world_clear) struct world world;
    const struct signer_source source = { get_signer, &world };

    world_init(&world, NULL, NULL);
    assert_null(acquire_held(world.client, NULL));
    assert_string_equal(ask(&world), "token-1");
    now_s = START_S + LIFE_S * 3 / 4;
    for (int i = 0; i < 2; i++) {
        CLEANUP(token_freep) struct keystay_token *held = acquire_held(world.client, NULL);
        assert_string_equal(keystay_token_value(held), "token-1");
    }
    assert_int_equal(world.server.n_posts, 1);

    CLEANUP(token_freep) struct keystay_token *renewed = NULL;
    assert_ok(acquire_renew(world.client, &source, NULL, &renewed, NULL));
    assert_string_equal(keystay_token_value(renewed), "token-2");
    assert_string_equal(ask(&world), "token-2");
}

TEST(a_token_that_lives_is_served_when_signer_or_network_fail)
{
    static const struct {
        int http_status;
        enum spoil spoil;
        const char *answer;
    } rows[] = {
        { 503, SPOIL_NOTHING, "token-1" },
        { -1, SPOIL_NOTHING, "token-1" },
        { 0, SPOIL_FAIL, "token-1" },
        { 429, SPOIL_NOTHING, "token-1" },
        { 400, SPOIL_NOTHING, "server_refused" },
        { 404, SPOIL_NOTHING, "server_response" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(world_clear) struct world world;

        world_init(&world, NULL, NULL);
        assert_string_equal(ask(&world), "token-1");
        now_s = START_S + LIFE_S - 100;
        world.signer->spoil = rows[i].spoil;
        for (int j = 1; j < ANSWERS_MAX; j++) {
            world.server.answers[j].http_status = rows[i].http_status;
            world.server.answers[j].body =
                rows[i].http_status == 400 ? "{\"error\":\"unauthorized_client\"}" : "";
        }
        assert_string_equal(ask(&world), rows[i].answer);
        assert_int_equal(strstr(world.ear.last, "is served") != NULL, str_equal(rows[i].answer, "token-1"));
        now_s = START_S + LIFE_S; /* it has ended */
        now_ms += 5000;
        assert_true(strstr(ask(&world), "token-1") == NULL);
    }
}

TEST(what_passes_is_tried_four_times_with_pauses)
{
    static const int statuses[] = { -1, 408, 429, 500, 503 };

    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        CLEANUP(world_clear) struct world world;

        world_init(&world, NULL, NULL);
        for (int j = 0; j < 4; j++) {
            world.server.answers[j] = (struct answer){ .http_status = statuses[i], .body = "" };
        }
        assert_true(strstr(ask(&world), "token") == NULL);
        assert_int_equal(world.server.n_posts, 4);
        assert_int_equal(world.signer->n_signed, 1);
        assert_in_range(slept_ms, 0, 1750);
        now_ms += 1000; /* the error is forgotten */
        assert_string_equal(ask(&world), "token-5");
    }
}

TEST(an_error_stays_for_a_moment)
{
    CLEANUP(world_clear) struct world world;

    world_init(&world, NULL, NULL);
    world.server.answers[0] = (struct answer){ .http_status = 404, .body = "" };
    assert_string_equal(ask(&world), "server_response");
    assert_string_equal(ask(&world), "server_response");
    assert_int_equal(world.server.n_posts, 1);
    now_ms += 1000;
    assert_string_equal(ask(&world), "token-2");
}

TEST(retry_after_is_waited_for_or_remembered)
{
    CLEANUP(world_clear) struct world world;
    const struct keystay_request vault = { .scope = "https://vault.example/.default" };

    world_init(&world, NULL, NULL);
    world.server.answers[0] = (struct answer){ .http_status = 503, .body = "", .retry_after = "20" };
    assert_string_equal(ask(&world), "token-2");
    assert_int_equal(slept_ms, 20000);
    assert_int_equal(world.server.last_timeout_ms, 10000); /* of the thirty seconds */

    world.server.answers[2] = (struct answer){ .http_status = 429, .body = "", .retry_after = "120" };
    assert_string_equal(ask_for(&world, &vault), "throttled");
    now_ms += 1000;
    assert_string_equal(ask_for(&world, &vault), "throttled"); /* and nobody was bothered */
    assert_int_equal(world.server.n_posts, 3);
    now_s += 100;
    now_ms += 100000;
    assert_string_equal(ask_for(&world, &vault), "token-4");
    assert_int_equal(slept_ms, 40000);
}

TEST(the_servers_clock_is_used_once_and_kept)
{
    /* CERT_NOW_S and ten minutes */
    static const char later[] = "Tue, 14 Nov 2023 22:23:20 GMT";
    const struct keystay_request vault = { .scope = "https://vault.example/.default" };
    CLEANUP(world_clear) struct world world;

    world_init(&world, NULL, NULL);
    world.server.answers[0] =
        (struct answer){ .http_status = 401, .body = "{\"error\":\"invalid_client\"}", .date = later };
    assert_string_equal(ask(&world), "token-2");
    assert_int_equal(world.signer->n_signed, 2);
    assert_int_equal(atomic_load(&world.client->clock_offset_s), 600);
    now_s += 560; /* the assertion has ended */
    assert_string_equal(ask_for(&world, &vault), "token-3");
    assert_int_equal(world.signer->n_signed, 3);
}

TEST(clocks_that_are_too_far_apart_are_said)
{
    static const char *const dates[] = { "Tue, 14 Nov 2023 23:13:22 GMT", "Tue, 14 Nov 2023 21:13:18 GMT" };

    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        CLEANUP(world_clear) struct world world;
        CLEANUP(token_freep) struct keystay_token *token = NULL;
        struct keystay_error err;

        world_init(&world, NULL, NULL);
        world.server.answers[0] =
            (struct answer){ .http_status = 401, .body = "{\"error\":\"invalid_client\"}", .date = dates[i] };
        assert_int_equal(
            keystay_client_acquire(world.client, &world.signer->base, &token, &err),
            KEYSTAY_E_SERVER_REFUSED);
        assert_contains(err.hint, "set the clock");
        assert_contains(err.hint, i == 0 ? "3602 s behind" : "3602 s ahead of");
        assert_true(str_is_guid(err.correlation_id));
        assert_int_equal(world.signer->n_signed, 1);
    }
}

TEST(an_assertion_that_is_refused_when_it_is_reused_is_signed_anew)
{
    const struct keystay_request vault = { .scope = "https://vault.example/.default" };
    CLEANUP(world_clear) struct world world;

    world_init(&world, NULL, NULL);
    assert_string_equal(ask(&world), "token-1");
    world.server.answers[1] =
        (struct answer){ .http_status = 400, .body = "{\"error\":\"invalid_request\"}" };
    assert_string_equal(ask_for(&world, &vault), "token-3");
    assert_int_equal(world.signer->n_signed, 2);
    world.server.answers[3] = world.server.answers[4] =
        (struct answer){ .http_status = 401, .body = "{\"error\":\"invalid_client\"}" };
    const struct keystay_request third = { .scope = "https://third.example/.default" };
    assert_string_equal(ask_for(&world, &third), "server_refused");
    assert_int_equal(world.server.n_posts, 5); /* once, not for ever */
}

TEST(a_challenge_passes_by_what_is_kept_and_replaces_it)
{
    const struct keystay_request challenge = { .claims_challenge =
                                                   "Bearer error=\"insufficient_claims\", claims=\"e30\"" };
    CLEANUP(world_clear) struct world world;

    world_init(&world, NULL, NULL);
    assert_string_equal(ask(&world), "token-1");
    assert_string_equal(ask_for(&world, &challenge), "token-2");
    assert_contains(
        world.server.last_form,
        "&claims=%7B%22access_token%22%3A%7B%22xms_cc%22%3A%7B%22values%22%3A%5B%22cp1%22%5D%7D%7D%7D&");
    assert_string_equal(ask(&world), "token-2");
    world.server.answers[2].http_status = 403;
    assert_string_equal(ask_for(&world, &challenge), "server_response"); /* the refused one is not served */
}

TEST(a_clock_that_was_set_back_makes_a_token_unusable)
{
    CLEANUP(world_clear) struct world world;

    world_init(&world, NULL, NULL);
    assert_string_equal(ask(&world), "token-1");
    now_s += LIFE_S - 400; /* older than what the clock is set back by: it does not look new */
    set_clock(-61);
    assert_string_equal(ask(&world), "token-2");
    set_clock(-10 * 365 * 86400);
    assert_string_equal(ask(&world), "token-3");
    set_clock(10 * 365 * 86400); /* what was got before looks as if it had ended */
    assert_string_equal(ask(&world), "token-4");
    assert_string_equal(ask(&world), "token-4");
}

TEST(a_clock_that_was_set_back_a_bit_lends_no_token_a_second)
{
    CLEANUP(world_clear) struct world world;

    world_init(&world, NULL, NULL);
    assert_string_equal(ask(&world), "token-1");
    set_clock(-60);
    assert_string_equal(ask(&world), "token-1");
    world.signer->spoil = SPOIL_FAIL;
    now_s = START_S - 60 + LIFE_S - 120; /* the assertion has ended too */
    assert_string_equal(ask(&world), "token-1");
    assert_contains(world.ear.last, "ends in 120 s is served");
    now_s += 120;
    now_ms += 1000;
    assert_string_equal(ask(&world), "module");
}

TEST(what_was_signed_before_the_clock_was_set_back_is_not_sent)
{
    const struct keystay_request vault = { .scope = "https://vault.example/.default" };
    CLEANUP(world_clear) struct world world;

    world_init(&world, NULL, NULL);
    assert_string_equal(ask(&world), "token-1");
    set_clock(-61);
    assert_string_equal(ask_for(&world, &vault), "token-2");
    assert_int_equal(world.signer->n_signed, 2);
}

TEST(setting_the_clock_does_not_prolong_what_a_server_asked_for)
{
    CLEANUP(world_clear) struct world world;

    world_init(&world, "timeout", "60");
    world.server.answers[0] = (struct answer){ .http_status = 429, .body = "", .retry_after = "100" };
    assert_string_equal(ask(&world), "throttled");
    set_clock(-3000);
    now_s += 70;
    now_ms += 70000;
    assert_string_equal(ask(&world), "token-2");
    assert_int_equal(slept_ms, 30000);
}

TEST(an_answer_to_another_request_is_said)
{
    CLEANUP(world_clear) struct world world;

    world_init(&world, NULL, NULL);
    world.server.answers[0].request_id = "11111111-2222-3333-4444-555555555555";
    assert_string_equal(ask(&world), "token-1");
    assert_int_equal(world.ear.n_warnings, 1);
    assert_contains(world.ear.last, "11111111-2222-3333-4444-555555555555");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_with_a_request_is_said_before_anything_is_signed),
        cmocka_unit_test(a_token_is_kept_until_it_is_no_longer_fresh),
        cmocka_unit_test(each_scope_has_a_token_and_one_assertion_does_for_all),
        cmocka_unit_test(without_a_cache_nothing_is_kept),
        cmocka_unit_test(an_assertion_near_its_end_is_signed_anew),
        cmocka_unit_test(where_a_jti_is_for_one_use_each_attempt_signs),
        cmocka_unit_test(one_call_renews_ahead_and_a_failure_costs_nothing),
        cmocka_unit_test(a_look_never_asks),
        cmocka_unit_test(a_token_that_lives_is_served_when_signer_or_network_fail),
        cmocka_unit_test(what_passes_is_tried_four_times_with_pauses),
        cmocka_unit_test(an_error_stays_for_a_moment),
        cmocka_unit_test(retry_after_is_waited_for_or_remembered),
        cmocka_unit_test(the_servers_clock_is_used_once_and_kept),
        cmocka_unit_test(clocks_that_are_too_far_apart_are_said),
        cmocka_unit_test(an_assertion_that_is_refused_when_it_is_reused_is_signed_anew),
        cmocka_unit_test(a_challenge_passes_by_what_is_kept_and_replaces_it),
        cmocka_unit_test(a_clock_that_was_set_back_makes_a_token_unusable),
        cmocka_unit_test(a_clock_that_was_set_back_a_bit_lends_no_token_a_second),
        cmocka_unit_test(what_was_signed_before_the_clock_was_set_back_is_not_sent),
        cmocka_unit_test(setting_the_clock_does_not_prolong_what_a_server_asked_for),
        cmocka_unit_test(an_answer_to_another_request_is_said),
    };

    return RUN_TESTS(tests);
}
