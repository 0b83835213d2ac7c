/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PKCS11_FAULTS_SCRIPTED_STATE_H
#define TESTS_PKCS11_FAULTS_SCRIPTED_STATE_H

/* What the parts of the scripted module share: scripted.c has the script, sessions and login, scripted_look.c
 * what is seen outside of them, scripted_work.c what is done in a session. */

#include "scripted.h"

enum { SLOT = 7 };
enum { OBJECT_KEY = 1, OBJECT_PUBLIC, OBJECT_CERTIFICATE, OBJECT_N };

enum session_state {
    SESSION_NEVER,
    SESSION_OPEN,
    SESSION_LOST,   /* the engine cannot know yet */
    SESSION_CLOSED, /* by the engine */
};

struct session {
    enum session_state state;
    bool is_searching;
    bool is_signing;
    bool has_context_login;
    bool is_given[OBJECT_N];
    CK_MECHANISM_TYPE mechanism;
    CK_OBJECT_CLASS search_class;
};

/* Notes an answer other than CKR_OK, and returns it. */
CK_RV answer(enum scripted_call call, CK_RV rv);

/* The head of each function. True when it is answered already: by the script, or because the module is not
 * initialised. */
bool is_answered(enum scripted_call call, CK_RV *ret_rv);

/* NULL: there never was one. */
struct session *session_at(CK_SESSION_HANDLE handle);

/* The same for one in a session: NULL when it is answered, or there is no such session. */
struct session *begin(enum scripted_call call, CK_SESSION_HANDLE handle, CK_RV *ret_rv);

/* An object's handle in this initialisation, and back: 0 when it is none that can be seen. */
CK_OBJECT_HANDLE handle_of(CK_OBJECT_HANDLE object);
CK_OBJECT_HANDLE object_of(enum scripted_call call, CK_OBJECT_HANDLE handle);

bool scripted_is_logged_in(void);

CK_RV scripted_get_info(CK_INFO *ret_info);
CK_RV scripted_get_slot_list(CK_BBOOL with_token, CK_SLOT_ID *ret_slots, CK_ULONG *n);
CK_RV scripted_get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *ret_info);
CK_RV scripted_get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *ret_info);
CK_RV scripted_get_mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE *ret_types, CK_ULONG *n);

CK_RV scripted_find_init(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *search, CK_ULONG n);
CK_RV scripted_find(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE *ret_objects, CK_ULONG room, CK_ULONG *ret_n);
CK_RV scripted_find_final(CK_SESSION_HANDLE handle);
CK_RV scripted_get_attributes(
    CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes, CK_ULONG n);
CK_RV scripted_sign_init(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);
CK_RV scripted_sign(
    CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG len, CK_BYTE *ret_signature, CK_ULONG *ret_len);

#endif
