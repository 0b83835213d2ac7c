/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* struct ucred */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "peer/peer_system.h"
#include "peer/sock_diag.h"
#include "peer/units.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5; newer than the headers may be */
#endif

enum {
    NOBODY = 65534, /* Linux's DEFAULT_OVERFLOWUID, and GID */
    CGROUP_FILE_MAX = 16 * 1024,
};

/* An administrator may have given strangers another number. Where it is not told it is the usual one. */
static uint64_t overflow_id(const char *path)
{
    CLEANUP(buf_clear) struct buf text = BUF(32);
    uint64_t id = NOBODY;

    if (file_read(path, "a setting of the kernel", KEYSTAY_E_INTERNAL, &text, NULL) != KEYSTAY_OK) {
        return NOBODY;
    }
    if (text.len > 0 && text.data[text.len - 1] == '\n') {
        text.data[text.len - 1] = '\0';
    }
    (void)str_parse_u64(buf_str(&text), 0, UINT32_MAX, &id, NULL);
    return id;
}

uid_t peer_system_nobody(void)
{
    return (uid_t)overflow_id("/proc/sys/kernel/overflowuid");
}

gid_t peer_system_nogroup(void)
{
    return (gid_t)overflow_id("/proc/sys/kernel/overflowgid");
}

static enum keystay_status no_credentials(const char *what, struct keystay_error *err)
{
    return err_set(
        err, KEYSTAY_E_INTERNAL, "the kernel does not tell the %s of a caller: %s", what,
        file_errno_text(errno));
}

static enum keystay_status read_groups(int fd, struct peer *peer, struct keystay_error *err)
{
    socklen_t len = sizeof(peer->groups);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &len) == 0) {
        peer->n_groups = len / sizeof(peer->groups[0]);
        return KEYSTAY_OK;
    }
    if (errno == ERANGE) {
        return err_set(
            err, KEYSTAY_E_ANSWER_NO, "the caller (uid %ld) is in more than %d groups", (long)peer->uid,
            PEER_GROUPS_MAX);
    }
    return no_credentials("groups", err);
}

/* A descriptor keeps the number of a process from meaning another one unnoticed. */
static int open_process(int fd, pid_t pid)
{
    int process = -1;
    socklen_t len = sizeof(process);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &process, &len) == 0) {
        return process;
    }
    /* Before Linux 6.5: whoever has the number now, which may be another one if the caller has ended. */
    return errno == ENOPROTOOPT ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

static bool is_running(int process)
{
    struct pollfd ended = { .fd = process, .events = POLLIN };

    return poll(&ended, 1, 0) == 0;
}

/* Its number was its own all the time if it runs when its group was read. */
static void find_unit_of_process(int fd, pid_t pid, char ret_unit[UNIT_SIZE])
{
    CLEANUP(file_closep) int process = open_process(fd, pid);
    CLEANUP(buf_clear) struct buf groups = BUF(CGROUP_FILE_MAX);
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%ld/cgroup", (long)pid);
    if (process >= 0 && file_read(path, "a file", KEYSTAY_E_INTERNAL, &groups, NULL) == KEYSTAY_OK &&
        is_running(process)) {
        unit_of_cgroup_file(buf_slice(&groups), ret_unit);
    }
}

enum keystay_status peer_system_unix(int fd, struct peer *ret_peer, struct keystay_error *err)
{
    struct ucred credentials = { 0 };
    socklen_t len = sizeof(credentials);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) != 0 || len != sizeof(credentials)) {
        return no_credentials("user", err);
    }
    ret_peer->uid = credentials.uid;
    ret_peer->gid = credentials.gid;
    ret_peer->has_gid = true;
    ret_peer->pid = credentials.pid;
    find_unit_of_process(fd, credentials.pid, ret_peer->unit);
    return read_groups(fd, ret_peer, err);
}

enum keystay_status peer_system_tcp(
    int fd, const struct ends *ends, struct peer *ret_peer, struct keystay_error *err)
{
    struct sock_diag_owner owner;

    TRY(sock_diag_find(fd, ends, &owner, err));
    ret_peer->uid = owner.uid;
    ret_peer->cgroup_id = owner.cgroup_id;
    return KEYSTAY_OK;
}

void peer_system_find_unit(struct peer *peer)
{
    static struct units units = UNITS; /* there is one system */

    units_find(&units, NULL, peer->cgroup_id, clock_monotonic_ms(), peer->unit);
}
