/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/rv.h"

#include <stdio.h>

#include "base/error.h"

struct rv_row {
    CK_RV rv;
    const char *name;
    enum keystay_status status; /* 0: KEYSTAY_E_MODULE */
    const char *hint;
};

#define ROW(rv, status, hint) \
    {                         \
        rv, #rv, status, hint \
    }

static const char hint_gone[] =
    "is the token plugged in, the reader service (pcscd) running, the HSM reachable?";
static const char hint_general[] =
    "is the token plugged in, its service running, the HSM reachable? SoftHSM: check SOFTHSM2_CONF and its permissions";
static const char hint_failed[] =
    "is the token plugged in, its service running (pcscd, pkcsslotd), the HSM reachable, and may you use it?";
static const char hint_session[] = "another program may have reset the token: run the command again";
static const char hint_key[] = "the key may not be meant for signing; choose another one with --key";
static const char hint_vendor[] =
    "the module's own log may say more; SoftHSM: check SOFTHSM2_CONF and its permissions";

/* Values that p11-kit's header does not know yet are written out. */
static const struct rv_row rows[] = {
    ROW(CKR_CANCEL, 0, "it was cancelled at the token or its PIN pad"),
    ROW(CKR_HOST_MEMORY, 0,
        "is the module's own service running, and may you use it (openCryptoki: pkcsslotd, group pkcs11)?"),
    ROW(CKR_SLOT_ID_INVALID, 0, hint_gone),
    ROW(CKR_GENERAL_ERROR, 0, hint_general),
    ROW(CKR_FUNCTION_FAILED, 0, hint_failed),
    ROW(CKR_ARGUMENTS_BAD, 0, "does the module want an argument string (NSS does: --module-args)?"),
    ROW(CKR_NO_EVENT, 0, NULL),
    ROW(CKR_NEED_TO_CREATE_THREADS, 0, NULL),
    ROW(CKR_CANT_LOCK, 0, NULL),
    ROW(CKR_ATTRIBUTE_READ_ONLY, 0, NULL),
    ROW(CKR_ATTRIBUTE_SENSITIVE, 0, NULL),
    ROW(CKR_ATTRIBUTE_TYPE_INVALID, 0, NULL),
    ROW(CKR_ATTRIBUTE_VALUE_INVALID, 0, NULL),
    { 0x1B, "CKR_ACTION_PROHIBITED", 0, "the token forbids this for the key" },
    ROW(CKR_DATA_INVALID, 0, NULL),
    ROW(CKR_DATA_LEN_RANGE, 0, NULL),
    ROW(CKR_DEVICE_ERROR, 0, hint_gone),
    ROW(CKR_DEVICE_MEMORY, 0, "the token has no room left"),
    ROW(CKR_DEVICE_REMOVED, 0, hint_gone),
    ROW(CKR_ENCRYPTED_DATA_INVALID, 0, NULL),
    ROW(CKR_ENCRYPTED_DATA_LEN_RANGE, 0, NULL),
    ROW(CKR_FUNCTION_CANCELED, 0, "it was cancelled at the token or its PIN pad"),
    ROW(CKR_FUNCTION_NOT_PARALLEL, 0, NULL),
    ROW(CKR_FUNCTION_NOT_SUPPORTED, 0, "the module is too small for this task"),
    ROW(CKR_KEY_HANDLE_INVALID, 0, hint_session),
    ROW(CKR_KEY_SIZE_RANGE, 0, hint_key),
    ROW(CKR_KEY_TYPE_INCONSISTENT, 0, hint_key),
    ROW(CKR_KEY_NOT_NEEDED, 0, NULL),
    ROW(CKR_KEY_CHANGED, 0, NULL),
    ROW(CKR_KEY_NEEDED, 0, NULL),
    ROW(CKR_KEY_INDIGESTIBLE, 0, NULL),
    ROW(CKR_KEY_FUNCTION_NOT_PERMITTED, 0, hint_key),
    ROW(CKR_KEY_NOT_WRAPPABLE, 0, NULL),
    ROW(CKR_KEY_UNEXTRACTABLE, 0, NULL),
    ROW(CKR_MECHANISM_INVALID, KEYSTAY_E_ALGORITHM, "try another --alg; RS256 is what most tokens can do"),
    ROW(CKR_MECHANISM_PARAM_INVALID, KEYSTAY_E_ALGORITHM, "try --alg RS256"),
    ROW(CKR_OBJECT_HANDLE_INVALID, 0, hint_session),
    ROW(CKR_OPERATION_ACTIVE, 0, hint_session),
    ROW(CKR_OPERATION_NOT_INITIALIZED, 0, hint_session),
    ROW(CKR_PIN_INCORRECT, KEYSTAY_E_PIN_INCORRECT,
        "check the PIN where it comes from before the next try: tokens lock after a few"),
    ROW(CKR_PIN_INVALID, KEYSTAY_E_PIN_INCORRECT, "the PIN has characters that the token does not take"),
    ROW(CKR_PIN_LEN_RANGE, KEYSTAY_E_PIN_INCORRECT, "the PIN is too short or too long for the token"),
    ROW(CKR_PIN_EXPIRED, KEYSTAY_E_PIN_EXPIRED, "set a new PIN with the vendor's tool"),
    ROW(CKR_PIN_LOCKED, KEYSTAY_E_PIN_LOCKED,
        "unlock it with its PUK or SO PIN, with the vendor's tool; a TPM unlocks itself after a while"),
    ROW(CKR_SESSION_CLOSED, 0, hint_session),
    ROW(CKR_SESSION_COUNT, 0, "other programs hold all of the token's sessions"),
    ROW(CKR_SESSION_HANDLE_INVALID, 0, hint_session),
    ROW(CKR_SESSION_PARALLEL_NOT_SUPPORTED, 0, NULL),
    ROW(CKR_SESSION_READ_ONLY, 0, NULL),
    ROW(CKR_SESSION_EXISTS, 0, NULL),
    ROW(CKR_SESSION_READ_ONLY_EXISTS, 0, NULL),
    ROW(CKR_SESSION_READ_WRITE_SO_EXISTS, 0, "the token's security officer is logged in: end that first"),
    ROW(CKR_SIGNATURE_INVALID, 0, NULL),
    ROW(CKR_SIGNATURE_LEN_RANGE, 0, NULL),
    ROW(CKR_TEMPLATE_INCOMPLETE, 0, NULL),
    ROW(CKR_TEMPLATE_INCONSISTENT, 0, NULL),
    ROW(CKR_TOKEN_NOT_PRESENT, 0, hint_gone),
    ROW(CKR_TOKEN_NOT_RECOGNIZED, 0, "the module does not know this card; is it the right --module?"),
    ROW(CKR_TOKEN_WRITE_PROTECTED, 0, NULL),
    ROW(CKR_UNWRAPPING_KEY_HANDLE_INVALID, 0, NULL),
    ROW(CKR_UNWRAPPING_KEY_SIZE_RANGE, 0, NULL),
    ROW(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, 0, NULL),
    ROW(CKR_USER_ALREADY_LOGGED_IN, 0, NULL),
    ROW(CKR_USER_NOT_LOGGED_IN, 0, "another program may have logged the token out, or the key wants a touch"),
    ROW(CKR_USER_PIN_NOT_INITIALIZED, KEYSTAY_E_PIN_REFUSED,
        "set the user PIN first, with the vendor's tool"),
    ROW(CKR_USER_TYPE_INVALID, 0, NULL),
    ROW(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, 0, "the token's security officer is logged in: end that first"),
    ROW(CKR_USER_TOO_MANY_TYPES, 0, NULL),
    ROW(CKR_WRAPPED_KEY_INVALID, 0, NULL),
    ROW(CKR_WRAPPED_KEY_LEN_RANGE, 0, NULL),
    ROW(CKR_WRAPPING_KEY_HANDLE_INVALID, 0, NULL),
    ROW(CKR_WRAPPING_KEY_SIZE_RANGE, 0, NULL),
    ROW(CKR_WRAPPING_KEY_TYPE_INCONSISTENT, 0, NULL),
    ROW(CKR_RANDOM_SEED_NOT_SUPPORTED, 0, NULL),
    ROW(CKR_RANDOM_NO_RNG, 0, NULL),
    ROW(CKR_DOMAIN_PARAMS_INVALID, 0, NULL),
    { 0x140, "CKR_CURVE_NOT_SUPPORTED", 0, NULL },
    ROW(CKR_BUFFER_TOO_SMALL, 0, NULL),
    ROW(CKR_SAVED_STATE_INVALID, 0, NULL),
    ROW(CKR_INFORMATION_SENSITIVE, 0, NULL),
    ROW(CKR_STATE_UNSAVEABLE, 0, NULL),
    ROW(CKR_CRYPTOKI_NOT_INITIALIZED, 0, NULL),
    ROW(CKR_CRYPTOKI_ALREADY_INITIALIZED, 0, NULL),
    ROW(CKR_MUTEX_BAD, 0, NULL),
    ROW(CKR_MUTEX_NOT_LOCKED, 0, NULL),
    { 0x1B0, "CKR_NEW_PIN_MODE", KEYSTAY_E_PIN_EXPIRED, "set a new PIN with the vendor's tool" },
    { 0x1B1, "CKR_NEXT_OTP", 0, NULL },
    { 0x1B5, "CKR_EXCEEDED_MAX_ITERATIONS", 0, NULL },
    { 0x1B6, "CKR_FIPS_SELF_TEST_FAILED", 0, "the token failed its own test: it must be looked at" },
    { 0x1B7, "CKR_LIBRARY_LOAD_FAILED", 0, "the module misses a library or a service of its own" },
    { 0x1B8, "CKR_PIN_TOO_WEAK", KEYSTAY_E_PIN_INCORRECT, NULL },
    { 0x1B9, "CKR_PUBLIC_KEY_INVALID", 0, NULL },
    ROW(CKR_FUNCTION_REJECTED, 0, "the token's owner or a policy refused it"),
    { 0x201, "CKR_TOKEN_RESOURCE_EXCEEDED", 0, "the token has no room or no time left" },
    { 0x202, "CKR_OPERATION_CANCEL_FAILED", 0, NULL },
    { 0x203, "CKR_KEY_EXHAUSTED", 0, "the key has made all the signatures that it may make" },
};

static const struct rv_row *find(CK_RV rv)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].rv == rv) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *rv_name(CK_RV rv)
{
    const struct rv_row *row = find(rv);

    return row == NULL ? NULL : row->name;
}

enum keystay_status rv_error(CK_RV rv, const char *call, const char *where, struct keystay_error *err)
{
    const struct rv_row *row = find(rv);
    enum keystay_status status = row == NULL || row->status == KEYSTAY_OK ? KEYSTAY_E_MODULE : row->status;
    const char *name =
        row != NULL ? row->name : (rv & CKR_VENDOR_DEFINED ? "a code of the vendor's own" : "unknown code");

    (void)err_set_hint(
        err, status, row == NULL || row->hint == NULL ? hint_vendor : row->hint, "%s failed: %s (0x%lX)",
        call, name, rv);
    if (where != NULL) {
        (void)err_prefix(err, status, "%s", where);
    }
    if (err != NULL) {
        err->ck_rv = rv;
    }
    return status;
}
