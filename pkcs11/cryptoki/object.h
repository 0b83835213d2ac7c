/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_OBJECT_H
#define PKCS11_CRYPTOKI_OBJECT_H

/* Objects of one session: searching by template, and reading attributes however unevenly a module answers. */

#include "pkcs11/cryptoki/module.h"
#include "pkcs11/uri.h"

/* A module, a session in it, and the token's name for messages. All borrowed. */
struct p11_session {
    struct p11_module *module;
    CK_SESSION_HANDLE handle;
    const char *where;
    CK_SLOT_ID slot;
    const CK_TOKEN_INFO *info; /* NULL: not known */
};

enum { OBJECT_FOUND_MAX = 32 };

/* A template under construction: class first, then what narrows it. */
struct object_template {
    CK_OBJECT_CLASS object_class;
    CK_ATTRIBUTE attributes[4];
    CK_ULONG n;
};

void object_template_init(struct object_template *search, CK_OBJECT_CLASS object_class);
void object_template_add(struct object_template *search, CK_ATTRIBUTE_TYPE type, struct slice value);

/* What the URI says of the object: CKA_ID and CKA_LABEL. */
void object_template_add_uri(
    struct object_template *search, const struct p11_session *session, const struct p11_uri *uri);

/* The first OBJECT_FOUND_MAX objects that match, in three calls. */
enum keystay_status object_find(
    const struct p11_session *session, struct object_template *search,
    CK_OBJECT_HANDLE ret_objects[OBJECT_FOUND_MAX], CK_ULONG *ret_n, struct keystay_error *err);

/* Called for each object of a search; an error ends it and is forwarded. */
typedef enum keystay_status (*object_visit)(
    const struct p11_session *session, CK_OBJECT_HANDLE object, void *context, struct keystay_error *err);

/* All objects that match, however many there are. They are visited after the search has ended. */
enum keystay_status object_each(
    const struct p11_session *session, struct object_template *search, object_visit visit, void *context,
    struct keystay_error *err);

/*
 * Reads attributes into the caller's buffers in one call. One that the object does not have, hides, or that
 * does not fit has ulValueLen CK_UNAVAILABLE_INFORMATION afterwards; that alone is no error.
 */
enum keystay_status object_read(
    const struct p11_session *session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes, CK_ULONG n,
    struct keystay_error *err);

#endif
