/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/base64url.h"
#include "base/str.h"
#include "cli/jwt_note.h"
#include "cli/jwt_show.h"

enum { NOW_S = 1700000000, TEXT_MAX = 1 << 16 };

#define TENANT "5a1f6d3e-0b7c-4c58-8a55-2f3f0a9d4b17"

/* A token taken apart; it borrows from text. */
struct token {
    struct buf text;
    struct jws jws;
    struct json *claims;
};

static void token_clear(struct token *token)
{
    jws_clear(&token->jws);
    json_freep(&token->claims);
    buf_clear(&token->text);
}

static void token_make(struct token *token, const char *header, const char *claims)
{
    *token = (struct token){ .text = BUF(TEXT_MAX) };
    assert_ok(base64url_encode(slice_of_str(header), &token->text, NULL));
    assert_ok(buf_putc(&token->text, '.', NULL));
    assert_ok(base64url_encode(slice_of_str(claims), &token->text, NULL));
    assert_ok(buf_puts(&token->text, ".c2lnbmF0dXJl", NULL));
    assert_ok(jws_decode(buf_slice(&token->text), &token->jws, NULL));
    assert_ok(jwt_claims(&token->jws, &token->claims, NULL));
}

static void show(
    enum keystay_status (*how)(
        const struct jws *, const struct json *, int64_t, struct buf *, struct keystay_error *),
    const char *header, const char *claims, struct buf *to)
{
    CLEANUP(token_clear) struct token token;

    token_make(&token, header, claims);
    assert_ok(how(&token.jws, token.claims, NOW_S, to, NULL));
}

TEST(shows_a_token_to_people)
{
    CLEANUP(buf_clear) struct buf text = BUF(TEXT_MAX);

    show(
        jwt_show_text, "{\"alg\":\"RS256\",\"typ\":\"JWT\"}",
        "{\"iss\":\"joe\", \"exp\":1700000300,\"iat\":1699992800.5,\"azpacr\":\"2\",\"x\":[1, 2]}", &text);
    assert_buf(
        &text, "header\n"
               "  alg  \"RS256\"  # the algorithm of the signature\n"
               "  typ  \"JWT\"  # the kind of token\n"
               "claims\n"
               "  iss     \"joe\"  # who issued it\n"
               "  exp     1700000300  # 2023-11-14T22:18:20Z, in 5 minutes\n"
               "  iat     1699992800.5  # 2023-11-14T20:13:20Z, 2 hours ago\n"
               "  azpacr  \"2\"  # the client used a certificate\n"
               "  x       [1,2]\n"
               "signature\n"
               "  RS256, 9 bytes, not shown and not checked\n");
}

TEST(shows_a_token_to_programs)
{
    CLEANUP(buf_clear) struct buf text = BUF(TEXT_MAX);

    show(
        jwt_show_json, "{\"alg\" : \"RS256\"}",
        "{\"exp\":1699999999,\"nbf\":\"1\",\"n\":12345678901234567890}", &text);
    assert_buf(
        &text,
        "{\"header\":{\"alg\":\"RS256\"},"
        "\"claims\":{\"exp\":1699999999,\"nbf\":\"1\",\"n\":12345678901234567890},"
        "\"times\":{\"exp\":{\"utc\":\"2023-11-14T22:13:19Z\",\"seconds_from_now\":-1}},"
        "\"signature\":{\"bytes\":9,\"checked\":false},"
        "\"notes\":[\"it has ended\",\"its times are texts; RFC 7519 wants numbers, and keystay jwt verify "
        "too\"]}\n");
}

TEST(a_token_without_claims_is_one)
{
    CLEANUP(buf_clear) struct buf text = BUF(TEXT_MAX);

    show(jwt_show_text, "{\"alg\":\"x\"}", "{}", &text);
    assert_contains(buf_str(&text), "claims\nsignature\n");
    assert_contains(buf_str(&text), "note: it does not say when it ends");
}

TEST(a_time_that_is_none_is_told)
{
    static const char *const rows[] = {
        "{\"exp\":\"1700000300\"}", "{\"exp\":null}", "{\"exp\":1e300}", "{\"exp\":-1e13}", "{\"exp\":[1]}",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf text = BUF(TEXT_MAX);
        show(jwt_show_text, "{\"alg\":\"x\"}", rows[i], &text);
        assert_contains(buf_str(&text), "# no time: RFC 7519");
    }
}

TEST(notes_say_what_is_easily_taken_wrong)
{
    static const struct {
        const char *header, *claims, *note; /* NULL: none */
    } rows[] = {
        { "{\"alg\":\"RS256\"}", "{\"exp\":1700000001}", NULL },
        { "{\"alg\":\"RS256\"}", "{\"exp\":1700000000}", "it has ended" },
        { "{\"alg\":\"RS256\"}", "{\"exp\":1700000900,\"nbf\":1700000001}", "not valid yet" },
        { "{\"alg\":\"RS256\"}", "{}", "does not say when it ends" },
        { "{\"alg\":\"RS256\"}", "{\"exp\":\"1700000900\"}", "texts" },
        { "{\"alg\":\"HS256\"}", "{\"exp\":1700000900}", "shared secret" },
        { "{\"alg\":\"RS256\",\"nonce\":\"n\"}", "{\"exp\":1700000900}", "nobody but Graph" },
        { "{\"alg\":\"RS256\"}", "{\"exp\":1700000900,\"aud\":\"https://graph.microsoft.com\"}",
          "nobody but Graph" },
        { "{\"alg\":\"RS256\"}", "{\"exp\":1700000900,\"aud\":\"00000003-0000-0000-c000-000000000000\"}",
          "nobody but Graph" },
        { "{\"alg\":\"RS256\"}", "{\"exp\":1700000900,\"aud\":\"https://graph.microsoft.com.example\"}",
          NULL },
        { "{\"alg\":\"RS256\"}", "{\"exp\":1700000900,\"ver\":\"1.0\",\"tid\":\"" TENANT "\"}",
          "sts.windows.net" },
        { "{\"alg\":\"RS256\"}", "{\"exp\":1700000900,\"ver\":\"2.0\",\"tid\":\"" TENANT "\"}", NULL },
        { "{\"alg\":\"RS256\"}", "{\"exp\":1700000900,\"ver\":\"1.0\"}", NULL },
        { "{\"alg\":\"RS256\"}", "{\"exp\":1700000900,\"azpacr\":\"1\"}", "used a secret" },
        { "{\"alg\":\"RS256\"}", "{\"exp\":1700000900,\"appidacr\":\"1\"}", "used a secret" },
        { "{\"alg\":\"RS256\"}", "{\"exp\":1700000900,\"appidacr\":\"2\"}", NULL },
        { "{\"alg\":\"PS256\"}", "{\"exp\":1700000900,\"iss\":\"c\",\"sub\":\"c\",\"aud\":\"x\"}",
          "client assertion" },
        { "{\"alg\":\"PS256\"}", "{\"exp\":1700000900,\"iss\":\"c\",\"sub\":\"d\",\"aud\":\"x\"}", NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(token_clear) struct token token;
        const char *notes[JWT_NOTES_MAX] = { NULL };

        token_make(&token, rows[i].header, rows[i].claims);
        size_t n = jwt_notes(&token.jws, token.claims, NOW_S, notes);
        assert_row(n == (rows[i].note == NULL ? 0 : 1), rows[i].claims);
        assert_row(n == 0 || strstr(notes[0], rows[i].note) != NULL, rows[i].claims);
    }
}

/* What is shown must not be a credential, nor reach into the terminal that it is shown on. */
TEST(neither_signature_nor_control_characters_come_out)
{
    static const char header[] = "{\"alg\":\"\xC2\x9B[2J\",\"a\\u001b[2J\\nb\":\"\xE2\x80\xAE\"}";
    static const char claims[] =
        "{\"\\u001b]0;x\\u0007\":\"\\u001b\x7F\",\"long-long-long-long-long-long-long-long-long-long-"
        "long-long-name\":\"\"}";

    for (int i = 0; i < 2; i++) {
        CLEANUP(buf_clear) struct buf text = BUF(TEXT_MAX);
        show(i == 0 ? jwt_show_text : jwt_show_json, header, claims, &text);
        assert_lacks(buf_str(&text), "c2lnbmF0dXJl");
        char tidy[TEXT_MAX];
        memcpy(tidy, buf_str(&text), text.len + 1);
        str_tidy(tidy);
        assert_string_equal(tidy, buf_str(&text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_a_token_to_people),
        cmocka_unit_test(shows_a_token_to_programs),
        cmocka_unit_test(a_token_without_claims_is_one),
        cmocka_unit_test(a_time_that_is_none_is_told),
        cmocka_unit_test(notes_say_what_is_easily_taken_wrong),
        cmocka_unit_test(neither_signature_nor_control_characters_come_out),
    };

    return RUN_TESTS(tests);
}
