/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_AGENT_SETTING_H
#define CORE_AGENT_SETTING_H

/*
 * What the agent's sections of the configuration files may hold. They are here, and not with the agent,
 * because every command checks a file as a whole.
 */

#include "core/setting.h"

/* [agent] */
enum agent_setting_id {
    AGENT_SOCKET,
    AGENT_SOCKET_MODE,
    AGENT_LISTEN,
    AGENT_IMDS,
    AGENT_PROFILE,
    AGENT_METRICS_USER,
    AGENT_MAX_CONNECTIONS,
    AGENT_MAX_CONNECTIONS_PER_USER,
    AGENT_REQUEST_TIMEOUT,
    AGENT_LOCK_AFTER,
    AGENT_LOCK_ON_SUSPEND,
    AGENT_SETTING_N,
};

/* [grant NAME] */
enum grant_setting_id {
    GRANT_PROFILE,
    GRANT_USER,
    GRANT_GROUP,
    GRANT_UNIT,
    GRANT_SCOPE,
    GRANT_ASSERTION,
    GRANT_ENVIRONMENT,
    GRANT_ASSERTION_FILE,
    GRANT_SETTING_N,
};

enum { AGENT_LIST_MAX = 64 };

extern const struct setting_table agent_settings, grant_settings;

/* An address of this machine alone: ::1 or 127.0.0.1. Port 0: whichever is free. */
struct agent_address {
    bool is_v6;
    uint16_t port;
};

/*
 * "127.0.0.1:PORT", "[::1]:PORT", or "localhost:PORT" for both: *ret_n says how many there are.
 * KEYSTAY_E_CONFIG.
 */
enum keystay_status agent_address_parse(
    const char *text, struct agent_address ret_addresses[2], size_t *ret_n, struct keystay_error *err);

/* The name of a user or group that is a number: *ret_is_number. KEYSTAY_E_CONFIG: out of range. */
enum keystay_status agent_id_parse(
    const char *text, bool *ret_is_number, uint32_t *ret_id, struct keystay_error *err);

#endif
