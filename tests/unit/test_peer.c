/* SPDX-License-Identifier: Apache-2.0 */
/* With real sockets. A caller is a process of its own where it is to be another user, which takes root. */
#define _GNU_SOURCE /* unshare */
#include "unit.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "calls.h"
#include "peer/peer.h"

#define FD CLEANUP(file_closep) int

enum {
    STRANGER = 61234,
    STRANGERS_GROUP = 61235,
    NOBODY = 65534,
    GROUPS_BASE = 70000,
    GROUP_PATH_SIZE = 320
};

static const struct who myself = { .uid = 0 };

static enum keystay_status peer_of(
    const struct where *where, int fd, struct peer *ret_peer, struct keystay_error *err)
{
    return where->listener == AF_UNIX ? peer_of_unix(fd, ret_peer, err) : peer_of_tcp(fd, ret_peer, err);
}

static void needs_root(void)
{
    if (geteuid() != 0) {
        print_message("other users can be played by root alone\n");
        skip();
    }
}

TEST(the_wrong_kind_of_connection_is_refused)
{
    struct peer peer = { 0 };
    struct keystay_error err;
    CALLER by_tcp = call(&tcp[0], &myself);
    CALLER by_unix = call(&unix_socket, &myself);

    assert_int_equal(peer_of_unix(-1, &peer, &err), KEYSTAY_E_INTERNAL);
    assert_int_equal(peer_of_tcp(-1, &peer, &err), KEYSTAY_E_INTERNAL);
    assert_int_equal(peer_of_unix(by_tcp.connection, &peer, &err), KEYSTAY_E_INTERNAL);
    assert_contains(err.message, "not of a Unix socket");
    assert_int_equal(peer_of_tcp(by_unix.connection, &peer, &err), KEYSTAY_E_INTERNAL);
    assert_contains(err.message, "not of TCP");
}

/* A listener has no caller: what is asked about it must not be answered with whoever listens. */
TEST(a_listener_is_nobody)
{
    struct peer peer = { 0 };
    CALLER caller = call(&tcp[0], &myself);

    assert_int_equal(peer_of_tcp(caller.listener, &peer, NULL), KEYSTAY_E_ANSWER_NO);
}

TEST(a_program_knows_itself_on_a_unix_socket)
{
    struct peer peer = { 0 };
    CALLER caller = call(&unix_socket, &myself);

    assert_ok(peer_of_unix(caller.connection, &peer, NULL));
    assert_int_equal(peer.kind, PEER_UNIX);
    assert_int_equal(peer.uid, geteuid());
    assert_true(peer.has_gid);
    assert_int_equal(peer.gid, getegid());
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.n_groups, getgroups(0, NULL));
}

TEST(a_program_knows_itself_on_tcp)
{
    for (size_t i = 0; i < N_TCP; i++) {
        struct keystay_error err = { 0 };
        struct peer peer = { 0 };
        CALLER caller = call(&tcp[i], &myself);

        if (peer_of_tcp(caller.connection, &peer, &err) != KEYSTAY_OK) {
            fail_msg("row '%s': %s", tcp[i].name, err.message);
        }
        assert_row(peer.kind == PEER_TCP, tcp[i].name);
        assert_row(peer.uid == geteuid(), tcp[i].name);
        assert_row(!peer.has_gid && peer.n_groups == 0 && peer.pid == 0, tcp[i].name);
    }
}

TEST(another_user_is_known)
{
    const struct who stranger = { .uid = STRANGER, .gid = STRANGERS_GROUP };
    struct peer peer = { 0 };

    needs_root();
    for (size_t i = 0; i < N_TCP; i++) {
        CALLER caller = call_as(&tcp[i], &stranger);
        assert_row(peer_of_tcp(caller.connection, &peer, NULL) == KEYSTAY_OK, tcp[i].name);
        assert_row(peer.uid == STRANGER, tcp[i].name);
        assert_row(!peer_has_group(&peer, STRANGERS_GROUP) && !peer_has_group(&peer, 0), tcp[i].name);
    }
    CALLER caller = call_as(&unix_socket, &stranger);
    assert_ok(peer_of_unix(caller.connection, &peer, NULL));
    assert_int_equal(peer.uid, STRANGER);
    assert_int_equal(peer.pid, caller.pid);
    assert_int_equal(peer.n_groups, 0);
    assert_true(peer_has_group(&peer, STRANGERS_GROUP));
    assert_false(peer_has_group(&peer, 0));
}

TEST(a_caller_that_is_bound_to_the_loopback_interface_is_known)
{
    const struct who bound = { .is_bound_to_lo = true };
    struct peer peer = { 0 };
    CALLER v4 = call(&tcp[0], &bound);
    CALLER v6 = call(&tcp[3], &bound);

    assert_ok(peer_of_tcp(v4.connection, &peer, NULL));
    assert_ok(peer_of_tcp(v6.connection, &peer, NULL));
    assert_int_equal(peer.uid, geteuid());
}

TEST(supplementary_groups_are_known)
{
    const gid_t groups[] = { 70001, NOBODY, 70003 };
    const struct who who = { STRANGER, STRANGERS_GROUP, ARRAY_LEN(groups), groups, NULL, false };
    struct peer peer = { 0 };

    needs_root();
    CALLER caller = call_as(&unix_socket, &who);
    assert_ok(peer_of_unix(caller.connection, &peer, NULL));
    assert_int_equal(peer.n_groups, 2);
    assert_true(peer_has_group(&peer, 70001));
    assert_true(peer_has_group(&peer, 70003));
    assert_false(peer_has_group(&peer, 70002));
    assert_false(peer_has_group(&peer, NOBODY)); /* what groups of other user namespaces look like */
}

TEST(the_group_of_nobody_is_none)
{
    const struct who who = { .uid = STRANGER, .gid = NOBODY };
    struct peer peer = { 0 };

    needs_root();
    CALLER caller = call_as(&unix_socket, &who);
    assert_ok(peer_of_unix(caller.connection, &peer, NULL));
    assert_false(peer.has_gid);
    assert_false(peer_has_group(&peer, NOBODY));
    assert_false(peer_has_group(&peer, 0));
}

TEST(more_groups_than_fit_are_not_cut_off)
{
    gid_t groups[PEER_GROUPS_MAX + 1];
    struct who who = { STRANGER, STRANGERS_GROUP, PEER_GROUPS_MAX, groups, NULL, false };
    struct peer peer = { 0 };
    struct keystay_error err;

    needs_root();
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        groups[i] = (gid_t)(GROUPS_BASE + i);
    }
    CALLER fits = call_as(&unix_socket, &who);
    assert_ok(peer_of_unix(fits.connection, &peer, NULL));
    assert_true(peer_has_group(&peer, GROUPS_BASE + PEER_GROUPS_MAX - 1));
    who.n_groups++;
    CALLER beyond = call_as(&unix_socket, &who);
    assert_int_equal(peer_of_unix(beyond.connection, &peer, &err), KEYSTAY_E_ANSWER_NO);
    assert_contains(err.message, "more than 256 groups");
}

TEST(nobody_is_refused)
{
    const struct who nobody = { .uid = NOBODY, .gid = NOBODY };
    struct peer peer = { 0 };
    struct keystay_error err;

    needs_root();
    for (size_t i = 0; i < N_TCP; i++) {
        CALLER caller = call_as(&tcp[i], &nobody);
        assert_row(peer_of_tcp(caller.connection, &peer, &err) == KEYSTAY_E_ANSWER_NO, tcp[i].name);
        assert_contains(err.message, "nobody (uid 65534)");
    }
    CALLER caller = call_as(&unix_socket, &nobody);
    assert_int_equal(peer_of_unix(caller.connection, &peer, &err), KEYSTAY_E_ANSWER_NO);
}

enum keystay_status __real_file_read(
    const char *path, const char *what, enum keystay_status status, struct buf *ret_content,
    struct keystay_error *err);
enum keystay_status __wrap_file_read(
    const char *path, const char *what, enum keystay_status status, struct buf *ret_content,
    struct keystay_error *err);

static const char *overflow_id; /* what the kernel says which number strangers have; NULL: ask it */

enum keystay_status __wrap_file_read(
    const char *path, const char *what, enum keystay_status status, struct buf *ret_content,
    struct keystay_error *err)
{
    if (overflow_id == NULL || strstr(path, "/overflow") == NULL) {
        return __real_file_read(path, what, status, ret_content, err);
    }
    return overflow_id[0] == '\0' ? status : buf_puts(ret_content, overflow_id, err);
}

TEST(nobody_is_who_the_kernel_says_it_is)
{
    static const struct {
        const char *says;
        bool is_stranger;
    } rows[] = {
        { "61234\n", true },   { "61234", true },       { "65534\n", false },
        { "", false }, /* cannot be read */
        { "61234 \n", false }, { "nonsense\n", false }, { "4294967296\n", false },
    };
    const struct who stranger = { .uid = STRANGER };
    const struct who nobody = { .uid = NOBODY };
    struct peer peer;

    needs_root();
    CALLER by_stranger = call_as(&tcp[0], &stranger);
    CALLER by_nobody = call_as(&tcp[0], &nobody);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        overflow_id = rows[i].says;
        const bool is_stranger = peer_of_tcp(by_stranger.connection, &peer, NULL) == KEYSTAY_E_ANSWER_NO;
        const bool is_nobody = peer_of_tcp(by_nobody.connection, &peer, NULL) == KEYSTAY_E_ANSWER_NO;
        overflow_id = NULL;
        assert_row(is_stranger == rows[i].is_stranger && is_nobody == !rows[i].is_stranger, rows[i].says);
    }
}

/* The judge: what an agent in a namespace of its own makes of the connection. */
enum { KNOWN = 10, NOT_KNOWN, NO_NAMESPACE };

struct judged {
    const struct where *where;
    int connection;
    int namespaces;
    const char *message;
};

static int judge(void *context)
{
    const struct judged *judged = context;
    struct keystay_error err = { 0 };
    struct peer peer;

    if (unshare(judged->namespaces) != 0) {
        return NO_NAMESPACE;
    }
    if ((judged->namespaces & CLONE_NEWUSER) != 0) {
        FD map = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
        if (write(map, "0 0 1", 5) != 5) {
            return NO_NAMESPACE;
        }
    }
    enum keystay_status status = peer_of(judged->where, judged->connection, &peer, &err);
    if (status == KEYSTAY_OK) {
        return peer.uid == 0 ? KNOWN : 0;
    }
    return status == KEYSTAY_E_ANSWER_NO && strstr(err.message, judged->message) != NULL ? NOT_KNOWN : 0;
}

static int judge_apart(
    const struct where *where, const struct caller *caller, int namespaces, const char *message)
{
    struct judged judged = { where, caller->connection, namespaces, message };
    int verdict = in_child_without_terminal(judge, &judged);

    if (verdict == NO_NAMESPACE) {
        print_message("this host lets no namespace be made\n");
        skip();
    }
    return verdict;
}

/* An agent in a container that shares the host's network: root is mapped, the stranger is not. */
TEST(a_user_of_another_user_namespace_is_refused)
{
    const struct where *const wheres[] = { &tcp[0], &tcp[3], &unix_socket };
    const struct who root = { .uid = 0 };
    const struct who stranger = { .uid = STRANGER };

    needs_root();
    for (size_t i = 0; i < ARRAY_LEN(wheres); i++) {
        CALLER known = call_as(wheres[i], &root);
        assert_row(judge_apart(wheres[i], &known, CLONE_NEWUSER, "") == KNOWN, wheres[i]->name);
        CALLER unknown = call_as(wheres[i], &stranger);
        assert_row(
            judge_apart(wheres[i], &unknown, CLONE_NEWUSER, "nobody (uid 65534)") == NOT_KNOWN,
            wheres[i]->name);
    }
}

/* The same four numbers may be another connection here. */
TEST(a_connection_of_another_network_namespace_is_refused)
{
    const struct who root = { .uid = 0 };

    needs_root();
    CALLER caller = call_as(&tcp[0], &root);
    assert_int_equal(judge_apart(&tcp[0], &caller, CLONE_NEWNET, "another network namespace"), NOT_KNOWN);
}

/* A socket without a file is told with uid 0: whoever hangs up at once would be root. */
TEST(a_caller_that_hung_up_is_refused)
{
    const struct linger at_once = { .l_onoff = 1 };
    struct peer peer = { 0 };
    struct keystay_error err;

    for (size_t i = 0; i < N_TCP; i++) {
        CALLER closed = call(&tcp[i], &myself);
        file_closep(&closed.own_socket);
        assert_row(peer_of_tcp(closed.connection, &peer, &err) == KEYSTAY_E_ANSWER_NO, tcp[i].name);
        assert_contains(err.message, "has closed its socket");

        CALLER half = call(&tcp[i], &myself);
        assert_int_equal(shutdown(half.own_socket, SHUT_WR), 0);
        assert_row(peer_of_tcp(half.connection, &peer, &err) == KEYSTAY_E_ANSWER_NO, tcp[i].name);

        CALLER reset = call(&tcp[i], &myself);
        assert_int_equal(setsockopt(reset.own_socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
        file_closep(&reset.own_socket);
        assert_row(peer_of_tcp(reset.connection, &peer, &err) == KEYSTAY_E_ANSWER_NO, tcp[i].name);
        assert_contains(err.message, "hung up");
    }
}

/* A group of the test's own where the host lets one be made; else the unit that the test runs in, or none. */
static void make_cgroup(char ret_group[GROUP_PATH_SIZE], char ret_unit[UNIT_SIZE])
{
    static const char *const roots[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };
    CLEANUP(buf_clear) struct buf own = BUF(16384);
    char procs[GROUP_PATH_SIZE + 16];

    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        (void)snprintf(ret_unit, UNIT_SIZE, "keystay-test-%ld.service", (long)getpid());
        (void)snprintf(ret_group, GROUP_PATH_SIZE, "%s/%s", roots[i], ret_unit);
        (void)snprintf(procs, sizeof(procs), "%s/cgroup.procs", ret_group);
        if (mkdir(ret_group, 0755) == 0 && access(procs, W_OK) == 0) {
            return;
        }
        (void)rmdir(ret_group);
    }
    ret_group[0] = '\0';
    assert_ok(file_read("/proc/self/cgroup", "a file", KEYSTAY_E_INTERNAL, &own, NULL));
    unit_of_cgroup_file(buf_slice(&own), ret_unit);
}

TEST(the_unit_of_a_caller_is_known)
{
    char group[GROUP_PATH_SIZE];
    char procs[GROUP_PATH_SIZE + 16];
    char unit[UNIT_SIZE];
    struct peer on_unix = { 0 };
    struct peer on_tcp = { 0 };
    struct who who = { .uid = geteuid(), .gid = getegid() };

    make_cgroup(group, unit);
    (void)snprintf(procs, sizeof(procs), "%s/cgroup.procs", group);
    who.cgroup = group[0] != '\0' ? procs : NULL;
    struct caller by_unix = call_as(&unix_socket, &who);
    struct caller by_tcp = call_as(&tcp[0], &who);
    enum keystay_status unix_status = peer_of_unix(by_unix.connection, &on_unix, NULL);
    enum keystay_status tcp_status = peer_of_tcp(by_tcp.connection, &on_tcp, NULL);
    peer_find_unit(&on_unix);
    peer_find_unit(&on_tcp);
    caller_end(&by_tcp); /* it has the other's descriptors too */
    caller_end(&by_unix);
    (void)rmdir(group);

    assert_ok(unix_status);
    assert_ok(tcp_status);
    assert_string_equal(on_unix.unit, unit);
    assert_string_equal(on_tcp.unit, unit);
}

/* Who connected is known for good on a Unix socket. Its unit is not: another process may get its number. */
TEST(a_process_that_ended_has_no_unit)
{
    char group[GROUP_PATH_SIZE];
    char procs[GROUP_PATH_SIZE + 16];
    char unit[UNIT_SIZE];
    struct peer ended = { 0 };
    struct peer gone = { 0 };
    struct who who = { .uid = geteuid(), .gid = getegid() };
    siginfo_t info;

    make_cgroup(group, unit);
    (void)snprintf(procs, sizeof(procs), "%s/cgroup.procs", group);
    who.cgroup = group[0] != '\0' ? procs : NULL;
    struct caller caller = call_as(&unix_socket, &who);
    const pid_t pid = caller.pid;
    file_closep(&caller.hold);
    const int waited = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT); /* its number is still taken */
    enum keystay_status ended_status = peer_of_unix(caller.connection, &ended, NULL);
    (void)waitpid(pid, NULL, 0);
    enum keystay_status gone_status = peer_of_unix(caller.connection, &gone, NULL);
    caller.pid = 0;
    caller_end(&caller);
    (void)rmdir(group);

    assert_int_equal(waited, 0);
    assert_ok(ended_status);
    assert_ok(gone_status);
    assert_int_equal(gone.uid, geteuid());
    assert_int_equal(gone.pid, pid);
    assert_string_equal(ended.unit, "");
    assert_string_equal(gone.unit, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wrong_kind_of_connection_is_refused),
        cmocka_unit_test(a_listener_is_nobody),
        cmocka_unit_test(a_program_knows_itself_on_a_unix_socket),
        cmocka_unit_test(a_program_knows_itself_on_tcp),
        cmocka_unit_test(another_user_is_known),
        cmocka_unit_test(a_caller_that_is_bound_to_the_loopback_interface_is_known),
        cmocka_unit_test(supplementary_groups_are_known),
        cmocka_unit_test(the_group_of_nobody_is_none),
        cmocka_unit_test(more_groups_than_fit_are_not_cut_off),
        cmocka_unit_test(nobody_is_refused),
        cmocka_unit_test(nobody_is_who_the_kernel_says_it_is),
        cmocka_unit_test(a_user_of_another_user_namespace_is_refused),
        cmocka_unit_test(a_connection_of_another_network_namespace_is_refused),
        cmocka_unit_test(a_caller_that_hung_up_is_refused),
        cmocka_unit_test(the_unit_of_a_caller_is_known),
        cmocka_unit_test(a_process_that_ended_has_no_unit),
    };

    return RUN_TESTS(tests);
}
