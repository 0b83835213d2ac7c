/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

#include <stdio.h>

#include "base/str.h"
#include "pkcs11/cryptoki/recovery.h"
#include "pkcs11/rv.h"

static const struct {
    CK_RV rv;
    enum keystay_status status;
} statuses[] = {
    { 0xA0, KEYSTAY_E_PIN_INCORRECT },  { 0xA1, KEYSTAY_E_PIN_INCORRECT }, { 0xA2, KEYSTAY_E_PIN_INCORRECT },
    { 0x1B8, KEYSTAY_E_PIN_INCORRECT }, { 0xA3, KEYSTAY_E_PIN_EXPIRED },   { 0x1B0, KEYSTAY_E_PIN_EXPIRED },
    { 0xA4, KEYSTAY_E_PIN_LOCKED },     { 0x102, KEYSTAY_E_PIN_REFUSED },  { 0x70, KEYSTAY_E_ALGORITHM },
    { 0x71, KEYSTAY_E_ALGORITHM },
};

bool judge_is_wrong_pin(CK_RV rv)
{
    return rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE;
}

enum keystay_status judge_status(CK_RV rv)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        if (statuses[i].rv == rv) {
            return statuses[i].status;
        }
    }
    return KEYSTAY_E_MODULE;
}

bool judge_is_ignored(enum scripted_call call)
{
    return call == CALL_FINALIZE || call == CALL_CLOSE_SESSION || call == CALL_CLOSE_ALL_SESSIONS ||
           call == CALL_LOOK_AT_SLOTS || call == CALL_GET_SESSION_INFO;
}

/* Another way than the one that was tried first. */
static const struct {
    enum scripted_call call;
    CK_RV rvs[5]; /* up to the first 0 */
} other_ways[] = {
    { CALL_INITIALIZE, { CKR_CANT_LOCK } }, /* without locks */
    { CALL_GET_ATTRIBUTES,                  /* each alone */
      { CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID, CKR_BUFFER_TOO_SMALL } },
    { CALL_SIGN_INIT, /* the next mechanism */
      { CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID, CKR_KEY_TYPE_INCONSISTENT,
        CKR_FUNCTION_NOT_SUPPORTED } },
    { CALL_SIGN_INIT, { CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED } }, /* alone */
    { CALL_SIGN, { CKR_OPERATION_NOT_INITIALIZED } },
    { CALL_LOGIN_CONTEXT, { CKR_USER_ALREADY_LOGGED_IN } }, /* that it is not shows, and is recovered from */
};

/* What is recovered from once the token is chosen and logged in to. */
static bool is_work(enum scripted_call call)
{
    return call == CALL_FIND_INIT || call == CALL_FIND || call == CALL_FIND_FINAL ||
           call == CALL_GET_ATTRIBUTES || call == CALL_GET_MECHANISM_LIST || call == CALL_SIGN_INIT ||
           call == CALL_LOGIN_CONTEXT || call == CALL_SIGN;
}

static bool is_among(CK_RV rv, const CK_RV rvs[5])
{
    for (size_t i = 0; i < 5 && rvs[i] != CKR_OK; i++) {
        if (rvs[i] == rv) {
            return true;
        }
    }
    return false;
}

/* What an open begins with; where a pause may help, it is done once more. */
static bool is_look(enum scripted_call call)
{
    return call == CALL_GET_INFO || call == CALL_GET_SLOT_LIST || call == CALL_GET_SLOT_INFO;
}

bool judge_is_survived(enum scripted_call call, CK_RV rv)
{
    for (size_t i = 0; i < ARRAY_LEN(other_ways); i++) {
        if (other_ways[i].call == call && is_among(rv, other_ways[i].rvs)) {
            return true;
        }
    }
    /* A token that cannot be looked at is looked at once more. */
    return judge_is_ignored(call) || call == CALL_GET_TOKEN_INFO ||
           (is_look(call) && recovery_wants_pause(rv)) ||
           (is_work(call) && recovery_first_rung(rv, 0) != RECOVERY_NONE);
}

/* The error says that this call failed with this code. */
static bool tells(const struct keystay_error *error, const struct scripted_failure *failure)
{
    const char *name = rv_name(failure->rv);
    char text[160];

    (void)snprintf(
        text, sizeof(text), "%s%s failed: %s (0x%lX)", scripted_name(failure->call),
        failure->call == CALL_LOGIN_CONTEXT ? " (context specific)" : "",
        name != NULL                         ? name
        : (failure->rv & CKR_VENDOR_DEFINED) ? "a code of the vendor's own"
                                             : "unknown code",
        failure->rv);
    return error->ck_rv == failure->rv && error->status == judge_status(failure->rv) &&
           strstr(error->message, text) != NULL;
}

/* What a code leads to where it does not end the matter by itself. */
static const struct {
    enum scripted_call call;
    bool is_scripted; /* only then: the token itself gives this answer without anything being wrong */
    CK_RV rvs[5];     /* up to the first 0 */
    enum keystay_status status;
    const char *text;
} consequences[] = {
    /* a token that is not there, or that the module does not know */
    { CALL_GET_TOKEN_INFO,
      false,
      { CKR_TOKEN_NOT_PRESENT, CKR_TOKEN_NOT_RECOGNIZED, CKR_DEVICE_REMOVED, CKR_SLOT_ID_INVALID },
      KEYSTAY_E_TOKEN_NOT_FOUND,
      "no initialised token" },
    /* attributes that it does not tell */
    { CALL_GET_ATTRIBUTES,
      true,
      { CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID, CKR_BUFFER_TOO_SMALL },
      KEYSTAY_E_KEY_REFUSED,
      "does not say whether" },
    { CALL_GET_ATTRIBUTES,
      true,
      { CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID, CKR_BUFFER_TOO_SMALL },
      KEYSTAY_E_CERTIFICATE,
      "no certificate" },
};

bool judge_is_believed_login(const struct scripted_fault *fault)
{
    return fault->call == CALL_LOGIN && fault->rv == CKR_USER_ALREADY_LOGGED_IN;
}

static bool is_answered_so(enum scripted_call call, bool is_scripted, const CK_RV rvs[5])
{
    for (size_t i = 0; i < scripted.n_failures; i++) {
        const struct scripted_failure *failure = &scripted.failures[i];

        if (failure->call == call && is_among(failure->rv, rvs) && (failure->is_scripted || !is_scripted)) {
            return true;
        }
    }
    return false;
}

bool judge_is_fewer_seen(void)
{
    return judge_is_believed_login(&scripted.fault) ||
           is_answered_so(consequences[0].call, consequences[0].is_scripted, consequences[0].rvs);
}

static bool is_explained(const struct keystay_error *error)
{
    for (size_t i = 0; i < scripted.n_failures; i++) {
        if (tells(error, &scripted.failures[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(consequences); i++) {
        if (error->status == consequences[i].status && strstr(error->message, consequences[i].text) != NULL &&
            is_answered_so(consequences[i].call, consequences[i].is_scripted, consequences[i].rvs)) {
            return true;
        }
    }
    if (judge_is_believed_login(&scripted.fault)) {
        return strstr(error->message, "holds no private key") != NULL ||
               strstr(error->message, "was there before") != NULL || error->ck_rv == CKR_USER_NOT_LOGGED_IN;
    }
    if (!scripted.is_present && error->status == KEYSTAY_E_TOKEN_NOT_FOUND) {
        return strstr(error->message, "no initialised token") != NULL;
    }
    return scripted.has_refused && error->status == KEYSTAY_E_PIN_REFUSED &&
           strstr(error->message, "this PIN was refused before; it was not sent again") != NULL;
}

void judge_error(const struct world *world, enum keystay_status status, const struct keystay_error *error)
{
    if (error->status != status) {
        complain(
            world, "answers %s, the error says %s", keystay_status_name(status),
            keystay_status_name(error->status));
    }
    if (error->message[0] == '\0' || error->hint[0] == '\0') {
        complain(world, "no message or no hint: '%s' '%s'", error->message, error->hint);
    }
    if (!world->scene->is_liar && !is_explained(error)) {
        complain(
            world, "%s, 0x%lX: not what the module answered: %s", keystay_status_name(error->status),
            error->ck_rv, error->message);
    }
}
