/* SPDX-License-Identifier: Apache-2.0 */
/* A new key, made in the token. Its URI goes to stdout, ready for --key. */
#include "base/error.h"
#include "cli/key_wish.h"
#include "cli/session.h"
#include "cli/watchdog.h"
#include "pkcs11/cryptoki/discover.h"
#include "pkcs11/cryptoki/provision.h"

static enum keystay_status run_generate(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };
    struct keystay_pkcs11_config config;
    struct provision_wish wish = { 0 };
    struct provision_key made;
    const char *type = cli->values[CLI_TYPE];
    uint8_t id[KEY_WISH_ID_MAX];

    TRY(key_wish_read(cli, id, &wish, err));
    wish.kind = provision_kind_by_name(type == NULL ? "rsa:2048" : type);
    TRY(session_look_config(cli, &session, &config, err));
    TRY(p11_settings_read(&config, &settings, err));
    if (settings.module_path == NULL) {
        TRY(discover_module(&settings, err));
    }
    TRY(provision_generate(&settings, &wish, &made, err));
    TRY(key_wish_print(&made, err));
    watchdog_forgive();
    return KEYSTAY_OK;
}

const struct command command_key_generate = {
    .name = "key generate",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "make a key in the token, that never leaves it",
    .help = "Makes a key that signs and nothing else: sensitive, never extractable. The token is asked\n"
            "what it made; a key that is anything else is destroyed again. --key says which token.\n"
            "The URI of the new key goes to stdout.\n"
            "\n"
            "  keystay key generate --module /usr/lib/softhsm/libsofthsm2.so --key 'pkcs11:token=backup' \\\n"
            "      --type ec:P-256 --id 02 --label backup-2027\n",
    .has_settings = true,
    .only_settings = CLI_TOKEN_SETTINGS,
    .takes_profile = true,
    .options = OPTION_BIT(CLI_TYPE) | OPTION_BIT(CLI_LABEL) | OPTION_BIT(CLI_ID) | OPTION_BIT(CLI_REPLACE),
    .run = run_generate,
};
