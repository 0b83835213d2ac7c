/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_PROMPT_H
#define CRYPTO_PROMPT_H

#include "base/secret.h"

/* Whether this process has a terminal to ask on: /dev/tty, whatever stdin and stdout are. */
bool prompt_has_terminal(void);

/*
 * Asks for a secret of at most len_max bytes on the terminal, without echo. It never reads stdin instead.
 * KEYSTAY_E_PIN_SOURCE without a terminal, KEYSTAY_E_INTERRUPTED on Ctrl-C.
 */
enum keystay_status prompt_secret(
    const char *question, size_t len_max, struct secret *ret_secret, struct keystay_error *err);

#endif
