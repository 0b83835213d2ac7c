/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "http/local.h"

static enum keystay_status parse(const char *text, struct local_answer *ret_answer)
{
    struct keystay_error err = { 0 };
    enum keystay_status status = local_answer_parse(slice_of_str(text), ret_answer, &err);

    assert_int_equal(err.status, status);
    return status;
}

TEST(what_is_no_answer_is_refused)
{
    static const char *const texts[] = {
        "\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/2 200\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 -20 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTRANSFER-ENCODING:chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}x",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct local_answer answer = { .status = 7 };

        assert_int_equal(parse(texts[i], &answer), KEYSTAY_E_SERVER_RESPONSE);
        assert_int_equal(answer.status, 7);
    }
}

TEST(headers_without_an_end)
{
    CLEANUP(buf_clear) struct buf text = BUF(64 * 1024);
    struct local_answer answer = { 0 };

    assert_ok(buf_puts(&text, "HTTP/1.1 200 OK\r\n", NULL));
    while (text.len <= 16 * 1024) {
        assert_ok(local_answer_parse(buf_slice(&text), &answer, NULL));
        assert_false(answer.is_whole);
        assert_ok(buf_puts(&text, "X-Filler: 0123456789012345678901234567890123456789\r\n", NULL));
    }
    assert_int_equal(local_answer_parse(buf_slice(&text), &answer, NULL), KEYSTAY_E_SERVER_RESPONSE);
}

/* RFC 9112 §4 and §6.3; any case and blanks, RFC 9110 §5. */
TEST(a_whole_answer_and_each_part_of_one)
{
    static const char text[] = "HTTP/1.1 403 Forbidden\r\nDate: now\r\ncontent-LENGTH: \t2\r\nA: b\r\n\r\n{}";
    struct local_answer answer = { 0 };

    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        assert_ok(local_answer_parse((struct slice){ (const uint8_t *)text, len }, &answer, NULL));
        assert_false(answer.is_whole);
    }
    assert_ok(parse(text, &answer));
    assert_true(answer.is_whole);
    assert_int_equal(answer.status, 403);
    assert_int_equal(answer.body.len, 2);
    assert_memory_equal(answer.body.data, "{}", 2);
    assert_ok(parse("HTTP/1.1 204\r\nContent-Length: 0\r\n\r\n", &answer));
    assert_true(answer.is_whole);
    assert_int_equal(answer.body.len, 0);
}

/* The far end: hears until what it waits for has come, and answers a few bytes at a time. */
struct far_end {
    int fd;
    const char *waits_for;
    const char *says;
    char heard[1024];
};

static void *be_far_end(void *context)
{
    struct far_end *far_end = context;
    size_t n = 0;

    while (strstr(far_end->heard, far_end->waits_for) == NULL && n < sizeof(far_end->heard) - 1) {
        ssize_t more = read(far_end->fd, far_end->heard + n, sizeof(far_end->heard) - 1 - n);
        if (more <= 0) {
            break;
        }
        n += (size_t)more;
    }
    for (const char *at = far_end->says; *at != '\0'; at++) {
        if (write(far_end->fd, at, 1) != 1) {
            break;
        }
    }
    (void)close(far_end->fd);
    return NULL;
}

static enum keystay_status ask(
    struct far_end *far_end, const struct http_request *request, struct http_response *ret_response,
    struct keystay_error *err)
{
    CLEANUP(http_transport_freep) struct http_transport *transport = NULL;
    int ends[2];
    pthread_t thread;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    far_end->fd = ends[1];
    assert_int_equal(pthread_create(&thread, NULL, be_far_end, far_end), 0);
    assert_ok(http_local_new(ends[0], 10000, &transport, NULL));
    enum keystay_status status = request->is_get ? http_get(transport, request->url, 0, ret_response, err)
                                                 : http_post(transport, request, ret_response, err);
    http_transport_freep(&transport);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return status;
}

TEST(a_get)
{
    struct far_end far_end = { .waits_for = "\r\n\r\n",
                               .says = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" };
    const struct http_request request = { .url = "http://localhost/v1/token?profile=a", .is_get = true };
    CLEANUP(http_response_clear) struct http_response response = { 0 };

    assert_ok(ask(&far_end, &request, &response, NULL));
    assert_int_equal(response.status, 200);
    assert_buf(&response.body, "hello");
    assert_string_equal(
        far_end.heard, "GET /v1/token?profile=a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                       "Accept: application/json\r\n\r\n");
}

TEST(a_post)
{
    struct far_end far_end = { .waits_for = "1234", .says = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };
    const struct http_request request = { .url = "http://localhost/v1/unlock", .form = SLICE("1234") };
    CLEANUP(http_response_clear) struct http_response response = { 0 };

    assert_ok(ask(&far_end, &request, &response, NULL));
    assert_string_equal(
        far_end.heard, "POST /v1/unlock HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                       "Content-Length: 4\r\n\r\n1234");
}

TEST(an_answer_that_breaks_off)
{
    struct far_end far_end = { .waits_for = "\r\n\r\n",
                               .says = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell" };
    const struct http_request request = { .url = "http://localhost/", .is_get = true };
    CLEANUP(http_response_clear) struct http_response response = { 0 };
    struct keystay_error err;

    assert_int_equal(ask(&far_end, &request, &response, &err), KEYSTAY_E_NETWORK);
    assert_int_equal(response.status, 0);
    assert_int_equal(response.body.len, 0);
}

TEST(addresses_of_other_machines_and_with_line_ends)
{
    static const char *const urls[] = { "https://localhost/", "http://localhost", "http://localhost.example/",
                                        "http://localhost/a b", "http://localhost/\r\nX: y" };

    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct far_end far_end = { .waits_for = "\r\n\r\n", .says = "" };
        const struct http_request request = { .url = urls[i], .is_get = true };
        CLEANUP(http_response_clear) struct http_response response = { 0 };

        assert_int_equal(ask(&far_end, &request, &response, NULL), KEYSTAY_E_INTERNAL);
        assert_string_equal(far_end.heard, "");
    }
}

TEST(who_does_not_answer_is_given_up)
{
    CLEANUP(http_transport_freep) struct http_transport *transport = NULL;
    CLEANUP(http_response_clear) struct http_response response = { 0 };
    CLEANUP(file_closep) int far_fd = -1;
    int ends[2];
    const int64_t begin_ms = clock_monotonic_ms();

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    far_fd = ends[1];
    assert_ok(http_local_new(ends[0], 100, &transport, NULL));
    assert_int_equal(http_get(transport, "http://localhost/", 0, &response, NULL), KEYSTAY_E_TIMEOUT);
    assert_true(clock_monotonic_ms() - begin_ms >= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(headers_without_an_end),
        cmocka_unit_test(a_whole_answer_and_each_part_of_one),
        cmocka_unit_test(a_get),
        cmocka_unit_test(a_post),
        cmocka_unit_test(an_answer_that_breaks_off),
        cmocka_unit_test(addresses_of_other_machines_and_with_line_ends),
        cmocka_unit_test(who_does_not_answer_is_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
