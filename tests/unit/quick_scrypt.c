/* SPDX-License-Identifier: Apache-2.0 */
/* Under valgrind one scrypt takes seconds, and is test_kdf's: for whom it is one byte of salt and secret, any
 * will do. */
#include "crypto/kdf.h"
#include "scratch.h"

enum keystay_status __real_kdf_scrypt_byte(
    const struct secret *secret, struct slice salt, uint8_t *ret_byte, struct keystay_error *err);
enum keystay_status __wrap_kdf_scrypt_byte(
    const struct secret *secret, struct slice salt, uint8_t *ret_byte, struct keystay_error *err);
enum keystay_status __wrap_kdf_scrypt_byte(
    const struct secret *secret, struct slice salt, uint8_t *ret_byte, struct keystay_error *err)
{
    if (!is_under_valgrind()) {
        return __real_kdf_scrypt_byte(secret, salt, ret_byte, err);
    }
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
