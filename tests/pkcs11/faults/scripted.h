/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PKCS11_FAULTS_SCRIPTED_H
#define TESTS_PKCS11_FAULTS_SCRIPTED_H

/*
 * A PKCS#11 module with one token and one key, made for being faulty. By itself it behaves as the standard
 * has it: handles, logins and operations are checked as strictly as a real token's, and what it answers then
 * is noted like a fault. It is a shared library, so that the engine loads it as it loads any other; the test
 * links it as well and writes the script into `scripted`.
 */

#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stddef.h>

#define SCRIPTED_PUBLIC __attribute__((visibility("default")))

/* Each call that the engine makes, where what it is for makes a difference. */
enum scripted_call {
    CALL_GET_FUNCTION_LIST,
    CALL_INITIALIZE,
    CALL_FINALIZE,
    CALL_GET_INFO,
    CALL_GET_SLOT_LIST,
    CALL_LOOK_AT_SLOTS, /* C_GetSlotList(NULL) */
    CALL_GET_SLOT_INFO,
    CALL_GET_TOKEN_INFO,
    CALL_GET_MECHANISM_LIST,
    CALL_OPEN_SESSION,
    CALL_CLOSE_SESSION,
    CALL_CLOSE_ALL_SESSIONS,
    CALL_GET_SESSION_INFO,
    CALL_LOGIN,
    CALL_LOGIN_CONTEXT,
    CALL_LOGOUT,
    CALL_FIND_INIT,
    CALL_FIND,
    CALL_FIND_FINAL,
    CALL_GET_ATTRIBUTES,
    CALL_SIGN_INIT,
    CALL_SIGN,
    CALL_N,
};

/* "C_Login": as the standard calls it. */
SCRIPTED_PUBLIC const char *scripted_name(enum scripted_call call);

/* From the first to the last of these calls (counted from 1) nothing is done, and rv answered. first 0: none.
 */
struct scripted_fault {
    enum scripted_call call;
    size_t first, last;
    CK_RV rv;
};

/* What the token answers although it is not so. The number is what it claims. */
enum scripted_lie {
    LIE_NONE,
    LIE_SIGNATURE_LEN,   /* C_Sign: so many bytes */
    LIE_SIGNATURE_BIT,   /* one bit of it is wrong */
    LIE_SIGNATURE_NONE,  /* CKR_OK, and nothing written */
    LIE_SLOTS,           /* C_GetSlotList: so many, whatever there was room for */
    LIE_SLOTS_GROW,      /* as many as there is room for, and one more */
    LIE_FOUND,           /* C_FindObjects: so many */
    LIE_FOUND_TWICE,     /* the same object two times */
    LIE_FOUND_ZERO,      /* object handle 0, for whatever is looked for */
    LIE_ATTRIBUTE_LEN,   /* each attribute claims so many bytes */
    LIE_MECHANISMS,      /* C_GetMechanismList: so many */
    LIE_MECHANISMS_GROW, /* more than there is room for, each time */
    LIE_SESSION_HANDLE,  /* C_OpenSession: this, each time */
    LIE_NO_LIST,         /* C_GetFunctionList: CKR_OK, and NULL */
    LIE_SLOW,            /* C_Sign lets so many milliseconds pass, then answers CKR_USER_NOT_LOGGED_IN */
};

enum { SCRIPTED_FAILURES_MAX = 256, SCRIPTED_SESSIONS_MAX = 512, SCRIPTED_SIGNATURE_MAX = 512 };

/* An answer other than CKR_OK. */
struct scripted_failure {
    enum scripted_call call;
    CK_RV rv;
    bool is_scripted; /* not the token's own */
};

struct scripted {
    /* the token */
    const char *label; /* padded */
    const char *key_label;
    const char *pin;
    CK_FLAGS flags; /* beside CKF_TOKEN_INITIALIZED and CKF_LOGIN_REQUIRED */
    CK_ULONG pin_least, pin_most;
    CK_ULONG sessions_max; /* as CK_TOKEN_INFO has it, and held to */
    bool always_authenticate;
    const unsigned char *certificate, *point; /* borrowed: CKA_VALUE, CKA_EC_POINT */
    size_t certificate_len, point_len;
    /* ECDSA over a digest: r and s after each other; 64 bytes into ret_signature */
    void (*sign)(const unsigned char *input, size_t len, bool is_digest, unsigned char *ret_signature);
    void (*pass_ms)(CK_ULONG ms); /* of LIE_SLOW */
    /* what goes wrong */
    struct scripted_fault fault, also;
    enum scripted_lie lie;
    CK_ULONG claim;
    /* what was seen */
    size_t n_calls[CALL_N];
    struct scripted_failure failures[SCRIPTED_FAILURES_MAX]; /* since the last scripted_forget_failures */
    size_t n_failures;
    size_t n_pins;            /* C_Login with a PIN, of both kinds */
    size_t n_pins_in_vain;    /* after the token had refused the PIN as a wrong one */
    bool has_trouble;         /* with the PIN, since the last scripted_forget_failures */
    size_t n_pins_in_trouble; /* C_Login with a PIN after that */
    bool has_refused;         /* the PIN, as a wrong one */
    CK_RV last_login;         /* what the last of them was answered; CKR_OK when there was none */
    bool has_tried;           /* the PIN by itself, in C_Sign and in vain, since the last of them */
    size_t n_stale;           /* uses of a session or an object that the engine itself had ended */
    const char *stale;        /* where the first of them was */
    const char *announced;    /* set by the watch, NULL between calls */
    size_t n_unannounced;     /* calls that the watch was not told of, or by another name */
    unsigned char signature[SCRIPTED_SIGNATURE_MAX]; /* the last one made */
    size_t signature_len;
    bool is_initialized, is_present;
    size_t n_sessions;
};

extern SCRIPTED_PUBLIC struct scripted scripted;

/* The token as it is when nothing is wrong; certificate, point and sign stay. */
SCRIPTED_PUBLIC void scripted_reset(void);
SCRIPTED_PUBLIC void scripted_forget_failures(void);

/* What C_GetTokenInfo tells when nothing is wrong with it. */
SCRIPTED_PUBLIC void scripted_token_info(CK_TOKEN_INFO *ret_info);

/* What the world does to it. */
enum scripted_loss {
    LOSS_NONE,
    LOSS_SESSIONS, /* another program reset the token: no session, no login */
    LOSS_TOKEN,    /* pulled out and put back: there only after the next look at the slots */
    LOSS_LIBRARY,  /* the module wants to be initialised anew */
};
SCRIPTED_PUBLIC void scripted_lose(enum scripted_loss loss);

/* The list, to be made faulty: a call without a function. */
SCRIPTED_PUBLIC void scripted_remove_function(enum scripted_call call);

SCRIPTED_PUBLIC CK_RV C_GetFunctionList(CK_FUNCTION_LIST **ret_list);

#endif
