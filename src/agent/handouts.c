/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of atomics: a place is written once, its hash last, and is there until the end. What two share a
 * hash, of 64 bits with a seed that nobody knows, are taken for one.
 */
#include "agent/handouts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/journal.h"
#include "base/clock.h"
#include "base/error.h"
#include "crypto/random.h"

enum { PLACES = 2 * HANDOUTS_MAX, TEXT_SIZE = 384, MINUTE_MS = 60000 };

static const char other_scopes[] = "(others)";

struct place {
    _Atomic uint64_t hash; /* 0: free, and so are all behind it that a look-up would come to */
    atomic_ulong n;        /* but for the first */
    atomic_llong last_s;
    unsigned long n_told; /* the ticker's own */
    uid_t uid;
    bool is_assertion;
    char *unit; /* owned, as all below */
    char *profile;
    char *scope; /* NULL: the profile's own */
};

struct handouts {
    const struct keystay_log *log; /* borrowed */
    uint64_t seed;
    struct place *places;
    atomic_size_t n_known;
    atomic_ulong n_others;   /* once there are too many */
    pthread_mutex_t writing; /* one at a time */
    int64_t tell_at_ms;      /* the ticker's own */
};

enum keystay_status handouts_new(
    const struct keystay_log *log, struct handouts **ret_handouts, struct keystay_error *err)
{
    CLEANUP(handouts_freep) struct handouts *handouts = calloc(1, sizeof(*handouts));

    if (handouts == NULL) {
        return err_no_memory(err);
    }
    handouts->log = log;
    (void)pthread_mutex_init(&handouts->writing, NULL);
    handouts->places = calloc(PLACES, sizeof(*handouts->places));
    if (handouts->places == NULL) {
        return err_no_memory(err);
    }
    TRY(random_bytes((uint8_t *)&handouts->seed, sizeof(handouts->seed), err));
    *ret_handouts = take_ptr(&handouts);
    return KEYSTAY_OK;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 32);
}

/* Eight bytes at a time; its length is part of it, so that no two parts run into each other. */
static uint64_t mix_text(uint64_t hash, const char *text)
{
    size_t left = text == NULL ? 0 : strlen(text);
    uint64_t word = 0;

    hash = mix(hash, text == NULL ? UINT64_MAX : left);
    for (; left >= sizeof(word); left -= sizeof(word), text += sizeof(word)) {
        memcpy(&word, text, sizeof(word));
        hash = mix(hash, word);
    }
    if (left > 0) {
        word = 0;
        memcpy(&word, text, left);
        hash = mix(hash, word);
    }
    return hash;
}

static uint64_t hash_of(const struct handouts *handouts, const struct handout *handout)
{
    uint64_t hash = mix(handouts->seed, ((uint64_t)handout->to->uid << 1) | handout->is_assertion);

    hash = mix_text(hash, handout->to->unit);
    hash = mix_text(hash, handout->profile);
    hash = mix_text(hash, handout->scope);
    hash = mix(hash, handouts->seed);
    return hash == 0 ? 1 : hash;
}

/* The place of a hash, or the free one where it would be. There is always one: half of them stay free. */
static struct place *find(const struct handouts *handouts, uint64_t hash)
{
    size_t i = (size_t)hash & (PLACES - 1);

    for (;;) {
        const uint64_t there = atomic_load_explicit(&handouts->places[i].hash, memory_order_acquire);

        if (there == hash || there == 0) {
            return &handouts->places[i];
        }
        i = (i + 1) & (PLACES - 1);
    }
}

/* A scope is as long as its caller likes, and there are many of them. */
static bool fill(struct place *place, const struct handout *handout)
{
    place->uid = handout->to->uid;
    place->is_assertion = handout->is_assertion;
    place->unit = strdup(handout->to->unit);
    place->profile = strdup(handout->profile);
    place->scope = handout->scope == NULL ? NULL : strndup(handout->scope, HANDOUTS_SCOPE_SHOWN_MAX);
    return place->unit != NULL && place->profile != NULL &&
           (place->scope != NULL) == (handout->scope != NULL);
}

static void empty(struct place *place)
{
    free(place->unit);
    free(place->profile);
    free(place->scope);
    place->unit = place->profile = place->scope = NULL;
}

static void describe(const struct place *place, char ret_text[TEXT_SIZE])
{
    (void)snprintf(
        ret_text, TEXT_SIZE, "profile %s: %s for user %u%s%s, %s%s", place->profile,
        place->is_assertion ? "assertions" : "tokens", (unsigned int)place->uid,
        place->unit[0] == '\0' ? "" : ", unit ", place->unit,
        place->scope == NULL ? "its own scope" : "scope ", place->scope == NULL ? "" : place->scope);
}

/* Under the lock. */
static size_t count_of(const struct handouts *handouts, uid_t uid)
{
    size_t n = 0;

    for (size_t i = 0; i < PLACES; i++) {
        n += atomic_load(&handouts->places[i].hash) != 0 && handouts->places[i].uid == uid;
    }
    return n;
}

/* Under the lock. Who asks for the same scope in a thousand ways must not have all places. */
static bool has_room(const struct handouts *handouts, const struct handout *handout)
{
    return atomic_load(&handouts->n_known) < HANDOUTS_MAX &&
           (handout->scope == other_scopes ||
            count_of(handouts, handout->to->uid) < HANDOUTS_OF_ONE_USER_MAX);
}

/* Under the lock: true when it was not there before. NULL in *ret_place: there is no room. */
static bool add(
    struct handouts *handouts, uint64_t hash, const struct handout *handout, struct place **ret_place)
{
    struct place *place = find(handouts, hash);

    *ret_place = place;
    if (atomic_load(&place->hash) == hash) {
        return false;
    }
    *ret_place = NULL;
    if (!has_room(handouts, handout)) {
        return false;
    }
    if (!fill(place, handout)) {
        empty(place);
        return false;
    }
    (void)atomic_fetch_add(&handouts->n_known, 1);
    atomic_store_explicit(&place->hash, hash, memory_order_release);
    *ret_place = place;
    return true;
}

/* NULL: there is no room. */
static struct place *take_place(struct handouts *handouts, const struct handout *handout, bool *ret_is_first)
{
    const uint64_t hash = hash_of(handouts, handout);
    struct place *place = find(handouts, hash);

    if (atomic_load_explicit(&place->hash, memory_order_acquire) != hash) {
        (void)pthread_mutex_lock(&handouts->writing);
        *ret_is_first = add(handouts, hash, handout, &place);
        (void)pthread_mutex_unlock(&handouts->writing);
    }
    return place;
}

void handouts_count(struct handouts *handouts, const struct handout *handout)
{
    bool is_first = false;
    struct place *place = take_place(handouts, handout, &is_first);
    char text[TEXT_SIZE];

    if (place == NULL) {
        struct handout rest = *handout;

        rest.scope = other_scopes;
        place = take_place(handouts, &rest, &is_first);
    }
    if (place != NULL) {
        atomic_store_explicit(&place->last_s, clock_now_s(), memory_order_relaxed);
    }
    if (is_first) {
        describe(place, text);
        journal_note(handouts->log, "%s: the first", text);
    } else {
        (void)atomic_fetch_add_explicit(
            place != NULL ? &place->n : &handouts->n_others, 1, memory_order_relaxed);
    }
}

size_t handouts_known(const struct handouts *handouts)
{
    return atomic_load(&handouts->n_known);
}

void handouts_walk(const struct handouts *handouts, handouts_viewer view, void *context)
{
    for (size_t i = 0; i < PLACES; i++) {
        const struct place *place = &handouts->places[i];

        if (atomic_load_explicit(&place->hash, memory_order_acquire) != 0) {
            const struct handouts_entry entry = { .uid = place->uid,
                                                  .unit = place->unit,
                                                  .profile = place->profile,
                                                  .scope = place->scope,
                                                  .is_assertion = place->is_assertion,
                                                  .n = atomic_load(&place->n) + 1,
                                                  .last_s = atomic_load(&place->last_s) };

            view(context, &entry);
        }
    }
}

static void tell(struct handouts *handouts)
{
    char text[TEXT_SIZE];

    for (size_t i = 0; i < PLACES; i++) {
        struct place *place = &handouts->places[i];
        const unsigned long n = atomic_load(&place->hash) == 0 ? 0 : atomic_load(&place->n);

        if (n > place->n_told) {
            describe(place, text);
            journal_note(handouts->log, "%s: %lu more within a minute", text, n - place->n_told);
            place->n_told = n;
        }
    }
    const unsigned long n = atomic_exchange(&handouts->n_others, 0);
    if (n > 0) {
        journal_note(handouts->log, "%lu more within a minute to callers too many to tell apart", n);
    }
}

void handouts_tick(struct handouts *handouts, int64_t now_ms)
{
    if (handouts->tell_at_ms == 0) {
        handouts->tell_at_ms = now_ms + MINUTE_MS;
    }
    if (now_ms >= handouts->tell_at_ms) {
        handouts->tell_at_ms = now_ms + MINUTE_MS;
        tell(handouts);
    }
}

void handouts_freep(struct handouts **handouts)
{
    struct handouts *old = take_ptr(handouts);

    if (old == NULL) {
        return;
    }
    if (old->places != NULL) {
        tell(old);
        for (size_t i = 0; i < PLACES; i++) {
            empty(&old->places[i]);
        }
    }
    free(old->places);
    (void)pthread_mutex_destroy(&old->writing);
    free(old);
}
