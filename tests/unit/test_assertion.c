/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "base/base64url.h"
#include "jose/assertion.h"
#include "jose/jws.h"
#include "rsa.h"

static const alg_set both = ALG_BIT(KEYSTAY_ALG_RS256) | ALG_BIT(KEYSTAY_ALG_PS256);
static const struct cert_spec plain = { 0 };

static struct assertion sample(void)
{
    return (struct assertion){
        .alg = KEYSTAY_ALG_PS256,
        .thumbprints = THUMBPRINT_SHA256,
        .client_id = "11111111-2222-3333-4444-555555555555",
        .audience = "https://login.example/contoso.example/oauth2/v2.0/token",
        .jti = "7a1a5a3c-0b6f-4c9e-8d43-0a6bd0f8c111",
        .now_s = 1700000000,
        .lifetime_s = 600,
    };
}

static const char sample_claims[] = "{\"aud\":\"https://login.example/contoso.example/oauth2/v2.0/token\","
                                    "\"iss\":\"11111111-2222-3333-4444-555555555555\","
                                    "\"sub\":\"11111111-2222-3333-4444-555555555555\","
                                    "\"jti\":\"7a1a5a3c-0b6f-4c9e-8d43-0a6bd0f8c111\","
                                    "\"nbf\":1700000000,\"iat\":1700000000,\"exp\":1700000600}";

/* The thumbprint's own test says that this is right. */
static void thumbprint_text(const struct certificate *certificate, enum thumbprint which, char text[64])
{
    CLEANUP(buf_clear) struct buf encoded = BUF(63);

    assert_ok(thumbprint_encode(certificate, which, &encoded, NULL));
    memcpy(text, buf_str(&encoded), encoded.len + 1);
}

/* The part of a compact serialisation that starts at *at; *at moves behind its dot. */
static struct slice next_part(const char **at)
{
    struct slice part = { (const uint8_t *)*at, strcspn(*at, ".") };

    *at += part.len + ((*at)[part.len] == '.');
    return part;
}

static void assert_part(struct slice part, const struct buf *wanted)
{
    CLEANUP(buf_clear) struct buf decoded = BUF(1 << 16);

    assert_ok(base64url_decode(part, &decoded, NULL));
    assert_slice(buf_slice(&decoded), buf_str(wanted));
}

TEST(without_an_algorithm_there_is_no_assertion)
{
    static const enum keystay_alg algs[] = { KEYSTAY_ALG_AUTO, (enum keystay_alg)31 };
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new((alg_set)-1, NULL);

    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        CLEANUP(buf_clear) struct buf header = BUF(1024);
        CLEANUP(secret_clear) struct secret signed_text = { 0 };
        struct assertion assertion = sample();
        struct keystay_error err;

        assertion.alg = algs[i];
        assert_int_equal(
            assertion_header(&assertion, signer->base.certificate, &header, &err), KEYSTAY_E_INTERNAL);
        assert_int_equal(header.len, 0);
        assert_contains(err.message, "algorithm");
        assert_int_equal(assertion_sign(&assertion, &signer->base, &signed_text, NULL), KEYSTAY_E_INTERNAL);
        assert_null(signed_text.data);
    }
    assert_int_equal(signer->n_signed, 0);
}

TEST(the_header_names_algorithm_and_thumbprints)
{
    static const struct {
        enum keystay_alg alg;
        int thumbprints;
        const char *start, *between, *end; /* around the SHA-256 thumbprint and the SHA-1 one */
    } rows[] = {
        { KEYSTAY_ALG_PS256, THUMBPRINT_SHA256, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"", "",
          "\"}" },
        { KEYSTAY_ALG_RS256, THUMBPRINT_SHA1, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"x5t\":\"", "", "\"}" },
        { KEYSTAY_ALG_RS256, THUMBPRINT_BOTH, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"x5t#S256\":\"",
          "\",\"x5t\":\"", "\"}" },
        { KEYSTAY_ALG_ES384, 0, "{\"alg\":\"ES384\",\"typ\":\"JWT\"}", "", "" },
    };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&plain);
    char sha256[64];
    char sha1[64];

    thumbprint_text(certificate, THUMBPRINT_SHA256, sha256);
    thumbprint_text(certificate, THUMBPRINT_SHA1, sha1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf header = BUF(1024);
        struct assertion assertion = sample();
        char wanted[512];

        (void)snprintf(
            wanted, sizeof(wanted), "%s%s%s%s%s", rows[i].start,
            rows[i].thumbprints & THUMBPRINT_SHA256 ? sha256 : "", rows[i].between,
            rows[i].thumbprints & THUMBPRINT_SHA1 ? sha1 : "", rows[i].end);
        assertion.alg = rows[i].alg;
        assertion.thumbprints = (enum thumbprint)rows[i].thumbprints;
        assert_ok(assertion_header(&assertion, certificate, &header, NULL));
        assert_buf(&header, wanted);
    }
}

/* RFC 7523 §3 points 1 to 6; the audience is one string. */
TEST(the_claims_are_these_bytes)
{
    CLEANUP(buf_clear) struct buf claims = BUF(1024);
    const struct assertion assertion = sample();

    assert_ok(assertion_claims(&assertion, &claims, NULL));
    assert_buf(&claims, sample_claims);
}

TEST(header_and_claims_are_what_is_signed)
{
    static const enum keystay_alg algs[] = { KEYSTAY_ALG_PS256, KEYSTAY_ALG_RS256 };
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);

    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        CLEANUP(secret_clear) struct secret jwt = { 0 };
        CLEANUP(buf_clear) struct buf header = BUF(1024);
        CLEANUP(buf_clear) struct buf claims = BUF(1024);
        CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);
        struct assertion assertion = sample();

        assertion.alg = algs[i];
        assert_ok(assertion_sign(&assertion, &signer->base, &jwt, NULL));
        assert_ok(assertion_header(&assertion, signer->base.certificate, &header, NULL));
        assert_ok(assertion_claims(&assertion, &claims, NULL));

        const char *at = jwt.data;
        assert_part(next_part(&at), &header);
        assert_part(next_part(&at), &claims);
        assert_ok(base64url_decode(next_part(&at), &signature, NULL));
        assert_string_equal(at, "");
        struct slice input = buf_slice(&signer->last_input);
        assert_memory_equal(jwt.data, input.data, input.len);
        assert_ok(public_key_verify(
            certificate_public_key(signer->base.certificate), alg_by_id(algs[i]), input,
            buf_slice(&signature), NULL));
        assert_int_equal(signer->n_signed, (int)i + 1);
    }
}

TEST(the_end_is_the_beginning_and_the_lifetime)
{
    static const struct {
        int64_t now_s, lifetime_s;
        const char *end;
    } rows[] = {
        { 0, 60, "\"nbf\":0,\"iat\":0,\"exp\":60}" },
        { 1700000000, 86400, "\"nbf\":1700000000,\"iat\":1700000000,\"exp\":1700086400}" },
        { 4102444800, 600, "\"nbf\":4102444800,\"iat\":4102444800,\"exp\":4102445400}" }, /* past 2^31 */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf claims = BUF(1024);
        struct assertion assertion = sample();

        assertion.now_s = rows[i].now_s;
        assertion.lifetime_s = rows[i].lifetime_s;
        assert_ok(assertion_claims(&assertion, &claims, NULL));
        assert_contains(buf_str(&claims), rows[i].end);
    }
}

TEST(a_text_that_is_too_long_is_not_signed)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);
    CLEANUP(secret_clear) struct secret jwt = { 0 };
    CLEANUP(buf_clear) struct buf audience = BUF(32 * 1024);
    struct assertion assertion = sample();

    for (size_t i = 0; i < 32 * 1024; i++) {
        assert_ok(buf_putc(&audience, 'a', NULL));
    }
    assertion.audience = buf_str(&audience);
    assert_int_equal(assertion_sign(&assertion, &signer->base, &jwt, NULL), KEYSTAY_E_NO_MEMORY);
    assert_int_equal(signer->n_signed, 0);
    assert_null(jwt.data);
}

/* Nobody can write a claim of his own into another's value. */
TEST(values_are_escaped)
{
    CLEANUP(buf_clear) struct buf claims = BUF(1024);
    struct assertion assertion = sample();

    assertion.client_id = "x\",\"sub\":\"admin";
    assertion.audience = "a\\b\nc\x01";
    assertion.jti = "J\xC3\xBCrgen";
    assert_ok(assertion_claims(&assertion, &claims, NULL));
    assert_buf(
        &claims, "{\"aud\":\"a\\\\b\\u000ac\\u0001\",\"iss\":\"x\\\",\\\"sub\\\":\\\"admin\","
                 "\"sub\":\"x\\\",\\\"sub\\\":\\\"admin\",\"jti\":\"J\xC3\xBCrgen\","
                 "\"nbf\":1700000000,\"iat\":1700000000,\"exp\":1700000600}");
}

TEST(what_is_not_utf8_is_not_signed)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);
    CLEANUP(secret_clear) struct secret jwt = { 0 };
    struct assertion assertion = sample();

    assertion.client_id = "\xFF\xFE";
    assert_int_equal(assertion_sign(&assertion, &signer->base, &jwt, NULL), KEYSTAY_E_CONFIG);
    assert_int_equal(signer->n_signed, 0);
    assert_null(jwt.data);
}

TEST(a_signer_that_fails_leaves_nothing)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);
    CLEANUP(secret_clear) struct secret jwt = { 0 };
    const struct assertion assertion = sample();
    struct keystay_error err;

    signer->spoil = SPOIL_FAIL_HALFWAY;
    assert_int_equal(assertion_sign(&assertion, &signer->base, &jwt, &err), KEYSTAY_E_MODULE);
    assert_string_equal(err.message, "the soft signer fails");
    assert_null(jwt.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_algorithm_there_is_no_assertion),
        cmocka_unit_test(the_header_names_algorithm_and_thumbprints),
        cmocka_unit_test(the_claims_are_these_bytes),
        cmocka_unit_test(header_and_claims_are_what_is_signed),
        cmocka_unit_test(the_end_is_the_beginning_and_the_lifetime),
        cmocka_unit_test(a_text_that_is_too_long_is_not_signed),
        cmocka_unit_test(values_are_escaped),
        cmocka_unit_test(what_is_not_utf8_is_not_signed),
        cmocka_unit_test(a_signer_that_fails_leaves_nothing),
    };

    return RUN_TESTS(tests);
}
