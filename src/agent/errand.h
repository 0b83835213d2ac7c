/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_ERRAND_H
#define AGENT_ERRAND_H

/* What an operator asks for and what may take its time: done in a thread of its own, one after the other. */

#include "agent/agent.h"

typedef enum keystay_status (*errand_work)(
    struct agent *agent, struct request *request, struct keystay_error *err);

/* Has the work done; the request is answered with its error, or with {} when it went well. */
void errand_run(struct agent *agent, struct request *request, errand_work work);

/* Waits until no errand is under way. */
void errand_wait_for_all(void);

#endif
