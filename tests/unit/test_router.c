/* SPDX-License-Identifier: Apache-2.0 */
/* Requests are made up. What has passed the guard asks for what is not there, and so is answered with 404. */
#include "unit.h"

#include <stdio.h>

#include "agent/agent.h"
#include "agent/reply.h"
#include "base/error.h"
#include "base/str.h"
#include "scratch.h"

enum { HEADERS_MAX = 4, NOT_ANSWERED = 0, PASSED = 404, REFUSED = 403, WRONG_METHOD = 405 };

struct request {
    struct peer peer;
    const char *method;
    const char *path;
    const char *headers[HEADERS_MAX][2]; /* name, value; ends with a NULL */
    unsigned int status;
    char allow[16];
};

const struct peer *__wrap_request_peer(const struct request *request);
const char *__wrap_request_method(const struct request *request);
const char *__wrap_request_path(const struct request *request);
const char *__wrap_request_find_header(const struct request *request, name_pick pick);
enum keystay_status __wrap_request_header(
    const struct request *request, const char *name, const char **ret_value, struct keystay_error *err);
void __wrap_request_answer(struct request *request, const struct answer *answer);
void __wrap_reply_refusal(
    struct request *request, enum dialect dialect, unsigned int http_status, enum keystay_status status,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

const struct peer *__wrap_request_peer(const struct request *request)
{
    return &request->peer;
}

const char *__wrap_request_method(const struct request *request)
{
    return request->method;
}

const char *__wrap_request_path(const struct request *request)
{
    return request->path;
}

const char *__wrap_request_find_header(const struct request *request, name_pick pick)
{
    for (size_t i = 0; i < HEADERS_MAX && request->headers[i][0] != NULL; i++) {
        if (pick(request->headers[i][0])) {
            return request->headers[i][0];
        }
    }
    return NULL;
}

enum keystay_status __wrap_request_header(
    const struct request *request, const char *name, const char **ret_value, struct keystay_error *err)
{
    const char *found = NULL;

    for (size_t i = 0; i < HEADERS_MAX && request->headers[i][0] != NULL; i++) {
        if (!str_iequal(request->headers[i][0], name)) {
            continue;
        }
        if (found != NULL) {
            return err_set(err, KEYSTAY_E_USAGE, "twice");
        }
        found = request->headers[i][1];
    }
    *ret_value = found;
    return KEYSTAY_OK;
}

void __wrap_request_answer(struct request *request, const struct answer *answer)
{
    assert_int_equal(request->status, NOT_ANSWERED);
    request->status = answer->status;
    (void)snprintf(request->allow, sizeof(request->allow), "%s", answer->allow);
}

void __wrap_reply_refusal(
    struct request *request, enum dialect dialect, unsigned int http_status, enum keystay_status status,
    const char *format, ...)
{
    (void)dialect;
    (void)format;
    assert_int_equal(status, KEYSTAY_E_USAGE);
    assert_int_equal(request->status, NOT_ANSWERED);
    request->status = http_status;
}

static struct ear ear;
static struct agent agent;

static unsigned int ask(struct request *request)
{
    ear_init(&ear);
    agent = (struct agent){ .log = &ear.log };
    agent_handle(&agent, request);
    assert_int_equal(atomic_load(&agent.counts.refused), request->status == REFUSED);
    assert_int_equal(ear.n_warnings, request->status == REFUSED);
    return request->status;
}

static const struct row {
    const char *host;
    unsigned int status;
} hosts[] = {
    { "localhost", PASSED },
    { "LOCALHOST", PASSED },
    { "localhost:1", PASSED },
    { "localhost:65535", PASSED },
    { "127.0.0.1", PASSED },
    { "127.0.0.1:4141", PASSED },
    { "[::1]", PASSED },
    { "[::1]:4141", PASSED },
    { "localhost:", PASSED }, /* RFC 3986 §3.2.3: the port may be empty */
    { NULL, REFUSED },
    { "", REFUSED },
    { ":80", REFUSED },
    { "localhos", REFUSED },
    { "localhost.", REFUSED },
    { "localhost.example", REFUSED },
    { "localhost:80.example", REFUSED },
    { "localhost:80@example", REFUSED },
    { "localhost:-1", REFUSED },
    { "localhost :80", REFUSED },
    { "localhost, example", REFUSED },
    { " localhost", REFUSED },
    { "127.0.0.1.example", REFUSED },
    { "127.0.0.11", REFUSED },
    { "127.0.0.2", REFUSED },
    { "127.1", REFUSED },
    { "0.0.0.0", REFUSED },
    { "10.0.0.1", REFUSED },
    { "169.254.169.254", REFUSED },
    { "::1", REFUSED },
    { "[::1", REFUSED },
    { "[::1].example", REFUSED },
    { "[::]", REFUSED },
    { "[0:0:0:0:0:0:0:1]", REFUSED },
    { "user@localhost", REFUSED },
    { "example", REFUSED },
};

TEST(over_tcp_the_host_is_this_machine)
{
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        const char *name = hosts[i].host == NULL ? "none" : hosts[i].host;
        struct request request = { .peer = { .kind = PEER_TCP }, .method = "GET", .path = "/nowhere" };

        if (hosts[i].host != NULL) {
            request.headers[0][0] = "hOST";
            request.headers[0][1] = hosts[i].host;
        }
        assert_row(ask(&request) == hosts[i].status, name);
    }
}

TEST(a_host_that_is_given_twice_is_refused)
{
    struct request request = { .peer = { .kind = PEER_TCP },
                               .method = "GET",
                               .path = "/nowhere",
                               .headers = { { "Host", "localhost" }, { "Host", "localhost" } } };

    assert_int_equal(ask(&request), REFUSED);
}

static const struct {
    const char *header;
    unsigned int status;
} headers[] = {
    { "Origin", REFUSED },
    { "ORIGIN", REFUSED },
    { "Sec-Fetch-Site", REFUSED },
    { "sec-fetch-mode", REFUSED },
    { "SEC-FETCH-anything-new", REFUSED },
    { "X-Forwarded-For", REFUSED },
    { "x-forwarded-FOR", REFUSED },
    { "X-Forwarded-Host", REFUSED },
    { "x-forwarded-anything-new", REFUSED },
    { "X-Real-IP", REFUSED },
    { "Forwarded", REFUSED },
    { "Via", REFUSED },
    { "vIA", REFUSED },
    { "Original", PASSED },
    { "Viaduct", PASSED },
    { "X-Forwarded", PASSED },
    { "Sec-Fetch", PASSED },
    { "X-Forwarded", PASSED },
    { "X-Sec-Fetch-Site", PASSED },
    { "X-IDENTITY-HEADER", PASSED },
    { "", PASSED },
};

TEST(what_browsers_and_proxies_send_is_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        struct request request = { .peer = { .kind = PEER_TCP },
                                   .method = "GET",
                                   .path = "/nowhere",
                                   .headers = { { "Host", "localhost" }, { headers[i].header, "" } } };

        assert_row(ask(&request) == headers[i].status, headers[i].header);
    }
}

/* There no page of a browser can ask; nginx may, for somebody. */
TEST(on_the_unix_socket_all_that_is_nothing)
{
    struct request request = {
        .peer = { .kind = PEER_UNIX },
        .method = "GET",
        .path = "/nowhere",
        .headers = { { "Host", "example" }, { "Origin", "http://x" }, { "X-Forwarded-For", "10.0.0.1" } }
    };

    assert_int_equal(ask(&request), PASSED);
}

static unsigned int ask_for(enum peer_kind kind, const char *method, const char *path, const char **ret_allow)
{
    static struct request request;

    request = (struct request){
        .peer = { .kind = kind }, .method = method, .path = path, .headers = { { "Host", "localhost" } }
    };
    const unsigned int status = ask(&request);
    *ret_allow = request.allow;
    return status;
}

TEST(native_paths_are_not_there_over_tcp)
{
    static const char *const paths[] = { "/v1/token",  "/v1/assertion", "/v1/inject", "/v1/grant",
                                         "/v1/status", "/v1/reload",    "/v1/forget", "/v1/lock",
                                         "/v1/pin",    "/v1/unlock" };
    const char *allow = NULL;

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_row(ask_for(PEER_TCP, "GET", paths[i], &allow) == PASSED, paths[i]);
        assert_row(ask_for(PEER_TCP, "POST", paths[i], &allow) == PASSED, paths[i]);
        assert_row(ask_for(PEER_TCP, "OPTIONS", paths[i], &allow) == PASSED, paths[i]);
        assert_row(ask_for(PEER_UNIX, "PUT", paths[i], &allow) == WRONG_METHOD, paths[i]);
        assert_row(str_equal(allow, i < 3 || i == 4 ? "GET" : "POST"), paths[i]);
    }
}

TEST(each_path_has_its_method)
{
    static const char *const paths[] = { "/MSI/token",
                                         "/MSI/token/",
                                         "/metadata/identity/oauth2/token",
                                         "/metadata/identity/oauth2/token/",
                                         "//metadata/identity/oauth2/token",
                                         "/metrics",
                                         "/healthz",
                                         "/readyz" };
    static const char *const methods[] = { "OPTIONS", "POST", "PUT", "DELETE", "get", "TRACE", "" };
    const char *allow = NULL;

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        for (size_t k = 0; k < ARRAY_LEN(methods); k++) {
            assert_row(ask_for(PEER_TCP, methods[k], paths[i], &allow) == WRONG_METHOD, paths[i]);
            assert_string_equal(allow, "GET");
        }
    }
    assert_int_equal(ask_for(PEER_UNIX, "HEAD", "/v1/unlock", &allow), WRONG_METHOD);
}

TEST(a_path_is_as_it_is)
{
    static const char *const paths[] = {
        "",          "/",          "/v1/token/", "//v1/token", "/v1/../v1/token",
        "/V1/token", "/msi/token", "/healthz/",  "v1/token",   "*"
    };
    const char *allow = NULL;

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_row(ask_for(PEER_UNIX, "GET", paths[i], &allow) == PASSED, paths[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_tcp_the_host_is_this_machine),
        cmocka_unit_test(a_host_that_is_given_twice_is_refused),
        cmocka_unit_test(what_browsers_and_proxies_send_is_refused),
        cmocka_unit_test(on_the_unix_socket_all_that_is_nothing),
        cmocka_unit_test(native_paths_are_not_there_over_tcp),
        cmocka_unit_test(each_path_has_its_method),
        cmocka_unit_test(a_path_is_as_it_is),
    };

    return RUN_TESTS(tests);
}
