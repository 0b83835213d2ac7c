/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/agent_token.h"
#include "cli/obtain.h"
#include "cli/settings.h"
#include "cli/token_format.h"
#include "cli/watchdog.h"
#include "core/client.h"
#include "oauth/token_response.h"

/* In no form does a character take more than four bytes. */
enum { OUTPUT_MAX = 4 * TOKEN_LEN_MAX + 1024 };

static enum keystay_status print(
    const struct token_format *format, const struct keystay_token *token, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(OUTPUT_MAX);

    TRY(token_format_write(format, token, clock_now_s(), &text, err));
    return file_write_all(STDOUT_FILENO, buf_slice(&text), err);
}

/* Who asked for so much time planned with it; how long a token lives is the server's word all the same. */
static void warn_of_a_short_life(const struct cli *cli, const struct keystay_token *token)
{
    const int64_t min_valid_s = profile_number(cli->profile, SETTING_MIN_VALID);
    const int64_t left_s = keystay_token_expires_at_s(token) - clock_now_s();
    const bool is_asked_for = profile_source(cli->profile, SETTING_MIN_VALID, 0).origin != PROFILE_DEFAULT;

    if (is_asked_for && left_s < min_valid_s) {
        log_warning(
            &cli->log, "the access token ends in %lld s, sooner than --min-valid %lld", (long long)left_s,
            (long long)min_valid_s);
    }
}

static enum keystay_status run_token(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    struct token_format format;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread is started */
    TRY(token_format_choose(cli->values[CLI_FORMAT], getenv("KUBERNETES_EXEC_INFO"), &format, err));
    TRY(agent_token(cli, false, &token, err));
    if (token == NULL) {
        TRY(settings_read(cli, err));
        TRY(obtain_token(cli, &session, &token, err));
    }
    warn_of_a_short_life(cli, token);
    TRY(print(&format, token, err));
    watchdog_forgive();
    return KEYSTAY_OK;
}

static enum keystay_status run_assertion(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    CLEANUP(token_freep) struct keystay_token *assertion = NULL;
    struct token_format format;

    TRY(token_format_choose(NULL, NULL, &format, err));
    TRY(agent_token(cli, true, &assertion, err));
    if (assertion == NULL) {
        TRY(settings_read(cli, err));
        TRY(session_prepare(cli, &session, err));
        TRY(session_open_signer(cli, &session, err));
        TRY(keystay_client_assertion(session.client, session.signer, &assertion, err));
    }
    TRY(print(&format, assertion, err));
    watchdog_forgive();
    return KEYSTAY_OK;
}

const struct command command_token = {
    .name = "token",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "get an access token, print it on stdout",
    .help = "Signs a client assertion with the key on the PKCS#11 token, exchanges it at the\n"
            "authorization server, and prints the access token. Nothing else is on stdout.\n"
            "With --format curl the token stays out of every argument list:\n"
            "keystay token ... --format curl | curl -K - URL\n"
            "\n"
            "  keystay token --tenant contoso.example --client-id 11111111-2222-3333-4444-555555555555 \\\n"
            "      --scope https://graph.microsoft.com/.default \\\n"
            "      --module /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so --key 'pkcs11:token=backup;id=%01'\n",
    .has_settings = true,
    .takes_profile = true,
    .asks_an_agent = true,
    .options = OPTION_BIT(CLI_AGENT) | OPTION_BIT(CLI_FORMAT) | OPTION_BIT(CLI_CLAIMS) |
               OPTION_BIT(CLI_CLAIMS_CHALLENGE),
    .run = run_token,
};

const struct command command_assertion = {
    .name = "assertion",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "print only the signed client assertion",
    .help =
        "Signs a client assertion and prints it instead of sending it. Whoever has it can get\n"
        "any token of the client until it ends: keep it as you would keep a password.\n"
        "\n"
        "  keystay assertion --tenant contoso.example --client-id 11111111-2222-3333-4444-555555555555 \\\n"
        "      --module /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so --key 'pkcs11:token=backup;id=%01'\n",
    .has_settings = true,
    .takes_profile = true,
    .asks_an_agent = true,
    .options = OPTION_BIT(CLI_AGENT),
    .run = run_assertion,
};
