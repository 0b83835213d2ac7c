/* SPDX-License-Identifier: Apache-2.0 */
/* What libp11 can make of a token's mechanisms; the signatures themselves are tests/pkcs11/backend's. */
#include "unit.h"

#include "pkcs11/libp11/evp_sign.h"

#define BIT(name) ALG_BIT(KEYSTAY_ALG_##name)
#define PKCS1 (BIT(RS256) | BIT(RS384) | BIT(RS512))
#define PSS (BIT(PS256) | BIT(PS384) | BIT(PS512))
#define ECDSA (BIT(ES256) | BIT(ES384))

static const struct {
    const char *name;
    CK_MECHANISM_TYPE types[4];
    alg_set algs;
} rows[] = {
    { "padding by the token", { CKM_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_ECDSA }, PKCS1 | PSS | ECDSA },
    { "PKCS #1 alone", { CKM_RSA_PKCS }, PKCS1 },
    { "PSS alone", { CKM_RSA_PKCS_PSS }, PSS },
    { "raw RSA: OpenSSL pads PSS, and libp11 asks for CKM_RSA_PKCS for the rest", { CKM_RSA_X_509 }, PSS },
    { "curves alone", { CKM_ECDSA }, ECDSA },
    { "hashing on the token", { CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS, CKM_ECDSA_SHA256 }, 0 },
    { "nothing", { CKM_AES_KEY_GEN }, 0 },
};

TEST(an_algorithm_wants_a_mechanism_that_libp11_sends)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mechanism_list list = { .n = ARRAY_LEN(rows[i].types) };

        /* The unused places are CKM_RSA_PKCS_KEY_PAIR_GEN (0), which signs nothing. */
        memcpy(list.types, rows[i].types, sizeof(rows[i].types));
        assert_row(evp_algs(&list) == rows[i].algs, rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_algorithm_wants_a_mechanism_that_libp11_sends),
    };

    return RUN_TESTS(tests);
}
