/* SPDX-License-Identifier: Apache-2.0 */
#include "chain.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "crypto/certificate_impl.h"

enum { YEAR_S = 365 * 86400 };

static X509_NAME *name_of(const char *common_name)
{
    X509_NAME *name = X509_NAME_new();

    assert_int_equal(
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0),
        1);
    return name;
}

static void put_known(X509 *x509, int nid, const char *text)
{
    X509_EXTENSION *extension = text == NULL ? NULL : X509V3_EXT_nconf_nid(NULL, NULL, nid, text);

    assert_int_equal(extension != NULL, text != NULL);
    if (extension != NULL) {
        assert_int_equal(X509_add_ext(x509, extension, -1), 1);
        X509_EXTENSION_free(extension);
    }
}

static void put_other(X509 *x509, const struct chain_extension *from)
{
    ASN1_OBJECT *object = OBJ_txt2obj(from->oid, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();

    assert_int_equal(ASN1_OCTET_STRING_set(value, from->value.data, (int)from->value.len), 1);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, from->is_critical, value);
    assert_int_equal(X509_add_ext(x509, extension, -1), 1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
}

static void put_names(X509 *x509, const struct chain_spec *spec)
{
    X509_NAME *subject = name_of(spec->subject), *issuer = name_of(spec->issuer);

    assert_int_equal(X509_set_subject_name(x509, subject), 1);
    assert_int_equal(X509_set_issuer_name(x509, issuer), 1);
    X509_NAME_free(subject);
    X509_NAME_free(issuer);
}

static X509 *make(const struct chain_spec *spec)
{
    X509 *x509 = X509_new();
    const EVP_MD *digest = EVP_get_digestbyname(spec->digest == NULL ? "SHA256" : spec->digest);

    assert_int_equal(X509_set_version(x509, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), 7), 1);
    put_names(x509, spec);
    assert_int_equal(X509_set_pubkey(x509, spec->key), 1);
    assert_non_null(ASN1_TIME_set(
        X509_getm_notBefore(x509), spec->not_before_s == 0 ? CHAIN_NOW_S - YEAR_S : spec->not_before_s));
    assert_non_null(ASN1_TIME_set(
        X509_getm_notAfter(x509), spec->not_after_s == 0 ? CHAIN_NOW_S + YEAR_S : spec->not_after_s));
    put_known(x509, NID_basic_constraints, spec->basic_constraints);
    put_known(x509, NID_key_usage, spec->key_usage);
    for (size_t i = 0; i < CHAIN_EXTENSIONS_MAX && spec->extensions[i].oid != NULL; i++) {
        put_other(x509, &spec->extensions[i]);
    }
    assert_true(X509_sign(x509, spec->issuer_key, digest) > 0);
    return x509;
}

struct certificate *chain_certificate(const struct chain_spec *spec)
{
    X509 *x509 = make(spec);
    struct certificate *certificate = NULL;
    unsigned char *der = NULL;
    int len = i2d_X509(x509, &der);

    assert_true(len > 0);
    if (spec->is_spoiled) {
        der[len - 1] ^= 1;
    }
    assert_ok(certificate_parse((struct slice){ der, (size_t)len }, &certificate, NULL));
    OPENSSL_free(der);
    X509_free(x509);
    return certificate;
}

void chain_put_pem(const struct certificate *certificate, struct buf *to)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL; /* belongs to bio */

    assert_int_equal(PEM_write_bio_X509(bio, certificate_x509(certificate)), 1);
    long len = BIO_get_mem_data(bio, &text);
    assert_ok(buf_put(to, (struct slice){ (const uint8_t *)text, (size_t)len }, NULL));
    BIO_free(bio);
}
