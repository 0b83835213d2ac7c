/* SPDX-License-Identifier: Apache-2.0 */
/* The signature and its key; what a token says is in test_verify_claims.c. */
#include "unit.h"

#include <openssl/ec.h>
#include <stdio.h>

#include "base/base64url.h"
#include "crypto/certificate.h"
#include "jose/thumbprint.h"
#include "jose/verify.h"
#include "rsa.h"

/* RFC 7515 §A.1 (HS256) and §A.3 (ES256). */
static const char rfc7515_hs256[] =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQo"
    "gImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOE"
    "jXk";
static const char rfc7515_es256[] =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGx"
    "lLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8I"
    "SlSApmWQxfKTUJqPP3-Kg6NU1Q";
static const char rfc7515_es256_jwk[] =
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";

/* RFC 7520 §4.1 (RS256) and §4.2 (PS384), and their key, §3.3. */
static const char rfc7520_rs256[] =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGF"
    "uZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9"
    "hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW9"
    "1IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKt"
    "ainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0R"
    "nltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS"
    "_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH"
    "84ogoree7vjbU5y18kDquDg";
static const char rfc7520_ps384[] =
    "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGF"
    "uZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9"
    "hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW9"
    "1IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1"
    "xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFl"
    "fz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2"
    "Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfm"
    "WjwZ6oD4ifKo8DYM-X72Eaw";
#define RFC7520_NUMBERS                                                                        \
    "\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""                                                  \
    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_" \
    "AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpP" \
    "e7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg" \
    "_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"           \
    "\""
static const char rfc7520_jwk[] =
    "{" RFC7520_NUMBERS ",\"use\":\"sig\",\"kid\":\"bilbo.baggins@hobbiton.example\"}";

static enum keystay_status verify(const char *jwks_text, struct slice token, struct keystay_error *err)
{
    CLEANUP(jwks_clear) struct jwks jwks = { 0 };
    CLEANUP(jws_clear) struct jws jws = { 0 };
    const struct jwk *jwk = NULL;

    assert_ok(jwks_parse(slice_of_str(jwks_text), &jwks, NULL));
    TRY(jws_decode(token, &jws, err));
    TRY(verify_choose_key(&jws, &jwks, &jwk, err));
    return verify_with_jwk(&jws, jwk, err);
}

static void refuse(const char *jwks_text, struct slice token, const char *why)
{
    struct keystay_error err = { 0 };

    assert_row(verify(jwks_text, token, &err) == KEYSTAY_E_ANSWER_NO, why);
    assert_int_equal(err.status, KEYSTAY_E_ANSWER_NO);
    assert_contains(err.message, why);
}

/* A token of the RFC 7515 key with this header, RS256 whatever the header says. */
static void token_of(const char *header, struct buf *to)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = rsa_rfc7515_key();
    CLEANUP(buf_clear) struct buf signature = BUF(512);

    assert_ok(base64url_encode(slice_of_str(header), to, NULL));
    assert_ok(buf_puts(to, ".e30", NULL));
    rsa_sign(key, &rsa_rs256, buf_slice(to), &signature);
    assert_ok(buf_putc(to, '.', NULL));
    assert_ok(base64url_encode(buf_slice(&signature), to, NULL));
}

static enum keystay_status verify_with(
    const struct cert_spec *spec, const char *header, struct keystay_error *err)
{
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(spec);
    CLEANUP(buf_clear) struct buf text = BUF(JWT_MAX);
    CLEANUP(jws_clear) struct jws jws = { 0 };

    token_of(header, &text);
    assert_ok(jws_decode(buf_slice(&text), &jws, NULL));
    return verify_with_certificate(&jws, certificate, CERT_NOW_S, err);
}

TEST(verifies_the_published_tokens)
{
    assert_ok(verify(rfc7515_es256_jwk, slice_of_str(rfc7515_es256), NULL));
    assert_ok(verify(rfc7520_jwk, slice_of_str(rfc7520_rs256), NULL));
    assert_ok(verify(rfc7520_jwk, slice_of_str(rfc7520_ps384), NULL));
}

TEST(a_key_verifies_only_its_own_algorithm)
{
    static const char rs256_only[] =
        "{" RFC7520_NUMBERS ",\"alg\":\"RS256\",\"kid\":\"bilbo.baggins@hobbiton.example\"}";

    assert_ok(verify(rs256_only, slice_of_str(rfc7520_rs256), NULL));
    refuse(rs256_only, slice_of_str(rfc7520_ps384), "algorithm is PS384, its key is for RS256");
}

TEST(each_changed_character_is_noticed)
{
    char token[sizeof(rfc7515_es256)];

    for (size_t i = 0; i < sizeof(token) - 1; i++) {
        memcpy(token, rfc7515_es256, sizeof(token));
        token[i] = token[i] == 'A' ? 'B' : 'A';
        assert_int_not_equal(verify(rfc7515_es256_jwk, slice_of_str(token), NULL), KEYSTAY_OK);
    }
}

TEST(a_shared_secret_is_never_a_key)
{
    refuse(rfc7520_jwk, slice_of_str(rfc7515_hs256), "HS256");
    refuse(rfc7520_jwk, slice_of_str(rfc7515_hs256), "only with public keys");
}

TEST(an_unknown_algorithm_is_named)
{
    /* {"alg":"EdDSA"} */
    refuse(rfc7520_jwk, SLICE("eyJhbGciOiJFZERTQSJ9.e30.AAAA"), "'EdDSA'");
    /* {"alg":"\u001b[31m"} */
    refuse(rfc7520_jwk, SLICE("eyJhbGciOiJcdTAwMWJbMzFtIn0.e30.AAAA"), "'?[31m'");
}

TEST(the_algorithm_must_go_with_the_key)
{
    /* {"alg":"ES256"}: no kid, and no key that goes with it */
    refuse(rfc7520_jwk, slice_of_str(rfc7515_es256), "none of the 1 there goes with ES256");
    /* {"alg":"ES256","kid":"bilbo.baggins@hobbiton.example"} */
    refuse(
        rfc7520_jwk,
        SLICE("eyJhbGciOiJFUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.e30.AAAA"),
        "does not go with the RSA key of 2048 bits");
}

TEST(exactly_one_key_may_have_the_kid)
{
    static const char two[] = "{\"keys\":[{" RFC7520_NUMBERS ",\"kid\":\"bilbo.baggins@hobbiton.example\"},"
                              "{" RFC7520_NUMBERS ",\"kid\":\"bilbo.baggins@hobbiton.example\"}]}";
    static const char other[] = "{\"keys\":[{" RFC7520_NUMBERS ",\"kid\":\"frodo\"},{" RFC7520_NUMBERS
                                ",\"kid\":\"Bilbo.baggins@hobbiton.example\"},{\"kty\":\"OKP\"}]}";
    static const char unnamed[] = "{" RFC7520_NUMBERS "}";

    refuse(two, slice_of_str(rfc7520_rs256), "more than one key");
    refuse(other, slice_of_str(rfc7520_rs256), "none of the 2 keys there has the token's kid 'bilbo");
    refuse(other, slice_of_str(rfc7520_rs256), "1 could not be used");
    refuse(unnamed, slice_of_str(rfc7520_rs256), "none of the 1 keys");
}

TEST(without_kid_only_one_key_may_fit)
{
    char set[2048];

    (void)snprintf(set, sizeof(set), "{\"keys\":[%s,%s]}", rfc7520_jwk, rfc7515_es256_jwk);
    assert_ok(verify(set, slice_of_str(rfc7515_es256), NULL));
    (void)snprintf(set, sizeof(set), "{\"keys\":[%s,%s]}", rfc7515_es256_jwk, rfc7515_es256_jwk);
    refuse(set, slice_of_str(rfc7515_es256), "more than one goes with its algorithm");
}

TEST(a_nonce_in_the_header_explains_a_bad_signature)
{
    struct keystay_error err;

    /* {"alg":"RS256","nonce":"x","kid":"bilbo.baggins@hobbiton.example"} */
    assert_int_equal(
        verify(
            rfc7520_jwk,
            SLICE("eyJhbGciOiJSUzI1NiIsIm5vbmNlIjoieCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9"
                  ".e30.AAAA"),
            &err),
        KEYSTAY_E_ANSWER_NO);
    assert_contains(err.hint, "nobody but Graph");
    assert_int_equal(
        verify(
            rfc7520_jwk,
            SLICE("eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.e30.AAAA"), &err),
        KEYSTAY_E_ANSWER_NO);
    assert_string_equal(err.hint, "");
}

TEST(verifies_with_a_certificate)
{
    static const struct cert_spec plain = { 0 };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&plain);
    CLEANUP(buf_clear) struct buf sha256 = BUF(64);
    CLEANUP(buf_clear) struct buf sha1 = BUF(64);
    char header[256];

    assert_ok(thumbprint_encode(certificate, THUMBPRINT_SHA256, &sha256, NULL));
    assert_ok(thumbprint_encode(certificate, THUMBPRINT_SHA1, &sha1, NULL));
    (void)snprintf(
        header, sizeof(header), "{\"alg\":\"RS256\",\"x5t#S256\":\"%s\",\"x5t\":\"%s\"}", buf_str(&sha256),
        buf_str(&sha1));
    assert_ok(verify_with(&plain, header, NULL));
    assert_ok(verify_with(&plain, "{\"alg\":\"RS256\"}", NULL));
}

TEST(a_thumbprint_of_another_certificate_is_noticed)
{
    static const struct cert_spec plain = { 0 };
    static const char *const headers[] = {
        "{\"alg\":\"RS256\",\"x5t\":\"AAAA\"}",
        "{\"alg\":\"RS256\",\"x5t#S256\":\"AAAA\"}",
        "{\"alg\":\"RS256\",\"x5t#S256\":\"\"}",
        "{\"alg\":\"RS256\",\"x5t#S256\":null}",
    };

    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        struct keystay_error err;
        assert_row(verify_with(&plain, headers[i], &err) == KEYSTAY_E_ANSWER_NO, headers[i]);
        assert_contains(err.message, "is not that of certificate 'CN=unit test'");
    }
}

TEST(a_certificate_out_of_its_time_verifies_nothing)
{
    static const struct cert_spec old = { .not_before_s = CERT_NOW_S - 100, .not_after_s = CERT_NOW_S - 1 };
    struct keystay_error err;

    assert_int_equal(verify_with(&old, "{\"alg\":\"RS256\"}", &err), KEYSTAY_E_ANSWER_NO);
    assert_int_equal(err.status, KEYSTAY_E_ANSWER_NO);
    assert_contains(err.message, "expired");
}

TEST(another_certificates_key_verifies_nothing)
{
    CLEANUP(pkey_freep) EVP_PKEY *rsa = rsa_public_key_of_bits(2048);
    CLEANUP(pkey_freep) EVP_PKEY *ec = EVP_EC_gen("P-256");
    const struct cert_spec rsa_spec = { .key = rsa };
    const struct cert_spec ec_spec = { .key = ec };
    struct keystay_error err;

    assert_int_equal(verify_with(&rsa_spec, "{\"alg\":\"RS256\"}", &err), KEYSTAY_E_ANSWER_NO);
    assert_contains(err.message, "signature is not good");
    assert_int_equal(verify_with(&ec_spec, "{\"alg\":\"RS256\"}", &err), KEYSTAY_E_ANSWER_NO);
    assert_contains(err.message, "does not go with the EC key");
}

TEST(a_key_that_can_be_broken_verifies_nothing)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = rsa_public_key_of_modulus(rsa_roca_modulus);
    const struct cert_spec spec = { .key = key };
    struct keystay_error err;

    assert_int_equal(verify_with(&spec, "{\"alg\":\"RS256\"}", &err), KEYSTAY_E_ANSWER_NO);
    assert_contains(err.message, "ROCA");
}

/* RFC 8725 §2.1: the header says PS256, the signature is a good one of RS256. */
TEST(a_signature_of_another_algorithm_is_not_good)
{
    static const struct cert_spec plain = { 0 };
    struct keystay_error err;

    assert_int_equal(verify_with(&plain, "{\"alg\":\"PS256\"}", &err), KEYSTAY_E_ANSWER_NO);
    assert_int_equal(verify_with(&plain, "{\"alg\":\"RS384\"}", &err), KEYSTAY_E_ANSWER_NO);
    assert_int_equal(verify_with(&plain, "{\"alg\":\"HS256\"}", &err), KEYSTAY_E_ANSWER_NO);
    assert_int_equal(verify_with(&plain, "{\"alg\":\"rs256\"}", &err), KEYSTAY_E_ANSWER_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verifies_the_published_tokens),
        cmocka_unit_test(a_key_verifies_only_its_own_algorithm),
        cmocka_unit_test(each_changed_character_is_noticed),
        cmocka_unit_test(a_shared_secret_is_never_a_key),
        cmocka_unit_test(an_unknown_algorithm_is_named),
        cmocka_unit_test(the_algorithm_must_go_with_the_key),
        cmocka_unit_test(exactly_one_key_may_have_the_kid),
        cmocka_unit_test(without_kid_only_one_key_may_fit),
        cmocka_unit_test(a_nonce_in_the_header_explains_a_bad_signature),
        cmocka_unit_test(verifies_with_a_certificate),
        cmocka_unit_test(a_thumbprint_of_another_certificate_is_noticed),
        cmocka_unit_test(a_certificate_out_of_its_time_verifies_nothing),
        cmocka_unit_test(another_certificates_key_verifies_nothing),
        cmocka_unit_test(a_key_that_can_be_broken_verifies_nothing),
        cmocka_unit_test(a_signature_of_another_algorithm_is_not_good),
    };

    return RUN_TESTS(tests);
}
