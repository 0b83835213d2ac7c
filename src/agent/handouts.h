/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_HANDOUTS_H
#define AGENT_HANDOUTS_H

/*
 * Who was given what: a line in the journal for the first token that a user's unit gets of a profile for a
 * scope, and once a minute how many more there were. Counting one that is known takes no lock.
 */

#include "base/log.h"
#include "peer/peer.h"

enum {
    HANDOUTS_MAX = 1024,            /* different ones that are told apart */
    HANDOUTS_OF_ONE_USER_MAX = 128, /* of these; its other scopes are one more for each unit and profile */
    HANDOUTS_SCOPE_SHOWN_MAX = 256, /* bytes of a scope that are kept to be shown */
};

struct handouts;

/* What was given. Borrowed. */
struct handout {
    const struct peer *to;
    const char *profile;
    const char *scope; /* or resource; NULL: the profile's own */
    bool is_assertion;
};

/* log is borrowed for its life. *ret_handouts is owned. */
enum keystay_status handouts_new(
    const struct keystay_log *log, struct handouts **ret_handouts, struct keystay_error *err);
/* Tells what is still to be told. */
void handouts_freep(struct handouts **handouts);

/* From any thread. */
void handouts_count(struct handouts *handouts, const struct handout *handout);

/* How many different ones there have been, and no more than HANDOUTS_MAX. */
size_t handouts_known(const struct handouts *handouts);

/* What is known of one. Borrowed until the call returns. */
struct handouts_entry {
    uid_t uid;
    const char *unit; /* "": none, or not known */
    const char *profile;
    const char *scope; /* NULL: the profile's own */
    bool is_assertion;
    unsigned long n; /* how often */
    int64_t last_s;  /* the last time */
};

/* Shows each of those, in no order. From any thread. */
typedef void (*handouts_viewer)(void *context, const struct handouts_entry *entry);
void handouts_walk(const struct handouts *handouts, handouts_viewer view, void *context);

/* About once a second. */
void handouts_tick(struct handouts *handouts, int64_t now_ms);

#endif
