/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain has a fixed shape, which is what keeps it safe: one attestation, signed by one device certificate
 * from the token, which a CA from the person's files signed. Nothing else that a token shows can become a
 * link. So a key that signs what its owner wants cannot pass for a device: its own certificate would have to
 * be signed by such a CA, and a certificate that speaks of a key's policies is refused as a device's.
 *
 * The device's certificate is verified as the end of a chain, not as a CA in one, because of what real ones
 * say. Newer ones (firmware 5.4, say) are CAs: basicConstraints with pathlen 0. Older ones, some of
 * firmware 5.2 among them, have no basicConstraints at all, and some made in 2017 and 2018 are signed by a
 * root whose pathlen allows no CA below it. So: a device's certificate that says whether it is a CA must say
 * yes, one that is silent is taken. The CAs above it are held to RFC 5280 without exceptions.
 *
 * Dates are checked at the given time, as in Yubico's own instructions (openssl verify). A YubiKey has no
 * clock and copies the dates of its own certificate, which last for decades: they do not tell when a key was
 * made.
 */
#include "crypto/attestation_chain.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/file.h"
#include "crypto/certificate_impl.h"

enum {
    DEPTH_MAX = 8,           /* Yubico's has four above the attestation */
    AUTH_LEVEL = 2,          /* OpenSSL's: keys and digests of 112 bits of security and more */
    SECURITY_BITS_MIN = 112, /* the same for the signature that is checked here */
};

struct attestation_trust {
    X509_STORE *roots;
    STACK_OF(X509) * intermediates;
    size_t n;
    size_t n_roots;
};

static void bio_freep(BIO **bio)
{
    BIO_free(*bio);
}

static void x509_freep(X509 **x509)
{
    X509_free(*x509);
}

static void context_freep(X509_STORE_CTX **context)
{
    X509_STORE_CTX_free(*context);
}

void attestation_trust_free(struct attestation_trust *trust)
{
    if (trust != NULL) {
        X509_STORE_free(trust->roots);
        sk_X509_pop_free(trust->intermediates, X509_free);
        free(trust);
    }
}

void attestation_trust_freep(struct attestation_trust **trust)
{
    attestation_trust_free(*trust);
    *trust = NULL;
}

static enum keystay_status add(struct attestation_trust *trust, X509 *x509, struct keystay_error *err)
{
    bool is_root = X509_self_signed(x509, 1) == 1;
    bool ok = false;

    if (trust->n++ == ATTESTATION_CAS_MAX) {
        return err_set(err, KEYSTAY_E_CONFIG, "more than %d attestation CAs", ATTESTATION_CAS_MAX);
    }
    if (is_root) {
        ok = X509_STORE_add_cert(trust->roots, x509) == 1;
        trust->n_roots++;
    } else if (X509_up_ref(x509) == 1) {
        ok = sk_X509_push(trust->intermediates, x509) > 0;
        if (!ok) {
            X509_free(x509);
        }
    }
    ERR_clear_error();
    return ok ? KEYSTAY_OK : err_no_memory(err);
}

static enum keystay_status add_all(
    struct attestation_trust *trust, struct slice pem, struct keystay_error *err)
{
    CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(pem.len == 0 ? "" : (const void *)pem.data, (int)pem.len);
    size_t n_before = trust->n;

    if (bio == NULL) {
        return err_no_memory(err);
    }
    ERR_clear_error();
    for (;;) {
        CLEANUP(x509_freep) X509 *x509 = certificate_read_pem(bio);
        if (x509 == NULL) {
            break;
        }
        TRY(add(trust, x509, err));
    }
    bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (!is_end || trust->n == n_before) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "give CA certificates in PEM, as Yubico publishes them",
            is_end ? "it holds no certificate" : "certificate %zu in it is malformed",
            trust->n - n_before + 1);
    }
    return KEYSTAY_OK;
}

static enum keystay_status add_file(
    struct attestation_trust *trust, const char *path, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf pem = BUF(CERTIFICATE_FILE_MAX);
    enum keystay_status status = KEYSTAY_OK;

    TRY(file_read(path, "the file of attestation CAs", KEYSTAY_E_CONFIG, &pem, err));
    status = add_all(trust, buf_slice(&pem), err);
    return status == KEYSTAY_OK ? status : err_prefix(err, status, "attestation CAs '%s'", path);
}

enum keystay_status attestation_trust_load(
    const char *const *paths, size_t n, struct attestation_trust **ret_trust, struct keystay_error *err)
{
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = calloc(1, sizeof(*trust));

    if (trust == NULL) {
        return err_no_memory(err);
    }
    trust->roots = X509_STORE_new();
    trust->intermediates = sk_X509_new_null();
    if (trust->roots == NULL || trust->intermediates == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < n; i++) {
        TRY(add_file(trust, paths[i], err));
    }
    if (trust->n_roots == 0) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "add the root above them: a chain is believed when it ends there",
            "among the attestation CAs is no root, only intermediates");
    }
    *ret_trust = take_ptr(&trust);
    return KEYSTAY_OK;
}

static enum attestation_verdict verdict_of(int error)
{
    static const struct {
        int error;
        enum attestation_verdict verdict;
    } rows[] = {
        { X509_V_OK, ATTESTATION_PROVEN },
        { X509_V_ERR_CERT_SIGNATURE_FAILURE, ATTESTATION_BROKEN },
        { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, ATTESTATION_NO_ROOT },
        { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, ATTESTATION_NO_ROOT },
        { X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, ATTESTATION_NO_ROOT },
        { X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, ATTESTATION_NO_ROOT },
        { X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, ATTESTATION_NO_ROOT },
        { X509_V_ERR_CERT_NOT_YET_VALID, ATTESTATION_OUT_OF_TIME },
        { X509_V_ERR_CERT_HAS_EXPIRED, ATTESTATION_OUT_OF_TIME },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].error == error) {
            return rows[i].verdict;
        }
    }
    return ATTESTATION_UNFIT;
}

/* The device's certificate up to a root. */
static enum attestation_verdict verify_device(
    const struct attestation_trust *trust, X509 *device, int64_t now_s)
{
    CLEANUP(context_freep) X509_STORE_CTX *context = X509_STORE_CTX_new();

    if (context == NULL || X509_STORE_CTX_init(context, trust->roots, device, trust->intermediates) != 1) {
        return ATTESTATION_UNFIT;
    }
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context); /* belongs to context */
    X509_VERIFY_PARAM_set_depth(parameters, DEPTH_MAX);
    X509_VERIFY_PARAM_set_auth_level(parameters, AUTH_LEVEL);
    X509_VERIFY_PARAM_set_time(parameters, (time_t)now_s);
    bool ok = X509_verify_cert(context) == 1;
    int error = X509_STORE_CTX_get_error(context);
    return ok ? ATTESTATION_PROVEN : (error == X509_V_OK ? ATTESTATION_UNFIT : verdict_of(error));
}

static bool is_signed_by(X509 *x509, X509 *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer); /* belongs to issuer */
    int security_bits = 0;

    return key != NULL && X509_verify(x509, key) == 1 &&
           X509_get_signature_info(x509, NULL, NULL, &security_bits, NULL) == 1 &&
           security_bits >= SECURITY_BITS_MIN;
}

/* See the head of this file. */
static bool may_certify(const struct certificate *device)
{
    X509 *x509 = certificate_x509(device);
    bool tells_ca = (X509_get_extension_flags(x509) & EXFLAG_BCONS) != 0;

    return !attestation_is_of_key(device) && (!tells_ca || X509_check_ca(x509) == 1) &&
           (X509_get_key_usage(x509) & KU_KEY_CERT_SIGN) != 0; /* all bits are set where it is not told */
}

static enum attestation_verdict verify_with(
    const struct attestation_trust *trust, const struct certificate *certificate,
    const struct certificate *device, int64_t now_s)
{
    X509 *x509 = certificate_x509(certificate);
    X509 *issuer = certificate_x509(device);

    if (X509_NAME_cmp(X509_get_issuer_name(x509), X509_get_subject_name(issuer)) != 0) {
        return ATTESTATION_NO_DEVICE;
    }
    if (!is_signed_by(x509, issuer)) {
        return ATTESTATION_BROKEN;
    }
    if (!may_certify(device)) {
        return ATTESTATION_NOT_DEVICE;
    }
    enum attestation_verdict verdict = verify_device(trust, issuer, now_s);
    bool is_in_time =
        certificate_not_before_s(certificate) <= now_s && now_s <= certificate_not_after_s(certificate);
    return verdict == ATTESTATION_PROVEN && !is_in_time ? ATTESTATION_OUT_OF_TIME : verdict;
}

enum attestation_verdict attestation_verify(
    const struct attestation_trust *trust, const struct certificate *certificate,
    const struct certificate *const *devices, size_t n_devices, int64_t now_s,
    struct attestation *ret_attestation)
{
    struct attestation attestation;
    enum attestation_verdict best = ATTESTATION_NO_DEVICE;

    if (trust == NULL) {
        return ATTESTATION_NO_CA;
    }
    if (attestation_read(certificate, &attestation, NULL) != KEYSTAY_OK) {
        return ATTESTATION_UNREADABLE;
    }
    for (size_t i = 0; i < n_devices && best != ATTESTATION_PROVEN; i++) {
        enum attestation_verdict verdict = verify_with(trust, certificate, devices[i], now_s);
        best = verdict > best ? verdict : best;
    }
    ERR_clear_error();
    if (best == ATTESTATION_PROVEN) {
        *ret_attestation = attestation;
    }
    return best;
}
