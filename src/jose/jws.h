/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOSE_JWS_H
#define JOSE_JWS_H

#include "base/secret.h"
#include "signer/signer.h"

enum { JWS_MAX = 64 * 1024 }; /* bytes of a whole compact serialisation */

/*
 * JWS compact serialisation (RFC 7515 §7.1): signs BASE64URL(header) '.' BASE64URL(payload) and appends the
 * signature. header and payload are the JSON texts that keystay composed, kind says what they are.
 */
enum keystay_status jws_sign(
    struct keystay_signer *signer, enum tbs_kind kind, enum keystay_alg alg, struct slice header,
    struct slice payload, struct secret *ret_jws, struct keystay_error *err);

#endif
