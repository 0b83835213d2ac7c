/* SPDX-License-Identifier: Apache-2.0 */
/* A key is deleted only when the user named it, and somebody said yes. */
#include <stdio.h>

#include "base/error.h"
#include "cli/session.h"
#include "cli/watchdog.h"
#include "crypto/prompt.h"
#include "pkcs11/cryptoki/discover.h"
#include "pkcs11/cryptoki/removal.h"

enum { QUESTION_SIZE = 1024 };

/* A provision_consent. */
static enum keystay_status ask(const struct provision_key *found, void *context, struct keystay_error *err)
{
    const struct cli *cli = context;
    char question[QUESTION_SIZE];
    const char *certificates = found->n_certificates == 0         ? ""
                               : cli_given(cli, CLI_CERTIFICATES) ? " and its certificates"
                                                                  : " (its certificates stay)";

    if (cli_given(cli, CLI_YES)) {
        return KEYSTAY_OK;
    }
    (void)snprintf(
        question, sizeof(question),
        "Delete the key id=%s '%s'%s on token '%s' (serial %s) for good? It cannot be had back. Type yes: ",
        found->key.id_text, found->key.label, certificates, found->token.label, found->token.serial);
    return prompt_confirm(question, err);
}

static enum keystay_status check_names_key(const struct p11_settings *settings, struct keystay_error *err)
{
    return p11_uri_names_object(settings->key)
               ? KEYSTAY_OK
               : err_set_hint(
                     err, KEYSTAY_E_CONFIG,
                     "such as --key 'pkcs11:token=backup;id=%01'; see: keystay key list",
                     "the key to delete must be named, by id= or object=");
}

/* Of a profile's several keys none is the one that is meant. */
static enum keystay_status check_is_one(const struct cli *cli, struct keystay_error *err)
{
    const size_t n = profile_count(cli->profile, SETTING_KEY);

    return n <= 1 ? KEYSTAY_OK
                  : err_set_hint(
                        err, KEYSTAY_E_CONFIG, "say which: --key URI, once",
                        "%zu keys are named, and one is deleted at a time", n);
}

static enum keystay_status run_delete(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };
    struct keystay_pkcs11_config config;
    size_t n_removed = 0;

    TRY(check_is_one(cli, err));
    TRY(session_look_config(cli, &session, &config, err));
    TRY(p11_settings_read(&config, &settings, err));
    TRY(check_names_key(&settings, err));
    if (settings.module_path == NULL) {
        TRY(discover_module(&settings, err));
    }
    enum keystay_status status =
        provision_delete(&settings, cli_given(cli, CLI_CERTIFICATES), ask, cli, &n_removed, err);
    if (status != KEYSTAY_OK && n_removed > 0) {
        return err_prefix(err, status, "%zu objects are deleted, not all", n_removed);
    }
    TRY(status);
    (void)printf("%zu object%s deleted\n", n_removed, n_removed == 1 ? "" : "s");
    watchdog_forgive();
    return KEYSTAY_OK;
}

const struct command command_key_delete = {
    .name = "key delete",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "delete a key from its token, for good",
    .help =
        "Deletes the private key that --key names and its public key; with --certificates also the\n"
        "certificates on the token that are the key's. It asks on the terminal first, unless --yes is given.\n"
        "\n"
        "  keystay key delete --module /usr/lib/softhsm/libsofthsm2.so --key 'pkcs11:token=backup;id=%02'\n",
    .has_settings = true,
    .only_settings = CLI_TOKEN_SETTINGS,
    .takes_profile = true,
    .options = OPTION_BIT(CLI_YES) | OPTION_BIT(CLI_CERTIFICATES),
    .run = run_delete,
};
