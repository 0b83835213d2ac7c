/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_ISOLATED_MESSAGE_H
#define PKCS11_ISOLATED_MESSAGE_H

/*
 * The bodies of the frames. For each one function that writes it and one that reads it, side by side in one
 * file; what is read is checked as if a stranger had sent it, on both ends. docs/PROTOCOL.signer is the
 * specification.
 */

#include "crypto/alg.h"
#include "crypto/certificate.h"
#include "jose/assertion.h"
#include "keystay/pkcs11.h"
#include "pkcs11/isolated/codec.h"
#include "pkcs11/isolated/frame.h"
#include "pkcs11/pin_source.h"

enum {
    MESSAGE_VERSION = 2,
    MESSAGE_PATH_MAX = 4096,             /* bytes of a path, of the module's arguments, of a URI */
    MESSAGE_FILES_MAX = 16,              /* certificates, files of attestation CAs */
    MESSAGE_CERTIFICATE_MAX = 16 * 1024, /* bytes of DER */
    MESSAGE_NAME_MAX = 512,              /* bytes of any name that a token gives, and of a question */
    MESSAGE_SIGNATURE_MAX = 2048,
    MESSAGE_LOG_MAX = 4096,
};

/* FRAME_HELLO. Both ends are halves of one program: another version is refused before anything is said. */
void hello_encode(struct buf *to);
enum keystay_status hello_decode(struct slice body, struct keystay_error *err);

/*
 * FRAME_OPEN: what was configured, less where the PIN comes from: the other end asks for it when it needs it,
 * and is told only what the PIN rule wants to know of the source.
 */
struct open_message {
    struct keystay_pkcs11_config config; /* pin_source, log and watch unused */
    bool is_pin_configured;
    bool uses_pad;      /* PIN_SOURCE_NONE: there is no PIN to ask for */
    bool is_attended;   /* a person answers */
    bool is_repeatable; /* it can be asked again without one */
    bool wants_log;     /* somebody hears the remarks */
};

void open_encode(const struct open_message *message, struct buf *to);

/* The same, read: every text is owned by texts. For CLEANUP. */
struct open_read {
    struct open_message message;
    char *texts[8];
    char *certificates[MESSAGE_FILES_MAX];
    char *attestation_cas[MESSAGE_FILES_MAX];
};
void open_read_clear(struct open_read *read);
enum keystay_status open_decode(struct slice body, struct open_read *ret_read, struct keystay_error *err);

/* FRAME_OPENED: what a signer tells of itself, and the number that it is called by from then on. */
struct opened_message {
    uint32_t signer;
    alg_set algs;
    unsigned int key_bits;
    struct slice certificate; /* DER */
    char module[MESSAGE_PATH_MAX + 1];
    char token_label[MESSAGE_NAME_MAX + 1];
    char token_serial[MESSAGE_NAME_MAX + 1];
    char key_label[MESSAGE_NAME_MAX + 1];
    char key_uri_id[MESSAGE_NAME_MAX + 1];
    char claimed[MESSAGE_NAME_MAX + 1];
    char proven[MESSAGE_NAME_MAX + 1];
    char proof_hint[MESSAGE_NAME_MAX + 1];
    bool is_proven;
};
void opened_encode(uint32_t number, const struct keystay_signer *signer, struct buf *to);
enum keystay_status opened_decode(
    struct slice body, struct opened_message *ret_message, struct keystay_error *err);

/* FRAME_SIGN: the typed fields of an assertion, never its bytes. Texts are owned by texts after reading. */
struct sign_read {
    uint32_t signer;
    struct assertion assertion;
    char *texts[6 + 2 * ASSERTION_EXTRA_MAX];
    size_t n_texts;
};
void sign_encode(uint32_t signer, const struct assertion *assertion, struct buf *to);
void sign_read_clear(struct sign_read *read);
enum keystay_status sign_decode(struct slice body, struct sign_read *ret_read, struct keystay_error *err);

/* FRAME_CHECK, FRAME_LOCK, FRAME_CLOSE: the signer's number alone. */
void number_encode(uint32_t signer, struct buf *to);
enum keystay_status number_decode(struct slice body, uint32_t *ret_signer, struct keystay_error *err);

/* FRAME_SIGNED, FRAME_PIN: the bytes alone, borrowed from the body. */
void bytes_encode(struct slice bytes, struct buf *to);
enum keystay_status bytes_decode(
    struct slice body, size_t max, struct slice *ret_bytes, struct keystay_error *err);

/* FRAME_FAILED, FRAME_NO_PIN: a struct keystay_error, whole. status is never KEYSTAY_OK. */
void error_encode(const struct keystay_error *error, struct buf *to);
enum keystay_status error_decode(
    struct slice body, struct keystay_error *ret_error, struct keystay_error *err);

/* FRAME_ASK_PIN: what the person is told. */
struct ask_message {
    char where[MESSAGE_NAME_MAX + 1];
    char purpose[MESSAGE_NAME_MAX + 1];
    uint32_t tries; /* enum keystay_pin_tries */
};
void ask_encode(const struct pin_question *question, struct buf *to);
enum keystay_status ask_decode(struct slice body, struct ask_message *ret_message, struct keystay_error *err);

/* FRAME_SLOW, FRAME_FATAL: the call into the module that lasts, or that the process ended in; "" for none. */
enum { MESSAGE_CALL_MAX = 64 };
void call_encode(const char *call, struct buf *to);
enum keystay_status call_decode(
    struct slice body, char ret_call[MESSAGE_CALL_MAX + 1], struct keystay_error *err);

/* FRAME_LOG. */
struct log_message {
    enum keystay_log_level level;
    char text[MESSAGE_LOG_MAX + 1];
};
void log_encode(enum keystay_log_level level, const char *text, struct buf *to);
enum keystay_status log_decode(struct slice body, struct log_message *ret_message, struct keystay_error *err);

#endif
