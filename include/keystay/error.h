/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYSTAY_ERROR_H
#define KEYSTAY_ERROR_H

/*
 * What a keystay function answers.
 *
 * Every fallible function returns an enum keystay_status and takes an optional, caller-owned struct
 * keystay_error as its last argument. Outputs named ret_* are written only when the answer is KEYSTAY_OK.
 *
 *     struct keystay_error err;
 *     if (keystay_client_acquire(client, &token, &err) != KEYSTAY_OK) {
 *         fprintf(stderr, "%s\n", err.message);
 *     }
 *
 * struct keystay_error holds no pointer and needs no clean-up. It never holds a secret: no PIN, assertion or
 * token. Text that came from a token or a server is in it only after control characters were replaced.
 *
 * Thread rule: one struct keystay_error belongs to one call at a time.
 */

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define KEYSTAY_PUBLIC __attribute__((visibility("default")))
#define KEYSTAY_MUST_CHECK __attribute__((warn_unused_result))
#else
#define KEYSTAY_PUBLIC
#define KEYSTAY_MUST_CHECK
#endif

/*
 * The kinds of failure that a caller may branch on. In brackets the exit status that the keystay program
 * makes of it. New kinds are added at the end; a caller treats one that it does not know like
 * KEYSTAY_E_INTERNAL.
 */
enum keystay_status {
    KEYSTAY_OK = 0,
    KEYSTAY_E_USAGE,           /* [2]   the call or the command line is wrong */
    KEYSTAY_E_CONFIG,          /* [3]   a setting is missing, malformed or contradicts another */
    KEYSTAY_E_MODULE_LOAD,     /* [3]   no such module file, or it is not a PKCS#11 module */
    KEYSTAY_E_AMBIGUOUS,       /* [3]   more than one token or key fits; the message lists them */
    KEYSTAY_E_KEY_NOT_FOUND,   /* [3]   the token holds no such private key */
    KEYSTAY_E_KEY_REFUSED,     /* [3]   the key is too small, or the token would hand it out */
    KEYSTAY_E_KEY_MISMATCH,    /* [3]   key and certificate do not belong together */
    KEYSTAY_E_CERTIFICATE,     /* [3]   no certificate, or one that is unreadable, expired or not yet valid */
    KEYSTAY_E_ALGORITHM,       /* [3]   the key or the token cannot do the algorithm asked for */
    KEYSTAY_E_PIN_SOURCE,      /* [3]   the PIN could not be had from where it should come from */
    KEYSTAY_E_TOKEN_NOT_FOUND, /* [4]   no such PKCS#11 token is present */
    KEYSTAY_E_MODULE,          /* [4]   a PKCS#11 call failed; ck_rv says how */
    KEYSTAY_E_MODULE_TIMEOUT,  /* [4]   a PKCS#11 call did not return in time */
    KEYSTAY_E_PIN_INCORRECT,   /* [8]   the token refused the PIN: never try the same one again */
    KEYSTAY_E_PIN_LOCKED,      /* [8]   too many wrong PINs: an administrator must unlock the token */
    KEYSTAY_E_PIN_EXPIRED,     /* [8]   the token wants a new PIN first */
    KEYSTAY_E_PIN_REFUSED,     /* [8]   keystay did not send the PIN, to save the tries that are left */
    KEYSTAY_E_NETWORK,         /* [5]   the server could not be reached */
    KEYSTAY_E_TLS,             /* [5]   the server's certificate is not trusted, or TLS failed */
    KEYSTAY_E_TIMEOUT,         /* [5]   the server did not answer in time */
    KEYSTAY_E_THROTTLED,       /* [5]   HTTP 429, or the server wants to be left alone for longer */
    KEYSTAY_E_SERVER_DOWN,     /* [5]   HTTP 5xx */
    KEYSTAY_E_SERVER_REFUSED,  /* [6]   the server said no; oauth_error says how */
    KEYSTAY_E_SERVER_RESPONSE, /* [6]   the server's answer makes no sense */
    KEYSTAY_E_SERVER_TOKEN_TYPE, /* [6]   the server issued a token of a type that is not understood */
    KEYSTAY_E_OUTPUT,            /* [70]  what was asked for could not be written */
    KEYSTAY_E_NO_MEMORY,         /* [70]  out of memory, or a size over its cap */
    KEYSTAY_E_INTERNAL,          /* [70]  a fault of keystay's own, or of a library under it */
    KEYSTAY_E_INTERRUPTED,       /* [130] a person interrupted it */
    KEYSTAY_E_ANSWER_NO,         /* [1]   what was asked was found out, and it is not so */
    KEYSTAY_E_KEY_FILE,          /* [3]   no private key can be read from the file with this password */
    KEYSTAY_E_AGENT,             /* [7]   there is no agent, it is not to be trusted, or it makes no sense */
};

enum {
    KEYSTAY_ERROR_MESSAGE_SIZE = 1024, /* bytes, with the terminating NUL */
    KEYSTAY_ERROR_HINT_SIZE = 512,
    KEYSTAY_ERROR_CODE_SIZE = 64,
    KEYSTAY_ERROR_ID_SIZE = 64,
};

/* Fields that do not apply are 0 or "". All text is valid UTF-8 and NUL-terminated. */
struct keystay_error {
    enum keystay_status status;
    int http_status;                            /* of the server's answer */
    unsigned long ck_rv;                        /* PKCS #11 v3.0 §5.1, the module's own value, unmasked */
    int aadsts;                                 /* Entra's AADSTS number: for people, never for logic */
    char oauth_error[KEYSTAY_ERROR_CODE_SIZE];  /* RFC 6749 §5.2 "error" */
    char trace_id[KEYSTAY_ERROR_ID_SIZE];       /* the server's, to quote in a support request */
    char correlation_id[KEYSTAY_ERROR_ID_SIZE]; /* of the request (client-request-id), likewise */
    char message[KEYSTAY_ERROR_MESSAGE_SIZE];   /* what failed, where; may have several lines */
    char hint[KEYSTAY_ERROR_HINT_SIZE];         /* the fix to try first, or "" */
};

/* The name of a status as `--error-format json` prints it, such as "pin_incorrect". Static. */
KEYSTAY_PUBLIC const char *keystay_status_name(enum keystay_status status);

/* The exit status that the keystay program gives for it (0 to 130; the table in README.md).
 */
KEYSTAY_PUBLIC int keystay_status_exit(enum keystay_status status);

#ifdef __cplusplus
}
#endif

#endif
