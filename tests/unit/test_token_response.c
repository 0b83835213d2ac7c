/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "oauth/token_response.h"

static const char url[] = "https://login.example/t/oauth2/v2.0/token";
static const int64_t asked_at_s = 1700000000;

static enum keystay_status answer(
    int http_status, struct slice body, struct keystay_token **ret_token, struct keystay_error *err)
{
    CLEANUP(http_response_clear)
    struct http_response response = { .status = http_status, .body = BUF(HTTP_BODY_MAX) };

    assert_ok(buf_put(&response.body, body, NULL));
    return token_response_parse(&response, url, asked_at_s, ret_token, err);
}

/* The answer must be refused with and without an error structure, and hands out no token. */
static struct keystay_error refuse(int http_status, const char *body, enum keystay_status wanted)
{
    struct keystay_token *token = NULL;
    struct keystay_error err;

    enum keystay_status status = answer(http_status, slice_of_str(body), &token, &err);
    if (status != wanted) {
        fail_msg(
            "HTTP %d with %s: %s, not %s", http_status, body, keystay_status_name(status),
            keystay_status_name(wanted));
    }
    assert_null(token);
    assert_int_equal(err.status, wanted);
    assert_int_equal(err.http_status, http_status);
    assert_contains(err.message, url);
    assert_tame(err.message);
    assert_tame(err.hint);
    assert_int_equal(answer(http_status, slice_of_str(body), &token, NULL), wanted);
    assert_null(token);
    return err;
}

/* A success with one value for expires_in. */
static const char *with_expires_in(const char *value, char text[200])
{
    (void)snprintf(
        text, 200, "{\"token_type\":\"Bearer\",\"access_token\":\"a.b.c\",\"expires_in\":%s}", value);
    return text;
}

TEST(an_answer_without_a_body_is_none)
{
    struct keystay_error err = refuse(200, "", KEYSTAY_E_SERVER_RESPONSE);

    assert_contains(err.message, "HTTP 200, but");
    assert_contains(err.hint, "--authority");
    err = refuse(404, "", KEYSTAY_E_SERVER_RESPONSE);
    assert_contains(err.message, "HTTP 404 with no body");
}

TEST(what_is_missing_is_named)
{
    static const struct {
        const char *body;
        const char *part;
    } rows[] = {
        { "{}", "token_type" },
        { "{\"access_token\":\"a.b.c\",\"expires_in\":3599}", "token_type" },
        { "{\"token_type\":\"Bearer\",\"expires_in\":3599}", "access_token" },
        { "{\"token_type\":\"Bearer\",\"access_token\":null}", "access_token" },
        { "{\"token_type\":\"Bearer\",\"access_token\":7}", "access_token" },
        { "{\"token_type\":[\"Bearer\"],\"access_token\":\"a.b.c\"}", "token_type" },
        { "{\"Token_Type\":\"Bearer\",\"Access_Token\":\"a.b.c\"}", "token_type" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct keystay_error err = refuse(200, rows[i].body, KEYSTAY_E_SERVER_RESPONSE);
        assert_contains(err.message, rows[i].part);
    }
}

TEST(reads_a_token_of_both_endpoints)
{
    static const char *const bodies[] = {
        "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"ext_expires_in\":3599,\"access_token\":\"eyJ.x.y\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":\"3599\",\"ext_expires_in\":\"3599\",\"expires_on\":"
        "\"1700003599\",\"not_before\":\"1699999700\",\"resource\":\"https://graph.microsoft.com\","
        "\"access_token\":\"eyJ.x.y\"}",
        " {\"token_type\":\"bearer\",\"expires_in\":3.599e3,\"access_token\":\"eyJ.x.y\"}\r\n",
        "{\"token_type\":\"BEARER\",\"expires_in\":3599.0,\"access_token\":\"eyJ.x.y\"}",
    };

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        CLEANUP(token_freep) struct keystay_token *token = NULL;
        assert_row(answer(200, slice_of_str(bodies[i]), &token, NULL) == KEYSTAY_OK, bodies[i]);
        assert_string_equal(keystay_token_value(token), "eyJ.x.y");
        assert_int_equal(keystay_token_expires_at_s(token), asked_at_s + 3599);
    }
}

TEST(a_server_that_names_no_end_gets_the_default)
{
    CLEANUP(token_freep) struct keystay_token *token = NULL;

    assert_ok(answer(200, SLICE("{\"token_type\":\"Bearer\",\"access_token\":\"a.b.c\"}"), &token, NULL));
    assert_int_equal(keystay_token_expires_at_s(token), asked_at_s + TOKEN_EXPIRES_DEFAULT_S);
}

TEST(a_lifetime_is_a_whole_number_within_reason)
{
    static const struct {
        const char *value;
        int64_t lifetime_s; /* 0: refused */
    } rows[] = {
        { "1", 1 },
        { "316224000", TOKEN_EXPIRES_MAX_S },
        { "\"316224000\"", TOKEN_EXPIRES_MAX_S },
        { "316224001", 0 },
        { "\"316224001\"", 0 },
        { "0", 0 },
        { "\"0\"", 0 },
        { "-0", 0 },
        { "-1", 0 },
        { "\"-1\"", 0 },
        { "-3599", 0 },
        { "3599.5", 0 },
        { "0.5", 0 },
        { "\"3599.0\"", 0 },
        { "\"\"", 0 },
        { "\" 3599\"", 0 },
        { "\"0x10\"", 0 },
        { "9007199254740993", 0 },
        { "9223372036854775807", 0 },
        { "18446744073709551616", 0 },
        { "\"18446744073709551616\"", 0 },
        { "1e400", 0 },
        { "-1e400", 0 },
        { "null", 0 },
        { "true", 0 },
        { "{}", 0 },
        { "[3599]", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(token_freep) struct keystay_token *token = NULL;
        char body[200];

        (void)with_expires_in(rows[i].value, body);
        if (rows[i].lifetime_s == 0) {
            struct keystay_error err = refuse(200, body, KEYSTAY_E_SERVER_RESPONSE);
            assert_contains(err.message, "expires_in");
        } else {
            assert_row(answer(200, slice_of_str(body), &token, NULL) == KEYSTAY_OK, rows[i].value);
            assert_int_equal(keystay_token_expires_at_s(token), asked_at_s + rows[i].lifetime_s);
        }
    }
}

TEST(a_token_may_be_long_but_not_endless)
{
    static const struct {
        size_t len;
        enum keystay_status status;
    } rows[] = {
        { 1, KEYSTAY_OK },
        { TOKEN_LEN_MAX, KEYSTAY_OK },
        { TOKEN_LEN_MAX + 1, KEYSTAY_E_SERVER_RESPONSE },
        { 0, KEYSTAY_E_SERVER_RESPONSE },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf body = BUF(HTTP_BODY_MAX);
        CLEANUP(token_freep) struct keystay_token *token = NULL;

        assert_ok(buf_puts(&body, "{\"token_type\":\"Bearer\",\"access_token\":\"", NULL));
        for (size_t n = 0; n < rows[i].len; n++) {
            assert_ok(buf_putc(&body, 'a', NULL));
        }
        assert_ok(buf_puts(&body, "\"}", NULL));
        assert_int_equal(answer(200, buf_slice(&body), &token, NULL), rows[i].status);
        assert_int_equal(token != NULL, rows[i].status == KEYSTAY_OK);
    }
}

/* RFC 6749 §7.1. */
TEST(another_type_of_token_is_not_handed_out)
{
    static const char *const types[] = { "mac", "DPoP", "PoP", "", "Bearer ", "N_A", "Bearer\\u001b[31m" };

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        char body[200];
        (void)snprintf(
            body, sizeof(body), "{\"token_type\":\"%s\",\"access_token\":\"a.b.c\",\"expires_in\":9}",
            types[i]);
        struct keystay_error err = refuse(200, body, KEYSTAY_E_SERVER_TOKEN_TYPE);
        assert_lacks(err.message, "a.b.c");
    }
}

/* Whoever uses a token puts it into a header. */
TEST(a_token_that_no_header_may_hold_is_refused)
{
    static const char *const values[] = {
        "a b",      "a\\r\\nX-Admin: 1", "a\\n",     "\\ta",      "a\\u007f",
        "a\\u0080", "caf\xC3\xA9",       "a\\u2028", "a\\u202eb", " ",
    };

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char body[200];
        (void)snprintf(
            body, sizeof(body), "{\"token_type\":\"Bearer\",\"access_token\":\"SECRET%s\"}", values[i]);
        struct keystay_error err = refuse(200, body, KEYSTAY_E_SERVER_RESPONSE);
        assert_lacks(err.message, "SECRET");
    }
}

TEST(what_two_parsers_could_read_differently_is_refused)
{
    static const char *const bodies[] = {
        "{\"token_type\":\"Bearer\",\"access_token\":\"a\",\"access_token\":\"b\"}",
        "{\"token_type\":\"Bearer\",\"token_type\":\"mac\",\"access_token\":\"a\"}",
        "{\"token_type\":\"Bearer\",\"access_token\":\"a\",\"access_toke\\u006e\":\"b\"}",
        "{\"token_type\":\"Bearer\",\"access_token\":\"a\",\"expires_in\":1,\"expires_in\":2}",
        "{\"token_type\":\"Bearer\",\"access_token\":\"a\"}{}",
        "{\"token_type\":\"Bearer\",\"access_token\":\"a\\u0000b\"}",
        "{\"token_type\":\"Bearer\",\"access_token\":\"a\",}",
        "[{\"token_type\":\"Bearer\",\"access_token\":\"a\"}]",
        "\xEF\xBB\xBF{\"token_type\":\"Bearer\",\"access_token\":\"a\"}",
        "{\"token_type\":\"Bearer\",\"access_token\":\"a",
        "null",
        "<html>hello</html>",
    };

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        (void)refuse(200, bodies[i], KEYSTAY_E_SERVER_RESPONSE);
    }
}

/* Only 200 is a success (RFC 6749 §5.1), whatever the body says; and what it says may be a token. */
TEST(a_token_with_another_status_is_not_handed_out)
{
    static const int statuses[] = { 0, 100, 201, 202, 204, 206, 299, 300, 302, 401 };

    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct keystay_error err = refuse(
            statuses[i], "{\"access_token\":\"eyJoaWRkZW4.x.y\",\"token_type\":\"Bearer\",\"expires_in\":9}",
            KEYSTAY_E_SERVER_RESPONSE);
        assert_lacks(err.message, "oaWRkZW4");
    }
}

/* "refresh_in" and "ext_expires_in" are hints: one that makes no sense does not spoil the token. */
TEST(the_servers_hints_are_kept_when_they_make_sense)
{
    static const struct {
        const char *members;
        int64_t refresh_s, ext_s; /* 0: none */
    } rows[] = {
        { "", 0, 0 },
        { ",\"refresh_in\":1800,\"ext_expires_in\":7200", 1800, 7200 },
        { ",\"refresh_in\":\"1800\",\"ext_expires_in\":\"3600\"", 1800, 3600 },
        { ",\"refresh_in\":1,\"ext_expires_in\":3599", 1, 0 },
        { ",\"refresh_in\":3600", 3600, 0 },
        { ",\"refresh_in\":3601", 0, 0 },
        { ",\"refresh_in\":0,\"ext_expires_in\":0", 0, 0 },
        { ",\"refresh_in\":-5,\"ext_expires_in\":-5", 0, 0 },
        { ",\"refresh_in\":1.5,\"ext_expires_in\":1e300", 0, 0 },
        { ",\"refresh_in\":\"soon\",\"ext_expires_in\":{}", 0, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(token_freep) struct keystay_token *token = NULL;
        char body[300];

        (void)snprintf(
            body, sizeof(body), "{\"token_type\":\"Bearer\",\"access_token\":\"a\",\"expires_in\":3600%s}",
            rows[i].members);
        assert_ok(answer(200, slice_of_str(body), &token, NULL));
        int64_t refresh_at_s = rows[i].refresh_s == 0 ? 0 : asked_at_s + rows[i].refresh_s;
        int64_t ext_at_s = rows[i].ext_s == 0 ? 0 : asked_at_s + rows[i].ext_s;
        assert_row(keystay_token_refresh_at_s(token) == refresh_at_s, body);
        assert_row(keystay_token_ext_expires_at_s(token) == ext_at_s, body);
        assert_row(token->obtained_at_s == asked_at_s, body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_without_a_body_is_none),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(reads_a_token_of_both_endpoints),
        cmocka_unit_test(a_server_that_names_no_end_gets_the_default),
        cmocka_unit_test(a_lifetime_is_a_whole_number_within_reason),
        cmocka_unit_test(a_token_may_be_long_but_not_endless),
        cmocka_unit_test(another_type_of_token_is_not_handed_out),
        cmocka_unit_test(a_token_that_no_header_may_hold_is_refused),
        cmocka_unit_test(what_two_parsers_could_read_differently_is_refused),
        cmocka_unit_test(a_token_with_another_status_is_not_handed_out),
        cmocka_unit_test(the_servers_hints_are_kept_when_they_make_sense),
    };

    return RUN_TESTS(tests);
}
