/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_PIN_SOURCE_H
#define PKCS11_PIN_SOURCE_H

/* Where a PIN comes from. */

#include "base/log.h"
#include "base/secret.h"
#include "keystay/pkcs11.h"

enum pin_source_kind {
    PIN_SOURCE_FILE,       /* file:PATH */
    PIN_SOURCE_FD,         /* fd:N, read to its end */
    PIN_SOURCE_ENV,        /* env:NAME */
    PIN_SOURCE_CREDENTIAL, /* credential:NAME, below $CREDENTIALS_DIRECTORY (systemd.exec(5)) */
    PIN_SOURCE_EXEC,       /* exec:COMMAND, its stdout; words are split at blanks, there is no shell */
    PIN_SOURCE_PINENTRY,   /* pinentry: a person is asked in a window or on the terminal */
    PIN_SOURCE_TTY,        /* tty: a person is asked on the terminal */
    PIN_SOURCE_NONE,       /* none: a PIN pad asks, or the token wants no PIN */
    PIN_SOURCE_PEER,       /* another process has the source and is asked; no text says it */
};

struct pin_question;

/* The far end that a PIN_SOURCE_PEER asks, and what the PIN rule wants to know of the source there. */
struct pin_peer {
    enum keystay_status (*ask)(
        void *context, const struct pin_question *question, struct secret *ret_pin,
        struct keystay_error *err);
    void *context;
    bool is_attended;
    bool is_repeatable;
};

struct pin_source {
    enum pin_source_kind kind;
    bool is_password;     /* of a key file: for messages */
    const char *argument; /* PATH, NAME or COMMAND, borrowed from the text */
    int fd;
    struct pin_peer peer;
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
 * The same forms for the password of a key file (--password-source), but those that only a token's PIN has:
 * pinentry and none.
 */
enum keystay_status password_source_parse(
    const char *text, struct pin_source *ret_source, struct keystay_error *err);

/* A person answers: at a terminal, a window, a PIN pad. */
bool pin_source_is_attended(const struct pin_source *source);

/* It can be read again for a new login, without a person. */
bool pin_source_is_repeatable(const struct pin_source *source);

/* What a person is told, and the limit for what answers without one. */
struct pin_question {
    const char *where;   /* names the token; of a password, the file */
    const char *purpose; /* "" for the login; else why the PIN is asked once more */
    int64_t timeout_ms;  /* for a command */
    unsigned int tries;  /* enum keystay_pin_tries */
};

enum { PIN_TRIES_ALL = KEYSTAY_PIN_WAS_REFUSED | KEYSTAY_PIN_COUNT_LOW | KEYSTAY_PIN_FINAL_TRY };

/* What a person should know of the tries before the PIN is given: no sentence yet; "" when there is nothing
 * to say. Static. */
const char *pin_tries_words(unsigned int tries);

/* What the source gives, less one trailing line end; otherwise untouched. Not for PIN_SOURCE_NONE. */
enum keystay_status pin_source_get(
    const struct pin_source *source, const struct pin_question *question, const struct keystay_log *log,
    struct secret *ret_pin, struct keystay_error *err);

#endif
