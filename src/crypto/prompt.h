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

/*
 * Asks on the terminal whether to go on; only the word "yes" is a yes. KEYSTAY_E_USAGE without a terminal,
 * KEYSTAY_E_INTERRUPTED for any other answer and for Ctrl-C.
 */
enum keystay_status prompt_confirm(const char *question, struct keystay_error *err);

#endif
