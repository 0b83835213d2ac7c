/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_KEY_H
#define PKCS11_CRYPTOKI_KEY_H

#include "crypto/certificate.h"
#include "crypto/curve.h"
#include "pkcs11/choose.h"
#include "pkcs11/cryptoki/object.h"

enum {
    KEY_ID_MAX = 128,
    KEY_LABEL_MAX = 128,
    KEY_MODULUS_MAX = 2048 + 1, /* bytes: 16384 bits, and the zero byte that some modules put first */
    KEY_POINT_MAX = 160,        /* P-521 uncompressed, in its DER wrapping */
    KEY_CURVE_MAX = 64,         /* CKA_EC_PARAMS that name a curve; explicit ones are longer */
    KEY_MECHANISMS_MAX = 32,
};

/* A private key, as far as its token tells. */
struct p11_key {
    CK_OBJECT_HANDLE handle;
    CK_KEY_TYPE type; /* CK_UNAVAILABLE_INFORMATION when unknown */
    struct p11_key_claims claims;
    bool always_authenticate; /* CKA_ALWAYS_AUTHENTICATE: the PIN again for each signature */
    uint8_t id[KEY_ID_MAX];
    size_t id_len;
    uint8_t modulus[KEY_MODULUS_MAX]; /* RSA, big-endian */
    size_t modulus_len;               /* 0: the token does not tell */
    uint8_t point[KEY_POINT_MAX];     /* EC, as in CKA_EC_POINT: key_read_public fills it in */
    size_t point_len;
    struct curve curve; /* EC, as in CKA_EC_PARAMS */
    CK_MECHANISM_TYPE allowed[KEY_MECHANISMS_MAX];
    size_t n_allowed; /* 0: no restriction */
    char label[P11_TEXT_SIZE];
    char id_text[P11_URI_ID_TEXT_SIZE]; /* "%01" */
};

/*
 * The one private key that the URI means. The number of calls does not depend on how many keys there are.
 * KEYSTAY_E_KEY_NOT_FOUND and KEYSTAY_E_AMBIGUOUS list ids and labels.
 */
enum keystay_status key_find(
    const struct p11_session *session, const struct p11_uri *uri, struct p11_key *ret_key,
    struct keystay_error *err);

/* What the token tells of one private key, in one call where the module is willing. */
enum keystay_status key_read(
    const struct p11_session *session, CK_OBJECT_HANDLE object, struct p11_key *ret_key,
    struct keystay_error *err);

/*
 * Fills in the modulus, or point and curve, from the public key object of the same id, if the private key did
 * not tell and there is one. No error when there is none.
 */
enum keystay_status key_read_public(
    const struct p11_session *session, struct p11_key *key, struct keystay_error *err);

/* The id, the point and the curve of an EC public key object, for those who look at many. */
struct p11_public {
    uint8_t id[KEY_ID_MAX];
    size_t id_len;
    uint8_t point[KEY_POINT_MAX];
    size_t point_len;
    struct curve curve;
};
enum keystay_status key_public_read(
    const struct p11_session *session, CK_OBJECT_HANDLE object, struct p11_public *ret_public,
    struct keystay_error *err);

/* What it tells of its private half. */
void key_take_public(struct p11_key *key, const struct p11_public *of_key);

bool key_tells_public(const struct p11_key *key);

/* Of the RSA modulus or the curve; 0 when the token does not tell. */
unsigned int key_bits(const struct p11_key *key);

/* The algorithms that its type, size and curve allow; what the token does not tell rules nothing out. */
alg_set key_algs(const struct p11_key *key);

/*
 * Whether the certificate is the key's; KEY_BELONGS_UNKNOWN when the token does not tell the public key. It
 * is never that of a key on another curve, as far as the token tells that.
 */
enum key_belongs {
    KEY_BELONGS_NO,
    KEY_BELONGS_YES,
    KEY_BELONGS_UNKNOWN,
};
enum key_belongs key_belongs_to(const struct p11_key *key, const struct certificate *certificate);
enum key_belongs key_is_half_of(const struct p11_key *key, const struct public_key *public_key);

/*
 * The whole public key, as far as the token tells: *ret_public_key is owned. What the private key does not
 * say is read from the public key object of the same id. KEYSTAY_E_KEY_REFUSED when they do not tell it.
 */
enum keystay_status key_public_key(
    const struct p11_session *session, struct p11_key *key, struct public_key **ret_public_key,
    struct keystay_error *err);

#endif
