/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PKCS11_SHIM_CALLS_H
#define TESTS_PKCS11_SHIM_CALLS_H

/*
 * Every function of CK_FUNCTION_LIST (PKCS #11 v2.40) but C_GetFunctionList, in its order:
 * CALL(name, parameters, arguments). Whoever needs a thing for each of them gives a macro of three
 * parameters.
 */

#include <p11-kit/pkcs11.h>

typedef CK_SESSION_HANDLE shim_session;
typedef CK_OBJECT_HANDLE shim_object;

/* Parameters that many of them share. */
#define SHIM_START (shim_session a, CK_MECHANISM * b, shim_object c)
#define SHIM_IN (shim_session a, CK_BYTE * b, CK_ULONG c)
#define SHIM_OUT (shim_session a, CK_BYTE * b, CK_ULONG * c)
#define SHIM_IN_OUT (shim_session a, CK_BYTE * b, CK_ULONG c, CK_BYTE * d, CK_ULONG * e)

#define SHIM_CALLS(CALL)                                                                                    \
    CALL(C_Initialize, (void *a), (a))                                                                      \
    CALL(C_Finalize, (void *a), (a))                                                                        \
    CALL(C_GetInfo, (CK_INFO * a), (a))                                                                     \
    CALL(C_GetSlotList, (CK_BBOOL a, CK_SLOT_ID * b, CK_ULONG * c), (a, b, c))                              \
    CALL(C_GetSlotInfo, (CK_SLOT_ID a, CK_SLOT_INFO * b), (a, b))                                           \
    CALL(C_GetTokenInfo, (CK_SLOT_ID a, CK_TOKEN_INFO * b), (a, b))                                         \
    CALL(C_GetMechanismList, (CK_SLOT_ID a, CK_MECHANISM_TYPE * b, CK_ULONG * c), (a, b, c))                \
    CALL(C_GetMechanismInfo, (CK_SLOT_ID a, CK_MECHANISM_TYPE b, CK_MECHANISM_INFO * c), (a, b, c))         \
    CALL(C_InitToken, (CK_SLOT_ID a, CK_BYTE * b, CK_ULONG c, CK_BYTE * d), (a, b, c, d))                   \
    CALL(C_InitPIN, SHIM_IN, (a, b, c))                                                                     \
    CALL(C_SetPIN, (shim_session a, CK_BYTE * b, CK_ULONG c, CK_BYTE * d, CK_ULONG e), (a, b, c, d, e))     \
    CALL(C_OpenSession, (CK_SLOT_ID a, CK_FLAGS b, void *c, CK_NOTIFY d, shim_session *e), (a, b, c, d, e)) \
    CALL(C_CloseSession, (shim_session a), (a))                                                             \
    CALL(C_CloseAllSessions, (CK_SLOT_ID a), (a))                                                           \
    CALL(C_GetSessionInfo, (shim_session a, CK_SESSION_INFO * b), (a, b))                                   \
    CALL(C_GetOperationState, SHIM_OUT, (a, b, c))                                                          \
    CALL(                                                                                                   \
        C_SetOperationState, (shim_session a, CK_BYTE * b, CK_ULONG c, shim_object d, shim_object e),       \
        (a, b, c, d, e))                                                                                    \
    CALL(C_Login, (shim_session a, CK_USER_TYPE b, CK_BYTE * c, CK_ULONG d), (a, b, c, d))                  \
    CALL(C_Logout, (shim_session a), (a))                                                                   \
    CALL(C_CreateObject, (shim_session a, CK_ATTRIBUTE * b, CK_ULONG c, shim_object * d), (a, b, c, d))     \
    CALL(                                                                                                   \
        C_CopyObject, (shim_session a, shim_object b, CK_ATTRIBUTE * c, CK_ULONG d, shim_object * e),       \
        (a, b, c, d, e))                                                                                    \
    CALL(C_DestroyObject, (shim_session a, shim_object b), (a, b))                                          \
    CALL(C_GetObjectSize, (shim_session a, shim_object b, CK_ULONG * c), (a, b, c))                         \
    CALL(C_GetAttributeValue, (shim_session a, shim_object b, CK_ATTRIBUTE * c, CK_ULONG d), (a, b, c, d))  \
    CALL(C_SetAttributeValue, (shim_session a, shim_object b, CK_ATTRIBUTE * c, CK_ULONG d), (a, b, c, d))  \
    CALL(C_FindObjectsInit, (shim_session a, CK_ATTRIBUTE * b, CK_ULONG c), (a, b, c))                      \
    CALL(C_FindObjects, (shim_session a, shim_object * b, CK_ULONG c, CK_ULONG * d), (a, b, c, d))          \
    CALL(C_FindObjectsFinal, (shim_session a), (a))                                                         \
    CALL(C_EncryptInit, SHIM_START, (a, b, c))                                                              \
    CALL(C_Encrypt, SHIM_IN_OUT, (a, b, c, d, e))                                                           \
    CALL(C_EncryptUpdate, SHIM_IN_OUT, (a, b, c, d, e))                                                     \
    CALL(C_EncryptFinal, SHIM_OUT, (a, b, c))                                                               \
    CALL(C_DecryptInit, SHIM_START, (a, b, c))                                                              \
    CALL(C_Decrypt, SHIM_IN_OUT, (a, b, c, d, e))                                                           \
    CALL(C_DecryptUpdate, SHIM_IN_OUT, (a, b, c, d, e))                                                     \
    CALL(C_DecryptFinal, SHIM_OUT, (a, b, c))                                                               \
    CALL(C_DigestInit, (shim_session a, CK_MECHANISM * b), (a, b))                                          \
    CALL(C_Digest, SHIM_IN_OUT, (a, b, c, d, e))                                                            \
    CALL(C_DigestUpdate, SHIM_IN, (a, b, c))                                                                \
    CALL(C_DigestKey, (shim_session a, shim_object b), (a, b))                                              \
    CALL(C_DigestFinal, SHIM_OUT, (a, b, c))                                                                \
    CALL(C_SignInit, SHIM_START, (a, b, c))                                                                 \
    CALL(C_Sign, SHIM_IN_OUT, (a, b, c, d, e))                                                              \
    CALL(C_SignUpdate, SHIM_IN, (a, b, c))                                                                  \
    CALL(C_SignFinal, SHIM_OUT, (a, b, c))                                                                  \
    CALL(C_SignRecoverInit, SHIM_START, (a, b, c))                                                          \
    CALL(C_SignRecover, SHIM_IN_OUT, (a, b, c, d, e))                                                       \
    CALL(C_VerifyInit, SHIM_START, (a, b, c))                                                               \
    CALL(C_Verify, (shim_session a, CK_BYTE * b, CK_ULONG c, CK_BYTE * d, CK_ULONG e), (a, b, c, d, e))     \
    CALL(C_VerifyUpdate, SHIM_IN, (a, b, c))                                                                \
    CALL(C_VerifyFinal, SHIM_IN, (a, b, c))                                                                 \
    CALL(C_VerifyRecoverInit, SHIM_START, (a, b, c))                                                        \
    CALL(C_VerifyRecover, SHIM_IN_OUT, (a, b, c, d, e))                                                     \
    CALL(C_DigestEncryptUpdate, SHIM_IN_OUT, (a, b, c, d, e))                                               \
    CALL(C_DecryptDigestUpdate, SHIM_IN_OUT, (a, b, c, d, e))                                               \
    CALL(C_SignEncryptUpdate, SHIM_IN_OUT, (a, b, c, d, e))                                                 \
    CALL(C_DecryptVerifyUpdate, SHIM_IN_OUT, (a, b, c, d, e))                                               \
    CALL(                                                                                                   \
        C_GenerateKey, (shim_session a, CK_MECHANISM * b, CK_ATTRIBUTE * c, CK_ULONG d, shim_object * e),   \
        (a, b, c, d, e))                                                                                    \
    CALL(                                                                                                   \
        C_GenerateKeyPair,                                                                                  \
        (shim_session a, CK_MECHANISM * b, CK_ATTRIBUTE * c, CK_ULONG d, CK_ATTRIBUTE * e, CK_ULONG f,      \
         shim_object * g, shim_object * h),                                                                 \
        (a, b, c, d, e, f, g, h))                                                                           \
    CALL(                                                                                                   \
        C_WrapKey,                                                                                          \
        (shim_session a, CK_MECHANISM * b, shim_object c, shim_object d, CK_BYTE * e, CK_ULONG * f),        \
        (a, b, c, d, e, f))                                                                                 \
    CALL(                                                                                                   \
        C_UnwrapKey,                                                                                        \
        (shim_session a, CK_MECHANISM * b, shim_object c, CK_BYTE * d, CK_ULONG e, CK_ATTRIBUTE * f,        \
         CK_ULONG g, shim_object * h),                                                                      \
        (a, b, c, d, e, f, g, h))                                                                           \
    CALL(                                                                                                   \
        C_DeriveKey,                                                                                        \
        (shim_session a, CK_MECHANISM * b, shim_object c, CK_ATTRIBUTE * d, CK_ULONG e, shim_object * f),   \
        (a, b, c, d, e, f))                                                                                 \
    CALL(C_SeedRandom, SHIM_IN, (a, b, c))                                                                  \
    CALL(C_GenerateRandom, SHIM_IN, (a, b, c))                                                              \
    CALL(C_GetFunctionStatus, (shim_session a), (a))                                                        \
    CALL(C_CancelFunction, (shim_session a), (a))                                                           \
    CALL(C_WaitForSlotEvent, (CK_FLAGS a, CK_SLOT_ID * b, void *c), (a, b, c))

#define SHIM_CALL_ID(name, parameters, arguments) SHIM_##name,

/* The calls that a rule may name: those, and the two that come before there is a list. */
enum shim_call {
    SHIM_dlopen,
    SHIM_C_GetFunctionList,
    SHIM_CALLS(SHIM_CALL_ID) SHIM_CALL_N,
};

#endif
