/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_NEWCOMER_H
#define PKCS11_CRYPTOKI_NEWCOMER_H

/*
 * A key that comes onto a token, made there or elsewhere: the name that it may have, what is asked of it, and
 * that it is destroyed again when it is anything else.
 */

#include "pkcs11/cryptoki/provision.h"

enum { KEY_TEMPLATE_MAX = 24, NEWCOMER_OBJECTS_MAX = 3 };

struct key_template {
    CK_ATTRIBUTE attributes[KEY_TEMPLATE_MAX];
    CK_ULONG n;
};

/* value is borrowed. */
void key_template_add(struct key_template *template, CK_ATTRIBUTE_TYPE type, const void *value, size_t len);
void key_template_add_flag(struct key_template *template, CK_ATTRIBUTE_TYPE type, bool value);

/* From the most that a module is told to the least. */
enum key_wording {
    KEY_WORDING_STRICT,
    KEY_WORDING_NO_USES, /* without what the key must not be used for */
    KEY_WORDING_BARE,    /* nor whether it may be extracted */
    KEY_WORDING_N,
};

/* What each half must be. */
void key_template_add_private(
    struct key_template *template, const struct provision_wish *wish, enum key_wording wording);
void key_template_add_public(
    struct key_template *template, const struct provision_wish *wish, enum key_wording wording);

/* A module that will not be told what its keys are anyway: worth another try without. */
bool newcomer_is_about_template(CK_RV rv);

/* Whether, after such a try, the next wording may go better. */
bool newcomer_may_say_less(CK_RV rv, enum key_wording tried);

/* What there is of it on the token: the private key first. */
struct newcomer {
    CK_OBJECT_HANDLE objects[NEWCOMER_OBJECTS_MAX];
    size_t n;
};

/* Makes it, with the id and label of the wish. After a failure nothing of it may be left. */
typedef enum keystay_status (*newcomer_make)(
    const struct p11_session *session, const struct provision_wish *wish, void *context,
    struct newcomer *ret_made, struct keystay_error *err);

/*
 * Finds an id where none is wished, refuses a name that is taken, has the key made, reads it back, and
 * removes the one that it replaces. is_local: it is made in the token, and the token must say so.
 */
enum keystay_status newcomer_place(
    const struct p11_session *session, const struct provision_wish *wish, bool is_local, newcomer_make make,
    void *context, struct p11_key *ret_key, struct keystay_error *err);

/* All of it, whatever becomes of the first; and in words for an error. */
const char *newcomer_destroy(const struct p11_session *session, const struct newcomer *made);

#endif
