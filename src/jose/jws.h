/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOSE_JWS_H
#define JOSE_JWS_H

#include "base/secret.h"
#include "signer/signer.h"

enum { JWS_MAX = 64 * 1024 }; /* bytes of a whole compact serialisation */

/*
 * JWS compact serialisation (RFC 7515 §7.1): signs BASE64URL(header) '.' BASE64URL(payload) and appends the
 * signature. header and payload are the JSON texts that keystay composed, kind says what they are, and fields
 * what they were composed from (struct tbs).
 */
enum keystay_status jws_sign(
    struct keystay_signer *signer, enum tbs_kind kind, const void *fields, enum keystay_alg alg,
    struct slice header, struct slice payload, struct secret *ret_jws, struct keystay_error *err);

/* The signing input alone (RFC 7515 §5.1 step 5), for whoever signs in another place than jws_sign. */
enum keystay_status jws_signing_input(
    struct slice header, struct slice payload, struct buf *ret_input, struct keystay_error *err);

#endif
