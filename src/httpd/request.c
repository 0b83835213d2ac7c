/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "httpd/page.h"

struct request *request_new(
    struct httpd *httpd, struct MHD_Connection *connection, const char *method, const char *path)
{
    struct connection *from =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    struct request *request = from == NULL ? NULL : calloc(1, sizeof(*request));

    if (request != NULL) {
        request->httpd = httpd;
        request->connection = connection;
        request->from = from;
        request->method = method;
        request->path = path;
        request->body = BUF(HTTPD_BODY_MAX);
    }
    return request;
}

void request_free(struct request *request)
{
    page_freep(&request->page);
    buf_clear(&request->body);
    free(request);
}

const struct peer *request_peer(const struct request *request)
{
    return &request->from->peer;
}

void request_find_unit(struct request *request)
{
    struct peer *peer = &request->from->peer;

    peer_find_unit(peer);
    peer->cgroup_id = 0;
}

const char *request_method(const struct request *request)
{
    return request->method;
}

const char *request_path(const struct request *request)
{
    return request->path;
}

struct slice request_body(const struct request *request)
{
    return buf_slice(&request->body);
}

/* One name that is looked for among arguments or headers. */
struct search {
    const char *name;
    bool folds_case;
    size_t n;
    struct slice value;
};

static enum MHD_Result look(
    void *context, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value,
    size_t value_len)
{
    struct search *search = context;

    (void)kind;
    if (strlen(name) == name_len &&
        (search->folds_case ? str_iequal(name, search->name) : str_equal(name, search->name))) {
        search->n++;
        search->value = (struct slice){ (const uint8_t *)value, value == NULL ? 0 : value_len };
    }
    return MHD_YES;
}

/* UTF-8 without control characters, and so without a NUL, which would end it before its end. */
static bool is_clean(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7F) {
            return false;
        }
    }
    return str_is_utf8(text);
}

static enum keystay_status find(
    const struct request *request, enum MHD_ValueKind kind, const char *what, const char *name,
    const char **ret_value, struct keystay_error *err)
{
    struct search search = { .name = name, .folds_case = kind == MHD_HEADER_KIND };

    (void)MHD_get_connection_values_n(request->connection, kind, look, &search);
    if (search.n > 1) {
        return err_set(err, KEYSTAY_E_USAGE, "the %s %s is given twice", what, name);
    }
    if (search.n == 1 && !is_clean(search.value)) {
        return err_set(err, KEYSTAY_E_USAGE, "the %s %s is no text", what, name);
    }
    /* libmicrohttpd ends each value with a NUL. */
    *ret_value = search.value.len == 0 ? NULL : (const char *)search.value.data;
    return KEYSTAY_OK;
}

enum keystay_status request_argument(
    const struct request *request, const char *name, const char **ret_value, struct keystay_error *err)
{
    return find(request, MHD_GET_ARGUMENT_KIND, "argument", name, ret_value, err);
}

enum keystay_status request_header(
    const struct request *request, const char *name, const char **ret_value, struct keystay_error *err)
{
    return find(request, MHD_HEADER_KIND, "header", name, ret_value, err);
}

struct picking {
    name_pick pick;
    const char *name;
};

static enum MHD_Result pick_one(
    void *context, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value,
    size_t value_len)
{
    struct picking *picking = context;

    (void)kind;
    (void)value;
    (void)value_len;
    if (strlen(name) != name_len || picking->pick(name)) {
        picking->name = name;
        return MHD_NO;
    }
    return MHD_YES;
}

static const char *find_name(const struct request *request, enum MHD_ValueKind kind, name_pick pick)
{
    struct picking picking = { pick, NULL };

    (void)MHD_get_connection_values_n(request->connection, kind, pick_one, &picking);
    return picking.name;
}

const char *request_find_header(const struct request *request, name_pick pick)
{
    return find_name(request, MHD_HEADER_KIND, pick);
}

const char *request_find_argument(const struct request *request, name_pick pick)
{
    return find_name(request, MHD_GET_ARGUMENT_KIND, pick);
}

/* RFC 9110 §5.6.2. */
static bool is_token(const char *name, size_t len)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < len; i++) {
        const char lower = (char)(name[i] | 0x20);

        if ((lower < 'a' || lower > 'z') && (name[i] < '0' || name[i] > '9') &&
            (name[i] == '\0' || strchr(marks, name[i]) == NULL)) {
            return false;
        }
    }
    return len > 0;
}

/* A tab is white space, and what is above ASCII is nobody's to judge. */
static bool is_one_line(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7F) {
            return false;
        }
    }
    return true;
}

struct clarity {
    unsigned int n_ends; /* Content-Length, Transfer-Encoding */
    unsigned int n_hosts;
    bool is_odd;
};

static enum MHD_Result see_header(
    void *context, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value,
    size_t value_len)
{
    struct clarity *clarity = context;

    (void)kind;
    if (!is_token(name, name_len) || !is_one_line(value, value == NULL ? 0 : value_len)) {
        clarity->is_odd = true;
        return MHD_NO;
    }
    clarity->n_ends += str_iequal(name, MHD_HTTP_HEADER_CONTENT_LENGTH) ||
                       str_iequal(name, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    clarity->n_hosts += str_iequal(name, MHD_HTTP_HEADER_HOST);
    return MHD_YES;
}

bool request_is_clear(const struct request *request)
{
    struct clarity clarity = { 0 };

    (void)MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, see_header, &clarity);
    return !clarity.is_odd && clarity.n_ends <= 1 && clarity.n_hosts <= 1;
}

void request_set_note(struct request *request, const void *note)
{
    request->note = note;
}

const void *request_note(const struct request *request)
{
    return request->note;
}

void request_wait(struct request *request)
{
    request->is_waiting = true;
    MHD_suspend_connection(request->connection);
}

/* Whoever waits is woken, and must not be touched afterwards: another thread may be done with it. */
static void settle(struct request *request, struct page *page)
{
    struct MHD_Connection *connection = request->connection;
    const bool was_waiting = request->is_waiting;

    request->page = page;
    if (was_waiting) {
        MHD_resume_connection(connection);
    }
}

void request_answer(struct request *request, const struct answer *answer)
{
    settle(request, page_new(answer));
}

void request_answer_page(struct request *request, struct page *page)
{
    settle(request, page_share(page));
}
