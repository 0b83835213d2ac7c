/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS #12 (RFC 7292), by its parts: PKCS12_parse would take the first of several keys and not say so. */
#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include "base/error.h"
#include "crypto/key_decode_impl.h"

enum { NESTING_MAX = 4 };

static void pkcs12_freep(PKCS12 **pkcs12)
{
    PKCS12_free(*pkcs12);
}

bool key_is_pkcs12(struct slice der)
{
    const unsigned char *at = der.data;
    PKCS12 *pkcs12 = d2i_PKCS12(NULL, &at, (long)der.len);
    bool is_one = pkcs12 != NULL;

    PKCS12_free(pkcs12);
    ERR_clear_error();
    return is_one;
}

static enum keystay_status take_bags(
    struct key_attempt *attempt, const STACK_OF(PKCS12_SAFEBAG) * bags, int nesting,
    struct keystay_error *err);

static enum keystay_status take_bag(
    struct key_attempt *attempt, const PKCS12_SAFEBAG *bag, int nesting, struct keystay_error *err)
{
    switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_keyBag:
        return key_take_info(attempt->found, PKCS12_SAFEBAG_get0_p8inf(bag), err);
    case NID_pkcs8ShroudedKeyBag:
        return key_take_encrypted(attempt, PKCS12_SAFEBAG_get0_pkcs8(bag), err);
    case NID_safeContentsBag:
        return take_bags(attempt, PKCS12_SAFEBAG_get0_safes(bag), nesting + 1, err);
    default:
        break;
    }
    X509 *x509 = PKCS12_SAFEBAG_get_nid(bag) == NID_certBag ? PKCS12_SAFEBAG_get1_cert(bag) : NULL;
    unsigned char *der = NULL;
    int len = x509 == NULL ? 0 : i2d_X509(x509, &der);
    if (len > 0) {
        key_found_add_certificate(attempt->found, (struct slice){ der, (size_t)len });
    }
    OPENSSL_free(der);
    X509_free(x509);
    ERR_clear_error();
    return KEYSTAY_OK;
}

static enum keystay_status take_bags(
    struct key_attempt *attempt, const STACK_OF(PKCS12_SAFEBAG) * bags, int nesting,
    struct keystay_error *err)
{
    for (int i = 0; nesting < NESTING_MAX && i < sk_PKCS12_SAFEBAG_num(bags); i++) {
        TRY(take_bag(attempt, sk_PKCS12_SAFEBAG_value(bags, i), nesting, err));
    }
    return KEYSTAY_OK;
}

static enum keystay_status take_safe(struct key_attempt *attempt, PKCS7 *safe, struct keystay_error *err)
{
    const struct secret *password = &attempt->found->password;
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;

    if (PKCS7_type_is_data(safe)) {
        bags = PKCS12_unpack_p7data(safe);
    } else if (PKCS7_type_is_encrypted(safe)) {
        TRY(key_look_at_algorithm(attempt, safe->d.encrypted->enc_data->algorithm, err));
        bags = PKCS12_unpack_p7encdata(safe, password->data, (int)password->len);
    }
    if (bags == NULL) {
        key_note_unsupported(attempt);
        return err_set(err, KEYSTAY_E_KEY_FILE, "a part of the PKCS #12 cannot be read");
    }
    enum keystay_status status = take_bags(attempt, bags, 0, err);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return status;
}

/* RFC 7292 §4: what is in it is authentic by a MAC of the password, so that a wrong one is known as such. */
static enum keystay_status check_mac(struct key_attempt *attempt, PKCS12 *pkcs12, struct keystay_error *err)
{
    struct key_found *found = attempt->found;
    const X509_ALGOR *digest = NULL;
    const ASN1_INTEGER *iterations = NULL;
    const ASN1_OBJECT *object = NULL;

    if (!PKCS12_mac_present(pkcs12)) {
        return err_set_hint(
            err, KEYSTAY_E_KEY_FILE, "export it anew, with a password",
            "the PKCS #12 has no MAC, so nothing tells that it is whole");
    }
    PKCS12_get0_mac(NULL, &digest, NULL, &iterations, pkcs12);
    X509_ALGOR_get0(&object, NULL, NULL, digest);
    TRY(key_spend(found, iterations == NULL ? 0 : ASN1_INTEGER_get(iterations), err));
    if (EVP_get_digestbyobj(object) == NULL) {
        (void)OBJ_obj2txt(attempt->algorithm, sizeof(attempt->algorithm), object, 0);
        return key_unsupported(attempt, err);
    }
    if (!found->has_password && PKCS12_verify_mac(pkcs12, "", 0) == 1) {
        found->has_password = true;
        return secret_alloc(&found->password, 0, err);
    }
    TRY(key_ask_password(found, err));
    return PKCS12_verify_mac(pkcs12, found->password.data, (int)found->password.len) == 1
               ? KEYSTAY_OK
               : key_wrong_password(err);
}

enum keystay_status key_attempt_pkcs12(struct key_attempt *attempt, struct keystay_error *err)
{
    const unsigned char *at = attempt->input.data;
    PKCS12 *pkcs12 = PKCS12_init_ex(NID_pkcs7_data, attempt->libctx, NULL);
    CLEANUP(pkcs12_freep) PKCS12 *whole = d2i_PKCS12(&pkcs12, &at, (long)attempt->input.len);

    if (whole == NULL) {
        ERR_clear_error();
        return err_no_memory(err); /* it was read before */
    }
    enum keystay_status status = check_mac(attempt, whole, err);
    ERR_clear_error();
    TRY(status);
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(whole);
    if (safes == NULL) {
        ERR_clear_error();
        return err_set(err, KEYSTAY_E_KEY_FILE, "the PKCS #12 cannot be read");
    }
    for (int i = 0; status == KEYSTAY_OK && i < sk_PKCS7_num(safes); i++) {
        status = take_safe(attempt, sk_PKCS7_value(safes, i), err);
    }
    sk_PKCS7_pop_free(safes, PKCS7_free);
    return status;
}
