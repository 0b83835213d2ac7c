/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/obtain.h"
#include "core/cache_disk.h"

static enum keystay_status run_clear(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(cache_disk_freep) struct cache_disk *disk = NULL;
    CLEANUP(cache_key_clear) struct cache_key client = { 0 };
    /* What stands in the environment or in [defaults] asks for nothing: whoever names none means all. */
    bool is_one = cli->arguments[0] != NULL ||
                  (profile_count(cli->profile, SETTING_CLIENT_ID) > 0 &&
                   profile_source(cli->profile, SETTING_CLIENT_ID, 0).origin == PROFILE_FLAG);
    size_t n = 0;

    if (is_one) {
        TRY(cache_key_of_profile(cli->profile, &client, err));
    }
    TRY(cache_disk_open(&cli->log, &disk, err));
    if (disk == NULL) {
        (void)printf("there is no cache (--verbose says why)\n");
        return KEYSTAY_OK;
    }
    TRY(cache_disk_clear(disk, is_one ? &client : NULL, &n, err));
    (void)printf("%zu %s removed\n", n, n == 1 ? "file" : "files");
    return KEYSTAY_OK;
}

const struct command command_cache_clear = {
    .name = "cache clear",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .takes_profile = true,
    .summary = "remove the access tokens that are kept",
    .help = "Removes what is kept in $XDG_RUNTIME_DIR/keystay: everything, or, with a profile's name or\n"
            "--client-id and the settings beside it, what is kept for one client at one server.\n"
            "\n"
            "  keystay cache clear\n"
            "  keystay cache clear backup\n",
    .has_settings = true,
    .run = run_clear,
};
