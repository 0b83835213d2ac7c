/* SPDX-License-Identifier: Apache-2.0 */
/* A key, a server and a network that fail: nothing is sent that should not be, and the error is passed on. */
#include "unit.h"

#include "base/str.h"
#include "client_world.h"
#include "oauth/access_token.h"

static const char endpoint[] = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token";

TEST(a_key_that_can_do_nothing_of_use_sends_nothing)
{
    CLEANUP(world_clear) struct world world;
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    struct keystay_error err;

    world_init(&world);
    world.signer->base.algs = ALG_BIT(KEYSTAY_ALG_ES256);
    world_start_for_graph(&world);
    assert_int_equal(world_acquire(&world, &token, &err), KEYSTAY_E_ALGORITHM);
    assert_null(token);
    assert_int_equal(world.signer->n_signed, 0);
    assert_int_equal(world.n_posts, 0);
}

/* Neither half a signature nor a wrong one leaves the machine. */
TEST(a_signature_that_fails_is_not_sent)
{
    static const struct {
        enum spoil spoil;
        enum keystay_status status;
    } rows[] = {
        { SPOIL_FAIL, KEYSTAY_E_MODULE },
        { SPOIL_FAIL_HALFWAY, KEYSTAY_E_MODULE },
        { SPOIL_BIT, KEYSTAY_E_KEY_MISMATCH },
        { SPOIL_EMPTY, KEYSTAY_E_KEY_MISMATCH },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(world_clear) struct world world;
        CLEANUP(token_freep) struct keystay_token *token = NULL;
        struct keystay_error err;

        world_init(&world);
        world_start_for_graph(&world);
        world.signer->spoil = rows[i].spoil;
        assert_int_equal(world_acquire(&world, &token, &err), rows[i].status);
        assert_int_equal(err.status, rows[i].status);
        assert_int_equal(world.n_posts, 0);
        assert_null(token);
    }
}

TEST(what_the_server_says_is_passed_on)
{
    static const struct {
        int http_status;
        const char *answer;
        enum keystay_status status;
        int n_posts;
    } rows[] = {
        { 401, "{\"error\":\"invalid_client\",\"error_codes\":[700027],\"trace_id\":\"t-1\"}",
          KEYSTAY_E_SERVER_REFUSED, 1 },
        { 429, "{\"error\":\"temporarily_unavailable\"}", KEYSTAY_E_THROTTLED, 4 },
        { 503, "<html>", KEYSTAY_E_SERVER_DOWN, 4 },
        { 302, "", KEYSTAY_E_SERVER_RESPONSE, 1 },
        { 200, "{}", KEYSTAY_E_SERVER_RESPONSE, 1 },
        { 200, "{\"token_type\":\"mac\",\"access_token\":\"a\"}", KEYSTAY_E_SERVER_TOKEN_TYPE, 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(world_clear) struct world world;
        CLEANUP(token_freep) struct keystay_token *token = NULL;
        struct keystay_error err;

        world_init(&world);
        world_start_for_graph(&world);
        world.http_status = rows[i].http_status;
        world.answer = rows[i].answer;
        assert_row(world_acquire(&world, &token, &err) == rows[i].status, rows[i].answer);
        assert_contains(err.message, endpoint);
        assert_int_equal(err.http_status, rows[i].http_status);
        assert_int_equal(world.n_posts, rows[i].n_posts); /* only what may pass is sent again */
        assert_null(token);
        assert_row(i > 0 || (err.aadsts == 700027 && str_equal(err.trace_id, "t-1")), rows[i].answer);
        assert_row(world_acquire(&world, &token, NULL) == rows[i].status, rows[i].answer);
    }
}

TEST(a_transport_that_fails_is_passed_on)
{
    CLEANUP(world_clear) struct world world;
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    struct keystay_error err;

    world_init(&world);
    world_start_for_graph(&world);
    world.transport_status = KEYSTAY_E_TLS;
    assert_int_equal(world_acquire(&world, &token, &err), KEYSTAY_E_TLS);
    assert_string_equal(err.message, "the fake transport fails");
    assert_int_equal(world.n_posts, 1);
    assert_null(token);
}

TEST(no_secret_is_logged)
{
    CLEANUP(world_clear) struct world world;
    CLEANUP(token_freep) struct keystay_token *token = NULL;

    world_init(&world);
    world_start_for_graph(&world);
    assert_ok(world_acquire(&world, &token, NULL));
    assert_contains(buf_str(&world.lines), "PS256");
    assert_contains(buf_str(&world.lines), "HTTP 200");
    assert_lacks(buf_str(&world.lines), "eyJ"); /* neither assertion nor token */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_can_do_nothing_of_use_sends_nothing),
        cmocka_unit_test(a_signature_that_fails_is_not_sent),
        cmocka_unit_test(what_the_server_says_is_passed_on),
        cmocka_unit_test(a_transport_that_fails_is_passed_on),
        cmocka_unit_test(no_secret_is_logged),
    };

    return RUN_TESTS(tests);
}
