/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

/*
 * The configuration files, keystay.conf(5): what stands where. A file is read and checked as a whole,
 * whatever of it is wanted, before any of it is used.
 *
 * A profile that stands in both files is one profile: the files are merged key by key, and the user's wins. A
 * list is one value here: the user's keys replace the system's.
 */

#include "core/profile.h"

enum { CONFIG_SIZE_MAX = 1024 * 1024, CONFIG_SECTIONS_MAX = 1000, CONFIG_NAME_MAX = 64 };

/* KEY = VALUE */
struct config_value {
    enum setting_id id;
    unsigned int line;
    char *text; /* owned */
};

enum config_kind {
    CONFIG_DEFAULTS, /* [defaults] */
    CONFIG_PROFILE,  /* [profile NAME] */
    CONFIG_RESERVED, /* the agent's own: known, not looked into */
};

struct config_section {
    enum config_kind kind;
    char *title;      /* owned: what stands between the brackets */
    const char *name; /* within title: of the profile; "" where there is none */
    unsigned int line;
    struct config_value *values; /* owned, in the order of the file */
    size_t n_values;
};

struct config_file {
    char *path; /* owned */
    struct config_section *sections;
    size_t n_sections; /* 0 also when the file is not there */
};

/* The weaker one first. */
enum config_place {
    CONFIG_SYSTEM,
    CONFIG_USER, /* or the one file that was named */
    CONFIG_PLACES,
};

struct config {
    struct config_file files[CONFIG_PLACES]; /* path NULL: not looked for */
};

/* For CLEANUP. */
void config_clear(struct config *config);

/* As keystay_profile_load has it. The caller clears *config, also after a failure. */
enum keystay_status config_read(const char *path, struct config *config, struct keystay_error *err);

/* One file into its place, which is empty; must_exist: not finding it is an error. */
enum keystay_status config_read_file(
    const char *path, enum config_place place, bool must_exist, struct config *config,
    struct keystay_error *err);

/*
 * Sets in profile what [defaults] and, unless it is NULL, the profile of that name say. An unknown name is
 * KEYSTAY_E_CONFIG; it is not repeated, for it may be a PIN that went astray.
 */
enum keystay_status config_apply(
    const struct config *config, const char *name, struct keystay_profile *profile,
    struct keystay_error *err);

/* The section of a profile in one of the files, or NULL. */
const struct config_section *config_find(const struct config_file *file, const char *name);

/* The names of all profiles, each once, in the order of the files; NULL-terminated, borrowed from config. */
enum { CONFIG_NAMES_SIZE = CONFIG_PLACES * CONFIG_SECTIONS_MAX + 1 };
void config_names(const struct config *config, const char *ret_names[CONFIG_NAMES_SIZE]);

/* "/etc/keystay/keystay.conf and /home/a/.config/keystay/keystay.conf": where was looked. */
void config_describe(const struct config *config, char *ret_text, size_t size);

#endif
