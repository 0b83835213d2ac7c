/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_CHAIN_FAMILY_H
#define UNIT_CHAIN_FAMILY_H

/* Keys, and CAs that tests have in common. */

#include "chain.h"

/* Whose is whose; the numbers are only names. WEAK is RSA of 1024 bits, the others are on P-256. */
enum { ROOT, MIDDLE, DEVICE, SLOT, STRANGER, WEAK, N_KEYS };
extern EVP_PKEY *keys[N_KEYS];

extern const struct chain_spec a_root, a_middle;

/* Owned. The certificate of key, by issuer_key. */
struct certificate *signed_by(struct chain_spec spec, int key, int issuer_key);

/* Group fixtures of cmocka. */
int make_keys(void **state);
int free_keys(void **state);

#endif
