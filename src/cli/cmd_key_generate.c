/* SPDX-License-Identifier: Apache-2.0 */
/* A new key, made in the token. Its URI goes to stdout, ready for --key. */
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/session.h"
#include "cli/watchdog.h"
#include "pkcs11/cryptoki/discover.h"
#include "pkcs11/cryptoki/provision.h"

enum { ID_MAX = 32, LABEL_MAX = 64, URI_TEXT_MAX = 4096 };

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char lower = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    const char *at = lower == '\0' ? NULL : strchr(digits, lower);

    return at == NULL ? -1 : (int)(at - digits);
}

/* "01ab", or, as key list shows it, "%01%ab". */
static enum keystay_status read_id(
    const char *text, uint8_t ret_id[ID_MAX], size_t *ret_len, struct keystay_error *err)
{
    size_t len = 0;

    while (*text != '\0' && len < ID_MAX) {
        text += *text == '%' ? 1 : 0;
        int high = digit_of(text[0]);
        int low = high < 0 ? -1 : digit_of(text[1]);
        if (low < 0) {
            break;
        }
        ret_id[len++] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    if (len == 0 || *text != '\0') {
        return err_set_hint(
            err, KEYSTAY_E_USAGE, "such as --id 01",
            "--id must be 1 to %d bytes, two hexadecimal digits each", ID_MAX);
    }
    *ret_len = len;
    return KEYSTAY_OK;
}

static enum keystay_status check_label(const char *label, struct keystay_error *err)
{
    const struct slice text = slice_of_str(label);
    bool is_good = text.len > 0 && text.len <= LABEL_MAX && str_is_utf8(text);

    for (size_t at = 0; is_good && at < text.len;) {
        uint32_t code_point = 0;
        size_t n = str_first_code_point((struct slice){ text.data + at, text.len - at }, &code_point);
        is_good = n > 0 && code_point != '\n' && !str_steers_a_terminal(code_point);
        at += n;
    }
    return is_good ? KEYSTAY_OK
                   : err_set(
                         err, KEYSTAY_E_USAGE,
                         "--label must be 1 to %d bytes of UTF-8 without control characters", LABEL_MAX);
}

static enum keystay_status read_wish(
    const struct cli *cli, uint8_t id[ID_MAX], struct provision_wish *ret_wish, struct keystay_error *err)
{
    const char *type = cli->values[CLI_TYPE];
    const char *label = cli->values[CLI_LABEL];
    struct provision_wish wish = { .kind = provision_kind_by_name(type == NULL ? "rsa:2048" : type),
                                   .replaces = cli_given(cli, CLI_REPLACE) };

    if (cli_given(cli, CLI_ID)) {
        TRY(read_id(cli->values[CLI_ID], id, &wish.id.len, err));
        wish.id.data = id;
    }
    if (label != NULL) {
        TRY(check_label(label, err));
        wish.label = slice_of_str(label);
    }
    if (wish.replaces && wish.id.len == 0 && label == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_USAGE, "add --id or --label", "--replace must be told which key it replaces");
    }
    *ret_wish = wish;
    return KEYSTAY_OK;
}

static enum keystay_status print_uri(const struct provision_key *made, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(URI_TEXT_MAX);

    TRY(provision_put_uri(made, &text, err));
    TRY(buf_putc(&text, '\n', err));
    return file_write_all(STDOUT_FILENO, buf_slice(&text), err);
}

static enum keystay_status run_generate(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };
    struct keystay_pkcs11_config config;
    struct provision_wish wish = { 0 };
    struct provision_key made;
    uint8_t id[ID_MAX];

    TRY(read_wish(cli, id, &wish, err));
    TRY(session_look_config(cli, &session, &config, err));
    TRY(p11_settings_read(&config, &settings, err));
    if (settings.module_path == NULL) {
        TRY(discover_module(&settings, err));
    }
    TRY(provision_generate(&settings, &wish, &made, err));
    TRY(print_uri(&made, err));
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
