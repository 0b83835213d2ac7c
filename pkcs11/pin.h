/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_PIN_H
#define PKCS11_PIN_H

/*
 * The PIN rule. Both engines log in through pin_obtain and pin_send; neither has a rule of its own.
 *
 * A PIN is got first (no lock is held while a person is asked); then, under the token's lock, the flags and
 * the latch are read, "trying" is written, the PIN is sent ONCE, and the latch is erased or set. Whoever gets
 * KEYSTAY_E_PIN_* must not try again.
 */

#include <p11-kit/pkcs11.h>

#include "pkcs11/pin_source.h"

enum pin_login_when {
    PIN_LOGIN_AUTO, /* when the token requires it, or a source was configured */
    PIN_LOGIN_ALWAYS,
    PIN_LOGIN_NEVER,
};

struct pin_policy {
    struct pin_source source; /* tty when none was configured */
    bool is_configured;
    enum pin_login_when login;
    bool final_try;        /* send it although one more wrong one locks the token */
    bool count_low_try;    /* send an unattended one although a wrong one was counted */
    bool keep;             /* the PIN of a login is sent once more, by another engine */
    bool reuse;            /* an always-authenticate key gets the PIN of the login again, without asking */
    const char *state_dir; /* of the latch; NULL: the default */
    int64_t timeout_ms;    /* for a person or a program to answer */
};

/* The module's side of a login. pin is NULL when a PIN pad asks. */
struct pin_ops {
    CK_RV (*send)(void *context, const struct secret *pin);
    CK_RV (*read_info)(void *context, CK_TOKEN_INFO *ret_info);
    void *context;
};

struct pin_target {
    const CK_TOKEN_INFO *info; /* as read when the token was chosen */
    const char *where;         /* names it in messages */
    const char *purpose;       /* "" for the login */
    const char *call;          /* "C_Login" */
};

/* Whether the policy wants a login to this token at all. */
bool pin_wants_login(const struct pin_policy *policy, CK_FLAGS flags);

/*
 * Gets the PIN that the policy's source gives and checks its form. Empty when a PIN pad asks. No lock may be
 * held: it may be a person who answers.
 */
enum keystay_status pin_obtain(
    const struct pin_policy *policy, const struct pin_target *target, const struct keystay_log *log,
    struct secret *ret_pin, struct keystay_error *err);

/* Sends it, once. KEYSTAY_E_PIN_* and whatever else the module answers. */
enum keystay_status pin_send(
    const struct pin_policy *policy, const struct pin_target *target, const struct pin_ops *ops,
    const struct secret *pin, const struct keystay_log *log, struct keystay_error *err);

/*
 * Remembers a try that was the module's: one that keeps the PIN of a login may send it again within another
 * call, and pass on that it was refused. Where the token counts it, no program sends the next one.
 */
enum keystay_status pin_note_try(
    const struct pin_policy *policy, const struct pin_target *target, struct keystay_error *err);

/* Whether a PIN must be kept after the login, because the source cannot be asked again or the policy says so.
 */
bool pin_must_keep(const struct pin_policy *policy);

/* The parts of the rule, for their tests. */
enum keystay_status pin_check_flags(
    const struct pin_policy *policy, CK_FLAGS flags, const char *where, struct keystay_error *err);
enum keystay_status pin_check_form(
    const struct secret *pin, const CK_TOKEN_INFO *token, const char *where, struct keystay_error *err);

#endif
