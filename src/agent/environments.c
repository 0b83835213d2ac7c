/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/environments.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/folder.h"
#include "agent/grants.h"
#include "agent/listen.h"
#include "agent/shared_file.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/str.h"

enum { PATH_SIZE = 4096, TEXT_MAX = 2048, URL_SIZE = 64 };

struct environment {
    struct environment *next;
    char *grant;   /* owned, as all below */
    char *profile; /* that its header is for */
    struct shared_file file;
    struct secret header;
};

struct environments {
    pthread_mutex_t lock; /* over all below */
    struct environment *first;
    bool is_ending;
};

enum keystay_status environments_new(struct environments **ret_environments, struct keystay_error *err)
{
    struct environments *environments = calloc(1, sizeof(*environments));

    if (environments == NULL) {
        return err_no_memory(err);
    }
    (void)pthread_mutex_init(&environments->lock, NULL);
    *ret_environments = environments;
    return KEYSTAY_OK;
}

static void environment_freep(struct environment **environment)
{
    if (*environment != NULL) {
        secret_clear(&(*environment)->header);
        free((*environment)->grant);
        free((*environment)->profile);
        shared_file_clear(&(*environment)->file);
        free(*environment);
    }
    *environment = NULL;
}

void environments_end(struct environments *environments)
{
    if (environments == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&environments->lock);
    environments->is_ending = true;
    for (struct environment *one = environments->first; one != NULL; one = one->next) {
        shared_file_remove(&one->file);
    }
    (void)pthread_mutex_unlock(&environments->lock);
}

void environments_freep(struct environments **environments_at)
{
    struct environments *environments = take_ptr(environments_at);

    if (environments == NULL) {
        return;
    }
    while (environments->first != NULL) {
        struct environment *environment = environments->first;

        environments->first = environment->next;
        environment_freep(&environment);
    }
    (void)pthread_mutex_destroy(&environments->lock);
    free(environments);
}

/* systemd.exec(5): the folder of RuntimeDirectory=, the first one where there are several. */
static void path_of(const struct agent_config *config, const char *grant, char ret_path[PATH_SIZE])
{
    const char *given = getenv("RUNTIME_DIRECTORY");
    const char *path = config->socket;
    size_t len = (size_t)(strrchr(path, '/') - path);

    if (given != NULL && given[0] == '/') {
        path = given;
        len = strcspn(given, ":");
    }
    (void)snprintf(ret_path, PATH_SIZE, "%.*s/%s.env", (int)len, path, grant);
}

static bool is_for(const struct environment *environment, const struct grant *grant, const char *path)
{
    return str_equal(environment->grant, grant->name) && str_equal(environment->profile, grant->profile) &&
           shared_file_is(&environment->file, path, grant);
}

static struct environment *find(
    const struct environments *environments, const struct grant *grant, const char *path)
{
    struct environment *environment = environments->first;

    while (environment != NULL && !is_for(environment, grant, path)) {
        environment = environment->next;
    }
    return environment;
}

static enum keystay_status environment_new(
    struct grants *grants, const struct grant *grant, const char *path, struct environment **ret_environment,
    struct keystay_error *err)
{
    CLEANUP(environment_freep) struct environment *environment = calloc(1, sizeof(*environment));

    if (environment == NULL) {
        return err_no_memory(err);
    }
    environment->grant = strdup(grant->name);
    environment->profile = strdup(grant->profile);
    if (environment->grant == NULL || environment->profile == NULL) {
        return err_no_memory(err);
    }
    TRY(shared_file_init(&environment->file, path, grant, err));
    TRY(secret_alloc(&environment->header, GRANT_HEADER_SIZE - 1, err));
    TRY(grants_name(grants, grant->name, grant->profile, environment->header.data, err));
    *ret_environment = take_ptr(&environment);
    return KEYSTAY_OK;
}

/* What means the same to systemd, to a shell and to a container's --env-file. */
static bool is_plain(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@";

    return text != NULL && text[0] != '\0' && text[strspn(text, plain)] == '\0';
}

/* In the order in which SDKs look: App Service as it is now, as it was (az), who is meant. */
static enum keystay_status write_text(
    const struct environment *environment, const char *url, const char *client_id, struct buf *to,
    struct keystay_error *err)
{
    const struct {
        const char *name, *value;
    } lines[] = {
        { "IDENTITY_ENDPOINT", url },
        { "IDENTITY_HEADER", environment->header.data },
        { "MSI_ENDPOINT", url },
        { "MSI_SECRET", environment->header.data },
        { "APPSETTING_WEBSITE_SITE_NAME", "keystay" },
        { "AZURE_CLIENT_ID", is_plain(client_id) ? client_id : NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        if (lines[i].value != NULL) {
            TRY(buf_puts(to, lines[i].name, err));
            TRY(buf_puts(to, "=", err));
            TRY(buf_puts(to, lines[i].value, err));
            TRY(buf_puts(to, "\n", err));
        }
    }
    return KEYSTAY_OK;
}

static const char *client_id_of(const struct world *world, const char *profile)
{
    const struct holder *holder = world_find(world, profile);

    return holder == NULL ? NULL : profile_text(holder_profile(holder), SETTING_CLIENT_ID);
}

/* The address whose port stays the same; what a service manager has opened in its place; or what there is. */
static enum keystay_status find_url(
    struct agent *agent, const struct agent_config *config, char ret_url[URL_SIZE], struct keystay_error *err)
{
    const struct agent_address *fixed = agent_config_fixed_address(config);
    char text[URL_SIZE / 2];
    bool is_present = false;

    if (fixed != NULL) {
        (void)snprintf(
            text, sizeof(text), fixed->is_v6 ? "[::1]:%u" : "127.0.0.1:%u", (unsigned int)fixed->port);
        (void)pthread_mutex_lock(&agent->doors.lock);
        for (size_t i = 0; i < agent->doors.n; i++) {
            is_present = is_present || str_equal(agent->doors.present[i], text);
        }
        (void)pthread_mutex_unlock(&agent->doors.lock);
    }
    if (!is_present) {
        return listen_sdk_url(agent, ret_url, URL_SIZE, err);
    }
    (void)snprintf(ret_url, URL_SIZE, "http://%s/MSI/token", text);
    return KEYSTAY_OK;
}

/* Under the lock. */
static enum keystay_status refresh_one(
    struct agent *agent, const struct world *world, const struct grant *grant, struct keystay_error *err)
{
    struct environments *environments = agent->environments;
    CLEANUP(buf_clear) struct buf text = BUF(TEXT_MAX);
    char path[PATH_SIZE];
    char url[URL_SIZE];

    path_of(world->config, grant->name, path);
    const enum keystay_status status = folder_check(path, err);
    if (status != KEYSTAY_OK) {
        return err_prefix(err, status, "%s", path);
    }
    struct environment *environment = find(environments, grant, path);
    if (environment == NULL) {
        TRY(environment_new(agent->grants, grant, path, &environment, err));
        environment->next = environments->first;
        environments->first = environment;
    }
    TRY(find_url(agent, world->config, url, err));
    TRY(write_text(environment, url, client_id_of(world, grant->profile), &text, err));
    return shared_file_write(&environment->file, buf_slice(&text), err);
}

static bool is_wanted(const struct environment *environment, const struct agent_config *config)
{
    char path[PATH_SIZE];

    for (size_t i = 0; i < config->n_grants; i++) {
        const struct grant *grant = &config->grants[i];

        path_of(config, grant->name, path);
        if (grant->environment && is_for(environment, grant, path)) {
            return true;
        }
    }
    return false;
}

/* Under the lock. Before others are made: one of them may be for the same grant. */
static void remove_unwanted(struct agent *agent, const struct agent_config *config)
{
    for (struct environment **at = &agent->environments->first; *at != NULL;) {
        struct environment *environment = *at;

        if (is_wanted(environment, config)) {
            at = &environment->next;
            continue;
        }
        *at = environment->next;
        shared_file_remove(&environment->file);
        grants_unname(agent->grants, environment->grant);
        environment_freep(&environment);
    }
}

enum keystay_status environments_refresh(struct agent *agent, struct keystay_error *err)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    enum keystay_status status = KEYSTAY_OK;

    (void)pthread_mutex_lock(&agent->environments->lock);
    remove_unwanted(agent, world->config);
    for (size_t i = 0; i < world->config->n_grants && status == KEYSTAY_OK; i++) {
        if (world->config->grants[i].environment && !agent->environments->is_ending) {
            status = refresh_one(agent, world, &world->config->grants[i], err);
        }
    }
    (void)pthread_mutex_unlock(&agent->environments->lock);
    return status;
}
