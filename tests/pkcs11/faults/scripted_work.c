/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "scripted_state.h"

enum { ID = 1, SIGNATURE_LEN = 64 };

CK_RV scripted_find_init(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *search, CK_ULONG n)
{
    CK_RV rv = CKR_OK;
    struct session *session = begin(CALL_FIND_INIT, handle, &rv);

    if (session == NULL) {
        return rv;
    }
    if (session->is_searching) {
        return answer(CALL_FIND_INIT, CKR_OPERATION_ACTIVE);
    }
    session->is_searching = true;
    session->search_class = CK_UNAVAILABLE_INFORMATION;
    memset(session->is_given, 0, sizeof(session->is_given));
    for (CK_ULONG i = 0; i < n; i++) {
        if (search[i].type == CKA_CLASS) {
            memcpy(&session->search_class, search[i].pValue, sizeof(session->search_class));
        }
    }
    return CKR_OK;
}

static CK_OBJECT_HANDLE object_of_class(CK_OBJECT_CLASS object_class)
{
    switch (object_class) {
    case CKO_PRIVATE_KEY:
        return scripted_is_logged_in() ? OBJECT_KEY : 0;
    case CKO_PUBLIC_KEY:
        return OBJECT_PUBLIC;
    case CKO_CERTIFICATE:
        return OBJECT_CERTIFICATE;
    default:
        return 0;
    }
}

static void lie_about_found(CK_OBJECT_HANDLE *objects, CK_ULONG room, CK_ULONG *n)
{
    if (*n == 1 && scripted.lie == LIE_FOUND_TWICE && room > 1) {
        objects[(*n)++] = objects[0];
    }
    if (*n == 1 && scripted.lie == LIE_FOUND_ZERO) {
        objects[0] = 0;
    }
    *n = scripted.lie == LIE_FOUND ? scripted.claim : *n;
}

CK_RV scripted_find(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE *ret_objects, CK_ULONG room, CK_ULONG *ret_n)
{
    CK_RV rv = CKR_OK;
    struct session *session = begin(CALL_FIND, handle, &rv);

    if (session == NULL) {
        return rv;
    }
    if (!session->is_searching) {
        return answer(CALL_FIND, CKR_OPERATION_NOT_INITIALIZED);
    }
    CK_OBJECT_HANDLE object = object_of_class(session->search_class);
    *ret_n = 0;
    if (object != 0 && !session->is_given[object] && room > 0) {
        session->is_given[object] = true;
        ret_objects[(*ret_n)++] = handle_of(object);
    }
    lie_about_found(ret_objects, room, ret_n);
    return CKR_OK;
}

CK_RV scripted_find_final(CK_SESSION_HANDLE handle)
{
    CK_RV rv = CKR_OK;
    struct session *session = begin(CALL_FIND_FINAL, handle, &rv);

    if (session == NULL) {
        return rv;
    }
    if (!session->is_searching) {
        return answer(CALL_FIND_FINAL, CKR_OPERATION_NOT_INITIALIZED);
    }
    session->is_searching = false;
    return CKR_OK;
}

struct value {
    const void *data;
    size_t len;
};

/* What the object says; data NULL: it has no such attribute. */
static struct value value_of(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
    static const CK_KEY_TYPE ec = CKK_EC;
    static const unsigned char id = ID;
    static const CK_BBOOL yes = CK_TRUE;
    static const CK_BBOOL no = CK_FALSE;
    bool is_key = object == OBJECT_KEY;

    switch (type) {
    case CKA_ID:
        return (struct value){ &id, sizeof(id) };
    case CKA_LABEL:
        return (struct value){ scripted.key_label, strlen(scripted.key_label) };
    case CKA_KEY_TYPE:
        return (struct value){ object == OBJECT_CERTIFICATE ? NULL : &ec, sizeof(ec) };
    case CKA_SENSITIVE:
    case CKA_SIGN:
    case CKA_ALWAYS_SENSITIVE:
    case CKA_NEVER_EXTRACTABLE:
    case CKA_LOCAL:
        return (struct value){ is_key ? &yes : NULL, 1 };
    case CKA_EXTRACTABLE:
        return (struct value){ is_key ? &no : NULL, 1 };
    case CKA_ALWAYS_AUTHENTICATE:
        return (struct value){ is_key ? (scripted.always_authenticate ? &yes : &no) : NULL, 1 };
    case CKA_EC_POINT:
        return (struct value){ object == OBJECT_PUBLIC ? scripted.point : NULL, scripted.point_len };
    case CKA_VALUE:
        return (struct value){ object == OBJECT_CERTIFICATE ? scripted.certificate : NULL,
                               scripted.certificate_len };
    default:
        return (struct value){ NULL, 0 };
    }
}

static CK_RV give(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *wanted)
{
    const struct value value = value_of(object, wanted->type);

    if (value.data == NULL || wanted->ulValueLen < value.len) {
        wanted->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return value.data == NULL ? CKR_ATTRIBUTE_TYPE_INVALID : CKR_BUFFER_TOO_SMALL;
    }
    memcpy(wanted->pValue, value.data, value.len);
    wanted->ulValueLen = scripted.lie == LIE_ATTRIBUTE_LEN ? scripted.claim : value.len;
    return CKR_OK;
}

CK_RV scripted_get_attributes(
    CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object_handle, CK_ATTRIBUTE *attributes, CK_ULONG n)
{
    CK_RV rv = CKR_OK;

    if (begin(CALL_GET_ATTRIBUTES, handle, &rv) == NULL) {
        return rv;
    }
    CK_OBJECT_HANDLE object = object_of(CALL_GET_ATTRIBUTES, object_handle);
    if (object == 0) {
        return answer(CALL_GET_ATTRIBUTES, CKR_OBJECT_HANDLE_INVALID);
    }
    for (CK_ULONG i = 0; i < n; i++) {
        CK_RV one = give(object, &attributes[i]);
        rv = one == CKR_OK ? rv : one;
    }
    return answer(CALL_GET_ATTRIBUTES, rv);
}

/* CKR_OK, or what is wrong with signing so in this session. */
static CK_RV check_sign_init(const struct session *session, const CK_MECHANISM *mechanism)
{
    if (session->is_signing) {
        return CKR_OPERATION_ACTIVE;
    }
    if (!scripted_is_logged_in()) {
        return CKR_USER_NOT_LOGGED_IN;
    }
    return mechanism->mechanism == CKM_ECDSA || mechanism->mechanism == CKM_ECDSA_SHA256
               ? CKR_OK
               : CKR_MECHANISM_INVALID;
}

CK_RV scripted_sign_init(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    CK_RV rv = CKR_OK;
    struct session *session = begin(CALL_SIGN_INIT, handle, &rv);

    if (session == NULL) {
        return rv;
    }
    CK_OBJECT_HANDLE object = object_of(CALL_SIGN_INIT, key); /* first: a stale handle is one anyway */
    rv = check_sign_init(session, mechanism);
    if (rv != CKR_OK || object != OBJECT_KEY) {
        return answer(CALL_SIGN_INIT, rv != CKR_OK ? rv : CKR_KEY_HANDLE_INVALID);
    }
    session->is_signing = true;
    session->has_context_login = false;
    session->mechanism = mechanism->mechanism;
    return CKR_OK;
}

/* CKR_OK, or why there is no signature. */
static CK_RV check_sign(const struct session *session, CK_ULONG room)
{
    if (scripted.lie == LIE_SLOW) {
        scripted.pass_ms(scripted.claim);
        return CKR_USER_NOT_LOGGED_IN;
    }
    if (!scripted_is_logged_in() || (scripted.always_authenticate && !session->has_context_login)) {
        return CKR_USER_NOT_LOGGED_IN;
    }
    return room < SIGNATURE_LEN ? CKR_BUFFER_TOO_SMALL : CKR_OK;
}

/* By the standard only CKR_BUFFER_TOO_SMALL leaves it active; here it is left as the worst of modules do, but
 * for the code that says that there is none. */
static void end_lost_operation(CK_SESSION_HANDLE handle, CK_RV rv)
{
    struct session *session = rv == CKR_OPERATION_NOT_INITIALIZED ? session_at(handle) : NULL;

    if (session != NULL) {
        session->is_signing = false;
    }
}

CK_RV scripted_sign(
    CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG len, CK_BYTE *ret_signature, CK_ULONG *ret_len)
{
    CK_RV rv = CKR_OK;
    struct session *session = begin(CALL_SIGN, handle, &rv);

    if (session == NULL) {
        end_lost_operation(handle, rv);
        scripted.has_tried = scripted.has_tried || rv == CKR_PIN_INCORRECT;
        return rv;
    }
    if (!session->is_signing) {
        return answer(CALL_SIGN, CKR_OPERATION_NOT_INITIALIZED);
    }
    session->is_signing = false;
    rv = check_sign(session, *ret_len);
    if (rv != CKR_OK) {
        return answer(CALL_SIGN, rv);
    }
    scripted.sign(data, len, session->mechanism == CKM_ECDSA, scripted.signature);
    scripted.signature_len = SIGNATURE_LEN;
    if (scripted.lie == LIE_SIGNATURE_BIT) {
        scripted.signature[SIGNATURE_LEN / 2] ^= 1;
    }
    if (scripted.lie != LIE_SIGNATURE_NONE) {
        memcpy(ret_signature, scripted.signature, SIGNATURE_LEN);
    }
    *ret_len = scripted.lie == LIE_SIGNATURE_LEN ? scripted.claim : SIGNATURE_LEN;
    return CKR_OK;
}
