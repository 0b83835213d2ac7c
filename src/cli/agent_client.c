/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* struct ucred */
#include "cli/agent_client.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/error_json.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "core/agent_setting.h"
#include "core/agent_socket.h"
#include "http/form.h"
#include "http/local.h"

enum {
    URL_SIZE_MAX = 40 * 1024, /* the agent takes no longer request line */
    CONNECT_S = 5,
    PATIENCE_MS = 3660000, /* the agent's own request_timeout is an hour at most */
};

static const char hint_start[] =
    "start one: keystay agent run; as a service: systemctl enable --now keystay-agent.socket, with --user your own";

void agent_client_clear(struct agent_client *client)
{
    if (client->fd > 0) {
        file_closep(&client->fd);
    }
    client->fd = 0;
}

/* An empty variable counts as unset. */
static const char *variable(const char *name)
{
    const char *text = getenv(name); /* NOLINT(concurrency-mt-unsafe): nobody changes the environment */

    return text == NULL || text[0] == '\0' ? NULL : text;
}

enum keystay_status agent_use_read(const struct cli *cli, enum agent_use *ret_use, struct keystay_error *err)
{
    static const char *const names[] = {
        [AGENT_USE_AUTO] = "auto", [AGENT_USE_NEVER] = "never", [AGENT_USE_ALWAYS] = "always"
    };
    const char *text = cli_given(cli, CLI_AGENT) ? cli->values[CLI_AGENT] : variable("KEYSTAY_AGENT");

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (text == NULL || str_equal(text, names[i])) {
            *ret_use = (enum agent_use)i;
            return KEYSTAY_OK;
        }
    }
    return err_set(err, KEYSTAY_E_USAGE, "KEYSTAY_AGENT must be auto, never or always");
}

static const char *configured_socket(const struct cli *cli)
{
    const char *path = variable("KEYSTAY_AGENT_SOCKET");

    return path != NULL ? path : config_item(&cli->config, CONFIG_AGENT, "", AGENT_SOCKET, 0).text;
}

bool agent_is_named(const struct cli *cli)
{
    return configured_socket(cli) != NULL ||
           (!cli_given(cli, CLI_CONFIG) && variable("KEYSTAY_CONFIG") == NULL);
}

static const char *name_of(const struct agent_client *client)
{
    return client->address.sun_path[0] == '\0' ? "the agent of this command" : client->address.sun_path;
}

/* Who listens; as it was when it began to. False: the system does not say. */
static bool who_listens(int fd, uid_t *ret_uid, pid_t *ret_pid)
{
#ifdef SO_PEERCRED
    struct ucred peer = { 0 };
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof(peer)) {
        return false;
    }
    *ret_uid = peer.uid;
    *ret_pid = peer.pid;
    return true;
#else
    gid_t gid = 0;

    *ret_pid = 0;
    return getpeereid(fd, ret_uid, &gid) == 0;
#endif
}

static enum keystay_status check_peer(struct agent_client *client, int fd, struct keystay_error *err)
{
    uid_t uid = 0;

    if (!who_listens(fd, &uid, &client->pid)) {
        return err_set(err, KEYSTAY_E_AGENT, "%s: nobody knows who listens there", name_of(client));
    }
    client->is_ours = uid == geteuid();
    if (uid != 0 && uid != geteuid()) {
        return err_set_hint(
            err, KEYSTAY_E_AGENT, "an agent for other users listens through a socket unit of systemd",
            "%s: user %u listens there, who is neither root nor you: nothing was sent", name_of(client),
            (unsigned int)uid);
    }
    return KEYSTAY_OK;
}

/* number: why it could not be connected to. */
static enum keystay_status say_no_agent(
    const struct agent_client *client, int number, struct keystay_error *err)
{
    struct stat info;

    if (number == ECONNREFUSED && client->address.sun_path[0] != '\0' &&
        stat(client->address.sun_path, &info) == 0 && !S_ISSOCK(info.st_mode)) {
        return err_set_hint(
            err, KEYSTAY_E_AGENT,
            "give KEYSTAY_AGENT_SOCKET, or socket in [agent], the path of the agent's socket",
            "%s is no socket: no agent can listen there", name_of(client));
    }
    if (number == EACCES) {
        return err_set_hint(
            err, KEYSTAY_E_AGENT, "an agent for other users listens through a socket unit of systemd",
            "this user may not connect to %s", name_of(client));
    }
    return err_set_hint(
        err, KEYSTAY_E_AGENT, hint_start, "no agent answers at %s: %s", name_of(client),
        number == ECONNREFUSED ? "the one that listened there has ended" : file_errno_text(number));
}

static enum keystay_status connect_to_it(struct agent_client *client, struct keystay_error *err)
{
    static const struct timeval patience = { .tv_sec = CONNECT_S };
    CLEANUP(file_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    /* socket(7): connect waits as long for a place among those who wait; without, for ever. */
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
        connect(fd, (const struct sockaddr *)&client->address, client->address_len) != 0) {
        return say_no_agent(client, errno, err);
    }
    TRY(check_peer(client, fd, err));
    agent_client_clear(client);
    client->fd = fd;
    fd = -1;
    return KEYSTAY_OK;
}

/* path has been checked. */
static enum keystay_status look_at(struct agent_client *client, const char *path, struct keystay_error *err)
{
    client->address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(client->address.sun_path, path, strlen(path) + 1);
    client->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
    return connect_to_it(client, err);
}

/* The user's own first: it is the one that can be unlocked. Of two that fail, the one that is there is told
 * of. */
static enum keystay_status find_usual(struct agent_client *client, struct keystay_error *err)
{
    const char *runtime_dir = variable("XDG_RUNTIME_DIR");
    const uid_t uid = geteuid();
    struct keystay_error error = { 0 };
    char of_user[AGENT_SOCKET_SIZE];
    char of_system[AGENT_SOCKET_SIZE];

    TRY(agent_socket_path(NULL, 0, NULL, of_system, err));
    if (uid == 0 || agent_socket_path(NULL, uid, runtime_dir, of_user, NULL) != KEYSTAY_OK) {
        return look_at(client, of_system, err); /* what runs without a session has no agent of its own */
    }
    const enum keystay_status status = look_at(client, of_user, err);
    if (status == KEYSTAY_OK || look_at(client, of_system, &error) == KEYSTAY_OK) {
        return KEYSTAY_OK;
    }
    if (access(of_user, F_OK) == 0) {
        return status;
    }
    if (access(of_system, F_OK) == 0) {
        *err = error;
        return error.status;
    }
    return err_set_hint(
        err, KEYSTAY_E_AGENT, hint_start, "no agent answers at %s, nor at %s", of_user, of_system);
}

enum keystay_status agent_client_find(
    const struct cli *cli, struct agent_client *client, struct keystay_error *err)
{
    const char *configured = configured_socket(cli);
    char path[AGENT_SOCKET_SIZE];

    *client = (struct agent_client){ .log = &cli->log };
    if (configured == NULL) {
        return find_usual(client, err);
    }
    TRY(agent_socket_path(configured, 0, NULL, path, err));
    return look_at(client, path, err);
}

static enum keystay_status put_url(
    const struct agent_call *call, struct buf *ret_url, struct keystay_error *err)
{
    char before = '?';

    TRY(buf_puts(ret_url, "http://localhost", err));
    TRY(buf_puts(ret_url, call->path, err));
    for (size_t i = 0; i < ARRAY_LEN(call->arguments) && call->arguments[i].name != NULL; i++) {
        const struct agent_argument *argument = &call->arguments[i];

        if (argument->value != NULL) {
            TRY(buf_putc(ret_url, before, err));
            TRY(buf_puts(ret_url, argument->name, err));
            TRY(buf_putc(ret_url, '=', err));
            TRY(form_encode(ret_url, slice_of_str(argument->value), err));
            before = '&';
        }
    }
    return KEYSTAY_OK;
}

static enum keystay_status open_transport(
    struct agent_client *client, struct http_transport **ret_transport, struct keystay_error *err)
{
    if (client->fd == 0) {
        TRY(connect_to_it(client, err));
    }
    const int fd = client->fd;
    client->fd = 0;
    return http_local_new(fd, PATIENCE_MS, ret_transport, err);
}

static enum keystay_status exchange(
    struct agent_client *client, const struct agent_call *call, const char *url,
    struct http_response *ret_response, struct keystay_error *err)
{
    CLEANUP(http_transport_freep) struct http_transport *transport = NULL;
    const struct http_request post = { .url = url, .form = call->body };
    struct keystay_error error = { 0 };

    TRY(open_transport(client, &transport, err));
    const enum keystay_status status = call->is_post ? http_post(transport, &post, ret_response, &error)
                                                     : http_get(transport, url, 0, ret_response, &error);
    return status == KEYSTAY_OK
               ? KEYSTAY_OK
               : err_set(err, KEYSTAY_E_AGENT, "%s did not answer: %s", name_of(client), error.message);
}

static enum keystay_status read_error(
    const struct agent_client *client, const struct http_response *response, struct keystay_error *err)
{
    struct keystay_error error = { 0 };
    const enum keystay_status status = error_json_read(buf_slice(&response->body), &error);

    if (status == KEYSTAY_E_INTERNAL) {
        return err_set(
            err, KEYSTAY_E_AGENT, "%s answered with HTTP status %d: %s", name_of(client), response->status,
            error.message);
    }
    *err = error;
    return status;
}

enum keystay_status agent_ask(
    struct agent_client *client, const struct agent_call *call, struct buf *ret_body,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf url = BUF(URL_SIZE_MAX);
    CLEANUP(http_response_clear) struct http_response response = { 0 };

    TRY(put_url(call, &url, err));
    TRY(exchange(client, call, buf_str(&url), &response, err));
    client->http_status = response.status;
    log_step(client->log, "%s answered %s with HTTP status %d", name_of(client), call->path, response.status);
    return response.status == 200 ? buf_put(ret_body, buf_slice(&response.body), err)
                                  : read_error(client, &response, err);
}

enum keystay_status agent_ask_json(
    struct agent_client *client, const struct agent_call *call, struct json **ret_json,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf body = BUF(AGENT_ANSWER_MAX);
    struct keystay_error error = { 0 };

    TRY(agent_ask(client, call, &body, err));
    return json_parse_object(buf_slice(&body), ret_json, &error) == KEYSTAY_OK
               ? KEYSTAY_OK
               : err_set(err, KEYSTAY_E_AGENT, "%s: %s", name_of(client), error.message);
}
