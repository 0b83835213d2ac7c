/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/peer.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/file.h"
#include "peer/peer_system.h"

/* Another user namespace's users all look the same from here: as nobody. So nobody is no one that could be
 * given a right, not even where an account has that name. */
static enum keystay_status refuse_nobody(uid_t uid, struct keystay_error *err)
{
    if (uid == (uid_t)-1 || uid == peer_system_nobody()) {
        return err_set_hint(
            err, KEYSTAY_E_ANSWER_NO,
            "run the caller as a user of its own, in the user namespace of the agent",
            "the caller is nobody (uid %ld), which is also how users of other user namespaces look",
            (long)uid);
    }
    return KEYSTAY_OK;
}

static void drop_nogroup(struct peer *peer)
{
    const gid_t nogroup = peer_system_nogroup();
    size_t n_kept = 0;

    for (size_t i = 0; i < peer->n_groups; i++) {
        if (peer->groups[i] != nogroup) {
            peer->groups[n_kept++] = peer->groups[i];
        }
    }
    peer->n_groups = n_kept;
    if (peer->has_gid && peer->gid == nogroup) {
        peer->has_gid = false;
        peer->gid = 0;
    }
}

static enum keystay_status read_family(int fd, sa_family_t *ret_family, struct keystay_error *err)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return err_set(err, KEYSTAY_E_INTERNAL, "a connection has no address: %s", file_errno_text(errno));
    }
    *ret_family = address.ss_family;
    return KEYSTAY_OK;
}

enum keystay_status peer_of_unix(int fd, struct peer *ret_peer, struct keystay_error *err)
{
    struct peer peer = { .kind = PEER_UNIX };
    sa_family_t family = AF_UNSPEC;

    TRY(read_family(fd, &family, err));
    if (family != AF_UNIX) {
        return err_set(err, KEYSTAY_E_INTERNAL, "a connection is not of a Unix socket");
    }
    TRY(peer_system_unix(fd, &peer, err));
    TRY(refuse_nobody(peer.uid, err));
    drop_nogroup(&peer);
    *ret_peer = peer;
    return KEYSTAY_OK;
}

enum keystay_status peer_of_tcp(int fd, struct peer *ret_peer, struct keystay_error *err)
{
    struct peer peer = { .kind = PEER_TCP };
    struct ends ends;

    TRY(ends_read(fd, &ends, err));
    TRY(peer_system_tcp(fd, &ends, &peer, err));
    TRY(refuse_nobody(peer.uid, err));
    *ret_peer = peer;
    return KEYSTAY_OK;
}

void peer_find_unit(struct peer *peer)
{
    if (peer->kind == PEER_TCP && peer->cgroup_id != 0 && peer->unit[0] == '\0') {
        peer_system_find_unit(peer);
    }
}

bool peer_has_group(const struct peer *peer, gid_t gid)
{
    if (peer->has_gid && peer->gid == gid) {
        return true;
    }
    for (size_t i = 0; i < peer->n_groups; i++) {
        if (peer->groups[i] == gid) {
            return true;
        }
    }
    return false;
}
