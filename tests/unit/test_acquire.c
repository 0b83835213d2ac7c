/* SPDX-License-Identifier: Apache-2.0 */
/* What a client keeps, when it asks again, what it serves when that fails: by a clock that the test sets. */
#include "timed.h"

#include "base/str.h"
#include "core/acquire.h"
#include "oauth/access_token.h"

static const char graph[] = "https://graph.example/.default";

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
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(timed_ask_for(&timed, &rows[i].request), rows[i].status);
    }
    assert_int_equal(timed.server.n_posts, 0);
    assert_int_equal(timed.signer->n_signed, 0);
}

TEST(a_token_is_kept_until_it_is_no_longer_fresh)
{
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, NULL, NULL);
    assert_string_equal(timed_ask(&timed), "token-1");
    assert_string_equal(timed_ask(&timed), "token-1");
    timed_now_s = TIMED_START_S + TIMED_LIFE_S / 2 - 1;
    assert_string_equal(timed_ask(&timed), "token-1");
    timed_now_s = TIMED_START_S + TIMED_LIFE_S - 299;
    assert_string_equal(timed_ask(&timed), "token-2");
    assert_int_equal(timed.server.n_posts, 2);
}

/* The story: min_valid was a second less than tokens live, and each call cost a signature and a request. */
TEST(who_wants_nearly_all_of_a_life_has_no_new_token_with_each_call)
{
    const struct keystay_request most = { .min_valid_s = TIMED_LIFE_S - 1 };
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, NULL, NULL);
    assert_string_equal(timed_ask_for(&timed, &most), "token-1");
    timed_now_s = TIMED_START_S + 2;
    assert_string_equal(timed_ask_for(&timed, &most), "token-1");
    timed_now_s = TIMED_START_S + 5;
    assert_string_equal(timed_ask_for(&timed, &most), "token-1");
    timed_now_s = TIMED_START_S + 6;
    assert_string_equal(timed_ask_for(&timed, &most), "token-2");
    assert_string_equal(timed_ask_for(&timed, &most), "token-2");
    assert_int_equal(timed.server.n_posts, 2);
}

TEST(each_scope_has_a_token_and_one_assertion_does_for_all)
{
    const struct keystay_request vault = { .scope = "https://vault.example/.default" };
    const struct keystay_request older = { .resource = "https://graph.example" };
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, NULL, NULL);
    assert_string_equal(timed_ask(&timed), "token-1");
    assert_string_equal(timed_ask_for(&timed, &vault), "token-2");
    assert_int_equal(timed.signer->n_signed, 1);
    assert_string_equal(timed_ask_for(&timed, &older), "token-3");
    assert_int_equal(timed.signer->n_signed, 2); /* another endpoint is another audience */
    assert_string_equal(timed_ask_for(&timed, &vault), "token-2");
    assert_string_equal(timed_ask(&timed), "token-1");
}

TEST(without_a_cache_nothing_is_kept)
{
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, "cache", "none");
    assert_string_equal(timed_ask(&timed), "token-1");
    assert_string_equal(timed_ask(&timed), "token-2");
}

TEST(an_assertion_near_its_end_is_signed_anew)
{
    const struct keystay_request vault = { .scope = "https://vault.example/.default" };
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, NULL, NULL);
    assert_string_equal(timed_ask(&timed), "token-1");
    timed_now_s += 600 - 59;
    assert_string_equal(timed_ask_for(&timed, &vault), "token-2");
    assert_int_equal(timed.signer->n_signed, 2);
}

TEST(where_a_jti_is_for_one_use_each_attempt_signs)
{
    CLEANUP(timed_clear) struct timed timed;

    timed_init_empty(&timed);
    timed_set(&timed, "provider", "okta");
    timed_set(&timed, "issuer", "https://dev.okta.example/oauth2/default");
    timed_set(&timed, "client-id", "an-id");
    timed_set(&timed, "scope", "a");
    timed_start(&timed);
    timed.server.answers[0].http_status = 503;
    timed.server.answers[1].http_status = 503;
    assert_string_equal(timed_ask(&timed), "token-3");
    assert_int_equal(timed.signer->n_signed, 3);
}

TEST(one_call_renews_ahead_and_a_failure_costs_nothing)
{
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, NULL, NULL);
    assert_string_equal(timed_ask(&timed), "token-1");
    timed_now_s = TIMED_START_S + TIMED_LIFE_S * 3 / 4; /* past half of its life and the jitter */
    timed.server.answers[1].http_status = 403;
    assert_string_equal(timed_ask(&timed), "token-1");
    assert_int_equal(timed.server.n_posts, 2);
    assert_contains(timed.ear.last, "renewed ahead");
    timed_now_ms += 60000;
    timed_now_s += 59;
    assert_string_equal(timed_ask(&timed), "token-1");
    assert_int_equal(timed.server.n_posts, 2);
    timed_now_s += 1;
    assert_string_equal(timed_ask(&timed), "token-3");
}

/* A signer_source's get. */
static enum keystay_status get_signer(
    void *context, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    struct timed *timed = context;

    (void)err;
    *ret_signer = &timed->signer->base;
    return KEYSTAY_OK;
}

TEST(a_look_never_asks)
{
    CLEANUP(timed_clear) struct timed timed;
    const struct signer_source source = { get_signer, &timed };

    timed_init(&timed, NULL, NULL);
    assert_null(acquire_held(timed.client, NULL));
    assert_string_equal(timed_ask(&timed), "token-1");
    timed_now_s = TIMED_START_S + TIMED_LIFE_S * 3 / 4;
    for (int i = 0; i < 2; i++) {
        CLEANUP(token_freep) struct keystay_token *held = acquire_held(timed.client, NULL);
        assert_string_equal(keystay_token_value(held), "token-1");
    }
    assert_int_equal(timed.server.n_posts, 1);

    CLEANUP(token_freep) struct keystay_token *renewed = NULL;
    assert_ok(acquire_renew(timed.client, &source, NULL, &renewed, NULL));
    assert_string_equal(keystay_token_value(renewed), "token-2");
    assert_string_equal(timed_ask(&timed), "token-2");
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
        { 0, SPOIL_PIN, "token-1" },
        { 429, SPOIL_NOTHING, "token-1" },
        { 400, SPOIL_NOTHING, "server_refused" },
        { 404, SPOIL_NOTHING, "server_response" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(timed_clear) struct timed timed;

        timed_init(&timed, NULL, NULL);
        assert_string_equal(timed_ask(&timed), "token-1");
        timed_now_s = TIMED_START_S + TIMED_LIFE_S - 100;
        timed.signer->spoil = rows[i].spoil;
        for (int j = 1; j < TIMED_ANSWERS_MAX; j++) {
            timed.server.answers[j].http_status = rows[i].http_status;
            timed.server.answers[j].body =
                rows[i].http_status == 400 ? "{\"error\":\"unauthorized_client\"}" : "";
        }
        assert_string_equal(timed_ask(&timed), rows[i].answer);
        assert_int_equal(strstr(timed.ear.last, "is served") != NULL, str_equal(rows[i].answer, "token-1"));
        timed_now_s = TIMED_START_S + TIMED_LIFE_S; /* it has ended */
        timed_now_ms += 5000;
        assert_true(strstr(timed_ask(&timed), "token-1") == NULL);
    }
}

TEST(a_challenge_passes_by_what_is_kept_and_replaces_it)
{
    const struct keystay_request challenge = { .claims_challenge =
                                                   "Bearer error=\"insufficient_claims\", claims=\"e30\"" };
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, NULL, NULL);
    assert_string_equal(timed_ask(&timed), "token-1");
    assert_string_equal(timed_ask_for(&timed, &challenge), "token-2");
    assert_contains(
        timed.server.last_form,
        "&claims=%7B%22access_token%22%3A%7B%22xms_cc%22%3A%7B%22values%22%3A%5B%22cp1%22%5D%7D%7D%7D&");
    assert_int_equal(timed.signer->n_signed, 1); /* one assertion does for both */
    assert_string_equal(timed_ask(&timed), "token-2");
    timed.server.answers[2].http_status = 403;
    assert_string_equal(
        timed_ask_for(&timed, &challenge), "server_response"); /* the refused one is not served */
}

TEST(a_clock_that_was_set_back_makes_a_token_unusable)
{
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, NULL, NULL);
    assert_string_equal(timed_ask(&timed), "token-1");
    timed_now_s += TIMED_LIFE_S - 400; /* older than what the clock is set back by: it does not look new */
    timed_set_clock(-61);
    assert_string_equal(timed_ask(&timed), "token-2");
    timed_set_clock(-10 * 365 * 86400);
    assert_string_equal(timed_ask(&timed), "token-3");
    timed_set_clock(10 * 365 * 86400); /* what was got before looks as if it had ended */
    assert_string_equal(timed_ask(&timed), "token-4");
    assert_string_equal(timed_ask(&timed), "token-4");
}

TEST(a_clock_that_was_set_back_a_bit_lends_no_token_a_second)
{
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, NULL, NULL);
    assert_string_equal(timed_ask(&timed), "token-1");
    timed_set_clock(-60);
    assert_string_equal(timed_ask(&timed), "token-1");
    timed.signer->spoil = SPOIL_FAIL;
    timed_now_s = TIMED_START_S - 60 + TIMED_LIFE_S - 120; /* the assertion has ended too */
    assert_string_equal(timed_ask(&timed), "token-1");
    assert_contains(timed.ear.last, "ends in 120 s is served");
    timed_now_s += 120;
    timed_now_ms += 1000;
    assert_string_equal(timed_ask(&timed), "module");
}

TEST(what_was_signed_before_the_clock_was_set_back_is_not_sent)
{
    const struct keystay_request vault = { .scope = "https://vault.example/.default" };
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, NULL, NULL);
    assert_string_equal(timed_ask(&timed), "token-1");
    timed_set_clock(-61);
    assert_string_equal(timed_ask_for(&timed, &vault), "token-2");
    assert_int_equal(timed.signer->n_signed, 2);
}

TEST(an_answer_to_another_request_is_said)
{
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, NULL, NULL);
    timed.server.answers[0].request_id = "11111111-2222-3333-4444-555555555555";
    assert_string_equal(timed_ask(&timed), "token-1");
    assert_int_equal(timed.ear.n_warnings, 1);
    assert_contains(timed.ear.last, "11111111-2222-3333-4444-555555555555");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_with_a_request_is_said_before_anything_is_signed),
        cmocka_unit_test(a_token_is_kept_until_it_is_no_longer_fresh),
        cmocka_unit_test(who_wants_nearly_all_of_a_life_has_no_new_token_with_each_call),
        cmocka_unit_test(each_scope_has_a_token_and_one_assertion_does_for_all),
        cmocka_unit_test(without_a_cache_nothing_is_kept),
        cmocka_unit_test(an_assertion_near_its_end_is_signed_anew),
        cmocka_unit_test(where_a_jti_is_for_one_use_each_attempt_signs),
        cmocka_unit_test(one_call_renews_ahead_and_a_failure_costs_nothing),
        cmocka_unit_test(a_look_never_asks),
        cmocka_unit_test(a_token_that_lives_is_served_when_signer_or_network_fail),
        cmocka_unit_test(a_challenge_passes_by_what_is_kept_and_replaces_it),
        cmocka_unit_test(a_clock_that_was_set_back_makes_a_token_unusable),
        cmocka_unit_test(a_clock_that_was_set_back_a_bit_lends_no_token_a_second),
        cmocka_unit_test(what_was_signed_before_the_clock_was_set_back_is_not_sent),
        cmocka_unit_test(an_answer_to_another_request_is_said),
    };

    return RUN_TESTS(tests);
}
