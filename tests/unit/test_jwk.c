/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#include "base/base64url.h"
#include "crypto/certificate.h"
#include "jose/jwk.h"
#include "rsa.h"

enum { POINT_MAX = 97 };

static OSSL_PARAM_BLD *builder_new(void)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();

    assert_non_null(builder);
    return builder;
}

/* Consumes builder. */
static EVP_PKEY *key_from(OSSL_PARAM_BLD *builder, const char *type)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY *key = NULL;

    assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
    assert_int_equal(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(context);
    return key;
}

/* RFC 7638 §3.1. */
static EVP_PKEY *rfc7638_key(void)
{
    static const char n[] =
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB"
        "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8"
        "KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
        "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    CLEANUP(buf_clear) struct buf bytes = BUF(512);
    OSSL_PARAM_BLD *builder = builder_new();

    assert_ok(base64url_decode(slice_of_str(n), &bytes, NULL));
    BIGNUM *modulus = BN_bin2bn(bytes.data, (int)bytes.len, NULL);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_ulong(builder, OSSL_PKEY_PARAM_RSA_E, 65537), 1);
    EVP_PKEY *key = key_from(builder, "RSA");
    BN_free(modulus);
    return key;
}

static EVP_PKEY *ec_key(const char *group, const char *x, const char *y)
{
    CLEANUP(buf_clear) struct buf point = BUF(POINT_MAX);
    OSSL_PARAM_BLD *builder = builder_new();

    assert_ok(buf_putc(&point, 0x04, NULL));
    assert_ok(base64url_decode(slice_of_str(x), &point, NULL));
    assert_ok(base64url_decode(slice_of_str(y), &point, NULL));
    assert_int_equal(OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, group, 0), 1);
    assert_int_equal(
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len), 1);
    return key_from(builder, "EC");
}

/* Of the key in a certificate; takes the key. */
static enum keystay_status thumbprint_of(EVP_PKEY *key, struct buf *to, struct keystay_error *err)
{
    const struct cert_spec spec = { .key = key };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&spec);

    EVP_PKEY_free(key);
    return jwk_thumbprint(certificate_public_key(certificate), to, err);
}

TEST(a_key_without_a_place_in_jose_is_refused)
{
    static const char *const curves[] = { "secp256k1", "P-521" };

    for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
        CLEANUP(buf_clear) struct buf text = BUF(64);
        struct keystay_error err;

        assert_int_equal(thumbprint_of(EVP_EC_gen(curves[i]), &text, &err), KEYSTAY_E_ALGORITHM);
        assert_contains(err.message, "EC");
        assert_int_equal(text.len, 0);
    }
}

TEST(makes_the_published_thumbprint)
{
    CLEANUP(buf_clear) struct buf text = BUF(64);

    assert_ok(thumbprint_of(rfc7638_key(), &text, NULL));
    assert_buf(&text, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

/* RFC 7518 §6.2.1.2: a coordinate is as wide as the curve, so leading zero bytes stay. The first key is
 * that of RFC 7515 §A.3; the expected values were made with another implementation. */
TEST(coordinates_are_as_wide_as_the_curve)
{
    static const struct {
        const char *group, *x, *y, *thumbprint;
    } rows[] = {
        { "P-256", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
          "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U" },
        { "P-256", "mGriUG8f8QTQQjCGHY9LSY9LxMbQCbMPdUTcEpuC0o0",
          "ADzMwKZGDgrjKKTZfTx7YdhvxiicGJ8lJREMRBuwfpc", "WZsjbh58q8kl1WsGShqtiycImZtCgGbukDn4RAacMig" },
        { "P-384", "0DqnSPX0jrPgxUtoPyXS4tfX4yASgqlbV6Wf-4-Uz0xDsRB8qUS5IRw1ERLeFu0Y",
          "AAoIxgLcXgAx2tCIwZMF9rJSorw_JF96W4C0hMe5n2mBwyN0xxSnaDJV9TMfZrsG",
          "eHlvCJwnS4D8Ed9sbbTuEHD0Ln22xw8bQ-OvMdNm-JI" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf text = BUF(64);

        assert_ok(thumbprint_of(ec_key(rows[i].group, rows[i].x, rows[i].y), &text, NULL));
        assert_buf(&text, rows[i].thumbprint);
    }
}

TEST(writes_the_members_of_a_key)
{
    CLEANUP(pkey_freep)
    EVP_PKEY *key = ec_key(
        "P-256", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    const struct cert_spec spec = { .key = key };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&spec);
    CLEANUP(buf_clear) struct buf text = BUF(512);
    struct json_write out = JSON_WRITE(&text);

    assert_ok(jwk_write_key(&out, certificate_public_key(certificate), NULL));
    assert_ok(json_write_str(&out, "use", "sig", NULL));
    assert_ok(json_write_end(&out, NULL));
    assert_buf(
        &text, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
               "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"use\":\"sig\"}");
}

TEST(the_largest_key_fits)
{
    CLEANUP(buf_clear) struct buf text = BUF(64);

    assert_ok(thumbprint_of(rsa_public_key_of_bits(16384), &text, NULL));
    assert_int_equal(text.len, 43);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_without_a_place_in_jose_is_refused),
        cmocka_unit_test(makes_the_published_thumbprint),
        cmocka_unit_test(coordinates_are_as_wide_as_the_curve),
        cmocka_unit_test(writes_the_members_of_a_key),
        cmocka_unit_test(the_largest_key_fits),
    };

    return RUN_TESTS(tests);
}
