/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine that signs by default: straight on Cryptoki, with as few calls as a safe signature needs.
 * What comes before the first is settle.h's.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/error.h"
#include "pkcs11/cryptoki/settle.h"
#include "pkcs11/cryptoki/sign.h"
#include "pkcs11/engine.h"
#include "signer/signer.h"

struct cryptoki_signer {
    struct p11_signer settled; /* first: the signer interface casts */
    pthread_mutex_t key_lock;  /* over settled.key.handle and its generation */
    struct sign_turnstile turnstile;
};

/* That fail, in one signature: each may have counted as a wrong PIN, whatever the module said of it. */
enum { CONTEXT_LOGINS_MAX = 2 };

/*
 * Looks the key up again after a recovery: it must be the same one. That it is not to be found is no fault of
 * the configuration now: it was there, so the login is gone or the token is another one, and another climb
 * may help.
 */
static enum keystay_status find_again(
    const struct p11_signer *settled, const struct p11_session *session, struct p11_key *ret_key,
    struct keystay_error *err)
{
    enum keystay_status status = key_find(session, settled->settings.key, ret_key, err);

    if (status == KEYSTAY_E_KEY_NOT_FOUND) {
        status = err_set_hint(
            err, KEYSTAY_E_MODULE, "is it the same token? then start this program again",
            "%s: the key was there before and is not found now", session->where);
        if (err != NULL) {
            err->ck_rv = CKR_KEY_HANDLE_INVALID;
        }
    }
    TRY(status);
    if (key_is_half_of(ret_key, signer_public_key(&settled->base)) == KEY_BELONGS_NO) {
        return err_set_hint(
            err, KEYSTAY_E_KEY_MISMATCH, "start this program again to use the new key and its certificate",
            "%s: the key is another one than before", session->where);
    }
    return KEYSTAY_OK;
}

/* The key's handle in this generation. */
static enum keystay_status current_handle(
    struct cryptoki_signer *signer, const struct p11_session *session, unsigned int generation,
    CK_OBJECT_HANDLE *ret_handle, struct keystay_error *err)
{
    struct p11_signer *settled = &signer->settled;
    enum keystay_status status = KEYSTAY_OK;

    (void)pthread_mutex_lock(&signer->key_lock);
    if (settled->key_generation != generation) {
        struct p11_key again;

        status = find_again(settled, session, &again, err);
        if (status == KEYSTAY_OK) {
            settled->key.handle = again.handle;
            settled->key_generation = generation;
        }
    }
    *ret_handle = settled->key.handle;
    (void)pthread_mutex_unlock(&signer->key_lock);
    return status;
}

struct sign_work {
    struct cryptoki_signer *signer;
    struct sign_job job;
    struct buf *signature;
    unsigned int n_login_failures;
    struct keystay_error login_error; /* the last one's */
};

/* A link_work. */
static enum keystay_status sign_work(
    const struct p11_session *session, unsigned int generation, void *context, bool *ret_is_broken,
    struct keystay_error *err)
{
    struct sign_work *work = context;
    const struct p11_signer *settled = &work->signer->settled;

    TRY(current_handle(work->signer, session, generation, &work->job.handle, err));
    if (work->n_login_failures >= CONTEXT_LOGINS_MAX) {
        if (err != NULL) {
            *err = work->login_error;
        }
        return work->login_error.status;
    }
    if (settled->key.always_authenticate && work->job.context_pin == NULL) {
        work->job.context_pin = link_kept_pin(settled->link);
    }
    bool has_login_failed = false;
    work->job.has_login_failed = &has_login_failed;
    enum keystay_status status = sign_in_session(session, &work->job, work->signature, ret_is_broken, err);
    if (has_login_failed) {
        work->n_login_failures++;
        work->login_error = *err;
    }
    return status;
}

static bool uses_kept_pin(const struct p11_signer *settled)
{
    return settle_may_reuse_pin(settled) && link_has_kept_pin(settled->link);
}

static enum keystay_status engine_sign(
    struct keystay_signer *base, const struct tbs *tbs, struct buf *ret_signature, struct keystay_error *err)
{
    struct cryptoki_signer *signer = (struct cryptoki_signer *)base;
    struct p11_signer *settled = &signer->settled;
    const struct pin_policy *policy = &settled->settings.pin;
    const struct pin_target target = settle_context_target(settled, link_where(settled->link));
    CLEANUP(secret_clear) struct secret fresh = { 0 };
    struct sign_work work = {
        .signer = signer,
        .job = {
            .key = &settled->key,
            .mechanisms = &settled->mechanisms,
            .task = { alg_by_id(tbs->alg), tbs->input, base->info.key_bits },
            .turnstile = &signer->turnstile,
            .policy = policy,
            .target = &target,
            .log = settled->settings.log,
        },
        .signature = ret_signature,
    };

    if (settled->key.always_authenticate && !uses_kept_pin(settled)) {
        TRY(pin_obtain(policy, &target, settled->settings.log, &fresh, err));
        work.job.context_pin = &fresh;
    }
    return link_use(settled->link, sign_work, &work, err);
}

static enum keystay_status engine_check(struct keystay_signer *base, struct keystay_error *err)
{
    return link_check(((struct cryptoki_signer *)base)->settled.link, err);
}

static void engine_lock(struct keystay_signer *base)
{
    link_lock(((struct cryptoki_signer *)base)->settled.link);
}

static void engine_close(struct keystay_signer *base)
{
    struct cryptoki_signer *signer = (struct cryptoki_signer *)base;

    settle_clear(&signer->settled);
    (void)pthread_mutex_destroy(&signer->key_lock);
    (void)pthread_rwlock_destroy(&signer->turnstile.lock);
    free(signer);
}

static const struct signer_ops engine_ops = { engine_sign, engine_check, engine_lock, engine_close };

static enum keystay_status engine_open(
    struct p11_settings *settings, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    CLEANUP(signer_freep) struct keystay_signer *opened = NULL;
    struct cryptoki_signer *signer = calloc(1, sizeof(*signer));

    if (signer == NULL) {
        p11_settings_clear(settings);
        return err_no_memory(err);
    }
    opened = &signer->settled.base;
    opened->ops = &engine_ops;
    (void)pthread_mutex_init(&signer->key_lock, NULL);
    (void)pthread_rwlock_init(&signer->turnstile.lock, NULL);
    TRY(settle(settings, &signer->settled, err));
    *ret_signer = take_ptr(&opened);
    return KEYSTAY_OK;
}

const struct p11_engine cryptoki_engine = { "cryptoki", engine_open };
