/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_fixture.h"

#include "scratch.h"

struct agent_host fixture_host(void)
{
    return (struct agent_host){ .uid = FIXTURE_OWNER,
                                .runtime_dir = "/run/user/1000",
                                .nobody = FIXTURE_NOBODY,
                                .nogroup = FIXTURE_NOBODY };
}

static enum keystay_status read_text(
    const char *name, const char *text, enum config_place place, struct config *config,
    struct keystay_error *err)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];

    scratch_put(&folder, name, slice_of_str(text), 0600);
    return config_read_file(scratch_path(&folder, name, path), place, true, config, err);
}

enum keystay_status fixture_config(
    const char *of_system, const char *of_user, const struct agent_host *host,
    struct agent_config **ret_config, struct keystay_error *err)
{
    CLEANUP(config_clear) struct config config = { 0 };

    if (of_system != NULL) {
        TRY(read_text("system.conf", of_system, CONFIG_SYSTEM, &config, err));
    }
    TRY(read_text("user.conf", of_user, CONFIG_USER, &config, err));
    return agent_config_new(&config, host, ret_config, err);
}

struct agent_config *fixture_good(const char *text)
{
    const struct agent_host host = fixture_host();
    struct agent_config *config = NULL;
    struct keystay_error err = { 0 };

    if (fixture_config(NULL, text, &host, &config, &err) != KEYSTAY_OK) {
        fail_msg("%s", err.message);
    }
    return config;
}
