/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_AGENT_CLIENT_H
#define CLI_AGENT_CLIENT_H

/*
 * One agent and what is asked of it: HTTP over its Unix socket. Nothing is sent over a connection before it
 * is known that root or this very user listens at its other end.
 */

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/cli.h"

struct agent_client {
    const struct keystay_log *log; /* borrowed */
    struct sockaddr_un address;
    socklen_t address_len;
    int fd;          /* a connection for the next request; 0: it makes one */
    pid_t pid;       /* who listens; 0: not known */
    bool is_ours;    /* this user listens, and not root */
    int http_status; /* of the last answer */
};

void agent_client_clear(struct agent_client *client);

/* --agent, or KEYSTAY_AGENT. KEYSTAY_E_USAGE. */
enum agent_use { AGENT_USE_AUTO, AGENT_USE_NEVER, AGENT_USE_ALWAYS };
enum keystay_status agent_use_read(const struct cli *cli, enum agent_use *ret_use, struct keystay_error *err);

/*
 * Finds the agent that KEYSTAY_AGENT_SOCKET or [agent] names; else to this user's own, else to the
 * system's. KEYSTAY_E_AGENT: nobody listens there, or somebody who is neither root nor this user. cli->config
 * has been read. The caller clears *client, also after a failure.
 */
enum keystay_status agent_client_find(
    const struct cli *cli, struct agent_client *client, struct keystay_error *err);

/* Whether its address was named, and not the configuration that another agent may have. */
bool agent_is_named(const struct cli *cli);

struct agent_argument {
    const char *name;
    const char *value; /* NULL: it is left out */
};

struct agent_call {
    const char *path;
    struct agent_argument arguments[5];
    bool is_post;
    struct slice body; /* of a POST */
};

/*
 * Appends the answer to ret_body; an error that the agent tells of is the error. KEYSTAY_E_AGENT: it did not
 * answer, or not as an agent does.
 */
enum keystay_status agent_ask(
    struct agent_client *client, const struct agent_call *call, struct buf *ret_body,
    struct keystay_error *err);

/* The same, for an answer that is an object. *ret_json is owned. */
enum keystay_status agent_ask_json(
    struct agent_client *client, const struct agent_call *call, struct json **ret_json,
    struct keystay_error *err);

enum { AGENT_ANSWER_MAX = 1024 * 1024 };

#endif
