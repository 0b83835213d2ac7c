/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/store.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "pkcs11/cryptoki/settle.h"
#include "pkcs11/engine.h"
#include "pkcs11/piv.h"
#include "pkcs11/rv.h"

enum { PART_MAX = 16 * 1024 };

struct parts {
    struct buf subject;
    struct buf issuer;
    struct buf serial;
};

static void parts_clear(struct parts *parts)
{
    buf_clear(&parts->subject);
    buf_clear(&parts->issuer);
    buf_clear(&parts->serial);
}

static CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    return (CK_ATTRIBUTE){ type, drop_const(value), len };
}

enum keystay_status store_put(
    const struct p11_session *session, struct slice id, struct slice label,
    const struct certificate *certificate, CK_OBJECT_HANDLE *ret_object, struct keystay_error *err)
{
    static const CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    static const CK_CERTIFICATE_TYPE type = CKC_X_509;
    static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    const struct slice value = certificate_der(certificate);
    CLEANUP(parts_clear)
    struct parts parts = { .subject = BUF(PART_MAX), .issuer = BUF(PART_MAX), .serial = BUF(PART_MAX) };

    TRY(certificate_put_parts(certificate, &parts.subject, &parts.issuer, &parts.serial, err));
    CK_ATTRIBUTE attributes[] = {
        attribute(CKA_CLASS, &class, sizeof(class)),
        attribute(CKA_CERTIFICATE_TYPE, &type, sizeof(type)),
        attribute(CKA_TOKEN, &yes, sizeof(yes)),
        attribute(CKA_PRIVATE, &no, sizeof(no)),
        attribute(CKA_ID, id.data, id.len),
        attribute(CKA_LABEL, label.data, label.len),
        attribute(CKA_SUBJECT, parts.subject.data, parts.subject.len),
        attribute(CKA_ISSUER, parts.issuer.data, parts.issuer.len),
        attribute(CKA_SERIAL_NUMBER, parts.serial.data, parts.serial.len),
        attribute(CKA_VALUE, value.data, value.len),
    };
    CK_RV rv =
        P11(session->module, C_CreateObject, session->handle, attributes, ARRAY_LEN(attributes), ret_object);
    if (rv == CKR_OK) {
        return KEYSTAY_OK;
    }
    return piv_advise(
        session->info, rv, "take --out CERT.pem, then ykman piv certificates import 9a CERT.pem",
        rv_error(rv, "C_CreateObject", session->where, err), err);
}

/* What goes onto the token. */
struct storing {
    const struct p11_key *key;
    const struct certificate *certificate;
};

/* A link_work. */
static enum keystay_status store_work(
    const struct p11_session *session, unsigned int generation, void *context, bool *ret_is_broken,
    struct keystay_error *err)
{
    const struct storing *storing = context;
    const struct p11_key *key = storing->key;
    CK_OBJECT_HANDLE object = 0;

    (void)generation;
    (void)ret_is_broken;
    return store_put(
        session, (struct slice){ key->id, key->id_len }, slice_of_str(key->label), storing->certificate,
        &object, err);
}

enum keystay_status store_open_signer(
    struct p11_settings *settings, bool may_write, struct keystay_signer **ret_signer,
    struct keystay_error *err)
{
    settings->needs_no_certificate = true;
    settings->may_write = may_write;
    return cryptoki_engine.open(settings, ret_signer, err);
}

enum keystay_status store_certificate(
    struct keystay_signer *signer, const struct certificate *certificate, struct keystay_error *err)
{
    struct p11_signer *settled = (struct p11_signer *)signer;
    struct storing storing = { &settled->key, certificate };

    if (!public_key_equal(certificate_public_key(certificate), signer_public_key(signer))) {
        return err_set_hint(
            err, KEYSTAY_E_KEY_MISMATCH, "choose the key that it was issued for: keystay key list",
            "the certificate '%s' is not that of the key id=%s '%s'; it was not stored",
            certificate_subject(certificate), settled->key.id_text, settled->key.label);
    }
    TRY(link_use(settled->link, store_work, &storing, err));
    log_step(
        settled->settings.log, "%s: stored the certificate '%s' under id=%s", link_where(settled->link),
        certificate_subject(certificate), settled->key.id_text);
    return KEYSTAY_OK;
}
