/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_PINENTRY_H
#define PKCS11_PINENTRY_H

#include "base/secret.h"

/*
 * Asks a person through pinentry (the program of that name on PATH, as GnuPG has it), which knows windows and
 * terminals. KEYSTAY_E_PIN_SOURCE when it cannot be had, KEYSTAY_E_INTERRUPTED when the person cancels.
 */
enum keystay_status pinentry_ask(
    const char *description, size_t len_max, int64_t timeout_ms, struct secret *ret_pin,
    struct keystay_error *err);

#endif
