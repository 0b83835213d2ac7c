/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/key.h"

#include <string.h>

#include "base/error.h"
#include "base/str.h"

enum { LISTED_MAX = 10, KEY_EXPONENT_MAX = 16 };

/* CK_BBOOL is one byte; what is neither CK_TRUE nor CK_FALSE was not answered. */
static enum p11_claim claim_of(const CK_ATTRIBUTE *attribute, CK_BBOOL value)
{
    if (attribute->ulValueLen != sizeof(CK_BBOOL)) {
        return P11_CLAIM_UNKNOWN;
    }
    return value == CK_TRUE ? P11_CLAIM_TRUE : (value == CK_FALSE ? P11_CLAIM_FALSE : P11_CLAIM_UNKNOWN);
}

static size_t len_or_0(const CK_ATTRIBUTE *attribute)
{
    return attribute->ulValueLen == CK_UNAVAILABLE_INFORMATION ? 0 : attribute->ulValueLen;
}

/* All that signing needs to know, in one call. */
enum keystay_status key_read(
    const struct p11_session *session, CK_OBJECT_HANDLE object, struct p11_key *ret_key,
    struct keystay_error *err)
{
    enum { SENSITIVE, EXTRACTABLE, SIGN, ALWAYS_SENSITIVE, NEVER_EXTRACTABLE, LOCAL, ALWAYS_AUTH, N_FLAGS };
    enum { TYPE = N_FLAGS, ID, LABEL, MODULUS, EC_PARAMS, ALLOWED, N };
    CK_BBOOL flags[N_FLAGS];
    uint8_t label[KEY_LABEL_MAX];
    uint8_t ec_params[KEY_CURVE_MAX];
    struct p11_key key = { .handle = object };
    CK_ATTRIBUTE attributes[N] = {
        [SENSITIVE] = { CKA_SENSITIVE, &flags[SENSITIVE], 1 },
        [EXTRACTABLE] = { CKA_EXTRACTABLE, &flags[EXTRACTABLE], 1 },
        [SIGN] = { CKA_SIGN, &flags[SIGN], 1 },
        [ALWAYS_SENSITIVE] = { CKA_ALWAYS_SENSITIVE, &flags[ALWAYS_SENSITIVE], 1 },
        [NEVER_EXTRACTABLE] = { CKA_NEVER_EXTRACTABLE, &flags[NEVER_EXTRACTABLE], 1 },
        [LOCAL] = { CKA_LOCAL, &flags[LOCAL], 1 },
        [ALWAYS_AUTH] = { CKA_ALWAYS_AUTHENTICATE, &flags[ALWAYS_AUTH], 1 },
        [TYPE] = { CKA_KEY_TYPE, &key.type, sizeof(key.type) },
        [ID] = { CKA_ID, key.id, sizeof(key.id) },
        [LABEL] = { CKA_LABEL, label, sizeof(label) },
        [MODULUS] = { CKA_MODULUS, key.modulus, sizeof(key.modulus) },
        [EC_PARAMS] = { CKA_EC_PARAMS, ec_params, sizeof(ec_params) },
        [ALLOWED] = { CKA_ALLOWED_MECHANISMS, key.allowed, sizeof(key.allowed) },
    };

    TRY(object_read(session, object, attributes, N, err));
    if (attributes[TYPE].ulValueLen != sizeof(key.type)) {
        key.type = CK_UNAVAILABLE_INFORMATION;
    }
    key.claims = (struct p11_key_claims){
        .sensitive = claim_of(&attributes[SENSITIVE], flags[SENSITIVE]),
        .extractable = claim_of(&attributes[EXTRACTABLE], flags[EXTRACTABLE]),
        .sign = claim_of(&attributes[SIGN], flags[SIGN]),
        .always_sensitive = claim_of(&attributes[ALWAYS_SENSITIVE], flags[ALWAYS_SENSITIVE]),
        .never_extractable = claim_of(&attributes[NEVER_EXTRACTABLE], flags[NEVER_EXTRACTABLE]),
        .local = claim_of(&attributes[LOCAL], flags[LOCAL]),
    };
    /* Only where the attribute says so: the context login breaks keys that do not need it. */
    key.always_authenticate = claim_of(&attributes[ALWAYS_AUTH], flags[ALWAYS_AUTH]) == P11_CLAIM_TRUE;
    key.id_len = len_or_0(&attributes[ID]);
    key.modulus_len = len_or_0(&attributes[MODULUS]);
    key.curve = curve_read((struct slice){ ec_params, len_or_0(&attributes[EC_PARAMS]) });
    key.n_allowed = len_or_0(&attributes[ALLOWED]) / sizeof(key.allowed[0]);
    p11_uri_format_id((struct slice){ key.id, key.id_len }, key.id_text);
    str_quote_foreign((struct slice){ label, len_or_0(&attributes[LABEL]) }, key.label, sizeof(key.label));
    *ret_key = key;
    return KEYSTAY_OK;
}

static void list_keys(
    const struct p11_session *session, const CK_OBJECT_HANDLE *objects, CK_ULONG n, struct keystay_error *err)
{
    for (CK_ULONG i = 0; i < n; i++) {
        struct p11_key key;

        if (i == LISTED_MAX) {
            err_append(err, "\n  ...");
            return;
        }
        if (key_read(session, objects[i], &key, NULL) == KEYSTAY_OK) {
            err_append(err, "\n  id=%s object '%s'", key.id_text, key.label);
        }
    }
}

static enum keystay_status none_found(const struct p11_session *session, struct keystay_error *err)
{
    struct object_template search;
    CK_OBJECT_HANDLE objects[OBJECT_FOUND_MAX];
    CK_ULONG n = 0;

    object_template_init(&search, CKO_PRIVATE_KEY);
    TRY(object_find(session, &search, objects, &n, err));
    if (n == 0) {
        return err_set_hint(
            err, KEYSTAY_E_KEY_NOT_FOUND, "make a key in it first, or choose another token",
            "%s: it holds no private key", session->where);
    }
    (void)err_set_hint(
        err, KEYSTAY_E_KEY_NOT_FOUND,
        "correct id= or object= in the --key URI; an id is bytes, each written %XX",
        "%s: no such private key; there:", session->where);
    list_keys(session, objects, n, err);
    return KEYSTAY_E_KEY_NOT_FOUND;
}

enum keystay_status key_find(
    const struct p11_session *session, const struct p11_uri *uri, struct p11_key *ret_key,
    struct keystay_error *err)
{
    struct object_template search;
    CK_OBJECT_HANDLE objects[OBJECT_FOUND_MAX];
    CK_ULONG n = 0;

    object_template_init(&search, CKO_PRIVATE_KEY);
    object_template_add_uri(&search, session, uri);
    TRY(object_find(session, &search, objects, &n, err));
    if (n == 0) {
        return none_found(session, err);
    }
    if (n > 1) {
        (void)err_set_hint(
            err, KEYSTAY_E_AMBIGUOUS, "add ;id=%XX to the --key URI",
            "%s: %s%lu private keys fit the key URI, and keystay does not guess:", session->where,
            n == OBJECT_FOUND_MAX ? "at least " : "", n);
        list_keys(session, objects, n, err);
        return KEYSTAY_E_AMBIGUOUS;
    }
    return key_read(session, objects[0], ret_key, err);
}

/* RSA: the modulus. EC: the point and the curve. */
static enum keystay_status read_public_parts(
    const struct p11_session *session, CK_OBJECT_HANDLE object, struct p11_key *key,
    struct keystay_error *err)
{
    struct p11_public found;
    CK_ATTRIBUTE modulus = { CKA_MODULUS, key->modulus, sizeof(key->modulus) };

    if (key->type == CKK_RSA) {
        TRY(object_read(session, object, &modulus, 1, err));
        key->modulus_len = len_or_0(&modulus);
        return KEYSTAY_OK;
    }
    TRY(key_public_read(session, object, &found, err));
    key_take_public(key, &found);
    return KEYSTAY_OK;
}

enum keystay_status key_read_public(
    const struct p11_session *session, struct p11_key *key, struct keystay_error *err)
{
    struct object_template search;
    CK_OBJECT_HANDLE objects[OBJECT_FOUND_MAX];
    CK_ULONG n = 0;

    if (key_tells_public(key) || key->id_len == 0 || (key->type != CKK_RSA && key->type != CKK_EC)) {
        return KEYSTAY_OK;
    }
    object_template_init(&search, CKO_PUBLIC_KEY);
    object_template_add(&search, CKA_ID, (struct slice){ key->id, key->id_len });
    TRY(object_find(session, &search, objects, &n, err));
    return n == 1 ? read_public_parts(session, objects[0], key, err) : KEYSTAY_OK;
}

/* CKA_PUBLIC_EXPONENT: of the private key, or else of the public one. Empty when neither tells. */
static enum keystay_status read_exponent(
    const struct p11_session *session, const struct p11_key *key, uint8_t ret_exponent[KEY_EXPONENT_MAX],
    size_t *ret_len, struct keystay_error *err)
{
    CK_ATTRIBUTE exponent = { CKA_PUBLIC_EXPONENT, ret_exponent, KEY_EXPONENT_MAX };
    struct object_template search;
    CK_OBJECT_HANDLE objects[OBJECT_FOUND_MAX];
    CK_ULONG n = 0;

    TRY(object_read(session, key->handle, &exponent, 1, err));
    if (len_or_0(&exponent) == 0 && key->id_len > 0) {
        object_template_init(&search, CKO_PUBLIC_KEY);
        object_template_add(&search, CKA_ID, (struct slice){ key->id, key->id_len });
        TRY(object_find(session, &search, objects, &n, err));
        exponent.ulValueLen = KEY_EXPONENT_MAX;
        TRY(n == 1 ? object_read(session, objects[0], &exponent, 1, err) : KEYSTAY_OK);
    }
    *ret_len = n > 1 ? 0 : len_or_0(&exponent);
    return KEYSTAY_OK;
}

static struct slice strip_zeros(struct slice number)
{
    while (number.len > 0 && number.data[0] == 0) {
        number = (struct slice){ number.data + 1, number.len - 1 };
    }
    return number;
}

/* The coordinates of an uncompressed point, bare or in its DER OCTET STRING; empty when it is neither. */
static struct slice bare_point(const struct p11_key *key)
{
    const size_t len = 1 + 2 * (size_t)(key->curve.bits / 8);
    const struct slice point = { key->point, key->point_len };
    const size_t skip = point.len == len + 2 && point.data[0] == 0x04 && point.data[1] == len ? 2 : 0;

    if (point.len != len + skip || point.data[skip] != 0x04) {
        return (struct slice){ 0 };
    }
    return (struct slice){ point.data + skip + 1, len - 1 };
}

static enum keystay_status make_public_key(
    const struct p11_session *session, const struct p11_key *key, struct public_key **ret_public_key,
    struct keystay_error *err)
{
    uint8_t exponent[KEY_EXPONENT_MAX];
    size_t exponent_len = 0;

    if (key->type == CKK_RSA) {
        TRY(read_exponent(session, key, exponent, &exponent_len, err));
        return public_key_new_rsa(
            strip_zeros((struct slice){ key->modulus, key->modulus_len }),
            strip_zeros((struct slice){ exponent, exponent_len }), ret_public_key, err);
    }
    const struct slice point = bare_point(key);
    const size_t half = point.len / 2;

    if (point.len == 0) {
        return err_set(err, KEYSTAY_E_KEY_REFUSED, "its point is not one of P-256 or P-384, uncompressed");
    }
    return public_key_new_ec(
        key->curve.bits, (struct slice){ point.data, half }, (struct slice){ point.data + half, half },
        ret_public_key, err);
}

enum keystay_status key_public_key(
    const struct p11_session *session, struct p11_key *key, struct public_key **ret_public_key,
    struct keystay_error *err)
{
    TRY(key_read_public(session, key, err));
    if (!key_tells_public(key) || (key->type != CKK_RSA && key->type != CKK_EC)) {
        return err_set_hint(
            err, KEYSTAY_E_KEY_REFUSED, "does the token hold the public key, under the same id?",
            "%s: it does not tell the public key of id=%s '%s'", session->where, key->id_text, key->label);
    }
    enum keystay_status status = make_public_key(session, key, ret_public_key, err);
    return status == KEYSTAY_OK ? status
                                : err_prefix(
                                      err, status, "%s: the public key of id=%s '%s'", session->where,
                                      key->id_text, key->label);
}

enum keystay_status key_public_read(
    const struct p11_session *session, CK_OBJECT_HANDLE object, struct p11_public *ret_public,
    struct keystay_error *err)
{
    struct p11_public found = { .id_len = 0 };
    uint8_t ec_params[KEY_CURVE_MAX];
    CK_ATTRIBUTE attributes[] = {
        { CKA_ID, found.id, sizeof(found.id) },
        { CKA_EC_POINT, found.point, sizeof(found.point) },
        { CKA_EC_PARAMS, ec_params, sizeof(ec_params) },
    };

    TRY(object_read(session, object, attributes, ARRAY_LEN(attributes), err));
    found.id_len = len_or_0(&attributes[0]);
    found.point_len = len_or_0(&attributes[1]);
    found.curve = curve_read((struct slice){ ec_params, len_or_0(&attributes[2]) });
    *ret_public = found;
    return KEYSTAY_OK;
}

void key_take_public(struct p11_key *key, const struct p11_public *of_key)
{
    memcpy(key->point, of_key->point, of_key->point_len);
    key->point_len = of_key->point_len;
    if (key->curve.id == CURVE_UNKNOWN) {
        key->curve = of_key->curve;
    }
}

bool key_tells_public(const struct p11_key *key)
{
    return key->modulus_len > 0 || key->point_len > 0;
}

unsigned int key_bits(const struct p11_key *key)
{
    size_t first = 0;
    unsigned int bits = 0;

    while (first < key->modulus_len && key->modulus[first] == 0) {
        first++;
    }
    if (first == key->modulus_len) {
        return key->curve.bits;
    }
    for (unsigned int top = key->modulus[first]; top > 0; top >>= 1) {
        bits++;
    }
    return bits + 8 * (unsigned int)(key->modulus_len - first - 1);
}

alg_set key_algs(const struct p11_key *key)
{
    bool is_short = key->modulus_len > 0 && key_bits(key) < ALG_RSA_BITS_MIN;
    alg_set algs = 0;

    if (key->type == CKK_EC) {
        return curve_algs(&key->curve);
    }
    for (enum keystay_alg id = KEYSTAY_ALG_RS256; alg_by_id(id) != NULL; id++) {
        bool fits = key->type == CKK_RSA && !is_short && alg_by_id(id)->family != ALG_ECDSA;
        algs |= fits ? ALG_BIT(id) : 0;
    }
    return algs;
}

/* A certificate's EC key is on P-256 or P-384: other curves of as many bits are not it. */
static bool may_be_on_curve(const struct p11_key *key, const struct public_key *public_key)
{
    return key->curve.id == CURVE_UNKNOWN ||
           (key->curve.id != CURVE_OTHER && key->curve.bits == public_key_bits(public_key));
}

enum key_belongs key_belongs_to(const struct p11_key *key, const struct certificate *certificate)
{
    return key_is_half_of(key, certificate_public_key(certificate));
}

enum key_belongs key_is_half_of(const struct p11_key *key, const struct public_key *public_key)
{
    if (key->type == CK_UNAVAILABLE_INFORMATION) {
        return KEY_BELONGS_UNKNOWN;
    }
    bool same_type = key->type == CKK_RSA
                         ? public_key_type(public_key) == PUBLIC_KEY_RSA
                         : key->type == CKK_EC && public_key_type(public_key) == PUBLIC_KEY_EC &&
                               may_be_on_curve(key, public_key);

    if (!same_type) {
        return KEY_BELONGS_NO;
    }
    if (!key_tells_public(key)) {
        return KEY_BELONGS_UNKNOWN;
    }
    bool same = key->type == CKK_RSA
                    ? public_key_has_modulus(public_key, (struct slice){ key->modulus, key->modulus_len })
                    : public_key_has_point(public_key, (struct slice){ key->point, key->point_len });
    return same ? KEY_BELONGS_YES : KEY_BELONGS_NO;
}
