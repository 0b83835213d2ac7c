/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_LATCHES_H
#define UNIT_LATCHES_H

/* Latches of tokens in a folder. */

#include "pkcs11/latch.h"
#include "scratch.h"

CK_TOKEN_INFO latch_token(const char *label, const char *serial);

/* That of the token "backup" with the serial number "0123". */
struct latch latch_opened(const char *dir);
enum latch_state latch_state_in(const char *dir);

/* As when the token has refused this PIN. */
void latch_reject(const char *dir, const char *pin);

void latch_content(const char *path, struct buf *content);

#endif
