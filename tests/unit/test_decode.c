/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/base64url.h"
#include "jose/decode.h"
#include "rsa.h"

/* RFC 7515 §A.5: alg none, the signature is empty. */
static const char rfc7515_unsigned[] =
    "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
    "LmNvbS9pc19yb290Ijp0cnVlfQ.";

/* header.payload.AAAA from two JSON texts. */
static void token_of(const char *header, struct slice payload, struct buf *to)
{
    assert_ok(base64url_encode(slice_of_str(header), to, NULL));
    assert_ok(buf_putc(to, '.', NULL));
    assert_ok(base64url_encode(payload, to, NULL));
    assert_ok(buf_puts(to, ".AAAA", NULL));
}

static void refuse(struct slice text, const char *why)
{
    struct jws jws = { .alg = "untouched" };
    struct keystay_error err = { 0 };

    assert_row(jws_decode(text, &jws, &err) == KEYSTAY_E_ANSWER_NO, why);
    assert_int_equal(err.status, KEYSTAY_E_ANSWER_NO);
    assert_contains(err.message, why);
    assert_string_equal(jws.alg, "untouched");
}

static void refuse_header(const char *header, const char *why)
{
    CLEANUP(buf_clear) struct buf text = BUF(JWT_MAX);

    token_of(header, SLICE("{}"), &text);
    refuse(buf_slice(&text), why);
}

TEST(clearing_nothing_is_fine)
{
    struct jws jws = { 0 };

    jws_clear(&jws);
    jws_clear(&jws);
}

TEST(takes_the_published_token_apart)
{
    CLEANUP(jws_clear) struct jws jws = { 0 };
    CLEANUP(json_freep) struct json *claims = NULL;

    assert_ok(jws_decode(slice_of_str(rfc7515_jws), &jws, NULL));
    assert_string_equal(jws.alg, "RS256");
    assert_null(jws.kid);
    assert_null(jws.typ);
    assert_buf(&jws.header_text, rfc7515_header);
    assert_buf(&jws.payload, rfc7515_payload);
    assert_int_equal(jws.signature.len, 256);
    assert_int_equal(jws.input.len, strrchr(rfc7515_jws, '.') - rfc7515_jws);
    assert_ptr_equal(jws.input.data, rfc7515_jws);
    assert_ok(jwt_claims(&jws, &claims, NULL));
    assert_string_equal(json_str_or_null(claims, "iss"), "joe");
}

TEST(reads_the_names_in_the_header)
{
    CLEANUP(buf_clear) struct buf text = BUF(JWT_MAX);
    CLEANUP(jws_clear) struct jws jws = { 0 };

    token_of("{\"typ\":\"at+jwt\",\"alg\":\"x\",\"kid\":\"\",\"b64\":true}", SLICE(""), &text);
    assert_ok(jws_decode(buf_slice(&text), &jws, NULL));
    assert_string_equal(jws.typ, "at+jwt");
    assert_string_equal(jws.alg, "x");
    assert_string_equal(jws.kid, "");
    assert_int_equal(jws.payload.len, 0);
}

TEST(what_is_not_three_parts_is_refused)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        { "", "1 part," },
        { "abc", "1 part," },
        { "a.b", "2 parts" },
        { "a.b.c.d", "4 parts" },
        { "a.b.c.d.e", "encrypted" },
        { "a.b.c.d.e.f", "6 parts" },
        { "{\"access_token\":\"a.b.c\"}", "JSON" },
        { "{}", "JSON" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        refuse(slice_of_str(rows[i].text), rows[i].why);
    }
}

TEST(the_encoding_is_strict)
{
    static const struct {
        struct slice text;
        const char *why;
    } rows[] = {
        { SLICE("eyJhbGciOiJSUzI1NiJ9.e30.AAA="), "third part (signature)" },
        { SLICE("eyJhbGciOiJSUzI1NiJ9.e30.AAAA\n"), "third part (signature)" },
        { SLICE(" eyJhbGciOiJSUzI1NiJ9.e30.AAAA"), "first part (header)" },
        { SLICE("eyJhbGciOiJSUzI1NiJ9.e3 0.AAAA"), "second part (payload)" },
        { SLICE("eyJhbGciOiJSUzI1NiJ9.e3+0.AAAA"), "second part (payload)" },
        { SLICE("eyJhbGciOiJSUzI1NiJ9.e31.AAAA"), "second part (payload)" },
        { SLICE("eyJhbGciOiJSUzI1NiJ9.e30.A"), "third part (signature)" },
        { SLICE("eyJhbGciOiJSUzI1NiJ9.e30.AA\0A"), "third part (signature)" },
        { SLICE("eyJhbGciOiJSUzI1NiJ.e30.AAAA"), "first part (header)" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        refuse(rows[i].text, rows[i].why);
    }
}

TEST(the_header_is_one_object_without_a_member_twice)
{
    refuse_header("", "the header: the text is empty");
    refuse_header("[]", "not an object");
    refuse_header("{\"alg\":\"RS256\"", "not JSON");
    refuse_header("{\"alg\":\"RS256\"}{}", "not JSON");
    refuse_header("{\"alg\":\"none\",\"alg\":\"RS256\"}", "twice");
    refuse_header("{\"alg\":\"RS256\",\"\\u0061lg\":\"RS256\"}", "twice");
    refuse_header("{}", "names no algorithm");
    refuse_header("{\"ALG\":\"RS256\"}", "names no algorithm");
    refuse_header("{\"alg\":null}", "\"alg\" in the header is not a text");
    refuse_header("{\"alg\":[\"RS256\"]}", "not a text");
    refuse_header("{\"alg\":\"RS256\",\"kid\":1}", "\"kid\" in the header is not a text");
    refuse_header("{\"alg\":\"RS256\",\"typ\":{}}", "\"typ\" in the header is not a text");
}

TEST(a_token_without_signature_is_refused)
{
    refuse(slice_of_str(rfc7515_unsigned), "not signed");
    refuse_header("{\"alg\":\"none\"}", "alg none");
    refuse_header("{\"alg\":\"nOnE\"}", "alg none");
    refuse_header("{\"alg\":\"NONE\"}", "alg none");
    refuse(SLICE("eyJhbGciOiJSUzI1NiJ9.e30."), "not signed");
}

TEST(an_extension_is_not_ignored)
{
    refuse_header("{\"alg\":\"RS256\",\"crit\":[\"exp\"],\"exp\":1}", "crit");
    refuse_header("{\"alg\":\"RS256\",\"crit\":[]}", "crit");
    refuse_header("{\"alg\":\"RS256\",\"crit\":null}", "crit");
    refuse_header("{\"alg\":\"RS256\",\"b64\":false}", "b64");
    refuse_header("{\"alg\":\"RS256\",\"b64\":\"true\"}", "b64");
    refuse_header("{\"alg\":\"RS256\",\"b64\":false,\"crit\":[\"b64\"]}", "crit");
}

TEST(claims_are_one_object)
{
    static const struct {
        struct slice payload;
        const char *why;
    } rows[] = {
        { SLICE(""), "empty" },
        { SLICE("foo"), "not JSON" },
        { SLICE("\"x\""), "object" },
        { SLICE("{\"exp\":1,\"exp\":2}"), "twice" },
        { SLICE("{\"a\":\"\xFF\"}"), "UTF-8" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf text = BUF(JWT_MAX);
        CLEANUP(jws_clear) struct jws jws = { 0 };
        struct json *claims = NULL;
        struct keystay_error err;

        token_of("{\"alg\":\"RS256\"}", rows[i].payload, &text);
        assert_ok(jws_decode(buf_slice(&text), &jws, NULL));
        assert_row(jwt_claims(&jws, &claims, &err) == KEYSTAY_E_ANSWER_NO, rows[i].why);
        assert_int_equal(err.status, KEYSTAY_E_ANSWER_NO);
        assert_contains(err.message, "the payload: ");
        assert_contains(err.message, rows[i].why);
        assert_null(claims);
    }
}

TEST(a_token_has_a_largest_length)
{
    CLEANUP(buf_clear) struct buf text = BUF(JWT_MAX + 1);

    assert_ok(buf_puts(&text, "eyJhbGciOiJSUzI1NiJ9.e30.", NULL));
    while (text.len < JWT_MAX - 3) {
        assert_ok(buf_puts(&text, "AAAA", NULL));
    }
    while (text.len % 4 != 25 % 4) {
        text.len--;
    }
    CLEANUP(jws_clear) struct jws jws = { 0 };
    assert_ok(jws_decode(buf_slice(&text), &jws, NULL));
    while (text.len <= JWT_MAX) {
        assert_ok(buf_putc(&text, 'A', NULL));
    }
    refuse(buf_slice(&text), "longer than");
}

TEST(an_error_quotes_nothing_of_the_token)
{
    CLEANUP(buf_clear) struct buf text = BUF(JWT_MAX);
    struct jws jws;
    struct keystay_error err;

    token_of("{\"alg\":\"RS256\",\"canary\":\"canary\",\"canary\":1}", SLICE("{}"), &text);
    assert_int_equal(jws_decode(buf_slice(&text), &jws, &err), KEYSTAY_E_ANSWER_NO);
    assert_lacks(err.message, "canary");
    assert_int_equal(jws_decode(SLICE("canary"), &jws, &err), KEYSTAY_E_ANSWER_NO);
    assert_lacks(err.message, "canary");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clearing_nothing_is_fine),
        cmocka_unit_test(takes_the_published_token_apart),
        cmocka_unit_test(reads_the_names_in_the_header),
        cmocka_unit_test(what_is_not_three_parts_is_refused),
        cmocka_unit_test(the_encoding_is_strict),
        cmocka_unit_test(the_header_is_one_object_without_a_member_twice),
        cmocka_unit_test(a_token_without_signature_is_refused),
        cmocka_unit_test(an_extension_is_not_ignored),
        cmocka_unit_test(claims_are_one_object),
        cmocka_unit_test(a_token_has_a_largest_length),
        cmocka_unit_test(an_error_quotes_nothing_of_the_token),
    };

    return RUN_TESTS(tests);
}
