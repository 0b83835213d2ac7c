/* SPDX-License-Identifier: Apache-2.0 */
/* What is tried again, when, and by which clock, which the test sets. */
#include "timed.h"

#include "base/str.h"
#include "oauth/access_token.h"

TEST(what_passes_is_tried_four_times_with_pauses)
{
    static const int statuses[] = { -1, 408, 429, 500, 503 };

    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        CLEANUP(timed_clear) struct timed timed;

        timed_init(&timed, NULL, NULL);
        for (int j = 0; j < 4; j++) {
            timed.server.answers[j] = (struct timed_answer){ .http_status = statuses[i], .body = "" };
        }
        assert_true(strstr(timed_ask(&timed), "token") == NULL);
        assert_int_equal(timed.server.n_posts, 4);
        assert_int_equal(timed.signer->n_signed, 1);
        assert_in_range(timed_slept_ms, 0, 1750);
        timed_now_ms += 1000; /* the error is forgotten */
        assert_string_equal(timed_ask(&timed), "token-5");
    }
}

TEST(an_error_stays_for_a_moment)
{
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, NULL, NULL);
    timed.server.answers[0] = (struct timed_answer){ .http_status = 404, .body = "" };
    assert_string_equal(timed_ask(&timed), "server_response");
    assert_string_equal(timed_ask(&timed), "server_response");
    assert_int_equal(timed.server.n_posts, 1);
    timed_now_ms += 1000;
    assert_string_equal(timed_ask(&timed), "token-2");
}

TEST(retry_after_is_waited_for_or_remembered)
{
    CLEANUP(timed_clear) struct timed timed;
    const struct keystay_request vault = { .scope = "https://vault.example/.default" };

    timed_init(&timed, NULL, NULL);
    timed.server.answers[0] = (struct timed_answer){ .http_status = 503, .body = "", .retry_after = "20" };
    assert_string_equal(timed_ask(&timed), "token-2");
    assert_int_equal(timed_slept_ms, 20000);
    assert_int_equal(timed.server.last_timeout_ms, 10000); /* of the thirty seconds */

    timed.server.answers[2] = (struct timed_answer){ .http_status = 429, .body = "", .retry_after = "120" };
    assert_string_equal(timed_ask_for(&timed, &vault), "throttled");
    timed_now_ms += 1000;
    assert_string_equal(timed_ask_for(&timed, &vault), "throttled"); /* and nobody was bothered */
    assert_int_equal(timed.server.n_posts, 3);
    timed_now_s += 100;
    timed_now_ms += 100000;
    assert_string_equal(timed_ask_for(&timed, &vault), "token-4");
    assert_int_equal(timed_slept_ms, 40000);
}

TEST(the_servers_clock_is_used_once_and_kept)
{
    /* CERT_NOW_S and ten minutes */
    static const char later[] = "Tue, 14 Nov 2023 22:23:20 GMT";
    const struct keystay_request vault = { .scope = "https://vault.example/.default" };
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, NULL, NULL);
    timed.server.answers[0] =
        (struct timed_answer){ .http_status = 401, .body = "{\"error\":\"invalid_client\"}", .date = later };
    assert_string_equal(timed_ask(&timed), "token-2");
    assert_int_equal(timed.signer->n_signed, 2);
    assert_int_equal(atomic_load(&timed.client->clock_offset_s), 600);
    timed_now_s += 560; /* the assertion has ended */
    assert_string_equal(timed_ask_for(&timed, &vault), "token-3");
    assert_int_equal(timed.signer->n_signed, 3);
}

TEST(clocks_that_are_too_far_apart_are_said)
{
    static const char *const dates[] = { "Tue, 14 Nov 2023 23:13:22 GMT", "Tue, 14 Nov 2023 21:13:18 GMT" };

    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        CLEANUP(timed_clear) struct timed timed;
        CLEANUP(token_freep) struct keystay_token *token = NULL;
        struct keystay_error err;

        timed_init(&timed, NULL, NULL);
        timed.server.answers[0] = (struct timed_answer){ .http_status = 401,
                                                         .body = "{\"error\":\"invalid_client\"}",
                                                         .date = dates[i] };
        assert_int_equal(
            keystay_client_acquire(timed.client, &timed.signer->base, &token, &err),
            KEYSTAY_E_SERVER_REFUSED);
        assert_contains(err.hint, "set the clock");
        assert_contains(err.hint, i == 0 ? "3602 s behind" : "3602 s ahead of");
        assert_true(str_is_guid(err.correlation_id));
        assert_int_equal(timed.signer->n_signed, 1);
    }
}

TEST(an_assertion_that_is_refused_when_it_is_reused_is_signed_anew)
{
    const struct keystay_request vault = { .scope = "https://vault.example/.default" };
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, NULL, NULL);
    assert_string_equal(timed_ask(&timed), "token-1");
    timed.server.answers[1] =
        (struct timed_answer){ .http_status = 400, .body = "{\"error\":\"invalid_request\"}" };
    assert_string_equal(timed_ask_for(&timed, &vault), "token-3");
    assert_int_equal(timed.signer->n_signed, 2);
    timed.server.answers[3] = timed.server.answers[4] =
        (struct timed_answer){ .http_status = 401, .body = "{\"error\":\"invalid_client\"}" };
    const struct keystay_request third = { .scope = "https://third.example/.default" };
    assert_string_equal(timed_ask_for(&timed, &third), "server_refused");
    assert_int_equal(timed.server.n_posts, 5); /* once, not for ever */
}

TEST(setting_the_clock_does_not_prolong_what_a_server_asked_for)
{
    CLEANUP(timed_clear) struct timed timed;

    timed_init(&timed, "timeout", "60");
    timed.server.answers[0] = (struct timed_answer){ .http_status = 429, .body = "", .retry_after = "100" };
    assert_string_equal(timed_ask(&timed), "throttled");
    timed_set_clock(-3000);
    timed_now_s += 70;
    timed_now_ms += 70000;
    assert_string_equal(timed_ask(&timed), "token-2");
    assert_int_equal(timed_slept_ms, 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_passes_is_tried_four_times_with_pauses),
        cmocka_unit_test(an_error_stays_for_a_moment),
        cmocka_unit_test(retry_after_is_waited_for_or_remembered),
        cmocka_unit_test(the_servers_clock_is_used_once_and_kept),
        cmocka_unit_test(clocks_that_are_too_far_apart_are_said),
        cmocka_unit_test(an_assertion_that_is_refused_when_it_is_reused_is_signed_anew),
        cmocka_unit_test(setting_the_clock_does_not_prolong_what_a_server_asked_for),
    };

    return RUN_TESTS(tests);
}
