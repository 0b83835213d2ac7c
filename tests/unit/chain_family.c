/* SPDX-License-Identifier: Apache-2.0 */
#include "chain_family.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>

EVP_PKEY *keys[N_KEYS];

const struct chain_spec a_root = { .subject = "Root",
                                   .issuer = "Root",
                                   .basic_constraints = "CA:TRUE,pathlen:1" };
const struct chain_spec a_middle = { .subject = "Middle",
                                     .issuer = "Root",
                                     .basic_constraints = "critical,CA:TRUE,pathlen:1",
                                     .key_usage = "critical,keyCertSign" };

struct certificate *signed_by(struct chain_spec spec, int key, int issuer_key)
{
    spec.key = keys[key];
    spec.issuer_key = keys[issuer_key];
    return chain_certificate(&spec);
}

int make_keys(void **state)
{
    (void)state;
    for (int i = 0; i < N_KEYS; i++) {
        keys[i] = i == WEAK ? EVP_RSA_gen(1024) : EVP_EC_gen("P-256");
        if (keys[i] == NULL) {
            return -1;
        }
    }
    return 0;
}

int free_keys(void **state)
{
    (void)state;
    for (int i = 0; i < N_KEYS; i++) {
        EVP_PKEY_free(keys[i]);
    }
    return 0;
}
