/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_ENDPOINTS_H
#define AGENT_ENDPOINTS_H

/* What each path does; each answers the request, sooner or later. docs/keystay-agent.8 tells of them. */

#include "agent/agent.h"

/* endpoint_native.c */
void endpoint_token(struct agent *agent, struct request *request);
void endpoint_assertion(struct agent *agent, struct request *request);
void endpoint_inject(struct agent *agent, struct request *request);

/* endpoint_azure.c */
void endpoint_app_service(struct agent *agent, struct request *request);
void endpoint_imds(struct agent *agent, struct request *request);

/* endpoint_control.c */
void endpoint_grant(struct agent *agent, struct request *request);
void endpoint_reload(struct agent *agent, struct request *request);
void endpoint_forget(struct agent *agent, struct request *request);
void endpoint_lock(struct agent *agent, struct request *request);
void endpoint_pin(struct agent *agent, struct request *request);
void endpoint_unlock(struct agent *agent, struct request *request);

/* endpoint_metrics.c */
void endpoint_metrics(struct agent *agent, struct request *request);

/* endpoint_watch.c */
void endpoint_status(struct agent *agent, struct request *request);
void endpoint_healthz(struct agent *agent, struct request *request);
void endpoint_readyz(struct agent *agent, struct request *request);

#endif
