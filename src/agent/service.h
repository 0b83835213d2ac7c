/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SERVICE_H
#define AGENT_SERVICE_H

/* The service manager: sockets that it has opened, and what it is told. Without systemd nothing happens. */

#include <sys/types.h>

#include "peer/peer.h"

/* How many listening sockets it hands over: descriptors service_socket(0), (1), ... which are the caller's.
 */
int service_count_sockets(void);
int service_socket(int i);

/* Which kind of listening socket a descriptor is. KEYSTAY_E_CONFIG: none that the agent serves. */
enum keystay_status service_socket_kind(int fd, enum peer_kind *ret_kind, struct keystay_error *err);

void service_say_ready(const char *status);
void service_say_reloading(void);
void service_say_stopping(void);

/* "I am alive", no more often than it wants to hear it. */
void service_pat_watchdog(int64_t now_ms);

#endif
