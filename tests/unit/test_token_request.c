/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "oauth/token_request.h"

static void set(struct secret *secret, const char *text)
{
    assert_ok(secret_set(secret, slice_of_str(text), NULL));
}

TEST(a_form_over_its_cap_is_refused)
{
    CLEANUP(secret_clear) struct secret assertion = { 0 };
    CLEANUP(buf_clear) struct buf form = BUF(150);
    const struct token_request request = { .client_id = "id", .scope = "s", .assertion = &assertion };

    set(&assertion, "eyJhbGciOiJSUzI1NiJ9.e30.c2ln");
    assert_int_equal(token_request_form(&request, &form, NULL), KEYSTAY_E_NO_MEMORY);
}

/* RFC 6749 §4.4.2 with RFC 7523 §2.2, member by member. */
TEST(the_form_is_these_bytes)
{
    CLEANUP(secret_clear) struct secret assertion = { 0 };
    CLEANUP(buf_clear) struct buf form = BUF(TOKEN_REQUEST_MAX);
    const struct token_request request = {
        .client_id = "11111111-2222-3333-4444-555555555555",
        .scope = "https://graph.microsoft.com/.default",
        .assertion = &assertion,
    };

    set(&assertion, "eyJhbGciOiJSUzI1NiJ9.e30.c2-_ln");
    assert_ok(token_request_form(&request, &form, NULL));
    assert_buf(
        &form, "grant_type=client_credentials"
               "&client_id=11111111-2222-3333-4444-555555555555"
               "&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
               "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
               "&client_assertion=eyJhbGciOiJSUzI1NiJ9.e30.c2-_ln");
}

/* RFC 7523 §2.1: the assertion is the grant, and nobody is named beside it. */
TEST(a_grant_is_these_bytes)
{
    CLEANUP(secret_clear) struct secret assertion = { 0 };
    CLEANUP(buf_clear) struct buf form = BUF(TOKEN_REQUEST_MAX);
    const struct token_request request = {
        .grant = TOKEN_GRANT_JWT_BEARER,
        .client_id = "id",
        .scope = "a b",
        .assertion = &assertion,
    };

    set(&assertion, "a.b.c");
    assert_ok(token_request_form(&request, &form, NULL));
    assert_buf(
        &form,
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&scope=a%20b&assertion=a.b.c");
}

TEST(a_resource_may_have_another_name)
{
    CLEANUP(secret_clear) struct secret assertion = { 0 };
    CLEANUP(buf_clear) struct buf form = BUF(TOKEN_REQUEST_MAX);
    const struct token_request request = {
        .client_id = "id",
        .resource = "api",
        .resource_name = "audience",
        .claims = "{}",
        .assertion = &assertion,
    };

    set(&assertion, "a.b.c");
    assert_ok(token_request_form(&request, &form, NULL));
    assert_contains(buf_str(&form), "&client_id=id&audience=api&claims=%7B%7D&client_assertion_type=");
}

TEST(the_older_form_has_a_resource_instead)
{
    CLEANUP(secret_clear) struct secret assertion = { 0 };
    CLEANUP(buf_clear) struct buf form = BUF(TOKEN_REQUEST_MAX);
    const struct token_request request = {
        .client_id = "id",
        .resource = "https://graph.microsoft.com",
        .assertion = &assertion,
    };

    set(&assertion, "a.b.c");
    assert_ok(token_request_form(&request, &form, NULL));
    assert_buf(
        &form, "grant_type=client_credentials"
               "&client_id=id"
               "&resource=https%3A%2F%2Fgraph.microsoft.com"
               "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
               "&client_assertion=a.b.c");
}

TEST(what_is_not_given_is_not_sent)
{
    CLEANUP(secret_clear) struct secret assertion = { 0 };
    CLEANUP(buf_clear) struct buf form = BUF(TOKEN_REQUEST_MAX);
    const struct token_request request = { .client_id = "id", .assertion = &assertion };

    set(&assertion, "a.b.c");
    assert_ok(token_request_form(&request, &form, NULL));
    assert_lacks(buf_str(&form), "scope=");
    assert_lacks(buf_str(&form), "resource=");
}

/* RFC 3986 §2.3 has the characters that stand for themselves; each other byte is escaped. */
TEST(each_byte_is_itself_or_escaped)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (int c = 1; c < 256; c++) {
        CLEANUP(secret_clear) struct secret assertion = { 0 };
        CLEANUP(buf_clear) struct buf form = BUF(TOKEN_REQUEST_MAX);
        const char id[2] = { (char)c, '\0' };
        const struct token_request request = { .client_id = id, .assertion = &assertion };
        char wanted[32];

        (void)snprintf(
            wanted, sizeof(wanted), strchr(unreserved, c) != NULL ? "&client_id=%c&" : "&client_id=%%%02X&",
            (unsigned int)c);
        assert_ok(token_request_form(&request, &form, NULL));
        assert_contains(buf_str(&form), wanted);
    }
}

TEST(a_full_cap_is_used_to_the_last_byte)
{
    CLEANUP(secret_clear) struct secret assertion = { 0 };
    CLEANUP(buf_clear) struct buf first = BUF(TOKEN_REQUEST_MAX);
    const struct token_request request = { .client_id = "id", .assertion = &assertion };

    set(&assertion, "a.b.c");
    assert_ok(token_request_form(&request, &first, NULL));
    CLEANUP(buf_clear) struct buf exact = BUF(first.len);
    CLEANUP(buf_clear) struct buf short_of_one = BUF(first.len - 1);
    assert_ok(token_request_form(&request, &exact, NULL));
    assert_int_equal(token_request_form(&request, &short_of_one, NULL), KEYSTAY_E_NO_MEMORY);
}

/* Nobody can write a field of his own into another's value. */
TEST(no_value_can_end_its_field)
{
    CLEANUP(secret_clear) struct secret assertion = { 0 };
    CLEANUP(buf_clear) struct buf form = BUF(TOKEN_REQUEST_MAX);
    const struct token_request request = {
        .client_id = "id&grant_type=password",
        .scope = "a b+c%20=;\r\n",
        .assertion = &assertion,
    };

    set(&assertion, "x&client_id=other");
    assert_ok(token_request_form(&request, &form, NULL));
    assert_buf(
        &form, "grant_type=client_credentials"
               "&client_id=id%26grant_type%3Dpassword"
               "&scope=a%20b%2Bc%2520%3D%3B%0D%0A"
               "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
               "&client_assertion=x%26client_id%3Dother");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_over_its_cap_is_refused),
        cmocka_unit_test(the_form_is_these_bytes),
        cmocka_unit_test(a_grant_is_these_bytes),
        cmocka_unit_test(a_resource_may_have_another_name),
        cmocka_unit_test(the_older_form_has_a_resource_instead),
        cmocka_unit_test(what_is_not_given_is_not_sent),
        cmocka_unit_test(each_byte_is_itself_or_escaped),
        cmocka_unit_test(a_full_cap_is_used_to_the_last_byte),
        cmocka_unit_test(no_value_can_end_its_field),
    };

    return RUN_TESTS(tests);
}
