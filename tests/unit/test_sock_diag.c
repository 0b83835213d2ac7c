/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel would have to say to be believed, and in which way; test_peer.c asks the real one. */
#include "unit.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/file.h"
#include "peer/sock_diag.h"

enum {
    HEAD_LEN = 4, /* of an attribute */
    UID = 1234,
    INODE = 77,
    CALLER_PORT = 40000,
    OUR_PORT = 8181,
    GROUP_ID = 4321,
};

static const struct sock_diag_question v4 = {
    .port_id = 99,
    .sequence = 1,
    .ends = {
        .ours = { { [10] = 0xFF, 0xFF, 127, 0, 0, 1 }, OUR_PORT },
        .theirs = { { [10] = 0xFF, 0xFF, 127, 0, 0, 9 }, CALLER_PORT },
    },
};

static const struct sock_diag_question v6 = {
    .port_id = 99,
    .sequence = 1,
    .ends = { .ours = { { [15] = 1 }, OUR_PORT }, .theirs = { { [15] = 1 }, CALLER_PORT } },
};

struct answer {
    size_t len; /* of the datagram; the message in it says its own */
    struct nlmsghdr head;
    union {
        struct nlmsgerr failure;
        struct {
            struct inet_diag_msg socket;
            uint8_t attributes[64];
        };
    };
};

static void put_attribute(struct answer *answer, uint16_t type, const void *value, size_t len)
{
    const struct nlattr head = { (uint16_t)(HEAD_LEN + len), type };
    uint8_t *at = (uint8_t *)&answer->head + answer->len;

    memcpy(at, &head, sizeof(head));
    memcpy(at + HEAD_LEN, value, len);
    answer->len += HEAD_LEN + (len + 3) / 4 * 4;
    answer->head.nlmsg_len = (uint32_t)answer->len;
}

/* With an attribute that has padding before the one that counts. family is that of the caller's socket. */
static struct answer answer_to(const struct sock_diag_question *question, uint8_t family)
{
    const struct ends *ends = &question->ends;
    const size_t skip = family == AF_INET ? 12 : 0;
    const uint8_t shut_down = 0;
    const uint64_t group = GROUP_ID;
    struct answer answer = {
        .len = NLMSG_LENGTH(sizeof(struct inet_diag_msg)),
        .head = { NLMSG_LENGTH(sizeof(struct inet_diag_msg)), SOCK_DIAG_BY_FAMILY, 0, 1, 99 },
        .socket = { .idiag_family = family,
                    .idiag_state = TCP_ESTABLISHED,
                    .id = { .idiag_sport = htons(CALLER_PORT), .idiag_dport = htons(OUR_PORT) },
                    .idiag_uid = UID,
                    .idiag_inode = INODE },
    };

    memcpy(answer.socket.id.idiag_src, ends->theirs.address + skip, 16 - skip);
    memcpy(answer.socket.id.idiag_dst, ends->ours.address + skip, 16 - skip);
    put_attribute(&answer, INET_DIAG_SHUTDOWN, &shut_down, sizeof(shut_down));
    put_attribute(&answer, INET_DIAG_CGROUP_ID, &group, sizeof(group));
    return answer;
}

static struct slice bytes_of(const struct answer *answer)
{
    return (struct slice){ (const uint8_t *)&answer->head, answer->len };
}

ssize_t __wrap_recvfrom(
    int fd, void *bytes, size_t size, int flags, struct sockaddr *ret_sender, socklen_t *ret_len);
ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags);

/* What comes of the netlink socket. */
static struct {
    bool is_silent;
    uint32_t sender;
    size_t n_beyond;  /* bytes that did not fit */
    bool has_another; /* datagram */
    int failure;      /* of looking for it */
} given;

ssize_t __wrap_recvfrom(
    int fd, void *bytes, size_t size, int flags, struct sockaddr *ret_sender, socklen_t *ret_len)
{
    const struct sockaddr_nl sender = { .nl_family = AF_NETLINK, .nl_pid = given.sender };
    struct answer answer = answer_to(&v4, AF_INET);
    struct sockaddr_nl own;
    socklen_t len = sizeof(own);

    assert_true((flags & MSG_DONTWAIT) != 0);
    if (given.is_silent) {
        errno = EAGAIN;
        return -1;
    }
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &len), 0);
    answer.head.nlmsg_pid = own.nl_pid;
    assert_true(answer.len <= size);
    memcpy(bytes, &answer.head, answer.len);
    memcpy(ret_sender, &sender, sizeof(sender));
    *ret_len = sizeof(sender);
    return (ssize_t)(given.n_beyond == 0 ? answer.len : size + given.n_beyond);
}

ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags)
{
    (void)fd;
    (void)bytes;
    (void)size;
    assert_true((flags & MSG_DONTWAIT) != 0);
    errno = given.failure;
    return given.has_another ? 1 : -1;
}

static enum keystay_status find(struct sock_diag_owner *ret_owner, struct keystay_error *err)
{
    CLEANUP(file_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return sock_diag_find(fd, &v4.ends, ret_owner, err);
}

TEST(nothing_is_no_answer)
{
    struct sock_diag_owner owner;

    assert_int_equal(sock_diag_parse(SLICE(""), &v4, &owner, NULL), KEYSTAY_E_INTERNAL);
}

TEST(an_owner_is_told)
{
    static const struct {
        const char *name;
        const struct sock_diag_question *question;
        uint8_t family;
    } rows[] = {
        { "v4", &v4, AF_INET },
        { "v4 by a v6 socket", &v4, AF_INET6 },
        { "v6", &v6, AF_INET6 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer answer = answer_to(rows[i].question, rows[i].family);
        struct sock_diag_owner owner = { 0 };

        assert_row(
            sock_diag_parse(bytes_of(&answer), rows[i].question, &owner, NULL) == KEYSTAY_OK, rows[i].name);
        assert_row(owner.uid == UID && owner.cgroup_id == GROUP_ID, rows[i].name);
    }
}

TEST(a_kernel_that_knows_no_groups_tells_an_owner)
{
    struct answer answer = answer_to(&v4, AF_INET);
    struct sock_diag_owner owner = { .cgroup_id = 1 };

    answer.len = NLMSG_LENGTH(sizeof(struct inet_diag_msg));
    answer.head.nlmsg_len = (uint32_t)answer.len;
    assert_ok(sock_diag_parse(bytes_of(&answer), &v4, &owner, NULL));
    assert_int_equal(owner.uid, UID);
    assert_int_equal(owner.cgroup_id, 0);
}

TEST(what_the_kernel_cannot_tell_has_its_words)
{
    static const struct {
        int32_t number;
        enum keystay_status status;
        const char *message;
    } rows[] = {
        { -ENOENT, KEYSTAY_E_ANSWER_NO, "the caller's socket is gone" },
        { -EPERM, KEYSTAY_E_INTERNAL, "Operation not permitted" },
        { -4095, KEYSTAY_E_INTERNAL, "4095" },
        { -4096, KEYSTAY_E_INTERNAL, "without a number" },
        { INT32_MIN, KEYSTAY_E_INTERNAL, "without a number" },
        { 0, KEYSTAY_E_INTERNAL, "without a number" }, /* an acknowledgement is no owner */
        { ENOENT, KEYSTAY_E_INTERNAL, "without a number" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer answer = { .len = NLMSG_LENGTH(sizeof(struct nlmsgerr)),
                                 .head = { NLMSG_LENGTH(sizeof(struct nlmsgerr)), NLMSG_ERROR, 0, 1, 99 } };
        struct sock_diag_owner owner;
        struct keystay_error err;

        answer.failure.error = rows[i].number;
        assert_int_equal(sock_diag_parse(bytes_of(&answer), &v4, &owner, &err), rows[i].status);
        assert_contains(err.message, rows[i].message);
    }
}

TEST(a_socket_without_an_open_connection_has_no_owner)
{
    static const struct {
        const char *name;
        uint8_t state;
        uint32_t inode;
    } rows[] = {
        { "closed, or not accepted yet", TCP_ESTABLISHED, 0 },
        { "closed", TCP_FIN_WAIT2, 0 },
        { "half closed", TCP_FIN_WAIT1, INODE },
        { "still connecting", TCP_SYN_SENT, INODE },
        { "our end is closed", TCP_CLOSE_WAIT, INODE },
        { "over", TCP_TIME_WAIT, 0 },
        { "listening", TCP_LISTEN, INODE },
        { "state 0", 0, INODE },
        { "state 255", 255, INODE },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer answer = answer_to(&v4, AF_INET);
        struct sock_diag_owner owner;

        answer.socket.idiag_state = rows[i].state;
        if (rows[i].state == TCP_LISTEN) {
            memset(answer.socket.id.idiag_dst, 0, sizeof(answer.socket.id.idiag_dst));
            answer.socket.id.idiag_dport = 0;
        }
        answer.socket.idiag_inode = rows[i].inode;
        assert_row(
            sock_diag_parse(bytes_of(&answer), &v4, &owner, NULL) == KEYSTAY_E_ANSWER_NO, rows[i].name);
    }
}

TEST(every_byte_that_says_which_socket_it_is_counts)
{
    const size_t first = offsetof(struct inet_diag_msg, id) + offsetof(struct inet_diag_sockid, idiag_sport);
    const size_t after = offsetof(struct inet_diag_msg, id) + offsetof(struct inet_diag_sockid, idiag_if);

    for (size_t at = first; at < after; at++) {
        struct answer answer = answer_to(&v6, AF_INET6);
        struct sock_diag_owner owner;
        struct keystay_error err;

        ((uint8_t *)&answer.socket)[at] ^= 0x80;
        assert_int_equal(sock_diag_parse(bytes_of(&answer), &v6, &owner, &err), KEYSTAY_E_INTERNAL);
        assert_contains(err.message, "another socket");
    }
}

TEST(an_answer_that_is_cut_off_anywhere_is_refused)
{
    struct answer answer = answer_to(&v4, AF_INET);
    const size_t n_bytes = answer.len;
    const size_t socket_len = NLMSG_LENGTH(sizeof(struct inet_diag_msg));

    for (answer.len = 0; answer.len < n_bytes; answer.len++) {
        /* Between two attributes nobody can tell; the first one is whole without its padding. */
        const bool is_an_end =
            answer.len == socket_len || (answer.len > socket_len + HEAD_LEN && answer.len <= socket_len + 8);
        struct sock_diag_owner owner;

        answer.head.nlmsg_len = (uint32_t)n_bytes;
        assert_int_equal(sock_diag_parse(bytes_of(&answer), &v4, &owner, NULL), KEYSTAY_E_INTERNAL);
        answer.head.nlmsg_len = (uint32_t)answer.len; /* what is there, it says, is all */
        assert_int_equal(
            sock_diag_parse(bytes_of(&answer), &v4, &owner, NULL),
            is_an_end ? KEYSTAY_OK : KEYSTAY_E_INTERNAL);
    }
}

struct spoilt {
    const char *name;
    void (*spoil)(struct answer *answer);
};

static void other_port_id(struct answer *answer)
{
    answer->head.nlmsg_pid = 98;
}

static void other_sequence(struct answer *answer)
{
    answer->head.nlmsg_seq = 2;
}

static void other_type(struct answer *answer)
{
    answer->head.nlmsg_type = NLMSG_DONE;
}

static void one_of_several(struct answer *answer)
{
    answer->head.nlmsg_flags = NLM_F_MULTI;
}

static void other_family(struct answer *answer)
{
    answer->socket.idiag_family = AF_UNIX;
}

static void v6_family(struct answer *answer)
{
    answer->socket.idiag_family = AF_INET6;
}

static void group_of_4_bytes(struct answer *answer)
{
    const uint32_t group = 1;

    answer->len = NLMSG_LENGTH(sizeof(struct inet_diag_msg));
    put_attribute(answer, INET_DIAG_CGROUP_ID, &group, sizeof(group));
}

static void two_groups(struct answer *answer)
{
    const uint64_t group = 1;

    put_attribute(answer, INET_DIAG_CGROUP_ID, &group, sizeof(group));
}

static void attribute_of_no_length(struct answer *answer)
{
    memset(answer->attributes, 0, 2);
}

static void attribute_of_3_bytes(struct answer *answer)
{
    const uint16_t len = 3;

    memcpy(answer->attributes, &len, sizeof(len));
}

static void attribute_beyond_the_end(struct answer *answer)
{
    memset(answer->attributes, 0xFF, 2);
}

static void another_message_behind(struct answer *answer)
{
    answer->head.nlmsg_len -= 8;
}

static void longer_than_it_is(struct answer *answer)
{
    answer->head.nlmsg_len = UINT32_MAX;
}

TEST(an_answer_that_is_not_as_it_must_be_is_refused)
{
    static const struct spoilt rows[] = {
        { "another asker's", other_port_id },
        { "to another question", other_sequence },
        { "of another type", other_type },
        { "one of several", one_of_several },
        { "of another family", other_family },
        { "v4 told as v6", v6_family },
        { "a group of four bytes", group_of_4_bytes },
        { "two groups", two_groups },
        { "an attribute of no length", attribute_of_no_length },
        { "an attribute shorter than its head", attribute_of_3_bytes },
        { "an attribute beyond the end", attribute_beyond_the_end },
        { "another message behind it", another_message_behind },
        { "longer than it is", longer_than_it_is },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer answer = answer_to(&v4, AF_INET);
        struct sock_diag_owner owner = { .uid = 5 };

        rows[i].spoil(&answer);
        assert_row(sock_diag_parse(bytes_of(&answer), &v4, &owner, NULL) == KEYSTAY_E_INTERNAL, rows[i].name);
        assert_row(owner.uid == 5, rows[i].name);
    }
}

TEST(one_answer_is_read_and_nothing_waits)
{
    struct sock_diag_owner owner;

    memset(&given, 0, sizeof(given));
    given.failure = EAGAIN;
    assert_ok(find(&owner, NULL));
    assert_int_equal(owner.uid, UID);
}

TEST(what_did_not_come_as_one_answer_of_the_kernel_is_refused)
{
    static const struct {
        const char *message;
        bool is_silent;
        uint32_t sender;
        size_t n_beyond;
        bool has_another;
        int failure;
    } rows[] = {
        { "no answer", true, 0, 0, false, EAGAIN },
        { "not of the kernel", false, 4711, 0, false, EAGAIN },
        { "too long", false, 0, 1, false, EAGAIN },
        { "several answers", false, 0, 0, true, 0 },
        { "several answers", false, 0, 0, false, ENOBUFS },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sock_diag_owner owner;
        struct keystay_error err;

        given.is_silent = rows[i].is_silent;
        given.sender = rows[i].sender;
        given.n_beyond = rows[i].n_beyond;
        given.has_another = rows[i].has_another;
        given.failure = rows[i].failure;
        assert_int_equal(find(&owner, &err), KEYSTAY_E_INTERNAL);
        assert_contains(err.message, rows[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_no_answer),
        cmocka_unit_test(an_owner_is_told),
        cmocka_unit_test(a_kernel_that_knows_no_groups_tells_an_owner),
        cmocka_unit_test(what_the_kernel_cannot_tell_has_its_words),
        cmocka_unit_test(a_socket_without_an_open_connection_has_no_owner),
        cmocka_unit_test(every_byte_that_says_which_socket_it_is_counts),
        cmocka_unit_test(an_answer_that_is_cut_off_anywhere_is_refused),
        cmocka_unit_test(an_answer_that_is_not_as_it_must_be_is_refused),
        cmocka_unit_test(one_answer_is_read_and_nothing_waits),
        cmocka_unit_test(what_did_not_come_as_one_answer_of_the_kernel_is_refused),
    };

    return RUN_TESTS(tests);
}
