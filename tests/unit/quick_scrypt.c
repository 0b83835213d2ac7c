/* SPDX-License-Identifier: Apache-2.0 */
/* One scrypt takes a tenth of a second, under valgrind seconds, and is test_kdf's: for whom it is one byte of
 * salt and secret, any will do. */
#include "base/secret.h"
#include "crypto/kdf.h"

enum keystay_status __wrap_kdf_scrypt_byte(
    const struct secret *secret, struct slice salt, uint8_t *ret_byte, struct keystay_error *err);
enum keystay_status __wrap_kdf_scrypt_byte(
    const struct secret *secret, struct slice salt, uint8_t *ret_byte, struct keystay_error *err)
{
    (void)err;
    const struct slice parts[] = { salt, secret_slice(secret) };
    uint8_t byte = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        for (size_t k = 0; k < parts[i].len; k++) {
            byte = (uint8_t)(byte * 31 + parts[i].data[k]);
        }
    }
    *ret_byte = byte;
    return KEYSTAY_OK;
}
