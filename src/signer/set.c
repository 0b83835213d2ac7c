/* SPDX-License-Identifier: Apache-2.0 */
#include "signer/set.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"

struct member {
    struct signer_candidate candidate;
    struct keystay_signer *signer; /* owned; NULL until it is opened */
    int64_t probe_at_ms;           /* put aside until then; 0: not */
    bool is_out;                   /* put aside for good */
};

struct signer_set {
    struct keystay_signer base; /* first: the interface casts */
    signer_opener open;
    int64_t (*now_ms)(void);
    const struct keystay_log *log;
    pthread_mutex_t lock; /* over members, while one is opened too: nobody else may try its PIN meanwhile */
    size_t n;
    struct member members[SIGNER_SET_MAX];
};

static void set_close(struct keystay_signer *base)
{
    struct signer_set *set = (struct signer_set *)base;

    for (size_t i = 0; i < set->n; i++) {
        keystay_signer_free(set->members[i].signer);
    }
    (void)pthread_mutex_destroy(&set->lock);
    free(set);
}

/* A set has no certificate of its own: signer_with picks a key first. */
static enum keystay_status set_sign(
    struct keystay_signer *base, const struct tbs *tbs, struct buf *ret_signature, struct keystay_error *err)
{
    (void)base;
    (void)tbs;
    (void)ret_signature;
    return err_set(err, KEYSTAY_E_INTERNAL, "a set of keys was to sign as if it were one");
}

/* One key that works is enough. */
static enum keystay_status check_one(struct keystay_signer *signer, void *context, struct keystay_error *err)
{
    (void)context;
    return keystay_signer_check(signer, err);
}

static enum keystay_status set_check(struct keystay_signer *base, struct keystay_error *err)
{
    return signer_with(base, check_one, NULL, err);
}

static void set_lock(struct keystay_signer *base)
{
    struct signer_set *set = (struct signer_set *)base;

    (void)pthread_mutex_lock(&set->lock);
    for (size_t i = 0; i < set->n; i++) {
        if (set->members[i].signer != NULL) {
            keystay_signer_lock(set->members[i].signer);
        }
    }
    (void)pthread_mutex_unlock(&set->lock);
}

static const struct signer_ops set_ops = { set_sign, set_check, set_lock, set_close };

enum keystay_status signer_set_new(
    const struct signer_candidate *candidates, size_t n, signer_opener open, int64_t (*now_ms)(void),
    const struct keystay_log *log, struct keystay_signer **ret_set, struct keystay_error *err)
{
    if (n == 0 || n > SIGNER_SET_MAX) {
        return err_set(err, KEYSTAY_E_CONFIG, "between one and %d keys can be given", SIGNER_SET_MAX);
    }
    struct signer_set *set = calloc(1, sizeof(*set));
    if (set == NULL) {
        return err_no_memory(err);
    }
    set->base.ops = &set_ops;
    set->open = open;
    set->now_ms = now_ms;
    set->log = log;
    set->n = n;
    (void)pthread_mutex_init(&set->lock, NULL);
    for (size_t i = 0; i < n; i++) {
        set->members[i].candidate = candidates[i];
    }
    *ret_set = &set->base;
    return KEYSTAY_OK;
}

/* With the lock held. */
static void note(struct signer_set *set, struct member *member, enum keystay_status status)
{
    member->is_out = member->is_out || err_is_about_pin(status);
    member->probe_at_ms = status == KEYSTAY_OK ? 0 : set->now_ms() + SIGNER_PROBE_AFTER_MS;
}

/* Opening and its outcome are one step under the lock: nobody else may try the same PIN meanwhile. */
static enum keystay_status open_member(
    struct signer_set *set, struct member *member, struct keystay_signer **ret_signer,
    struct keystay_error *err)
{
    enum keystay_status status = KEYSTAY_OK;

    (void)pthread_mutex_lock(&set->lock);
    if (member->is_out) {
        status = err_set(err, KEYSTAY_E_PIN_REFUSED, "it is out of use because of its PIN");
    } else if (member->signer == NULL) {
        status = set->open(member->candidate.config, &member->signer, err);
    }
    if (status != KEYSTAY_OK) {
        note(set, member, status);
    }
    *ret_signer = member->signer;
    (void)pthread_mutex_unlock(&set->lock);
    return status;
}

static bool is_aside(struct signer_set *set, const struct member *member)
{
    (void)pthread_mutex_lock(&set->lock);
    bool aside = member->is_out || set->now_ms() < member->probe_at_ms;
    (void)pthread_mutex_unlock(&set->lock);
    return aside;
}

static bool is_out(struct signer_set *set, const struct member *member)
{
    (void)pthread_mutex_lock(&set->lock);
    bool out = member->is_out;
    (void)pthread_mutex_unlock(&set->lock);
    return out;
}

static enum keystay_status try_member(
    struct signer_set *set, struct member *member, signer_work work, void *context, struct keystay_error *err)
{
    struct keystay_signer *one = NULL;

    TRY(open_member(set, member, &one, err));
    enum keystay_status status = work(one, context, err);
    (void)pthread_mutex_lock(&set->lock);
    note(set, member, status);
    (void)pthread_mutex_unlock(&set->lock);
    return status;
}

static void add_reason(
    const struct member *member, const struct keystay_error *reason, struct keystay_error *all)
{
    if (all->status == KEYSTAY_OK) {
        *all = *reason;
        (void)err_set_hint(all, reason->status, reason->hint, "no key could sign:");
        all->ck_rv = reason->ck_rv;
    }
    err_append(all, "\n  %s: %s", member->candidate.name, reason->message);
}

/* Those that are ready, in order; with probe_all also those that were put aside, but never those that are
 * out. */
static enum keystay_status try_members(
    struct signer_set *set, bool probe_all, signer_work work, void *context, struct keystay_error *all)
{
    for (size_t i = 0; i < set->n; i++) {
        struct member *member = &set->members[i];
        struct keystay_error reason = { 0 };

        if (probe_all ? is_out(set, member) : is_aside(set, member)) {
            continue;
        }
        enum keystay_status status = try_member(set, member, work, context, &reason);
        if (status == KEYSTAY_OK || status == KEYSTAY_E_INTERRUPTED) {
            *all = reason;
            return status; /* a person who interrupts means all of it */
        }
        log_warning(set->log, "key %s: %s", member->candidate.name, reason.message);
        add_reason(member, &reason, all);
    }
    return all->status == KEYSTAY_OK ? KEYSTAY_E_INTERNAL : all->status; /* internal: there was none to try */
}

enum keystay_status signer_with(
    struct keystay_signer *signer, signer_work work, void *context, struct keystay_error *err)
{
    struct keystay_error all = { 0 };

    if (signer->ops != &set_ops) {
        return work(signer, context, err);
    }
    struct signer_set *set = (struct signer_set *)signer;
    enum keystay_status status = try_members(set, false, work, context, &all);
    if (status != KEYSTAY_OK && all.status == KEYSTAY_OK) {
        status = try_members(
            set, true, work, context, &all); /* every one is aside: better to probe than to give up */
    }
    if (status != KEYSTAY_OK && all.status == KEYSTAY_OK) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_REFUSED, "see to the PINs, then start it again",
            "every key is out of use because of its PIN");
    }
    if (status != KEYSTAY_OK && err != NULL) {
        *err = all;
    }
    return status;
}
