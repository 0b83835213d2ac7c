/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_ERRAND_H
#define AGENT_ERRAND_H

/*
 * What an operator asks for and what may take its time: done in a thread of its own. Whoever waits for it is
 * answered in request_timeout at the latest; the work goes on.
 */

#include "agent/agent.h"

enum { ERRANDS_MAX = 64 /* at once */, ERRAND_ANSWER_SIZE = 128 };

struct errand {
    struct errand *next;
    struct agent *agent;
    struct request *request; /* NULL: nobody waits, or not any more. Not the work's to read. */
    int64_t deadline_ms;
    struct world *world; /* shared; NULL: it is not about holders */
    struct holder *one;  /* borrowed from world; NULL: all of them */
    struct secret pin;
    bool is_final_try;
    char said[ERRAND_ANSWER_SIZE]; /* by the work that went well: JSON; "": {} */
    enum keystay_status (*work)(struct errand *errand, struct keystay_error *err);
};

/*
 * Has the work done: wanted's world and pin are moved from, also on failure. Its request, if there is one, is
 * answered with the work's error, or with what it said when it went well; without one the error is logged.
 */
void errand_run(struct errand *wanted);

/* Answers who has waited too long. About once a second. */
void errands_tick(int64_t now_ms);

/* Answers all who wait that the agent ends, and waits for what is under way until the deadline: false when
 * something is left. */
bool errands_end(int64_t deadline_ms);

#endif
