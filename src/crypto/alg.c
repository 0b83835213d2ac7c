/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/alg.h"

#include "base/str.h"

static const struct alg algs[] = {
    { KEYSTAY_ALG_RS256, "RS256", ALG_RSA_PKCS1, "SHA256", 32, 0 },
    { KEYSTAY_ALG_RS384, "RS384", ALG_RSA_PKCS1, "SHA384", 48, 0 },
    { KEYSTAY_ALG_RS512, "RS512", ALG_RSA_PKCS1, "SHA512", 64, 0 },
    { KEYSTAY_ALG_PS256, "PS256", ALG_RSA_PSS, "SHA256", 32, 0 },
    { KEYSTAY_ALG_PS384, "PS384", ALG_RSA_PSS, "SHA384", 48, 0 },
    { KEYSTAY_ALG_PS512, "PS512", ALG_RSA_PSS, "SHA512", 64, 0 },
    { KEYSTAY_ALG_ES256, "ES256", ALG_ECDSA, "SHA256", 32, 256 },
    { KEYSTAY_ALG_ES384, "ES384", ALG_ECDSA, "SHA384", 48, 384 },
};

const struct alg *alg_by_id(enum keystay_alg id)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (algs[i].id == id) {
            return &algs[i];
        }
    }
    return NULL;
}

const struct alg *alg_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (str_equal(algs[i].name, name)) {
            return &algs[i];
        }
    }
    return NULL;
}
