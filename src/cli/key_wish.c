/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/key_wish.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/str.h"

enum { LABEL_MAX = 64, URI_TEXT_MAX = 4096 };

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char lower = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    const char *at = lower == '\0' ? NULL : strchr(digits, lower);

    return at == NULL ? -1 : (int)(at - digits);
}

/* "01ab", or, as key list shows it, "%01%ab". */
static enum keystay_status read_id(
    const char *text, uint8_t ret_id[KEY_WISH_ID_MAX], size_t *ret_len, struct keystay_error *err)
{
    size_t len = 0;

    while (*text != '\0' && len < KEY_WISH_ID_MAX) {
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
            "--id must be 1 to %d bytes, two hexadecimal digits each", KEY_WISH_ID_MAX);
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

enum keystay_status key_wish_read(
    const struct cli *cli, uint8_t id[KEY_WISH_ID_MAX], struct provision_wish *ret_wish,
    struct keystay_error *err)
{
    const char *label = cli->values[CLI_LABEL];
    struct provision_wish wish = { .replaces = cli_given(cli, CLI_REPLACE) };

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

enum keystay_status key_wish_print(const struct provision_key *made, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(URI_TEXT_MAX);

    TRY(provision_put_uri(made, &text, err));
    TRY(buf_putc(&text, '\n', err));
    return file_write_all(STDOUT_FILENO, buf_slice(&text), err);
}
