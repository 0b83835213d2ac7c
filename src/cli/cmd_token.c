/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/str.h"
#include "cli/session.h"
#include "cli/watchdog.h"
#include "core/client.h"
#include "oauth/token_response.h"

enum { OUTPUT_MAX = TOKEN_LEN_MAX + 1024 };

static enum keystay_status format_json(
    const struct keystay_token *token, struct buf *to, struct keystay_error *err)
{
    struct json_write out = JSON_WRITE(to);

    TRY(json_write_str(&out, "access_token", keystay_token_value(token), err));
    TRY(json_write_str(&out, "token_type", "Bearer", err));
    TRY(json_write_i64(&out, "expires_in", keystay_token_expires_at_s(token) - clock_now_s(), err));
    TRY(json_write_i64(&out, "expires_on", keystay_token_expires_at_s(token), err));
    return json_write_end(&out, err);
}

static enum keystay_status print(
    const struct cli *cli, const struct keystay_token *token, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(OUTPUT_MAX);
    const char *format = cli->values[CLI_FORMAT];

    if (format != NULL && str_equal(format, "json")) {
        TRY(format_json(token, &text, err));
    } else {
        TRY(buf_puts(&text, keystay_token_value(token), err));
    }
    TRY(buf_putc(&text, '\n', err));
    return file_write_all(STDOUT_FILENO, buf_slice(&text), err);
}

static enum keystay_status run_token(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    CLEANUP(token_freep) struct keystay_token *token = NULL;

    TRY(session_prepare(cli, &session, err));
    TRY(client_check_target(session.client, err));
    TRY(session_open_signer(cli, &session, err));
    TRY(keystay_client_acquire(session.client, session.signer, &token, err));
    TRY(print(cli, token, err));
    watchdog_forgive();
    return KEYSTAY_OK;
}

static enum keystay_status run_assertion(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    CLEANUP(token_freep) struct keystay_token *assertion = NULL;

    TRY(session_prepare(cli, &session, err));
    TRY(session_open_signer(cli, &session, err));
    TRY(keystay_client_assertion(session.client, session.signer, &assertion, err));
    TRY(print(cli, assertion, err));
    watchdog_forgive();
    return KEYSTAY_OK;
}

const struct command command_token = {
    .name = "token",
    .arguments = "",
    .summary = "get an access token, print it on stdout",
    .help = "Signs a client assertion with the key on the PKCS#11 token, exchanges it at the\n"
            "authorization server, and prints the access token. Nothing else is on stdout.\n"
            "\n"
            "  keystay token --tenant contoso.example --client-id 11111111-2222-3333-4444-555555555555 \\\n"
            "      --scope https://graph.microsoft.com/.default \\\n"
            "      --module /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so --key 'pkcs11:token=backup;id=%01'\n",
    .has_settings = true,
    .options = 1U << CLI_FORMAT,
    .run = run_token,
};

const struct command command_assertion = {
    .name = "assertion",
    .arguments = "",
    .summary = "print only the signed client assertion",
    .help =
        "Signs a client assertion and prints it instead of sending it. Whoever has it can get\n"
        "any token of the client until it ends: keep it as you would keep a password.\n"
        "\n"
        "  keystay assertion --tenant contoso.example --client-id 11111111-2222-3333-4444-555555555555 \\\n"
        "      --module /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so --key 'pkcs11:token=backup;id=%01'\n",
    .has_settings = true,
    .run = run_assertion,
};
