/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds what is wrong on the way from the module to the server's answer, one step after the other; each
 * finding with its fix. The exit status is that of the first thing that failed.
 */
#include "base/str.h"
#include "cli/doctor.h"
#include "cli/watchdog.h"

static enum keystay_status run_doctor(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    struct keystay_pkcs11_config config;
    const char *format = cli->values[CLI_LIST_FORMAT];
    struct doctor doctor = {
        .cli = cli,
        .session = &session,
        .is_offline = cli_given(cli, CLI_OFFLINE),
        .is_json = format != NULL && str_equal(format, "json"),
    };

    TRY(session_config(cli, &session, &config, err));
    doctor_begin(&doctor);
    doctor_look_at_token(&doctor, &config);
    doctor_try(&doctor, doctor_look_at_server(&doctor));
    watchdog_forgive();
    return doctor_end(&doctor, err);
}

const struct command command_doctor = {
    .name = "doctor",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "find what is wrong, from the module to the server, and the fix",
    .help =
        "Goes from the clock over module, token, PIN, key and certificate to the server: its name, the\n"
        "connection, TLS, its clock, what it says of itself, and what it answers to an assertion. It says\n"
        "what is good and what is not. A PIN is sent only if --pin-source is given. The token that the\n"
        "server gives is thrown away. The exit status is that of the first thing that failed.\n"
        "\n"
        "  keystay doctor --module /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so --key 'pkcs11:token=backup;id=%01' \\\n"
        "      --pin-source tty\n",
    .has_settings = true,
    .takes_profile = true,
    .options = OPTION_BIT(CLI_LIST_FORMAT) | OPTION_BIT(CLI_OFFLINE),
    .run = run_doctor,
};
