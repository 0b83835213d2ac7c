/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_JWT_NOTE_H
#define CLI_JWT_NOTE_H

/* What is easily taken wrong about a token, in sentences. */

#include "jose/decode.h"

enum { JWT_NOTES_MAX = 16 };

/* Those that apply, static; how many. They say what the token claims, genuine or not. */
size_t jwt_notes(
    const struct jws *jws, const struct json *claims, int64_t now_s, const char *ret_notes[JWT_NOTES_MAX]);

/* The time that a member is (RFC 7519 §2, NumericDate), whole seconds; false when it is none. */
bool jwt_time_of(const struct json *member, int64_t *ret_time_s);

#endif
