/* SPDX-License-Identifier: Apache-2.0 */
/* What is seen from outside a session: the module, its slot, the token in it. */
#include <string.h>

#include "scripted_state.h"

static void pad(CK_UTF8CHAR *field, size_t size, const char *text)
{
    size_t len = strlen(text) < size ? strlen(text) : size;

    memset(field, ' ', size);
    memcpy(field, text, len);
}

CK_RV scripted_get_info(CK_INFO *ret_info)
{
    CK_RV rv = CKR_OK;
    if (is_answered(CALL_GET_INFO, &rv)) {
        return rv;
    }
    *ret_info = (CK_INFO){ .cryptokiVersion = { 2, 40 } };
    pad(ret_info->manufacturerID, sizeof(ret_info->manufacturerID), "keystay");
    pad(ret_info->libraryDescription, sizeof(ret_info->libraryDescription), "scripted");
    return CKR_OK;
}

static CK_RV look_at_slots(CK_ULONG *ret_n)
{
    CK_RV rv = CKR_OK;
    if (is_answered(CALL_LOOK_AT_SLOTS, &rv)) {
        return rv;
    }
    scripted.is_present = true;
    *ret_n = 1;
    return CKR_OK;
}

CK_RV scripted_get_slot_list(CK_BBOOL with_token, CK_SLOT_ID *ret_slots, CK_ULONG *n)
{
    CK_ULONG room = *n;

    (void)with_token;
    if (ret_slots == NULL) {
        return look_at_slots(n);
    }
    CK_RV rv = CKR_OK;
    if (is_answered(CALL_GET_SLOT_LIST, &rv)) {
        return rv;
    }
    *n = scripted.is_present ? 1 : 0;
    if (scripted.lie == LIE_SLOTS_GROW) {
        *n = room + 1;
    }
    if (*n > room) {
        return answer(CALL_GET_SLOT_LIST, CKR_BUFFER_TOO_SMALL);
    }
    ret_slots[0] = SLOT;
    *n = scripted.lie == LIE_SLOTS ? scripted.claim : *n;
    return CKR_OK;
}

CK_RV scripted_get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *ret_info)
{
    CK_RV rv = CKR_OK;
    if (is_answered(CALL_GET_SLOT_INFO, &rv)) {
        return rv;
    }
    if (slot != SLOT) {
        return answer(CALL_GET_SLOT_INFO, CKR_SLOT_ID_INVALID);
    }
    *ret_info = (CK_SLOT_INFO){ .flags = CKF_TOKEN_PRESENT };
    pad(ret_info->slotDescription, sizeof(ret_info->slotDescription), "scripted slot");
    return CKR_OK;
}

void scripted_token_info(CK_TOKEN_INFO *ret_info)
{
    *ret_info = (CK_TOKEN_INFO){
        .flags = CKF_TOKEN_INITIALIZED | CKF_LOGIN_REQUIRED | scripted.flags,
        .ulMaxSessionCount = scripted.sessions_max,
        .ulMinPinLen = scripted.pin_least,
        .ulMaxPinLen = scripted.pin_most,
    };
    pad(ret_info->label, sizeof(ret_info->label), scripted.label);
    pad(ret_info->manufacturerID, sizeof(ret_info->manufacturerID), "keystay");
    pad(ret_info->model, sizeof(ret_info->model), "scripted");
    pad(ret_info->serialNumber, sizeof(ret_info->serialNumber), "0001");
}

CK_RV scripted_get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *ret_info)
{
    CK_RV rv = CKR_OK;

    if (is_answered(CALL_GET_TOKEN_INFO, &rv)) {
        return rv;
    }
    if (slot != SLOT || !scripted.is_present) {
        return answer(CALL_GET_TOKEN_INFO, slot != SLOT ? CKR_SLOT_ID_INVALID : CKR_TOKEN_NOT_PRESENT);
    }
    scripted_token_info(ret_info);
    return CKR_OK;
}

CK_RV scripted_get_mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE *ret_types, CK_ULONG *n)
{
    const CK_MECHANISM_TYPE types[] = { CKM_ECDSA, CKM_ECDSA_SHA256 };
    CK_ULONG room = *n;

    CK_RV rv = CKR_OK;
    if (is_answered(CALL_GET_MECHANISM_LIST, &rv)) {
        return rv;
    }
    if (slot != SLOT || !scripted.is_present) {
        return answer(CALL_GET_MECHANISM_LIST, slot != SLOT ? CKR_SLOT_ID_INVALID : CKR_TOKEN_NOT_PRESENT);
    }
    *n = scripted.lie == LIE_MECHANISMS_GROW ? room + 1 : 2;
    if (ret_types == NULL) {
        return CKR_OK;
    }
    if (room < *n) {
        return answer(CALL_GET_MECHANISM_LIST, CKR_BUFFER_TOO_SMALL);
    }
    memcpy(ret_types, types, sizeof(types));
    *n = scripted.lie == LIE_MECHANISMS ? scripted.claim : *n;
    return CKR_OK;
}
