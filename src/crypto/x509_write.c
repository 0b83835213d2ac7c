/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL makes the part that is signed. The whole is put around it by hand: SEQUENCE of that part, the
 * algorithm and the signature is all that there is to both structures (RFC 5280 §4.1, RFC 2986 §4.2). Then
 * OpenSSL reads it back and verifies it.
 */
#include "crypto/x509_write.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "crypto/ecdsa.h"
#include "crypto/public_key_impl.h"
#include "crypto/x509_name.h"

/* AlgorithmIdentifier in DER: RFC 4055 §5, §3.1 (PSS: digest, mask by MGF1 with the same, salt as long), RFC
 * 5758 §3.2. */
#define PSS(digest_oid, salt_len)                                                                        \
    "\x30\x41\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0A\x30\x34"                                       \
    "\xA0\x0F\x30\x0D\x06\x09" digest_oid "\x05\x00"                                                     \
    "\xA1\x1C\x30\x1A\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x01\x08\x30\x0D\x06\x09" digest_oid "\x05\x00" \
    "\xA2\x03\x02\x01" salt_len
#define SHA256_OID "\x60\x86\x48\x01\x65\x03\x04\x02\x01"
#define SHA384_OID "\x60\x86\x48\x01\x65\x03\x04\x02\x02"
#define ROW(id, der)                                \
    {                                               \
        id,                                         \
        {                                           \
            (const uint8_t *)(der), sizeof(der) - 1 \
        }                                           \
    }

static const struct {
    enum keystay_alg id;
    struct slice der;
} identifiers[] = {
    ROW(KEYSTAY_ALG_RS256, "\x30\x0D\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0B\x05\x00"),
    ROW(KEYSTAY_ALG_RS384, "\x30\x0D\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0C\x05\x00"),
    ROW(KEYSTAY_ALG_PS256, PSS(SHA256_OID, "\x20")),
    ROW(KEYSTAY_ALG_PS384, PSS(SHA384_OID, "\x30")),
    ROW(KEYSTAY_ALG_ES256, "\x30\x0A\x06\x08\x2A\x86\x48\xCE\x3D\x04\x03\x02"),
    ROW(KEYSTAY_ALG_ES384, "\x30\x0A\x06\x08\x2A\x86\x48\xCE\x3D\x04\x03\x03"),
};

struct x509_draft {
    const struct alg *alg;
    EVP_PKEY *pkey; /* owned */
    bool is_request;
    struct slice identifier; /* static */
    uint8_t *tbs;            /* OpenSSL's allocation */
    size_t tbs_len;
};

typedef STACK_OF(X509_EXTENSION) extension_stack;

static void x509_freep(X509 **x509)
{
    X509_free(*x509);
}

static void request_freep(X509_REQ **request)
{
    X509_REQ_free(*request);
}

static void name_freep(X509_NAME **name)
{
    X509_NAME_free(*name);
}

static void general_names_freep(GENERAL_NAMES **names)
{
    GENERAL_NAMES_free(*names);
}

static void extensions_freep(extension_stack **extensions)
{
    sk_X509_EXTENSION_pop_free(*extensions, X509_EXTENSION_free);
}

static void algor_freep(X509_ALGOR **algor)
{
    X509_ALGOR_free(*algor);
}

static void bn_freep(BIGNUM **number)
{
    BN_free(*number);
}

void x509_draft_freep(struct x509_draft **draft)
{
    if (*draft != NULL) {
        EVP_PKEY_free((*draft)->pkey);
        OPENSSL_free((*draft)->tbs);
        free(*draft);
    }
    *draft = NULL;
}

struct slice x509_draft_tbs(const struct x509_draft *draft)
{
    return (struct slice){ draft->tbs, draft->tbs_len };
}

static enum keystay_status find_identifier(
    const struct alg *alg, struct slice *ret_identifier, struct keystay_error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(identifiers); i++) {
        if (identifiers[i].id == alg->id) {
            *ret_identifier = identifiers[i].der;
            return KEYSTAY_OK;
        }
    }
    return err_set_hint(
        err, KEYSTAY_E_ALGORITHM, "leave --alg out, or use RS256, RS384, PS256, PS384, ES256 or ES384",
        "keystay signs no certificates with %s", alg->name);
}

enum keystay_status x509_check_fields(const struct x509_fields *fields, struct keystay_error *err)
{
    CLEANUP(name_freep) X509_NAME *name = NULL;
    CLEANUP(general_names_freep) GENERAL_NAMES *names = NULL;
    struct slice identifier;

    if (fields->alg != NULL) {
        TRY(find_identifier(fields->alg, &identifier, err));
    }
    TRY(x509_name_parse(fields->subject, &name, err));
    return fields->san == NULL ? KEYSTAY_OK : x509_san_parse(fields->san, &names, err);
}

/* OpenSSL has no way but memory to fail at what it is asked here. */
static enum keystay_status must(bool ok, struct keystay_error *err)
{
    if (ok) {
        return KEYSTAY_OK;
    }
    ERR_clear_error();
    return err_no_memory(err);
}

static enum keystay_status begin(
    const struct x509_fields *fields, struct x509_draft *draft, struct keystay_error *err)
{
    draft->alg = fields->alg;
    TRY(find_identifier(fields->alg, &draft->identifier, err));
    TRY(must(EVP_PKEY_up_ref(fields->key->pkey) == 1, err));
    draft->pkey = fields->key->pkey;
    return KEYSTAY_OK;
}

static bool add(extension_stack **extensions, int nid, void *value, bool is_critical)
{
    return value != NULL && X509V3_add1_i2d(extensions, nid, value, is_critical, X509V3_ADD_DEFAULT) == 1;
}

static enum keystay_status add_key_usage(extension_stack **extensions, struct keystay_error *err)
{
    BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new(); /* cA is false as it is */
    ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
    bool ok = usage != NULL && ASN1_BIT_STRING_set_bit(usage, 0, 1) == 1 && /* digitalSignature */
              add(extensions, NID_basic_constraints, constraints, true) &&
              add(extensions, NID_key_usage, usage, true);

    BASIC_CONSTRAINTS_free(constraints);
    ASN1_BIT_STRING_free(usage);
    return must(ok, err);
}

/* What certificate and request have in common. */
static enum keystay_status make_extensions(
    const struct x509_fields *fields, extension_stack **extensions, struct keystay_error *err)
{
    CLEANUP(general_names_freep) GENERAL_NAMES *names = NULL;

    TRY(add_key_usage(extensions, err));
    if (fields->san == NULL) {
        return KEYSTAY_OK;
    }
    TRY(x509_san_parse(fields->san, &names, err));
    return must(add(extensions, NID_subject_alt_name, names, false), err);
}

/* RFC 5280 §4.2.1.2 (1): SHA-1 of the public key's bits. */
static enum keystay_status add_key_id(
    const X509 *x509, extension_stack **extensions, struct keystay_error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
    bool ok = id != NULL && X509_pubkey_digest(x509, EVP_sha1(), digest, &len) == 1 &&
              ASN1_OCTET_STRING_set(id, digest, (int)len) == 1 &&
              add(extensions, NID_subject_key_identifier, id, false);

    ASN1_OCTET_STRING_free(id);
    return must(ok, err);
}

static enum keystay_status set_names(const struct x509_fields *fields, X509 *x509, struct keystay_error *err)
{
    CLEANUP(name_freep) X509_NAME *name = NULL;

    TRY(x509_name_parse(fields->subject, &name, err));
    return must(X509_set_subject_name(x509, name) == 1 && X509_set_issuer_name(x509, name) == 1, err);
}

static enum keystay_status set_serial(const struct x509_fields *fields, X509 *x509, struct keystay_error *err)
{
    CLEANUP(bn_freep) BIGNUM *number = BN_bin2bn(fields->serial, X509_WRITE_SERIAL_LEN, NULL);

    if (number != NULL && BN_is_zero(number)) {
        return err_set(err, KEYSTAY_E_INTERNAL, "a serial number must not be zero");
    }
    return must(number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL, err);
}

static enum keystay_status set_times(const struct x509_fields *fields, X509 *x509, struct keystay_error *err)
{
    if (fields->not_after_s <= fields->not_before_s) {
        return err_set(err, KEYSTAY_E_USAGE, "the certificate would end before it begins");
    }
    return must(
        ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)fields->not_before_s) != NULL &&
            ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)fields->not_after_s) != NULL,
        err);
}

/* RFC 5280 §4.1.2.3: the part that is signed names the algorithm as the whole does. */
static enum keystay_status set_algorithm(
    const struct x509_draft *draft, X509 *x509, struct keystay_error *err)
{
    const unsigned char *at = draft->identifier.data;
    CLEANUP(algor_freep) X509_ALGOR *algor = d2i_X509_ALGOR(NULL, &at, (long)draft->identifier.len);

    return must(algor != NULL && X509_ALGOR_copy(drop_const(X509_get0_tbs_sigalg(x509)), algor) == 1, err);
}

static enum keystay_status add_extensions(
    const struct x509_fields *fields, X509 *x509, struct keystay_error *err)
{
    CLEANUP(extensions_freep) extension_stack *extensions = NULL;

    TRY(make_extensions(fields, &extensions, err));
    TRY(add_key_id(x509, &extensions, err));
    for (int i = 0; i < sk_X509_EXTENSION_num(extensions); i++) {
        TRY(must(X509_add_ext(x509, sk_X509_EXTENSION_value(extensions, i), -1) == 1, err));
    }
    return KEYSTAY_OK;
}

static enum keystay_status take_tbs(struct x509_draft *draft, int len, struct keystay_error *err)
{
    draft->tbs_len = len < 0 ? 0 : (size_t)len;
    return must(len > 0, err);
}

enum keystay_status x509_draft_certificate(
    const struct x509_fields *fields, struct x509_draft **ret_draft, struct keystay_error *err)
{
    CLEANUP(x509_draft_freep) struct x509_draft *draft = calloc(1, sizeof(*draft));
    CLEANUP(x509_freep) X509 *x509 = X509_new();

    if (draft == NULL) {
        return err_no_memory(err);
    }
    TRY(begin(fields, draft, err));
    TRY(must(x509 != NULL && X509_set_version(x509, X509_VERSION_3) == 1, err));
    TRY(must(X509_set_pubkey(x509, draft->pkey) == 1, err));
    TRY(set_names(fields, x509, err));
    TRY(set_serial(fields, x509, err));
    TRY(set_times(fields, x509, err));
    TRY(set_algorithm(draft, x509, err));
    TRY(add_extensions(fields, x509, err));
    TRY(take_tbs(draft, i2d_re_X509_tbs(x509, &draft->tbs), err));
    *ret_draft = take_ptr(&draft);
    return KEYSTAY_OK;
}

enum keystay_status x509_draft_request(
    const struct x509_fields *fields, struct x509_draft **ret_draft, struct keystay_error *err)
{
    CLEANUP(x509_draft_freep) struct x509_draft *draft = calloc(1, sizeof(*draft));
    CLEANUP(request_freep) X509_REQ *request = X509_REQ_new();
    CLEANUP(name_freep) X509_NAME *name = NULL;
    CLEANUP(extensions_freep) extension_stack *extensions = NULL;

    if (draft == NULL) {
        return err_no_memory(err);
    }
    draft->is_request = true;
    TRY(begin(fields, draft, err));
    TRY(must(request != NULL && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1, err));
    TRY(must(X509_REQ_set_pubkey(request, draft->pkey) == 1, err));
    TRY(x509_name_parse(fields->subject, &name, err));
    TRY(must(X509_REQ_set_subject_name(request, name) == 1, err));
    TRY(make_extensions(fields, &extensions, err));
    TRY(must(X509_REQ_add_extensions(request, extensions) == 1, err));
    TRY(take_tbs(draft, i2d_re_X509_REQ_tbs(request, &draft->tbs), err));
    *ret_draft = take_ptr(&draft);
    return KEYSTAY_OK;
}

/* X.690 §8.1: tag and length of what follows. */
static enum keystay_status put_head(struct buf *to, int tag, size_t len, struct keystay_error *err)
{
    TRY(buf_putc(to, (char)tag, err));
    if (len < 0x80) {
        return buf_putc(to, (char)len, err);
    }
    int n_bytes = len > 0xFFFF ? 3 : (len > 0xFF ? 2 : 1);
    TRY(buf_putc(to, (char)(0x80 | n_bytes), err));
    for (int i = n_bytes - 1; i >= 0; i--) {
        TRY(buf_putc(to, (char)(len >> 8 * i & 0xFF), err));
    }
    return KEYSTAY_OK;
}

static enum keystay_status put_together(
    const struct x509_draft *draft, struct slice signature, struct buf *to, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf body = BUF(X509_WRITE_MAX);

    TRY(buf_put(&body, x509_draft_tbs(draft), err));
    TRY(buf_put(&body, draft->identifier, err));
    TRY(put_head(&body, V_ASN1_BIT_STRING, signature.len + 1, err));
    TRY(buf_putc(&body, '\0', err)); /* no unused bits */
    TRY(buf_put(&body, signature, err));
    TRY(put_head(to, V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED, body.len, err));
    return buf_put(to, buf_slice(&body), err);
}

static bool is_good(const struct x509_draft *draft, struct slice der)
{
    const unsigned char *at = der.data;
    CLEANUP(x509_freep) X509 *x509 = NULL;
    CLEANUP(request_freep) X509_REQ *request = NULL;

    if (draft->is_request) {
        request = d2i_X509_REQ(NULL, &at, (long)der.len);
        return request != NULL && X509_REQ_verify(request, draft->pkey) == 1;
    }
    x509 = d2i_X509(NULL, &at, (long)der.len);
    return x509 != NULL && X509_verify(x509, draft->pkey) == 1;
}

enum keystay_status x509_draft_finish(
    const struct x509_draft *draft, struct slice signature, struct buf *ret_der, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf converted = BUF(X509_WRITE_MAX);
    CLEANUP(buf_clear) struct buf whole = BUF(X509_WRITE_MAX);

    if (draft->alg->family == ALG_ECDSA) {
        TRY(ecdsa_to_der(draft->alg, signature, &converted, err));
        signature = buf_slice(&converted);
    }
    TRY(put_together(draft, signature, &whole, err));
    bool good = is_good(draft, buf_slice(&whole));
    ERR_clear_error();
    if (!good) {
        return err_set(
            err, KEYSTAY_E_KEY_MISMATCH, "the %s does not verify with its own public key; it was thrown away",
            draft->is_request ? "request" : "certificate");
    }
    return buf_put(ret_der, buf_slice(&whole), err);
}

static void bio_freep(BIO **bio)
{
    BIO_free(*bio);
}

enum keystay_status x509_put_pem(
    const char *what, struct slice der, struct buf *ret_text, struct keystay_error *err)
{
    CLEANUP(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL; /* belongs to bio */

    TRY(must(bio != NULL && PEM_write_bio(bio, what, "", der.data, (long)der.len) > 0, err));
    long len = BIO_get_mem_data(bio, &text);
    return buf_put(ret_text, (struct slice){ (const uint8_t *)text, len < 0 ? 0 : (size_t)len }, err);
}
