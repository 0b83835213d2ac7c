/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_POOL_H
#define PKCS11_CRYPTOKI_POOL_H

/* The open sessions of a link: handed out one to a thread, opened when they are first needed, at most so
 * many. */

#include <pthread.h>

#include "pkcs11/choose.h"
#include "pkcs11/cryptoki/module.h"

enum { POOL_MAX = 256 };

struct session_pool {
    pthread_mutex_t lock;
    pthread_cond_t is_free;
    struct p11_module *module; /* borrowed */
    CK_SLOT_ID slot;
    const char *where; /* borrowed */
    CK_SESSION_HANDLE idle[POOL_MAX];
    size_t n_idle;
    size_t n_open; /* idle and taken */
    size_t max;
    bool may_write; /* set before pool_start: sessions that may make and remove objects */
};

void pool_init(struct session_pool *pool);
void pool_clear(struct session_pool *pool);

/* Sets the pool to a token and opens the first session. The limit is the smaller of max and what the token
 * allows. */
enum keystay_status pool_start(
    struct session_pool *pool, struct p11_module *module, const struct p11_token *token, const char *where,
    size_t max, struct keystay_error *err);

/* Waits for a session when all are taken, or when the token has no room for one more. */
enum keystay_status pool_take(
    struct session_pool *pool, CK_SESSION_HANDLE *ret_session, struct keystay_error *err);

/* Gives it back; a broken one is replaced before it is closed, so that the login outlives it. */
void pool_give(struct session_pool *pool, CK_SESSION_HANDLE session, bool is_broken);

/* Closes those that are idle: nobody may hold one. */
void pool_close_sessions(struct session_pool *pool);

/* The same when they are gone already: the module was finalised. */
void pool_forget_sessions(struct session_pool *pool);

#endif
