/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_AGENT_SOCKET_H
#define CORE_AGENT_SOCKET_H

/* Where an agent listens, for the agent and for who looks for one. */

#include <sys/types.h>
#include <sys/un.h>

#include "base/base.h"

enum { AGENT_SOCKET_SIZE = sizeof(((struct sockaddr_un *)NULL)->sun_path) };

/*
 * configured: what [agent] says, or NULL: the usual place of an agent of user uid, whose $XDG_RUNTIME_DIR is
 * runtime_dir, or NULL. KEYSTAY_E_CONFIG: it is too long, or there is no place.
 */
enum keystay_status agent_socket_path(
    const char *configured, uid_t uid, const char *runtime_dir, char ret_path[AGENT_SOCKET_SIZE],
    struct keystay_error *err);

#endif
