/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/kdf.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/error.h"
#include "base/wipe.h"

enum {
    SCRYPT_N = 1 << 15,
    SCRYPT_R = 8,
    SCRYPT_P = 1,
    SCRYPT_MEMORY_MAX = 64 * 1024 * 1024,
    OUTPUT_LEN = 32
};

enum keystay_status kdf_scrypt_byte(
    const struct secret *secret, struct slice salt, uint8_t *ret_byte, struct keystay_error *err)
{
    uint8_t output[OUTPUT_LEN];

    if (EVP_PBE_scrypt(
            secret->data, secret->len, salt.data, salt.len, SCRYPT_N, SCRYPT_R, SCRYPT_P, SCRYPT_MEMORY_MAX,
            output, sizeof(output)) != 1) {
        ERR_clear_error();
        return err_set(err, KEYSTAY_E_INTERNAL, "OpenSSL has no usable scrypt");
    }
    *ret_byte = output[0];
    wipe(output, sizeof(output));
    return KEYSTAY_OK;
}
