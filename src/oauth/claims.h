/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_CLAIMS_H
#define OAUTH_CLAIMS_H

/*
 * Claims requests (OpenID Connect Core §5.5) as Entra's continuous access evaluation uses them: a resource
 * that refuses a token says which claims a new one must have; the client passes that on to the authorization
 * server, and adds that it understands such challenges ("cp1").
 */

#include "base/buf.h"

enum {
    CLAIMS_MAX = 8 * 1024,        /* bytes of a request */
    CLAIMS_SENT_MAX = 64 * 1024,  /* of what is made of it: a control character becomes six */
    CLAIMS_HEADER_MAX = 16 * 1024 /* of a WWW-Authenticate value */
};

/* Appends the request with xms_cc "cp1" in its access_token member. KEYSTAY_E_CONFIG when text is no JSON
 * object, or one that no server would take. */
enum keystay_status claims_add_capability(
    struct slice text, struct buf *ret_claims, struct keystay_error *err);

/*
 * Appends the claims request that a WWW-Authenticate value holds, decoded. Of several challenges the Bearer
 * one with error="insufficient_claims" counts. The value is read by the letter of RFC 9110 §11.6.1.
 * KEYSTAY_E_CONFIG.
 */
enum keystay_status claims_of_challenge(
    struct slice header, struct buf *ret_claims, struct keystay_error *err);

#endif
