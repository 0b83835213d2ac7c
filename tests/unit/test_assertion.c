/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "base/base64url.h"
#include "jose/assertion.h"
#include "jose/jwk.h"
#include "jose/jws.h"
#include "rsa.h"

static const alg_set both = ALG_BIT(KEYSTAY_ALG_RS256) | ALG_BIT(KEYSTAY_ALG_PS256);
static const struct cert_spec plain = { 0 };

static struct assertion sample(void)
{
    return (struct assertion){
        .alg = KEYSTAY_ALG_PS256,
        .typ = ASSERTION_TYP_JWT,
        .thumbprints = THUMBPRINT_SHA256,
        .audience = "https://login.example/contoso.example/oauth2/v2.0/token",
        .issuer = "11111111-2222-3333-4444-555555555555",
        .subject = "11111111-2222-3333-4444-555555555555",
        .has_nbf = true,
        .has_iat = true,
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

/* What would be signed with the RFC's certificate. */
static void compose(const struct assertion *assertion, struct buf *header, struct buf *claims)
{
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&plain);

    *header = BUF(1 << 15);
    *claims = BUF(1 << 15);
    assert_ok(assertion_compose(assertion, certificate, header, claims, NULL));
}

/* It must be refused with these words, and nothing is composed. */
static void refuse(const struct assertion *assertion, enum keystay_status status, const char *words)
{
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&plain);
    CLEANUP(buf_clear) struct buf header = BUF(1024);
    CLEANUP(buf_clear) struct buf claims = BUF(1024);
    struct keystay_error err;

    assert_row(assertion_compose(assertion, certificate, &header, &claims, &err) == status, words);
    assert_contains(err.message, words);
    assert_int_equal(header.len + claims.len, 0);
    assert_int_equal(assertion_check(assertion, NULL), status);
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
        CLEANUP(secret_clear) struct secret signed_text = { 0 };
        struct assertion assertion = sample();

        assertion.alg = algs[i];
        refuse(&assertion, KEYSTAY_E_INTERNAL, "algorithm");
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
        CLEANUP(buf_clear) struct buf header = { 0 };
        CLEANUP(buf_clear) struct buf claims = { 0 };
        struct assertion assertion = sample();
        char wanted[512];

        (void)snprintf(
            wanted, sizeof(wanted), "%s%s%s%s%s", rows[i].start,
            rows[i].thumbprints & THUMBPRINT_SHA256 ? sha256 : "", rows[i].between,
            rows[i].thumbprints & THUMBPRINT_SHA1 ? sha1 : "", rows[i].end);
        assertion.alg = rows[i].alg;
        assertion.thumbprints = rows[i].thumbprints;
        compose(&assertion, &header, &claims);
        assert_buf(&header, wanted);
    }
}

/* RFC 7523 §3 points 1 to 6; the audience is one string. */
TEST(the_claims_are_these_bytes)
{
    CLEANUP(buf_clear) struct buf header = { 0 };
    CLEANUP(buf_clear) struct buf claims = { 0 };
    const struct assertion assertion = sample();

    compose(&assertion, &header, &claims);
    assert_buf(&claims, sample_claims);
}

TEST(header_and_claims_are_what_is_signed)
{
    static const enum keystay_alg algs[] = { KEYSTAY_ALG_PS256, KEYSTAY_ALG_RS256 };
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);

    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        CLEANUP(secret_clear) struct secret jwt = { 0 };
        CLEANUP(buf_clear) struct buf header = { 0 };
        CLEANUP(buf_clear) struct buf claims = { 0 };
        CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);
        struct assertion assertion = sample();

        assertion.alg = algs[i];
        assert_ok(assertion_sign(&assertion, &signer->base, &jwt, NULL));
        compose(&assertion, &header, &claims);

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

/* What the server knows the key by: thumbprints of the certificate, but RFC 7638's is of the key. */
TEST(the_key_is_named_as_the_server_wants)
{
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&plain);
    CLEANUP(buf_clear)
    struct buf prints = BUF(1024); /* in the order of enum assertion_kid, a NUL after each */
    const char *print = NULL;

    assert_ok(jwk_thumbprint(certificate_public_key(certificate), &prints, NULL));
    assert_ok(buf_putc(&prints, '\0', NULL));
    assert_ok(thumbprint_encode(certificate, THUMBPRINT_SHA1, &prints, NULL));
    assert_ok(buf_putc(&prints, '\0', NULL));
    assert_ok(thumbprint_encode(certificate, THUMBPRINT_SHA256, &prints, NULL));
    assert_ok(buf_putc(&prints, '\0', NULL));
    assert_ok(thumbprint_encode_hex(certificate, THUMBPRINT_SHA1, &prints, NULL));
    assert_ok(buf_putc(&prints, '\0', NULL));
    assert_ok(thumbprint_encode_hex(certificate, THUMBPRINT_SHA256, &prints, NULL));
    print = buf_str(&prints);
    for (int form = ASSERTION_KID_JWK; form <= ASSERTION_KID_SHA256_HEX; form++) {
        CLEANUP(buf_clear) struct buf header = { 0 };
        CLEANUP(buf_clear) struct buf claims = { 0 };
        struct assertion assertion = sample();
        char wanted[256];

        assertion.kid_form = (enum assertion_kid)form;
        assertion.thumbprints = 0;
        compose(&assertion, &header, &claims);
        (void)snprintf(wanted, sizeof(wanted), "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"kid\":\"%s\"}", print);
        assert_buf(&header, wanted);
        print += strlen(print) + 1;
    }
}

TEST(a_header_may_say_more_or_less)
{
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&plain);
    CLEANUP(buf_clear) struct buf base64 = BUF(4096);
    CLEANUP(buf_clear) struct buf bare = { 0 };
    CLEANUP(buf_clear) struct buf full = { 0 };
    CLEANUP(buf_clear) struct buf claims = { 0 };
    struct assertion assertion = sample();
    char wanted[4096];

    assertion.typ = ASSERTION_TYP_NONE;
    assertion.thumbprints = 0;
    compose(&assertion, &bare, &claims);
    assert_buf(&bare, "{\"alg\":\"PS256\"}");
    buf_clear(&claims);

    assertion.typ = ASSERTION_TYP_CLIENT_AUTHENTICATION;
    assertion.kid_form = ASSERTION_KID_TEXT;
    assertion.kid = "key \"1\"";
    assertion.has_x5c = true;
    assert_ok(base64_encode(certificate_der(certificate), &base64, NULL));
    compose(&assertion, &full, &claims);
    (void)snprintf(
        wanted, sizeof(wanted),
        "{\"alg\":\"PS256\",\"typ\":\"client-authentication+jwt\",\"kid\":\"key \\\"1\\\"\",\"x5c\":[\"%s\"]}",
        buf_str(&base64));
    assert_buf(&full, wanted);
}

TEST(claims_are_left_out_and_added)
{
    CLEANUP(buf_clear) struct buf header = { 0 };
    CLEANUP(buf_clear) struct buf claims = { 0 };
    struct assertion assertion = sample();

    assertion.subject = NULL;
    assertion.jti = NULL;
    assertion.has_nbf = false;
    assertion.scope = "read write";
    assertion.n_extra = 2;
    assertion.extra[0] = (struct assertion_claim){ "resource", "https://api.example/" };
    assertion.extra[1] = (struct assertion_claim){ "target_audience", "J\xC3\xBCrgen" };
    compose(&assertion, &header, &claims);
    assert_buf(
        &claims, "{\"aud\":\"https://login.example/contoso.example/oauth2/v2.0/token\","
                 "\"iss\":\"11111111-2222-3333-4444-555555555555\",\"scope\":\"read write\","
                 "\"iat\":1700000000,\"exp\":1700000600,"
                 "\"resource\":\"https://api.example/\",\"target_audience\":\"J\xC3\xBCrgen\"}");
}

/* Back-dating moves the beginning, not the end: a caller knows when the assertion dies. */
TEST(it_begins_before_now_and_ends_after)
{
    static const struct {
        int64_t now_s, backdate_s, lifetime_s;
        const char *end;
    } rows[] = {
        { 0, 0, 60, "\"nbf\":0,\"iat\":0,\"exp\":60}" },
        { 60, 60, 60, "\"nbf\":0,\"iat\":0,\"exp\":120}" },
        { 1700000000, 60, 86400, "\"nbf\":1699999940,\"iat\":1699999940,\"exp\":1700086400}" },
        { 1700000000, 3600, 1, "\"nbf\":1699996400,\"iat\":1699996400,\"exp\":1700000001}" },
        { 4102444800, 0, 600, "\"nbf\":4102444800,\"iat\":4102444800,\"exp\":4102445400}" }, /* past 2^31 */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf header = { 0 };
        CLEANUP(buf_clear) struct buf claims = { 0 };
        struct assertion assertion = sample();

        assertion.now_s = rows[i].now_s;
        assertion.backdate_s = rows[i].backdate_s;
        assertion.lifetime_s = rows[i].lifetime_s;
        compose(&assertion, &header, &claims);
        assert_contains(buf_str(&claims), rows[i].end);
    }
}

/* Each row spoils one number of a good assertion: what another process may have sent. */
TEST(a_number_out_of_its_range_is_refused)
{
    static const struct {
        int typ, kid_form, thumbprints;
        int64_t now_s, backdate_s, lifetime_s;
        size_t n_extra;
    } rows[] = {
        { 3, 0, 0, 1700000000, 0, 600, 0 },
        { -1, 0, 0, 1700000000, 0, 600, 0 },
        { 1, 7, 0, 1700000000, 0, 600, 0 },
        { 1, -1, 0, 1700000000, 0, 600, 0 },
        { 1, 0, 4, 1700000000, 0, 600, 0 },
        { 1, 0, 0, -1, 0, 600, 0 },
        { 1, 0, 0, INT64_MAX, 0, 600, 0 },
        { 1, 0, 0, 1700000000, -1, 600, 0 },
        { 1, 0, 0, 1700000000, ASSERTION_BACKDATE_MAX_S + 1, 600, 0 },
        { 1, 0, 0, 59, 60, 600, 0 }, /* before 1970 */
        { 1, 0, 0, 1700000000, 0, 0, 0 },
        { 1, 0, 0, 1700000000, 0, ASSERTION_LIFETIME_MAX_S + 1, 0 },
        { 1, 0, 0, 1700000000, 0, 600, ASSERTION_EXTRA_MAX + 1 },
        { 1, ASSERTION_KID_TEXT, 0, 1700000000, 0, 600, 0 }, /* and no text */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct assertion assertion = sample();

        assertion.typ = (enum assertion_typ)rows[i].typ;
        assertion.kid_form = (enum assertion_kid)rows[i].kid_form;
        assertion.thumbprints = rows[i].thumbprints;
        assertion.now_s = rows[i].now_s;
        assertion.backdate_s = rows[i].backdate_s;
        assertion.lifetime_s = rows[i].lifetime_s;
        assertion.n_extra = rows[i].n_extra;
        refuse(&assertion, KEYSTAY_E_INTERNAL, "an assertion with");
    }
}

/* Where a text can stand; the names are in struct assertion's order. */
static const char **text_of(struct assertion *assertion, size_t i)
{
    const char **const texts[] = { &assertion->audience,      &assertion->issuer, &assertion->subject,
                                   &assertion->jti,           &assertion->scope,  &assertion->extra[0].name,
                                   &assertion->extra[0].value };

    return i < ARRAY_LEN(texts) ? texts[i] : NULL;
}

TEST(a_text_is_neither_empty_nor_too_long_nor_foreign)
{
    CLEANUP(buf_clear) struct buf longest = BUF(ASSERTION_TEXT_MAX);
    CLEANUP(buf_clear) struct buf too_long = BUF(ASSERTION_TEXT_MAX + 1);
    struct assertion assertion = sample();

    for (size_t i = 0; i < ASSERTION_TEXT_MAX; i++) {
        assert_ok(buf_putc(&longest, 'a', NULL));
        assert_ok(buf_putc(&too_long, 'a', NULL));
    }
    assert_ok(buf_putc(&too_long, 'a', NULL));
    for (size_t i = 0; text_of(&assertion, i) != NULL; i++) {
        assertion = sample();
        assertion.n_extra = 1;
        assertion.extra[0] = (struct assertion_claim){ "resource", "x" };
        *text_of(&assertion, i) = "";
        refuse(&assertion, KEYSTAY_E_CONFIG, "is empty");
        *text_of(&assertion, i) = buf_str(&too_long);
        refuse(&assertion, KEYSTAY_E_CONFIG, "is too long");
        *text_of(&assertion, i) = "\xFF\xFE";
        refuse(&assertion, KEYSTAY_E_CONFIG, "is not UTF-8");
    }
    assertion = sample();
    assertion.audience = buf_str(&longest);
    assert_ok(assertion_check(&assertion, NULL));
    assertion.audience = NULL;
    refuse(&assertion, KEYSTAY_E_CONFIG, "audience is empty");
}

/* A further claim never takes the place of one that is decided elsewhere. */
TEST(a_further_claim_is_nobody_elses)
{
    static const char *const names[] = { "aud", "iss", "sub",     "jti",      "scope",
                                         "nbf", "iat", "exp",     "resource", /* it is there already */
                                         "a b", "a\n", "\xC3\xBC" };
    char long_name[ASSERTION_EXTRA_NAME_MAX + 2];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct assertion assertion = sample();

        assertion.n_extra = 2;
        assertion.extra[0] = (struct assertion_claim){ "resource", "x" };
        assertion.extra[1] = (struct assertion_claim){ names[i], "x" };
        refuse(&assertion, KEYSTAY_E_CONFIG, "a further claim");
    }
    struct assertion assertion = sample();
    memset(long_name, 'a', sizeof(long_name));
    long_name[sizeof(long_name) - 1] = '\0';
    assertion.n_extra = 1;
    assertion.extra[0] = (struct assertion_claim){ long_name, "x" };
    refuse(&assertion, KEYSTAY_E_CONFIG, "a further claim");
    long_name[ASSERTION_EXTRA_NAME_MAX] = '\0';
    assert_ok(assertion_check(&assertion, NULL));
}

/* Nobody can write a claim of his own into another's value. */
TEST(values_are_escaped)
{
    CLEANUP(buf_clear) struct buf header = { 0 };
    CLEANUP(buf_clear) struct buf claims = { 0 };
    struct assertion assertion = sample();

    assertion.issuer = "x\",\"sub\":\"admin";
    assertion.audience = "a\\b\nc\x01";
    assertion.jti = "J\xC3\xBCrgen";
    compose(&assertion, &header, &claims);
    assert_buf(
        &claims, "{\"aud\":\"a\\\\b\\u000ac\\u0001\",\"iss\":\"x\\\",\\\"sub\\\":\\\"admin\","
                 "\"sub\":\"11111111-2222-3333-4444-555555555555\",\"jti\":\"J\xC3\xBCrgen\","
                 "\"nbf\":1700000000,\"iat\":1700000000,\"exp\":1700000600}");
}

TEST(what_is_refused_is_not_signed)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);
    CLEANUP(secret_clear) struct secret jwt = { 0 };
    struct assertion assertion = sample();

    assertion.issuer = "\xFF\xFE";
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
        cmocka_unit_test(the_key_is_named_as_the_server_wants),
        cmocka_unit_test(a_header_may_say_more_or_less),
        cmocka_unit_test(claims_are_left_out_and_added),
        cmocka_unit_test(it_begins_before_now_and_ends_after),
        cmocka_unit_test(a_number_out_of_its_range_is_refused),
        cmocka_unit_test(a_text_is_neither_empty_nor_too_long_nor_foreign),
        cmocka_unit_test(a_further_claim_is_nobody_elses),
        cmocka_unit_test(values_are_escaped),
        cmocka_unit_test(what_is_refused_is_not_signed),
        cmocka_unit_test(a_signer_that_fails_leaves_nothing),
    };

    return RUN_TESTS(tests);
}
