/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/error.h"

enum keystay_status digest_of(
    const char *name, struct slice bytes, uint8_t *ret_digest, size_t len, struct keystay_error *err)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t digest_len = 0;

    if (!EVP_Q_digest(NULL, name, NULL, bytes.data, bytes.len, digest, &digest_len) || digest_len != len) {
        return err_set_hint(
            err, KEYSTAY_E_INTERNAL, "is it switched off by a policy (FIPS)?", "OpenSSL has no usable %s",
            name);
    }
    for (size_t i = 0; i < len; i++) {
        ret_digest[i] = digest[i];
    }
    return KEYSTAY_OK;
}

bool digest_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
