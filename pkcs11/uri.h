/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_URI_H
#define PKCS11_URI_H

/* PKCS#11 URIs (RFC 7512), read strictly: what is not understood is an error, never "matches everything". */

#include <p11-kit/pkcs11.h>
#include <stdbool.h>

#include "base/base.h"

struct p11_uri;

/*
 * One attribute is keystay's own, as RFC 7512 §2.3 lets a vendor have: piv-slot=9a. It is an id by the name
 * that users of PIV cards know, and fits no other token.
 */

/* What the URI must name; its `type`, when given, must agree (RFC 7512 §2.3). */
enum p11_uri_purpose {
    P11_URI_KEY,         /* a private key */
    P11_URI_CERTIFICATE, /* a certificate */
};

bool p11_uri_is_uri(const char *text);

/* *ret_uri is owned. KEYSTAY_E_CONFIG; the message never quotes the text, which may hold a PIN. */
enum keystay_status p11_uri_parse(
    const char *text, enum p11_uri_purpose purpose, struct p11_uri **ret_uri, struct keystay_error *err);

void p11_uri_free(struct p11_uri *uri);
void p11_uri_freep(struct p11_uri **uri);

/* Borrowed until the URI is freed; NULL when the URI does not say. */
const char *p11_uri_module_path(const struct p11_uri *uri);
const char *p11_uri_module_name(const struct p11_uri *uri);
const char *p11_uri_pin_source(const struct p11_uri *uri);

/*
 * CKA_ID and CKA_LABEL asked for; false when the URI does not say. A PIV slot's id depends on the token's
 * module; info is NULL, or of a token that has no such slots: then it is empty, as no object's is.
 */
bool p11_uri_id(const struct p11_uri *uri, const CK_TOKEN_INFO *info, struct slice *ret_id);
bool p11_uri_label(const struct p11_uri *uri, struct slice *ret_label);

/* Whether it says which of a token's objects, by any of these. */
bool p11_uri_names_object(const struct p11_uri *uri);

bool p11_uri_matches_token(const struct p11_uri *uri, CK_SLOT_ID slot, const CK_TOKEN_INFO *info);

/* Whether it asks for more than a token can answer, so that C_GetSlotInfo or C_GetInfo are needed at all. */
bool p11_uri_wants_slot_info(const struct p11_uri *uri);
bool p11_uri_wants_library_info(const struct p11_uri *uri);
bool p11_uri_matches_slot(const struct p11_uri *uri, const CK_SLOT_INFO *info);
bool p11_uri_matches_library(const struct p11_uri *uri, const CK_INFO *info);

enum { P11_URI_ID_TEXT_SIZE = 256 };

/* "%01%02": the form in which ids are shown everywhere, ready to be pasted into a URI. Cut when it does not
 * fit. */
void p11_uri_format_id(struct slice id, char ret_text[P11_URI_ID_TEXT_SIZE]);

#endif
