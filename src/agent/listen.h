/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_LISTEN_H
#define AGENT_LISTEN_H

/* The sockets that the agent listens at: its own, and those that a service manager hands it. */

#include "agent/agent.h"

/*
 * A listening Unix socket. One that nobody listens at any more is replaced, one that somebody does is
 * respected: KEYSTAY_E_CONFIG. Folders that are missing are made, for the agent's user alone, or, where mode
 * lets others in, for others to pass through.
 */
enum keystay_status listen_unix(const char *path, mode_t mode, int *ret_fd, struct keystay_error *err);

/* A listening TCP socket of this machine alone. */
enum keystay_status listen_tcp(const struct agent_address *address, int *ret_fd, struct keystay_error *err);

/* Serves all that the configuration says, or what a service manager has opened instead. */
enum keystay_status listen_everywhere(struct agent *agent, struct keystay_error *err);

/* "http://127.0.0.1:41234/MSI/token": where SDKs ask. Where the configuration has no TCP address, one is
 * opened. */
enum keystay_status listen_sdk_url(
    struct agent *agent, char *ret_url, size_t size, struct keystay_error *err);

/* Takes the agent's socket out of the file system. */
void listen_end(struct agent *agent);

/* Forgets them; nobody is served any more. */
void listen_clear(struct agent *agent);

#endif
