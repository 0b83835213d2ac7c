/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "jose/jws.h"
#include "rsa.h"

static const alg_set both = ALG_BIT(KEYSTAY_ALG_RS256) | ALG_BIT(KEYSTAY_ALG_PS256);

static enum keystay_status sign(struct soft_signer *signer, struct slice payload, struct secret *jws)
{
    return jws_sign(
        &signer->base, TBS_ASSERTION, NULL, KEYSTAY_ALG_RS256, slice_of_str(rfc7515_header), payload, jws,
        NULL);
}

TEST(what_is_no_assertion_is_not_signed)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);
    CLEANUP(secret_clear) struct secret jws = { 0 };

    assert_int_equal(
        jws_sign(
            &signer->base, (enum tbs_kind)0, NULL, KEYSTAY_ALG_RS256, SLICE("{}"), SLICE("{}"), &jws, NULL),
        KEYSTAY_E_INTERNAL);
    assert_int_equal(
        jws_sign(&signer->base, TBS_ASSERTION, NULL, KEYSTAY_ALG_AUTO, SLICE("{}"), SLICE("{}"), &jws, NULL),
        KEYSTAY_E_INTERNAL);
    assert_null(jws.data);
    assert_int_equal(signer->n_signed, 0);
}

TEST(an_algorithm_that_the_key_cannot_do_is_refused)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(ALG_BIT(KEYSTAY_ALG_PS256), NULL);
    CLEANUP(secret_clear) struct secret jws = { 0 };

    assert_int_equal(sign(signer, SLICE("{}"), &jws), KEYSTAY_E_ALGORITHM);
    assert_null(jws.data);
}

/* RFC 7515 appendix A.2. */
TEST(makes_the_published_jws_bit_for_bit)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);
    CLEANUP(secret_clear) struct secret jws = { 0 };

    assert_ok(sign(signer, slice_of_str(rfc7515_payload), &jws));
    assert_slice(secret_slice(&jws), rfc7515_jws);
    assert_int_equal(jws.data[jws.len], '\0');
    assert_int_equal(signer->n_signed, 1);
}

TEST(it_replaces_what_was_there)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);
    CLEANUP(secret_clear) struct secret jws = { 0 };

    assert_ok(secret_set(&jws, SLICE("old"), NULL));
    assert_ok(sign(signer, slice_of_str(rfc7515_payload), &jws));
    assert_slice(secret_slice(&jws), rfc7515_jws);
}

TEST(an_empty_payload_is_a_payload)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);
    CLEANUP(secret_clear) struct secret jws = { 0 };

    assert_ok(sign(signer, SLICE(""), &jws));
    assert_buf(&signer->last_input, "eyJhbGciOiJSUzI1NiJ9.");
    assert_contains(jws.data, "eyJhbGciOiJSUzI1NiJ9..");
}

/* Everything that goes in is known before the signature, so a JWS that would be too long costs none. */
TEST(a_long_payload_is_refused_before_it_is_signed)
{
    static const size_t lens[] = { JWS_MAX * 3 / 4, JWS_MAX };
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);

    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        CLEANUP(secret_clear) struct secret jws = { 0 };
        CLEANUP(freep) uint8_t *payload = calloc(1, lens[i]);
        assert_non_null(payload);
        assert_int_equal(sign(signer, (struct slice){ payload, lens[i] }, &jws), KEYSTAY_E_NO_MEMORY);
        assert_null(jws.data);
    }
    assert_int_equal(signer->n_signed, 0);
}

TEST(a_signature_that_fails_leaves_what_was_there)
{
    static const struct {
        enum spoil spoil;
        enum keystay_status status;
    } rows[] = {
        { SPOIL_FAIL, KEYSTAY_E_MODULE },        { SPOIL_FAIL_HALFWAY, KEYSTAY_E_MODULE },
        { SPOIL_BIT, KEYSTAY_E_KEY_MISMATCH },   { SPOIL_LAST_BYTE_MISSING, KEYSTAY_E_KEY_MISMATCH },
        { SPOIL_EMPTY, KEYSTAY_E_KEY_MISMATCH }, { SPOIL_INPUT, KEYSTAY_E_KEY_MISMATCH },
    };
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(secret_clear) struct secret nothing = { 0 };
        CLEANUP(secret_clear) struct secret old = { 0 };
        assert_ok(secret_set(&old, SLICE("old"), NULL));
        signer->spoil = rows[i].spoil;
        assert_int_equal(sign(signer, SLICE("{}"), &nothing), rows[i].status);
        assert_null(nothing.data);
        assert_int_equal(sign(signer, SLICE("{}"), &old), rows[i].status);
        assert_slice(secret_slice(&old), "old");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_assertion_is_not_signed),
        cmocka_unit_test(an_algorithm_that_the_key_cannot_do_is_refused),
        cmocka_unit_test(makes_the_published_jws_bit_for_bit),
        cmocka_unit_test(it_replaces_what_was_there),
        cmocka_unit_test(an_empty_payload_is_a_payload),
        cmocka_unit_test(a_long_payload_is_refused_before_it_is_signed),
        cmocka_unit_test(a_signature_that_fails_leaves_what_was_there),
    };

    return RUN_TESTS(tests);
}
