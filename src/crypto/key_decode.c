/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every attempt is made with OpenSSL's own algorithms first. What those do not know (RC2, single DES) is
 * tried once more in a library context of its own that has the legacy provider, where that is installed:
 * nothing else in the process gets to use it.
 */
#include "crypto/key_decode_impl.h"

#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <string.h>

#include "base/error.h"
#include "crypto/key_text.h"

enum { EFFORT_MAX = 2 * 1000 * 1000 };

static void sig_freep(X509_SIG **sig)
{
    X509_SIG_free(*sig);
}

static void info_freep(PKCS8_PRIV_KEY_INFO **info)
{
    PKCS8_PRIV_KEY_INFO_free(*info);
}

static void pkey_freep(EVP_PKEY **pkey)
{
    EVP_PKEY_free(*pkey);
}

static void decoder_freep(OSSL_DECODER_CTX **decoder)
{
    OSSL_DECODER_CTX_free(*decoder);
}

void key_found_clear(struct key_found *found)
{
    secret_clear(&found->password);
    EVP_PKEY_free(found->pkey);
    for (size_t i = 0; i < found->n_certificates; i++) {
        certificate_free(found->certificates[i]);
    }
    *found = (struct key_found){ 0 };
}

void key_found_add_certificate(struct key_found *found, struct slice der)
{
    struct certificate **to = &found->certificates[found->n_certificates];

    if (found->n_certificates == KEY_CERTIFICATES_MAX || certificate_parse(der, to, NULL) != KEYSTAY_OK) {
        found->repairs |= KEY_REPAIR_CERTIFICATE;
        return;
    }
    found->n_certificates++;
}

size_t key_der_len(struct slice der)
{
    const uint8_t *data = der.data;
    size_t n_len = der.len < 2 || data[1] < 0x80 ? 0 : data[1] & 0x7FU;
    size_t len = 0;

    if (der.len < 2 || data[0] != 0x30 || data[1] == 0x80 || n_len > 4 || der.len < 2 + n_len) {
        return 0;
    }
    for (size_t i = 0; i < n_len; i++) {
        len = len << 8 | data[2 + i];
    }
    return 2 + n_len + (n_len == 0 ? data[1] : len);
}

/* The first one is kept; how many there are is for the caller to judge. */
static void take_key(struct key_found *found, EVP_PKEY *pkey)
{
    found->n_keys++;
    if (found->pkey == NULL) {
        found->pkey = pkey;
        return;
    }
    EVP_PKEY_free(pkey);
}

enum keystay_status key_ask_password(struct key_found *found, struct keystay_error *err)
{
    if (found->has_password) {
        return KEYSTAY_OK;
    }
    TRY(found->source->ask(found->source->context, &found->password, err));
    if (memchr(found->password.data, '\0', found->password.len) != NULL) {
        return err_set(err, KEYSTAY_E_KEY_FILE, "the password has a NUL in it");
    }
    found->has_password = true;
    return KEYSTAY_OK;
}

void key_note_unsupported(struct key_attempt *attempt)
{
    unsigned long error = 0;

    while ((error = ERR_get_error()) != 0) {
        int reason = ERR_GET_REASON(error);
        /* The decoders say so of what a wrong password makes of it, where its padding is right by chance. */
        attempt->is_unsupported |=
            (reason == ERR_R_UNSUPPORTED && ERR_GET_LIB(error) != ERR_LIB_OSSL_DECODER) ||
            (ERR_GET_LIB(error) == ERR_LIB_EVP &&
             (reason == EVP_R_UNSUPPORTED_ALGORITHM || reason == EVP_R_UNKNOWN_PBE_ALGORITHM ||
              reason == EVP_R_UNSUPPORTED_CIPHER || reason == EVP_R_UNKNOWN_CIPHER));
    }
}

enum keystay_status key_unsupported(const struct key_attempt *attempt, struct keystay_error *err)
{
    return err_set_hint(
        err, KEYSTAY_E_KEY_FILE,
        "encrypt a copy anew where OpenSSL has its legacy provider: openssl pkcs12 -legacy -in OLD.pfx -nodes | "
        "openssl pkcs12 -export -out NEW.pfx; or openssl pkey -provider default -provider legacy -aes256 -in OLD "
        "-out NEW",
        "it is encrypted with %s, which OpenSSL does not know%s",
        attempt->algorithm[0] == '\0' ? "an algorithm that is out of use" : attempt->algorithm,
        attempt->libctx == NULL ? " without its legacy provider" : "");
}

struct legacy {
    OSSL_LIB_CTX *libctx;
    OSSL_PROVIDER *providers[2];
};

static void legacy_close(struct legacy *legacy)
{
    for (size_t i = 0; i < ARRAY_LEN(legacy->providers); i++) {
        if (legacy->providers[i] != NULL) {
            (void)OSSL_PROVIDER_unload(legacy->providers[i]);
        }
    }
    OSSL_LIB_CTX_free(legacy->libctx);
}

static bool legacy_open(struct legacy *legacy)
{
    static const char *const names[ARRAY_LEN(legacy->providers)] = { "default", "legacy" };

    legacy->libctx = OSSL_LIB_CTX_new();
    for (size_t i = 0; legacy->libctx != NULL && i < ARRAY_LEN(names); i++) {
        legacy->providers[i] = OSSL_PROVIDER_load(legacy->libctx, names[i]);
    }
    ERR_clear_error();
    return legacy->libctx != NULL && legacy->providers[0] != NULL && legacy->providers[1] != NULL;
}

/* What an attempt found before it failed. */
static void forget_since(struct key_found *found, size_t n_keys, size_t n_certificates)
{
    if (n_keys == 0) {
        EVP_PKEY_free(found->pkey);
        found->pkey = NULL;
    }
    while (found->n_certificates > n_certificates) {
        certificate_freep(&found->certificates[--found->n_certificates]);
    }
    found->n_keys = n_keys;
}

static enum keystay_status attempt_both(
    struct key_found *found, struct slice input, key_attempt_fn fn, struct keystay_error *err)
{
    CLEANUP(legacy_close) struct legacy legacy = { 0 };
    struct key_attempt attempt = { .found = found, .input = input };
    size_t n_keys = found->n_keys;
    size_t n_certificates = found->n_certificates;
    enum keystay_status status = fn(&attempt, err);

    if (status == KEYSTAY_OK || !attempt.is_unsupported) {
        return status;
    }
    if (!legacy_open(&legacy)) {
        return key_unsupported(&attempt, err);
    }
    forget_since(found, n_keys, n_certificates);
    attempt.libctx = legacy.libctx;
    attempt.is_unsupported = false;
    status = fn(&attempt, err);
    return status != KEYSTAY_OK && attempt.is_unsupported ? key_unsupported(&attempt, err) : status;
}

enum keystay_status key_wrong_password(struct keystay_error *err)
{
    return err_set_hint(
        err, KEYSTAY_E_KEY_FILE, "give the file's own password, not the token's PIN: --password-source",
        "the password is wrong, or the file is damaged");
}

/* How often a hash is to be run for the password, under 0 when it is out of range; 0: not known, or limited
 * by OpenSSL itself (scrypt). */
static int64_t effort_of(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object = NULL;
    const void *parameter = NULL;
    int type = 0;
    int64_t effort = 0;

    X509_ALGOR_get0(&object, &type, &parameter, algorithm);
    if (OBJ_obj2nid(object) == NID_pbes2) {
        PBE2PARAM *outer = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), algorithm->parameter);
        PBKDF2PARAM *inner =
            outer == NULL || OBJ_obj2nid(outer->keyfunc->algorithm) != NID_id_pbkdf2
                ? NULL
                : ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), outer->keyfunc->parameter);
        effort = inner == NULL ? 0 : ASN1_INTEGER_get(inner->iter);
        PBKDF2PARAM_free(inner);
        PBE2PARAM_free(outer);
    } else {
        PBEPARAM *plain = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), algorithm->parameter);
        effort = plain == NULL ? 0 : ASN1_INTEGER_get(plain->iter);
        PBEPARAM_free(plain);
    }
    ERR_clear_error();
    return effort;
}

enum keystay_status key_spend(struct key_found *found, int64_t effort, struct keystay_error *err)
{
    if (effort < 0 || effort > EFFORT_MAX - found->effort) {
        return err_set(
            err, KEYSTAY_E_KEY_FILE, "its password is to be hashed more than %d times", EFFORT_MAX);
    }
    found->effort += effort;
    return KEYSTAY_OK;
}

enum keystay_status key_look_at_algorithm(
    struct key_attempt *attempt, const X509_ALGOR *algorithm, struct keystay_error *err)
{
    const ASN1_OBJECT *object = NULL;

    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    (void)OBJ_obj2txt(attempt->algorithm, sizeof(attempt->algorithm), object, 0);
    ERR_clear_error();
    return key_spend(attempt->found, effort_of(algorithm), err);
}

enum keystay_status key_take_info(
    struct key_found *found, const PKCS8_PRIV_KEY_INFO *info, struct keystay_error *err)
{
    EVP_PKEY *pkey = EVP_PKCS82PKEY(info);

    ERR_clear_error();
    if (pkey == NULL) {
        return err_set(
            err, KEYSTAY_E_KEY_FILE,
            "the private key in it is damaged, or of a type that OpenSSL does not know");
    }
    take_key(found, pkey);
    return KEYSTAY_OK;
}

enum keystay_status key_take_encrypted(
    struct key_attempt *attempt, const X509_SIG *sig, struct keystay_error *err)
{
    CLEANUP(info_freep) PKCS8_PRIV_KEY_INFO *info = NULL;
    const X509_ALGOR *algorithm = NULL;

    X509_SIG_get0(sig, &algorithm, NULL);
    TRY(key_look_at_algorithm(attempt, algorithm, err));
    TRY(key_ask_password(attempt->found, err));
    const struct secret *password = &attempt->found->password;
    info = PKCS8_decrypt_ex(sig, password->data, (int)password->len, attempt->libctx, NULL);
    if (info == NULL) {
        key_note_unsupported(attempt);
        return key_wrong_password(err);
    }
    return key_take_info(attempt->found, info, err);
}

/* A key_attempt_fn: an encrypted PKCS #8. */
static enum keystay_status attempt_pkcs8(struct key_attempt *attempt, struct keystay_error *err)
{
    const unsigned char *at = attempt->input.data;
    CLEANUP(sig_freep) X509_SIG *sig = d2i_X509_SIG(NULL, &at, (long)attempt->input.len);

    ERR_clear_error();
    return sig == NULL ? err_no_memory(err) : key_take_encrypted(attempt, sig, err);
}

/* A private key, by its decoders; NULL: none of them knows it. */
static EVP_PKEY *decode(const struct key_attempt *attempt, const char *form, const struct secret *password)
{
    EVP_PKEY *pkey = NULL;
    const unsigned char *at = attempt->input.data;
    size_t left = attempt->input.len;
    static const unsigned char nothing[1] = { 0 };
    CLEANUP(decoder_freep)
    OSSL_DECODER_CTX *decoder =
        OSSL_DECODER_CTX_new_for_pkey(&pkey, form, NULL, NULL, EVP_PKEY_KEYPAIR, attempt->libctx, NULL);

    if (decoder == NULL ||
        OSSL_DECODER_CTX_set_passphrase(
            decoder, password == NULL ? nothing : (const unsigned char *)password->data,
            password == NULL ? 0 : password->len) != 1 ||
        OSSL_DECODER_from_data(decoder, &at, &left) != 1) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    return pkey;
}

/* A key_attempt_fn: encrypted as OpenSSL had it before PKCS #8. The key moves to OpenSSL's own context. */
static enum keystay_status attempt_pem(struct key_attempt *attempt, struct keystay_error *err)
{
    CLEANUP(pkey_freep) EVP_PKEY *pkey = NULL;
    CLEANUP(info_freep) PKCS8_PRIV_KEY_INFO *info = NULL;

    TRY(key_ask_password(attempt->found, err));
    pkey = decode(attempt, "PEM", &attempt->found->password);
    if (pkey == NULL) {
        key_note_unsupported(attempt);
        return key_wrong_password(err);
    }
    info = EVP_PKEY2PKCS8(pkey);
    ERR_clear_error();
    return info == NULL ? err_no_memory(err) : key_take_info(attempt->found, info, err);
}

enum keystay_status key_decode_pem(struct key_found *found, struct slice pem, struct keystay_error *err)
{
    return attempt_both(found, pem, attempt_pem, err);
}

static bool is_encrypted(struct slice der)
{
    const unsigned char *at = der.data;
    X509_SIG *sig = d2i_X509_SIG(NULL, &at, (long)der.len);
    bool is_one = sig != NULL;

    X509_SIG_free(sig);
    ERR_clear_error();
    return is_one;
}

/* What is taken for a private key now and then. */
static enum keystay_status name_other(struct slice der, struct keystay_error *err)
{
    const unsigned char *at = der.data;
    X509 *x509 = d2i_X509(NULL, &at, (long)der.len);
    at = der.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len);
    at = der.data;
    X509_PUBKEY *public_key = d2i_X509_PUBKEY(NULL, &at, (long)der.len);
    const char *what = x509 != NULL         ? "it is a certificate, without its private key"
                       : request != NULL    ? "it is a request for a certificate, without its private key"
                       : public_key != NULL ? "it is a public key, without the private one"
                                            : "it is damaged, or no private key that OpenSSL knows";

    X509_free(x509);
    X509_REQ_free(request);
    X509_PUBKEY_free(public_key);
    ERR_clear_error();
    return err_set_hint(
        err, KEYSTAY_E_KEY_FILE, "give the PFX, PEM or PKCS #8 file that has the private key in it", "%s",
        what);
}

enum keystay_status key_decode_der(struct key_found *found, struct slice der, struct keystay_error *err)
{
    const struct key_attempt plain = { .found = found, .input = der };

    if (key_is_pkcs12(der)) {
        return attempt_both(found, der, key_attempt_pkcs12, err);
    }
    if (is_encrypted(der)) {
        return attempt_both(found, der, attempt_pkcs8, err);
    }
    EVP_PKEY *pkey = decode(&plain, "DER", NULL);
    ERR_clear_error();
    if (pkey == NULL) {
        return name_other(der, err);
    }
    take_key(found, pkey);
    return KEYSTAY_OK;
}
