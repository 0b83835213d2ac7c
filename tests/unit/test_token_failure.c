/* SPDX-License-Identifier: Apache-2.0 */
/* The other half of oauth/token_response: answers that say no, and pages that say nothing (RFC 6749 §5.2). */
#include "unit.h"

#include <stdio.h>

#include "oauth/token_response.h"

static const char url[] = "https://login.example/t/oauth2/v2.0/token";

/* As Entra sends it. */
static const char entra_refusal[] =
    "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS700027: The certificate with identifier used "
    "to sign the client assertion is not registered on application. [Reason - The key was not found., "
    "Thumbprint of key used by client: '84E05C1D98BCE3A5421D225B140B36E86A3D5534'] Trace ID: "
    "f4ac98ae-4a25-4ac2-9d19-e2f2a9a4b300 Correlation ID: 1b9a5a2c-7a9e-4c9e-8d43-0a6bd0f8c111 Timestamp: "
    "2023-11-14 22:13:20Z\",\"error_codes\":[700027],\"timestamp\":\"2023-11-14 22:13:20Z\",\"trace_id\":"
    "\"f4ac98ae-4a25-4ac2-9d19-e2f2a9a4b300\",\"correlation_id\":\"1b9a5a2c-7a9e-4c9e-8d43-0a6bd0f8c111\","
    "\"error_uri\":\"https://login.microsoftonline.com/error?code=700027\"}";

static struct keystay_error refuse(int http_status, const char *body, enum keystay_status wanted)
{
    struct keystay_error err;
    enum keystay_status status = token_response_parse_failure(http_status, slice_of_str(body), url, &err);

    if (status != wanted) {
        fail_msg(
            "HTTP %d with %s: %s, not %s", http_status, body, keystay_status_name(status),
            keystay_status_name(wanted));
    }
    assert_int_equal(err.status, wanted);
    assert_int_equal(err.http_status, http_status);
    assert_contains(err.message, url);
    assert_tame(err.message);
    assert_tame(err.hint);
    assert_tame(err.oauth_error);
    assert_tame(err.trace_id);
    assert_tame(err.correlation_id);
    /* Nobody has to ask for the words. */
    assert_int_equal(token_response_parse_failure(http_status, slice_of_str(body), url, NULL), wanted);
    return err;
}

TEST(a_success_is_no_failure_but_never_ok_either)
{
    (void)refuse(200, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}", KEYSTAY_E_SERVER_RESPONSE);
    (void)refuse(200, "{\"error\":\"invalid_client\"}", KEYSTAY_E_SERVER_REFUSED);
}

TEST(tells_what_entra_said)
{
    struct keystay_error err = refuse(401, entra_refusal, KEYSTAY_E_SERVER_REFUSED);

    assert_string_equal(err.oauth_error, "invalid_client");
    assert_int_equal(err.aadsts, 700027);
    assert_string_equal(err.trace_id, "f4ac98ae-4a25-4ac2-9d19-e2f2a9a4b300");
    assert_string_equal(err.correlation_id, "1b9a5a2c-7a9e-4c9e-8d43-0a6bd0f8c111");
    assert_string_equal(
        err.message,
        "https://login.example/t/oauth2/v2.0/token refused: invalid_client (HTTP 401): AADSTS700027: The "
        "certificate with identifier used to sign the client assertion is not registered on application. "
        "[Reason - The key was not found., Thumbprint of key used by client: "
        "'84E05C1D98BCE3A5421D225B140B36E86A3D5534']");
    assert_contains(err.hint, "upload this certificate");
}

TEST(tells_what_a_plain_server_said)
{
    struct keystay_error err = refuse(400, "{\"error\":\"invalid_scope\"}", KEYSTAY_E_SERVER_REFUSED);

    assert_string_equal(
        err.message, "https://login.example/t/oauth2/v2.0/token refused: invalid_scope (HTTP 400)");
    assert_string_equal(err.oauth_error, "invalid_scope");
    assert_string_equal(err.hint, "");
    assert_string_equal(err.trace_id, "");
    assert_int_equal(err.aadsts, 0);
}

TEST(the_number_comes_from_the_codes_or_else_the_text)
{
    static const struct {
        const char *members;
        int aadsts;
    } rows[] = {
        { "\"error_codes\":[700027]", 700027 },
        { "\"error_codes\":[90002,700027]", 90002 },
        { "\"error_codes\":[700024],\"error_description\":\"AADSTS90002: x\"", 700024 },
        { "\"error_description\":\"AADSTS90002: x\"", 90002 },
        { "\"error_codes\":[],\"error_description\":\"AADSTS90002: x\"", 90002 },
        { "\"error_codes\":[\"700027\"],\"error_description\":\"AADSTS90002: x\"", 90002 },
        { "\"error_codes\":700027,\"error_description\":\"AADSTS90002: x\"", 90002 },
        { "\"error_codes\":[1e300],\"error_description\":\"AADSTS90002: x\"", 90002 },
        { "\"error_codes\":[-5]", 0 },
        { "\"error_codes\":null", 0 },
        { "\"error_description\":\"no number\"", 0 },
        { "\"error_description\":[\"AADSTS90002\"]", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char body[200];
        (void)snprintf(body, sizeof(body), "{\"error\":\"invalid_request\",%s}", rows[i].members);
        struct keystay_error err = refuse(400, body, KEYSTAY_E_SERVER_REFUSED);
        assert_row(err.aadsts == rows[i].aadsts, rows[i].members);
    }
}

/* Programs branch on these; the body has no say in it. */
TEST(the_http_status_says_whether_later_may_help)
{
    static const struct {
        int http_status;
        enum keystay_status with_oauth, without;
        const char *hint; /* of a body that is none */
    } rows[] = {
        { 301, KEYSTAY_E_SERVER_REFUSED, KEYSTAY_E_SERVER_RESPONSE, "redirect" },
        { 302, KEYSTAY_E_SERVER_REFUSED, KEYSTAY_E_SERVER_RESPONSE, "redirect" },
        { 308, KEYSTAY_E_SERVER_REFUSED, KEYSTAY_E_SERVER_RESPONSE, "redirect" },
        { 400, KEYSTAY_E_SERVER_REFUSED, KEYSTAY_E_SERVER_RESPONSE, "token endpoint" },
        { 401, KEYSTAY_E_SERVER_REFUSED, KEYSTAY_E_SERVER_RESPONSE, "token endpoint" },
        { 404, KEYSTAY_E_SERVER_REFUSED, KEYSTAY_E_SERVER_RESPONSE, "token endpoint" },
        { 407, KEYSTAY_E_SERVER_REFUSED, KEYSTAY_E_SERVER_RESPONSE, "HTTPS_PROXY" },
        { 428, KEYSTAY_E_SERVER_REFUSED, KEYSTAY_E_SERVER_RESPONSE, "token endpoint" },
        { 429, KEYSTAY_E_THROTTLED, KEYSTAY_E_THROTTLED, "too many requests" },
        { 430, KEYSTAY_E_SERVER_REFUSED, KEYSTAY_E_SERVER_RESPONSE, "token endpoint" },
        { 499, KEYSTAY_E_SERVER_REFUSED, KEYSTAY_E_SERVER_RESPONSE, "token endpoint" },
        { 500, KEYSTAY_E_SERVER_DOWN, KEYSTAY_E_SERVER_DOWN, "try again later" },
        { 503, KEYSTAY_E_SERVER_DOWN, KEYSTAY_E_SERVER_DOWN, "try again later" },
        { 599, KEYSTAY_E_SERVER_DOWN, KEYSTAY_E_SERVER_DOWN, "try again later" },
    };
    static const char *const pages[] = { "", "<html><h1>Hello</h1></html>", "{}", "{\"error\":7}", "[]" };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        (void)refuse(rows[i].http_status, "{\"error\":\"x\"}", rows[i].with_oauth);
        for (size_t k = 0; k < ARRAY_LEN(pages); k++) {
            struct keystay_error err = refuse(rows[i].http_status, pages[k], rows[i].without);
            assert_contains(err.hint, rows[i].hint);
            assert_string_equal(err.oauth_error, "");
        }
    }
}

TEST(the_first_words_of_a_page_are_quoted)
{
    struct keystay_error err =
        refuse(403, "<html>\r\n<title>Blocked by proxy</title>", KEYSTAY_E_SERVER_RESPONSE);

    assert_contains(err.message, "HTTP 403");
    assert_contains(err.message, "'<html>  <title>Blocked by proxy</title>'");
}

TEST(a_long_text_is_cut)
{
    char page[2000];
    char body[4200];

    memset(page, 'x', sizeof(page));
    page[sizeof(page) - 1] = '\0';
    struct keystay_error err = refuse(502, page, KEYSTAY_E_SERVER_DOWN);
    assert_in_range(strlen(err.message), 80, 300);
    assert_contains(err.message, "xxx...'");

    (void)snprintf(body, sizeof(body), "{\"error\":\"%s\",\"trace_id\":\"%s\"}", page, page);
    err = refuse(400, body, KEYSTAY_E_SERVER_REFUSED);
    assert_int_equal(strlen(err.oauth_error), KEYSTAY_ERROR_CODE_SIZE - 1);
    assert_int_equal(strlen(err.trace_id), KEYSTAY_ERROR_ID_SIZE - 1);

    (void)snprintf(body, sizeof(body), "{\"error\":\"e\",\"error_description\":\"%s\"}", page);
    err = refuse(400, body, KEYSTAY_E_SERVER_REFUSED);
    assert_in_range(strlen(err.message), 500, KEYSTAY_ERROR_MESSAGE_SIZE - 1);
}

TEST(a_description_may_be_nothing_but_ids)
{
    struct keystay_error err = refuse(
        400, "{\"error\":\"e\",\"error_description\":\" \\r\\n Trace ID: 1 Correlation ID: 2\"}",
        KEYSTAY_E_SERVER_REFUSED);

    assert_string_equal(err.message, "https://login.example/t/oauth2/v2.0/token refused: e (HTTP 400)");
}

/* refuse checks that nothing of it reaches a terminal as more than text. */
TEST(control_characters_are_replaced)
{
    struct keystay_error err = refuse(
        400,
        "{\"error\":\"inv\\u001balid\",\"error_description\":\"one\\r\\ntwo\\u0007\\u202e\\u009b31m\","
        "\"trace_id\":\"\\u001b]0;x\\u0007\",\"correlation_id\":\"a\\nb\"}",
        KEYSTAY_E_SERVER_REFUSED);

    assert_string_equal(err.oauth_error, "inv?alid");
    assert_contains(err.message, "one  two???31m");
    assert_string_equal(err.trace_id, "?]0;x?");
    assert_string_equal(err.correlation_id, "a b");
    err = refuse(502, "\x1B[2J\xFF\x07<html>\x9B", KEYSTAY_E_SERVER_DOWN);
    assert_contains(err.message, "'?[2J?\?<html>?'");
}

/* A server may repeat the assertion that it refused. */
TEST(what_looks_like_a_jwt_is_not_repeated)
{
    static const char *const bodies[] = {
        "{\"error\":\"invalid_client\",\"error_description\":\"bad: eyJhbGciOi.eyJhdWQi.SECRET\"}",
        "{\"error\":\"eyJhbGciOi.eyJhdWQi.SECRET\"}",
        "{\"error\":\"e\",\"trace_id\":\"eyJhbGciOi.eyJhdWQi.SECRET\"}",
        "{\"error\":\"e\",\"correlation_id\":\"x eyJhbGciOi.eyJhdWQi.SECRET\"}",
        "client_assertion=eyJhbGciOi.eyJhdWQi.SECRET&scope=x",
    };

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct keystay_error err;
        assert_int_not_equal(
            token_response_parse_failure(400, slice_of_str(bodies[i]), url, &err), KEYSTAY_OK);
        assert_lacks(err.message, "SECRET");
        assert_lacks(err.oauth_error, "SECRET");
        assert_lacks(err.trace_id, "SECRET");
        assert_lacks(err.correlation_id, "SECRET");
    }
}

TEST(a_member_twice_is_no_oauth_answer)
{
    struct keystay_error err = refuse(400, "{\"error\":\"a\",\"error\":\"b\"}", KEYSTAY_E_SERVER_RESPONSE);

    assert_string_equal(err.oauth_error, "");
}

TEST(a_gate_in_front_says_what_it_wants)
{
    static const struct {
        int http_status;
        const char *body, *challenge;
        bool is_told;
    } rows[] = {
        { 401, "<html>", "Negotiate", true },
        { 401, "", "Basic realm=\"eyJhbGciOiJIUzI1NiJ9.e30\"", true },
        { 401, "<html>", "", false },
        { 403, "<html>", "Negotiate", false },
        { 401, "{\"error\":\"invalid_client\"}", "Bearer",
          false }, /* RFC 6749 §5.2: it says so in the body */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(http_response_clear)
        struct http_response response = { .status = rows[i].http_status, .body = BUF(HTTP_BODY_MAX) };
        struct keystay_token *token = NULL;
        struct keystay_error err;

        assert_ok(buf_puts(&response.body, rows[i].body, NULL));
        memcpy(response.www_authenticate, rows[i].challenge, strlen(rows[i].challenge));
        assert_int_not_equal(
            token_response_parse(&response, "https://login.example/token", 0, &token, &err), KEYSTAY_OK);
        assert_row((strstr(err.message, "it wants: ") != NULL) == rows[i].is_told, rows[i].challenge);
        assert_lacks(err.message, "eyJ");
        assert_int_not_equal(
            token_response_parse(&response, "https://login.example/token", 0, &token, NULL), KEYSTAY_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_success_is_no_failure_but_never_ok_either),
        cmocka_unit_test(tells_what_entra_said),
        cmocka_unit_test(tells_what_a_plain_server_said),
        cmocka_unit_test(the_number_comes_from_the_codes_or_else_the_text),
        cmocka_unit_test(the_http_status_says_whether_later_may_help),
        cmocka_unit_test(the_first_words_of_a_page_are_quoted),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(a_description_may_be_nothing_but_ids),
        cmocka_unit_test(control_characters_are_replaced),
        cmocka_unit_test(what_looks_like_a_jwt_is_not_repeated),
        cmocka_unit_test(a_member_twice_is_no_oauth_answer),
        cmocka_unit_test(a_gate_in_front_says_what_it_wants),
    };

    return RUN_TESTS(tests);
}
