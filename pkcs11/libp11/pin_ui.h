/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_LIBP11_PIN_UI_H
#define PKCS11_LIBP11_PIN_UI_H

/*
 * How libp11 gets the PIN of a key that wants it for each signature (CKA_ALWAYS_AUTHENTICATE): it asks an
 * OpenSSL UI in the middle of a signature. Ours asks nobody. It hands over what the thread has put in its
 * hand, once: libp11 may ask a second time, after the token refused the PIN, and that would cost another try.
 */

#include <openssl/ui.h>
#include <stdbool.h>

#include "base/secret.h"

/* libp11 takes no others: its buffer, and its minimum. Bytes. */
enum { PIN_UI_LEN_MIN = 4, PIN_UI_LEN_MAX = 32 };

/* Static; NULL when memory is out. */
UI_METHOD *pin_ui_method(void);

/* For this thread, until it is given NULL. pin is borrowed. */
void pin_ui_set(const struct secret *pin);

/* Whether it was handed over since. */
bool pin_ui_was_used(void);

#endif
