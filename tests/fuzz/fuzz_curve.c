/* SPDX-License-Identifier: Apache-2.0 */
/* What a token gives as a key's curve: only what names P-256 or P-384 makes a key fit for their algorithms.
 */
#include "fuzz.h"

#include "crypto/curve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct curve curve = curve_read((struct slice){ data, size });
    const alg_set es256 = ALG_BIT(KEYSTAY_ALG_ES256), es384 = ALG_BIT(KEYSTAY_ALG_ES384);

    switch (curve.id) {
    case CURVE_UNKNOWN:
        MUST(curve.bits == 0 && curve_algs(&curve) == (es256 | es384));
        break;
    case CURVE_P256:
        MUST(curve.bits == 256 && curve_algs(&curve) == es256);
        break;
    case CURVE_P384:
        MUST(curve.bits == 384 && curve_algs(&curve) == es384);
        break;
    case CURVE_OTHER:
        MUST(curve_algs(&curve) == 0);
        break;
    }
    return 0;
}
