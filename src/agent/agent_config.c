/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/grant.h"
#include "base/error.h"
#include "base/str.h"
#include "core/agent_socket.h"
#include "peer/peer_system.h"

struct agent_host agent_host(void)
{
    return (struct agent_host){ .uid = geteuid(),
                                .runtime_dir = getenv("XDG_RUNTIME_DIR"),
                                .nobody = peer_system_nobody(),
                                .nogroup = peer_system_nogroup() };
}

/* What is not set has its default. */
static const char *text_of(const struct section *section, enum agent_setting_id id)
{
    const char *text = section_item(section, id, 0).text;

    return text == NULL ? agent_settings.rows[id].fallback : text;
}

static bool is_yes(const struct section *section, enum agent_setting_id id)
{
    return str_equal(text_of(section, id), "yes");
}

static unsigned int number_of(const struct section *section, enum agent_setting_id id)
{
    uint64_t number = 0;

    /* setting_check_row has let nothing else in. */
    (void)str_parse_u64(text_of(section, id), 0, UINT32_MAX, &number, NULL);
    return (unsigned int)number;
}

static enum keystay_status read_socket(
    const struct section *section, struct agent_config *config, struct keystay_error *err)
{
    const struct config_item item = section_item(section, AGENT_SOCKET, 0);
    const char *mode = text_of(section, AGENT_SOCKET_MODE);
    char path[AGENT_SOCKET_SIZE];

    config->socket_mode = mode != NULL              ? (mode_t)strtoul(mode, NULL, 8)
                          : section->host->uid == 0 ? 0666
                                                    : 0600;
    TRY(at_item(
        item, agent_socket_path(item.text, section->host->uid, section->host->runtime_dir, path, err), err));
    config->socket = strdup(path);
    return config->socket == NULL ? err_no_memory(err) : KEYSTAY_OK;
}

static enum keystay_status add_address(
    struct agent_address address, struct agent_config *config, struct keystay_error *err)
{
    for (size_t i = 0; i < config->n_listen; i++) {
        if (config->listen[i].is_v6 == address.is_v6 && config->listen[i].port == address.port) {
            return err_set_hint(
                err, KEYSTAY_E_CONFIG, "localhost is 127.0.0.1 and [::1]", "the agent listens there already");
        }
    }
    config->listen[config->n_listen++] = address;
    return KEYSTAY_OK;
}

static enum keystay_status read_listen(
    const struct section *section, struct agent_config *config, struct keystay_error *err)
{
    for (size_t i = 0; section_item(section, AGENT_LISTEN, i).text != NULL; i++) {
        const struct config_item item = section_item(section, AGENT_LISTEN, i);
        struct agent_address addresses[2];
        size_t n = 0;

        TRY(at_item(item, agent_address_parse(item.text, addresses, &n, err), err));
        for (size_t k = 0; k < n; k++) {
            TRY(at_item(item, add_address(addresses[k], config, err), err));
        }
    }
    config->imds = is_yes(section, AGENT_IMDS);
    if (config->imds && config->n_listen == 0) {
        return at_item(
            section_item(section, AGENT_IMDS, 0),
            err_set_hint(
                err, KEYSTAY_E_CONFIG, "add listen = 127.0.0.1:PORT", "imds needs an address to listen on"),
            err);
    }
    return KEYSTAY_OK;
}

static enum keystay_status read_limits(
    const struct section *section, struct agent_config *config, struct keystay_error *err)
{
    const struct config_item per_user = section_item(section, AGENT_MAX_CONNECTIONS_PER_USER, 0);

    config->request_timeout_s = number_of(section, AGENT_REQUEST_TIMEOUT);
    config->lock_after_s = number_of(section, AGENT_LOCK_AFTER);
    config->lock_on_suspend = is_yes(section, AGENT_LOCK_ON_SUSPEND);
    config->max_connections = number_of(section, AGENT_MAX_CONNECTIONS);
    config->max_connections_per_user = number_of(section, AGENT_MAX_CONNECTIONS_PER_USER);
    if (config->max_connections_per_user <= config->max_connections) {
        return KEYSTAY_OK;
    }
    if (per_user.text == NULL) {
        config->max_connections_per_user = config->max_connections;
        return KEYSTAY_OK;
    }
    return at_item(
        per_user,
        err_set(
            err, KEYSTAY_E_CONFIG, "max_connections_per_user is more than max_connections, which is %u",
            config->max_connections),
        err);
}

static enum keystay_status check_file_is_new(
    const struct section *section, const struct agent_config *config, const struct grant *grant,
    struct keystay_error *err)
{
    for (size_t i = 0; grant->assertion_file != NULL && i < config->n_grants; i++) {
        const struct grant *other = &config->grants[i];

        if (other->assertion_file != NULL && str_equal(other->assertion_file, grant->assertion_file)) {
            return at_item(
                section_item(section, GRANT_ASSERTION_FILE, 0),
                err_set(err, KEYSTAY_E_CONFIG, "[grant %s] has the same assertion_file", other->name), err);
        }
    }
    return KEYSTAY_OK;
}

static enum keystay_status add_grant(
    const struct section *section, struct agent_config *config, struct keystay_error *err)
{
    CLEANUP(grant_clear) struct grant grant = { 0 };

    TRY(grant_read(section, &grant, err));
    TRY(check_file_is_new(section, config, &grant, err));
    if (grant.environment && agent_config_fixed_address(config) == NULL) {
        return at_item(
            section_item(section, GRANT_ENVIRONMENT, 0),
            err_set_hint(
                err, KEYSTAY_E_CONFIG, "add listen = 127.0.0.1:PORT to [agent], with a port of your choice",
                "environment needs an address to listen on whose port stays the same"),
            err);
    }
    config->grants[config->n_grants++] = grant;
    grant = (struct grant){ 0 };
    return KEYSTAY_OK;
}

static enum keystay_status read_grants(
    const struct config *files, const struct agent_host *host, struct agent_config *config,
    struct keystay_error *err)
{
    const char *names[CONFIG_NAMES_SIZE];
    size_t n = 0;

    config_names_of(files, CONFIG_GRANT, names);
    while (names[n] != NULL) {
        n++;
    }
    config->grants = calloc(n + 1, sizeof(*config->grants));
    if (config->grants == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < n; i++) {
        const struct section section = { files, host, CONFIG_GRANT, names[i] };
        TRY(add_grant(&section, config, err));
    }
    return KEYSTAY_OK;
}

static enum keystay_status read_profiles(
    const struct section *section, struct agent_config *config, struct keystay_error *err)
{
    const char *names[CONFIG_NAMES_SIZE];

    config_names(section->config, names);
    for (size_t i = 0; names[i] != NULL; i++) {
        TRY(text_list_put(&config->profiles, names[i], err));
    }
    TRY(section_check_profiles(section, AGENT_PROFILE, err));
    TRY(section_texts(section, AGENT_PROFILE, &config->opened, err));
    const bool is_said = config->opened.n > 0;
    for (size_t i = 0; !is_said && i < config->n_grants; i++) {
        if (!text_list_has(&config->opened, config->grants[i].profile)) {
            TRY(text_list_put(&config->opened, config->grants[i].profile, err));
        }
    }
    return KEYSTAY_OK;
}

static enum keystay_status check_owner(const struct agent_host *host, struct keystay_error *err)
{
    if (host->uid == host->nobody) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "run it as a user of its own",
            "the agent runs as user id %u, which the system shows for any stranger: all would be its owner",
            (unsigned int)host->uid);
    }
    return KEYSTAY_OK;
}

enum keystay_status agent_config_new(
    const struct config *config, const struct agent_host *host, struct agent_config **ret_config,
    struct keystay_error *err)
{
    CLEANUP(agent_config_freep) struct agent_config *made = calloc(1, sizeof(*made));
    const struct section agent = { config, host, CONFIG_AGENT, "" };

    if (made == NULL) {
        return err_no_memory(err);
    }
    TRY(check_owner(host, err));
    made->owner = host->uid;
    made->nobody = host->nobody;
    made->nogroup = host->nogroup;
    TRY(read_socket(&agent, made, err));
    TRY(read_listen(&agent, made, err));
    TRY(read_limits(&agent, made, err));
    TRY(section_users(&agent, AGENT_METRICS_USER, &made->metrics_users, err));
    TRY(read_grants(config, host, made, err));
    TRY(read_profiles(&agent, made, err));
    *ret_config = take_ptr(&made);
    return KEYSTAY_OK;
}

void agent_config_free(struct agent_config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; i < config->n_grants; i++) {
        grant_clear(&config->grants[i]);
    }
    free(config->grants);
    free(config->socket);
    text_list_clear(&config->profiles);
    text_list_clear(&config->opened);
    free(config->metrics_users.items);
    free(config);
}

void agent_config_freep(struct agent_config **config)
{
    agent_config_free(*config);
}

const struct agent_address *agent_config_fixed_address(const struct agent_config *config)
{
    for (size_t i = 0; i < config->n_listen; i++) {
        if (config->listen[i].port != 0) {
            return &config->listen[i];
        }
    }
    return NULL;
}
