/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_CHAIN_H
#define UNIT_CHAIN_H

/* Certificates that sign each other, as a device and its maker make them, and as nobody should. */

#include <openssl/evp.h>

#include "crypto/attestation_chain.h"
#include "unit.h"

enum { CHAIN_EXTENSIONS_MAX = 6, CHAIN_NOW_S = 1700000000 };

struct chain_extension {
    const char *oid;
    struct slice value; /* the content of extnValue, DER or not */
    bool is_critical;
};

struct chain_spec {
    const char *subject, *issuer;      /* common names */
    EVP_PKEY *key, *issuer_key;        /* borrowed */
    const char *basic_constraints;     /* as OpenSSL's configuration has it; NULL: none */
    const char *key_usage;             /* likewise */
    const char *digest;                /* NULL: SHA256 */
    int64_t not_before_s, not_after_s; /* 0: years around CHAIN_NOW_S */
    bool is_spoiled;                   /* a bit of the signature is wrong */
    struct chain_extension extensions[CHAIN_EXTENSIONS_MAX];
};

/* Owned. */
struct certificate *chain_certificate(const struct chain_spec *spec);

/* Appends it in PEM. */
void chain_put_pem(const struct certificate *certificate, struct buf *to);

#endif
