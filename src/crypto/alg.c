/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/alg.h"

#include "base/str.h"

static const struct alg algs[] = {
    { KEYSTAY_ALG_RS256, ALG_RSA_PKCS1, "RS256", "SHA256", 32, 0 },
    { KEYSTAY_ALG_RS384, ALG_RSA_PKCS1, "RS384", "SHA384", 48, 0 },
    { KEYSTAY_ALG_RS512, ALG_RSA_PKCS1, "RS512", "SHA512", 64, 0 },
    { KEYSTAY_ALG_PS256, ALG_RSA_PSS, "PS256", "SHA256", 32, 0 },
    { KEYSTAY_ALG_PS384, ALG_RSA_PSS, "PS384", "SHA384", 48, 0 },
    { KEYSTAY_ALG_PS512, ALG_RSA_PSS, "PS512", "SHA512", 64, 0 },
    { KEYSTAY_ALG_ES256, ALG_ECDSA, "ES256", "SHA256", 32, 256 },
    { KEYSTAY_ALG_ES384, ALG_ECDSA, "ES384", "SHA384", 48, 384 },
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
