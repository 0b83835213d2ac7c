/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/padding.h"

#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "crypto/digest.h"
#include "crypto/random.h"

enum { ENCODED_MAX = 16384 / 8, PREFIX_LEN = 19 };

/* RFC 8017 §9.2 note 1: DER of everything before the digest. */
static const struct {
    const char *digest;
    uint8_t prefix[PREFIX_LEN];
} digest_infos[] = {
    { "SHA256",
      { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
        0x04, 0x20 } },
    { "SHA384",
      { 0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00,
        0x04, 0x30 } },
    { "SHA512",
      { 0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00,
        0x04, 0x40 } },
};

enum keystay_status padding_digest_info(
    const struct alg *alg, struct slice digest, struct buf *to, struct keystay_error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(digest_infos); i++) {
        if (str_equal(digest_infos[i].digest, alg->digest)) {
            TRY(buf_put(to, (struct slice){ digest_infos[i].prefix, PREFIX_LEN }, err));
            return buf_put(to, digest, err);
        }
    }
    return err_set(err, KEYSTAY_E_INTERNAL, "no DigestInfo for %s", alg->digest);
}

/* RFC 8017 §9.2: 00 01 FF ... FF 00 DigestInfo. */
static enum keystay_status encode_pkcs1(
    const struct alg *alg, struct slice digest, size_t modulus_len, struct buf *to, struct keystay_error *err)
{
    size_t info_len = PREFIX_LEN + digest.len;

    TRY(buf_putc(to, 0x00, err));
    TRY(buf_putc(to, 0x01, err));
    for (size_t i = 0; i < modulus_len - info_len - 3; i++) {
        TRY(buf_put(to, (struct slice){ (const uint8_t[]){ 0xFF }, 1 }, err));
    }
    TRY(buf_putc(to, 0x00, err));
    return padding_digest_info(alg, digest, to, err);
}

/* RFC 8017 appendix B.2.1, xored onto mask_len bytes. */
static enum keystay_status xor_mgf1(
    const struct alg *alg, struct slice seed, uint8_t *bytes, size_t len, struct keystay_error *err)
{
    uint8_t input[ALG_DIGEST_MAX + 4];
    uint8_t block[ALG_DIGEST_MAX];

    memcpy(input, seed.data, seed.len);
    for (size_t at = 0; at < len; at++) {
        if (at % alg->digest_len == 0) {
            const size_t counter = at / alg->digest_len; /* below 2^8: the modulus has at most 2048 bytes */
            const uint8_t octets[4] = { 0, 0, (uint8_t)(counter >> 8), (uint8_t)counter };
            memcpy(input + seed.len, octets, sizeof(octets));
            TRY(digest_of(alg->digest, (struct slice){ input, seed.len + 4 }, block, alg->digest_len, err));
        }
        bytes[at] ^= block[at % alg->digest_len];
    }
    return KEYSTAY_OK;
}

/* H of RFC 8017 §9.1.1 step 6: over eight zero bytes, the digest and the salt. */
static enum keystay_status hash_with_salt(
    const struct alg *alg, struct slice digest, const uint8_t *salt, uint8_t ret_hash[ALG_DIGEST_MAX],
    struct keystay_error *err)
{
    uint8_t input[8 + 2 * ALG_DIGEST_MAX] = { 0 };

    memcpy(input + 8, digest.data, digest.len);
    memcpy(input + 8 + digest.len, salt, alg->digest_len);
    return digest_of(
        alg->digest, (struct slice){ input, 8 + digest.len + alg->digest_len }, ret_hash, alg->digest_len,
        err);
}

/* RFC 8017 §9.1.1: maskedDB, H, BC; a zero byte first when the message is a byte shorter than the modulus. */
static enum keystay_status encode_pss(
    const struct alg *alg, struct slice digest, unsigned int modulus_bits, struct buf *to,
    struct keystay_error *err)
{
    uint8_t encoded[ENCODED_MAX] = { 0 };
    uint8_t hash[ALG_DIGEST_MAX];
    uint8_t salt[ALG_DIGEST_MAX];
    const size_t modulus_len = (modulus_bits + 7) / 8;
    const size_t len = (modulus_bits - 1 + 7) / 8;
    const size_t db_len = len - alg->digest_len - 1;

    TRY(random_bytes(salt, alg->digest_len, err));
    TRY(hash_with_salt(alg, digest, salt, hash, err));
    encoded[db_len - alg->digest_len - 1] = 0x01;
    memcpy(encoded + db_len - alg->digest_len, salt, alg->digest_len);
    TRY(xor_mgf1(alg, (struct slice){ hash, alg->digest_len }, encoded, db_len, err));
    encoded[0] &= (uint8_t)(0xFF >> (8 * len - (modulus_bits - 1)));
    memcpy(encoded + db_len, hash, alg->digest_len);
    encoded[len - 1] = 0xBC;
    if (len < modulus_len) {
        TRY(buf_putc(to, 0x00, err));
    }
    return buf_put(to, (struct slice){ encoded, len }, err);
}

enum keystay_status padding_encode(
    const struct alg *alg, struct slice digest, unsigned int modulus_bits, struct buf *to,
    struct keystay_error *err)
{
    if (modulus_bits < ALG_RSA_BITS_MIN || modulus_bits > 8 * ENCODED_MAX || digest.len != alg->digest_len) {
        return err_set(err, KEYSTAY_E_INTERNAL, "no padding for an RSA key of %u bits", modulus_bits);
    }
    if (alg->family == ALG_RSA_PSS) {
        return encode_pss(alg, digest, modulus_bits, to, err);
    }
    return encode_pkcs1(alg, digest, (modulus_bits + 7) / 8, to, err);
}
