/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/alg.h"

#include "base/str.h"

static const struct alg algs[] = {
    { KEYSTAY_ALG_RS256, "RS256", ALG_RSA_PKCS1, "SHA256", 32 },
    { KEYSTAY_ALG_PS256, "PS256", ALG_RSA_PSS, "SHA256", 32 },
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
