/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine that signs by default: straight on Cryptoki, with as few calls as a safe signature needs.
 *
 * Order matters: whatever can be refused without the token is refused before the module is loaded, whatever
 * can be refused without the PIN before it is read, and the PIN is sent once. The key's and the certificate's
 * fitness is known before anything is signed.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "pkcs11/cryptoki/certificate.h"
#include "pkcs11/cryptoki/discover.h"
#include "pkcs11/cryptoki/sign.h"
#include "pkcs11/engine.h"
#include "signer/signer.h"

struct cryptoki_signer {
    struct keystay_signer base; /* first: the signer interface casts */
    struct p11_settings settings;
    struct p11_link *link;
    struct p11_token token; /* as it was when it was opened */
    struct p11_key key;
    unsigned int key_generation; /* of key.handle */
    pthread_mutex_t key_lock;    /* over the two */
    struct mechanism_list mechanisms;
    struct sign_turnstile turnstile;
};

/* Of the files the one with the key's public key; a single one is also taken when the token does not tell. */
static enum keystay_status choose_file(
    const struct p11_session *session, struct cryptoki_signer *signer, struct keystay_error *err)
{
    struct p11_settings *settings = &signer->settings;

    for (size_t i = 0; i < settings->n_certificates; i++) {
        enum key_belongs belongs = key_belongs_to(&signer->key, settings->certificates[i]);
        if (belongs == KEY_BELONGS_YES || (belongs == KEY_BELONGS_UNKNOWN && settings->n_certificates == 1)) {
            signer->base.certificate = take_ptr(&settings->certificates[i]);
            return KEYSTAY_OK;
        }
    }
    return err_set_hint(
        err, KEYSTAY_E_KEY_MISMATCH,
        "choose the certificate that was issued for this key, or leave --certificate out: keystay then looks for it",
        "%s: the key id=%s '%s' and the certificate '%s'%s do not belong together", session->where,
        signer->key.id_text, signer->key.label, certificate_subject(settings->certificates[0]),
        settings->n_certificates > 1 ? " (and the others)" : "");
}

static enum keystay_status settle_certificate(
    const struct p11_session *session, struct cryptoki_signer *signer, struct keystay_error *err)
{
    struct p11_settings *settings = &signer->settings;

    if (signer->base.certificate != NULL) {
        return KEYSTAY_OK; /* from the work before a recovery */
    }
    if (settings->n_certificates > 1) {
        TRY(key_read_public(session, &signer->key, err)); /* one alone is proved by the first signature */
    }
    if (settings->n_certificates > 0) {
        return choose_file(session, signer, err);
    }
    TRY(token_certificate_find(
        session, &signer->key, settings->certificate_uri, &signer->base.certificate, err));
    return certificate_check(signer->base.certificate, settings->now_s, err);
}

static enum keystay_status settle_algorithms(
    const struct p11_session *session, struct cryptoki_signer *signer, struct keystay_error *err)
{
    const struct public_key *public_key = certificate_public_key(signer->base.certificate);

    TRY(mechanism_list_read(session, session->slot, &signer->key, &signer->mechanisms, err));
    signer->base.algs = mechanism_algs(&signer->mechanisms, signer->key.type) & key_algs(&signer->key) &
                        public_key_algs(public_key);
    if (signer->base.algs == 0) {
        return err_set_hint(
            err, KEYSTAY_E_ALGORITHM, "keystay signs with RSA of 2048 bits and more, P-256 and P-384",
            "%s: it offers no mechanism to sign an assertion with the key id=%s '%s' (%s, %u bits)",
            session->where, signer->key.id_text, signer->key.label, public_key_type_name(public_key),
            public_key_bits(public_key));
    }
    return KEYSTAY_OK;
}

/* Everything about the key, in the first session. A link_work. */
static enum keystay_status settle_key(
    const struct p11_session *session, unsigned int generation, void *context, bool *ret_is_broken,
    struct keystay_error *err)
{
    struct cryptoki_signer *signer = context;
    const struct p11_key_policy policy = {
        .allow_extractable = signer->settings.allow_extractable,
        .require_generated = signer->settings.require_generated,
    };

    (void)ret_is_broken;
    TRY(key_find(session, signer->settings.key, &signer->key, err));
    signer->key_generation = generation;
    TRY(choose_check_claims(&signer->key.claims, &policy, session->where, err));
    TRY(settle_certificate(session, signer, err));
    return settle_algorithms(session, signer, err);
}

static void fill_info(struct cryptoki_signer *signer)
{
    const struct certificate *certificate = signer->base.certificate;

    signer->token = link_token(signer->link);

    signer->base.info = (struct keystay_signer_info){
        .module = signer->settings.module_path,
        .token_label = signer->token.label,
        .token_serial = signer->token.serial,
        .key_label = signer->key.label,
        .key_uri_id = signer->key.id_text,
        .subject = certificate_subject(certificate),
        .key_bits = public_key_bits(certificate_public_key(certificate)),
        .not_after_s = certificate_not_after_s(certificate),
    };
}

static void log_choice(const struct cryptoki_signer *signer)
{
    const struct keystay_signer_info *info = &signer->base.info;
    char time[CLOCK_TEXT_SIZE];

    clock_format_utc(info->not_after_s, time);
    log_step(
        signer->settings.log, "module '%s', %s: key id=%s '%s', %u bits", info->module,
        link_where(signer->link), info->key_uri_id, info->key_label, info->key_bits);
    log_step(signer->settings.log, "certificate '%s', valid until %s", info->subject, time);
}

/* The key's handle in this generation: after a recovery it is looked up again, and must be the same key. */
static enum keystay_status current_handle(
    struct cryptoki_signer *signer, const struct p11_session *session, unsigned int generation,
    CK_OBJECT_HANDLE *ret_handle, struct keystay_error *err)
{
    enum keystay_status status = KEYSTAY_OK;

    (void)pthread_mutex_lock(&signer->key_lock);
    if (signer->key_generation != generation) {
        struct p11_key again;
        status = key_find(session, signer->settings.key, &again, err);
        if (status == KEYSTAY_OK && key_belongs_to(&again, signer->base.certificate) == KEY_BELONGS_NO) {
            status = err_set(
                err, KEYSTAY_E_KEY_MISMATCH, "%s: the key is another one than before", session->where);
        }
        if (status == KEYSTAY_OK) {
            signer->key.handle = again.handle;
            signer->key_generation = generation;
        }
    }
    *ret_handle = signer->key.handle;
    (void)pthread_mutex_unlock(&signer->key_lock);
    return status;
}

struct sign_work {
    struct cryptoki_signer *signer;
    struct sign_job job;
    struct buf *signature;
};

/* A link_work. */
static enum keystay_status sign_work(
    const struct p11_session *session, unsigned int generation, void *context, bool *ret_is_broken,
    struct keystay_error *err)
{
    struct sign_work *work = context;

    TRY(current_handle(work->signer, session, generation, &work->job.handle, err));
    if (work->signer->key.always_authenticate && work->job.context_pin == NULL) {
        work->job.context_pin = link_kept_pin(work->signer->link);
    }
    return sign_in_session(session, &work->job, work->signature, ret_is_broken, err);
}

/* A key that wants its PIN for each signature gets the login's where that is allowed, or cannot be asked
 * again. */
static bool uses_kept_pin(const struct cryptoki_signer *signer)
{
    const struct pin_policy *policy = &signer->settings.pin;

    return (policy->reuse || policy->source.kind == PIN_SOURCE_FD) && link_has_kept_pin(signer->link);
}

static enum keystay_status engine_sign(
    struct keystay_signer *base, const struct tbs *tbs, struct buf *ret_signature, struct keystay_error *err)
{
    struct cryptoki_signer *signer = (struct cryptoki_signer *)base;
    const struct pin_policy *policy = &signer->settings.pin;
    const struct pin_target target = { &signer->token.info, link_where(signer->link),
                                       ", once more: this key wants it for each signature",
                                       "C_Login (context specific)" };
    CLEANUP(secret_clear) struct secret fresh = { 0 };
    struct sign_work work = {
        .signer = signer,
        .job = {
            .key = &signer->key,
            .mechanisms = &signer->mechanisms,
            .task = { alg_by_id(tbs->alg), tbs->input, base->info.key_bits },
            .turnstile = &signer->turnstile,
            .policy = policy,
            .target = &target,
            .log = signer->settings.log,
        },
        .signature = ret_signature,
    };

    if (signer->key.always_authenticate && !uses_kept_pin(signer)) {
        TRY(pin_obtain(policy, &target, signer->settings.log, &fresh, err));
        work.job.context_pin = &fresh;
    }
    return link_use(signer->link, sign_work, &work, err);
}

static enum keystay_status engine_check(struct keystay_signer *base, struct keystay_error *err)
{
    return link_check(((struct cryptoki_signer *)base)->link, err);
}

static void engine_lock(struct keystay_signer *base)
{
    link_lock(((struct cryptoki_signer *)base)->link);
}

static void engine_close(struct keystay_signer *base)
{
    struct cryptoki_signer *signer = (struct cryptoki_signer *)base;

    link_close(signer->link);
    certificate_free(base->certificate);
    p11_settings_clear(&signer->settings);
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
    opened = &signer->base;
    opened->ops = &engine_ops;
    signer->settings = *settings;
    *settings = (struct p11_settings){ 0 };
    (void)pthread_mutex_init(&signer->key_lock, NULL);
    (void)pthread_rwlock_init(&signer->turnstile.lock, NULL);
    if (signer->settings.module_path == NULL) {
        TRY(discover_module(&signer->settings, err));
    }
    TRY(link_open(&signer->settings, &signer->link, err));
    TRY(link_use(signer->link, settle_key, signer, err));
    fill_info(signer);
    log_choice(signer);
    *ret_signer = take_ptr(&opened);
    return KEYSTAY_OK;
}

const struct p11_engine cryptoki_engine = { "cryptoki", engine_open };
