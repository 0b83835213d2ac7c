/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/grant.h"

#include <stdlib.h>
#include <string.h>

#include "agent/identity.h"
#include "base/error.h"
#include "base/str.h"

struct config_item section_item(const struct section *section, unsigned int id, size_t i)
{
    return config_item(section->config, section->kind, section->name, id, i);
}

enum keystay_status at_item(struct config_item item, enum keystay_status status, struct keystay_error *err)
{
    return status == KEYSTAY_OK || item.path == NULL ? status
                                                     : err_prefix(err, status, "%s:%u", item.path, item.line);
}

enum keystay_status text_list_put(struct text_list *list, const char *text, struct keystay_error *err)
{
    CLEANUP(freep) char *copy = strdup(text);
    char **grown = realloc(list->items, (list->n + 1) * sizeof(*grown));

    if (grown != NULL) {
        list->items = grown;
    }
    if (grown == NULL || copy == NULL) {
        return err_no_memory(err);
    }
    list->items[list->n++] = take_ptr(&copy);
    return KEYSTAY_OK;
}

void text_list_clear(struct text_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct text_list){ 0 };
}

bool text_list_has(const struct text_list *list, const char *text)
{
    for (size_t i = 0; i < list->n; i++) {
        if (str_equal(list->items[i], text)) {
            return true;
        }
    }
    return false;
}

static enum keystay_status id_list_put(struct id_list *list, uint32_t id, struct keystay_error *err)
{
    uint32_t *grown = realloc(list->items, (list->n + 1) * sizeof(*grown));

    if (grown == NULL) {
        return err_no_memory(err);
    }
    list->items = grown;
    list->items[list->n++] = id;
    return KEYSTAY_OK;
}

enum keystay_status section_texts(
    const struct section *section, unsigned int id, struct text_list *ret_list, struct keystay_error *err)
{
    for (size_t i = 0; section_item(section, id, i).text != NULL; i++) {
        TRY(text_list_put(ret_list, section_item(section, id, i).text, err));
    }
    return KEYSTAY_OK;
}

/* Whoever else may have the id, it says nothing of who is meant. */
static enum keystay_status refuse_unknown(const char *what, struct keystay_error *err)
{
    return err_set_hint(
        err, KEYSTAY_E_CONFIG, "give what runs as nobody a user of its own, such as DynamicUser=yes makes",
        "this is the %s that the system shows for any stranger: no rule can be for it", what);
}

static enum keystay_status read_user(
    const struct section *section, const char *name, uint32_t *ret_id, struct keystay_error *err)
{
    uid_t uid = 0;

    TRY(identity_user(name, &uid, err));
    *ret_id = uid;
    return uid == section->host->nobody || uid == (uid_t)-1 ? refuse_unknown("user", err) : KEYSTAY_OK;
}

static enum keystay_status read_group(
    const struct section *section, const char *name, uint32_t *ret_id, struct keystay_error *err)
{
    gid_t gid = 0;

    TRY(identity_group(name, &gid, err));
    *ret_id = gid;
    return gid == section->host->nogroup || gid == (gid_t)-1 ? refuse_unknown("group", err) : KEYSTAY_OK;
}

static enum keystay_status read_ids(
    const struct section *section, unsigned int id,
    enum keystay_status (*read)(
        const struct section *section, const char *name, uint32_t *ret_id, struct keystay_error *err),
    struct id_list *ret_list, struct keystay_error *err)
{
    for (size_t i = 0; section_item(section, id, i).text != NULL; i++) {
        const struct config_item item = section_item(section, id, i);
        uint32_t number = 0;

        TRY(at_item(item, read(section, item.text, &number, err), err));
        TRY(id_list_put(ret_list, number, err));
    }
    return KEYSTAY_OK;
}

enum keystay_status section_users(
    const struct section *section, unsigned int id, struct id_list *ret_list, struct keystay_error *err)
{
    return read_ids(section, id, read_user, ret_list, err);
}

enum keystay_status section_groups(
    const struct section *section, unsigned int id, struct id_list *ret_list, struct keystay_error *err)
{
    return read_ids(section, id, read_group, ret_list, err);
}

enum keystay_status section_check_profiles(
    const struct section *section, unsigned int id, struct keystay_error *err)
{
    for (size_t i = 0; section_item(section, id, i).text != NULL; i++) {
        const struct config_item item = section_item(section, id, i);
        TRY(at_item(item, config_check_profile(section->config, item.text, err), err));
    }
    return KEYSTAY_OK;
}

/* Of the section, which says too little. */
static enum keystay_status lacks(
    const struct section *section, const char *hint, const char *what, struct keystay_error *err)
{
    const struct config_item item = config_section_item(section->config, section->kind, section->name);

    return at_item(item, err_set_hint(err, KEYSTAY_E_CONFIG, hint, "[%s] names no %s", item.text, what), err);
}

static bool is_yes(const struct section *section, unsigned int id)
{
    const char *text = section_item(section, id, 0).text;

    return text != NULL && str_equal(text, "yes");
}

static enum keystay_status read_profile(
    const struct section *section, struct grant *ret_grant, struct keystay_error *err)
{
    const struct config_item item = section_item(section, GRANT_PROFILE, 0);

    if (item.text == NULL) {
        return lacks(section, "add profile = NAME", "profile", err);
    }
    TRY(section_check_profiles(section, GRANT_PROFILE, err));
    ret_grant->profile = strdup(item.text);
    return ret_grant->profile == NULL ? err_no_memory(err) : KEYSTAY_OK;
}

static enum keystay_status read_whom(
    const struct section *section, struct grant *ret_grant, struct keystay_error *err)
{
    TRY(section_users(section, GRANT_USER, &ret_grant->users, err));
    TRY(section_groups(section, GRANT_GROUP, &ret_grant->groups, err));
    TRY(section_texts(section, GRANT_UNIT, &ret_grant->units, err));
    if (ret_grant->users.n > 0 || ret_grant->groups.n > 0) {
        return KEYSTAY_OK;
    }
    return lacks(
        section,
        ret_grant->units.n > 0 ? "add user = NAME: a unit only narrows what a user or group may"
                               : "add user = NAME or group = NAME",
        "user and no group", err);
}

static enum keystay_status read_scopes(
    const struct section *section, struct grant *ret_grant, struct keystay_error *err)
{
    for (size_t i = 0; section_item(section, GRANT_SCOPE, i).text != NULL; i++) {
        const char *scope = section_item(section, GRANT_SCOPE, i).text;

        if (str_equal(scope, "*")) {
            ret_grant->any_scope = true;
        } else {
            TRY(text_list_put(&ret_grant->scopes, scope, err));
        }
    }
    return KEYSTAY_OK;
}

static enum keystay_status read_assertion(
    const struct section *section, struct grant *ret_grant, struct keystay_error *err)
{
    const struct config_item file = section_item(section, GRANT_ASSERTION_FILE, 0);

    ret_grant->assertion = is_yes(section, GRANT_ASSERTION);
    if (file.text == NULL) {
        return KEYSTAY_OK;
    }
    if (!ret_grant->assertion) {
        return at_item(
            file,
            err_set_hint(
                err, KEYSTAY_E_CONFIG, "add assertion = yes, knowing that it is a token for any scope",
                "an assertion_file is for a grant of assertions"),
            err);
    }
    ret_grant->assertion_file = strdup(file.text);
    return ret_grant->assertion_file == NULL ? err_no_memory(err) : KEYSTAY_OK;
}

enum keystay_status grant_read(
    const struct section *section, struct grant *ret_grant, struct keystay_error *err)
{
    ret_grant->name = strdup(section->name);
    if (ret_grant->name == NULL) {
        return err_no_memory(err);
    }
    TRY(read_profile(section, ret_grant, err));
    TRY(read_whom(section, ret_grant, err));
    TRY(read_scopes(section, ret_grant, err));
    TRY(read_assertion(section, ret_grant, err));
    ret_grant->environment = is_yes(section, GRANT_ENVIRONMENT);
    if (ret_grant->environment && ret_grant->users.n == 0) {
        /* Of a TCP connection the system tells the user alone. */
        return at_item(
            section_item(section, GRANT_ENVIRONMENT, 0),
            err_set_hint(
                err, KEYSTAY_E_CONFIG, "add user = NAME",
                "environment is for users: groups count on the Unix socket only"),
            err);
    }
    return KEYSTAY_OK;
}

void grant_clear(struct grant *grant)
{
    freep(&grant->name);
    freep(&grant->profile);
    freep(&grant->users.items);
    freep(&grant->groups.items);
    text_list_clear(&grant->units);
    text_list_clear(&grant->scopes);
    freep(&grant->assertion_file);
}
