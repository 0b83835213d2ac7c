/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate in the form that somebody else wants it in, and how to give it to them. */
#include <stdio.h>
#include <unistd.h>

#include "base/base64url.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/certs.h"
#include "cli/out.h"
#include "cli/watchdog.h"
#include "crypto/digest.h"
#include "crypto/x509_write.h"
#include "jose/jwk.h"
#include "jose/thumbprint.h"

enum { TEXT_MAX = 512 * 1024, PRINT_MAX = 128, LINE_SIZE = 640 };

typedef enum keystay_status (*put_form)(
    const struct certificate *certificate, struct buf *to, struct keystay_error *err);

static enum keystay_status put_pem(
    const struct certificate *certificate, struct buf *to, struct keystay_error *err)
{
    return x509_put_pem("CERTIFICATE", certificate_der(certificate), to, err);
}

static enum keystay_status put_der(
    const struct certificate *certificate, struct buf *to, struct keystay_error *err)
{
    return buf_put(to, certificate_der(certificate), err);
}

static enum keystay_status put_base64(
    const struct certificate *certificate, struct buf *to, struct keystay_error *err)
{
    TRY(base64_encode(certificate_der(certificate), to, err));
    return buf_putc(to, '\n', err);
}

/* The members of a JWK with the certificate's thumbprint (RFC 7517 §4.9), its kid that of RFC 7638. */
static enum keystay_status put_jwk_members(
    const struct certificate *certificate, struct json_write *out, struct keystay_error *err)
{
    const struct public_key *key = certificate_public_key(certificate);
    CLEANUP(buf_clear) struct buf kid = BUF(PRINT_MAX);
    CLEANUP(buf_clear) struct buf print = BUF(PRINT_MAX);

    TRY(jwk_thumbprint(key, &kid, err));
    TRY(thumbprint_encode(certificate, THUMBPRINT_SHA256, &print, err));
    TRY(jwk_write(out, key, buf_str(&kid), NULL, err));
    return json_write_slice(out, "x5t#S256", buf_slice(&print), err);
}

static enum keystay_status put_jwk(
    const struct certificate *certificate, struct buf *to, struct keystay_error *err)
{
    struct json_write out = JSON_WRITE(to);

    TRY(put_jwk_members(certificate, &out, err));
    TRY(json_write_end(&out, err));
    return buf_putc(to, '\n', err);
}

static enum keystay_status put_jwks(
    const struct certificate *certificate, struct buf *to, struct keystay_error *err)
{
    struct json_write out = JSON_WRITE(to);

    TRY(json_write_begin(&out, "keys", '[', err));
    TRY(json_write_begin(&out, NULL, '{', err));
    TRY(put_jwk_members(certificate, &out, err));
    TRY(json_write_finish(&out, '{', err));
    TRY(json_write_finish(&out, '[', err));
    TRY(json_write_end(&out, err));
    return buf_putc(to, '\n', err);
}

static enum keystay_status put_time(
    struct json_write *out, const char *name, int64_t time_s, struct keystay_error *err)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(time_s, text);
    return json_write_str(out, name, text, err);
}

/* Microsoft Graph's keyCredential: customKeyIdentifier and key are bytes, so in base64. */
static enum keystay_status put_key_credential(
    const struct certificate *certificate, struct buf *to, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf der = BUF(TEXT_MAX);
    CLEANUP(buf_clear) struct buf print = BUF(PRINT_MAX);
    struct json_write out = JSON_WRITE(to);
    uint8_t sha1[CERTIFICATE_SHA1_LEN];

    TRY(digest_of("SHA1", certificate_der(certificate), sha1, sizeof(sha1), err));
    TRY(base64_encode((struct slice){ sha1, sizeof(sha1) }, &print, err));
    TRY(base64_encode(certificate_der(certificate), &der, err));
    TRY(json_write_slice(&out, "customKeyIdentifier", buf_slice(&print), err));
    TRY(json_write_str(&out, "displayName", certificate_subject(certificate), err));
    TRY(put_time(&out, "startDateTime", certificate_not_before_s(certificate), err));
    TRY(put_time(&out, "endDateTime", certificate_not_after_s(certificate), err));
    TRY(json_write_str(&out, "type", "AsymmetricX509Cert", err));
    TRY(json_write_str(&out, "usage", "Verify", err));
    TRY(json_write_slice(&out, "key", buf_slice(&der), err));
    TRY(json_write_end(&out, err));
    return buf_putc(to, '\n', err);
}

static enum keystay_status put_print(
    struct buf *to, const char *name, const struct buf *print, struct keystay_error *err)
{
    char line[LINE_SIZE];

    (void)snprintf(line, sizeof(line), "%-18s %s\n", name, buf_str(print));
    return buf_puts(to, line, err);
}

static enum keystay_status put_thumbprints(
    const struct certificate *certificate, struct buf *to, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf kid = BUF(PRINT_MAX);
    static const struct {
        enum thumbprint which;
        const char *hex;
        const char *base64url;
    } rows[] = { { THUMBPRINT_SHA1, "SHA-1", "SHA-1 base64url" },
                 { THUMBPRINT_SHA256, "SHA-256", "SHA-256 base64url" } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf hex = BUF(PRINT_MAX);
        CLEANUP(buf_clear) struct buf text = BUF(PRINT_MAX);

        TRY(thumbprint_encode_hex(certificate, rows[i].which, &hex, err));
        TRY(thumbprint_encode(certificate, rows[i].which, &text, err));
        TRY(put_print(to, rows[i].hex, &hex, err));
        TRY(put_print(to, rows[i].base64url, &text, err));
    }
    TRY(jwk_thumbprint(certificate_public_key(certificate), &kid, err));
    return put_print(to, "key (RFC 7638)", &kid, err);
}

static const struct {
    const char *name;
    put_form put;
} forms[] = {
    { "pem", put_pem },
    { "der", put_der },
    { "base64", put_base64 },
    { "jwk", put_jwk },
    { "jwks", put_jwks },
    { "key-credential", put_key_credential },
    { "thumbprint", put_thumbprints },
};

static put_form form_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (name != NULL && str_equal(name, forms[i].name)) {
            return forms[i].put;
        }
    }
    return put_pem;
}

static enum keystay_status run_export(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(cert_list_clear) struct cert_list list = { .n = 0 };
    CLEANUP(buf_clear) struct buf text = BUF(TEXT_MAX);
    const struct cert_item *best = NULL;

    TRY(out_check(cli, err));
    TRY(cert_list_read(cli, &list, err));
    TRY(cert_list_best(&list, &best, err));
    TRY(form_of(cli->values[CLI_EXPORT_FORMAT])(best->certificate, &text, err));
    TRY(out_write(cli, buf_slice(&text), err));
    watchdog_forgive();
    return KEYSTAY_OK;
}

/* What to do with it next, at those who ask for it most. */
static const char next_text[] =
    "to register it\n"
    "  Entra ID   keystay cert export ... --out cert.pem\n"
    "             Entra admin center: App registrations, the app, Certificates & secrets, Upload certificate;\n"
    "             or: az ad app credential reset --id CLIENT-ID --append --cert @cert.pem\n"
    "  Keycloak   keystay cert export ... --out cert.pem\n"
    "             Clients, the client, Credentials: Signed JWT; Keys: Import, Certificate PEM\n"
    "  Okta       keystay cert export ... --format jwk\n"
    "             Applications, the app, General, Client Credentials: Public key / Private key, Add key;\n"
    "             and --kid jwk with keystay token\n";

static enum keystay_status put_details(
    const struct cert_list *list, const struct cert_item *item, struct buf *to, struct keystay_error *err)
{
    const struct certificate *certificate = item->certificate;
    const struct public_key *key = certificate_public_key(certificate);
    char line[LINE_SIZE];
    char begin[CLOCK_TEXT_SIZE];
    char end[CLOCK_TEXT_SIZE];
    char distance[CLOCK_DISTANCE_SIZE];

    clock_format_utc(certificate_not_before_s(certificate), begin);
    clock_format_utc(certificate_not_after_s(certificate), end);
    clock_format_distance(certificate_not_after_s(certificate), list->now_s, distance);
    (void)snprintf(line, sizeof(line), "certificate '%s'\n", certificate_subject(certificate));
    TRY(buf_puts(to, line, err));
    (void)snprintf(line, sizeof(line), "%-18s %s\n", "where", item->where);
    TRY(buf_puts(to, line, err));
    (void)snprintf(line, sizeof(line), "%-18s %s to %s (%s)\n", "valid", begin, end, distance);
    TRY(buf_puts(to, line, err));
    (void)snprintf(
        line, sizeof(line), "%-18s %s, %u bits\n", "public key", public_key_type_name(key),
        public_key_bits(key));
    TRY(buf_puts(to, line, err));
    TRY(put_thumbprints(certificate, to, err));
    return buf_putc(to, '\n', err);
}

/* A digest's two forms, as members. */
static enum keystay_status put_print_members(
    const struct certificate *certificate, enum thumbprint which, const char *hex_name, const char *name,
    struct json_write *out, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf hex = BUF(PRINT_MAX);
    CLEANUP(buf_clear) struct buf text = BUF(PRINT_MAX);

    TRY(thumbprint_encode_hex(certificate, which, &hex, err));
    TRY(thumbprint_encode(certificate, which, &text, err));
    TRY(json_write_slice(out, hex_name, buf_slice(&hex), err));
    return json_write_slice(out, name, buf_slice(&text), err);
}

static enum keystay_status put_details_json(
    const struct cert_item *item, struct json_write *out, struct keystay_error *err)
{
    const struct certificate *certificate = item->certificate;
    const struct public_key *key = certificate_public_key(certificate);
    CLEANUP(buf_clear) struct buf kid = BUF(PRINT_MAX);

    TRY(jwk_thumbprint(key, &kid, err));
    TRY(json_write_begin(out, NULL, '{', err));
    TRY(json_write_str(out, "subject", certificate_subject(certificate), err));
    TRY(json_write_str(out, "where", item->where, err));
    TRY(json_write_i64(out, "not_before", certificate_not_before_s(certificate), err));
    TRY(json_write_i64(out, "not_after", certificate_not_after_s(certificate), err));
    TRY(json_write_str(out, "key_type", public_key_type_name(key), err));
    TRY(json_write_i64(out, "key_bits", (int64_t)public_key_bits(key), err));
    TRY(put_print_members(certificate, THUMBPRINT_SHA1, "sha1", "x5t", out, err));
    TRY(put_print_members(certificate, THUMBPRINT_SHA256, "sha256", "x5t#S256", out, err));
    TRY(json_write_slice(out, "kid", buf_slice(&kid), err));
    return json_write_finish(out, '{', err);
}

static enum keystay_status put_list_json(
    const struct cert_list *list, struct buf *to, struct keystay_error *err)
{
    struct json_write out = JSON_WRITE(to);

    TRY(json_write_begin(&out, "certificates", '[', err));
    for (size_t i = 0; i < list->n; i++) {
        TRY(put_details_json(&list->items[i], &out, err));
    }
    TRY(json_write_finish(&out, '[', err));
    TRY(json_write_end(&out, err));
    return buf_putc(to, '\n', err);
}

static enum keystay_status put_list_text(
    const struct cert_list *list, struct buf *to, struct keystay_error *err)
{
    for (size_t i = 0; i < list->n; i++) {
        TRY(put_details(list, &list->items[i], to, err));
    }
    return buf_puts(to, next_text, err);
}

static enum keystay_status run_show(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(cert_list_clear) struct cert_list list = { .n = 0 };
    CLEANUP(buf_clear) struct buf text = BUF(TEXT_MAX);

    const char *format = cli->values[CLI_LIST_FORMAT];

    TRY(cert_list_read(cli, &list, err));
    TRY(format != NULL && str_equal(format, "json") ? put_list_json(&list, &text, err)
                                                    : put_list_text(&list, &text, err));
    TRY(file_write_all(STDOUT_FILENO, buf_slice(&text), err));
    watchdog_forgive();
    return KEYSTAY_OK;
}

const struct command command_cert_export = {
    .name = "cert export",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "a certificate in the form that a server wants",
    .help =
        "Prints the certificate of --certificate FILE, or of --key on its token: of several for a key the\n"
        "valid one that ends last. No PIN is asked for.\n"
        "\n"
        "  keystay cert export --module /usr/lib/softhsm/libsofthsm2.so --key 'pkcs11:token=backup;id=%02' \\\n"
        "      --format key-credential\n",
    .has_settings = true,
    .only_settings = CLI_TOKEN_SETTINGS | SETTING_BIT(SETTING_CERTIFICATE),
    .takes_profile = true,
    .options = OPTION_BIT(CLI_EXPORT_FORMAT) | OPTION_BIT(CLI_OUT),
    .run = run_export,
};

const struct command command_cert_show = {
    .name = "cert show",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "certificates, their thumbprints, and how to register them",
    .help =
        "Shows the certificates of --certificate FILE, or those of --key on its token, with what servers\n"
        "and portals show of them, and the next step at Entra ID, Keycloak and Okta.\n"
        "\n"
        "  keystay cert show --certificate cert.pem\n",
    .has_settings = true,
    .only_settings = CLI_TOKEN_SETTINGS | SETTING_BIT(SETTING_CERTIFICATE),
    .takes_profile = true,
    .options = OPTION_BIT(CLI_LIST_FORMAT),
    .run = run_show,
};
