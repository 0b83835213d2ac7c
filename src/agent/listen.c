/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/folder.h"
#include "agent/journal.h"
#include "agent/service.h"
#include "base/error.h"
#include "base/file.h"

enum { BACKLOG = 512, ADDRESS_SIZE = 160 };

/* where: a path, or an address. */
static const char *hint_for(int number, const char *where)
{
    if (where[0] != '/') {
        return number == EACCES ? "ports below 1024 are root's: choose a higher one" : "";
    }
    return number == ENOENT ? "make the folder that it is in, or set another socket = PATH in [agent]"
                            : "may the agent's user write there? Else set another socket = PATH in [agent]";
}

/* Who has an address that is not ours alone may be any user, and may go: that is nothing wrong with the
 * configuration, and no reason for a service manager to give up. */
static enum keystay_status fail(const char *what, const char *where, struct keystay_error *err)
{
    if (errno == EADDRINUSE) {
        return err_set_hint(
            err, KEYSTAY_E_AGENT,
            "ss -ltnp shows who has it; behind a socket unit of systemd nobody else can",
            "cannot %s %s: another program has it", what, where);
    }
    return err_set_hint(
        err, KEYSTAY_E_CONFIG, hint_for(errno, where), "cannot %s %s: %s", what, where,
        file_errno_text(errno));
}

static enum keystay_status make_folder(const char *path, mode_t mode, struct keystay_error *err)
{
    char folder[ADDRESS_SIZE];
    const char *slash = strrchr(path, '/');

    (void)snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return mkdir(folder, (mode & S_IRWXO) != 0 ? 0755 : 0700) == 0 || errno == EEXIST
               ? KEYSTAY_OK
               : fail("make the folder", folder, err);
}

/*
 * One agent at a time sees to the socket of that path. The lock has a file of its own, which nobody else can
 * open: whoever could, as anybody can open a folder, could hold it and keep the agent from starting.
 */
static enum keystay_status lock_path(const char *path, int *ret_fd, struct keystay_error *err)
{
    char name[ADDRESS_SIZE];
    struct stat info;

    (void)snprintf(name, sizeof(name), "%s.lock", path);
    CLEANUP(file_closep) int fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0 || fstat(fd, &info) != 0) {
        return fail("open", name, err);
    }
    if (!S_ISREG(info.st_mode) || info.st_uid != geteuid()) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "set socket = PATH in [agent] to a folder of the agent's own",
            "%s is another user's, or no file", name);
    }
    if (flock(fd, LOCK_EX) != 0) {
        return fail("lock", name, err);
    }
    *ret_fd = fd;
    fd = -1;
    return KEYSTAY_OK;
}

/* Nobody listens at a socket that was left behind. */
static enum keystay_status make_way(
    const char *path, const struct sockaddr_un *address, struct keystay_error *err)
{
    struct stat info;
    CLEANUP(file_closep) int fd = -1;

    if (lstat(path, &info) != 0) {
        return errno == ENOENT ? KEYSTAY_OK : fail("look at", path, err);
    }
    if (!S_ISSOCK(info.st_mode)) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "remove it, or set another socket = PATH in [agent]",
            "%s is there and is no socket", path);
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); /* a busy agent does not stop us */
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
        errno != ECONNREFUSED) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "keystay agent status", "an agent listens at %s already", path);
    }
    return unlink(path) == 0 ? KEYSTAY_OK : fail("remove", path, err);
}

static enum keystay_status bind_unix(
    int fd, const struct sockaddr_un *address, mode_t mode, struct keystay_error *err)
{
    (void)umask((mode_t)0777 & ~mode);
    const int failed = bind(fd, (const struct sockaddr *)address, sizeof(*address));

    (void)umask(0);
    if (failed != 0 || chmod(address->sun_path, mode) != 0 || listen(fd, BACKLOG) != 0) {
        return fail("listen at", address->sun_path, err);
    }
    return KEYSTAY_OK;
}

static enum keystay_status listen_there(const char *path, mode_t mode, int *ret_fd, struct keystay_error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    CLEANUP(file_closep) int lock = -1;
    CLEANUP(file_closep) int fd = -1;

    if (path[0] != '/' || strlen(path) >= sizeof(address.sun_path)) {
        return err_set(err, KEYSTAY_E_CONFIG, "%s: a socket's path is absolute and short", path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    TRY(make_folder(path, mode, err));
    TRY(lock_path(path, &lock, err));
    TRY(make_way(path, &address, err));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return fail("make a socket for", path, err);
    }
    TRY(bind_unix(fd, &address, mode, err));
    *ret_fd = fd;
    fd = -1;
    return KEYSTAY_OK;
}

/* Modes are said in full: what is for others to pass through is so whatever the umask says, and the other way
 * round. */
enum keystay_status listen_unix(const char *path, mode_t mode, int *ret_fd, struct keystay_error *err)
{
    const mode_t before = umask(0);
    const enum keystay_status status = listen_there(path, mode, ret_fd, err);

    (void)umask(before);
    return status;
}

enum keystay_status listen_tcp(const struct agent_address *address, int *ret_fd, struct keystay_error *err)
{
    const struct sockaddr_in v4 = { .sin_family = AF_INET,
                                    .sin_port = htons(address->port),
                                    .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                                     .sin6_port = htons(address->port),
                                     .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    const struct sockaddr *at = address->is_v6 ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4;
    const socklen_t size = address->is_v6 ? sizeof(v6) : sizeof(v4);
    const int on = 1;
    char where[ADDRESS_SIZE];
    CLEANUP(file_closep) int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(
        where, sizeof(where), address->is_v6 ? "[::1]:%u" : "127.0.0.1:%u", (unsigned int)address->port);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (address->is_v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
        bind(fd, at, size) != 0 || listen(fd, BACKLOG) != 0) {
        return fail("listen at", where, err);
    }
    *ret_fd = fd;
    fd = -1;
    return KEYSTAY_OK;
}

/* The address of a listening socket as people write it, and the port of a TCP socket. */
static void describe(int fd, char *ret_text, size_t size, uint16_t *ret_port, bool *ret_is_v6)
{
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = { 0 };
    socklen_t at_size = sizeof(at);

    *ret_port = 0;
    *ret_is_v6 = false;
    (void)getsockname(fd, &at.any, &at_size);
    if (at.any.sa_family == AF_INET) {
        *ret_port = ntohs(at.v4.sin_port);
        (void)snprintf(ret_text, size, "127.0.0.1:%u", (unsigned int)*ret_port);
    } else if (at.any.sa_family == AF_INET6) {
        *ret_port = ntohs(at.v6.sin6_port);
        *ret_is_v6 = true;
        (void)snprintf(ret_text, size, "[::1]:%u", (unsigned int)*ret_port);
    } else {
        (void)snprintf(ret_text, size, "%s", at.local.sun_path);
    }
}

/* Sockets that listen already and are not served yet: nobody is answered before all is there. */
struct opened_doors {
    int fds[DOORS_MAX];
    enum peer_kind kinds[DOORS_MAX];
    size_t n;
};

static void opened_doors_clear(struct opened_doors *opened)
{
    for (size_t i = 0; i < opened->n; i++) {
        file_closep(&opened->fds[i]);
    }
}

/* fd is taken. */
static enum keystay_status add(
    struct opened_doors *opened, int fd, enum peer_kind kind, struct keystay_error *err)
{
    if (opened->n == DOORS_MAX) {
        (void)close(fd);
        return err_set(err, KEYSTAY_E_CONFIG, "there are more than %d addresses to listen at", DOORS_MAX);
    }
    opened->fds[opened->n] = fd;
    opened->kinds[opened->n++] = kind;
    return KEYSTAY_OK;
}

static enum keystay_status note(struct doors *doors, int fd, struct keystay_error *err)
{
    char text[ADDRESS_SIZE] = "";
    uint16_t port = 0;
    bool is_v6 = false;

    if (doors->n == DOORS_MAX) {
        return err_set(err, KEYSTAY_E_CONFIG, "there are more than %d addresses to listen at", DOORS_MAX);
    }
    describe(fd, text, sizeof(text), &port, &is_v6);
    doors->present[doors->n] = strdup(text);
    if (doors->present[doors->n] == NULL) {
        return err_no_memory(err);
    }
    doors->n++;
    if (port != 0 && (doors->sdk_port == 0 || (doors->has_sdk_v6 && !is_v6))) {
        doors->sdk_port = port;
        doors->has_sdk_v6 = is_v6;
    }
    return KEYSTAY_OK;
}

static enum keystay_status serve_all(
    struct agent *agent, struct opened_doors *opened, struct keystay_error *err)
{
    for (size_t i = 0; i < opened->n; i++) {
        TRY(note(&agent->doors, opened->fds[i], err));
    }
    for (size_t i = 0; i < opened->n; i++) {
        const int fd = opened->fds[i];

        opened->fds[i] = -1;
        TRY(httpd_serve(agent->httpd, fd, opened->kinds[i], err));
        journal_note(agent->log, "listening at %s", agent->doors.present[agent->doors.n - opened->n + i]);
    }
    return KEYSTAY_OK;
}

static enum keystay_status take_over(struct opened_doors *opened, int n, struct keystay_error *err)
{
    for (int i = 0; i < n; i++) {
        enum peer_kind kind = PEER_UNIX;

        TRY(service_socket_kind(service_socket(i), &kind, err));
        TRY(add(opened, service_socket(i), kind, err));
    }
    return KEYSTAY_OK;
}

static enum keystay_status open_as_configured(
    struct agent *agent, struct opened_doors *opened, struct keystay_error *err)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    const struct agent_config *config = world->config;
    struct keystay_error error;
    int fd = -1;

    TRY(listen_unix(config->socket, config->socket_mode, &fd, err));
    agent->doors.socket = strdup(config->socket);
    if (folder_check(config->socket, &error) != KEYSTAY_OK) {
        /* keystay looks who listens; nginx and curl do not. */
        log_warning(agent->log, "%s: %s", config->socket, error.message);
    }
    TRY(add(opened, fd, PEER_UNIX, err));
    for (size_t i = 0; i < config->n_listen; i++) {
        TRY(listen_tcp(&config->listen[i], &fd, err));
        TRY(add(opened, fd, PEER_TCP, err));
    }
    return KEYSTAY_OK;
}

enum keystay_status listen_everywhere(struct agent *agent, struct keystay_error *err)
{
    CLEANUP(opened_doors_clear) struct opened_doors opened = { .n = 0 };
    const int n = service_count_sockets();

    TRY(n > 0 ? take_over(&opened, n, err) : open_as_configured(agent, &opened, err));
    return serve_all(agent, &opened, err);
}

static enum keystay_status find_sdk_port(struct agent *agent, struct keystay_error *err)
{
    static const struct agent_address any = { .is_v6 = false, .port = 0 };
    CLEANUP(opened_doors_clear) struct opened_doors opened = { .n = 0 };
    int fd = -1;

    if (agent->doors.sdk_port != 0) {
        return KEYSTAY_OK;
    }
    TRY(listen_tcp(&any, &fd, err));
    TRY(add(&opened, fd, PEER_TCP, err));
    return serve_all(agent, &opened, err);
}

enum keystay_status listen_sdk_url(struct agent *agent, char *ret_url, size_t size, struct keystay_error *err)
{
    (void)pthread_mutex_lock(&agent->doors.lock);
    enum keystay_status status = find_sdk_port(agent, err);
    (void)snprintf(
        ret_url, size, "http://%s:%u/MSI/token", agent->doors.has_sdk_v6 ? "[::1]" : "127.0.0.1",
        (unsigned int)agent->doors.sdk_port);
    (void)pthread_mutex_unlock(&agent->doors.lock);
    return status;
}

void listen_end(struct agent *agent)
{
    if (agent->doors.socket != NULL) {
        (void)unlink(agent->doors.socket);
    }
}

void listen_clear(struct agent *agent)
{
    for (size_t i = 0; i < agent->doors.n; i++) {
        free(agent->doors.present[i]);
    }
    free(agent->doors.socket);
    (void)pthread_mutex_destroy(&agent->doors.lock);
}
