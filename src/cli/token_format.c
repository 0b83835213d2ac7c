/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/token_format.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/str.h"

static const char exec_v1[] = "client.authentication.k8s.io/v1";
static const char exec_v1beta1[] = "client.authentication.k8s.io/v1beta1";

static enum keystay_status write_raw(
    const struct token_format *format, const struct keystay_token *token, int64_t now_s, struct buf *to,
    struct keystay_error *err)
{
    (void)format;
    (void)now_s;
    return buf_puts(to, keystay_token_value(token), err);
}

static enum keystay_status write_json(
    const struct token_format *format, const struct keystay_token *token, int64_t now_s, struct buf *to,
    struct keystay_error *err)
{
    struct json_write out = JSON_WRITE(to);

    (void)format;
    TRY(json_write_str(&out, "access_token", keystay_token_value(token), err));
    TRY(json_write_str(&out, "token_type", "Bearer", err));
    TRY(json_write_i64(&out, "expires_in", keystay_token_expires_at_s(token) - now_s, err));
    TRY(json_write_i64(&out, "expires_on", keystay_token_expires_at_s(token), err));
    return json_write_end(&out, err);
}

/* RFC 6750 §2.1. */
static enum keystay_status write_header(
    const struct token_format *format, const struct keystay_token *token, int64_t now_s, struct buf *to,
    struct keystay_error *err)
{
    (void)format;
    (void)now_s;
    TRY(buf_puts(to, "Authorization: Bearer ", err));
    return buf_puts(to, keystay_token_value(token), err);
}

/*
 * POSIX shell §2.2.2: between single quotes every character stands for itself, but no single quote can. It is
 * written between two pairs, behind a backslash.
 */
static enum keystay_status write_env(
    const struct token_format *format, const struct keystay_token *token, int64_t now_s, struct buf *to,
    struct keystay_error *err)
{
    (void)format;
    (void)now_s;
    TRY(buf_puts(to, "KEYSTAY_ACCESS_TOKEN='", err));
    for (const char *at = keystay_token_value(token); *at != '\0'; at++) {
        TRY(*at == '\'' ? buf_puts(to, "'\\''", err) : buf_putc(to, *at, err));
    }
    return buf_putc(to, '\'', err);
}

/* curl(1), --config: within double quotes a backslash takes the meaning from a backslash or a double quote.
 */
static enum keystay_status write_curl(
    const struct token_format *format, const struct keystay_token *token, int64_t now_s, struct buf *to,
    struct keystay_error *err)
{
    (void)format;
    (void)now_s;
    TRY(buf_puts(to, "header = \"Authorization: Bearer ", err));
    for (const char *at = keystay_token_value(token); *at != '\0'; at++) {
        TRY(*at == '\\' || *at == '"' ? buf_putc(to, '\\', err) : KEYSTAY_OK);
        TRY(buf_putc(to, *at, err));
    }
    return buf_putc(to, '"', err);
}

static enum keystay_status write_exec_credential(
    const struct token_format *format, const struct keystay_token *token, int64_t now_s, struct buf *to,
    struct keystay_error *err)
{
    struct json_write out = JSON_WRITE(to);
    char end[CLOCK_TEXT_SIZE];

    (void)now_s;
    clock_format_utc(keystay_token_expires_at_s(token), end);
    TRY(json_write_str(&out, "apiVersion", format->api_version, err));
    TRY(json_write_str(&out, "kind", "ExecCredential", err));
    TRY(json_write_begin(&out, "status", '{', err));
    TRY(json_write_str(&out, "expirationTimestamp", end, err));
    TRY(json_write_str(&out, "token", keystay_token_value(token), err));
    TRY(json_write_finish(&out, '{', err));
    return json_write_end(&out, err);
}

static const struct {
    const char *name;
    struct token_format format;
} rows[] = {
    { "raw", { .write = write_raw } },       { "json", { .write = write_json } },
    { "header", { .write = write_header } }, { "env", { .write = write_env } },
    { "curl", { .write = write_curl } },     { "exec-credential", { .write = write_exec_credential } },
};

/* kubectl refuses an answer in another version than the one it asks for. */
static enum keystay_status read_exec_info(
    const char *exec_info, char ret_version[TOKEN_FORMAT_SIZE], struct keystay_error *err)
{
    CLEANUP(json_freep) struct json *json = NULL;
    const char *version = exec_v1;

    if (exec_info != NULL) {
        if (json_parse_object(slice_of_str(exec_info), &json, err) != KEYSTAY_OK) {
            return err_set(err, KEYSTAY_E_CONFIG, "KUBERNETES_EXEC_INFO is not a JSON object");
        }
        version = json_str_or_null(json, "apiVersion");
    }
    if (version == NULL || !(str_equal(version, exec_v1) || str_equal(version, exec_v1beta1))) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG,
            "set apiVersion: client.authentication.k8s.io/v1 in the kubeconfig's exec section",
            "KUBERNETES_EXEC_INFO asks for another version than client.authentication.k8s.io/v1 and v1beta1");
    }
    (void)snprintf(ret_version, TOKEN_FORMAT_SIZE, "%s", version);
    return KEYSTAY_OK;
}

enum keystay_status token_format_choose(
    const char *name, const char *exec_info, struct token_format *ret_format, struct keystay_error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (str_equal(name == NULL ? "raw" : name, rows[i].name)) {
            struct token_format format = rows[i].format;
            if (format.write == write_exec_credential) {
                TRY(read_exec_info(exec_info, format.api_version, err));
            }
            *ret_format = format;
            return KEYSTAY_OK;
        }
    }
    return err_set(err, KEYSTAY_E_INTERNAL, "there is no token format of that name");
}

enum keystay_status token_format_write(
    const struct token_format *format, const struct keystay_token *token, int64_t now_s, struct buf *to,
    struct keystay_error *err)
{
    TRY(format->write(format, token, now_s, to, err));
    return buf_putc(to, '\n', err);
}
