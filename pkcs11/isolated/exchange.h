/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_ISOLATED_EXCHANGE_H
#define PKCS11_ISOLATED_EXCHANGE_H

/* One request to a signer process, and what comes of it. */

#include "base/secret.h"
#include "keystay/pkcs11.h"
#include "pkcs11/isolated/host.h"
#include "pkcs11/isolated/message.h"
#include "pkcs11/isolated/process.h"
#include "pkcs11/pin_source.h"

/* Who is asked and told while an exchange lasts, in the thread that waits. Borrowed. */
struct exchange_party {
    /* For the PIN; how long it takes does not count. */
    enum keystay_status (*ask)(
        void *context, const struct pin_question *question, struct secret *ret_pin,
        struct keystay_error *err);
    void *context;
    const struct keystay_log *log;
    const struct keystay_call_watch *watch;
    const char *module;  /* for messages */
    int64_t timeout_ms;  /* for messages */
    int64_t question_ms; /* for a person or a program to give the PIN */
    int64_t patience_ms; /* how much longer C_Sign may last: a person may have to touch the key; 0: nobody is
                            there */
};

enum exchange_end {
    EXCHANGE_ANSWERED,
    EXCHANGE_LATE, /* the process was ended */
    EXCHANGE_GONE, /* it has ended by itself: another one may do better */
};

struct exchange {
    enum frame_type type;
    struct slice body;
    int64_t deadline_ms;             /* clock_monotonic_ms; later when a person was asked */
    enum exchange_end end;           /* how it went */
    bool was_pin_sent;               /* a PIN was given away */
    bool was_patient;                /* it has got the time for a person */
    struct frame *answer;            /* owned by the caller; NULL unless the status is KEYSTAY_OK */
    char call[MESSAGE_CALL_MAX + 1]; /* the last call into the module that was heard of */
};

/* FRAME_FAILED is given back as the error that it holds. */
enum keystay_status exchange_run(
    struct exchange *exchange, struct host *host, struct process *process, const struct exchange_party *party,
    struct keystay_error *err);

#endif
