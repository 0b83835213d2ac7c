/* SPDX-License-Identifier: Apache-2.0 */
/* How far a way goes, and what is said of the proxy. What a server that answers shows is for
 * tests/e2e/test_doctor.py. */
#include "scratch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "http/curl.h"
#include "http/probe.h"

enum { URL_SIZE = 128 };

/* Whoever runs the tests may have a proxy. */
#define WITHOUT_PROXY                                \
    KEPT_ENV lower = env_set("https_proxy", NULL);   \
    KEPT_ENV upper = env_set("HTTPS_PROXY", NULL);   \
    KEPT_ENV all_lower = env_set("all_proxy", NULL); \
    KEPT_ENV all_upper = env_set("ALL_PROXY", NULL); \
    KEPT_ENV but_lower = env_set("no_proxy", NULL);  \
    KEPT_ENV but_upper = env_set("NO_PROXY", NULL)

static enum keystay_status go(const char *url, struct probe *probe, struct keystay_error *err)
{
    static const struct http_curl_config config = { .timeout_ms = 1000,
                                                    .user_agent = "keystay/test",
                                                    .allow_http_loopback = true };
    CLEANUP(http_transport_freep) struct http_transport *transport = NULL;

    assert_ok(http_curl_new(&config, &transport, NULL));
    return http_curl_probe(transport, url, probe, err);
}

/* A socket on the loopback that never says a word; when it does not listen, nobody can connect. */
static int silent_socket(const char *scheme, bool listens, char ret_url[URL_SIZE])
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listens ? listen(fd, 4) : 0, 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(
        ret_url, URL_SIZE, "%s://127.0.0.1:%u/token", scheme, (unsigned int)ntohs(address.sin_port));
    return fd;
}

TEST(clearing_nothing_is_fine)
{
    struct probe probe = { 0 };

    probe_clear(&probe);
}

TEST(plain_http_to_elsewhere_is_not_even_looked_at)
{
    WITHOUT_PROXY;
    CLEANUP(probe_clear) struct probe probe = { 0 };
    struct keystay_error err;

    assert_int_equal(go("http://server.example/token", &probe, &err), KEYSTAY_E_CONFIG);
    assert_int_equal(probe.stage, PROBE_NOWHERE);
    assert_string_equal(probe.address, "");
}

TEST(it_says_how_far_it_came)
{
    static const struct {
        const char *name, *scheme;
        bool listens;
        enum keystay_status status;
        enum probe_stage stage;
    } rows[] = {
        { "nobody listens", "https", false, KEYSTAY_E_NETWORK, PROBE_NAMED },
        { "no TLS", "https", true, KEYSTAY_E_TIMEOUT, PROBE_CONNECTED },
        { "no answer", "http", true, KEYSTAY_E_TIMEOUT, PROBE_SECURE },
    };
    WITHOUT_PROXY;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(probe_clear) struct probe probe = { 0 };
        char url[URL_SIZE];
        CLEANUP(file_closep) int fd = silent_socket(rows[i].scheme, rows[i].listens, url);

        assert_true(fd >= 0);
        assert_row(go(url, &probe, NULL) == rows[i].status, rows[i].name);
        assert_row(probe.stage == rows[i].stage, rows[i].name);
        assert_string_equal(probe.host, "127.0.0.1");
        assert_int_equal(probe.proxy, PROBE_PROXY_NONE);
        assert_int_equal(probe.certificate.len, 0);
        assert_string_equal(probe.date, "");
        if (rows[i].listens) {
            assert_string_equal(probe.address, "127.0.0.1");
        }
    }
}

/* A label of 64 characters cannot be in the DNS, so that no name server is asked. */
#define LONG_LABEL "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

TEST(a_name_that_is_not_known_is_the_first_step)
{
    WITHOUT_PROXY;
    CLEANUP(probe_clear) struct probe probe = { 0 };

    assert_int_equal(go("https://" LONG_LABEL ".invalid/", &probe, NULL), KEYSTAY_E_NETWORK);
    assert_int_equal(probe.stage, PROBE_NOWHERE);
    assert_string_equal(probe.host, LONG_LABEL ".invalid");
}

TEST(a_proxy_is_told_without_name_and_password)
{
    static const struct {
        const char *variable, *value, *url;
    } rows[] = {
        { "https_proxy", "http://me:hunter2@127.0.0.1:9", "http://127.0.0.1:9/" },
        { "HTTPS_PROXY", "me:hunter2@127.0.0.1:9", "http://127.0.0.1:9/" },
        { "ALL_PROXY", "socks5://me:hunter2@127.0.0.1:9", "socks5://127.0.0.1:9/" },
        { "https_proxy", "http://me:hunter2@[::1", "that cannot be read" },
        { "https_proxy", "smtp://me:hunter2@127.0.0.1:9", "smtp://127.0.0.1:9/" },
    };
    WITHOUT_PROXY;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        KEPT_ENV set = env_set(rows[i].variable, rows[i].value);
        KEPT_ENV but = env_set("NO_PROXY", "intranet.example");
        CLEANUP(probe_clear) struct probe probe = { 0 };
        struct keystay_error err;

        assert_row(go("https://server.example/", &probe, &err) != KEYSTAY_OK, rows[i].value);
        assert_string_equal(probe.proxy_variable, rows[i].variable);
        assert_string_equal(probe.proxy_url, rows[i].url);
        assert_string_equal(probe.no_proxy, "intranet.example");
        assert_lacks(err.message, "hunter2");
        assert_true(probe.stage <= PROBE_NAMED);
    }
}

/* Only that it is set, and that it is not for this server; an empty one counts as unset. */
TEST(a_proxy_that_has_no_part_in_it)
{
    WITHOUT_PROXY;
    KEPT_ENV empty = env_set("https_proxy", "");
    KEPT_ENV set = env_set("HTTPS_PROXY", "http://127.0.0.1:9");
    KEPT_ENV but = env_set("NO_PROXY", "127.0.0.1");
    CLEANUP(probe_clear) struct probe secure = { 0 };
    CLEANUP(probe_clear) struct probe plain = { 0 };
    char url[URL_SIZE];
    CLEANUP(file_closep) int one = silent_socket("https", true, url);

    assert_true(one >= 0);
    assert_int_equal(go(url, &secure, NULL), KEYSTAY_E_TIMEOUT);
    assert_int_equal(secure.proxy, PROBE_PROXY_PASSED_BY);
    assert_string_equal(secure.proxy_variable, "HTTPS_PROXY");
    CLEANUP(file_closep) int other = silent_socket("http", true, url);
    assert_true(other >= 0);
    assert_int_equal(go(url, &plain, NULL), KEYSTAY_E_TIMEOUT);
    assert_int_equal(plain.proxy, PROBE_PROXY_NONE);
}

/* What a proxy is called may come from anywhere. */
TEST(texts_of_the_environment_are_safe_to_print)
{
    WITHOUT_PROXY;
    KEPT_ENV set = env_set("https_proxy", "http://127.0.0.1:9/\x1b[2J");
    KEPT_ENV but = env_set("no_proxy", "\x1b]0;title\x07");
    CLEANUP(probe_clear) struct probe probe = { 0 };

    assert_true(go("https://server.example/", &probe, NULL) != KEYSTAY_OK);
    assert_tame(probe.proxy_url);
    assert_tame(probe.no_proxy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clearing_nothing_is_fine),
        cmocka_unit_test(plain_http_to_elsewhere_is_not_even_looked_at),
        cmocka_unit_test(it_says_how_far_it_came),
        cmocka_unit_test(a_name_that_is_not_known_is_the_first_step),
        cmocka_unit_test(a_proxy_is_told_without_name_and_password),
        cmocka_unit_test(a_proxy_that_has_no_part_in_it),
        cmocka_unit_test(texts_of_the_environment_are_safe_to_print),
    };

    return RUN_TESTS(tests);
}
