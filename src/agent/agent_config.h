/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_AGENT_CONFIG_H
#define AGENT_AGENT_CONFIG_H

/*
 * What the configuration says of the agent and of who may what: [agent] and each [grant NAME], both files
 * merged, names of users and groups as numbers, and checked as a whole. Nothing of it is changed once made:
 * whoever reads the files again makes another and swaps the two.
 */

#include <sys/types.h>

#include "core/agent_setting.h"
#include "core/config.h"

enum { AGENT_LISTEN_MAX = 2 * AGENT_LIST_MAX };

/* What the agent finds itself in; everything is borrowed for one call. */
struct agent_host {
    uid_t uid;               /* whose agent it is */
    const char *runtime_dir; /* $XDG_RUNTIME_DIR, or NULL */
    uid_t nobody;            /* how the system shows whoever it cannot name: any number of strangers */
    gid_t nogroup;
};

struct text_list {
    char **items; /* owned, each of them too */
    size_t n;
};

/* uid_t and gid_t are both of 32 bits here. */
struct id_list {
    uint32_t *items; /* owned */
    size_t n;
};

/* Who may have what of one profile. */
struct grant {
    char *name;              /* owned: letters, digits, '.', '_' and '-', the first a letter or digit */
    char *profile;           /* owned */
    struct id_list users;    /* one of these, */
    struct id_list groups;   /* or in one of these; never both empty */
    struct text_list units;  /* and in one of these, unless there is none */
    struct text_list scopes; /* besides the profile's own */
    bool any_scope;
    bool assertion;
    bool environment;     /* NAME.env is to be written; there are users, and agent_config_fixed_address */
    char *assertion_file; /* owned; NULL: none */
};

struct agent_config {
    uid_t owner;  /* whose agent it is */
    uid_t nobody; /* as struct agent_host has it */
    gid_t nogroup;
    char *socket; /* owned: absolute, and short enough for bind */
    mode_t socket_mode;
    struct agent_address listen[AGENT_LISTEN_MAX];
    size_t n_listen;
    bool imds;
    struct text_list profiles; /* all that there are, in the order of the files */
    struct text_list opened;   /* those to be opened at the start */
    struct id_list metrics_users;
    unsigned int max_connections;
    unsigned int max_connections_per_user; /* not more */
    unsigned int request_timeout_s;
    unsigned int lock_after_s; /* 0: never */
    bool lock_on_suspend;
    struct grant *grants; /* owned, in the order of the files */
    size_t n_grants;
};

/* Of this process. runtime_dir is borrowed from the environment. */
struct agent_host agent_host(void);

/*
 * *ret_config is owned (agent_config_free), and keeps nothing of config. Asks the system for users and
 * groups, which may take its time. KEYSTAY_E_CONFIG names file and line; KEYSTAY_E_INTERNAL: the system could
 * not say who a user or group is.
 */
enum keystay_status agent_config_new(
    const struct config *config, const struct agent_host *host, struct agent_config **ret_config,
    struct keystay_error *err);

void agent_config_free(struct agent_config *config);
void agent_config_freep(struct agent_config **config);

/* The first address whose port is known beforehand, or NULL. */
const struct agent_address *agent_config_fixed_address(const struct agent_config *config);

#endif
