/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_LINK_H
#define PKCS11_CRYPTOKI_LINK_H

/*
 * The link to one token: module, slot, login, and the sessions that work is done in. It is kept up: when a
 * call fails because a session, the token or the module went away, the ladder of recovery.h is climbed and
 * the work is done again; where no rung holds, the next piece of work begins with the climb.
 *
 * At least one session stays open for the life of the link, because the login ends with the last one; no
 * session ever logs out. Work waits for a free session, and never fails because all are taken.
 */

#include "base/secret.h"
#include "pkcs11/choose.h"
#include "pkcs11/cryptoki/object.h"
#include "pkcs11/settings.h"

struct p11_link;

/* settings is borrowed for the link's life. *ret_link is owned. */
enum keystay_status link_open(
    const struct p11_settings *settings, struct p11_link **ret_link, struct keystay_error *err);

/* The same to a token that was chosen before (borrowed until it returns). */
enum keystay_status link_open_slot(
    const struct p11_settings *settings, const struct p11_token *token, struct p11_link **ret_link,
    struct keystay_error *err);

/* NULL is fine. */
void link_close(struct p11_link *link);

/*
 * A piece of work in a session that is its own while it runs. generation changes whenever object handles
 * became stale. It sets *ret_is_broken when the session must not be used again (a context login that failed
 * leaves an operation active).
 */
typedef enum keystay_status (*link_work)(
    const struct p11_session *session, unsigned int generation, void *context, bool *ret_is_broken,
    struct keystay_error *err);

/* Does the work, once more after a recovery where that may help. The caller holds no lock that work needs. */
enum keystay_status link_use(struct p11_link *link, link_work work, void *context, struct keystay_error *err);

/* Whether the token is there and the login holds; what does not is recovered as link_use would. */
enum keystay_status link_check(struct p11_link *link, struct keystay_error *err);

/* Logs out and forgets the PIN. The next piece of work logs in again: the PIN is got from its source as at
 * first. */
void link_lock(struct p11_link *link);

struct p11_token link_token(const struct p11_link *link);
const char *link_where(
    const struct p11_link *link); /* "token 'x' (serial y)"; borrowed until the link is closed */

/* Whether the PIN was kept at the login; and the PIN itself, borrowed within a link_work. */
bool link_has_kept_pin(const struct p11_link *link);
const struct secret *link_kept_pin(const struct p11_link *link);

/* The same PIN, for another engine that will use the token after link_close; it is not kept any more. */
void link_take_pin(struct p11_link *link, struct secret *ret_pin);

/* Whether nobody else in this process uses the module. */
bool link_is_alone(const struct p11_link *link);

#endif
