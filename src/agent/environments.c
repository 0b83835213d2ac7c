/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/environments.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/environment_text.h"
#include "agent/folder.h"
#include "agent/grants.h"
#include "agent/listen.h"
#include "agent/shared_file.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/str.h"

enum { PATH_SIZE = 4096, URL_SIZE = 64 };

static const char suffix[] = ".env";

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
    bool has_begun; /* what is found in a file is not of an agent of before any more */
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
    (void)snprintf(ret_path, PATH_SIZE, "%.*s/%s%s", (int)len, path, grant, suffix);
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

/* At the start the one that is in the file goes on: whoever was started with it does not know of the restart.
 */
static enum keystay_status get_header(
    struct agent *agent, const struct environment_text *text, struct environment *environment,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf content = BUF(ENVIRONMENT_TEXT_MAX);
    char *header = environment->header.data;

    if (!agent->environments->has_begun && shared_file_read(&environment->file, &content) &&
        environment_text_read(text, buf_slice(&content), header)) {
        return grants_keep(agent->grants, text->grant, text->profile, header, err);
    }
    return grants_name(agent->grants, text->grant, text->profile, header, err);
}

static enum keystay_status environment_new(
    struct agent *agent, const struct grant *grant, const char *path, const struct environment_text *text,
    struct environment **ret_environment, struct keystay_error *err)
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
    TRY(get_header(agent, text, environment, err));
    *ret_environment = take_ptr(&environment);
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
    CLEANUP(buf_clear) struct buf content = BUF(ENVIRONMENT_TEXT_MAX);
    char path[PATH_SIZE];
    char url[URL_SIZE];

    path_of(world->config, grant->name, path);
    const enum keystay_status status = folder_check(path, err);
    if (status != KEYSTAY_OK) {
        return err_prefix(err, status, "%s", path);
    }
    TRY(find_url(agent, world->config, url, err));
    const struct environment_text text = { .agent = world->config->socket,
                                           .grant = grant->name,
                                           .profile = grant->profile,
                                           .url = url,
                                           .client_id = client_id_of(world, grant->profile) };
    struct environment *environment = find(environments, grant, path);
    if (environment == NULL) {
        TRY(environment_new(agent, grant, path, &text, &environment, err));
        environment->next = environments->first;
        environments->first = environment;
    }
    TRY(environment_text_write(&text, environment->header.data, &content, err));
    return shared_file_write(&environment->file, buf_slice(&content), err);
}

/* Whether a grant of the configuration has its file there. */
static bool is_there_for(const struct agent_config *config, const char *path)
{
    char wanted[PATH_SIZE];

    for (size_t i = 0; i < config->n_grants; i++) {
        path_of(config, config->grants[i].name, wanted);
        if (config->grants[i].environment && str_equal(path, wanted)) {
            return true;
        }
    }
    return false;
}

/* NULL: it is no NAME.env. Owned. */
static char *grant_of(const char *file_name)
{
    const size_t len = strlen(file_name);

    return len <= sizeof(suffix) - 1 || !str_equal(file_name + len - (sizeof(suffix) - 1), suffix)
               ? NULL
               : strndup(file_name, len - (sizeof(suffix) - 1));
}

static void remove_if_left(const struct agent *agent, const struct agent_config *config, const char *grant)
{
    CLEANUP(buf_clear) struct buf content = BUF(ENVIRONMENT_TEXT_MAX);
    char path[PATH_SIZE];

    path_of(config, grant, path);
    if (!is_there_for(config, path) && shared_file_read_left(path, &content) &&
        environment_text_is_of(buf_slice(&content), config->socket, grant) && unlink(path) == 0) {
        log_warning(
            agent->log, "%s is removed: no grant wants it any more, and its header is worth nothing", path);
    }
}

/* What this agent has written for grants that went while it was not there. */
static void remove_left(const struct agent *agent, const struct agent_config *config)
{
    char path[PATH_SIZE];

    path_of(config, "", path);
    *strrchr(path, '/') = '\0';
    DIR *folder = opendir(path[0] == '\0' ? "/" : path);
    if (folder == NULL) {
        return;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has this stream */
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char *grant = grant_of(entry->d_name);

        if (grant != NULL) {
            remove_if_left(agent, config, grant);
        }
        free(grant);
    }
    (void)closedir(folder);
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
    if (!agent->environments->has_begun) {
        remove_left(agent, world->config);
    }
    remove_unwanted(agent, world->config);
    for (size_t i = 0; i < world->config->n_grants && status == KEYSTAY_OK; i++) {
        if (world->config->grants[i].environment && !agent->environments->is_ending) {
            status = refresh_one(agent, world, &world->config->grants[i], err);
        }
    }
    agent->environments->has_begun = true;
    (void)pthread_mutex_unlock(&agent->environments->lock);
    return status;
}
