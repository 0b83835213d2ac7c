/* SPDX-License-Identifier: Apache-2.0 */
/* A token comes from stdin or a file, never from the command line, which everybody on the machine can read.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/jwt_show.h"
#include "http/curl.h"
#include "jose/verify.h"
#include "oauth/issuer_keys.h"

enum {
    INPUT_MAX = JWT_MAX + 2,     /* with a line end */
    OUTPUT_MAX = 8 * JWT_MAX,    /* of a byte that is escaped six are made */
    INPUT_WAIT_MS = 3600 * 1000, /* whoever is before us in the pipe may be asking a person */
    LEEWAY_DEFAULT_S = 60,
};

static bool looks_like_a_token(const char *word)
{
    return str_has_prefix(word, "eyJ") && strchr(word, '.') != NULL;
}

static enum keystay_status open_input(const char *path, int *ret_fd, struct keystay_error *err)
{
    if (path != NULL && looks_like_a_token(path)) {
        return err_set_hint(
            err, KEYSTAY_E_USAGE, "give it on stdin, or name a file",
            "a token on the command line can be read by everybody on this machine: it is not taken there");
    }
    if (path != NULL && !str_equal(path, "-")) {
        return file_open(path, "the token's file", KEYSTAY_E_USAGE, ret_fd, err);
    }
    /* A terminal shows what is pasted, and cuts a line after 4095 bytes. */
    if (isatty(STDIN_FILENO)) {
        return err_set_hint(
            err, KEYSTAY_E_USAGE, "such as: keystay token ... | keystay jwt decode",
            "there is no token: pipe it in, or name a file");
    }
    *ret_fd = dup(STDIN_FILENO);
    return *ret_fd >= 0 ? KEYSTAY_OK : err_set(err, KEYSTAY_E_USAGE, "stdin cannot be read");
}

/* One line end after the token is not part of it. */
static struct slice without_line_end(struct slice text)
{
    text.len -= text.len > 0 && text.data[text.len - 1] == '\n';
    text.len -= text.len > 0 && text.data[text.len - 1] == '\r';
    return text;
}

/* The token of the command line's file; jws borrows from text. */
static enum keystay_status read_token(
    const struct cli *cli, struct buf *text, struct jws *ret_jws, struct json **ret_claims,
    struct keystay_error *err)
{
    CLEANUP(file_closep) int fd = -1;

    TRY(open_input(cli->arguments[0], &fd, err));
    TRY(file_read_fd(fd, "the token", KEYSTAY_E_USAGE, INPUT_WAIT_MS, text, err));
    TRY(jws_decode(without_line_end(buf_slice(text)), ret_jws, err));
    return jwt_claims(ret_jws, ret_claims, err);
}

static bool wants_json(const struct cli *cli)
{
    const char *format = cli->values[CLI_LIST_FORMAT];

    return format != NULL && str_equal(format, "json");
}

static enum keystay_status run_decode(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(INPUT_MAX);
    CLEANUP(buf_clear) struct buf shown = BUF(OUTPUT_MAX);
    CLEANUP(jws_clear) struct jws jws = { 0 };
    CLEANUP(json_freep) struct json *claims = NULL;

    TRY(read_token(cli, &text, &jws, &claims, err));
    TRY((wants_json(cli) ? jwt_show_json : jwt_show_text)(&jws, claims, clock_now_s(), &shown, err));
    return file_write_all(STDOUT_FILENO, buf_slice(&shown), err);
}

/* How a token is to be verified. */
struct verification {
    struct verify_rules rules;
    const char *certificate; /* a file; or NULL */
    const char *jwks;        /* a file; or NULL. Neither: the issuer's own */
};

static enum keystay_status check_sources(const struct verification *how, struct keystay_error *err)
{
    if (how->certificate != NULL && how->jwks != NULL) {
        return err_set(err, KEYSTAY_E_USAGE, "--certificate and --jwks are given: which has the key?");
    }
    if (how->certificate == NULL && how->jwks == NULL && how->rules.issuer == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_USAGE, "--issuer URL gets the issuer's own; or --jwks FILE, or --certificate FILE",
            "whose keys is the token to be verified with?");
    }
    return KEYSTAY_OK;
}

static enum keystay_status read_how(
    const struct cli *cli, struct verification *ret_how, struct keystay_error *err)
{
    const char *leeway = cli->values[CLI_LEEWAY];
    uint64_t leeway_s = LEEWAY_DEFAULT_S;

    if (leeway != NULL && str_parse_u64(leeway, 0, VERIFY_LEEWAY_MAX_S, &leeway_s, NULL) != KEYSTAY_OK) {
        return err_set(
            err, KEYSTAY_E_USAGE, "--leeway must be a whole number from 0 to %d", VERIFY_LEEWAY_MAX_S);
    }
    *ret_how = (struct verification){
        .rules = {
            .issuer = cli->values[CLI_ISSUER],
            .audience = cli->values[CLI_AUDIENCE],
            .typ = cli->values[CLI_TYP],
            .now_s = clock_now_s(),
            .leeway_s = (int64_t)leeway_s,
        },
        .certificate = cli->values[CLI_CERTIFICATE],
        .jwks = cli->values[CLI_JWKS],
    };
    TRY(check_sources(ret_how, err));
    /* A good signature says little when the token was issued for somebody else. */
    if ((ret_how->rules.audience == NULL) != cli_given(cli, CLI_ANY_AUDIENCE)) {
        return err_set_hint(
            err, KEYSTAY_E_USAGE, "--audience AUD, or --any-audience if whom it is for is checked elsewhere",
            "whom must the token be for? give one of --audience and --any-audience");
    }
    return KEYSTAY_OK;
}

static enum keystay_status load_jwks(const char *path, struct jwks *ret_jwks, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(JWKS_MAX);
    enum keystay_status status = KEYSTAY_OK;

    TRY(file_read(path, "the JWK set", KEYSTAY_E_CONFIG, &text, err));
    status = jwks_parse(buf_slice(&text), ret_jwks, err);
    if (status == KEYSTAY_E_SERVER_RESPONSE) {
        struct keystay_error why = *err;
        return err_set(err, KEYSTAY_E_CONFIG, "'%s': %s", path, why.message);
    }
    return status;
}

static enum keystay_status fetch_jwks(
    struct cli *cli, const char *issuer, struct jwks *ret_jwks, struct keystay_error *err)
{
    CLEANUP(http_transport_freep) struct http_transport *transport = NULL;
    const struct http_curl_config config = {
        .cacert = profile_text(cli->profile, SETTING_CACERT),
        .timeout_ms = (int64_t)profile_number(cli->profile, SETTING_TIMEOUT) * 1000,
        .user_agent = "keystay/" KEYSTAY_VERSION,
        .allow_http_loopback = profile_switch(cli->profile, SETTING_ALLOW_HTTP_LOOPBACK),
    };

    TRY(http_curl_new(&config, &transport, err));
    return issuer_keys_fetch(
        transport, issuer, profile_switch(cli->profile, SETTING_ALLOW_HTTP_LOOPBACK), &cli->log, ret_jwks,
        err);
}

static enum keystay_status verify_with_keys(
    struct cli *cli, const struct verification *how, const struct jws *jws, const struct json *claims,
    const char *issuer, struct keystay_error *err)
{
    CLEANUP(jwks_clear) struct jwks jwks = { 0 };
    const struct jwk *jwk = NULL;

    TRY(how->jwks != NULL ? load_jwks(how->jwks, &jwks, err) : fetch_jwks(cli, issuer, &jwks, err));
    TRY(verify_choose_key(jws, &jwks, &jwk, err));
    TRY(verify_with_jwk(jws, jwk, err));
    return verify_key_issuer(jwk, claims, err);
}

static enum keystay_status verify(
    struct cli *cli, const struct verification *how, const struct jws *jws, const struct json *claims,
    struct keystay_error *err)
{
    CLEANUP(certificate_freep) struct certificate *certificate = NULL;
    char issuer[VERIFY_ISSUER_SIZE] = "";

    /* First: keys of one issuer say nothing of another's tokens, and would be fetched in vain. */
    if (how->rules.issuer != NULL) {
        TRY(verify_issuer(claims, how->rules.issuer, issuer, err));
    }
    if (how->certificate != NULL) {
        TRY(certificate_load(how->certificate, &certificate, err));
        TRY(verify_with_certificate(jws, certificate, how->rules.now_s, err));
    } else {
        TRY(verify_with_keys(cli, how, jws, claims, issuer, err));
    }
    return verify_claims(jws, claims, &how->rules, err);
}

static enum keystay_status put_yes(
    const struct verification *how, const struct jws *jws, bool is_json, struct buf *to,
    struct keystay_error *err)
{
    struct json_write out = JSON_WRITE(to);
    char line[256];

    if (!is_json) {
        (void)snprintf(
            line, sizeof(line), "yes: signature (%s), times%s%s%s\n", alg_by_name(jws->alg)->name,
            how->rules.issuer == NULL ? "" : ", issuer", how->rules.audience == NULL ? "" : ", audience",
            how->rules.typ == NULL ? "" : ", type");
        return buf_puts(to, line, err);
    }
    TRY(json_write_bool(&out, "valid", true, err));
    TRY(json_write_raw(&out, "header", buf_slice(&jws->header_text), err));
    TRY(json_write_raw(&out, "claims", buf_slice(&jws->payload), err));
    TRY(json_write_end(&out, err));
    return buf_putc(to, '\n', err);
}

static enum keystay_status run_verify(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(INPUT_MAX);
    CLEANUP(buf_clear) struct buf answer = BUF(OUTPUT_MAX);
    CLEANUP(jws_clear) struct jws jws = { 0 };
    CLEANUP(json_freep) struct json *claims = NULL;
    struct verification how = { 0 };

    TRY(read_how(cli, &how, err));
    enum keystay_status status = read_token(cli, &text, &jws, &claims, err);
    if (status == KEYSTAY_OK) {
        status = verify(cli, &how, &jws, claims, err);
    }
    if (status != KEYSTAY_OK) {
        return status == KEYSTAY_E_ANSWER_NO ? err_prefix(err, status, "no") : status;
    }
    TRY(put_yes(&how, &jws, wants_json(cli), &answer, err));
    return file_write_all(STDOUT_FILENO, buf_slice(&answer), err);
}

const struct command command_jwt_decode = {
    .name = "jwt decode",
    .arguments = "[FILE]",
    .arguments_max = 1,
    .summary = "look into a token: what it says, times in words",
    .help = "Shows header and claims of a token (JWT) on stdin or in FILE, explained. It does not say\n"
            "that the token is genuine: that is keystay jwt verify. The signature is not shown, so\n"
            "what is shown cannot be used as the token.\n"
            "\n"
            "  keystay jwt decode token.txt\n"
            "  keystay token ... | keystay jwt decode\n",
    .holds_secrets = true,
    .options = OPTION_BIT(CLI_LIST_FORMAT),
    .run = run_decode,
};

const struct command command_jwt_verify = {
    .name = "jwt verify",
    .arguments = "[FILE]",
    .arguments_max = 1,
    .summary = "say whether a token is genuine and for whom it should be",
    .help = "Verifies a token (JWT) on stdin or in FILE: signature, times, and what --issuer, --audience\n"
            "and --typ ask for. The keys are those of --jwks or --certificate, or the issuer's own, from\n"
            "where its metadata says. Exit status 0 means yes, 1 no.\n"
            "\n"
            "  keystay jwt verify --jwks keys.json --audience api://backup token.txt\n"
            "  keystay token ... | keystay jwt verify --audience api://backup \\\n"
            "      --issuer https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0\n",
    .has_settings = true,
    .only_settings =
        SETTING_BIT(SETTING_CACERT) | SETTING_BIT(SETTING_TIMEOUT) | SETTING_BIT(SETTING_ALLOW_HTTP_LOOPBACK),
    .options = OPTION_BIT(CLI_LIST_FORMAT) | OPTION_BIT(CLI_ISSUER) | OPTION_BIT(CLI_JWKS) |
               OPTION_BIT(CLI_CERTIFICATE) | OPTION_BIT(CLI_AUDIENCE) | OPTION_BIT(CLI_ANY_AUDIENCE) |
               OPTION_BIT(CLI_TYP) | OPTION_BIT(CLI_LEEWAY),
    .run = run_verify,
};
