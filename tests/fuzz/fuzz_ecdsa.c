/* SPDX-License-Identifier: Apache-2.0 */
/* What should be an ECDSA signature in DER: the first byte chooses the curve. What is taken is DER's one form
 * of it, so numbers of the same value make the same bytes again. */
#include "fuzz.h"

#include "crypto/ecdsa.h"

/* As DER writes a number of width bytes: without leading zeros, with one where the top bit is set. */
static size_t put_number(const uint8_t *number, size_t width, uint8_t *to)
{
    size_t skip = 0;

    while (skip < width - 1 && number[skip] == 0) {
        skip++;
    }
    size_t sign = number[skip] >> 7;
    size_t len = width - skip;
    to[0] = 0x02;
    to[1] = (uint8_t)(len + sign);
    to[2] = 0;
    for (size_t i = 0; i < len; i++) {
        to[2 + sign + i] = number[skip + i];
    }
    return 2 + sign + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_clear) struct buf signature = BUF(96);
    uint8_t again[2 * (2 + 1 + 48)];

    if (size == 0) {
        return 0;
    }
    const struct alg *alg = alg_by_id(data[0] % 2 == 0 ? KEYSTAY_ALG_ES256 : KEYSTAY_ALG_ES384);
    const struct slice der = { data + 1, size - 1 };
    const size_t half = alg->ec_bits / 8;
    if (ecdsa_to_jose(alg, der, &signature, NULL) != KEYSTAY_OK) {
        MUST(signature.len == 0);
        return 0;
    }
    MUST(signature.len == 2 * half);
    size_t len = put_number(signature.data, half, again);
    len += put_number(signature.data + half, half, again + len);
    MUST(len < 128 && der.len == len + 2 && der.data[0] == 0x30 && der.data[1] == len);
    MUST(slice_equal((struct slice){ der.data + 2, len }, (struct slice){ again, len }));
    return 0;
}
