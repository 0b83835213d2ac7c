/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYSTAY_PKCS11_H
#define KEYSTAY_PKCS11_H

/*
 * Signers whose key is on a PKCS#11 token: an HSM, a smartcard, a TPM.
 *
 *     struct keystay_pkcs11_config config = {
 *         .module = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so",
 *         .key_uri = "pkcs11:token=backup;id=%01",
 *         .pin_source = "file:/run/credentials/backup/pin",
 *         .now_s = time(NULL),
 *     };
 *     struct keystay_signer *signer = NULL;
 *     enum keystay_status status = keystay_pkcs11_open(&config, &signer, &err);
 *
 * Opening one loads the vendor's module into the process, logs in with one try of the PIN, finds the key and
 * its certificate, and refuses a key that the token would hand out. The PIN is wiped before the call returns,
 * unless it came from a source that cannot be asked again: then it stays in locked memory for a later login.
 * SIGPIPE should be ignored: some modules talk over sockets.
 *
 * A module has one owner in a process: while a signer is open, nobody else may finalise its module.
 */

#include "keystay/log.h"
#include "keystay/signer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is known of a PIN's tries before it is asked for, in bits. No module tells how many are left. */
enum keystay_pin_tries {
    KEYSTAY_PIN_WAS_REFUSED = 1, /* the last one that keystay sent to this token */
    KEYSTAY_PIN_COUNT_LOW = 2,   /* CKF_USER_PIN_COUNT_LOW: the token has counted a wrong one */
    KEYSTAY_PIN_FINAL_TRY = 4,   /* CKF_USER_PIN_FINAL_TRY: one more wrong one locks it */
};

/*
 * Told of every call into a vendor's module before and after it, in the thread that makes it: a module can
 * hang, and only the program can decide what then. call is static, such as "C_Sign" or "dlopen".
 */
struct keystay_call_watch {
    void (*enter)(void *context, const char *call);
    void (*leave)(void *context);
    void *context;
    /* Isolated, the calls are the other process's: then this alone is called, once for a call that has lasted
     * half a second, in the thread that waits for it. May be NULL. */
    void (*slow)(void *context, const char *call);
    /* Isolated, likewise: a PIN is about to be asked for, and these are its tries. May be NULL. */
    void (*pin_wanted)(void *context, unsigned int tries);
};

struct keystay_pkcs11_config {
    const char *module;              /* path of the module; NULL: the key URI's module-path */
    const char *module_args;         /* CK_C_INITIALIZE_ARGS.pReserved, as NSS wants it; NULL for none */
    const char *key_uri;             /* RFC 7512; without pin-value */
    const char *const *certificates; /* files (PEM, DER), or one PKCS#11 URI; the key's own is chosen */
    size_t n_certificates;           /* 0: found on the token by the key's public key */
    const char *pin_source;          /* as --pin-source; NULL: the URI's pin-source, else tty */
    const char *login;               /* "auto", "always", "never"; NULL: auto */
    const char *state_dir;           /* where refused PINs are remembered; NULL: as keystay-token(1) says */
    int pin_final_try;               /* not 0: send the PIN even when one more wrong one locks the token */
    int pin_count_low_try;           /* not 0: send an unattended PIN although a wrong one was counted */
    int pin_reuse;                   /* not 0: a key that wants it for each signature gets the login's */
    int allow_extractable;           /* not 0: accept a key that the token would hand out */
    int require_generated;           /* not 0: only a key that the token says was made inside it */
    int require_attested;            /* not 0: only a key of which an attestation proves that */
    const char *const
        *attestation_cas;       /* PEM files: whose attestations are believed, roots and intermediates */
    size_t n_attestation_cas;   /* 0: nobody's, and none is looked for */
    const char *engine;         /* "cryptoki" or "libp11"; NULL: cryptoki */
    int isolate;                /* not 0: the module is loaded by a process of its own */
    const char *signer_program; /* that process; NULL: keystay-signer where it was installed */
    unsigned int timeout_s;     /* for an operation of that process, people apart; 0: 30 */
    unsigned int sessions;      /* most sessions that sign at once; 0: 4 */
    unsigned int interaction_timeout_s;     /* for a person or a program to give the PIN; 0: 60 */
    int64_t now_s;                          /* Unix seconds, to judge the certificate by */
    const struct keystay_log *log;          /* NULL, or valid until the signer is freed */
    const struct keystay_call_watch *watch; /* likewise */
};

/*
 * Opens a signer; everything in config but log and watch is borrowed until the call returns. *ret_signer is
 * owned (keystay_signer_free).
 *
 * A caller may branch on: KEYSTAY_E_PIN_* (never call again with the same PIN: each call may cost a try),
 * KEYSTAY_E_TOKEN_NOT_FOUND (it may be plugged in later), KEYSTAY_E_MODULE (ck_rv).
 */
KEYSTAY_PUBLIC KEYSTAY_MUST_CHECK enum keystay_status keystay_pkcs11_open(
    const struct keystay_pkcs11_config *config, struct keystay_signer **ret_signer,
    struct keystay_error *err);

#ifdef __cplusplus
}
#endif

#endif
