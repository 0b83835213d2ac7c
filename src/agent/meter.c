/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/meter.h"

#include <stdlib.h>
#include <time.h>

#include "agent/journal.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "signer/signer.h"

const unsigned int meter_bounds_ms[METER_BUCKETS - 1] = { 1, 5, 10, 50, 100, 500, 1000, 5000, 10000 };

void duration_add(struct duration *duration, int64_t us)
{
    size_t i = 0;

    while (i < METER_BUCKETS - 1 && us > (int64_t)meter_bounds_ms[i] * 1000) {
        i++;
    }
    (void)atomic_fetch_add(&duration->counts[i], 1);
    (void)atomic_fetch_add(&duration->sum_us, (uint_fast64_t)(us > 0 ? us : 0));
}

static int64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Of this thread. */
static _Thread_local bool is_signing;
static _Thread_local bool is_slow;

/* A touch, or a slow token: whoever wonders where the answer stays can read it. */
static void note_slow(void *context, const char *call)
{
    struct meter *meter = context;

    if (is_signing && !is_slow && str_equal(call, "C_Sign")) {
        is_slow = true;
        (void)atomic_fetch_add(&meter->n_slow_signatures, 1);
    }
    log_warning(
        meter->log, "profile %s: %s takes its time: does the token wait for a touch?", meter->name, call);
}

static void note_pin_wanted(void *context, unsigned int tries)
{
    struct meter *meter = context;

    (void)atomic_fetch_or(&meter->pin_tries, tries);
    (void)atomic_fetch_add(&meter->n_pins_wanted, 1);
}

/* The calls themselves are the other process's to watch. */
static void ignore_enter(void *context, const char *call)
{
    (void)context;
    (void)call;
}

static void ignore_leave(void *context)
{
    (void)context;
}

void meter_init(struct meter *meter, const char *name, const struct keystay_log *log)
{
    meter->name = name;
    meter->log = log;
    meter->watch =
        (struct keystay_call_watch){ ignore_enter, ignore_leave, meter, note_slow, note_pin_wanted };
}

/* A signer that is another one, and counts. */
struct metered {
    struct keystay_signer base;   /* first: the seam casts */
    struct keystay_signer *inner; /* owned */
    struct meter *meter;
};

/* What must be true of a signature, signer_sign has seen to and will. */
static enum keystay_status sign_inner(
    struct metered *metered, const struct tbs *tbs, struct buf *ret_signature, struct keystay_error *err)
{
    is_signing = true;
    enum keystay_status status = metered->inner->ops->sign(metered->inner, tbs, ret_signature, err);
    is_signing = false;
    if (is_slow) {
        is_slow = false;
        (void)atomic_fetch_sub(&metered->meter->n_slow_signatures, 1);
    }
    return status;
}

static enum keystay_status sign(
    struct keystay_signer *base, const struct tbs *tbs, struct buf *ret_signature, struct keystay_error *err)
{
    struct metered *metered = (struct metered *)base;
    struct meter *meter = metered->meter;
    const int64_t begin_us = now_us();
    enum keystay_status status = sign_inner(metered, tbs, ret_signature, err);
    const int64_t took_us = now_us() - begin_us;

    if (status == KEYSTAY_OK) {
        duration_add(&meter->signed_, took_us);
        journal_note(
            meter->log, "profile %s: signed with key %s of token '%s' in %lld ms", meter->name,
            metered->base.info.key_uri_id, metered->base.info.token_label, (long long)took_us / 1000);
    } else {
        (void)atomic_fetch_add(&meter->n_failed, 1);
    }
    return status;
}

static enum keystay_status check(struct keystay_signer *base, struct keystay_error *err)
{
    return keystay_signer_check(((struct metered *)base)->inner, err);
}

static void lock(struct keystay_signer *base)
{
    keystay_signer_lock(((struct metered *)base)->inner);
}

static void close_metered(struct keystay_signer *base)
{
    keystay_signer_free(((struct metered *)base)->inner);
    free(base);
}

enum keystay_status meter_open(
    const void *config, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    static const struct signer_ops ops = { sign, check, lock, close_metered };
    const struct keystay_pkcs11_config *wanted = config;
    struct meter *meter = wanted->watch->context;
    struct metered *metered = calloc(1, sizeof(*metered));
    const int64_t begin_us = now_us();

    if (metered == NULL) {
        return err_no_memory(err);
    }
    enum keystay_status status = keystay_pkcs11_open(wanted, &metered->inner, err);
    if (status != KEYSTAY_OK) {
        (void)atomic_fetch_add(&meter->n_failed, 1);
        free(metered);
        return status;
    }
    duration_add(&meter->opened, now_us() - begin_us);
    metered->base = *metered->inner;
    metered->base.ops = &ops;
    metered->meter = meter;
    atomic_store(&meter->certificate_ends_s, metered->base.info.not_after_s);
    *ret_signer = &metered->base;
    return KEYSTAY_OK;
}

/* A transport that is another one, and counts. */
struct metered_transport {
    struct http_transport base;   /* first: the seam casts */
    struct http_transport *inner; /* owned */
    struct meter *meter;
};

static enum keystay_status exchange(
    struct http_transport *base, const struct http_request *request, struct http_response *ret_response,
    struct keystay_error *err)
{
    const struct metered_transport *metered = (struct metered_transport *)base;
    const int64_t begin_us = now_us();
    enum keystay_status status = metered->inner->ops->exchange(metered->inner, request, ret_response, err);

    if (status == KEYSTAY_OK) {
        duration_add(&metered->meter->exchanged, now_us() - begin_us);
    } else {
        (void)atomic_fetch_add(&metered->meter->n_not_exchanged, 1);
    }
    return status;
}

static void close_transport(struct http_transport *base)
{
    http_transport_freep(&((struct metered_transport *)base)->inner);
    free(base);
}

enum keystay_status meter_transport(
    struct http_transport *inner, void *context, struct http_transport **ret_transport,
    struct keystay_error *err)
{
    static const struct http_ops ops = { exchange, close_transport };
    struct metered_transport *metered = calloc(1, sizeof(*metered));

    if (metered == NULL) {
        http_transport_freep(&inner);
        return err_no_memory(err);
    }
    *metered = (struct metered_transport){ { &ops }, inner, context };
    *ret_transport = &metered->base;
    return KEYSTAY_OK;
}
