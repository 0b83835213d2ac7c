/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "jose/verify.h"

enum { NOW_S = 1700000000, LEEWAY_S = 60 };

#define TENANT "5a1f6d3e-0b7c-4c58-8a55-2f3f0a9d4b17"
#define OTHER_TENANT "c7b1f0d2-6f0e-4d6e-9a44-1d2b7c9e8f30"
#define V1 "https://sts.windows.net/" TENANT "/"
#define V2 "https://login.microsoftonline.com/" TENANT "/v2.0"
#define V2_ANY "https://login.microsoftonline.com/{tenantid}/v2.0"

static struct json *parse(const char *text)
{
    struct json *json = NULL;

    assert_ok(json_parse_object(slice_of_str(text), &json, NULL));
    return json;
}

static enum keystay_status verify(
    const char *claims_text, const struct verify_rules *rules, const char *typ, struct keystay_error *err)
{
    CLEANUP(json_freep) struct json *claims = parse(claims_text);
    const struct jws jws = { .typ = typ };
    struct verify_rules with_time = *rules;

    with_time.now_s = NOW_S;
    with_time.leeway_s = LEEWAY_S;
    return verify_claims(&jws, claims, &with_time, err);
}

static void refuse(
    const char *claims_text, const struct verify_rules *rules, const char *why, const char *hint)
{
    struct keystay_error err = { 0 };

    assert_row(verify(claims_text, rules, NULL, &err) == KEYSTAY_E_ANSWER_NO, claims_text);
    assert_contains(err.message, why);
    assert_contains(err.hint, hint);
    assert_tame(err.message);
}

TEST(times_count_with_leeway)
{
    static const struct {
        const char *claims, *why; /* NULL: good */
    } rows[] = {
        { "{\"exp\":1700000001}", NULL },
        { "{\"exp\":1700000000.5}", NULL },
        { "{\"exp\":1.7e9}", NULL },
        { "{\"exp\":1699999941}", NULL },
        { "{\"exp\":1699999940}", "has ended (exp): 2023-11-14T22:12:20Z, 60 seconds ago" },
        { "{\"exp\":0}", "has ended" },
        { "{\"exp\":-1e300}", "has ended" },
        { "{\"exp\":1e300}", NULL },
        { "{}", "does not say when it ends" },
        { "{\"exp\":\"1700000001\"}", "exp is not a number" },
        { "{\"exp\":null}", "exp is not a number" },
        { "{\"exp\":true}", "exp is not a number" },
        { "{\"exp\":1700003600,\"nbf\":1700000060}", NULL },
        { "{\"exp\":1700003600,\"nbf\":1700000061}",
          "not valid yet (nbf): 2023-11-14T22:14:21Z, in 61 seconds" },
        { "{\"exp\":1700003600,\"nbf\":1e300}", "not valid yet" },
        { "{\"exp\":1700003600,\"nbf\":\"1\"}", "nbf is not a number" },
        { "{\"exp\":1700003600,\"iat\":1700000060}", NULL },
        { "{\"exp\":1700003600,\"iat\":1700000061}", "made in the future (iat)" },
        { "{\"exp\":1700003600,\"iat\":[]}", "iat is not a number" },
    };
    static const struct verify_rules none = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].why == NULL) {
            assert_row(verify(rows[i].claims, &none, NULL, NULL) == KEYSTAY_OK, rows[i].claims);
        } else {
            refuse(rows[i].claims, &none, rows[i].why, "");
        }
    }
}

TEST(the_audience_is_one_of_those_named)
{
    static const struct {
        const char *aud, *why; /* NULL: good */
    } rows[] = {
        { "\"api://a\"", NULL },
        { "[\"api://a\"]", NULL },
        { "[\"x\",1,\"api://a\"]", NULL },
        { "\"api://a/\"", "is for 'api://a/' (aud), not for 'api://a'" },
        { "\"API://a\"", "not for" },
        { "\"\"", "not for" },
        { "[]", "not among" },
        { "[[\"api://a\"]]", "not among" },
        { "{\"api://a\":\"api://a\"}", "not among" },
        { "null", "not among" },
        { "\"\\u001b[2J\"", "'?[2J'" },
    };
    static const struct verify_rules rules = { .audience = "api://a" };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char claims[256];
        (void)snprintf(claims, sizeof(claims), "{\"exp\":1700003600,\"aud\":%s}", rows[i].aud);
        if (rows[i].why == NULL) {
            assert_row(verify(claims, &rules, NULL, NULL) == KEYSTAY_OK, claims);
        } else {
            refuse(claims, &rules, rows[i].why, "");
        }
    }
    refuse("{\"exp\":1700003600}", &rules, "does not say whom it is for", "");
}

TEST(an_application_has_two_names)
{
    static const struct verify_rules uri = { .audience = "api://a" };
    static const struct verify_rules id = { .audience = TENANT };

    refuse("{\"exp\":1700003600,\"aud\":\"" TENANT "\"}", &uri, "not for 'api://a'", "v2.0");
    refuse("{\"exp\":1700003600,\"aud\":\"api://a\"}", &id, "not for '" TENANT "'", "v1.0");
}

TEST(the_issuer_is_compared_to_the_letter)
{
    static const struct {
        const char *wanted, *found, *why, *hint; /* NULL: good */
    } rows[] = {
        { "joe", "\"joe\"", NULL, NULL },
        { "joe", "\"Joe\"", "is 'Joe', not 'joe'", "" },
        { "joe", "[\"joe\"]", "names no issuer", "" },
        { "https://i.example", "\"https://i.example/\"", "not", "slash at the end" },
        { "https://i.example/", "\"https://i.example\"", "not", "slash at the end" },
        { "https://i.example/", "\"https://i.example//\"", "not", "slash at the end" },
        { "https://i.example/a", "\"https://i.example\"", "not", "" },
        { V2, "\"" V2 "\"", NULL, NULL },
        { V1, "\"" V1 "\"", NULL, NULL },
        { V2, "\"" V1 "\"", "not", "v1.0 token of Entra ID" },
        { V1, "\"" V2 "\"", "not", "v2.0 token of Entra ID" },
        { V2, "\"https://sts.windows.net.example/\"", "not", "" },
        { "joe", "\"a\\nb\\u202e\"", "'a b?'", "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct verify_rules rules = { .issuer = rows[i].wanted };
        char claims[256];
        (void)snprintf(claims, sizeof(claims), "{\"exp\":1700003600,\"iss\":%s}", rows[i].found);
        if (rows[i].why == NULL) {
            assert_row(verify(claims, &rules, NULL, NULL) == KEYSTAY_OK, claims);
        } else {
            refuse(claims, &rules, rows[i].why, rows[i].hint);
        }
    }
}

TEST(a_tenant_can_be_left_open)
{
    static const struct {
        const char *claims, *why;
    } rows[] = {
        { "{\"iss\":\"" V2 "\",\"tid\":\"" TENANT "\"}", NULL },
        { "{\"iss\":\"" V2 "\",\"tid\":\"" OTHER_TENANT "\"}", "not 'https://login" },
        { "{\"iss\":\"" V2 "\"}", "names no tenant" },
        { "{\"iss\":\"" V2 "\",\"tid\":1}", "names no tenant" },
        { "{\"iss\":\"https://login.microsoftonline.com/../v2.0\",\"tid\":\"..\"}", "names no tenant" },
        { "{\"iss\":\"" V2_ANY "\",\"tid\":\"{tenantid}\"}", "names no tenant" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_freep) struct json *claims = parse(rows[i].claims);
        char issuer[VERIFY_ISSUER_SIZE] = "untouched";
        struct keystay_error err = { 0 };
        enum keystay_status status = verify_issuer(claims, V2_ANY, issuer, &err);

        assert_row(status == (rows[i].why == NULL ? KEYSTAY_OK : KEYSTAY_E_ANSWER_NO), rows[i].claims);
        assert_string_equal(issuer, rows[i].why == NULL ? V2 : "untouched");
        assert_contains(err.message, rows[i].why == NULL ? "" : rows[i].why);
    }
}

TEST(an_issuer_has_a_longest_length)
{
    CLEANUP(json_freep) struct json *claims = parse("{\"iss\":\"x\"}");
    char wanted[VERIFY_ISSUER_SIZE + 1];
    char issuer[VERIFY_ISSUER_SIZE];

    memset(wanted, 'x', sizeof(wanted));
    wanted[VERIFY_ISSUER_SIZE - 1] = '\0';
    assert_int_equal(verify_issuer(claims, wanted, issuer, NULL), KEYSTAY_E_ANSWER_NO);
    wanted[VERIFY_ISSUER_SIZE - 1] = 'x';
    wanted[VERIFY_ISSUER_SIZE] = '\0';
    assert_int_equal(verify_issuer(claims, wanted, issuer, NULL), KEYSTAY_E_CONFIG);
}

TEST(a_key_may_be_for_one_issuer)
{
    static const struct {
        const char *key_issuer, *claims;
        bool is_good;
    } rows[] = {
        { "", "{}", true },
        { V2, "{\"iss\":\"" V2 "\"}", true },
        { V2_ANY, "{\"iss\":\"" V2 "\",\"tid\":\"" TENANT "\"}", true },
        { V2_ANY, "{\"iss\":\"" V2 "\",\"tid\":\"" OTHER_TENANT "\"}", false },
        { V2_ANY, "{\"iss\":\"" V2 "\"}", false },
        { V2, "{\"iss\":\"" V1 "\"}", false },
        { V2, "{}", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_freep) struct json *claims = parse(rows[i].claims);
        struct jwk jwk = { 0 };

        memcpy(jwk.issuer, rows[i].key_issuer, strlen(rows[i].key_issuer));
        assert_row(
            verify_key_issuer(&jwk, claims, NULL) == (rows[i].is_good ? KEYSTAY_OK : KEYSTAY_E_ANSWER_NO),
            rows[i].claims);
    }
}

TEST(the_type_is_that_asked_for)
{
    static const struct {
        const char *found;
        bool is_good;
    } rows[] = {
        { "at+jwt", true },   { "AT+JWT", true },       { "application/at+jwt", true },
        { "JWT", false },     { NULL, false },          { "", false },
        { "at+jwt2", false }, { "text/at+jwt", false }, { "application/", false },
    };
    static const struct verify_rules rules = { .typ = "at+jwt" };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(
            verify("{\"exp\":1700003600}", &rules, rows[i].found, NULL) ==
                (rows[i].is_good ? KEYSTAY_OK : KEYSTAY_E_ANSWER_NO),
            rows[i].found == NULL ? "none" : rows[i].found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_count_with_leeway),
        cmocka_unit_test(the_audience_is_one_of_those_named),
        cmocka_unit_test(an_application_has_two_names),
        cmocka_unit_test(the_issuer_is_compared_to_the_letter),
        cmocka_unit_test(a_tenant_can_be_left_open),
        cmocka_unit_test(an_issuer_has_a_longest_length),
        cmocka_unit_test(a_key_may_be_for_one_issuer),
        cmocka_unit_test(the_type_is_that_asked_for),
    };

    return RUN_TESTS(tests);
}
