/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one command that reads a private key: from a file that an application had it in, into a token. It says
 * so, and a profile that wants keys from inside only does not get this one.
 */
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/key_wish.h"
#include "cli/session.h"
#include "cli/watchdog.h"
#include "crypto/key_file.h"
#include "pkcs11/cryptoki/discover.h"
#include "pkcs11/cryptoki/import.h"

static enum keystay_status check_wanted(const struct cli *cli, struct keystay_error *err)
{
    const char *required = profile_text(cli->profile, SETTING_REQUIRE);

    if (!cli_given(cli, CLI_KEY_IN)) {
        return err_set_hint(err, KEYSTAY_E_USAGE, "such as --in app.pfx", "--in must be given");
    }
    return str_equal(required, "none")
               ? KEYSTAY_OK
               : err_set_hint(
                     err, KEYSTAY_E_KEY_REFUSED, "make a new key in the token: keystay key generate",
                     "--require %s takes only keys that were made in the token", required);
}

struct question {
    const struct cli *cli;
    struct pin_source source;
};

/* Of struct key_file_password. */
static enum keystay_status ask(void *context, struct secret *ret_password, struct keystay_error *err)
{
    const struct question *question = context;
    const struct cli *cli = question->cli;
    const struct pin_question words = {
        .where = cli->values[CLI_KEY_IN],
        .purpose = "",
        .timeout_ms = (int64_t)profile_number(cli->profile, SETTING_INTERACTION_TIMEOUT) * 1000,
    };

    return pin_source_get(&question->source, &words, &cli->log, ret_password, err);
}

static void warn_if_others_can_read(const struct cli *cli)
{
    struct stat info;

    if (stat(cli->values[CLI_KEY_IN], &info) == 0 && S_ISREG(info.st_mode) &&
        (info.st_mode & (S_IRGRP | S_IROTH)) != 0) {
        log_warning(&cli->log, "the key file '%s' can be read by others", cli->values[CLI_KEY_IN]);
    }
}

static enum keystay_status load(const struct cli *cli, struct key_file *file, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf content = BUF(KEY_FILE_MAX);
    const char *path = cli->values[CLI_KEY_IN];
    const char *source = cli->values[CLI_PASSWORD_SOURCE];
    struct question question = { .cli = cli };
    const struct key_file_password password = { ask, &question };

    TRY(password_source_parse(source == NULL ? "tty" : source, &question.source, err));
    TRY(file_read(path, "the key file", KEYSTAY_E_KEY_FILE, &content, err));
    warn_if_others_can_read(cli);
    enum keystay_status status = key_file_parse(buf_slice(&content), &password, file, err);
    if (status != KEYSTAY_OK) {
        return err_prefix(err, status, "key file '%s'", path);
    }
    if (file->repaired[0] != '\0') {
        log_warning(&cli->log, "the key file '%s' was read in spite of: %s", path, file->repaired);
    }
    return KEYSTAY_OK;
}

static enum keystay_status choose_certificate(
    const struct cli *cli, const struct key_file *file, const struct certificate **ret_certificate,
    struct keystay_error *err)
{
    if (!cli_given(cli, CLI_WITH_CERTIFICATE)) {
        return KEYSTAY_OK;
    }
    if (file->certificate == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_CERTIFICATE,
            "import the key alone; for a certificate of another file: cert import",
            "there is no certificate of the key in the key file '%s'", cli->values[CLI_KEY_IN]);
    }
    *ret_certificate = file->certificate;
    return KEYSTAY_OK;
}

static enum keystay_status run_import(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };
    CLEANUP(key_file_clear) struct key_file file = { .key = NULL };
    struct keystay_pkcs11_config config;
    struct import_source source = { .key = NULL };
    struct provision_wish wish = { 0 };
    struct provision_key made;
    uint8_t id[KEY_WISH_ID_MAX];

    TRY(key_wish_read(cli, id, &wish, err));
    TRY(check_wanted(cli, err));
    TRY(load(cli, &file, err));
    TRY(choose_certificate(cli, &file, &source.certificate, err));
    source.key = file.key;
    TRY(session_look_config(cli, &session, &config, err));
    TRY(p11_settings_read(&config, &settings, err));
    if (settings.module_path == NULL) {
        TRY(discover_module(&settings, err));
    }
    TRY(provision_import(&settings, &wish, &source, &made, err));
    log_warning(
        &cli->log,
        "this key has been outside: every copy of '%s', in backups too, is a copy of the key, and whoever has one "
        "can do what the token can",
        cli->values[CLI_KEY_IN]);
    TRY(key_wish_print(&made, err));
    watchdog_forgive();
    return KEYSTAY_OK;
}

const struct command command_key_import = {
    .name = "key import",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "put a key that was in a file into the token",
    .help =
        "Puts the private key of a PFX, PEM or PKCS #8 file into the token: from then on it signs and does\n"
        "nothing else, sensitive, not extractable. But it has been outside, and every copy of the file is\n"
        "a copy of the key: a new one (key generate) is better wherever it can be registered. --key says\n"
        "which token. The URI of the key goes to stdout.\n"
        "\n"
        "  keystay key import --module /usr/lib/softhsm/libsofthsm2.so --key 'pkcs11:token=backup' \\\n"
        "      --in app.pfx --password-source file:/run/pfx-password --with-certificate --id 03\n",
    .has_settings = true,
    .only_settings = CLI_TOKEN_SETTINGS | SETTING_BIT(SETTING_REQUIRE),
    .takes_profile = true,
    .options = OPTION_BIT(CLI_KEY_IN) | OPTION_BIT(CLI_PASSWORD_SOURCE) | OPTION_BIT(CLI_WITH_CERTIFICATE) |
               OPTION_BIT(CLI_LABEL) | OPTION_BIT(CLI_ID) | OPTION_BIT(CLI_REPLACE),
    .run = run_import,
};
