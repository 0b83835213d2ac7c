/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <openssl/ec.h>

#include "rsa.h"

static const alg_set both = ALG_BIT(KEYSTAY_ALG_RS256) | ALG_BIT(KEYSTAY_ALG_PS256);

static enum keystay_status sign(
    struct soft_signer *signer, enum tbs_kind kind, enum keystay_alg alg, struct buf *signature,
    struct keystay_error *err)
{
    const struct tbs tbs = { kind, alg, SLICE("head.claims"), NULL };

    return signer_sign(&signer->base, &tbs, signature, err);
}

TEST(freeing_nothing_is_fine)
{
    struct keystay_signer *signer = NULL;

    keystay_signer_free(NULL);
    signer_freep(&signer);
}

/* No signing oracle: bytes that a caller brought have no kind. */
TEST(a_structure_of_no_known_kind_is_not_signed)
{
    static const int kinds[] = { 0, TBS_REQUEST + 1, -1, 99 };
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);
        assert_int_equal(
            sign(signer, (enum tbs_kind)kinds[i], KEYSTAY_ALG_RS256, &signature, NULL), KEYSTAY_E_INTERNAL);
        assert_int_equal(signature.len, 0);
    }
    assert_int_equal(signer->n_signed, 0);
}

/* The public key stands in: for what makes a certificate, and for nothing that a server trusts. */
TEST(without_a_certificate_no_assertion_is_signed)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);
    CLEANUP(buf_clear) struct buf first = BUF(2048);
    CLEANUP(buf_clear) struct buf second = BUF(2048);
    CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);
    struct keystay_signer *base = &signer->base;

    assert_ok(public_key_numbers(signer_public_key(base), &first, &second, NULL));
    assert_ok(public_key_new_rsa(buf_slice(&first), buf_slice(&second), &base->public_key, NULL));
    certificate_freep(&base->certificate);
    assert_ptr_equal(signer_public_key(base), base->public_key);
    assert_int_equal(sign(signer, TBS_ASSERTION, KEYSTAY_ALG_RS256, &signature, NULL), KEYSTAY_E_INTERNAL);
    assert_int_equal(signer->n_signed, 0);
    assert_ok(sign(signer, TBS_CERTIFICATE, KEYSTAY_ALG_RS256, &signature, NULL));
    buf_clear(&signature);
    assert_ok(sign(signer, TBS_REQUEST, KEYSTAY_ALG_PS256, &signature, NULL));
    buf_clear(&signature);
    signer->spoil = SPOIL_BIT;
    assert_int_equal(sign(signer, TBS_REQUEST, KEYSTAY_ALG_PS256, &signature, NULL), KEYSTAY_E_KEY_MISMATCH);
    assert_null(signature.data);
    public_key_freep(&base->public_key);
}

TEST(an_algorithm_must_be_chosen_before)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new((alg_set)-1, NULL);
    CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);

    assert_int_equal(sign(signer, TBS_ASSERTION, KEYSTAY_ALG_AUTO, &signature, NULL), KEYSTAY_E_INTERNAL);
    assert_int_equal(sign(signer, TBS_ASSERTION, (enum keystay_alg)31, &signature, NULL), KEYSTAY_E_INTERNAL);
    assert_int_equal(signer->n_signed, 0);
}

TEST(the_buffer_must_be_empty)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);
    CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);

    assert_ok(buf_puts(&signature, "old", NULL));
    assert_int_equal(sign(signer, TBS_ASSERTION, KEYSTAY_ALG_RS256, &signature, NULL), KEYSTAY_E_INTERNAL);
    assert_int_equal(signer->n_signed, 0);
}

TEST(tells_what_it_can)
{
    CLEANUP(soft_signer_freep)
    struct soft_signer *signer =
        soft_signer_new(ALG_BIT(KEYSTAY_ALG_RS256) | ALG_BIT(KEYSTAY_ALG_AUTO) | (alg_set)1 << 31, NULL);

    assert_true(keystay_signer_can(&signer->base, KEYSTAY_ALG_RS256));
    assert_false(keystay_signer_can(&signer->base, KEYSTAY_ALG_PS256));
    assert_false(keystay_signer_can(&signer->base, KEYSTAY_ALG_AUTO));
    assert_false(keystay_signer_can(&signer->base, (enum keystay_alg)31));
    assert_ptr_equal(keystay_signer_info(&signer->base), &signer->base.info);
    assert_ptr_equal(signer_certificate(&signer->base), signer->base.certificate);
}

TEST(signs_and_closes_once)
{
    static const enum keystay_alg algs[] = { KEYSTAY_ALG_RS256, KEYSTAY_ALG_PS256 };
    int n_closed = 0;
    struct soft_signer *signer = soft_signer_new(both, NULL);

    signer->n_closed = &n_closed;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);
        assert_ok(sign(signer, TBS_ASSERTION, algs[i], &signature, NULL));
        assert_int_equal(signature.len, 256);
        assert_buf(&signer->last_input, "head.claims");
    }
    assert_int_equal(signer->n_signed, 2);
    struct keystay_signer *base = &signer->base;
    signer_freep(&base);
    assert_null(base);
    assert_int_equal(n_closed, 1);
}

TEST(what_the_token_does_not_offer_is_not_asked_of_it)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(ALG_BIT(KEYSTAY_ALG_RS256), NULL);
    CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);
    struct keystay_error err;

    assert_int_equal(sign(signer, TBS_ASSERTION, KEYSTAY_ALG_PS256, &signature, &err), KEYSTAY_E_ALGORITHM);
    assert_contains(err.message, "token 'soft' cannot sign PS256");
    assert_int_equal(signer->n_signed, 0);
}

/* Whatever the token answers, a signature that does not verify never gets out. */
TEST(a_bad_signature_is_never_let_out)
{
    static const enum spoil spoils[] = { SPOIL_BIT, SPOIL_LAST_BYTE_MISSING, SPOIL_EMPTY, SPOIL_INPUT };
    static const enum keystay_alg algs[] = { KEYSTAY_ALG_RS256, KEYSTAY_ALG_PS256 };
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);

    for (size_t i = 0; i < ARRAY_LEN(spoils) * ARRAY_LEN(algs); i++) {
        CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);
        struct keystay_error err;

        signer->spoil = spoils[i / ARRAY_LEN(algs)];
        assert_int_equal(
            sign(signer, TBS_ASSERTION, algs[i % ARRAY_LEN(algs)], &signature, &err), KEYSTAY_E_KEY_MISMATCH);
        assert_int_equal(signature.len, 0);
        assert_null(signature.data);
        assert_contains(err.message, "CN=unit test");
    }
}

TEST(a_key_that_is_not_the_certificates_is_found_out)
{
    CLEANUP(pkey_freep) EVP_PKEY *stranger = rsa_public_key_of_bits(2048);
    const struct cert_spec spec = { .key = stranger };
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, cert_new(&spec));
    CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);
    struct keystay_error err;

    assert_int_equal(
        sign(signer, TBS_ASSERTION, KEYSTAY_ALG_RS256, &signature, &err), KEYSTAY_E_KEY_MISMATCH);
    assert_contains(err.hint, "--certificate");
    assert_null(signature.data);
}

TEST(a_certificate_of_another_kind_verifies_nothing)
{
    CLEANUP(pkey_freep) EVP_PKEY *curve = EVP_EC_gen("P-256");
    const struct cert_spec spec = { .key = curve };
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, cert_new(&spec));
    CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);

    assert_int_equal(sign(signer, TBS_ASSERTION, KEYSTAY_ALG_RS256, &signature, NULL), KEYSTAY_E_ALGORITHM);
    assert_null(signature.data);
}

TEST(the_tokens_own_error_comes_through)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);
    CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);
    struct keystay_error err;

    signer->spoil = SPOIL_FAIL;
    assert_int_equal(sign(signer, TBS_ASSERTION, KEYSTAY_ALG_RS256, &signature, &err), KEYSTAY_E_MODULE);
    assert_string_equal(err.message, "the soft signer fails");
    assert_int_equal(signature.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(a_structure_of_no_known_kind_is_not_signed),
        cmocka_unit_test(without_a_certificate_no_assertion_is_signed),
        cmocka_unit_test(an_algorithm_must_be_chosen_before),
        cmocka_unit_test(the_buffer_must_be_empty),
        cmocka_unit_test(tells_what_it_can),
        cmocka_unit_test(signs_and_closes_once),
        cmocka_unit_test(what_the_token_does_not_offer_is_not_asked_of_it),
        cmocka_unit_test(a_bad_signature_is_never_let_out),
        cmocka_unit_test(a_key_that_is_not_the_certificates_is_found_out),
        cmocka_unit_test(a_certificate_of_another_kind_verifies_nothing),
        cmocka_unit_test(the_tokens_own_error_comes_through),
    };

    return RUN_TESTS(tests);
}
