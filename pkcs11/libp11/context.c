/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/libp11/context.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "pkcs11/gate.h"
#include "pkcs11/libp11/pin_ui.h"
#include "pkcs11/libp11/queue.h"

enum {
    POOL_OF_LIBP11 = 16, /* sessions that it opens for a slot; fixed */
    CLIMB_EVERY_MS = 30000,
    CLIMB_FAILED_MS = 1000,
};

struct p11_context {
    struct p11_context *next;
    char *path;
    char *args; /* NULL: none */
    size_t n_users;
    struct context_hold *holds;
    PKCS11_CTX *ctx; /* NULL: not loaded */
    PKCS11_SLOT *slots;
    unsigned int n_slots;
    unsigned int generation;
    pid_t pid;               /* of the process that loaded it */
    int64_t may_climb_at_ms; /* by the monotonic clock */
    pthread_rwlock_t gate;
    pthread_mutex_t place_lock; /* over the two below */
    pthread_cond_t has_place;
    size_t places;
    size_t n_taken;
};

/* All that are in use, and the lock over the list and the counts. */
static struct p11_context *all_contexts;
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;

void context_enter(const struct keystay_call_watch *watch, const char *call)
{
    if (watch != NULL && watch->enter != NULL) {
        watch->enter(watch->context, call);
    }
}

int context_leave(const struct keystay_call_watch *watch, int result)
{
    if (watch != NULL && watch->leave != NULL) {
        watch->leave(watch->context);
    }
    return result;
}

static void context_freep(struct p11_context **context)
{
    if (*context != NULL) {
        (void)pthread_rwlock_destroy(&(*context)->gate);
        (void)pthread_mutex_destroy(&(*context)->place_lock);
        (void)pthread_cond_destroy(&(*context)->has_place);
        free((*context)->path);
        free((*context)->args);
        free(*context);
    }
}

/* NULL when memory is out. */
static struct p11_context *context_new(const char *path, const char *args)
{
    CLEANUP(context_freep) struct p11_context *context = calloc(1, sizeof(*context));

    if (context == NULL) {
        return NULL;
    }
    gate_init(&context->gate);
    (void)pthread_mutex_init(&context->place_lock, NULL);
    (void)pthread_cond_init(&context->has_place, NULL);
    context->places = POOL_OF_LIBP11;
    context->pid = getpid();
    context->path = strdup(path);
    context->args = args == NULL ? NULL : strdup(args);
    if (context->path == NULL || (args != NULL && context->args == NULL)) {
        return NULL;
    }
    return take_ptr(&context);
}

static struct p11_context *find(const char *path)
{
    for (struct p11_context *context = all_contexts; context != NULL; context = context->next) {
        if (str_equal(context->path, path) && context_is_own(context)) {
            return context;
        }
    }
    return NULL;
}

enum keystay_status context_join(
    const char *path, const char *args, struct context_hold *hold, struct p11_context **ret_context,
    struct keystay_error *err)
{
    (void)pthread_mutex_lock(&all_lock);
    struct p11_context *context = find(path);
    if (context == NULL) {
        context = context_new(path, args);
        if (context == NULL) {
            (void)pthread_mutex_unlock(&all_lock);
            return err_no_memory(err);
        }
        context->next = all_contexts;
        all_contexts = context;
    }
    context->n_users++;
    (void)pthread_mutex_unlock(&all_lock);
    (void)pthread_rwlock_wrlock(&context->gate);
    hold->next = context->holds;
    context->holds = hold;
    (void)pthread_rwlock_unlock(&context->gate);
    *ret_context = context;
    return KEYSTAY_OK;
}

static void forget(struct p11_context *context)
{
    for (struct p11_context **at = &all_contexts; *at != NULL; at = &(*at)->next) {
        if (*at == context) {
            *at = context->next;
            break;
        }
    }
    context_freep(&context);
}

static void drop_hold(struct p11_context *context, const struct context_hold *hold)
{
    for (struct context_hold **at = &context->holds; *at != NULL; at = &(*at)->next) {
        if (*at == hold) {
            *at = hold->next;
            return;
        }
    }
}

void context_part(
    struct p11_context *context, struct context_hold *hold, const struct keystay_call_watch *watch)
{
    if (context == NULL || !context_is_own(context)) {
        return; /* in a child every call would have libp11 log in again: what it has is left to the exit */
    }
    (void)pthread_mutex_lock(&all_lock);
    (void)pthread_rwlock_wrlock(&context->gate);
    bool is_last = --context->n_users == 0;
    if (is_last) {
        context_unload(context, watch);
    }
    EVP_PKEY_free(hold->key);
    *hold = (struct context_hold){ .next = hold->next };
    drop_hold(context, hold);
    (void)pthread_rwlock_unlock(&context->gate);
    if (is_last) {
        forget(context);
    }
    (void)pthread_mutex_unlock(&all_lock);
}

pthread_rwlock_t *context_gate(const struct p11_context *context)
{
    return drop_const(&context->gate);
}

unsigned int context_generation(const struct p11_context *context)
{
    return context->generation;
}

bool context_is_own(const struct p11_context *context)
{
    return context->pid == getpid();
}

PKCS11_SLOT *context_slots(const struct p11_context *context, unsigned int *ret_n)
{
    *ret_n = context->n_slots;
    return context->slots;
}

static enum keystay_status load(
    struct p11_context *context, const struct keystay_call_watch *watch, struct keystay_error *err)
{
    PKCS11_CTX *ctx = PKCS11_CTX_new();

    if (ctx == NULL) {
        return err_no_memory(err);
    }
    PKCS11_CTX_init_args(ctx, context->args);
    (void)PKCS11_set_ui_method(ctx, pin_ui_method(), NULL);
    ERR_clear_error();
    if (LIB11(watch, PKCS11_CTX_load, ctx, context->path) != 0) {
        CK_RV rv = queue_take();
        PKCS11_CTX_free(ctx); /* and no PKCS11_CTX_unload: after a load that failed it crashes */
        return queue_error(rv, "C_Initialize (libp11)", context->path, err);
    }
    ERR_clear_error(); /* a load that went well leaves entries behind */
    context->ctx = ctx;
    return KEYSTAY_OK;
}

enum keystay_status context_raise(
    struct p11_context *context, const struct keystay_call_watch *watch, struct keystay_error *err)
{
    PKCS11_SLOT *slots = NULL;
    unsigned int n = 0;

    if (context->ctx == NULL) {
        TRY(load(context, watch, err));
    }
    if (context->slots != NULL) {
        return KEYSTAY_OK;
    }
    ERR_clear_error();
    if (LIB11(watch, PKCS11_enumerate_slots, context->ctx, &slots, &n) != 0) {
        return queue_error(queue_take(), "C_GetSlotList (libp11)", context->path, err);
    }
    context->slots = slots;
    context->n_slots = n;
    return KEYSTAY_OK;
}

void context_release(struct p11_context *context, const struct keystay_call_watch *watch)
{
    for (struct context_hold *hold = context->holds; hold != NULL; hold = hold->next) {
        EVP_PKEY_free(hold->key);
        hold->key = NULL;
        hold->slot = NULL;
    }
    context->generation++;
    if (context->slots != NULL) {
        context_enter(watch, "PKCS11_release_all_slots");
        PKCS11_release_all_slots(context->ctx, context->slots, context->n_slots);
        (void)context_leave(watch, 0);
        context->slots = NULL;
        context->n_slots = 0;
    }
    ERR_clear_error();
}

void context_unload(struct p11_context *context, const struct keystay_call_watch *watch)
{
    context_release(context, watch);
    if (context->ctx != NULL) {
        context_enter(watch, "PKCS11_CTX_unload");
        PKCS11_CTX_unload(context->ctx);
        (void)context_leave(watch, 0);
        PKCS11_CTX_free(context->ctx);
        context->ctx = NULL;
    }
    ERR_clear_error();
}

bool context_has_other_keys(const struct p11_context *context, const struct context_hold *mine)
{
    for (const struct context_hold *hold = context->holds; hold != NULL; hold = hold->next) {
        if (hold != mine && hold->key != NULL) {
            return true;
        }
    }
    return false;
}

bool context_may_climb(const struct p11_context *context)
{
    return clock_monotonic_ms() >= context->may_climb_at_ms;
}

void context_note_climb(struct p11_context *context, bool must_wait)
{
    context->may_climb_at_ms = clock_monotonic_ms() + (must_wait ? CLIMB_EVERY_MS : CLIMB_FAILED_MS);
}

void context_limit(struct p11_context *context, size_t limit)
{
    (void)pthread_mutex_lock(&context->place_lock);
    if (limit > 0 && limit < context->places) {
        context->places = limit;
    }
    (void)pthread_mutex_unlock(&context->place_lock);
}

size_t context_places(struct p11_context *context)
{
    (void)pthread_mutex_lock(&context->place_lock);
    size_t places = context->places;
    (void)pthread_mutex_unlock(&context->place_lock);
    return places;
}

void context_take_place(struct p11_context *context)
{
    (void)pthread_mutex_lock(&context->place_lock);
    while (context->n_taken >= context->places) {
        (void)pthread_cond_wait(&context->has_place, &context->place_lock);
    }
    context->n_taken++;
    (void)pthread_mutex_unlock(&context->place_lock);
}

void context_give_place(struct p11_context *context)
{
    (void)pthread_mutex_lock(&context->place_lock);
    context->n_taken--;
    (void)pthread_cond_signal(&context->has_place);
    (void)pthread_mutex_unlock(&context->place_lock);
}
