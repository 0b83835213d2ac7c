/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGNERD_SIGNERS_H
#define SIGNERD_SIGNERS_H

/* The signers that are open, by the number that the program calls them. */

#include "signer/signer.h"

enum { SIGNERS_MAX = 256 };

/* Takes the signer. KEYSTAY_E_CONFIG when there are too many. */
enum keystay_status signers_add(
    struct keystay_signer *signer, uint32_t *ret_number, struct keystay_error *err);

/* Borrowed until signers_release; NULL: there is none of that number, or it is being closed. */
struct keystay_signer *signers_use(uint32_t number);
void signers_release(uint32_t number);

/* Closes it when nobody uses it any more. */
void signers_close(uint32_t number);

#endif
