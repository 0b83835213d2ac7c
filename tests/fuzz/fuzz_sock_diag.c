/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel says of the other end of a connection. Whatever comes, an owner is told only if the bytes
 * are one whole message about an open socket that belongs to a file, between the ports that were asked for.
 * The same bytes as the control groups of a process name a unit or none.
 */
#include "fuzz.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "peer/sock_diag.h"
#include "peer/unit.h"

static const struct sock_diag_question questions[] = {
    { 99,
      1,
      { { { [10] = 0xFF, 0xFF, 127, 0, 0, 1 }, 8181 }, { { [10] = 0xFF, 0xFF, 127, 0, 0, 9 }, 40000 } } },
    { 99, 1, { { { [15] = 1 }, 8181 }, { { [15] = 1 }, 40000 } } },
};

static void check_owner(struct slice answer, const struct sock_diag_owner *owner)
{
    struct nlmsghdr head;
    struct inet_diag_msg them;

    MUST(answer.len >= sizeof(head) + sizeof(them));
    memcpy(&head, answer.data, sizeof(head));
    memcpy(&them, answer.data + sizeof(head), sizeof(them));
    MUST(head.nlmsg_len == answer.len && head.nlmsg_pid == 99 && head.nlmsg_seq == 1);
    MUST(them.idiag_state == TCP_ESTABLISHED && them.idiag_inode != 0);
    MUST(them.id.idiag_sport == htons(40000) && them.id.idiag_dport == htons(8181));
    MUST(owner->uid == them.idiag_uid);
}

static void check_unit(struct slice content)
{
    char unit[UNIT_SIZE];

    unit_of_cgroup_file(content, unit);
    MUST(memchr(unit, '\0', sizeof(unit)) != NULL);
    MUST(strchr(unit, '/') == NULL);
    MUST(unit[0] == '\0' || str_is_visible_ascii(slice_of_str(unit)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice input = { data, size };

    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        struct sock_diag_owner owner;
        struct keystay_error err = { 0 };

        if (sock_diag_parse(input, &questions[i], &owner, &err) == KEYSTAY_OK) {
            check_owner(input, &owner);
        } else {
            MUST(err.status != KEYSTAY_OK && err.message[0] != '\0');
        }
    }
    check_unit(input);
    return 0;
}
