/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/certificate.h"

#include <stdlib.h>

#include "base/error.h"

enum { VALUE_SIZE = 16 * 1024 }; /* bytes of DER; smartcards hold 2 to 4 thousand */

static bool has_public_key_of(const struct certificate *certificate, const struct p11_key *key)
{
    return public_key_has_modulus(
        certificate_public_key(certificate), (struct slice){ key->modulus, key->modulus_len });
}

/* NULL for what is not a certificate that can be read. */
static struct certificate *read_certificate(
    const struct p11_session *session, CK_OBJECT_HANDLE object, uint8_t value[VALUE_SIZE])
{
    CK_ATTRIBUTE attribute = { CKA_VALUE, value, VALUE_SIZE };
    struct certificate *certificate = NULL;

    if (object_read(session, object, &attribute, 1, NULL) != KEYSTAY_OK ||
        attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION) {
        return NULL;
    }
    if (certificate_parse((struct slice){ value, attribute.ulValueLen }, &certificate, NULL) != KEYSTAY_OK) {
        return NULL;
    }
    return certificate;
}

/* Of those that match, the one that ends last: certificates are renewed before they end. */
static enum keystay_status search_for(
    const struct p11_session *session, struct object_template *search, const struct p11_key *key,
    struct certificate **best, struct keystay_error *err)
{
    CLEANUP(freep) uint8_t *value = malloc(VALUE_SIZE);
    CK_OBJECT_HANDLE objects[OBJECT_FOUND_MAX];
    CK_ULONG n = 0;

    if (value == NULL) {
        return err_no_memory(err);
    }
    TRY(object_find(session, search, objects, &n, err));
    for (CK_ULONG i = 0; i < n; i++) {
        CLEANUP(certificate_freep)
        struct certificate *candidate = read_certificate(session, objects[i], value);

        if (candidate == NULL || certificate_is_attestation(candidate) ||
            !has_public_key_of(candidate, key)) {
            continue;
        }
        if (*best == NULL || certificate_not_after_s(candidate) > certificate_not_after_s(*best)) {
            certificate_free(*best);
            *best = take_ptr(&candidate);
        }
    }
    return KEYSTAY_OK;
}

static enum keystay_status search_by_uri(
    const struct p11_session *session, const struct p11_key *key, const struct p11_uri *uri,
    struct certificate **best, struct keystay_error *err)
{
    struct object_template search;

    object_template_init(&search, CKO_CERTIFICATE);
    object_template_add_uri(&search, uri);
    TRY(search_for(session, &search, key, best, err));
    if (*best == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_CERTIFICATE, "leave --certificate out to let keystay look for it",
            "%s: no certificate fits the --certificate URI and the key %s", session->where, key->id_text);
    }
    return KEYSTAY_OK;
}

static enum keystay_status search_by_key(
    const struct p11_session *session, const struct p11_key *key, struct certificate **best,
    struct keystay_error *err)
{
    struct object_template search;

    if (key->id_len > 0) {
        object_template_init(&search, CKO_CERTIFICATE);
        object_template_add(&search, CKA_ID, (struct slice){ key->id, key->id_len });
        TRY(search_for(session, &search, key, best, err));
    }
    if (*best == NULL) {
        object_template_init(&search, CKO_CERTIFICATE);
        TRY(search_for(session, &search, key, best, err));
    }
    if (*best == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_CERTIFICATE, "give the certificate that the server knows: --certificate FILE",
            "%s: it holds no certificate for the key id=%s '%s'", session->where, key->id_text, key->label);
    }
    return KEYSTAY_OK;
}

enum keystay_status token_certificate_find(
    const struct p11_session *session, const struct p11_key *key, const struct p11_uri *uri,
    struct certificate **ret_certificate, struct keystay_error *err)
{
    CLEANUP(certificate_freep) struct certificate *best = NULL;

    if (uri != NULL) {
        TRY(search_by_uri(session, key, uri, &best, err));
    } else {
        TRY(search_by_key(session, key, &best, err));
    }
    *ret_certificate = take_ptr(&best);
    return KEYSTAY_OK;
}

enum keystay_status token_certificate_check_key(
    const struct p11_session *session, const struct p11_key *key, const struct certificate *certificate,
    struct keystay_error *err)
{
    /* A token that does not tell the modulus is judged by its first signature, which is verified before it
     * leaves. */
    if (key->modulus_len == 0 || has_public_key_of(certificate, key)) {
        return KEYSTAY_OK;
    }
    return err_set_hint(
        err, KEYSTAY_E_KEY_MISMATCH,
        "choose the certificate that was issued for this key, or leave --certificate out: keystay then looks for it",
        "%s: the key id=%s '%s' and the certificate '%s' do not belong together", session->where,
        key->id_text, key->label, certificate_subject(certificate));
}
