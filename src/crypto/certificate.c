/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/certificate.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "crypto/certificate_impl.h"
#include "crypto/public_key_impl.h"

/* Yubico's arc for what a YubiKey says of a key it made, in the certificate that the device signs. */
static const char attestation_arc[] = "1.3.6.1.4.1.41482.3.";

enum { NAME_MAX_SIZE = 256 };

struct certificate {
    X509 *x509;
    uint8_t *der; /* OpenSSL's allocation */
    size_t der_len;
    struct public_key public_key;
    char subject[NAME_MAX_SIZE];
    char issuer[NAME_MAX_SIZE];
    int64_t not_before_s;
    int64_t not_after_s;
};

static void bio_freep(BIO **bio)
{
    BIO_free(*bio);
}

void certificate_free(struct certificate *certificate)
{
    if (certificate != NULL) {
        public_key_clear(&certificate->public_key);
        OPENSSL_free(certificate->der);
        X509_free(certificate->x509);
        free(certificate);
    }
}

void certificate_freep(struct certificate **certificate)
{
    certificate_free(*certificate);
    *certificate = NULL;
}

X509 *certificate_x509(const struct certificate *certificate)
{
    return certificate->x509;
}

X509 *certificate_read_pem(BIO *bio)
{
    static char no_pass_phrase[] =
        ""; /* without one OpenSSL asks on the terminal for that of an encrypted block */

    return PEM_read_bio_X509(bio, NULL, NULL, no_pass_phrase);
}

static X509 *decode(struct slice content)
{
    const unsigned char *at = content.data;
    X509 *x509 = d2i_X509(NULL, &at, (long)content.len);

    if (x509 != NULL && at == content.data + content.len) {
        return x509;
    }
    X509_free(x509);
    CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(content.data, (int)content.len);
    x509 = bio == NULL ? NULL : certificate_read_pem(bio);
    ERR_clear_error();
    return x509;
}

static enum keystay_status time_of(const ASN1_TIME *time, int64_t *ret_time_s, struct keystay_error *err)
{
    struct tm parts;

    if (ASN1_TIME_to_tm(time, &parts) != 1) {
        ERR_clear_error();
        return err_set(err, KEYSTAY_E_CERTIFICATE, "the certificate has a malformed date");
    }
    *ret_time_s = (int64_t)timegm(&parts);
    return KEYSTAY_OK;
}

static enum keystay_status read_name(
    const X509_NAME *name, char ret_text[NAME_MAX_SIZE], struct keystay_error *err)
{
    CLEANUP(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL; /* belongs to bio */

    if (bio == NULL || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) {
        ERR_clear_error();
        return err_set(err, KEYSTAY_E_CERTIFICATE, "the certificate's names cannot be read");
    }
    long len = BIO_get_mem_data(bio, &text);
    str_quote_foreign(
        (struct slice){ (const uint8_t *)text, len < 0 ? 0 : (size_t)len }, ret_text, NAME_MAX_SIZE);
    return KEYSTAY_OK;
}

static enum keystay_status read_parts(struct certificate *certificate, struct keystay_error *err)
{
    int der_len = i2d_X509(certificate->x509, &certificate->der);

    if (der_len <= 0) {
        ERR_clear_error();
        return err_set(err, KEYSTAY_E_CERTIFICATE, "the certificate cannot be encoded");
    }
    certificate->der_len = (size_t)der_len;
    TRY(time_of(X509_get0_notBefore(certificate->x509), &certificate->not_before_s, err));
    TRY(time_of(X509_get0_notAfter(certificate->x509), &certificate->not_after_s, err));
    TRY(read_name(X509_get_subject_name(certificate->x509), certificate->subject, err));
    TRY(read_name(X509_get_issuer_name(certificate->x509), certificate->issuer, err));
    TRY(public_key_init(&certificate->public_key, X509_get_pubkey(certificate->x509), err));
    ERR_clear_error();
    return KEYSTAY_OK;
}

enum keystay_status certificate_parse(
    struct slice content, struct certificate **ret_certificate, struct keystay_error *err)
{
    CLEANUP(certificate_freep) struct certificate *certificate = calloc(1, sizeof(*certificate));

    if (certificate == NULL) {
        return err_no_memory(err);
    }
    if (content.len == 0 || content.len > CERTIFICATE_FILE_MAX) {
        return err_set(err, KEYSTAY_E_CERTIFICATE, "a certificate cannot have %zu bytes", content.len);
    }
    certificate->x509 = decode(content);
    if (certificate->x509 == NULL) {
        return err_set(err, KEYSTAY_E_CERTIFICATE, "no certificate found, neither PEM nor DER");
    }
    TRY(read_parts(certificate, err));
    *ret_certificate = take_ptr(&certificate);
    return KEYSTAY_OK;
}

enum keystay_status certificate_load(
    const char *path, struct certificate **ret_certificate, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf content = BUF(CERTIFICATE_FILE_MAX);
    enum keystay_status status = KEYSTAY_OK;

    TRY(file_read(path, "the certificate file", KEYSTAY_E_CERTIFICATE, &content, err));
    status = certificate_parse(buf_slice(&content), ret_certificate, err);
    return status == KEYSTAY_OK ? status : err_prefix(err, status, "certificate file '%s'", path);
}

struct slice certificate_der(const struct certificate *certificate)
{
    return (struct slice){ certificate->der, certificate->der_len };
}

const struct public_key *certificate_public_key(const struct certificate *certificate)
{
    return &certificate->public_key;
}

const char *certificate_subject(const struct certificate *certificate)
{
    return certificate->subject;
}

const char *certificate_issuer(const struct certificate *certificate)
{
    return certificate->issuer;
}

int64_t certificate_not_before_s(const struct certificate *certificate)
{
    return certificate->not_before_s;
}

int64_t certificate_not_after_s(const struct certificate *certificate)
{
    return certificate->not_after_s;
}

/* der is OpenSSL's allocation, freed here. */
static enum keystay_status put_part(unsigned char *der, int len, struct buf *to, struct keystay_error *err)
{
    if (len <= 0) {
        ERR_clear_error();
        return err_no_memory(err);
    }
    enum keystay_status status = buf_put(to, (struct slice){ der, (size_t)len }, err);
    OPENSSL_free(der);
    return status;
}

enum keystay_status certificate_put_parts(
    const struct certificate *certificate, struct buf *ret_subject, struct buf *ret_issuer,
    struct buf *ret_serial, struct keystay_error *err)
{
    const X509 *x509 = certificate->x509;
    unsigned char *subject = NULL;
    unsigned char *issuer = NULL;
    unsigned char *serial = NULL;
    int len = i2d_X509_NAME(X509_get_subject_name(x509), &subject);

    TRY(put_part(subject, len, ret_subject, err));
    len = i2d_X509_NAME(X509_get_issuer_name(x509), &issuer);
    TRY(put_part(issuer, len, ret_issuer, err));
    len = i2d_ASN1_INTEGER(X509_get0_serialNumber(x509), &serial);
    return put_part(serial, len, ret_serial, err);
}

bool certificate_is_attestation(const struct certificate *certificate)
{
    for (int i = 0; i < X509_get_ext_count(certificate->x509); i++) {
        char oid[80];
        const ASN1_OBJECT *object = X509_EXTENSION_get_object(X509_get_ext(certificate->x509, i));

        if (OBJ_obj2txt(oid, sizeof(oid), object, 1) > 0 && str_has_prefix(oid, attestation_arc)) {
            return true;
        }
    }
    return false;
}

/* In the order of preference. */
enum standing {
    STANDING_OVER,
    STANDING_TO_COME,
    STANDING_VALID,
};

static enum standing standing_of(const struct certificate *certificate, int64_t now_s)
{
    if (now_s > certificate->not_after_s) {
        return STANDING_OVER;
    }
    return now_s < certificate->not_before_s ? STANDING_TO_COME : STANDING_VALID;
}

bool certificate_is_preferred(const struct certificate *a, const struct certificate *b, int64_t now_s)
{
    const enum standing of_a = standing_of(a, now_s);
    const enum standing of_b = standing_of(b, now_s);

    if (of_a != of_b) {
        return of_a > of_b;
    }
    if (of_a == STANDING_TO_COME && a->not_before_s != b->not_before_s) {
        return a->not_before_s < b->not_before_s;
    }
    return a->not_after_s != b->not_after_s ? a->not_after_s > b->not_after_s
                                            : a->not_before_s > b->not_before_s;
}

enum keystay_status certificate_check(
    const struct certificate *certificate, int64_t now_s, struct keystay_error *err)
{
    const struct public_key *key = &certificate->public_key;
    char time[CLOCK_TEXT_SIZE];

    if (now_s > certificate->not_after_s) {
        clock_format_utc(certificate->not_after_s, time);
        return err_set_hint(
            err, KEYSTAY_E_CERTIFICATE,
            "make a new certificate for the key, register it with the server, then point --certificate at it",
            "the certificate '%s' expired at %s", certificate->subject, time);
    }
    if (now_s < certificate->not_before_s) {
        clock_format_utc(certificate->not_before_s, time);
        return err_set_hint(
            err, KEYSTAY_E_CERTIFICATE,
            "is this machine's clock right? if it is, keep the old certificate beside this one until then",
            "the certificate '%s' is not valid before %s", certificate->subject, time);
    }
    if (public_key_type(key) == PUBLIC_KEY_RSA && public_key_bits(key) < ALG_RSA_BITS_MIN) {
        return err_set_hint(
            err, KEYSTAY_E_KEY_REFUSED, "make a new key of at least 2048 bits and a certificate for it",
            "the RSA key of certificate '%s' has %u bits; RFC 7518 asks for 2048 or more",
            certificate->subject, public_key_bits(key));
    }
    return KEYSTAY_OK;
}
