/* SPDX-License-Identifier: Apache-2.0 */
#include "jose/jwk.h"

#include "base/base64url.h"
#include "base/error.h"
#include "crypto/digest.h"

enum { NUMBER_MAX = 2048, TEXT_MAX = 4096, SHA256_LEN = 32 };

static enum keystay_status put_number(
    struct json_write *out, const char *name, const struct buf *number, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(TEXT_MAX);

    TRY(base64url_encode(buf_slice(number), &text, err));
    return json_write_slice(out, name, buf_slice(&text), err);
}

enum keystay_status jwk_write_key(
    struct json_write *out, const struct public_key *key, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf first = BUF(NUMBER_MAX);
    CLEANUP(buf_clear) struct buf second = BUF(NUMBER_MAX);

    TRY(public_key_numbers(key, &first, &second, err));
    if (public_key_type(key) == PUBLIC_KEY_RSA) {
        TRY(put_number(out, "e", &second, err));
        TRY(json_write_str(out, "kty", "RSA", err));
        return put_number(out, "n", &first, err);
    }
    TRY(json_write_str(out, "crv", public_key_bits(key) == 256 ? "P-256" : "P-384", err));
    TRY(json_write_str(out, "kty", "EC", err));
    TRY(put_number(out, "x", &first, err));
    return put_number(out, "y", &second, err);
}

enum keystay_status jwk_write(
    struct json_write *out, const struct public_key *key, const char *kid, const struct alg *alg,
    struct keystay_error *err)
{
    TRY(jwk_write_key(out, key, err));
    TRY(json_write_str(out, "use", "sig", err));
    if (kid != NULL) {
        TRY(json_write_str(out, "kid", kid, err));
    }
    return alg == NULL ? KEYSTAY_OK : json_write_str(out, "alg", alg->name, err);
}

enum keystay_status jwk_thumbprint(const struct public_key *key, struct buf *to, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(TEXT_MAX);
    struct json_write out = JSON_WRITE(&text);
    uint8_t digest[SHA256_LEN];

    TRY(jwk_write_key(&out, key, err));
    TRY(json_write_end(&out, err));
    TRY(digest_of("SHA256", buf_slice(&text), digest, sizeof(digest), err));
    return base64url_encode((struct slice){ digest, sizeof(digest) }, to, err);
}
