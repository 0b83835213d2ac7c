/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

/*
 * The configuration files, keystay.conf(5): what stands where. A file is read and checked as a whole,
 * whatever of it is wanted, before any of it is used.
 *
 * A section that stands in both files is one section: the files are merged key by key, and the user's wins. A
 * list is one value here: the user's keys replace the system's.
 */

#include "core/profile.h"

enum { CONFIG_SIZE_MAX = 1024 * 1024, CONFIG_SECTIONS_MAX = 1000, CONFIG_NAME_MAX = 64 };

/* KEY = VALUE */
struct config_value {
    unsigned int id; /* the row in the section's table */
    unsigned int line;
    char *text; /* owned */
};

enum config_kind {
    CONFIG_DEFAULTS, /* [defaults] */
    CONFIG_PROFILE,  /* [profile NAME] */
    CONFIG_AGENT,    /* [agent] */
    CONFIG_GRANT,    /* [grant NAME]: who may have what of the agent */
};

struct config_section {
    enum config_kind kind;
    char *title;      /* owned: what stands between the brackets */
    const char *name; /* within title: of the profile or grant; "" where there is none */
    const struct setting_table *table;
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

/* KEYSTAY_OK when a profile of that name stands in one of the files; else the error of config_apply. */
enum keystay_status config_check_profile(
    const struct config *config, const char *name, struct keystay_error *err);

/* The names of all profiles, each once, in the order of the files; NULL-terminated, borrowed from config. */
enum { CONFIG_NAMES_SIZE = CONFIG_PLACES * CONFIG_SECTIONS_MAX + 1 };
void config_names(const struct config *config, const char *ret_names[CONFIG_NAMES_SIZE]);

/* The same for the sections of another kind that have names. */
void config_names_of(
    const struct config *config, enum config_kind kind, const char *ret_names[CONFIG_NAMES_SIZE]);

/* Where something stands; borrowed from config. */
struct config_item {
    const char *text; /* NULL: nowhere, and the rest is nothing */
    const char *path;
    unsigned int line;
};

/* Value i of a key, the files merged. name is "" for a section without one; id is a row of its table. */
struct config_item config_item(
    const struct config *config, enum config_kind kind, const char *name, unsigned int id, size_t i);

/* The section itself: text is its title. */
struct config_item config_section_item(const struct config *config, enum config_kind kind, const char *name);

/* "/etc/keystay/keystay.conf and /home/a/.config/keystay/keystay.conf": where was looked. */
void config_describe(const struct config *config, char *ret_text, size_t size);

#endif
