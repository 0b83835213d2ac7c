/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_CURVE_H
#define CRYPTO_CURVE_H

/* Which curve a key is on, where no certificate tells: the parameters that its token gives. */

#include <stdbool.h>

#include "crypto/alg.h"

enum curve_id {
    CURVE_UNKNOWN, /* not told, or in a form that names none */
    CURVE_P256,
    CURVE_P384,
    CURVE_OTHER, /* a named one that no algorithm here goes with */
};

struct curve {
    enum curve_id id;
    unsigned int bits; /* 0: not known */
};

/*
 * From DER of EcpkParameters (RFC 5480 §2.1.1), as in CKA_EC_PARAMS: the object identifier, or the name as a
 * PrintableString (PKCS #11 v3.0 §2.3.3), which some tokens use for the NIST curves too. Explicit parameters
 * name no curve, and one that is nearly P-256 must not pass for it: CURVE_UNKNOWN, as for what is malformed.
 */
struct curve curve_read(struct slice ec_params);

/* The ECDSA algorithms that go with it; for an unknown one those of any curve. */
alg_set curve_algs(const struct curve *curve);

#endif
