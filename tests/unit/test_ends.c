/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses come from the tests: a host need not have any but its own. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/error.h"
#include "peer/ends.h"

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *len);
int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *len);

static const char *ours, *theirs; /* NULL: the call fails */
static socklen_t len_more;        /* what the system says the address is longer by */

static int give(const char *text, uint16_t port, struct sockaddr *ret_address, socklen_t *len)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    const bool is_v4 = text != NULL && inet_pton(AF_INET, text, &v4.sin_addr) == 1;

    if (text == NULL) {
        errno = ENOTCONN;
        return -1;
    }
    if (!is_v4 && inet_pton(AF_INET6, text, &v6.sin6_addr) != 1) {
        v6.sin6_family = AF_UNIX;
    }
    memcpy(ret_address, is_v4 ? (const void *)&v4 : (const void *)&v6, is_v4 ? sizeof(v4) : sizeof(v6));
    *len = (socklen_t)(is_v4 ? sizeof(v4) : sizeof(v6)) + len_more;
    return 0;
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    (void)fd;
    return give(ours, 8181, address, len);
}

int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *len)
{
    (void)fd;
    return give(theirs, 40000, address, len);
}

static enum keystay_status read_between(
    const char *a, const char *b, struct ends *ret_ends, struct keystay_error *err)
{
    ours = a;
    theirs = b;
    return ends_read(0, ret_ends, err);
}

TEST(a_connection_without_ends_is_refused)
{
    struct ends ends;
    struct keystay_error err;

    assert_int_equal(read_between(NULL, "127.0.0.1", &ends, &err), KEYSTAY_E_INTERNAL);
    assert_int_equal(read_between("127.0.0.1", NULL, &ends, &err), KEYSTAY_E_ANSWER_NO);
    assert_contains(err.message, "hung up");
    assert_int_equal(read_between("unix", "127.0.0.1", &ends, &err), KEYSTAY_E_INTERNAL);
    assert_int_equal(read_between("127.0.0.1", "unix", &ends, &err), KEYSTAY_E_INTERNAL);
    len_more = 1;
    assert_int_equal(read_between("127.0.0.1", "127.0.0.1", &ends, &err), KEYSTAY_E_INTERNAL);
    assert_int_equal(read_between("::1", "::1", &ends, &err), KEYSTAY_E_INTERNAL);
    len_more = 0;
}

TEST(v4_is_the_same_in_both_forms)
{
    struct ends plain, mapped;

    assert_ok(read_between("127.0.0.1", "127.0.0.2", &plain, NULL));
    assert_ok(read_between("::ffff:127.0.0.1", "::ffff:127.0.0.2", &mapped, NULL));
    assert_true(end_equal(&plain.ours, &mapped.ours));
    assert_true(end_equal(&plain.theirs, &mapped.theirs));
    assert_false(end_equal(&plain.ours, &plain.theirs));
    assert_true(end_is_ipv4(&plain.ours));
    assert_int_equal(plain.ours.port, 8181);
    assert_int_equal(plain.theirs.port, 40000);
    mapped.ours.port++;
    assert_false(end_equal(&plain.ours, &mapped.ours));
}

TEST(loopback_addresses_are_taken_and_no_others)
{
    static const struct {
        const char *address;
        bool is_loopback;
    } rows[] = {
        { "127.0.0.1", true },
        { "127.0.0.0", true },
        { "127.255.255.255", true },
        { "::1", true },
        { "::ffff:127.0.0.1", true },
        { "::ffff:127.200.3.4", true },
        { "126.255.255.255", false },
        { "128.0.0.1", false },
        { "0.0.0.0", false },
        { "10.0.0.1", false },
        { "1.0.0.127", false },
        { "::", false },
        { "::2", false },
        { "::ffff:10.0.0.1", false },
        { "::127.0.0.1", false }, /* IPv4-compatible (RFC 4291 §2.5.5.1), long given up */
        { "64:ff9b::127.0.0.1", false },
        { "fe80::1", false },
        { "7f00::1", false },
        { "1::1", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const bool is_v4 = strchr(rows[i].address, ':') == NULL;
        const char *other = is_v4 ? "127.0.0.1" : "::1";
        const enum keystay_status expected = rows[i].is_loopback ? KEYSTAY_OK : KEYSTAY_E_ANSWER_NO;
        struct ends ends;

        assert_row(read_between(rows[i].address, other, &ends, NULL) == expected, rows[i].address);
        assert_row(read_between(other, rows[i].address, &ends, NULL) == expected, rows[i].address);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_without_ends_is_refused),
        cmocka_unit_test(v4_is_the_same_in_both_forms),
        cmocka_unit_test(loopback_addresses_are_taken_and_no_others),
    };

    return RUN_TESTS(tests);
}
