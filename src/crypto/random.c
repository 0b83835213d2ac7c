/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/random.h"

#include <openssl/rand.h>
#include <stdio.h>

#include "base/error.h"

enum keystay_status random_bytes(uint8_t *ret_bytes, size_t len, struct keystay_error *err)
{
    if (RAND_bytes(ret_bytes, (int)len) != 1) {
        return err_set(err, KEYSTAY_E_INTERNAL, "OpenSSL has no random numbers");
    }
    return KEYSTAY_OK;
}

enum keystay_status random_uuid(char ret_text[RANDOM_UUID_SIZE], struct keystay_error *err)
{
    uint8_t b[16];

    TRY(random_bytes(b, sizeof(b), err));
    b[6] = (uint8_t)((b[6] & 0x0F) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
    (void)snprintf(
        ret_text, RANDOM_UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
        b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return KEYSTAY_OK;
}
