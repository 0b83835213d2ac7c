/* SPDX-License-Identifier: Apache-2.0 */
#include "core/agent_socket.h"

#include <stdio.h>

#include "base/error.h"

static const char system_socket[] = "/run/keystay/agent.sock";

static enum keystay_status put(
    const char *folder, const char *name, char ret_path[AGENT_SOCKET_SIZE], struct keystay_error *err)
{
    if (snprintf(ret_path, AGENT_SOCKET_SIZE, "%s%s", folder, name) < AGENT_SOCKET_SIZE) {
        return KEYSTAY_OK;
    }
    return err_set_hint(
        err, KEYSTAY_E_CONFIG, "set another socket = PATH in [agent]",
        "the path of the agent's socket is longer than the %d bytes that a socket's may have",
        AGENT_SOCKET_SIZE - 1);
}

enum keystay_status agent_socket_path(
    const char *configured, uid_t uid, const char *runtime_dir, char ret_path[AGENT_SOCKET_SIZE],
    struct keystay_error *err)
{
    if (configured != NULL || uid == 0) {
        return put(configured != NULL ? configured : system_socket, "", ret_path, err);
    }
    /* XDG Base Directory Specification: what is not absolute is ignored. */
    if (runtime_dir == NULL || runtime_dir[0] != '/') {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "set socket = PATH in [agent]",
            "there is no XDG_RUNTIME_DIR for the agent's socket to be in");
    }
    return put(runtime_dir, "/keystay/agent.sock", ret_path, err);
}
