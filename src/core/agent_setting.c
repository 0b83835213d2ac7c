/* SPDX-License-Identifier: Apache-2.0 */
#include "core/agent_setting.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"

enum { PATH_MAX_LEN = 4095, UNIT_MAX_LEN = 255, PORT_MAX = 65535 };

/* The next one is -1, which stands for no user at all in the kernel's calls. */
static const uint32_t id_max = UINT32_MAX - 1;

static const char digits[] = "0123456789";

enum keystay_status agent_address_parse(
    const char *text, struct agent_address ret_addresses[2], size_t *ret_n, struct keystay_error *err)
{
    static const struct {
        const char *prefix;
        bool is_v4, is_v6;
    } hosts[] = {
        { "127.0.0.1:", true, false },
        { "[::1]:", false, true },
        { "localhost:", true, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        uint64_t port = 0;
        size_t n = 0;

        if (str_has_prefix(text, hosts[i].prefix) &&
            str_parse_u64(text + strlen(hosts[i].prefix), 0, PORT_MAX, &port, NULL) == KEYSTAY_OK) {
            if (hosts[i].is_v4) {
                ret_addresses[n++] = (struct agent_address){ false, (uint16_t)port };
            }
            if (hosts[i].is_v6) {
                ret_addresses[n++] = (struct agent_address){ true, (uint16_t)port };
            }
            *ret_n = n;
            return KEYSTAY_OK;
        }
    }
    return err_set_hint(
        err, KEYSTAY_E_CONFIG, "the agent serves this machine alone",
        "listen must be 127.0.0.1:PORT, [::1]:PORT, or localhost:PORT for both");
}

static enum keystay_status check_address(
    const struct setting *setting, const char *value, struct keystay_error *err)
{
    struct agent_address addresses[2];
    size_t n = 0;

    (void)setting;
    return agent_address_parse(value, addresses, &n, err);
}

enum keystay_status agent_id_parse(
    const char *text, bool *ret_is_number, uint32_t *ret_id, struct keystay_error *err)
{
    uint64_t number = 0;

    if (text[strspn(text, digits)] != '\0') {
        *ret_is_number = false;
        return KEYSTAY_OK;
    }
    if (str_parse_u64(text, 0, id_max, &number, NULL) != KEYSTAY_OK) {
        return err_set(err, KEYSTAY_E_CONFIG, "a number must be from 0 to %u", (unsigned int)id_max);
    }
    *ret_is_number = true;
    *ret_id = (uint32_t)number;
    return KEYSTAY_OK;
}

static enum keystay_status check_id(
    const struct setting *setting, const char *value, struct keystay_error *err)
{
    bool is_number = false;
    uint32_t id = 0;
    enum keystay_status status = agent_id_parse(value, &is_number, &id, err);

    return status == KEYSTAY_OK ? status : err_prefix(err, status, "%s", setting->name);
}

static enum keystay_status check_path(
    const struct setting *setting, const char *value, struct keystay_error *err)
{
    const size_t len = strlen(value);

    if (value[0] != '/' || value[len - 1] == '/' || len > PATH_MAX_LEN) {
        return err_set(
            err, KEYSTAY_E_CONFIG, "%s must be the path of a file, and begin with '/'", setting->name);
    }
    return KEYSTAY_OK;
}

static bool has_suffix(const char *text, const char *suffix)
{
    const size_t len = strlen(text);

    return len > strlen(suffix) && str_equal(text + len - strlen(suffix), suffix);
}

/* systemd.unit(5). What runs, runs in a service or a scope: a rule of another kind would fit nobody. */
static enum keystay_status check_unit(
    const struct setting *setting, const char *value, struct keystay_error *err)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@";

    if (strlen(value) > UNIT_MAX_LEN || value[strspn(value, good)] != '\0' ||
        !(has_suffix(value, ".service") || has_suffix(value, ".scope"))) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "write one whole name, such as nginx.service; repeat the key for more",
            "%s must be the name of a systemd service or scope", setting->name);
    }
    if (value[0] == '@' || strstr(value, "@.") != NULL) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "name each instance, such as getty@tty1.service",
            "%s is a template, in which nothing runs", setting->name);
    }
    return KEYSTAY_OK;
}

static enum keystay_status check_scope(
    const struct setting *setting, const char *value, struct keystay_error *err)
{
    if (!str_is_visible_ascii(slice_of_str(value))) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "repeat the key for more than one",
            "%s must be one scope or resource, without blanks", setting->name);
    }
    if (strchr(value, '*') != NULL && !str_equal(value, "*")) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "name each; or write * alone, for any",
            "%s is compared as it is: a * within it stands for nothing", setting->name);
    }
    return KEYSTAY_OK;
}

static const char *const socket_modes[] = { "0600", "0660", "0666", NULL };

static const struct setting agent_rows[AGENT_SETTING_N] = {
    [AGENT_SOCKET] = { .name = "socket",
                       .metavar = "PATH",
                       .check = check_path,
                       .help = "the agent's Unix socket" },
    [AGENT_SOCKET_MODE] = { .name = "socket_mode",
                            .metavar = "MODE",
                            .kind = SETTING_CHOICE,
                            .choices = socket_modes,
                            .help = "who may connect to it: 0600, 0660 or 0666" },
    [AGENT_LISTEN] = { .name = "listen",
                       .metavar = "ADDRESS",
                       .is_list = true,
                       .check = check_address,
                       .help = "where SDKs are served: 127.0.0.1:PORT, [::1]:PORT or localhost:PORT" },
    [AGENT_IMDS] = { .name = "imds",
                     .kind = SETTING_SWITCH,
                     .fallback = "no",
                     .help = "answer as the instance metadata service of a virtual machine does" },
    [AGENT_PROFILE] = { .name = "profile",
                        .metavar = "NAME",
                        .is_list = true,
                        .help = "what is opened at the start; left out: what the grants name" },
    [AGENT_METRICS_USER] = { .name = "metrics_user",
                             .metavar = "USER",
                             .is_list = true,
                             .check = check_id,
                             .help = "who may read /metrics, besides root and the agent's own user" },
    [AGENT_MAX_CONNECTIONS] = { .name = "max_connections",
                                .metavar = "N",
                                .kind = SETTING_NUMBER,
                                .minimum = 16,
                                .maximum = 65536,
                                .fallback = "1024",
                                .help = "how many are served at a time, 16 to 65536" },
    [AGENT_MAX_CONNECTIONS_PER_USER] = { .name = "max_connections_per_user",
                                         .metavar = "N",
                                         .kind = SETTING_NUMBER,
                                         .minimum = 4,
                                         .maximum = 65536,
                                         .fallback = "256",
                                         .help = "and how many of one user, 4 to 65536" },
    [AGENT_REQUEST_TIMEOUT] = { .name = "request_timeout",
                                .metavar = "SECONDS",
                                .kind = SETTING_NUMBER,
                                .minimum = 1,
                                .maximum = 3600,
                                .fallback = "60",
                                .help = "when a request has failed, whatever it waits for, 1 to 3600" },
    [AGENT_LOCK_AFTER] = { .name = "lock_after",
                           .metavar = "SECONDS",
                           .kind = SETTING_NUMBER,
                           .maximum = 2592000,
                           .fallback = "0",
                           .help =
                               "without a request, until the agent forgets PINs that a person gave; 0: never" },
    [AGENT_LOCK_ON_SUSPEND] = { .name = "lock_on_suspend",
                                .kind = SETTING_SWITCH,
                                .fallback = "no",
                                .help = "lock before the machine sleeps" },
};

static const struct setting grant_rows[GRANT_SETTING_N] = {
    [GRANT_PROFILE] = { .name = "profile", .metavar = "NAME", .help = "what is granted" },
    [GRANT_USER] = { .name = "user",
                     .metavar = "USER",
                     .is_list = true,
                     .check = check_id,
                     .help = "to whom: a user's name or number" },
    [GRANT_GROUP] = { .name = "group",
                      .metavar = "GROUP",
                      .is_list = true,
                      .check = check_id,
                      .help = "to whom: whoever is in the group" },
    [GRANT_UNIT] = { .name = "unit",
                     .metavar = "UNIT",
                     .is_list = true,
                     .check = check_unit,
                     .help = "of these, only to what runs in this systemd unit" },
    [GRANT_SCOPE] = { .name = "scope",
                      .metavar = "SCOPE",
                      .is_list = true,
                      .check = check_scope,
                      .help = "a scope or resource besides the profile's own; *: any" },
    [GRANT_ASSERTION] = { .name = "assertion",
                          .kind = SETTING_SWITCH,
                          .fallback = "no",
                          .help = "grant assertions too, each a token for all scopes of the client" },
    [GRANT_ENVIRONMENT] = { .name = "environment",
                            .kind = SETTING_SWITCH,
                            .fallback = "no",
                            .help = "write NAME.env, for EnvironmentFile= of a unit" },
    [GRANT_ASSERTION_FILE] = { .name = "assertion_file",
                               .metavar = "PATH",
                               .check = check_path,
                               .help = "keep an assertion there, for AZURE_FEDERATED_TOKEN_FILE" },
};

const struct setting_table agent_settings = { agent_rows, AGENT_SETTING_N, AGENT_LIST_MAX };
const struct setting_table grant_settings = { grant_rows, GRANT_SETTING_N, AGENT_LIST_MAX };
