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

enum keystay_status settings_read(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(config_clear) struct config config = { 0 };

    TRY(settings_read_config(cli, &config, err));
    for (int place = 0; place < CONFIG_PLACES; place++) {
        if (config.files[place].n_sections > 0) {
            log_step(&cli->log, "settings from %s", config.files[place].path);
        }
    }
    TRY(config_apply(&config, cli->command->takes_profile ? cli->arguments[0] : NULL, cli->profile, err));
    return keystay_profile_read_environment(cli->profile, err);
}
