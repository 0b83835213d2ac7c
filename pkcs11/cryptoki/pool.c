/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/pool.h"

#include "base/error.h"
#include "pkcs11/rv.h"

void pool_init(struct session_pool *pool)
{
    *pool = (struct session_pool){ 0 };
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->is_free, NULL);
}

void pool_clear(struct session_pool *pool)
{
    (void)pthread_mutex_destroy(&pool->lock);
    (void)pthread_cond_destroy(&pool->is_free);
}

static CK_RV open_session(struct session_pool *pool, CK_SESSION_HANDLE *ret_session)
{
    const CK_FLAGS flags = CKF_SERIAL_SESSION | (pool->may_write ? CKF_RW_SESSION : 0);

    return P11(pool->module, C_OpenSession, pool->slot, flags, NULL, NULL, ret_session);
}

/* PKCS #11 v3.0 §3.2: 0 is "no effective limit", all ones "not known". */
static size_t limit_of(const CK_TOKEN_INFO *info, size_t max)
{
    CK_ULONG allowed = info->ulMaxSessionCount;
    size_t most = max < POOL_MAX ? max : POOL_MAX;

    if (allowed == CK_EFFECTIVELY_INFINITE || allowed == CK_UNAVAILABLE_INFORMATION || allowed > most) {
        return most;
    }
    return allowed;
}

enum keystay_status pool_start(
    struct session_pool *pool, struct p11_module *module, const struct p11_token *token, const char *where,
    size_t max, struct keystay_error *err)
{
    CK_SESSION_HANDLE first = 0;

    pool->module = module;
    pool->slot = token->slot;
    pool->where = where;
    /* A module without locking is called by one thread at a time: one session is the simplest lock. */
    pool->max = module_is_single_threaded(module) ? 1 : limit_of(&token->info, max);
    pool->n_idle = 0;
    pool->n_open = 0;
    CK_RV rv = open_session(pool, &first);
    if (rv != CKR_OK) {
        return rv_error(rv, "C_OpenSession", where, err);
    }
    pool->idle[pool->n_idle++] = first;
    pool->n_open = 1;
    return KEYSTAY_OK;
}

/* Opens one more without the lock, which is held before and after: it may take long on a card. */
static CK_RV open_unlocked(struct session_pool *pool, CK_SESSION_HANDLE *ret_session)
{
    (void)pthread_mutex_unlock(&pool->lock);
    CK_RV rv = open_session(pool, ret_session);
    (void)pthread_mutex_lock(&pool->lock);
    return rv;
}

/* There is no room for one more, which a session that is given back makes. */
static bool is_full(CK_RV rv)
{
    return rv == CKR_SESSION_COUNT || rv == CKR_DEVICE_MEMORY || rv == CKR_HOST_MEMORY;
}

/* With the lock held. CKR_OK with a session, or why there is none. */
static CK_RV take_locked(struct session_pool *pool, CK_SESSION_HANDLE *ret_session)
{
    for (;;) {
        if (pool->n_idle > 0) {
            *ret_session = pool->idle[--pool->n_idle];
            return CKR_OK;
        }
        if (pool->n_open < pool->max) {
            pool->n_open++;
            CK_RV rv = open_unlocked(pool, ret_session);
            if (rv == CKR_OK) {
                return rv;
            }
            pool->n_open--;
            if (!is_full(rv) || pool->n_open == 0) {
                (void)pthread_cond_signal(&pool->is_free); /* the next who waits must see for itself */
                return rv;
            }
            pool->max = pool->n_open; /* the token has no more, whatever it said */
        }
        (void)pthread_cond_wait(&pool->is_free, &pool->lock);
    }
}

enum keystay_status pool_take(
    struct session_pool *pool, CK_SESSION_HANDLE *ret_session, struct keystay_error *err)
{
    (void)pthread_mutex_lock(&pool->lock);
    CK_RV rv = take_locked(pool, ret_session);
    (void)pthread_mutex_unlock(&pool->lock);
    return rv == CKR_OK ? KEYSTAY_OK : rv_error(rv, "C_OpenSession", pool->where, err);
}

void pool_give(struct session_pool *pool, CK_SESSION_HANDLE session, bool is_broken)
{
    CK_SESSION_HANDLE fresh = 0;
    bool has_fresh = !is_broken || open_session(pool, &fresh) == CKR_OK;

    if (is_broken) {
        (void)P11(pool->module, C_CloseSession, session);
    }
    (void)pthread_mutex_lock(&pool->lock);
    if (has_fresh) {
        pool->idle[pool->n_idle++] = is_broken ? fresh : session;
    } else {
        pool->n_open--;
    }
    (void)pthread_cond_signal(&pool->is_free);
    (void)pthread_mutex_unlock(&pool->lock);
}

void pool_close_sessions(struct session_pool *pool)
{
    while (pool->n_idle > 0) {
        (void)P11(pool->module, C_CloseSession, pool->idle[--pool->n_idle]);
    }
    pool->n_open = 0;
}

void pool_forget_sessions(struct session_pool *pool)
{
    pool->n_idle = 0;
    pool->n_open = 0;
}
