/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "oauth/claims.h"

/* What comes out of text, or the refusal. */
static enum keystay_status add(const char *text, struct buf *to, struct keystay_error *err)
{
    *to = BUF(4 * CLAIMS_MAX);
    return claims_add_capability(slice_of_str(text), to, err);
}

static enum keystay_status of_challenge(const char *header, struct buf *to, struct keystay_error *err)
{
    *to = BUF(CLAIMS_HEADER_MAX);
    return claims_of_challenge(slice_of_str(header), to, err);
}

TEST(what_is_no_claims_request_is_refused)
{
    static const char *const rows[] = {
        "",
        "x",
        "[]",
        "null",
        "{",
        "{} {}",
        "{\"access_token\":5}",
        "{\"access_token\":null}",
        "{\"access_token\":[]}",
        "{\"a\":1,\"a\":2}",
        "{\"access_token\":{\"a\":1.5}}",
        "{\"access_token\":{\"a\":1e300}}",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf out;
        struct keystay_error err;

        assert_row(add(rows[i], &out, &err) == KEYSTAY_E_CONFIG, rows[i]);
        assert_int_equal(err.status, KEYSTAY_E_CONFIG);
        assert_contains(err.message, "the claims request");
        assert_contains(err.hint, "acrs");
    }
}

TEST(the_capability_is_merged_in)
{
    static const struct {
        const char *asked, *sent;
    } rows[] = {
        { "{}", "{\"access_token\":{\"xms_cc\":{\"values\":[\"cp1\"]}}}" },
        { "{\"access_token\":{}}", "{\"access_token\":{\"xms_cc\":{\"values\":[\"cp1\"]}}}" },
        { "{\"access_token\":{\"acrs\":{\"essential\":true,\"value\":\"c1\"}}}",
          "{\"access_token\":{\"acrs\":{\"essential\":true,\"value\":\"c1\"},\"xms_cc\":{\"values\":[\"cp1\"]}}}" },
        { "{\"id_token\":{\"a\":null},\"access_token\":{\"nbf\":{\"value\":\"1604106651\"}}}",
          "{\"id_token\":{\"a\":null},\"access_token\":{\"nbf\":{\"value\":\"1604106651\"},\"xms_cc\":{\"values\":["
          "\"cp1\"]}}}" },
        { "{\"access_token\":{\"xms_cc\":{\"values\":[\"cp2\",\"CP1\"],\"essential\":false}}}",
          "{\"access_token\":{\"xms_cc\":{\"essential\":false,\"values\":[\"cp1\",\"cp2\"]}}}" },
        { "{\"access_token\":{\"xms_cc\":null}}", "{\"access_token\":{\"xms_cc\":{\"values\":[\"cp1\"]}}}" },
        { "{\"access_token\":{\"a\":[1,-2,[],{\"b\":\"\\\"\"}]}}",
          "{\"access_token\":{\"a\":[1,-2,[],{\"b\":\"\\\"\"}],\"xms_cc\":{\"values\":[\"cp1\"]}}}" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf out;

        assert_row(add(rows[i].asked, &out, NULL) == KEYSTAY_OK, rows[i].asked);
        assert_buf(&out, rows[i].sent);
    }
}

TEST(a_request_that_is_too_long_is_refused)
{
    CLEANUP(buf_clear) struct buf text = BUF(CLAIMS_MAX + 100);
    CLEANUP(buf_clear) struct buf out = BUF(4 * CLAIMS_MAX);

    assert_ok(buf_puts(&text, "{\"a\":\"", NULL));
    while (text.len < CLAIMS_MAX - 2) {
        assert_ok(buf_putc(&text, 'x', NULL));
    }
    assert_ok(buf_puts(&text, "\"}", NULL));
    assert_int_equal(text.len, CLAIMS_MAX);
    assert_ok(claims_add_capability(buf_slice(&text), &out, NULL));
    assert_ok(buf_putc(&text, ' ', NULL));
    assert_int_equal(claims_add_capability(buf_slice(&text), &out, NULL), KEYSTAY_E_CONFIG);
}

/* {"access_token":{"acrs":{"essential":true,"value":"cp1"}}}, as Microsoft's documentation has it. */
#define CLAIMS_TEXT "{\"access_token\":{\"acrs\":{\"essential\":true,\"value\":\"cp1\"}}}"
#define CLAIMS "eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiY3AxIn19fQ"

TEST(the_claims_of_a_challenge_are_found)
{
    static const char *const rows[] = {
        "Bearer realm=\"\", authorization_uri=\"https://login.example/authorize\", error=\"insufficient_claims\", "
        "claims=\"" CLAIMS "==\"",
        "Bearer error=insufficient_claims,claims=" CLAIMS,
        "bearer CLAIMS=\"" CLAIMS "\" , Error = \"insufficient_claims\"",
        "Bearer claims=\"" CLAIMS "==\", error=\"insufficient_claims\", client_id=\"a, b=c\"",
        "Basic realm=\"Bearer error=\\\"insufficient_claims\\\"\", Bearer error=\"insufficient_claims\", claims=\"" CLAIMS
        "\"",
        "Negotiate, Bearer error=\"insufficient_claims\", claims=\"" CLAIMS "\", Digest a=b",
        "Negotiate YWJjZA==, Bearer error=\"insufficient_claims\", claims=\"" CLAIMS "\"",
        "Bearer error=\"invalid_token\", Bearer error=\"insufficient_claims\", claims=\"" CLAIMS "\"",
        ", ,Bearer error=\"insufficient_claims\",, claims=\"" CLAIMS "\", ,",
        "Bearer  error=\"insufficient\\_claims\", claims=\"" CLAIMS "\"",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf out;

        assert_row(of_challenge(rows[i], &out, NULL) == KEYSTAY_OK, rows[i]);
        assert_buf(&out, CLAIMS_TEXT);
    }
}

TEST(a_challenge_that_asks_for_no_claims_is_said_to_be_that)
{
    static const char *const rows[] = {
        "",
        ",",
        "Bearer",
        "Bearer realm=\"x\"",
        "Bearer error=\"invalid_token\", claims=\"" CLAIMS "\"",
        "Bearer error=\"insufficient_claims\"",
        "Bearer claims=\"" CLAIMS "\"",
        "Basic error=\"insufficient_claims\", claims=\"" CLAIMS "\"",
        "Bearer error=\"Insufficient_Claims\", claims=\"" CLAIMS "\"",
        "Bearer error=\"insufficient_claims\", claims=\"\"",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf out;
        struct keystay_error err;

        assert_row(of_challenge(rows[i], &out, &err) == KEYSTAY_E_CONFIG, rows[i]);
        assert_contains(err.message, "no Bearer challenge");
        assert_contains(err.hint, "WWW-Authenticate");
    }
}

TEST(what_is_malformed_is_refused_as_a_whole)
{
    static const char *const rows[] = {
        "=",
        "\"",
        "Bearer\terror=\"insufficient_claims\", claims=\"" CLAIMS "\"", /* 1*SP comes after a scheme */
        "Bearer =x",
        "Bearer error",
        "Bearer error=",
        "Bearer error=\"insufficient_claims",
        "Bearer error=\"insufficient_claims\\",
        "Bearer error=\"insufficient_claims\" claims=\"" CLAIMS "\"",
        "Bearer error=\"insufficient_claims\"; claims=\"" CLAIMS "\"",
        "Bearer error=insufficient_claims, claims=" CLAIMS "==",
        "Bearer error=\"insufficient_claims\", claims=\"" CLAIMS "\", \"",
        "Bearer error=\"insufficient_claims\", claims=\"" CLAIMS "\", a=\x01",
        "Bearer error=\"insufficient_claims\", claims=\"" CLAIMS "\", a=\"\x7f\"",
        "Bearer error=\"insufficient_claims\", error=\"insufficient_claims\", claims=\"" CLAIMS "\"",
        "Bearer error=\"insufficient_claims\", claims=\"" CLAIMS "\", claims=\"" CLAIMS "\"",
        "Bearer error=\"insufficient_claims\", claims=\"" CLAIMS
        "\", Bearer error=\"insufficient_claims\", claims=\"e30\"",
        "WWW-Authenticate: Bearer error=\"insufficient_claims\", claims=\"" CLAIMS "\"",
        "Bearer error=\"insufficient_claims\", claims=\"!\"",
        "Bearer error=\"insufficient_claims\", claims=\"e\"",
        "Bearer error=\"insufficient_claims\", claims=\"e30=e30\"",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf out;
        struct keystay_error err;

        assert_row(of_challenge(rows[i], &out, &err) == KEYSTAY_E_CONFIG, rows[i]);
        assert_tame(err.message);
        assert_row(of_challenge(rows[i], &out, NULL) == KEYSTAY_E_CONFIG, rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_claims_request_is_refused),
        cmocka_unit_test(the_capability_is_merged_in),
        cmocka_unit_test(a_request_that_is_too_long_is_refused),
        cmocka_unit_test(the_claims_of_a_challenge_are_found),
        cmocka_unit_test(a_challenge_that_asks_for_no_claims_is_said_to_be_that),
        cmocka_unit_test(what_is_malformed_is_refused_as_a_whole),
    };

    return RUN_TESTS(tests);
}
