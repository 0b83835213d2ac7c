/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/session.h"
#include "cli/watchdog.h"
#include "pkcs11/cryptoki/discover.h"
#include "pkcs11/cryptoki/inventory.h"

static enum keystay_status run_forget(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };
    struct keystay_pkcs11_config config;
    struct p11_token token = { 0 };
    bool was_set = false;

    TRY(session_config(cli, &session, &config, err));
    config.n_certificates = 0;
    TRY(p11_settings_read(&config, &settings, err));
    if (settings.module_path == NULL) {
        TRY(discover_module(&settings, err));
    }
    TRY(inventory_forget_pin(&settings, &token, &was_set, err));
    (void)printf(
        "token '%s' (serial %s): %s\n", token.label, token.serial,
        was_set ? "the refused PIN is forgotten" : "no refused PIN was remembered");
    watchdog_forgive();
    return KEYSTAY_OK;
}

const struct command command_pin_forget = {
    .name = "pin forget",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "forget that a token refused a PIN",
    .help =
        "keystay does not send a PIN again that a token has refused. When the PIN is right (it was\n"
        "changed, or one in 256 chances made it look the same), this has keystay forget. Nothing\n"
        "is sent to the token, and its own count of wrong PINs stays.\n"
        "\n"
        "  keystay pin forget --module /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so --key 'pkcs11:token=backup'\n",
    .has_settings = true,
    .takes_profile = true,
    .run = run_forget,
};
