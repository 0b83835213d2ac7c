/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listeners, and the life of a connection and of a request in libmicrohttpd's callbacks.
 *
 * libmicrohttpd calls the handler once when it has the headers, again for each part of a body, and once more
 * at the end. The answer is given at the end only: one that is given at the first call closes the connection,
 * as it shall where a request is not clear.
 * A request that waits is suspended, and the handler is called anew when it is resumed.
 */
#include "httpd/httpd.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "httpd/connections.h"
#include "httpd/page.h"
#include "httpd/request.h"

#if MHD_VERSION >= 0x00097701
#define STRICTNESS MHD_OPTION_CLIENT_DISCIPLINE_LVL
#else
#define STRICTNESS MHD_OPTION_STRICT_FOR_CLIENT
#endif

enum { LISTENERS_MAX = 16, IS_STRICT = 1 };

struct listener {
    struct httpd *httpd;
    enum peer_kind kind;
    int fd;       /* libmicrohttpd's to close */
    int stand_in; /* for it at the end: stop */
    struct MHD_Daemon *daemon;
};

struct httpd {
    struct httpd_config config;
    struct connections connections;
    pthread_mutex_t lock; /* over the listeners: a request may have one opened */
    struct listener listeners[LISTENERS_MAX];
    size_t n_listeners;
    atomic_bool is_closing;
    atomic_uint n_active; /* requests that are handled and whose answers are not yet taken */
};

static enum MHD_Result receive_body(struct request *request, const char *data, size_t *size)
{
    if (buf_put(&request->body, (struct slice){ (const uint8_t *)data, *size }, NULL) != KEYSTAY_OK) {
        request->is_too_large = true;
    }
    *size = 0;
    return MHD_YES;
}

/* What no handler needs to see. True: it was answered. */
static bool refuse(const struct httpd *httpd, struct request *request)
{
    const struct answer answer = {
        .status = request->is_too_large ? MHD_HTTP_CONTENT_TOO_LARGE : MHD_HTTP_SERVICE_UNAVAILABLE,
        .ends_connection = true,
    };
    const bool is_refused = request->is_too_large || atomic_load(&httpd->is_closing);

    if (is_refused) {
        request_answer(request, &answer);
    }
    return is_refused;
}

static enum MHD_Result queue(struct request *request)
{
    struct page *page = take_ptr(&request->page);
    enum MHD_Result result = page == NULL ? MHD_NO : page_queue(page, request->connection);

    atomic_store(&request->from->deadline_ms, clock_monotonic_ms() + request->httpd->config.receive_ms);
    page_freep(&page);
    return result;
}

/* At once, and so without the body: an answer at the first call ends the connection, and nobody need know
 * where the next request would begin. */
static enum MHD_Result begin(struct request *request)
{
    static const struct answer unclear = { .status = MHD_HTTP_BAD_REQUEST, .ends_connection = true };

    if (request_is_clear(request)) {
        return MHD_YES;
    }
    request_answer(request, &unclear);
    return queue(request);
}

static enum MHD_Result on_request(
    void *context, struct MHD_Connection *connection, const char *path, const char *method,
    const char *version, const char *data, size_t *size, void **request_at)
{
    struct listener *listener = context;
    struct request *request = *request_at;

    (void)version;
    if (request == NULL) {
        *request_at = request_new(listener->httpd, connection, method, path);
        return *request_at == NULL ? MHD_NO : begin(*request_at);
    }
    if (*size > 0) {
        return receive_body(request, data, size);
    }
    if (!request->is_handled) {
        request->is_handled = true;
        (void)atomic_fetch_add(&listener->httpd->n_active, 1);
        atomic_store(&request->from->deadline_ms, CONNECTION_NO_DEADLINE);
        if (!refuse(listener->httpd, request)) {
            listener->httpd->config.handle(listener->httpd->config.context, request);
        }
        if (request->is_waiting) {
            return MHD_YES;
        }
    }
    return queue(request);
}

static void on_completed(
    void *context, struct MHD_Connection *connection, void **request_at, enum MHD_RequestTerminationCode why)
{
    struct request *request = *request_at;

    (void)context;
    (void)connection;
    (void)why;
    if (request != NULL) {
        atomic_store(&request->from->deadline_ms, clock_monotonic_ms() + request->httpd->config.receive_ms);
        (void)atomic_fetch_sub(&request->httpd->n_active, request->is_handled ? 1 : 0);
        request_free(request);
    }
    *request_at = NULL;
}

/* A NUL would end a path before its end, unseen. What takes its place is in no path, and no text either. */
static size_t on_unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    for (char *nul = strstr(text, "%00"); nul != NULL; nul = strstr(nul, "%00")) {
        nul[2] = '1';
    }
    return MHD_http_unescape(text);
}

static int fd_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

/* Who is there, and whether there is room for one more of theirs. */
static enum keystay_status let_in(
    struct listener *listener, struct connection *connection, struct keystay_error *err)
{
    struct httpd *httpd = listener->httpd;

    /* Without a descriptor left libmicrohttpd would try to accept again and again, and nothing could be
     * signed. */
    if (connections_count(&httpd->connections) >= httpd->config.connections_max_all) {
        return err_set(
            err, KEYSTAY_E_ANSWER_NO,
            "%u connections are all that its limit of descriptors allows (LimitNOFILE=, ulimit -n)",
            httpd->config.connections_max_all);
    }
    TRY(listener->kind == PEER_UNIX ? peer_of_unix(connection->fd, &connection->peer, err)
                                    : peer_of_tcp(connection->fd, &connection->peer, err));
    connection->is_strange = !httpd->config.knows(httpd->config.context, &connection->peer);
    atomic_store(&connection->deadline_ms, clock_monotonic_ms() + httpd->config.receive_ms);
    if (!connections_add(&httpd->connections, connection, httpd->config.connections_max_user)) {
        return err_set(
            err, KEYSTAY_E_ANSWER_NO, "user %u%s has %u connections already",
            (unsigned int)connection->peer.uid,
            connection->is_strange ? ", with all others who may have nothing here," : "",
            httpd->config.connections_max_user);
    }
    return KEYSTAY_OK;
}

static struct connection *meet(struct listener *listener, int fd)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    struct keystay_error error;

    if (connection != NULL) {
        connection->fd = fd;
        if (let_in(listener, connection, &error) == KEYSTAY_OK) {
            return connection;
        }
        listener->httpd->config.note_refused(listener->httpd->config.context, &error);
        free(connection);
    }
    (void)shutdown(fd, SHUT_RDWR);
    return NULL;
}

static void on_connection(
    void *context, struct MHD_Connection *connection, void **met_at, enum MHD_ConnectionNotificationCode what)
{
    struct listener *listener = context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *met_at = meet(listener, fd_of(connection));
    } else if (*met_at != NULL) {
        connections_remove(&listener->httpd->connections, *met_at);
        free(*met_at);
        *met_at = NULL;
    }
}

static void on_log(void *context, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void on_log(void *context, const char *format, va_list arguments)
{
    const struct listener *listener = context;
    char text[256];

    (void)vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "\n")] = '\0';
    log_step(listener->httpd->config.log, "HTTP: %s", text);
}

enum keystay_status httpd_new(
    const struct httpd_config *config, struct httpd **ret_httpd, struct keystay_error *err)
{
    struct httpd *httpd = calloc(1, sizeof(*httpd));

    if (httpd == NULL) {
        return err_no_memory(err);
    }
    httpd->config = *config;
    connections_init(&httpd->connections);
    (void)pthread_mutex_init(&httpd->lock, NULL);
    *ret_httpd = httpd;
    return KEYSTAY_OK;
}

static struct MHD_Daemon *start(struct listener *listener, int fd)
{
    const struct httpd_config *config = &listener->httpd->config;
    const unsigned int flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO | MHD_USE_ERROR_LOG;
    /* A pool of one thread is no pool to it. */
    const unsigned int pool = config->threads > 1 ? config->threads : 0;

    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, listener, MHD_OPTION_EXTERNAL_LOGGER, on_log, listener,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, pool, MHD_OPTION_CONNECTION_LIMIT,
        config->connections_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTPD_CONNECTION_MEMORY,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, listener, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        listener, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL, STRICTNESS, IS_STRICT, MHD_OPTION_END);
}

/* Under the lock; fd is taken. */
static enum keystay_status serve(struct httpd *httpd, int fd, enum peer_kind kind, struct keystay_error *err)
{
    struct listener *listener = &httpd->listeners[httpd->n_listeners];

    if (httpd->n_listeners == LISTENERS_MAX) {
        (void)close(fd);
        return err_set(err, KEYSTAY_E_CONFIG, "there are more than %d addresses to listen at", LISTENERS_MAX);
    }
    *listener = (struct listener){
        .httpd = httpd, .kind = kind, .fd = fd, .stand_in = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
    };
    httpd->n_listeners++; /* a request that waits already may open another */
    listener->daemon = listener->stand_in < 0 ? NULL : start(listener, fd);
    if (listener->daemon == NULL) {
        httpd->n_listeners--;
        (void)close(fd);
        file_closep(&listener->stand_in);
        return err_set(err, KEYSTAY_E_INTERNAL, "libmicrohttpd does not start");
    }
    return KEYSTAY_OK;
}

enum keystay_status httpd_serve(struct httpd *httpd, int fd, enum peer_kind kind, struct keystay_error *err)
{
    (void)pthread_mutex_lock(&httpd->lock);
    enum keystay_status status = serve(httpd, fd, kind, err);
    (void)pthread_mutex_unlock(&httpd->lock);
    return status;
}

/* A service manager, or another agent, has the same socket. libmicrohttpd would ask for callers for ever. */
static bool is_shut_down(const struct listener *listener)
{
    struct pollfd look = { .fd = listener->fd };

    return poll(&look, 1, 0) == 1 && (look.revents & POLLHUP) != 0;
}

static enum keystay_status check_listeners(struct httpd *httpd, struct keystay_error *err)
{
    bool are_all_open = true;

    (void)pthread_mutex_lock(&httpd->lock);
    for (size_t i = 0; i < httpd->n_listeners; i++) {
        are_all_open = are_all_open && !is_shut_down(&httpd->listeners[i]);
    }
    (void)pthread_mutex_unlock(&httpd->lock);
    return are_all_open ? KEYSTAY_OK
                        : err_set_hint(
                              err, KEYSTAY_E_INTERNAL, "restart whatever made the socket, then the agent",
                              "a socket that it listened at was shut down by another program");
}

enum keystay_status httpd_tick(struct httpd *httpd, int64_t now_ms, struct keystay_error *err)
{
    size_t n = connections_cut_late(&httpd->connections, now_ms);

    if (n > 0) {
        log_step(httpd->config.log, "%zu connections were idle or too slow and are cut off", n);
    }
    return check_listeners(httpd, err);
}

size_t httpd_count(struct httpd *httpd)
{
    return connections_count(&httpd->connections);
}

void httpd_close_doors(struct httpd *httpd)
{
    atomic_store(&httpd->is_closing, true);
}

void httpd_drain(struct httpd *httpd, int64_t deadline_ms)
{
    static const struct timespec moment = { .tv_nsec = 5000000 };

    while (atomic_load(&httpd->n_active) > 0 && clock_monotonic_ms() < deadline_ms) {
        (void)nanosleep(&moment, NULL);
    }
}

/*
 * libmicrohttpd shuts down the socket that it listens at when it ends. A service manager's socket would then
 * be dead for every agent after this one, so another socket is put in its place first: one that has been
 * there from the start, since at the end there may be no descriptor left.
 */
static void stop(struct listener *listener)
{
    (void)dup2(listener->stand_in, listener->fd);
    file_closep(&listener->stand_in);
    MHD_stop_daemon(listener->daemon);
}

void httpd_freep(struct httpd **httpd)
{
    if (*httpd != NULL) {
        for (size_t i = 0; i < (*httpd)->n_listeners; i++) {
            stop(&(*httpd)->listeners[i]);
        }
        connections_clear(&(*httpd)->connections);
        (void)pthread_mutex_destroy(&(*httpd)->lock);
        free(*httpd);
    }
    *httpd = NULL;
}
