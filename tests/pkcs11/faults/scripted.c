/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by one thread. Handles are never given twice, so that a stale one is known for what it is: sessions
 * that the engine closed and objects of an initialisation that it ended count as stale; those that a loss
 * took away do not, for the engine cannot know.
 */
#include <stddef.h>
#include <string.h>

#include "scripted_state.h"

enum { OBJECTS_EACH = 16 };

struct scripted scripted;

static struct session sessions[SCRIPTED_SESSIONS_MAX];
static CK_SESSION_HANDLE last_session;
static CK_ULONG n_initialized; /* object handles differ after each */
static bool is_logged_in;

#define CALL(id, function) [id] = { #function, offsetof(CK_FUNCTION_LIST, function) }

static const struct {
    const char *name;
    size_t offset; /* in the list */
} calls[CALL_N] = {
    CALL(CALL_GET_FUNCTION_LIST, C_GetFunctionList),
    CALL(CALL_INITIALIZE, C_Initialize),
    CALL(CALL_FINALIZE, C_Finalize),
    CALL(CALL_GET_INFO, C_GetInfo),
    CALL(CALL_GET_SLOT_LIST, C_GetSlotList),
    CALL(CALL_LOOK_AT_SLOTS, C_GetSlotList),
    CALL(CALL_GET_SLOT_INFO, C_GetSlotInfo),
    CALL(CALL_GET_TOKEN_INFO, C_GetTokenInfo),
    CALL(CALL_GET_MECHANISM_LIST, C_GetMechanismList),
    CALL(CALL_OPEN_SESSION, C_OpenSession),
    CALL(CALL_CLOSE_SESSION, C_CloseSession),
    CALL(CALL_CLOSE_ALL_SESSIONS, C_CloseAllSessions),
    CALL(CALL_GET_SESSION_INFO, C_GetSessionInfo),
    CALL(CALL_LOGIN, C_Login),
    CALL(CALL_LOGIN_CONTEXT, C_Login),
    CALL(CALL_LOGOUT, C_Logout),
    CALL(CALL_FIND_INIT, C_FindObjectsInit),
    CALL(CALL_FIND, C_FindObjects),
    CALL(CALL_FIND_FINAL, C_FindObjectsFinal),
    CALL(CALL_GET_ATTRIBUTES, C_GetAttributeValue),
    CALL(CALL_SIGN_INIT, C_SignInit),
    CALL(CALL_SIGN, C_Sign),
};

const char *scripted_name(enum scripted_call call)
{
    return calls[call].name;
}

bool scripted_is_logged_in(void)
{
    return is_logged_in;
}

static void note_failure(enum scripted_call call, CK_RV rv, bool is_scripted)
{
    if (rv != CKR_OK && scripted.n_failures < SCRIPTED_FAILURES_MAX) {
        scripted.failures[scripted.n_failures++] = (struct scripted_failure){ call, rv, is_scripted };
    }
}

CK_RV answer(enum scripted_call call, CK_RV rv)
{
    note_failure(call, rv, false);
    return rv;
}

static bool is_met(const struct scripted_fault *fault, enum scripted_call call, size_t nth)
{
    return fault->first != 0 && fault->call == call && nth >= fault->first && nth <= fault->last;
}

/* Counts the call; true when the script answers it. */
static bool is_faulty(enum scripted_call call, CK_RV *ret_rv)
{
    size_t nth = ++scripted.n_calls[call];
    const struct scripted_fault *fault =
        is_met(&scripted.fault, call, nth) ? &scripted.fault : &scripted.also;

    if (scripted.announced == NULL || strcmp(scripted.announced, calls[call].name) != 0) {
        scripted.n_unannounced++;
    }
    if (!is_met(fault, call, nth)) {
        return false;
    }
    *ret_rv = fault->rv;
    note_failure(call, fault->rv, true);
    return true;
}

bool is_answered(enum scripted_call call, CK_RV *ret_rv)
{
    if (is_faulty(call, ret_rv)) {
        return true;
    }
    if (!scripted.is_initialized) {
        *ret_rv = answer(call, CKR_CRYPTOKI_NOT_INITIALIZED);
    }
    return !scripted.is_initialized;
}

static void note_stale(enum scripted_call call)
{
    scripted.stale = scripted.n_stale++ == 0 ? calls[call].name : scripted.stale;
}

/* A session that was lost and is ended by the engine after that is one that it knows of no more. */
static void end_sessions(enum session_state state)
{
    for (CK_SESSION_HANDLE i = 1; i <= last_session; i++) {
        if (sessions[i].state == SESSION_OPEN || sessions[i].state == SESSION_LOST) {
            sessions[i].state = state;
        }
    }
    scripted.n_sessions = 0;
    is_logged_in = false;
}

void scripted_lose(enum scripted_loss loss)
{
    if (loss != LOSS_NONE) {
        end_sessions(SESSION_LOST);
    }
    scripted.is_present = scripted.is_present && loss != LOSS_TOKEN;
    scripted.is_initialized = scripted.is_initialized && loss != LOSS_LIBRARY;
}

struct session *session_at(CK_SESSION_HANDLE handle)
{
    return handle == 0 || handle > last_session ? NULL : &sessions[handle];
}

struct session *begin(enum scripted_call call, CK_SESSION_HANDLE handle, CK_RV *ret_rv)
{
    struct session *session = session_at(handle);

    if (is_answered(call, ret_rv)) {
        return NULL;
    }
    if (session == NULL || session->state != SESSION_OPEN) {
        if (session != NULL && session->state == SESSION_CLOSED) {
            note_stale(call);
        }
        *ret_rv = answer(call, CKR_SESSION_HANDLE_INVALID);
        return NULL;
    }
    return session;
}

CK_OBJECT_HANDLE handle_of(CK_OBJECT_HANDLE object)
{
    return n_initialized * OBJECTS_EACH + object;
}

CK_OBJECT_HANDLE object_of(enum scripted_call call, CK_OBJECT_HANDLE handle)
{
    CK_OBJECT_HANDLE object = handle % OBJECTS_EACH;

    if (handle / OBJECTS_EACH != n_initialized) {
        if (handle != 0) { /* which it never gave */
            note_stale(call);
        }
        return 0;
    }
    return object >= OBJECT_N || (object == OBJECT_KEY && !is_logged_in) ? 0 : object;
}

static CK_RV initialize(void *args)
{
    CK_RV rv = CKR_OK;

    (void)args;
    if (is_faulty(CALL_INITIALIZE, &rv)) {
        return rv;
    }
    if (scripted.is_initialized) {
        return answer(CALL_INITIALIZE, CKR_CRYPTOKI_ALREADY_INITIALIZED);
    }
    scripted.is_initialized = true;
    n_initialized++;
    return CKR_OK;
}

static CK_RV finalize(void *reserved)
{
    (void)reserved;
    CK_RV rv = CKR_OK;
    if (is_answered(CALL_FINALIZE, &rv)) {
        return rv;
    }
    end_sessions(SESSION_CLOSED);
    scripted.is_initialized = false;
    return CKR_OK;
}

static CK_RV open_session(
    CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *ret_session)
{
    (void)application;
    (void)notify;
    CK_RV rv = CKR_OK;
    if (is_answered(CALL_OPEN_SESSION, &rv)) {
        return rv;
    }
    if (slot != SLOT || !scripted.is_present) {
        return answer(CALL_OPEN_SESSION, slot != SLOT ? CKR_SLOT_ID_INVALID : CKR_TOKEN_NOT_PRESENT);
    }
    if ((flags & CKF_SERIAL_SESSION) == 0) {
        return answer(CALL_OPEN_SESSION, CKR_SESSION_PARALLEL_NOT_SUPPORTED);
    }
    if ((scripted.sessions_max > 0 && scripted.n_sessions >= scripted.sessions_max) ||
        last_session + 1 == SCRIPTED_SESSIONS_MAX) {
        return answer(CALL_OPEN_SESSION, CKR_SESSION_COUNT);
    }
    sessions[++last_session] = (struct session){ .state = SESSION_OPEN };
    scripted.n_sessions++;
    *ret_session = scripted.lie == LIE_SESSION_HANDLE ? scripted.claim : last_session;
    return CKR_OK;
}

/* PKCS #11 v3.0 §5.6.2: with the last session the login ends. */
static CK_RV close_session(CK_SESSION_HANDLE handle)
{
    CK_RV rv = CKR_OK;
    struct session *session = begin(CALL_CLOSE_SESSION, handle, &rv);

    if (session == NULL) {
        struct session *lost = session_at(handle);
        if (lost != NULL && lost->state == SESSION_LOST) {
            lost->state = SESSION_CLOSED;
        }
        return rv;
    }
    session->state = SESSION_CLOSED;
    is_logged_in = --scripted.n_sessions > 0 && is_logged_in;
    return CKR_OK;
}

static CK_RV close_all_sessions(CK_SLOT_ID slot)
{
    CK_RV rv = CKR_OK;
    if (is_answered(CALL_CLOSE_ALL_SESSIONS, &rv)) {
        return rv;
    }
    if (slot != SLOT) {
        return answer(CALL_CLOSE_ALL_SESSIONS, CKR_SLOT_ID_INVALID);
    }
    end_sessions(SESSION_CLOSED);
    return CKR_OK;
}

static CK_RV get_session_info(CK_SESSION_HANDLE handle, CK_SESSION_INFO *ret_info)
{
    CK_RV rv = CKR_OK;

    if (begin(CALL_GET_SESSION_INFO, handle, &rv) == NULL) {
        return rv;
    }
    *ret_info = (CK_SESSION_INFO){
        .slotID = SLOT,
        .state = is_logged_in ? CKS_RO_USER_FUNCTIONS : CKS_RO_PUBLIC_SESSION,
        .flags = CKF_SERIAL_SESSION,
    };
    return CKR_OK;
}

static bool is_about_pin(CK_RV rv)
{
    return (rv >= CKR_PIN_INCORRECT && rv <= CKR_PIN_LOCKED) || rv == CKR_USER_PIN_NOT_INITIALIZED ||
           rv == 0x1B0 || /* CKR_NEW_PIN_MODE */
           rv == 0x1B8;   /* CKR_PIN_TOO_WEAK */
}

/* As answered by the script or not: a PIN that was refused must not come again. */
static CK_RV note_pin(CK_RV rv)
{
    scripted.n_pins_in_trouble += scripted.has_trouble ? 1 : 0;
    scripted.has_trouble = scripted.has_trouble || is_about_pin(rv);
    scripted.n_pins++;
    scripted.n_pins_in_vain += scripted.has_refused ? 1 : 0;
    scripted.has_refused =
        scripted.has_refused || rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE;
    scripted.last_login = rv;
    scripted.has_tried = false;
    return rv;
}

static bool is_right(const CK_UTF8CHAR *pin, CK_ULONG len)
{
    return pin == NULL || (len == strlen(scripted.pin) && memcmp(pin, scripted.pin, len) == 0);
}

static CK_RV check_login(
    enum scripted_call call, CK_SESSION_HANDLE handle, const CK_UTF8CHAR *pin, CK_ULONG len)
{
    CK_RV rv = CKR_OK;
    struct session *session = begin(call, handle, &rv);

    if (session == NULL) {
        return rv;
    }
    if (pin == NULL && (scripted.flags & CKF_PROTECTED_AUTHENTICATION_PATH) == 0) {
        return answer(call, CKR_ARGUMENTS_BAD);
    }
    if (call == CALL_LOGIN_CONTEXT && !session->is_signing) {
        return answer(call, CKR_OPERATION_NOT_INITIALIZED);
    }
    if (call == CALL_LOGIN && is_logged_in) {
        return answer(call, CKR_USER_ALREADY_LOGGED_IN);
    }
    if (!is_right(pin, len)) {
        return answer(call, CKR_PIN_INCORRECT);
    }
    is_logged_in = is_logged_in || call == CALL_LOGIN;
    session->has_context_login = call == CALL_LOGIN_CONTEXT;
    return CKR_OK;
}

static CK_RV login(CK_SESSION_HANDLE handle, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG len)
{
    CK_RV rv = check_login(user == CKU_CONTEXT_SPECIFIC ? CALL_LOGIN_CONTEXT : CALL_LOGIN, handle, pin, len);

    return pin == NULL ? rv : note_pin(rv);
}

static CK_RV logout(CK_SESSION_HANDLE handle)
{
    CK_RV rv = CKR_OK;

    if (begin(CALL_LOGOUT, handle, &rv) == NULL) {
        return rv;
    }
    if (!is_logged_in) {
        return answer(CALL_LOGOUT, CKR_USER_NOT_LOGGED_IN);
    }
    is_logged_in = false;
    return CKR_OK;
}

static const CK_FUNCTION_LIST whole = {
    .version = { 2, 40 },
    .C_Initialize = initialize,
    .C_Finalize = finalize,
    .C_GetInfo = scripted_get_info,
    .C_GetFunctionList = C_GetFunctionList,
    .C_GetSlotList = scripted_get_slot_list,
    .C_GetSlotInfo = scripted_get_slot_info,
    .C_GetTokenInfo = scripted_get_token_info,
    .C_GetMechanismList = scripted_get_mechanism_list,
    .C_OpenSession = open_session,
    .C_CloseSession = close_session,
    .C_CloseAllSessions = close_all_sessions,
    .C_GetSessionInfo = get_session_info,
    .C_Login = login,
    .C_Logout = logout,
    .C_GetAttributeValue = scripted_get_attributes,
    .C_FindObjectsInit = scripted_find_init,
    .C_FindObjects = scripted_find,
    .C_FindObjectsFinal = scripted_find_final,
    .C_SignInit = scripted_sign_init,
    .C_Sign = scripted_sign,
};

static CK_FUNCTION_LIST list;

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **ret_list)
{
    CK_RV rv = CKR_OK;

    if (is_faulty(CALL_GET_FUNCTION_LIST, &rv)) {
        return rv;
    }
    *ret_list = scripted.lie == LIE_NO_LIST ? NULL : &list;
    return CKR_OK;
}

void scripted_remove_function(enum scripted_call call)
{
    memset((unsigned char *)&list + calls[call].offset, 0, sizeof(CK_C_Initialize));
}

void scripted_forget_failures(void)
{
    scripted.n_failures = 0;
    scripted.has_trouble = false;
}

void scripted_reset(void)
{
    const struct scripted before = scripted;

    scripted = (struct scripted){
        .label = "scripted",
        .key_label = "signing",
        .pin = "123456",
        .pin_least = 4,
        .pin_most = 64,
        .certificate = before.certificate,
        .certificate_len = before.certificate_len,
        .point = before.point,
        .point_len = before.point_len,
        .sign = before.sign,
        .pass_ms = before.pass_ms,
    };
    memset(sessions, 0, sizeof(sessions));
    last_session = 0;
    n_initialized = 0;
    is_logged_in = false;
    scripted.is_present = true;
    list = whole;
}
