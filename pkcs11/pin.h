/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_PIN_H
#define PKCS11_PIN_H

/*
 * Where a PIN comes from, and whether it may be sent. Both engines ask here; neither has a rule of its own. A
 * PIN is sent once: whoever gets KEYSTAY_E_PIN_* does not try again.
 */

#include <p11-kit/pkcs11.h>

#include "base/log.h"
#include "base/secret.h"

enum pin_source_kind {
    PIN_SOURCE_FILE, /* file:PATH */
    PIN_SOURCE_FD,   /* fd:N, read to its end */
    PIN_SOURCE_ENV,  /* env:NAME */
    PIN_SOURCE_TTY,  /* tty: a person is asked */
};

struct pin_source {
    enum pin_source_kind kind;
    const char *argument; /* PATH or NAME, borrowed from the text */
    int fd;
};

enum { PIN_LEN_MAX = 1024 }; /* bytes; tokens want far less and say so themselves */

/* Reads "file:/run/pin" and the like; borrows text. KEYSTAY_E_CONFIG lists the forms. */
enum keystay_status pin_source_parse(
    const char *text, struct pin_source *ret_source, struct keystay_error *err);

/*
 * The value of a URI's pin-source (RFC 7512 §2.4): a path, or file:PATH. Whatever else it may mean elsewhere
 * is refused.
 */
enum keystay_status pin_source_parse_uri(
    const char *text, struct pin_source *ret_source, struct keystay_error *err);

/*
 * May the user PIN be sent to this token now? KEYSTAY_E_PIN_LOCKED, or KEYSTAY_E_PIN_REFUSED on the last try
 * unless final_try. where names the token in the error.
 */
enum keystay_status pin_check_flags(
    CK_FLAGS flags, bool final_try, const char *where, struct keystay_error *err);

/*
 * Gets the PIN: one trailing line end is stripped, its bytes are otherwise untouched. Refused before it is
 * sent: empty, more than one line, outside the token's own limits.
 */
enum keystay_status pin_read(
    const struct pin_source *source, const CK_TOKEN_INFO *token, const char *where,
    const struct keystay_log *log, struct secret *ret_pin, struct keystay_error *err);

#endif
