/* SPDX-License-Identifier: Apache-2.0 */
#include "rsa.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "unit.h"

#include "base/base64url.h"
#include "base/error.h"

/* RFC 7515 §A.2.1 */
static const struct {
    const char *name;
    const char *value;
} jwk[] = {
    { "n", "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt"
           "0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSX"
           "ndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5"
           "IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" },
    { "e", "AQAB" },
    { "d", "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol"
           "2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn43"
           "9X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8"
           "bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ" },
    { "p", "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_"
           "Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc" },
    { "q", "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7Tje"
           "LQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc" },
    { "dp", "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOK"
            "nu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0" },
    { "dq", "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U"
            "0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU" },
    { "qi", "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5"
            "cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U" },
};

static const char *const param_names[ARRAY_LEN(jwk)] = {
    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
    OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

const char rfc7515_header[] = "{\"alg\":\"RS256\"}";
const char rfc7515_payload[] =
    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
const char rfc7515_jws[] =
    "eyJhbGciOiJSUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W"
    "2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkS"
    "jtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnv"
    "Wh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

const struct rsa_padding rsa_rs256 = { RSA_PKCS1_PADDING, "SHA256", 0 };
const struct rsa_padding rsa_ps256 = { RSA_PKCS1_PSS_PADDING, "SHA256", 32 };

void pkey_freep(EVP_PKEY **pkey)
{
    EVP_PKEY_free(*pkey);
    *pkey = NULL;
}

static BIGNUM *number_of(const char *text)
{
    CLEANUP(buf_clear) struct buf bytes = BUF(512);

    assert_ok(base64url_decode(slice_of_str(text), &bytes, NULL));
    BIGNUM *number = BN_bin2bn(bytes.data, (int)bytes.len, NULL);
    assert_non_null(number);
    return number;
}

static EVP_PKEY *key_of(BIGNUM *const *numbers, size_t n_numbers, int selection)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;

    for (size_t i = 0; i < n_numbers; i++) {
        assert_int_equal(OSSL_PARAM_BLD_push_BN(builder, param_names[i], numbers[i]), 1);
    }
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
    assert_int_equal(EVP_PKEY_fromdata(context, &key, selection, params), 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(context);
    return key;
}

EVP_PKEY *rsa_rfc7515_key(void)
{
    BIGNUM *numbers[ARRAY_LEN(jwk)];

    for (size_t i = 0; i < ARRAY_LEN(jwk); i++) {
        numbers[i] = number_of(jwk[i].value);
    }
    EVP_PKEY *key = key_of(numbers, ARRAY_LEN(jwk), EVP_PKEY_KEYPAIR);
    for (size_t i = 0; i < ARRAY_LEN(jwk); i++) {
        BN_clear_free(numbers[i]);
    }
    return key;
}

/* A modulus that an affected chip made, from the test data of Project Wycheproof (json_web_key_test.json). */
const char rsa_roca_modulus[] =
    "01A9C5A687DB8FB2A30F82DFF8DDA154C291EF27B04B25E185B8AB20C4C6A5F604859FE59EDE54A0AF7C0E7288800AD7"
    "193BB731A5BF1E1170D7A1C66930D41EA3EB21DEDF7B8AF5D42A91C34F72045B96EFD57CB182301DDCC26967E5508E9A"
    "B889986D57E837DFE70F99FC37C498F43C17C3B9B064CF704443D7A033E03A821697AABF30FB29EE7D33B3767965A890"
    "58E3B39754BD3A1C007D28A23B0CFA79F9D711AC6E4C4B4F77B0634B1ECD68591AF03C7D53B62A5F2D91163D4EF4F8F2"
    "6831AE461ED85EC5F788C5123FFC12C87420FDCFEA1D1B4A52C3521824FB3998348739B62A986D8E76B2289BC2EB8BC0"
    "6D138147851B83A07183D210559F906321";

EVP_PKEY *rsa_public_key_of_modulus(const char *hex)
{
    BIGNUM *numbers[2] = { NULL, BN_new() };

    assert_int_equal(BN_hex2bn(&numbers[0], hex), strlen(hex));
    assert_int_equal(BN_set_word(numbers[1], 65537), 1);
    EVP_PKEY *key = key_of(numbers, 2, EVP_PKEY_PUBLIC_KEY);
    BN_free(numbers[0]);
    BN_free(numbers[1]);
    return key;
}

EVP_PKEY *rsa_public_key_of_bits(int bits)
{
    BIGNUM *numbers[2] = { BN_new(), BN_new() };

    assert_int_equal(BN_set_bit(numbers[0], bits - 1), 1);
    assert_int_equal(BN_set_bit(numbers[0], 0), 1);
    assert_int_equal(BN_set_word(numbers[1], 65537), 1);
    EVP_PKEY *key = key_of(numbers, 2, EVP_PKEY_PUBLIC_KEY);
    BN_free(numbers[0]);
    BN_free(numbers[1]);
    return key;
}

void rsa_sign(EVP_PKEY *key, const struct rsa_padding *how, struct slice input, struct buf *to)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context = NULL; /* belongs to context */
    uint8_t signature[512];
    size_t len = sizeof(signature);

    assert_int_equal(EVP_DigestSignInit_ex(context, &key_context, how->digest, NULL, NULL, key, NULL), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(key_context, how->padding), 1);
    if (how->padding == RSA_PKCS1_PSS_PADDING) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, how->salt_len), 1);
    }
    assert_int_equal(EVP_DigestSign(context, signature, &len, input.data, input.len), 1);
    EVP_MD_CTX_free(context);
    assert_ok(buf_put(to, (struct slice){ signature, len }, NULL));
}

static void put_name(X509 *x509, const struct cert_spec *spec)
{
    const char *cn = spec->subject_cn == NULL ? "unit test" : spec->subject_cn;
    X509_NAME *name = X509_get_subject_name(x509);

    assert_int_equal(
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0), 1);
    for (int i = 0; i < spec->n_units; i++) {
        assert_int_equal(
            X509_NAME_add_entry_by_txt(
                name, "OU", MBSTRING_UTF8, (const unsigned char *)"an organizational unit", -1, -1, 0),
            1);
    }
    assert_int_equal(X509_set_issuer_name(x509, name), 1);
}

static void put_extension(X509 *x509, const char *oid)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();

    assert_int_equal(ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x05\x00", 2), 1);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, 0, value);
    assert_int_equal(X509_add_ext(x509, extension, -1), 1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
}

static X509 *make_x509(const struct cert_spec *spec)
{
    EVP_PKEY *issuer = rsa_rfc7515_key();
    X509 *x509 = X509_new();
    int64_t not_before_s = spec->not_before_s == 0 ? CERT_NOW_S - 43200 : spec->not_before_s;
    int64_t not_after_s = spec->not_after_s == 0 ? CERT_NOW_S + 43200 : spec->not_after_s;

    assert_int_equal(X509_set_version(x509, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), 1), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)not_before_s));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)not_after_s));
    assert_int_equal(X509_set_pubkey(x509, spec->key == NULL ? issuer : spec->key), 1);
    put_name(x509, spec);
    if (spec->extension != NULL) {
        put_extension(x509, spec->extension);
    }
    assert_true(X509_sign(x509, issuer, EVP_sha256()) > 0);
    EVP_PKEY_free(issuer);
    return x509;
}

void cert_der(const struct cert_spec *spec, struct buf *to)
{
    X509 *x509 = make_x509(spec);
    uint8_t *der = NULL;
    int len = i2d_X509(x509, &der);

    assert_true(len > 0);
    assert_ok(buf_put(to, (struct slice){ der, (size_t)len }, NULL));
    OPENSSL_free(der);
    X509_free(x509);
}

void cert_pem(const struct cert_spec *spec, struct buf *to)
{
    X509 *x509 = make_x509(spec);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL; /* belongs to bio */

    assert_int_equal(PEM_write_bio_X509(bio, x509), 1);
    long len = BIO_get_mem_data(bio, &text);
    assert_ok(buf_put(to, (struct slice){ (uint8_t *)text, (size_t)len }, NULL));
    BIO_free(bio);
    X509_free(x509);
}

struct certificate *cert_new(const struct cert_spec *spec)
{
    CLEANUP(buf_clear) struct buf der = BUF(CERTIFICATE_FILE_MAX);
    struct certificate *certificate = NULL;

    cert_der(spec, &der);
    assert_ok(certificate_parse(buf_slice(&der), &certificate, NULL));
    return certificate;
}

static void spoil_signature(enum spoil spoil, struct buf *signature)
{
    if (spoil == SPOIL_BIT) {
        signature->data[signature->len / 2] ^= 1;
    }
    if (spoil == SPOIL_LAST_BYTE_MISSING) {
        signature->len--;
    }
    if (spoil == SPOIL_EMPTY) {
        signature->len = 0;
    }
}

static enum keystay_status soft_sign(
    struct keystay_signer *base, const struct tbs *tbs, struct buf *ret_signature, struct keystay_error *err)
{
    struct soft_signer *signer = (struct soft_signer *)base;
    const struct rsa_padding *how = tbs->alg == KEYSTAY_ALG_PS256 ? &rsa_ps256 : &rsa_rs256;

    signer->n_signed++;
    buf_clear(&signer->last_input);
    assert_ok(buf_put(&signer->last_input, tbs->input, NULL));
    if (signer->spoil == SPOIL_FAIL_HALFWAY) {
        assert_ok(buf_puts(ret_signature, "half", NULL));
    }
    if (signer->spoil == SPOIL_PIN) {
        return err_set(err, KEYSTAY_E_PIN_LOCKED, "the soft signer's PIN is locked");
    }
    if (signer->spoil == SPOIL_FAIL || signer->spoil == SPOIL_FAIL_HALFWAY) {
        return err_set(err, KEYSTAY_E_MODULE, "the soft signer fails");
    }
    rsa_sign(
        signer->key, how, signer->spoil == SPOIL_INPUT ? SLICE("something else") : tbs->input, ret_signature);
    spoil_signature(signer->spoil, ret_signature);
    return KEYSTAY_OK;
}

static enum keystay_status soft_check(struct keystay_signer *base, struct keystay_error *err)
{
    const struct soft_signer *signer = (struct soft_signer *)base;

    return signer->spoil == SPOIL_FAIL ? err_set(err, KEYSTAY_E_MODULE, "the soft signer fails") : KEYSTAY_OK;
}

static void soft_lock(struct keystay_signer *base)
{
    ((struct soft_signer *)base)->n_locked++;
}

static void soft_close(struct keystay_signer *base)
{
    struct soft_signer *signer = (struct soft_signer *)base;

    if (signer->n_closed != NULL) {
        ++*signer->n_closed;
    }
    buf_clear(&signer->last_input);
    certificate_free(signer->base.certificate);
    EVP_PKEY_free(signer->key);
    free(signer);
}

static const struct signer_ops soft_ops = { soft_sign, soft_check, soft_lock, soft_close };

struct soft_signer *soft_signer_new(alg_set algs, struct certificate *certificate)
{
    static const struct cert_spec plain = { 0 };
    struct soft_signer *signer = calloc(1, sizeof(*signer));

    assert_non_null(signer);
    signer->base.ops = &soft_ops;
    signer->base.algs = algs;
    signer->base.certificate = certificate != NULL ? certificate : cert_new(&plain);
    signer->base.info.token_label = "soft";
    signer->base.info.subject = certificate_subject(signer->base.certificate);
    signer->key = rsa_rfc7515_key();
    signer->last_input = BUF(1 << 20);
    return signer;
}

void soft_signer_freep(struct soft_signer **signer)
{
    if (*signer != NULL) {
        keystay_signer_free(&(*signer)->base);
    }
    *signer = NULL;
}
