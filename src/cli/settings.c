/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/settings.h"

#include <stdlib.h>

#include "base/log.h"

enum keystay_status settings_read_config(
    const struct cli *cli, struct config *config, struct keystay_error *err)
{
    const char *path = cli->values[CLI_CONFIG];

    if (path == NULL) {
        path = getenv("KEYSTAY_CONFIG");
        path = path != NULL && path[0] == '\0' ? NULL : path;
    }
    return config_read(path, config, err);
}

static void say_what_was_read(const struct cli *cli)
{
    for (int place = 0; place < CONFIG_PLACES; place++) {
        if (cli->config.files[place].n_sections > 0) {
            log_step(&cli->log, "settings from %s", cli->config.files[place].path);
        }
    }
}

enum keystay_status settings_config(struct cli *cli, struct keystay_error *err)
{
    if (!cli->has_config) {
        TRY(settings_read_config(cli, &cli->config, err));
        cli->has_config = true;
        say_what_was_read(cli);
    }
    return KEYSTAY_OK;
}

enum keystay_status settings_read(struct cli *cli, struct keystay_error *err)
{
    TRY(settings_config(cli, err));
    TRY(config_apply(
        &cli->config, cli->command->takes_profile ? cli->arguments[0] : NULL, cli->profile, err));
    return keystay_profile_read_environment(cli->profile, err);
}
