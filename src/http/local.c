/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this must not do: send anything twice, wait longer than its time, take an answer for whole whose end
 * it does not know. There is no keep-alive, no chunk, no redirect, no interim answer.
 */
#include "http/local.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/str.h"

enum {
    HEAD_MAX = 16 * 1024,     /* bytes of status line and headers */
    REQUEST_MAX = 128 * 1024, /* bytes of a request */
    CHUNK = 16 * 1024,
    LENGTH_SIZE = 16,
};

static const char origin[] = "http://localhost";
static const char status_start[] = "HTTP/1.1 ";

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

struct local_transport {
    struct http_transport base; /* first: the seam casts */
    int fd;
    int64_t timeout_ms;
};

static enum keystay_status nonsense(const char *what, struct keystay_error *err)
{
    return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "this is no answer in HTTP: %s", what);
}

/* Up to the next line end, which is taken off text too; false: there is none. */
static bool next_line(struct slice *text, struct slice *ret_line)
{
    for (size_t i = 0; i + 1 < text->len; i++) {
        if (text->data[i] == '\r' && text->data[i + 1] == '\n') {
            *ret_line = (struct slice){ text->data, i };
            text->data += i + 2;
            text->len -= i + 2;
            return true;
        }
    }
    return false;
}

/* RFC 9112 §4. */
static enum keystay_status read_status(struct slice line, int *ret_status, struct keystay_error *err)
{
    const size_t start = sizeof(status_start) - 1;
    int status = 0;

    if (line.len < start + 3 || memcmp(line.data, status_start, start) != 0 ||
        (line.len > start + 3 && line.data[start + 3] != ' ')) {
        return nonsense("its first line", err);
    }
    for (size_t i = start; i < start + 3; i++) {
        if (line.data[i] < '0' || line.data[i] > '9') {
            return nonsense("its status", err);
        }
        status = status * 10 + (line.data[i] - '0');
    }
    *ret_status = status;
    return status >= 200 ? KEYSTAY_OK : nonsense("it is not the last one", err);
}

/* The value of a header of that name; false: it is another one. */
static bool value_of(struct slice line, const char *name, struct slice *ret_value)
{
    const size_t len = strlen(name);
    char start[32];

    if (line.len <= len || len >= sizeof(start) || line.data[len] != ':') {
        return false;
    }
    memcpy(start, line.data, len);
    start[len] = '\0';
    if (!str_iequal(start, name)) {
        return false;
    }
    *ret_value = (struct slice){ line.data + len + 1, line.len - len - 1 };
    while (ret_value->len > 0 && (ret_value->data[0] == ' ' || ret_value->data[0] == '\t')) {
        ret_value->data++;
        ret_value->len--;
    }
    return true;
}

static enum keystay_status read_length(struct slice value, uint64_t *ret_length, struct keystay_error *err)
{
    char text[LENGTH_SIZE] = "";

    if (value.len >= sizeof(text)) {
        return nonsense("its length", err);
    }
    memcpy(text, value.data, value.len);
    return strlen(text) == value.len && str_parse_u64(text, 0, HTTP_BODY_MAX, ret_length, NULL) == KEYSTAY_OK
               ? KEYSTAY_OK
               : nonsense("its length, or it is too long", err);
}

/* RFC 9112 §6.3: what has a Transfer-Encoding, or two lengths, may end elsewhere for somebody else. */
static enum keystay_status read_headers(
    struct slice *rest, uint64_t *ret_length, bool *ret_is_whole, struct keystay_error *err)
{
    struct slice line = { 0 };
    struct slice value = { 0 };
    size_t n_lengths = 0;

    *ret_is_whole = false;
    while (next_line(rest, &line)) {
        if (line.len == 0) {
            *ret_is_whole = true;
            return n_lengths == 1 ? KEYSTAY_OK : nonsense("its length is not said, or twice", err);
        }
        if (value_of(line, "Transfer-Encoding", &value)) {
            return nonsense("it has a Transfer-Encoding", err);
        }
        if (value_of(line, "Content-Length", &value)) {
            TRY(read_length(value, ret_length, err));
            n_lengths++;
        }
    }
    return KEYSTAY_OK;
}

enum keystay_status local_answer_parse(
    struct slice text, struct local_answer *ret_answer, struct keystay_error *err)
{
    struct local_answer answer = { 0 };
    struct slice rest = text;
    struct slice line = { 0 };
    uint64_t length = 0;
    bool has_headers = false;

    if (next_line(&rest, &line)) {
        TRY(read_status(line, &answer.status, err));
        TRY(read_headers(&rest, &length, &has_headers, err));
    }
    if (!has_headers) {
        *ret_answer = (struct local_answer){ 0 };
        return text.len <= HEAD_MAX ? KEYSTAY_OK : nonsense("its headers do not end", err);
    }
    if (rest.len > length) {
        return nonsense("it is longer than it says", err);
    }
    answer.is_whole = rest.len == length;
    answer.body = rest;
    *ret_answer = answer.is_whole ? answer : (struct local_answer){ 0 };
    return KEYSTAY_OK;
}

static enum keystay_status put_request(
    const struct http_request *request, struct buf *to, struct keystay_error *err)
{
    const char *path = request->url + sizeof(origin) - 1;
    char length[LENGTH_SIZE];

    if (!str_has_prefix(request->url, origin) || path[0] != '/' ||
        !str_is_visible_ascii(slice_of_str(path))) {
        return err_set(err, KEYSTAY_E_INTERNAL, "an address that is none of this machine");
    }
    TRY(buf_puts(to, request->is_get ? "GET " : "POST ", err));
    TRY(buf_puts(to, path, err));
    TRY(buf_puts(to, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", err));
    for (size_t i = 0; i < request->n_headers; i++) {
        TRY(buf_puts(to, request->headers[i], err));
        TRY(buf_puts(to, "\r\n", err));
    }
    if (!request->is_get) {
        (void)snprintf(length, sizeof(length), "%zu", request->form.len);
        TRY(buf_puts(to, "Content-Length: ", err));
        TRY(buf_puts(to, length, err));
        TRY(buf_puts(to, "\r\n", err));
    }
    TRY(buf_puts(to, "\r\n", err));
    return request->is_get ? KEYSTAY_OK : buf_put(to, request->form, err);
}

static enum keystay_status wait_for(int fd, short events, int64_t deadline_ms, struct keystay_error *err)
{
    struct pollfd ready = { .fd = fd, .events = events };
    int n = 0;

    do {
        const int64_t left_ms = deadline_ms - clock_monotonic_ms();
        n = left_ms <= 0 ? 0 : poll(&ready, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
    } while (n < 0 && errno == EINTR);
    return n > 0    ? KEYSTAY_OK
           : n == 0 ? err_set(err, KEYSTAY_E_TIMEOUT, "no answer in time")
                    : err_set(err, KEYSTAY_E_NETWORK, "%s", file_errno_text(errno));
}

static bool is_for_now(int error)
{
    return error == EINTR || error == EAGAIN;
}

static enum keystay_status send_all(
    int fd, struct slice bytes, int64_t deadline_ms, struct keystay_error *err)
{
    while (bytes.len > 0) {
        TRY(wait_for(fd, POLLOUT, deadline_ms, err));
        const ssize_t n = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && !is_for_now(errno)) {
            return err_set(err, KEYSTAY_E_NETWORK, "%s", file_errno_text(errno));
        }
        bytes.data += n < 0 ? 0 : n;
        bytes.len -= n < 0 ? 0 : (size_t)n;
    }
    return KEYSTAY_OK;
}

static enum keystay_status receive(
    int fd, int64_t deadline_ms, struct buf *text, struct local_answer *ret_answer, struct keystay_error *err)
{
    CLEANUP(secret_clear) struct secret chunk = { 0 };

    TRY(secret_alloc(&chunk, CHUNK, err));
    for (;;) {
        TRY(wait_for(fd, POLLIN, deadline_ms, err));
        const ssize_t n = recv(fd, chunk.data, CHUNK, MSG_DONTWAIT);

        if (n == 0 || (n < 0 && !is_for_now(errno))) {
            return err_set(
                err, KEYSTAY_E_NETWORK, "%s",
                n == 0 ? "it closed the connection before all was said" : file_errno_text(errno));
        }
        if (n > 0) {
            TRY(buf_put(text, (struct slice){ (const uint8_t *)chunk.data, (size_t)n }, err));
            TRY(local_answer_parse(buf_slice(text), ret_answer, err));
        }
        if (ret_answer->is_whole) {
            return KEYSTAY_OK;
        }
    }
}

static enum keystay_status local_exchange(
    struct http_transport *base, const struct http_request *request, struct http_response *ret_response,
    struct keystay_error *err)
{
    struct local_transport *transport = (struct local_transport *)base;
    const int64_t deadline_ms =
        clock_monotonic_ms() + (request->timeout_ms > 0 ? request->timeout_ms : transport->timeout_ms);
    CLEANUP(buf_clear) struct buf sent = BUF(REQUEST_MAX);
    CLEANUP(buf_clear) struct buf text = BUF(HEAD_MAX + HTTP_BODY_MAX + CHUNK);
    CLEANUP(file_closep) int fd = transport->fd; /* of one exchange */
    struct local_answer answer = { 0 };

    transport->fd = -1;
    TRY(put_request(request, &sent, err));
    TRY(send_all(fd, buf_slice(&sent), deadline_ms, err));
    TRY(receive(fd, deadline_ms, &text, &answer, err));
    TRY(buf_put(&ret_response->body, answer.body, err));
    ret_response->status = answer.status;
    return KEYSTAY_OK;
}

static void local_close(struct http_transport *base)
{
    struct local_transport *transport = (struct local_transport *)base;

    file_closep(&transport->fd);
    free(transport);
}

static const struct http_ops local_ops = { local_exchange, local_close };

enum keystay_status http_local_new(
    int fd, int64_t timeout_ms, struct http_transport **ret_transport, struct keystay_error *err)
{
    struct local_transport *transport = calloc(1, sizeof(*transport));

    if (transport == NULL) {
        file_closep(&fd);
        return err_no_memory(err);
    }
    transport->base.ops = &local_ops;
    transport->fd = fd;
    transport->timeout_ms = timeout_ms;
    *ret_transport = &transport->base;
    return KEYSTAY_OK;
}
