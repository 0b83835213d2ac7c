/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set that was read holds keys that signatures can be verified with, and each can be written and read
 * again: its thumbprint is then the same. An error can be printed on a terminal, and is never "ok".
 */
#include "fuzz.h"

#include "base/str.h"
#include "jose/jwk.h"
#include "jose/jwks.h"

enum { TEXT_MAX = 16 * 1024, THUMBPRINT_TEXT_LEN = 43 };

static void thumbprint_of(const struct public_key *key, struct buf *to)
{
    MUST(jwk_thumbprint(key, to, NULL) == KEYSTAY_OK);
    MUST(to->len == THUMBPRINT_TEXT_LEN);
}

static void check_key(const struct jwk *jwk)
{
    struct buf text = BUF(TEXT_MAX);
    struct buf before = BUF(THUMBPRINT_TEXT_LEN);
    struct buf after = BUF(THUMBPRINT_TEXT_LEN);
    struct json_write out = JSON_WRITE(&text);
    struct jwks again = { 0 };

    MUST(public_key_algs(jwk->key) != 0);
    MUST(jwk->alg == NULL || (public_key_algs(jwk->key) & ALG_BIT(jwk->alg->id)) != 0);
    MUST(jwk_write(&out, jwk->key, jwk->kid[0] == '\0' ? NULL : jwk->kid, jwk->alg, NULL) == KEYSTAY_OK);
    MUST(json_write_end(&out, NULL) == KEYSTAY_OK);
    MUST(jwks_parse(buf_slice(&text), &again, NULL) == KEYSTAY_OK);
    MUST(again.n_keys == 1 && again.n_skipped == 0);
    MUST(str_equal(again.keys[0].kid, jwk->kid) && again.keys[0].alg == jwk->alg);
    thumbprint_of(jwk->key, &before);
    thumbprint_of(again.keys[0].key, &after);
    MUST(slice_equal(buf_slice(&before), buf_slice(&after)));
    jwks_clear(&again);
    buf_clear(&text);
    buf_clear(&before);
    buf_clear(&after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jwks jwks = { 0 };
    struct keystay_error err = { 0 };
    enum keystay_status status = jwks_parse((struct slice){ data, size }, &jwks, &err);

    if (status == KEYSTAY_OK) {
        MUST(jwks.n_keys >= 1 && jwks.n_keys + jwks.n_skipped <= JWKS_KEYS_MAX);
        for (size_t i = 0; i < jwks.n_keys; i++) {
            check_key(&jwks.keys[i]);
        }
    } else {
        MUST(jwks.n_keys == 0 && jwks.keys == NULL);
        MUST(err.status == status && keystay_status_exit(status) != 0 && err.message[0] != '\0');
        MUST(str_is_utf8(slice_of_str(err.message)));
    }
    jwks_clear(&jwks);
    return 0;
}
