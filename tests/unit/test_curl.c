/* SPDX-License-Identifier: Apache-2.0 */
/* What can be seen of the transport without a TLS server; tests/server has one. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "http/curl.h"

static const struct http_curl_config plain = { .timeout_ms = 10000, .user_agent = "keystay/test" };

/* A socket on the loopback that listens and never accepts; its address as a URL. */
static int listener(char url[64])
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(url, 64, "https://127.0.0.1:%u/token", (unsigned int)ntohs(address.sin_port));
    return fd;
}

static enum keystay_status post(
    const struct http_curl_config *config, const char *url, struct keystay_error *err)
{
    static const char *const headers[] = { "Accept: application/json" };
    CLEANUP(http_transport_freep) struct http_transport *transport = NULL;
    CLEANUP(http_response_clear) struct http_response response = { 0 };
    const struct http_request request = {
        .url = url, .headers = headers, .n_headers = ARRAY_LEN(headers), .form = SLICE("secret=hunter2")
    };

    assert_ok(http_curl_new(config, &transport, NULL));
    enum keystay_status status = http_post(transport, &request, &response, err);
    assert_int_equal(response.status, 0);
    assert_int_equal(response.body.len, 0);
    if (err != NULL) {
        assert_int_equal(err->status, status);
        assert_lacks(err->message, "hunter2");
        assert_tame(err->message);
    }
    return status;
}

TEST(an_unreadable_ca_file_is_found_out_at_once)
{
    const struct http_curl_config config = { .cacert = "/nonexistent/ca.pem", .timeout_ms = 1000 };
    struct http_transport *transport = NULL;
    struct keystay_error err;

    assert_int_equal(http_curl_new(&config, &transport, &err), KEYSTAY_E_CONFIG);
    assert_null(transport);
    assert_contains(err.message, "/nonexistent/ca.pem");
    assert_contains(err.hint, "--cacert");
    assert_int_equal(http_curl_new(&config, &transport, NULL), KEYSTAY_E_CONFIG);
}

/* libcurl's memory functions cannot be changed once it runs: false is what the program stops at. */
TEST(wiping_memory_comes_too_late_for_a_libcurl_in_use)
{
    CLEANUP(http_transport_freep) struct http_transport *transport = NULL;

    assert_ok(http_curl_new(&plain, &transport, NULL));
    assert_false(http_curl_use_wiping_memory());
}

TEST(starts_with_the_systems_trust_or_a_file)
{
    CLEANUP(temp_file_remove) struct temp_file file = temp_file(SLICE(""));
    const struct http_curl_config with_file = { .cacert = file.path, .timeout_ms = 1000 };
    CLEANUP(http_transport_freep) struct http_transport *first = NULL;
    CLEANUP(http_transport_freep) struct http_transport *second = NULL;

    assert_ok(http_curl_new(&plain, &first, NULL));
    assert_ok(http_curl_new(&with_file, &second, NULL));
    assert_non_null(first);
    assert_non_null(second);
}

TEST(a_closed_port_is_a_network_error)
{
    struct keystay_error err;
    char url[64];

    assert_int_equal(close(listener(url)), 0);
    assert_int_equal(post(&plain, url, &err), KEYSTAY_E_NETWORK);
    assert_contains(err.message, url);
    assert_contains(err.message, "no connection");
    assert_contains(err.hint, "HTTPS_PROXY");
    assert_int_equal(post(&plain, url, NULL), KEYSTAY_E_NETWORK);
}

/* A child that takes one request, answers it and ends; the request as it came is read from *ret_seen. */
static pid_t serve_once(int fd, const char *answer, int *ret_seen)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char request[4096];
        int peer = accept(fd, NULL, NULL);
        ssize_t len = peer < 0 ? -1 : read(peer, request, sizeof(request));
        bool ok =
            len > 0 && write(peer, answer, strlen(answer)) > 0 && write(ends[1], request, (size_t)len) > 0;
        _exit(ok ? 0 : 1);
    }
    (void)close(ends[1]);
    *ret_seen = ends[0];
    return pid;
}

static void read_request(pid_t pid, int seen, char request[4096])
{
    int status = -1;
    ssize_t len = read(seen, request, 4095);

    assert_true(len > 0);
    request[len] = '\0';
    assert_int_equal(close(seen), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* To this machine and where it is allowed; and then past any proxy: what is in the clear stays here. */
TEST(plain_http_is_spoken_to_this_machine_without_a_proxy)
{
    const struct http_curl_config config = { .timeout_ms = 10000,
                                             .user_agent = "keystay/test",
                                             .allow_http_loopback = true };
    CLEANUP(http_transport_freep) struct http_transport *transport = NULL;
    CLEANUP(http_response_clear) struct http_response response = { 0 };
    char url[64];
    char request[4096];
    int fd = listener(url);
    int seen = -1;

    memmove(url + 4, url + 5, strlen(url + 5) + 1); /* http */
    pid_t pid = serve_once(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", &seen);
    assert_ok(http_curl_new(&config, &transport, NULL));
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:9/", 1), 0);
    assert_ok(http_get(transport, url, 0, &response, NULL));
    assert_int_equal(unsetenv("http_proxy"), 0);
    read_request(pid, seen, request);
    file_closep(&fd);
    assert_int_equal(response.status, 200);
    assert_buf(&response.body, "{}");
    assert_true(strncmp(request, "GET /token HTTP/1.1\r\n", 21) == 0);
    assert_contains(request, "Accept: application/json\r\n");
    assert_lacks(request, "Content-");
    assert_contains(request, "\r\n\r\n");
}

TEST(a_redirect_is_an_answer_like_any_other)
{
    const struct http_curl_config config = { .timeout_ms = 10000, .allow_http_loopback = true };
    CLEANUP(http_transport_freep) struct http_transport *transport = NULL;
    CLEANUP(http_response_clear) struct http_response response = { 0 };
    char url[64];
    char request[4096];
    int fd = listener(url);
    int seen = -1;

    memmove(url + 4, url + 5, strlen(url + 5) + 1); /* http */
    pid_t pid = serve_once(
        fd, "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        &seen);
    assert_ok(http_curl_new(&config, &transport, NULL));
    assert_ok(http_get(transport, url, 0, &response, NULL));
    read_request(pid, seen, request);
    file_closep(&fd);
    assert_int_equal(response.status, 302);
}

TEST(plain_http_to_another_machine_is_never_spoken)
{
    const struct http_curl_config config = { .timeout_ms = 10000, .allow_http_loopback = true };
    struct keystay_error err;

    assert_int_equal(post(&config, "http://login.example.invalid/token", &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, "must be https");
    assert_int_equal(post(&plain, "http://127.0.0.1:1/token", &err), KEYSTAY_E_CONFIG);
    assert_contains(err.hint, "--allow-http-loopback");
}

TEST(a_silent_server_is_a_timeout)
{
    const struct http_curl_config config = { .timeout_ms = 200, .user_agent = "keystay/test" };
    char url[64];
    int fd = listener(url);
    struct keystay_error err;
    int64_t start_ms = clock_monotonic_ms();

    assert_int_equal(post(&config, url, &err), KEYSTAY_E_TIMEOUT);
    file_closep(&fd);
    assert_contains(err.hint, "--timeout");
    assert_in_range(clock_monotonic_ms() - start_ms, 150, 9000);
}

TEST(a_request_may_have_less_time_than_the_transport)
{
    const struct http_curl_config config = { .timeout_ms = 60000, .user_agent = "keystay/test" };
    CLEANUP(http_transport_freep) struct http_transport *transport = NULL;
    CLEANUP(http_response_clear) struct http_response response = { 0 };
    char url[64];
    int fd = listener(url);
    const struct http_request request = { .url = url, .form = SLICE("a=b"), .timeout_ms = 200 };
    int64_t start_ms = clock_monotonic_ms();

    assert_ok(http_curl_new(&config, &transport, NULL));
    assert_int_equal(http_post(transport, &request, &response, NULL), KEYSTAY_E_TIMEOUT);
    file_closep(&fd);
    assert_in_range(clock_monotonic_ms() - start_ms, 150, 9000);
}

TEST(a_ca_file_that_holds_none_is_a_matter_of_settings)
{
    CLEANUP(temp_file_remove) struct temp_file file = temp_file(SLICE("no certificate\n"));
    const struct http_curl_config config = { .cacert = file.path, .timeout_ms = 2000 };
    char url[64];
    int fd = listener(url);
    struct keystay_error err;

    assert_int_equal(post(&config, url, &err), KEYSTAY_E_CONFIG);
    file_closep(&fd);
    assert_contains(err.hint, "--cacert");
}

TEST(the_proxy_of_the_environment_is_used)
{
    struct keystay_error err;
    char url[64];

    assert_int_equal(close(listener(url)), 0);
    url[strlen(url) - strlen("/token")] = '\0';
    memcpy(url + 1, "http", 4); /* "https" less its first letter: the proxy itself is asked in the clear */
    assert_int_equal(setenv("HTTPS_PROXY", url + 1, 1), 0);
    assert_int_equal(post(&plain, "https://login.example.invalid/token", &err), KEYSTAY_E_NETWORK);
    assert_int_equal(unsetenv("HTTPS_PROXY"), 0);
    assert_contains(err.message, "no connection"); /* not "no such host": the proxy was asked */
}

TEST(only_https_is_spoken)
{
    static const char *const urls[] = {
        "http://127.0.0.1:1/token",
        "ftp://127.0.0.1:1/token",
        "file:///etc/passwd",
        "127.0.0.1:1/token",
    };

    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct keystay_error err;
        assert_row(post(&plain, urls[i], &err) != KEYSTAY_OK, urls[i]);
        assert_row(strstr(err.message, "no connection") == NULL, urls[i]); /* it was not even tried */
    }
}

TEST(a_malformed_address_is_a_matter_of_settings)
{
    static const char *const urls[] = { "", "https://", "https://[::1", "https://a b/", "https://h:99999/" };

    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct keystay_error err;
        assert_row(post(&plain, urls[i], &err) == KEYSTAY_E_CONFIG, urls[i]);
        assert_contains(err.hint, "--authority");
    }
}

TEST(an_address_with_a_user_name_is_refused)
{
    struct keystay_error err;

    assert_int_not_equal(post(&plain, "https://user@127.0.0.1:1/token", &err), KEYSTAY_OK);
    assert_lacks(err.message, "no connection");
}

int main(void)
{
    static const char *const proxies[] = { "https_proxy", "HTTPS_PROXY", "all_proxy",
                                           "ALL_PROXY",   "no_proxy",    "NO_PROXY" };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unreadable_ca_file_is_found_out_at_once),
        cmocka_unit_test(wiping_memory_comes_too_late_for_a_libcurl_in_use),
        cmocka_unit_test(starts_with_the_systems_trust_or_a_file),
        cmocka_unit_test(a_closed_port_is_a_network_error),
        cmocka_unit_test(plain_http_is_spoken_to_this_machine_without_a_proxy),
        cmocka_unit_test(a_redirect_is_an_answer_like_any_other),
        cmocka_unit_test(plain_http_to_another_machine_is_never_spoken),
        cmocka_unit_test(a_silent_server_is_a_timeout),
        cmocka_unit_test(a_request_may_have_less_time_than_the_transport),
        cmocka_unit_test(a_ca_file_that_holds_none_is_a_matter_of_settings),
        cmocka_unit_test(the_proxy_of_the_environment_is_used),
        cmocka_unit_test(only_https_is_spoken),
        cmocka_unit_test(a_malformed_address_is_a_matter_of_settings),
        cmocka_unit_test(an_address_with_a_user_name_is_refused),
    };

    for (size_t i = 0; i < ARRAY_LEN(proxies); i++) {
        (void)unsetenv(proxies[i]);
    }
    return RUN_TESTS(tests);
}
