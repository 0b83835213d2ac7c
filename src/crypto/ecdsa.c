/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ecdsa.h"

#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <string.h>

#include "base/error.h"

enum { HALF_MAX = 48, DER_MAX = 256 }; /* bytes: P-384 */

static void ecdsa_sig_freep(ECDSA_SIG **signature)
{
    ECDSA_SIG_free(*signature);
}

static void openssl_freep(unsigned char **memory)
{
    OPENSSL_free(*memory);
}

/* OpenSSL's parser takes more than DER: what is DER is the same when it is written again. */
static bool is_written_the_same(const ECDSA_SIG *numbers, struct slice der)
{
    CLEANUP(openssl_freep) unsigned char *again = NULL;
    int len = i2d_ECDSA_SIG(numbers, &again);

    return len > 0 && (size_t)len == der.len && memcmp(again, der.data, der.len) == 0;
}

static bool is_in_range(const BIGNUM *number, unsigned int bits)
{
    return !BN_is_zero(number) && !BN_is_negative(number) && (unsigned int)BN_num_bits(number) <= bits;
}

enum keystay_status ecdsa_to_jose(
    const struct alg *alg, struct slice der, struct buf *ret_signature, struct keystay_error *err)
{
    const unsigned char *at = der.data;
    CLEANUP(ecdsa_sig_freep) ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &at, (long)der.len);
    uint8_t raw[2 * HALF_MAX];
    int half = (int)alg->ec_bits / 8;

    if (numbers == NULL || !is_written_the_same(numbers, der) ||
        !is_in_range(ECDSA_SIG_get0_r(numbers), alg->ec_bits) ||
        !is_in_range(ECDSA_SIG_get0_s(numbers), alg->ec_bits)) {
        ERR_clear_error();
        return err_set(err, KEYSTAY_E_MODULE, "what should be an %s signature in DER is none", alg->name);
    }
    (void)BN_bn2binpad(ECDSA_SIG_get0_r(numbers), raw, half);
    (void)BN_bn2binpad(ECDSA_SIG_get0_s(numbers), raw + half, half);
    return buf_put(ret_signature, (struct slice){ raw, 2 * (size_t)half }, err);
}

enum keystay_status ecdsa_to_der(
    const struct alg *alg, struct slice signature, struct buf *ret_der, struct keystay_error *err)
{
    CLEANUP(ecdsa_sig_freep) ECDSA_SIG *numbers = ECDSA_SIG_new();
    size_t half = alg->ec_bits / 8;
    uint8_t der[DER_MAX];
    unsigned char *at = der;

    if (signature.len != 2 * half) {
        return err_set(
            err, KEYSTAY_E_KEY_MISMATCH, "an %s signature has %zu bytes, not %zu", alg->name, 2 * half,
            signature.len);
    }
    BIGNUM *r = BN_bin2bn(signature.data, (int)half, NULL);
    BIGNUM *s = BN_bin2bn(signature.data + half, (int)half, NULL);
    if (numbers == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(numbers, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return err_no_memory(err);
    }
    int len = i2d_ECDSA_SIG(numbers, &at);
    return buf_put(ret_der, (struct slice){ der, len < 0 ? 0 : (size_t)len }, err);
}
