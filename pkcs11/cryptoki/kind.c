/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/kind.h"

#include "base/str.h"

#define CURVE(bytes)                                \
    {                                               \
        (const uint8_t *)(bytes), sizeof(bytes) - 1 \
    }

static const struct provision_kind kinds[] = {
    { "rsa:2048", "RSA of 2048 bits", CKK_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, 2048, { 0 } },
    { "rsa:3072", "RSA of 3072 bits", CKK_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, 3072, { 0 } },
    { "rsa:4096", "RSA of 4096 bits", CKK_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, 4096, { 0 } },
    { "ec:P-256", "EC on P-256", CKK_EC, CKM_EC_KEY_PAIR_GEN, 256,
      CURVE("\x06\x08\x2A\x86\x48\xCE\x3D\x03\x01\x07") },
    { "ec:P-384", "EC on P-384", CKK_EC, CKM_EC_KEY_PAIR_GEN, 384, CURVE("\x06\x05\x2B\x81\x04\x00\x22") },
};

const struct provision_kind *provision_kind_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_equal(kinds[i].name, name)) {
            return &kinds[i];
        }
    }
    return NULL;
}

const struct provision_kind *provision_kind_of(const struct public_key *key)
{
    const CK_KEY_TYPE type = public_key_type(key) == PUBLIC_KEY_RSA ? CKK_RSA : CKK_EC;

    for (size_t i = 0; i < ARRAY_LEN(kinds) && public_key_type(key) != PUBLIC_KEY_OTHER; i++) {
        if (kinds[i].type == type && kinds[i].bits == public_key_bits(key)) {
            return &kinds[i];
        }
    }
    return NULL;
}
