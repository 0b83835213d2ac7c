/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Systems with getpeereid: macOS and the BSDs. It tells no process and no further groups, and there is no
 * asking for the owner of a TCP socket.
 */
#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "peer/peer_system.h"

enum { NOBODY = -2, NOGROUP = -1 };

uid_t peer_system_nobody(void)
{
    return (uid_t)NOBODY;
}

gid_t peer_system_nogroup(void)
{
    return (gid_t)NOGROUP;
}

enum keystay_status peer_system_unix(int fd, struct peer *ret_peer, struct keystay_error *err)
{
    if (getpeereid(fd, &ret_peer->uid, &ret_peer->gid) != 0) {
        return err_set(
            err, KEYSTAY_E_INTERNAL, "the system does not tell who a caller is: %s", file_errno_text(errno));
    }
    ret_peer->has_gid = true;
    return KEYSTAY_OK;
}

enum keystay_status peer_system_tcp(
    int fd, const struct ends *ends, struct peer *ret_peer, struct keystay_error *err)
{
    (void)fd;
    (void)ends;
    (void)ret_peer;
    return err_set_hint(
        err, KEYSTAY_E_INTERNAL, "call the agent at its Unix socket",
        "this system does not tell whose the other end of a TCP connection is");
}

void peer_system_find_unit(struct peer *peer)
{
    (void)peer;
}
