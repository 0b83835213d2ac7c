/* SPDX-License-Identifier: Apache-2.0 */
/* Drafts that a key in software signs; what comes out is OpenSSL's to judge. */
#include "unit.h"

#include <openssl/ec.h>
#include <openssl/x509v3.h>

#include "crypto/certificate.h"
#include "crypto/ecdsa.h"
#include "crypto/public_key_impl.h"
#include "crypto/x509_write.h"
#include "rsa.h"

static const struct x509_fields plain = {
    .subject = "CN=backup,O=Contoso",
    .san = "dns:a.example",
    .not_before_s = 1700000000,
    .not_after_s = 1800000000,
    .serial = { 0x80, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
};

static void key_clear(struct public_key *key)
{
    public_key_clear(key);
}

static struct public_key key_of(EVP_PKEY *pkey)
{
    struct public_key key;

    assert_int_equal(EVP_PKEY_up_ref(pkey), 1);
    assert_ok(public_key_init(&key, pkey, NULL));
    return key;
}

static void sign_ecdsa(EVP_PKEY *pkey, const struct alg *alg, struct slice input, struct buf *to)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t der[256];
    size_t len = sizeof(der);

    assert_int_equal(EVP_DigestSignInit_ex(context, NULL, alg->digest, NULL, NULL, pkey, NULL), 1);
    assert_int_equal(EVP_DigestSign(context, der, &len, input.data, input.len), 1);
    assert_ok(ecdsa_to_jose(alg, (struct slice){ der, len }, to, NULL));
    EVP_MD_CTX_free(context);
}

static void sign(EVP_PKEY *pkey, const struct alg *alg, struct slice input, struct buf *to)
{
    const struct rsa_padding how = { alg->family == ALG_RSA_PSS ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING,
                                     alg->digest, (int)alg->digest_len };

    if (alg->family == ALG_ECDSA) {
        sign_ecdsa(pkey, alg, input, to);
    } else {
        rsa_sign(pkey, &how, input, to);
    }
}

/* Of the plain fields with this key and algorithm, signed. */
static enum keystay_status make(
    EVP_PKEY *pkey, const char *alg, bool is_request, bool spoil, struct buf *ret_der,
    struct keystay_error *err)
{
    CLEANUP(key_clear) struct public_key key = key_of(pkey);
    CLEANUP(x509_draft_freep) struct x509_draft *draft = NULL;
    CLEANUP(buf_clear) struct buf signature = BUF(2048);
    struct x509_fields fields = plain;

    fields.key = &key;
    fields.alg = alg_by_name(alg);
    TRY(is_request ? x509_draft_request(&fields, &draft, err) : x509_draft_certificate(&fields, &draft, err));
    sign(pkey, fields.alg, x509_draft_tbs(draft), &signature);
    signature.data[signature.len - 1] ^= spoil ? 1 : 0;
    return x509_draft_finish(draft, buf_slice(&signature), ret_der, err);
}

static const struct {
    const char *alg;
    const char *curve; /* NULL: RSA */
} rows[] = {
    { "RS256", NULL }, { "RS384", NULL },    { "PS256", NULL },
    { "PS384", NULL }, { "ES256", "P-256" }, { "ES384", "P-384" },
};

static EVP_PKEY *key_for(size_t row)
{
    return rows[row].curve == NULL ? rsa_rfc7515_key() : EVP_EC_gen(rows[row].curve);
}

TEST(fields_that_cannot_be_are_refused)
{
    CLEANUP(pkey_freep) EVP_PKEY *pkey = rsa_rfc7515_key();
    CLEANUP(key_clear) struct public_key key = key_of(pkey);
    struct x509_fields fields = plain;
    struct x509_draft *draft = NULL;

    fields.key = &key;
    fields.alg = alg_by_name("RS512");
    assert_int_equal(x509_draft_certificate(&fields, &draft, NULL), KEYSTAY_E_ALGORITHM);
    assert_int_equal(x509_check_fields(&fields, NULL), KEYSTAY_E_ALGORITHM);
    fields.alg = alg_by_name("RS256");
    assert_ok(x509_check_fields(&fields, NULL));
    fields.not_after_s = fields.not_before_s;
    assert_int_equal(x509_draft_certificate(&fields, &draft, NULL), KEYSTAY_E_USAGE);
    fields = (struct x509_fields){ .subject = "CN=a", .not_after_s = 1, .key = &key, .alg = fields.alg };
    assert_int_equal(x509_draft_certificate(&fields, &draft, NULL), KEYSTAY_E_INTERNAL); /* serial 0 */
    fields.subject = "a";
    assert_int_equal(x509_draft_request(&fields, &draft, NULL), KEYSTAY_E_USAGE);
    fields.subject = "CN=a";
    fields.san = "a";
    assert_int_equal(x509_draft_request(&fields, &draft, NULL), KEYSTAY_E_USAGE);
    assert_int_equal(x509_check_fields(&fields, NULL), KEYSTAY_E_USAGE);
    assert_null(draft);
}

TEST(a_certificate_is_for_signing_and_nothing_else)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(pkey_freep) EVP_PKEY *pkey = key_for(i);
        CLEANUP(buf_clear) struct buf der = BUF(X509_WRITE_MAX);
        CLEANUP(certificate_freep) struct certificate *certificate = NULL;

        assert_row(make(pkey, rows[i].alg, false, false, &der, NULL) == KEYSTAY_OK, rows[i].alg);
        assert_ok(certificate_parse(buf_slice(&der), &certificate, NULL));
        assert_string_equal(certificate_subject(certificate), "CN=backup,O=Contoso");
        assert_true(certificate_not_before_s(certificate) == 1700000000);
        assert_true(certificate_not_after_s(certificate) == 1800000000);

        const unsigned char *at = der.data;
        X509 *x509 = d2i_X509(NULL, &at, (long)der.len);
        assert_int_equal(X509_verify(x509, pkey), 1);
        assert_int_equal(X509_get_key_usage(x509), KU_DIGITAL_SIGNATURE);
        assert_int_equal(X509_check_ca(x509), 0);
        assert_int_equal(X509_self_signed(x509, 1), 1);
        assert_int_equal(X509_get_version(x509), X509_VERSION_3);
        BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), NULL);
        assert_int_equal(BN_num_bits(serial), 128);
        assert_false(BN_is_negative(serial));
        BN_free(serial);
        assert_true(X509_get_ext_by_NID(x509, NID_subject_alt_name, -1) >= 0);
        assert_true(
            X509_EXTENSION_get_critical(X509_get_ext(x509, X509_get_ext_by_NID(x509, NID_key_usage, -1))));
        X509_free(x509);
    }
}

TEST(a_request_proves_the_key)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(pkey_freep) EVP_PKEY *pkey = key_for(i);
        CLEANUP(buf_clear) struct buf der = BUF(X509_WRITE_MAX);

        assert_row(make(pkey, rows[i].alg, true, false, &der, NULL) == KEYSTAY_OK, rows[i].alg);
        const unsigned char *at = der.data;
        X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len);
        assert_int_equal(X509_REQ_verify(request, pkey), 1);
        STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
        assert_int_equal(sk_X509_EXTENSION_num(extensions), 3);
        sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
        X509_REQ_free(request);
    }
}

TEST(a_wrong_signature_makes_no_certificate)
{
    for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
        CLEANUP(pkey_freep) EVP_PKEY *pkey = key_for(i / 2);
        CLEANUP(buf_clear) struct buf der = BUF(X509_WRITE_MAX);
        struct keystay_error err;

        assert_int_equal(make(pkey, rows[i / 2].alg, i % 2 == 1, true, &der, &err), KEYSTAY_E_KEY_MISMATCH);
        assert_contains(err.message, "thrown away");
        assert_int_equal(der.len, 0);
    }
}

TEST(pem_is_read_back)
{
    CLEANUP(pkey_freep) EVP_PKEY *pkey = rsa_rfc7515_key();
    CLEANUP(buf_clear) struct buf der = BUF(X509_WRITE_MAX);
    CLEANUP(buf_clear) struct buf pem = BUF(X509_WRITE_MAX);
    CLEANUP(buf_clear) struct buf small = BUF(100);
    CLEANUP(certificate_freep) struct certificate *certificate = NULL;

    assert_ok(make(pkey, "RS256", false, false, &der, NULL));
    assert_ok(x509_put_pem("CERTIFICATE", buf_slice(&der), &pem, NULL));
    assert_ok(certificate_parse(buf_slice(&pem), &certificate, NULL));
    assert_true(slice_equal(certificate_der(certificate), buf_slice(&der)));
    assert_int_equal(x509_put_pem("CERTIFICATE", buf_slice(&der), &small, NULL), KEYSTAY_E_NO_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_that_cannot_be_are_refused),
        cmocka_unit_test(a_certificate_is_for_signing_and_nothing_else),
        cmocka_unit_test(a_request_proves_the_key),
        cmocka_unit_test(a_wrong_signature_makes_no_certificate),
        cmocka_unit_test(pem_is_read_back),
    };

    return RUN_TESTS(tests);
}
