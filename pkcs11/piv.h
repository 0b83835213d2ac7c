/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_PIV_H
#define PKCS11_PIV_H

/*
 * PIV cards (NIST SP 800-73-4), whose keys live in slots that everybody knows by name: 9a, 9c, 9d, 9e, 82
 * to 95. Modules give them a CKA_ID each, and not the same one: from 87 on OpenSC's and Yubico's differ.
 */

#include <p11-kit/pkcs11.h>
#include <stdbool.h>

#include "base/base.h"

/* "9a" in either case; 0 when it is no slot for a key. */
uint8_t piv_slot_read(struct slice text);

bool piv_is_card(const CK_TOKEN_INFO *info);

/* The CKA_ID that the card's module gives to what is in the slot: static; empty when this is no such card, or
 * info is NULL. */
struct slice piv_id_of_slot(const CK_TOKEN_INFO *info, uint8_t slot);

/* The other way round; 0 when there is none. */
uint8_t piv_slot_of_id(const CK_TOKEN_INFO *info, struct slice id);

/*
 * The card makes keys and takes certificates for its management key only, which is not the PIN and which
 * keystay does not ask for. status is what the module's refusal became; when it was that one, the hint
 * becomes advice. info may be NULL.
 */
enum keystay_status piv_advise(
    const CK_TOKEN_INFO *info, CK_RV rv, const char *advice, enum keystay_status status,
    struct keystay_error *err);

#endif
