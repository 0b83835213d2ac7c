/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_LIBP11_LIBP11_H
#define PKCS11_LIBP11_LIBP11_H

/*
 * The engine that signs with libp11 (0.4.12 and newer). It is complete behind the same operations, and has no
 * rules of its own for tokens, keys, PINs and errors. Only a process of its own, which somebody else watches,
 * should run it; and that process has no other signer on the module, and does not fork after it was opened.
 *
 * What libp11 0.4.12 cannot do, and what a user of this engine gets instead:
 *
 *   - It hangs for ever when C_OpenSession fails: the token went between two calls, or has no more sessions.
 *     Nobody asks it for more sessions than the token has; the rest is for the watching process. 0.4.13 opens
 *     one in the place of a dead one before it signs, and so hangs when a far side was replaced, too.
 *   - One key of a type that it does not know (Ed25519) makes it show none: KEYSTAY_E_KEY_REFUSED at open;
 *     not from 0.4.13 on, which looks for the one key that is wanted.
 *   - It shows the lower 23 bits of a module's answer. A vendor's code 0x800000A0 is CKR_PIN_INCORRECT here,
 *     and the PIN that was sent is remembered as refused.
 *   - It sends no mechanism that hashes on the token: a token that has only those is KEYSTAY_E_ALGORITHM.
 *   - It asks seven times for each private key on the token, before the first signature and after a recovery;
 *     0.4.13 of the one alone.
 *   - It takes 4 to 32 bytes as the PIN of a key that wants it for each signature: KEYSTAY_E_PIN_REFUSED.
 *   - It keeps the PIN in clear, in memory that is not locked, while it is logged in.
 *   - It cannot tell whether a login still holds: keystay_signer_check tells that the token is there and the
 *     session lives.
 *   - It opens 16 sessions at most.
 */

#include "pkcs11/engine.h"

extern const struct p11_engine libp11_engine;

#endif
