/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is configured, and where each value comes from. Settings hold no secrets, but people put them there: a
 * value that holds one is refused before it is shown.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/settings.h"
#include "pkcs11/pin_source.h"
#include "pkcs11/uri.h"

enum { OUTPUT_MAX = 4 * 1024 * 1024, SOURCE_SIZE = 4200 };

/* Where the lines or the JSON go. */
struct output {
    bool is_json;
    struct buf text;
    struct json_write json;
};

static void output_init(const struct cli *cli, struct output *output)
{
    const char *format = cli->values[CLI_LIST_FORMAT];

    *output =
        (struct output){ .is_json = format != NULL && str_equal(format, "json"), .text = BUF(OUTPUT_MAX) };
    output->json = JSON_WRITE(&output->text);
}

static void output_clear(struct output *output)
{
    buf_clear(&output->text);
}

static enum keystay_status output_send(struct output *output, struct keystay_error *err)
{
    if (output->is_json) {
        TRY(json_write_end(&output->json, err));
        TRY(buf_putc(&output->text, '\n', err));
    }
    return file_write_all(STDOUT_FILENO, buf_slice(&output->text), err);
}

/* A copy without what could steer a terminal, or is not UTF-8: paths and variables may hold anything. NULL:
 * out of memory. */
static char *tame(const char *text)
{
    char *copy = strdup(text);

    if (copy != NULL) {
        str_tidy(copy);
    }
    return copy;
}

/* A word of a line, filled up to width. */
static enum keystay_status put_column(
    struct output *output, const char *word, size_t width, struct keystay_error *err)
{
    CLEANUP(freep) char *copy = tame(word);

    if (copy == NULL) {
        return err_no_memory(err);
    }
    TRY(buf_puts(&output->text, copy, err));
    for (size_t len = strlen(copy); len < width; len++) {
        TRY(buf_putc(&output->text, ' ', err));
    }
    return KEYSTAY_OK;
}

static enum keystay_status put_member(
    struct json_write *out, const char *name, const char *value, struct keystay_error *err)
{
    CLEANUP(freep) char *copy = tame(value);

    if (copy == NULL) {
        return err_no_memory(err);
    }
    return json_write_str(out, name, copy, err);
}

/* One profile, as a command with its name would see it. */
struct listed {
    const char *name;
    const struct config *config;
    struct keystay_profile *profile;
};

static enum keystay_status put_listed_json(
    const struct listed *listed, struct json_write *out, struct keystay_error *err)
{
    const char *client_id = profile_text(listed->profile, SETTING_CLIENT_ID);

    TRY(json_write_begin(out, NULL, '{', err));
    TRY(json_write_str(out, "name", listed->name, err));
    TRY(json_write_str(out, "provider", profile_text(listed->profile, SETTING_PROVIDER), err));
    if (client_id != NULL) {
        TRY(put_member(out, "client_id", client_id, err));
    }
    TRY(json_write_begin(out, "defined", '[', err));
    for (int place = 0; place < CONFIG_PLACES; place++) {
        const struct config_file *file = &listed->config->files[place];
        const struct config_section *section = config_find(file, listed->name);

        if (section != NULL) {
            TRY(json_write_begin(out, NULL, '{', err));
            TRY(put_member(out, "file", file->path, err));
            TRY(json_write_i64(out, "line", section->line, err));
            TRY(json_write_finish(out, '{', err));
        }
    }
    TRY(json_write_finish(out, '[', err));
    return json_write_finish(out, '{', err);
}

static enum keystay_status put_listed_text(
    const struct listed *listed, struct output *output, struct keystay_error *err)
{
    const char *client_id = profile_text(listed->profile, SETTING_CLIENT_ID);
    char where[SOURCE_SIZE];

    TRY(put_column(output, listed->name, 16, err));
    TRY(put_column(output, " ", 0, err));
    TRY(put_column(output, profile_text(listed->profile, SETTING_PROVIDER), 12, err));
    TRY(put_column(output, " ", 0, err));
    TRY(put_column(output, client_id == NULL ? "-" : client_id, 36, err));
    for (int place = 0; place < CONFIG_PLACES; place++) {
        const struct config_file *file = &listed->config->files[place];
        const struct config_section *section = config_find(file, listed->name);

        if (section != NULL) {
            (void)snprintf(where, sizeof(where), " %s:%u", file->path, section->line);
            TRY(put_column(output, where, 0, err));
        }
    }
    return buf_putc(&output->text, '\n', err);
}

static enum keystay_status put_listed(
    const struct config *config, const char *name, struct output *output, struct keystay_error *err)
{
    CLEANUP(profile_freep) struct keystay_profile *profile = NULL;

    TRY(keystay_profile_new(&profile, err));
    TRY(config_apply(config, name, profile, err));
    TRY(keystay_profile_read_environment(profile, err));
    const struct listed listed = { name, config, profile };
    return output->is_json ? put_listed_json(&listed, &output->json, err)
                           : put_listed_text(&listed, output, err);
}

static enum keystay_status run_list(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(config_clear) struct config config = { 0 };
    CLEANUP(output_clear) struct output output;
    const char *names[CONFIG_NAMES_SIZE];
    char where[SOURCE_SIZE];

    output_init(cli, &output);
    TRY(settings_read_config(cli, &config, err));
    config_names(&config, names);
    if (output.is_json) {
        TRY(json_write_begin(&output.json, "profiles", '[', err));
    }
    for (size_t i = 0; names[i] != NULL; i++) {
        TRY(put_listed(&config, names[i], &output, err));
    }
    if (output.is_json) {
        TRY(json_write_finish(&output.json, '[', err));
    }
    if (names[0] == NULL) {
        config_describe(&config, where, sizeof(where));
        log_warning(&cli->log, "no profile is configured in %s", where);
    }
    return output_send(&output, err);
}

static const char *const origin_words[] = {
    [PROFILE_DEFAULT] = "default",          [PROFILE_AZURE] = "environment",
    [PROFILE_SYSTEM_DEFAULTS] = "defaults", [PROFILE_USER_DEFAULTS] = "defaults",
    [PROFILE_ENV] = "environment",          [PROFILE_SYSTEM_NAMED] = "profile",
    [PROFILE_USER_NAMED] = "profile",       [PROFILE_FLAG] = "flag",
};

/* "/etc/keystay/keystay.conf:12", "KEYSTAY_TENANT", "--tenant"; "default". */
static void describe_source(
    enum setting_id id, const struct profile_source *source, char ret_text[SOURCE_SIZE])
{
    char variable[SETTING_ENV_SIZE];

    setting_env_name(id, variable);
    if (source->path != NULL) {
        (void)snprintf(ret_text, SOURCE_SIZE, "%s:%u", source->path, source->line);
    } else {
        (void)snprintf(
            ret_text, SOURCE_SIZE, "%s%s", source->origin == PROFILE_FLAG ? "--" : "",
            source->origin == PROFILE_FLAG    ? setting_rows[id].name
            : source->origin == PROFILE_ENV   ? variable
            : source->origin == PROFILE_AZURE ? setting_rows[id].azure
                                              : "default");
    }
}

/* "https://user:password@host", or an authority without its scheme. */
static bool has_user_info(enum setting_id id, const char *value)
{
    const char *scheme = strstr(value, "://");
    const char *host = scheme != NULL ? scheme + 3 : value;
    const char *at = strchr(host, '@');

    return at != NULL && (scheme != NULL || id == SETTING_AUTHORITY) &&
           (size_t)(at - host) < strcspn(host, "/?#");
}

static enum keystay_status check_showable(enum setting_id id, const char *value, struct keystay_error *err)
{
    CLEANUP(p11_uri_freep) struct p11_uri *uri = NULL;
    struct pin_source source;

    if (has_user_info(id, value)) {
        return err_set(
            err, KEYSTAY_E_CONFIG, "%s holds a user name or password: it is not shown",
            setting_rows[id].name);
    }
    if (id == SETTING_PIN_SOURCE) {
        return pin_source_parse(value, &source, err);
    }
    if (id == SETTING_KEY) {
        return p11_uri_parse(value, P11_URI_KEY, &uri, err);
    }
    if (id == SETTING_CERTIFICATE && p11_uri_is_uri(value)) {
        return p11_uri_parse(value, P11_URI_CERTIFICATE, &uri, err);
    }
    return KEYSTAY_OK;
}

static enum keystay_status put_value_json(
    struct json_write *out, const char *key, const char *value, enum profile_origin origin,
    const char *source, struct keystay_error *err)
{
    TRY(json_write_begin(out, NULL, '{', err));
    TRY(json_write_str(out, "key", key, err));
    TRY(put_member(out, "value", value, err));
    TRY(json_write_str(out, "origin", origin_words[origin], err));
    if (origin != PROFILE_DEFAULT) {
        TRY(put_member(out, "from", source, err));
    }
    return json_write_finish(out, '{', err);
}

static enum keystay_status put_value(
    const struct keystay_profile *profile, enum setting_id id, size_t i, struct output *output,
    struct keystay_error *err)
{
    const char *value =
        i < profile_count(profile, id) ? profile_item(profile, id, i) : setting_rows[id].fallback;
    const struct profile_source source = profile_source(profile, id, i);
    char key[SETTING_ENV_SIZE];
    char where[SOURCE_SIZE];

    setting_key_name(&setting_rows[id], key);
    describe_source(id, &source, where);
    enum keystay_status status = check_showable(id, value, err);
    if (status != KEYSTAY_OK) {
        return err_prefix(err, status, "%s", where);
    }
    if (output->is_json) {
        return put_value_json(&output->json, key, value, source.origin, where, err);
    }
    TRY(put_column(output, key, 19, err));
    TRY(put_column(output, " = ", 0, err));
    TRY(put_column(output, value, 36, err));
    TRY(put_column(output, " ", 0, err));
    TRY(put_column(output, where, 0, err));
    return buf_putc(&output->text, '\n', err);
}

static enum keystay_status run_show(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(output_clear) struct output output;

    output_init(cli, &output);
    if (output.is_json) {
        if (cli->arguments[0] != NULL) {
            TRY(json_write_str(&output.json, "profile", cli->arguments[0], err));
        }
        TRY(json_write_begin(&output.json, "settings", '[', err));
    }
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        const size_t n = profile_count(cli->profile, id);

        for (size_t i = 0; i < (n == 0 && setting_rows[id].fallback != NULL ? 1 : n); i++) {
            TRY(put_value(cli->profile, id, i, &output, err));
        }
    }
    if (output.is_json) {
        TRY(json_write_finish(&output.json, '[', err));
    }
    return output_send(&output, err);
}

const struct command command_profile_list = {
    .name = "profile list",
    .arguments = "",
    .summary = "show the profiles that are configured",
    .help = "Shows the name, provider and client id of each profile, and the files and lines where it\n"
            "is defined. Profiles are written into configuration files: see keystay.conf(5).\n"
            "\n"
            "  keystay profile list\n",
    .options = OPTION_BIT(CLI_LIST_FORMAT),
    .run = run_list,
};

const struct command command_profile_show = {
    .name = "profile show",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .takes_profile = true,
    .summary = "show each setting and where it comes from",
    .help = "Shows the settings that a command with this profile would use, each with its origin: file\n"
            "and line, option, variable, or default. Without a name it shows what applies to all.\n"
            "\n"
            "  keystay profile show backup\n",
    .has_settings = true,
    .options = OPTION_BIT(CLI_LIST_FORMAT),
    .run = run_show,
};
