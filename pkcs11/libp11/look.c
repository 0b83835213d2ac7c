/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED /* libp11's keys are of the kind before OpenSSL 3 */

#include "pkcs11/libp11/look.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "pkcs11/libp11/queue.h"

/* CK_TOKEN_INFO pads with blanks, libp11 cuts them off. */
static bool is_field(const char *text, const CK_UTF8CHAR *field, size_t len)
{
    while (len > 0 && (field[len - 1] == ' ' || field[len - 1] == '\0')) {
        len--;
    }
    return text != NULL && strlen(text) == len && memcmp(text, field, len) == 0;
}

static bool is_token(const PKCS11_SLOT *slot, const CK_TOKEN_INFO *info)
{
    const PKCS11_TOKEN *token = slot->token;

    return token != NULL && is_field(token->label, info->label, sizeof(info->label)) &&
           is_field(token->serialnr, info->serialNumber, sizeof(info->serialNumber)) &&
           is_field(token->manufacturer, info->manufacturerID, sizeof(info->manufacturerID)) &&
           is_field(token->model, info->model, sizeof(info->model));
}

enum keystay_status look_for_token(
    const struct p11_context *context, const struct p11_signer *settled, const char *where,
    PKCS11_SLOT **ret_slot, struct keystay_error *err)
{
    unsigned int n = 0;
    PKCS11_SLOT *slots = context_slots(context, &n);
    PKCS11_SLOT *found = NULL;
    size_t n_found = 0;

    for (unsigned int i = 0; i < n; i++) {
        if (!is_token(&slots[i], &settled->token.info)) {
            continue;
        }
        n_found++;
        found = &slots[i];
        if (PKCS11_get_slotid_from_slot(found) == settled->token.slot) {
            n_found = 1;
            break;
        }
    }
    if (n_found == 0) {
        return err_set_hint(
            err, KEYSTAY_E_TOKEN_NOT_FOUND, "plug it in, or see whether the HSM is there", "%s is gone",
            where);
    }
    if (n_found > 1) {
        return err_set(err, KEYSTAY_E_AMBIGUOUS, "%s: %zu tokens say that they are it", where, n_found);
    }
    *ret_slot = found;
    return KEYSTAY_OK;
}

/* Big-endian, into room for KEY_MODULUS_MAX; empty when there is none. */
static struct slice modulus_of(const RSA *rsa, uint8_t *room)
{
    const BIGNUM *modulus = rsa == NULL ? NULL : RSA_get0_n(rsa);
    bool fits = modulus != NULL && BN_num_bytes(modulus) <= KEY_MODULUS_MAX;

    return (struct slice){ room, fits ? (size_t)BN_bn2bin(modulus, room) : 0 };
}

static struct slice point_of(const EC_KEY *ec, uint8_t *room)
{
    const EC_POINT *point = ec == NULL ? NULL : EC_KEY_get0_public_key(ec);

    return (struct slice){ room, point == NULL
                                     ? 0
                                     : EC_POINT_point2oct(
                                           EC_KEY_get0_group(ec), point, POINT_CONVERSION_UNCOMPRESSED, room,
                                           KEY_MODULUS_MAX, NULL) };
}

/* Whether the key may be the certificate's; where the token does not tell, the first signature will. */
static bool may_be_certified(const EVP_PKEY *key, const struct certificate *certificate)
{
    const struct public_key *public_key = certificate_public_key(certificate);
    uint8_t room[KEY_MODULUS_MAX];

    if (public_key_type(public_key) == PUBLIC_KEY_RSA) {
        struct slice modulus = modulus_of(EVP_PKEY_get0_RSA(key), room);
        return modulus.len == 0 || public_key_has_modulus(public_key, modulus);
    }
    struct slice point = point_of(EVP_PKEY_get0_EC_KEY(key), room);
    return point.len == 0 || public_key_has_point(public_key, point);
}

static bool has_id(const PKCS11_KEY *key, const struct p11_key *settled)
{
    return key->id_len == settled->id_len &&
           (settled->id_len == 0 || memcmp(key->id, settled->id, settled->id_len) == 0);
}

static bool has_label(const PKCS11_KEY *key, const struct p11_key *settled)
{
    char label[P11_TEXT_SIZE];

    str_quote_foreign(slice_of_str(key->label == NULL ? "" : key->label), label, sizeof(label));
    return str_equal(label, settled->label);
}

static enum keystay_status pick(
    PKCS11_KEY *keys, unsigned int n, const struct p11_key *settled, const char *where, PKCS11_KEY **ret_key,
    struct keystay_error *err)
{
    size_t n_with_id = 0, n_with_both = 0;
    PKCS11_KEY *with_id = NULL, *with_both = NULL;

    for (unsigned int i = 0; i < n; i++) {
        if (has_id(&keys[i], settled)) {
            n_with_id++;
            with_id = &keys[i];
        }
        if (has_id(&keys[i], settled) && has_label(&keys[i], settled)) {
            n_with_both++;
            with_both = &keys[i];
        }
    }
    if (n_with_id == 0) {
        return err_set(
            err, KEYSTAY_E_KEY_NOT_FOUND, "%s: libp11 shows no key id=%s '%s'", where, settled->id_text,
            settled->label);
    }
    if (n_with_id > 1 && n_with_both != 1) {
        return err_set_hint(
            err, KEYSTAY_E_AMBIGUOUS, "leave --engine libp11 out for this key: the other engine can",
            "%s: libp11 shows several keys id=%s '%s'", where, settled->id_text, settled->label);
    }
    *ret_key = n_with_id == 1 ? with_id : with_both;
    return KEYSTAY_OK;
}

static enum keystay_status list_keys(
    PKCS11_SLOT *slot, const struct p11_signer *settled, const char *where, PKCS11_KEY **ret_keys,
    unsigned int *ret_n, struct keystay_error *err)
{
    const struct keystay_call_watch *watch = settled->settings.watch;

    ERR_clear_error();
#ifdef HAS_ENUMERATE_KEYS_EXT
    uint8_t id[KEY_ID_MAX];
    PKCS11_KEY wanted = { .isPrivate = 1, .id = id, .id_len = settled->key.id_len };
    memcpy(id, settled->key.id, settled->key.id_len);
    int result = LIB11(watch, PKCS11_enumerate_keys_ext, slot->token, &wanted, ret_keys, ret_n);
#else
    int result = LIB11(watch, PKCS11_enumerate_keys, slot->token, ret_keys, ret_n);
#endif
    if (result == 0) {
        return KEYSTAY_OK;
    }
    CK_RV rv = queue_take();
    if (rv != CKR_OK) {
        return queue_error(rv, "C_FindObjects (libp11)", where, err);
    }
    /* It gives up at the first key that it cannot read, without a word. */
    return err_set_hint(
        err, KEYSTAY_E_KEY_REFUSED, "leave --engine libp11 out for this token: the other engine can",
        "%s: libp11 shows none of its keys; it does so when one is of a type that it does not know", where);
}

enum keystay_status look_for_key(
    PKCS11_SLOT *slot, const struct p11_signer *settled, const char *where, EVP_PKEY **ret_key,
    struct keystay_error *err)
{
    PKCS11_KEY *keys = NULL, *found = NULL;
    unsigned int n = 0;

    TRY(list_keys(slot, settled, where, &keys, &n, err));
    TRY(pick(keys, n, &settled->key, where, &found, err));
    context_enter(settled->settings.watch, "PKCS11_get_private_key");
    EVP_PKEY *key = PKCS11_get_private_key(found);
    (void)context_leave(settled->settings.watch, 0);
    if (key == NULL) {
        return queue_error(queue_take(), "C_GetAttributeValue (libp11)", where, err);
    }
    if (!may_be_certified(key, settled->base.certificate)) {
        EVP_PKEY_free(key);
        return err_set(err, KEYSTAY_E_KEY_MISMATCH, "%s: the key is another one than before", where);
    }
    ERR_clear_error();
    *ret_key = key;
    return KEYSTAY_OK;
}
