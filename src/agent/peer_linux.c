/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* struct ucred */
#include <errno.h>
#include <sys/socket.h>

#include "agent/peer_system.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"

enum { NOBODY = 65534 }; /* Linux's DEFAULT_OVERFLOWUID, and GID */

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
    return read_groups(fd, ret_peer, err);
}
