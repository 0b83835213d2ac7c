/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second engine: libp11 signs. It is for comparison and for tokens that somebody trusts it with, and for
 * a process of its own: see libp11.h for what libp11 cannot do.
 *
 * Two steps, never both at once. First everything is settled as for the other engine, with Cryptoki, since
 * libp11 reads neither a key's claims nor mechanisms; then the module is finalised and libp11 has it alone,
 * to log in, to find the same token and key, and to sign. The PIN that was accepted in the first step is
 * sent again in the second.
 */
#include "pkcs11/libp11/libp11.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "pkcs11/cryptoki/discover.h"
#include "pkcs11/libp11/evp_sign.h"
#include "pkcs11/libp11/tie.h"

struct libp11_signer {
    struct p11_signer settled; /* first: the signer interface casts */
    struct tie tie;
};

static enum keystay_status engine_sign(
    struct keystay_signer *base, const struct tbs *tbs, struct buf *ret_signature, struct keystay_error *err)
{
    struct libp11_signer *signer = (struct libp11_signer *)base;
    const struct p11_signer *settled = &signer->settled;
    const struct pin_target target = settle_context_target(settled, signer->tie.where);
    CLEANUP(secret_clear) struct secret pin = { 0 };
    struct evp_job job = { .alg = alg_by_id(tbs->alg), .input = tbs->input, .signature = ret_signature };

    if (settled->key.always_authenticate) {
        TRY(tie_kept_pin(&signer->tie, &pin, err));
        if (pin.len == 0) {
            TRY(pin_obtain(&settled->settings.pin, &target, settled->settings.log, &pin, err));
        }
        job.context_pin = &pin;
    }
    return tie_use(&signer->tie, evp_sign, &job, err);
}

static enum keystay_status engine_check(struct keystay_signer *base, struct keystay_error *err)
{
    return tie_check(&((struct libp11_signer *)base)->tie, err);
}

static void engine_lock(struct keystay_signer *base)
{
    tie_lock(&((struct libp11_signer *)base)->tie);
}

static void engine_close(struct keystay_signer *base)
{
    struct libp11_signer *signer = (struct libp11_signer *)base;

    context_part(signer->tie.context, &signer->tie.hold, signer->settled.settings.watch);
    secret_clear(&signer->tie.pin);
    (void)pthread_mutex_destroy(&signer->tie.climb_lock);
    settle_clear(&signer->settled);
    free(signer);
}

static const struct signer_ops engine_ops = { engine_sign, engine_check, engine_lock, engine_close };

/* Of what is settled, what libp11 can do as well. */
static enum keystay_status narrow_algs(
    struct p11_signer *settled, const char *where, struct keystay_error *err)
{
    settled->base.algs &= evp_algs(&settled->mechanisms);
    if (settled->base.algs == 0) {
        return err_set_hint(
            err, KEYSTAY_E_ALGORITHM, "leave --engine libp11 out for this token: the other engine can",
            "%s: libp11 signs with CKM_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_RSA_X_509 and CKM_ECDSA, and there is none",
            where);
    }
    return KEYSTAY_OK;
}

/* The first step. With the context's gate held for writing, and nothing loaded in it. */
static enum keystay_status settle_first(
    struct p11_settings *settings, struct libp11_signer *signer, struct keystay_error *err)
{
    struct p11_signer *settled = &signer->settled;

    settings->pin.keep = true; /* for the second step */
    TRY(settle(settings, settled, err));
    settled->settings.pin.keep = false;
    (void)snprintf(signer->tie.where, sizeof(signer->tie.where), "%s", link_where(settled->link));
    TRY(narrow_algs(settled, signer->tie.where, err));
    if (!link_is_alone(settled->link)) {
        return err_set(
            err, KEYSTAY_E_MODULE,
            "module '%s': another signer of this process uses it with the cryptoki engine",
            settled->settings.module_path);
    }
    link_take_pin(settled->link, &signer->tie.pin);
    link_close(take_ptr(&settled->link));
    return KEYSTAY_OK;
}

/* Others who use the module through libp11 wait, and log in again afterwards. */
static enum keystay_status open_alone(
    struct p11_settings *settings, struct libp11_signer *signer, struct keystay_error *err)
{
    struct p11_context *context = signer->tie.context;

    (void)pthread_rwlock_wrlock(context_gate(context));
    context_unload(context, settings->watch);
    enum keystay_status status = settle_first(settings, signer, err);
    status = status != KEYSTAY_OK ? status : tie_first(&signer->tie, err);
    link_close(take_ptr(&signer->settled.link)); /* there is one after a failure only */
    (void)pthread_rwlock_unlock(context_gate(context));
    return status;
}

static enum keystay_status engine_open(
    struct p11_settings *settings, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    CLEANUP(p11_settings_clear) struct p11_settings own = *settings;
    CLEANUP(signer_freep) struct keystay_signer *opened = NULL;
    struct libp11_signer *signer = calloc(1, sizeof(*signer));

    *settings = (struct p11_settings){ 0 };
    if (signer == NULL) {
        return err_no_memory(err);
    }
    opened = &signer->settled.base;
    opened->ops = &engine_ops;
    (void)pthread_mutex_init(&signer->tie.climb_lock, NULL);
    signer->tie.settled = &signer->settled;
    if (own.module_path == NULL) {
        TRY(discover_module(&own, err));
    }
    TRY(context_join(own.module_path, own.module_args, &signer->tie.hold, &signer->tie.context, err));
    TRY(open_alone(&own, signer, err));
    *ret_signer = take_ptr(&opened);
    return KEYSTAY_OK;
}

const struct p11_engine libp11_engine = { "libp11", engine_open };
