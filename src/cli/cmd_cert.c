/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate for a key, or a request for one: made here, signed by the token. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/out.h"
#include "cli/session.h"
#include "cli/watchdog.h"
#include "pkcs11/cryptoki/store.h"
#include "signer/issue.h"

enum {
    PEM_MAX = 64 * 1024,
    DAY_S = 24 * 60 * 60,
    DAYS_DEFAULT = 365,
    DAYS_MAX = 3650,
    CLOCKS_DIFFER_S = 5 * 60, /* it begins that much earlier: the server's clock may be behind */
};

/* What n digits stand for; what is none of them counts all the same, and is found out afterwards. */
static int number_at(const char *digits, size_t n)
{
    int number = 0;

    for (size_t i = 0; i < n; i++) {
        number = number * 10 + (digits[i] - '0');
    }
    return number;
}

/* "2027-12-31" or "2027-12-31T12:00:00Z". What is no date is not what it is when it is written again. */
static enum keystay_status read_date(const char *date, int64_t *ret_time_s, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(sizeof("2027-12-31T12:00:00Z"));
    char again[CLOCK_TEXT_SIZE];

    if (buf_puts(&text, date, NULL) == KEYSTAY_OK && text.len == strlen("2027-12-31")) {
        TRY(buf_puts(&text, "T00:00:00Z", err));
    }
    if (text.len == strlen("2027-12-31T12:00:00Z")) {
        const char *whole = buf_str(&text);
        struct tm parts = {
            .tm_year = number_at(whole, 4) - 1900,
            .tm_mon = number_at(whole + 5, 2) - 1,
            .tm_mday = number_at(whole + 8, 2),
            .tm_hour = number_at(whole + 11, 2),
            .tm_min = number_at(whole + 14, 2),
            .tm_sec = number_at(whole + 17, 2),
        };
        int64_t time_s = (int64_t)timegm(&parts);
        clock_format_utc(time_s, again);
        if (str_equal(again, whole)) {
            *ret_time_s = time_s;
            return KEYSTAY_OK;
        }
    }
    return err_set_hint(
        err, KEYSTAY_E_USAGE, "such as 2027-12-31, or 2027-12-31T12:00:00Z", "--not-after is no date");
}

static enum keystay_status read_validity(
    const struct cli *cli, int64_t now_s, struct x509_fields *fields, struct keystay_error *err)
{
    uint64_t days = DAYS_DEFAULT;

    if (cli_given(cli, CLI_DAYS) && cli_given(cli, CLI_NOT_AFTER)) {
        return err_set(err, KEYSTAY_E_USAGE, "--days and --not-after are both given");
    }
    if (cli_given(cli, CLI_DAYS)) {
        enum keystay_status status = str_parse_u64(cli->values[CLI_DAYS], 1, DAYS_MAX, &days, err);
        TRY(status == KEYSTAY_OK ? status
                                 : err_set(err, KEYSTAY_E_USAGE, "--days must be 1 to %d", DAYS_MAX));
    }
    fields->not_before_s = now_s - CLOCKS_DIFFER_S;
    fields->not_after_s = now_s + (int64_t)days * DAY_S;
    if (cli_given(cli, CLI_NOT_AFTER)) {
        TRY(read_date(cli->values[CLI_NOT_AFTER], &fields->not_after_s, err));
    }
    if (fields->not_after_s <= now_s || fields->not_after_s > now_s + (int64_t)DAYS_MAX * DAY_S) {
        return err_set(err, KEYSTAY_E_USAGE, "--not-after must be ahead, by %d days at the most", DAYS_MAX);
    }
    return KEYSTAY_OK;
}

/* What can be refused without the token is refused now. */
static enum keystay_status read_fields(
    const struct cli *cli, struct x509_fields *ret_fields, struct keystay_error *err)
{
    const char *alg = profile_text(cli->profile, SETTING_ALG);

    *ret_fields = (struct x509_fields){
        .subject = cli->values[CLI_SUBJECT],
        .san = cli->values[CLI_SAN],
        .alg = alg == NULL ? NULL : alg_by_name(alg), /* "auto" is none */
    };
    if (ret_fields->subject == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_USAGE, "such as --subject 'CN=backup,O=Contoso'", "--subject must be given");
    }
    TRY(out_check(cli, err));
    return x509_check_fields(ret_fields, err);
}

static enum keystay_status put_out(
    const struct cli *cli, const char *what, const struct buf *der, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(PEM_MAX);

    TRY(x509_put_pem(what, buf_slice(der), &text, err));
    return out_write(cli, buf_slice(&text), err);
}

static enum keystay_status store(
    struct keystay_signer *signer, const struct buf *der, struct keystay_error *err)
{
    CLEANUP(certificate_freep) struct certificate *certificate = NULL;

    TRY(certificate_parse(buf_slice(der), &certificate, err));
    return store_certificate(signer, certificate, err);
}

static enum keystay_status open_signer(
    struct cli *cli, struct session *session, bool may_write, struct keystay_error *err)
{
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };
    struct keystay_pkcs11_config config;

    TRY(session_look_config(cli, session, &config, err));
    TRY(p11_settings_read(&config, &settings, err));
    return store_open_signer(&settings, may_write, &session->signer, err);
}

static enum keystay_status run_create(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    CLEANUP(buf_clear) struct buf der = BUF(X509_WRITE_MAX);
    struct x509_fields fields = { 0 };

    TRY(read_fields(cli, &fields, err));
    TRY(read_validity(cli, clock_now_s(), &fields, err));
    TRY(open_signer(cli, &session, cli_given(cli, CLI_STORE), err));
    TRY(issue_certificate(session.signer, &fields, &der, err));
    if (!cli_given(cli, CLI_STORE) || cli_given(cli, CLI_OUT)) {
        TRY(put_out(cli, "CERTIFICATE", &der, err));
    }
    if (cli_given(cli, CLI_STORE)) {
        TRY(store(session.signer, &der, err));
    }
    watchdog_forgive();
    return KEYSTAY_OK;
}

static enum keystay_status run_request(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    CLEANUP(buf_clear) struct buf der = BUF(X509_WRITE_MAX);
    struct x509_fields fields = { 0 };

    TRY(read_fields(cli, &fields, err));
    TRY(open_signer(cli, &session, false, err));
    TRY(issue_request(session.signer, &fields, &der, err));
    TRY(put_out(cli, "CERTIFICATE REQUEST", &der, err));
    watchdog_forgive();
    return KEYSTAY_OK;
}

/* The key decides whose it is; what the token refuses to take is its own word. */
static enum keystay_status run_import(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    CLEANUP(certificate_freep) struct certificate *certificate = NULL;

    if (!cli_given(cli, CLI_IN)) {
        return err_set_hint(err, KEYSTAY_E_USAGE, "such as --in cert.pem", "--in must be given");
    }
    TRY(certificate_load(cli->values[CLI_IN], &certificate, err));
    TRY(certificate_check(certificate, clock_now_s(), err));
    TRY(open_signer(cli, &session, true, err));
    TRY(store_certificate(session.signer, certificate, err));
    watchdog_forgive();
    return KEYSTAY_OK;
}

#define SETTINGS                                                                              \
    (CLI_TOKEN_SETTINGS | SETTING_BIT(SETTING_ALG) | SETTING_BIT(SETTING_ALLOW_EXTRACTABLE) | \
     SETTING_BIT(SETTING_PIN_REUSE))

const struct command command_cert_create = {
    .name = "cert create",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "a certificate for a key, signed by the key itself",
    .help =
        "Makes a certificate that the token signs with the key that it is for, to be registered with a\n"
        "server. --alg chooses digest and padding: RS256, PS256, RS384, PS384, ES256 or ES384.\n"
        "\n"
        "  keystay cert create --module /usr/lib/softhsm/libsofthsm2.so --key 'pkcs11:token=backup;id=%02' \\\n"
        "      --subject 'CN=backup,O=Contoso' --days 365 --store --out backup.pem\n",
    .has_settings = true,
    .only_settings = SETTINGS,
    .takes_profile = true,
    .options = OPTION_BIT(CLI_SUBJECT) | OPTION_BIT(CLI_SAN) | OPTION_BIT(CLI_DAYS) |
               OPTION_BIT(CLI_NOT_AFTER) | OPTION_BIT(CLI_STORE) | OPTION_BIT(CLI_OUT),
    .run = run_create,
};

const struct command command_cert_request = {
    .name = "cert request",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "a request for a certificate, for a CA (PKCS #10)",
    .help = "Makes a certificate signing request for a key, signed by the token, for a CA to certify.\n"
            "\n"
            "  keystay cert request --module /usr/lib/softhsm/libsofthsm2.so \\\n"
            "      --key 'pkcs11:token=backup;id=%02' --subject 'CN=backup,O=Contoso' --out backup.csr\n",
    .has_settings = true,
    .only_settings = SETTINGS,
    .takes_profile = true,
    .options = OPTION_BIT(CLI_SUBJECT) | OPTION_BIT(CLI_SAN) | OPTION_BIT(CLI_OUT),
    .run = run_request,
};

const struct command command_cert_import = {
    .name = "cert import",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "put a certificate from a CA onto the token",
    .help =
        "Stores a certificate beside the key that --key means, with its id and label. It is refused\n"
        "unless its public key is that key's.\n"
        "\n"
        "  keystay cert import --module /usr/lib/softhsm/libsofthsm2.so --key 'pkcs11:token=backup;id=%02' \\\n"
        "      --in from-ca.pem\n",
    .has_settings = true,
    .only_settings = CLI_TOKEN_SETTINGS | SETTING_BIT(SETTING_ALLOW_EXTRACTABLE),
    .takes_profile = true,
    .options = OPTION_BIT(CLI_IN),
    .run = run_import,
};
