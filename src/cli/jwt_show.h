/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_JWT_SHOW_H
#define CLI_JWT_SHOW_H

/*
 * A token for people (text) and programs (JSON): what each part is, times in words, and what is easily taken
 * wrong. Never its signature: what is shown cannot be used as the token.
 */

#include "jose/decode.h"

/* Appends lines of text, or one line of JSON. */
enum keystay_status jwt_show_text(
    const struct jws *jws, const struct json *claims, int64_t now_s, struct buf *to,
    struct keystay_error *err);
enum keystay_status jwt_show_json(
    const struct jws *jws, const struct json *claims, int64_t now_s, struct buf *to,
    struct keystay_error *err);

#endif
