/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_FAKE_MODULE_H
#define UNIT_FAKE_MODULE_H

/*
 * A PKCS#11 module in the test's own memory: it does what fake says, and notes what is called. Only what the
 * tests need has a function; the rest is NULL, so that an unexpected call is a crash.
 */

#include <stdbool.h>

#include "pkcs11/cryptoki/object.h"
#include "unit.h"

enum {
    FAKE_SESSIONS_MAX = 512,
    FAKE_FOUND_MAX = 600,
    FAKE_TRACE_SIZE = 4096,
    FAKE_MADE_MAX = 3,
    FAKE_CREATED_MAX = 8
};

/* How C_GetAttributeValue treats what it cannot give. */
enum fake_manner {
    FAKE_BY_THE_BOOK,    /* PKCS #11 v3.0 §5.7.5: all are looked at, the bad ones get "unavailable" */
    FAKE_STOPS_MARKING,  /* the first bad one gets "unavailable", those behind it are not looked at */
    FAKE_STOPS_SILENTLY, /* the same without a mark */
    FAKE_LIES_LONG,      /* CKR_OK, and a length of more than there was room for, or is */
};

/* An attribute of the one object. */
struct fake_attribute {
    CK_ATTRIBUTE_TYPE type;
    struct slice value;
    CK_RV rv; /* not CKR_OK: this instead of the value */
};

struct fake_module {
    /* what it does */
    CK_RV open_rv;
    size_t sessions_max; /* more: CKR_SESSION_COUNT */
    int n_opens_good;    /* so many C_OpenSession succeed, then open_rv; -1: none fails */
    CK_RV find_init_rv, find_rv, find_final_rv, read_rv, list_rv;
    CK_OBJECT_HANDLE found[FAKE_FOUND_MAX];
    CK_ULONG n_found;         /* what there is; C_FindObjects goes on where it was */
    CK_ULONG n_found_claimed; /* told instead, when not 0 */
    enum fake_manner manner;
    CK_ULONG claimed_len; /* of FAKE_LIES_LONG */
    const struct fake_attribute *attributes;
    size_t n_attributes;
    CK_RV make_rvs[FAKE_MADE_MAX];      /* of one C_GenerateKeyPair after the other */
    CK_RV create_rvs[FAKE_CREATED_MAX]; /* of one C_CreateObject after the other */
    CK_RV destroy_rv;
    const CK_MECHANISM_TYPE *mechanisms;
    CK_ULONG n_mechanisms;
    /* what it saw */
    bool is_open[FAKE_SESSIONS_MAX]; /* by handle */
    size_t n_open, n_open_most;
    int n_opened, n_closed, n_reads, n_bad_handles;
    CK_FLAGS open_flags;
    CK_SLOT_ID slot;
    CK_ATTRIBUTE template[8]; /* of C_FindObjectsInit: types and lengths, the values are gone */
    CK_ULONG n_template, n_given;
    CK_MECHANISM_TYPE made_with;
    CK_ATTRIBUTE made_private[FAKE_MADE_MAX][16]; /* likewise */
    CK_ULONG n_made_private[FAKE_MADE_MAX];
    int n_made;
    CK_OBJECT_CLASS created_class[FAKE_CREATED_MAX];
    CK_ATTRIBUTE created[FAKE_CREATED_MAX][24]; /* likewise */
    CK_ULONG n_created_attributes[FAKE_CREATED_MAX];
    int n_created;
    CK_OBJECT_HANDLE destroyed[16];
    int n_destroyed;             /* tries too */
    char trace[FAKE_TRACE_SIZE]; /* "C_OpenSession C_CloseSession ", as the watch was told */
    int n_entered, n_left;
};

/* The handles of what was made, by C_GenerateKeyPair or C_CreateObject. */
enum { FAKE_PRIVATE = 101, FAKE_PUBLIC = 102, FAKE_CERTIFICATE = 103 };

extern struct fake_module fake;

/* Forgets everything, and gives back a module that answers well. Of struct p11_module all but shared is set.
 */
struct p11_module fake_reset(void);

/* A session of it. */
struct p11_session fake_session(struct p11_module *module);

#endif
