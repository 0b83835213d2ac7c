/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_GRANT_H
#define AGENT_GRANT_H

/* The parts that agent_config_new is made of: lists out of the configuration, and one grant. */

#include "agent/agent_config.h"

/* One section of the merged files. name is "" for [agent]. */
struct section {
    const struct config *config;
    const struct agent_host *host;
    enum config_kind kind;
    const char *name;
};

/* Value i of a key; text is NULL where there is none. */
struct config_item section_item(const struct section *section, unsigned int id, size_t i);

/* Puts "FILE:LINE: " before an error, and returns its status. */
enum keystay_status at_item(struct config_item item, enum keystay_status status, struct keystay_error *err);

enum keystay_status text_list_put(struct text_list *list, const char *text, struct keystay_error *err);
void text_list_clear(struct text_list *list);
bool text_list_has(const struct text_list *list, const char *text);

/* Appends each value of a key that lists texts, users or groups. */
enum keystay_status section_texts(
    const struct section *section, unsigned int id, struct text_list *ret_list, struct keystay_error *err);
enum keystay_status section_users(
    const struct section *section, unsigned int id, struct id_list *ret_list, struct keystay_error *err);
enum keystay_status section_groups(
    const struct section *section, unsigned int id, struct id_list *ret_list, struct keystay_error *err);

/* Each name of a key is that of a profile. */
enum keystay_status section_check_profiles(
    const struct section *section, unsigned int id, struct keystay_error *err);

/* The caller clears *ret_grant, also after a failure. */
enum keystay_status grant_read(
    const struct section *section, struct grant *ret_grant, struct keystay_error *err);
void grant_clear(struct grant *grant);

#endif
