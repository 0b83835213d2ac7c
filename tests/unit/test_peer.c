/* SPDX-License-Identifier: Apache-2.0 */
/* With real sockets. A caller is a process of its own where it is to be another user, which takes root. */
#define _GNU_SOURCE /* setgroups, unshare */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/peer.h"
#include "base/error.h"
#include "base/file.h"
#include "scratch.h"

#define FD CLEANUP(file_closep) int

#define CALLER CLEANUP(caller_end) struct caller

enum {
    STRANGER = 61234,
    STRANGERS_GROUP = 61235,
    NOBODY = 65534,
    GROUPS_BASE = 70000,
    GROUP_PATH_SIZE = 320
};

struct where {
    const char *name;
    int listener, caller; /* families */
    const char *at, *to;  /* NULL: a Unix socket in a folder of the test's */
};

static const struct where unix_socket = { "Unix", AF_UNIX, AF_UNIX, NULL, NULL };

static const struct where tcp[] = {
    { "v4", AF_INET, AF_INET, "127.0.0.1", "127.0.0.1" },
    { "v4, another loopback address", AF_INET, AF_INET, "0.0.0.0", "127.8.9.10" },
    { "v4 listener, v4 by a v6 socket", AF_INET, AF_INET6, "127.0.0.1", "::ffff:127.0.0.1" },
    { "v6", AF_INET6, AF_INET6, "::1", "::1" },
    { "listener for both, v4", AF_INET6, AF_INET, "::", "127.0.0.1" },
    { "listener for both, v4 by a v6 socket", AF_INET6, AF_INET6, "::", "::ffff:127.0.0.1" },
    { "listener for both, v6", AF_INET6, AF_INET6, "::", "::1" },
};

/* Who calls. */
struct who {
    uid_t uid;
    gid_t gid;
    size_t n_groups;
    const gid_t *groups;
    const char *cgroup;
    bool is_bound_to_lo;
};

struct caller {
    pid_t pid;      /* 0: the test itself */
    int hold;       /* the process goes when this is closed */
    int own_socket; /* of the test itself */
    int connection;
    struct scratch folder;
};

static void caller_end(struct caller *caller)
{
    file_closep(&caller->connection);
    file_closep(&caller->hold);
    file_closep(&caller->own_socket);
    if (caller->pid > 0) {
        (void)waitpid(caller->pid, NULL, 0);
    }
    if (caller->folder.path[0] != '\0') {
        scratch_remove(&caller->folder);
    }
}

union address {
    struct sockaddr any;
    struct sockaddr_un local;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t fill(union address *address, int family, const char *text, uint16_t port)
{
    *address = (union address){ 0 };
    address->any.sa_family = (sa_family_t)family;
    if (family == AF_UNIX) {
        (void)snprintf(address->local.sun_path, sizeof(address->local.sun_path), "%s", text);
        return sizeof(address->local);
    }
    if (family == AF_INET) {
        address->v4.sin_port = port;
        assert_int_equal(inet_pton(AF_INET, text, &address->v4.sin_addr), 1);
        return sizeof(address->v4);
    }
    address->v6.sin6_port = port;
    assert_int_equal(inet_pton(AF_INET6, text, &address->v6.sin6_addr), 1);
    return sizeof(address->v6);
}

/* Gives back the address to call as well. */
static int listen_at(
    const struct where *where, struct caller *caller, union address *ret_to, socklen_t *ret_len)
{
    const int listener = socket(where->listener, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char path[SCRATCH_PATH_SIZE] = "";
    union address address;
    const int both = 0;
    const struct timeval patience = { .tv_sec = 10 };

    if (where->listener == AF_UNIX) {
        caller->folder = scratch_new();
        (void)chmod(caller->folder.path, 0755);
        (void)scratch_path(&caller->folder, "socket", path);
    }
    socklen_t len = fill(&address, where->listener, path[0] != '\0' ? path : where->at, 0);
    if (where->listener == AF_INET6) {
        assert_int_equal(setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof(both)), 0);
    }
    if (bind(listener, &address.any, len) != 0) {
        fail_msg("%s: bind: %s", where->name, file_errno_text(errno));
    }
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    if (where->listener == AF_UNIX) {
        assert_int_equal(chmod(path, 0777), 0);
        *ret_to = address;
        *ret_len = len;
        return listener;
    }
    assert_int_equal(getsockname(listener, &address.any, &len), 0);
    *ret_len = fill(
        ret_to, where->caller, where->to,
        where->listener == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
    return listener;
}

static int connect_as(const struct who *who, const union address *to, socklen_t len)
{
    if (who->cgroup != NULL) {
        FD procs = open(who->cgroup, O_WRONLY | O_CLOEXEC);
        if (write(procs, "0", 1) != 1) {
            return -1;
        }
    }
    const int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (who->is_bound_to_lo && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) != 0) {
        return -1;
    }
    return connect(fd, &to->any, len) == 0 ? fd : -1;
}

static void become_and_wait(const struct who *who, const union address *to, socklen_t len, int hold)
{
    char byte;

    if (geteuid() == 0 && (setgroups(who->n_groups, who->groups) != 0 || setgid(who->gid) != 0)) {
        _exit(1);
    }
    if (who->cgroup == NULL && setuid(who->uid) != 0) {
        _exit(2);
    }
    if (connect_as(who, to, len) < 0) {
        _exit(3);
    }
    _exit(read(hold, &byte, 1) == 0 ? 0 : 4);
}

/* Calls from a process of its own, which holds the connection until the end. */
static struct caller call_as(const struct where *where, const struct who *who)
{
    struct caller caller = { .connection = -1, .own_socket = -1 };
    union address to;
    socklen_t len = 0;
    int ends[2];
    FD listener = listen_at(where, &caller, &to, &len);

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    caller.hold = ends[1];
    caller.pid = fork();
    assert_true(caller.pid >= 0);
    if (caller.pid == 0) {
        (void)close(ends[1]);
        (void)alarm(30);
        become_and_wait(who, &to, len, ends[0]);
    }
    (void)close(ends[0]);
    caller.connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(caller.connection >= 0);
    return caller;
}

/* Calls from the test itself. */
static struct caller call(const struct where *where, const struct who *who)
{
    struct caller caller = { .hold = -1 };
    union address to;
    socklen_t len = 0;
    FD listener = listen_at(where, &caller, &to, &len);

    caller.own_socket = connect_as(who, &to, len);
    if (caller.own_socket < 0) {
        fail_msg("%s: connect: %s", where->name, file_errno_text(errno));
    }
    caller.connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(caller.connection >= 0);
    return caller;
}

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
    struct caller unused = { .connection = -1 };
    struct peer peer = { 0 };
    union address to;
    socklen_t len = 0;

    FD listener = listen_at(&tcp[0], &unused, &to, &len);
    assert_int_equal(peer_of_tcp(listener, &peer, NULL), KEYSTAY_E_ANSWER_NO);
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
    for (size_t i = 0; i < ARRAY_LEN(tcp); i++) {
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
    for (size_t i = 0; i < ARRAY_LEN(tcp); i++) {
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
    for (size_t i = 0; i < ARRAY_LEN(tcp); i++) {
        CALLER caller = call_as(&tcp[i], &nobody);
        assert_row(peer_of_tcp(caller.connection, &peer, &err) == KEYSTAY_E_ANSWER_NO, tcp[i].name);
        assert_contains(err.message, "nobody (uid 65534)");
    }
    CALLER caller = call_as(&unix_socket, &nobody);
    assert_int_equal(peer_of_unix(caller.connection, &peer, &err), KEYSTAY_E_ANSWER_NO);
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

    for (size_t i = 0; i < ARRAY_LEN(tcp); i++) {
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

/* Who connected is known for good on a Unix socket, but its unit is not. */
TEST(a_process_that_ended_has_no_unit)
{
    const struct who who = { .uid = geteuid(), .gid = getegid() };
    struct peer peer = { 0 };
    CALLER caller = call_as(&unix_socket, &who);

    file_closep(&caller.hold);
    assert_int_equal(waitpid(caller.pid, NULL, 0), caller.pid);
    assert_ok(peer_of_unix(caller.connection, &peer, NULL));
    assert_int_equal(peer.uid, geteuid());
    assert_int_equal(peer.pid, caller.pid);
    assert_string_equal(peer.unit, "");
    caller.pid = 0;
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
    char procs[GROUP_PATH_SIZE + 16] = "";
    char unit[UNIT_SIZE];
    struct peer on_unix = { 0 };
    struct peer on_tcp = { 0 };
    struct who who = { .uid = geteuid(), .gid = getegid() };

    make_cgroup(group, unit);
    if (group[0] != '\0') {
        (void)snprintf(procs, sizeof(procs), "%s/cgroup.procs", group);
        who.cgroup = procs;
    }
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
        cmocka_unit_test(a_user_of_another_user_namespace_is_refused),
        cmocka_unit_test(a_connection_of_another_network_namespace_is_refused),
        cmocka_unit_test(a_caller_that_hung_up_is_refused),
        cmocka_unit_test(a_process_that_ended_has_no_unit),
        cmocka_unit_test(the_unit_of_a_caller_is_known),
    };

    return RUN_TESTS(tests);
}
