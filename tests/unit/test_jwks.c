/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <openssl/ec.h>
#include <stdio.h>

#include "base/str.h"
#include "crypto/certificate.h"
#include "jose/jwk.h"
#include "jose/jwks.h"
#include "rsa.h"

/* The RSA key of RFC 7638 §3.1 (and RFC 7517 §A.1), and the EC key of RFC 7515 §A.3. */
#define RSA_N                                                                                \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc" \
    "_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQ" \
    "R0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bF" \
    "TWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
#define RSA_NUMBERS "\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\""
#define EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC_NUMBERS "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\""

static enum keystay_status parse(const char *text, struct jwks *ret_jwks, struct keystay_error *err)
{
    return jwks_parse(slice_of_str(text), ret_jwks, err);
}

/* The one key of a text that must hold one. */
static struct jwks one(const char *text)
{
    struct jwks jwks = { 0 };
    struct keystay_error err = { 0 };

    if (parse(text, &jwks, &err) != KEYSTAY_OK) {
        fail_msg("'%s': %s", text, err.message);
    }
    assert_int_equal(jwks.n_keys, 1);
    assert_int_equal(jwks.n_skipped, 0);
    return jwks;
}

TEST(a_set_of_nothing_is_none)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        { "", "empty" },
        { "[]", "not an object" },
        { "{}", "neither a JWK nor a JWK set" },
        { "{\"keys\":[]}", "empty" },
        { "{\"keys\":{}}", "not an array" },
        { "{\"keys\":\"x\"}", "not an array" },
        { "{\"keys\":[1]}", "not a JSON object" },
        { "{\"keys\":[{}]}", "kty" },
        { "{\"keys\":[],\"keys\":[{" EC_NUMBERS "}]}", "twice" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct jwks jwks = { .n_keys = 77 };
        struct keystay_error err;
        assert_row(parse(rows[i].text, &jwks, &err) == KEYSTAY_E_SERVER_RESPONSE, rows[i].text);
        assert_contains(err.message, rows[i].why);
        assert_int_equal(jwks.n_keys, 77);
    }
}

TEST(reads_the_set_of_rfc7517)
{
    CLEANUP(jwks_clear) struct jwks jwks = { 0 };

    assert_ok(parse(
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
        "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\",\"use\":\"enc\",\"kid\":\"1\"},"
        "{" RSA_NUMBERS ",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}]}",
        &jwks, NULL));
    assert_int_equal(jwks.n_keys, 1);
    assert_int_equal(jwks.n_skipped, 1);
    assert_contains(jwks.skipped_why, "not for signatures");
    assert_string_equal(jwks.keys[0].kid, "2011-04-29");
    assert_int_equal(jwks.keys[0].alg->id, KEYSTAY_ALG_RS256);
    assert_int_equal(public_key_bits(jwks.keys[0].key), 2048);
}

TEST(reads_what_entra_adds)
{
    CLEANUP(jwks_clear)
    struct jwks jwks = one(
        "{" RSA_NUMBERS ",\"use\":\"sig\",\"kid\":\"k\",\"x5t\":\"t\",\"x5c\":[\"MII\"],"
        "\"cloud_instance_name\":\"microsoftonline.com\",\"issuer\":\"https://i.example/{tenantid}/v2.0\"}");

    assert_string_equal(jwks.keys[0].x5t, "t");
    assert_string_equal(jwks.keys[0].issuer, "https://i.example/{tenantid}/v2.0");
    assert_null(jwks.keys[0].alg);
}

static void write_and_read(const struct public_key *key, const struct alg *alg)
{
    CLEANUP(buf_clear) struct buf text = BUF(4096);
    CLEANUP(buf_clear) struct buf thumbprint = BUF(43);
    CLEANUP(buf_clear) struct buf again = BUF(43);
    struct json_write out = JSON_WRITE(&text);

    assert_ok(jwk_write(&out, key, "a\"b", alg, NULL));
    assert_ok(json_write_end(&out, NULL));
    CLEANUP(jwks_clear) struct jwks jwks = one(buf_str(&text));
    assert_string_equal(jwks.keys[0].kid, "a\"b");
    assert_ptr_equal(jwks.keys[0].alg, alg);
    assert_ok(jwk_thumbprint(key, &thumbprint, NULL));
    assert_ok(jwk_thumbprint(jwks.keys[0].key, &again, NULL));
    assert_true(slice_equal(buf_slice(&thumbprint), buf_slice(&again)));
}

TEST(writes_keys_that_can_be_read_back)
{
    CLEANUP(pkey_freep) EVP_PKEY *p256 = EVP_EC_gen("P-256");
    CLEANUP(pkey_freep) EVP_PKEY *p384 = EVP_EC_gen("P-384");
    const struct cert_spec specs[] = { { 0 }, { .key = p256 }, { .key = p384 } };
    const enum keystay_alg algs[] = { KEYSTAY_ALG_PS256, KEYSTAY_ALG_ES256, KEYSTAY_ALG_ES384 };

    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&specs[i]);
        write_and_read(certificate_public_key(certificate), alg_by_id(algs[i]));
        write_and_read(certificate_public_key(certificate), NULL);
    }
}

TEST(a_written_key_names_no_more_than_it_was_given)
{
    CLEANUP(jwks_clear) struct jwks jwks = one("{" EC_NUMBERS "}");
    CLEANUP(buf_clear) struct buf text = BUF(1024);
    struct json_write out = JSON_WRITE(&text);

    assert_ok(jwk_write(&out, jwks.keys[0].key, NULL, NULL, NULL));
    assert_ok(json_write_end(&out, NULL));
    assert_buf(
        &text, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\",\"use\":\"sig\"}");
}

TEST(a_key_says_what_it_is_for)
{
    static const struct {
        const char *members;
        bool is_for_verifying;
    } rows[] = {
        { "", true },
        { ",\"use\":\"sig\"", true },
        { ",\"key_ops\":[\"verify\"]", true },
        { ",\"key_ops\":[\"x\",\"verify\"],\"use\":\"sig\"", true },
        { ",\"use\":\"enc\"", false },
        { ",\"use\":\"SIG\"", false },
        { ",\"use\":null", false },
        { ",\"use\":[\"sig\"]", false },
        { ",\"key_ops\":[]", false },
        { ",\"key_ops\":[\"sign\"]", false },
        { ",\"key_ops\":\"verify\"", false },
        { ",\"key_ops\":null", false },
        { ",\"key_ops\":[\"verify\"],\"use\":\"enc\"", false },
        { ",\"key_ops\":[\"encrypt\"],\"use\":\"sig\"", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(jwks_clear) struct jwks jwks = { 0 };
        char text[1024];

        (void)snprintf(text, sizeof(text), "{%s%s}", EC_NUMBERS, rows[i].members);
        assert_row((parse(text, &jwks, NULL) == KEYSTAY_OK) == rows[i].is_for_verifying, rows[i].members);
    }
}

TEST(a_key_is_for_its_algorithm)
{
    static const struct {
        const char *members;
        enum keystay_alg alg; /* KEYSTAY_ALG_AUTO: the key is refused */
    } rows[] = {
        { RSA_NUMBERS ",\"alg\":\"RS256\"", KEYSTAY_ALG_RS256 },
        { RSA_NUMBERS ",\"alg\":\"PS512\"", KEYSTAY_ALG_PS512 },
        { EC_NUMBERS ",\"alg\":\"ES256\"", KEYSTAY_ALG_ES256 },
        { EC_NUMBERS ",\"alg\":\"ES384\"", KEYSTAY_ALG_AUTO },
        { EC_NUMBERS ",\"alg\":\"RS256\"", KEYSTAY_ALG_AUTO },
        { RSA_NUMBERS ",\"alg\":\"ES256\"", KEYSTAY_ALG_AUTO },
        { RSA_NUMBERS ",\"alg\":\"RSA-OAEP\"", KEYSTAY_ALG_AUTO },
        { RSA_NUMBERS ",\"alg\":\"HS256\"", KEYSTAY_ALG_AUTO },
        { RSA_NUMBERS ",\"alg\":\"none\"", KEYSTAY_ALG_AUTO },
        { RSA_NUMBERS ",\"alg\":\"auto\"", KEYSTAY_ALG_AUTO },
        { RSA_NUMBERS ",\"alg\":\"\"", KEYSTAY_ALG_AUTO },
        { RSA_NUMBERS ",\"alg\":null", KEYSTAY_ALG_AUTO },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(jwks_clear) struct jwks jwks = { 0 };
        char text[1024];

        (void)snprintf(text, sizeof(text), "{%s}", rows[i].members);
        enum keystay_status status = parse(text, &jwks, NULL);
        assert_row((status == KEYSTAY_OK) == (rows[i].alg != KEYSTAY_ALG_AUTO), rows[i].members);
        assert_row(status != KEYSTAY_OK || jwks.keys[0].alg->id == rows[i].alg, rows[i].members);
    }
}

TEST(names_have_a_longest_length)
{
    char name[JWK_NAME_SIZE + 1];
    char text[2048];

    memset(name, 'k', sizeof(name));
    for (size_t len = JWK_NAME_SIZE - 1; len <= JWK_NAME_SIZE; len++) {
        CLEANUP(jwks_clear) struct jwks jwks = { 0 };
        (void)snprintf(text, sizeof(text), "{%s,\"kid\":\"%.*s\"}", EC_NUMBERS, (int)len, name);
        assert_int_equal(
            parse(text, &jwks, NULL), len < JWK_NAME_SIZE ? KEYSTAY_OK : KEYSTAY_E_SERVER_RESPONSE);
    }
}

TEST(a_set_has_a_largest_number_of_keys)
{
    for (int n = JWKS_KEYS_MAX; n <= JWKS_KEYS_MAX + 1; n++) {
        CLEANUP(buf_clear) struct buf text = BUF(JWKS_MAX);
        CLEANUP(jwks_clear) struct jwks jwks = { 0 };

        assert_ok(buf_puts(&text, "{\"keys\":[{" EC_NUMBERS "}", NULL));
        for (int i = 1; i < n; i++) {
            assert_ok(buf_puts(&text, ",{" EC_NUMBERS "}", NULL));
        }
        assert_ok(buf_puts(&text, "]}", NULL));
        enum keystay_status status = jwks_parse(buf_slice(&text), &jwks, NULL);
        assert_int_equal(status, n == JWKS_KEYS_MAX ? KEYSTAY_OK : KEYSTAY_E_SERVER_RESPONSE);
        assert_int_equal(jwks.n_keys, n == JWKS_KEYS_MAX ? JWKS_KEYS_MAX : 0);
    }
}

TEST(a_set_has_a_largest_length)
{
    CLEANUP(buf_clear) struct buf text = BUF(JWKS_MAX + 1);
    CLEANUP(jwks_clear) struct jwks jwks = { 0 };
    struct keystay_error err;

    assert_ok(buf_puts(&text, "{\"keys\":[{" EC_NUMBERS "}]}", NULL));
    while (text.len < JWKS_MAX) {
        assert_ok(buf_putc(&text, ' ', NULL));
    }
    assert_ok(jwks_parse(buf_slice(&text), &jwks, NULL));
    assert_ok(buf_putc(&text, ' ', NULL));
    assert_int_equal(jwks_parse(buf_slice(&text), &jwks, &err), KEYSTAY_E_SERVER_RESPONSE);
    assert_contains(err.message, "longer than");
}

TEST(a_private_or_secret_key_is_refused_wherever_it_is)
{
    static const char *const rows[] = {
        "{" EC_NUMBERS ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}",
        "{" RSA_NUMBERS ",\"p\":\"AQ\"}",
        "{" RSA_NUMBERS ",\"oth\":[]}",
        "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75\"}",
        "{\"keys\":[{" EC_NUMBERS "},{\"kty\":\"oct\",\"k\":\"AA\"}]}",
        "{\"keys\":[{\"use\":\"enc\"," EC_NUMBERS ",\"d\":null}]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\",\"d\":\"AA\"},{" EC_NUMBERS "}]}",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct jwks jwks = { .n_keys = 77 };
        struct keystay_error err;
        assert_row(parse(rows[i], &jwks, &err) == KEYSTAY_E_KEY_REFUSED, rows[i]);
        assert_contains(err.message, "private or secret key");
        assert_lacks(err.message, "jpsQ");
        assert_int_equal(jwks.n_keys, 77);
    }
}

/* RFC 7517 §5: what is not understood is passed over. */
TEST(what_cannot_be_used_is_passed_over)
{
    static const struct {
        const char *members, *why;
    } rows[] = {
        { "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"",
          "neither RSA" },
        { "\"kty\":\"rsa\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"", "neither RSA" },
        { "\"kty\":1", "kty" },
        { "\"kty\":\"RSA\",\"n\":\"" RSA_N "\"", "\"e\"" },
        { "\"kty\":\"RSA\",\"e\":\"AQAB\"", "\"n\"" },
        { "\"kty\":\"RSA\",\"n\":\"" RSA_N "=\",\"e\":\"AQAB\"", "base64url" },
        { "\"kty\":\"RSA\",\"n\":\"AA" RSA_N "\",\"e\":\"AQAB\"", "zero byte" },
        { "\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AAEAAQ\"", "zero byte" },
        { "\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"\"", "exponent" },
        { "\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQ\"", "exponent" },
        { "\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"Ag\"", "exponent" },
        { "\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"" RSA_N "\"", "exponent" },
        { "\"kty\":\"RSA\",\"n\":\"w\",\"e\":\"AQAB\"", "base64url" },
        { "\"kty\":\"RSA\",\"n\":\"ww\",\"e\":\"AQAB\"", "8 bits" },
        { "\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"", "curve" },
        { "\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"", "curve" },
        { "\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"", "crv" },
        { "\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"", "coordinates" },
        { "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_X "\"", "no EC public key" },
        { "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"AA\"", "coordinates" },
        { "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"\"", "coordinates" },
        { EC_NUMBERS ",\"kid\":1", "kid" },
        { EC_NUMBERS ",\"kid\":\"\"", "kid" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(jwks_clear) struct jwks jwks = { 0 };
        char text[2048];

        (void)snprintf(text, sizeof(text), "{\"keys\":[{%s},{%s}]}", rows[i].members, EC_NUMBERS);
        assert_row(parse(text, &jwks, NULL) == KEYSTAY_OK, rows[i].members);
        assert_row(jwks.n_keys == 1 && jwks.n_skipped == 1, rows[i].members);
        assert_contains(jwks.skipped_why, rows[i].why);
    }
}

TEST(a_monstrous_number_is_refused_unread)
{
    CLEANUP(buf_clear) struct buf text = BUF(JWKS_MAX);
    struct jwks jwks = { 0 };
    struct keystay_error err;

    assert_ok(buf_puts(&text, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"", NULL));
    for (int i = 0; i < 100000; i++) {
        assert_ok(buf_puts(&text, "wwww", NULL));
    }
    assert_ok(buf_puts(&text, "\"}", NULL));
    assert_int_equal(jwks_parse(buf_slice(&text), &jwks, &err), KEYSTAY_E_SERVER_RESPONSE);
    assert_contains(err.message, "too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_of_nothing_is_none),
        cmocka_unit_test(reads_the_set_of_rfc7517),
        cmocka_unit_test(reads_what_entra_adds),
        cmocka_unit_test(writes_keys_that_can_be_read_back),
        cmocka_unit_test(a_written_key_names_no_more_than_it_was_given),
        cmocka_unit_test(a_key_says_what_it_is_for),
        cmocka_unit_test(a_key_is_for_its_algorithm),
        cmocka_unit_test(names_have_a_longest_length),
        cmocka_unit_test(a_set_has_a_largest_number_of_keys),
        cmocka_unit_test(a_set_has_a_largest_length),
        cmocka_unit_test(a_private_or_secret_key_is_refused_wherever_it_is),
        cmocka_unit_test(what_cannot_be_used_is_passed_over),
        cmocka_unit_test(a_monstrous_number_is_refused_unread),
    };

    return RUN_TESTS(tests);
}
