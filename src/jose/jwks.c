/* SPDX-License-Identifier: Apache-2.0 */
#include "jose/jwks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64url.h"
#include "base/error.h"
#include "base/str.h"

enum {
    NUMBER_MAX = PUBLIC_KEY_RSA_BITS_MAX / 8,
    NUMBER_TEXT_MAX = (NUMBER_MAX * 4 + 2) / 3, /* in base64url */
};

/* RFC 7518 §6.2.2, §6.3.2 and §6.4: what makes a key a private or a symmetric one. */
static const char *const secret_members[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };

void jwk_clear(struct jwk *jwk)
{
    public_key_freep(&jwk->key);
    *jwk = (struct jwk){ 0 };
}

void jwks_clear(struct jwks *jwks)
{
    for (size_t i = 0; i < jwks->n_keys; i++) {
        jwk_clear(&jwks->keys[i]);
    }
    free(jwks->keys);
    *jwks = (struct jwks){ 0 };
}

static enum keystay_status check_is_public(const struct json *object, struct keystay_error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(secret_members); i++) {
        if (json_has(object, secret_members[i])) {
            return err_set_hint(
                err, KEYSTAY_E_KEY_REFUSED,
                "whoever could read it can sign with it: replace the key, and publish only its public part",
                "the JWK holds a private or secret key (member \"%s\")", secret_members[i]);
        }
    }
    return KEYSTAY_OK;
}

/* A short text that may be absent. */
static enum keystay_status read_name(
    const struct json *object, const char *name, char ret_text[JWK_NAME_SIZE], struct keystay_error *err)
{
    const struct json *member = json_member(object, name);
    const char *text = json_text(member);

    if (member == NULL) {
        return KEYSTAY_OK;
    }
    if (text == NULL || text[0] == '\0' || strlen(text) >= JWK_NAME_SIZE) {
        return err_set(
            err, KEYSTAY_E_SERVER_RESPONSE, "the JWK's \"%s\" is not a text of 1 to %d bytes", name,
            JWK_NAME_SIZE - 1);
    }
    (void)snprintf(ret_text, JWK_NAME_SIZE, "%s", text);
    return KEYSTAY_OK;
}

/* RFC 7517 §4.2 and §4.3: absent means that nothing is said against verifying. */
static enum keystay_status check_purpose(const struct json *object, struct keystay_error *err)
{
    const struct json *key_ops = json_member(object, "key_ops");
    const struct json *use = json_member(object, "use");
    bool may_verify = key_ops == NULL;

    for (const struct json *op = json_first(key_ops); op != NULL; op = json_next(op)) {
        may_verify = may_verify || (json_text(op) != NULL && str_equal(json_text(op), "verify"));
    }
    if (use != NULL && (json_text(use) == NULL || !str_equal(json_text(use), "sig"))) {
        return err_set(err, KEYSTAY_E_ALGORITHM, "the JWK is not for signatures (\"use\")");
    }
    return may_verify ? KEYSTAY_OK
                      : err_set(err, KEYSTAY_E_ALGORITHM, "the JWK is not for verifying (\"key_ops\")");
}

static enum keystay_status read_number(
    const struct json *object, const char *name, struct buf *ret_bytes, struct keystay_error *err)
{
    const char *text = NULL;

    TRY(json_get_str(object, name, &text, err));
    if (strlen(text) > NUMBER_TEXT_MAX) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the number \"%s\" of the JWK is too long", name);
    }
    return base64url_decode(slice_of_str(text), ret_bytes, err);
}

static enum keystay_status read_rsa(
    const struct json *object, struct public_key **ret_key, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf modulus = BUF(NUMBER_MAX);
    CLEANUP(buf_clear) struct buf exponent = BUF(NUMBER_MAX);

    TRY(read_number(object, "n", &modulus, err));
    TRY(read_number(object, "e", &exponent, err));
    /* RFC 7518 §6.3.1.1: implementers [...] MUST omit it, the extra zero octet. One spelling, one thumbprint.
     */
    if ((modulus.len > 0 && modulus.data[0] == 0) || (exponent.len > 0 && exponent.data[0] == 0)) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "a number of the RSA key begins with a zero byte");
    }
    return public_key_new_rsa(buf_slice(&modulus), buf_slice(&exponent), ret_key, err);
}

static enum keystay_status read_ec(
    const struct json *object, struct public_key **ret_key, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf x = BUF(NUMBER_MAX);
    CLEANUP(buf_clear) struct buf y = BUF(NUMBER_MAX);
    const char *curve = NULL;

    TRY(json_get_str(object, "crv", &curve, err));
    const unsigned int bits = str_equal(curve, "P-256") ? 256 : (str_equal(curve, "P-384") ? 384 : 0);
    if (bits == 0) {
        return err_set(err, KEYSTAY_E_ALGORITHM, "the JWK's curve is neither P-256 nor P-384");
    }
    TRY(read_number(object, "x", &x, err));
    TRY(read_number(object, "y", &y, err));
    return public_key_new_ec(bits, buf_slice(&x), buf_slice(&y), ret_key, err);
}

static enum keystay_status read_key(
    const struct json *object, struct public_key **ret_key, struct keystay_error *err)
{
    const char *type = NULL;

    TRY(json_get_str(object, "kty", &type, err));
    if (str_equal(type, "RSA")) {
        return read_rsa(object, ret_key, err);
    }
    if (str_equal(type, "EC")) {
        return read_ec(object, ret_key, err);
    }
    return err_set(err, KEYSTAY_E_ALGORITHM, "the JWK is neither RSA nor EC");
}

/* RFC 8725 §3.1: each key MUST be used with exactly one algorithm, where the key says which. */
static enum keystay_status read_alg(const struct json *object, struct jwk *jwk, struct keystay_error *err)
{
    const struct json *member = json_member(object, "alg");

    if (member == NULL) {
        return KEYSTAY_OK;
    }
    jwk->alg = json_text(member) == NULL ? NULL : alg_by_name(json_text(member));
    if (jwk->alg == NULL || (public_key_algs(jwk->key) & ALG_BIT(jwk->alg->id)) == 0) {
        return err_set(
            err, KEYSTAY_E_ALGORITHM,
            "the JWK is for an algorithm that is unknown or does not go with its key");
    }
    return KEYSTAY_OK;
}

enum keystay_status jwk_read(const struct json *object, struct jwk *ret_jwk, struct keystay_error *err)
{
    CLEANUP(jwk_clear) struct jwk jwk = { 0 };

    if (json_type(object) != JSON_OBJECT) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "a JWK is not a JSON object");
    }
    TRY(check_is_public(object, err));
    TRY(check_purpose(object, err));
    TRY(read_name(object, "kid", jwk.kid, err));
    TRY(read_name(object, "x5t", jwk.x5t, err));
    TRY(read_name(object, "issuer", jwk.issuer, err));
    TRY(read_key(object, &jwk.key, err));
    TRY(read_alg(object, &jwk, err));
    *ret_jwk = jwk;
    jwk = (struct jwk){ 0 };
    return KEYSTAY_OK;
}

static enum keystay_status read_one(const struct json *item, struct jwks *jwks, struct keystay_error *err)
{
    struct keystay_error why = { 0 };

    TRY(json_type(item) == JSON_OBJECT ? check_is_public(item, err) : KEYSTAY_OK);
    if (jwk_read(item, &jwks->keys[jwks->n_keys], &why) == KEYSTAY_OK) {
        jwks->n_keys++;
    } else {
        jwks->n_skipped++;
        memcpy(jwks->skipped_why, why.message, sizeof(jwks->skipped_why));
    }
    return KEYSTAY_OK;
}

/* keys is the array, or NULL when the object is itself the one key. */
static enum keystay_status read_set(
    const struct json *keys, const struct json *object, struct jwks *jwks, struct keystay_error *err)
{
    size_t n = 0;

    for (const struct json *item = json_first(keys); item != NULL; item = json_next(item)) {
        n++;
    }
    if (n > JWKS_KEYS_MAX) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the JWK set has more than %d keys", JWKS_KEYS_MAX);
    }
    jwks->keys = calloc(n + 1, sizeof(jwks->keys[0]));
    if (jwks->keys == NULL) {
        return err_no_memory(err);
    }
    if (keys == NULL) {
        return read_one(object, jwks, err);
    }
    for (const struct json *item = json_first(keys); item != NULL; item = json_next(item)) {
        TRY(read_one(item, jwks, err));
    }
    return KEYSTAY_OK;
}

static enum keystay_status check_some(const struct jwks *jwks, struct keystay_error *err)
{
    if (jwks->n_keys > 0) {
        return KEYSTAY_OK;
    }
    if (jwks->n_skipped == 0) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the JWK set is empty");
    }
    return err_set(
        err, KEYSTAY_E_SERVER_RESPONSE,
        "the JWK set holds no key to verify with; of the last it can be said: %s", jwks->skipped_why);
}

enum keystay_status jwks_read(const struct json *object, struct jwks *ret_jwks, struct keystay_error *err)
{
    CLEANUP(jwks_clear) struct jwks jwks = { 0 };
    const struct json *keys = json_member(object, "keys");

    if (keys == NULL && !json_has(object, "kty")) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the JSON object is neither a JWK nor a JWK set");
    }
    if (keys != NULL && json_type(keys) != JSON_ARRAY) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "\"keys\" of the JWK set is not an array");
    }
    TRY(read_set(keys, object, &jwks, err));
    TRY(check_some(&jwks, err));
    *ret_jwks = jwks;
    jwks = (struct jwks){ 0 };
    return KEYSTAY_OK;
}

enum keystay_status jwks_parse(struct slice text, struct jwks *ret_jwks, struct keystay_error *err)
{
    CLEANUP(json_freep) struct json *json = NULL;

    if (text.len > JWKS_MAX) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the JWK set is longer than %d bytes", JWKS_MAX);
    }
    TRY(json_parse_object(text, &json, err));
    return jwks_read(json, ret_jwks, err);
}
