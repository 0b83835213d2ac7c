/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Systems with getpeereid: macOS and the BSDs. It tells no process and no further groups, and there is no
 * asking for the owner of a TCP socket.
 */
#include <errno.h>
#include <unistd.h>

#include "agent/peer_system.h"
#include "base/error.h"
#include "base/file.h"

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
