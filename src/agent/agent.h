/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

/* What the agent is made of, for the files that answer its callers. */

#include <stdatomic.h>

#include "agent/jobs.h"
#include "agent/world.h"
#include "httpd/httpd.h"

enum { DOORS_MAX = 16 };

struct grants;
struct handouts;
struct environments;
struct assertion_files;
struct suspend;

/* Where it listens. */
struct doors {
    pthread_mutex_t lock;
    char *socket;             /* owned: the path of a socket that the agent has made; NULL: it has not */
    char *present[DOORS_MAX]; /* owned: all of them, as people write them */
    size_t n;
    uint16_t sdk_port; /* of 127.0.0.1; 0: there is none */
    bool has_sdk_v6;   /* it is of ::1 instead */
};

/* What became of requests, since the start. */
struct agent_counts {
    atomic_uint_fast64_t served_held; /* tokens that were in memory */
    atomic_uint_fast64_t served_new;
    atomic_uint_fast64_t failed;
    atomic_uint_fast64_t refused; /* who may not */
};

struct agent {
    const char *config_path; /* NULL: the usual files */
    const struct keystay_log *log;
    struct httpd *httpd;
    struct jobs *jobs;
    struct world_place world;
    pthread_mutex_t reload_lock; /* one after the other */
    struct grants *grants;
    struct handouts *handouts;
    struct environments *environments;
    struct assertion_files *assertion_files;
    struct doors doors;
    struct agent_counts counts;
    int64_t started_s;
    _Atomic int64_t last_used_ms; /* when a token was last asked for, or a PIN given: clock_boot_ms */
    struct suspend *suspend;      /* NULL: nobody wants it; the timekeeper's own, as what follows */
    int64_t asleep_ms; /* how long the machine has slept since it was started; the timekeeper's own */
    _Atomic int64_t request_ms; /* how long a caller waits for a token at most */
    atomic_bool is_ending;
    bool is_private; /* it has the one socket that it was handed, and writes no file for others */
};

/*
 * Reads the configuration, and serves. agent is filled in, and ended by agent_end, also after a failure;
 * config_path (NULL: the usual files) and log are borrowed until then. only_fd: a listening Unix socket,
 * taken, in place of all that is configured; -1: none.
 */
enum keystay_status agent_start(
    struct agent *agent, const char *config_path, int only_fd, const struct keystay_log *log,
    struct keystay_error *err);

/* Answers who waits, and ends everything. False: some work does not end, and the process must. */
bool agent_end(struct agent *agent);

/* An httpd_config's handle: finds the endpoint, and has it answer. context is a struct agent. */
void agent_handle(void *context, struct request *request);

/* Reads the configuration anew; what goes wrong leaves everything as it is. */
enum keystay_status agent_reload(struct agent *agent, struct keystay_error *err);

/* The same in a thread of its own; what goes wrong is logged. */
void agent_reload_soon(struct agent *agent);

/* About once a second. It fails when the agent can serve nobody any more, and should end. */
enum keystay_status agent_tick(struct agent *agent, int64_t now_ms, struct keystay_error *err);

#endif
