/* SPDX-License-Identifier: Apache-2.0 */
/* With real sockets. */

#include "unit.h"

#include <sys/socket.h>
#include <unistd.h>

#include "agent/peer.h"
#include "base/error.h"
#include "base/file.h"

#define FD CLEANUP(file_closep) int

static void both_ends(int ret_ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_ends), 0);
}

TEST(what_is_no_unix_socket_is_refused)
{
    struct peer peer = { 0 };
    struct keystay_error err;
    FD tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(peer_of_unix(-1, &peer, &err), KEYSTAY_E_INTERNAL);
    assert_int_equal(peer_of_unix(tcp, &peer, &err), KEYSTAY_E_INTERNAL);
    assert_contains(err.message, "not of a Unix socket");
}

TEST(a_program_knows_itself)
{
    struct peer peer = { 0 };
    int ends[2];

    both_ends(ends);
    FD ours = ends[0];
    FD theirs = ends[1];
    assert_true(theirs >= 0);
    assert_ok(peer_of_unix(ours, &peer, NULL));
    assert_int_equal(peer.kind, PEER_UNIX);
    assert_int_equal(peer.uid, geteuid());
    assert_true(peer.has_gid);
    assert_int_equal(peer.gid, getegid());
    assert_int_equal(peer.pid, getpid());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_unix_socket_is_refused),
        cmocka_unit_test(a_program_knows_itself),
    };

    return RUN_TESTS(tests);
}
