/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/jwt_show.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_raw.h"
#include "base/json_write.h"
#include "base/str.h"
#include "cli/jwt_note.h"

enum { REMARK_SIZE = 160, NAME_SIZE = 48, NAME_WIDTH_MAX = 20 };

/* What a member means. Of a value that is one of a few texts, each has its own. */
struct meaning {
    const char *name;
    const char *value; /* NULL: any */
    const char *text;  /* NULL: it is a time */
};

/* RFC 7515 §4.1. */
static const struct meaning header_meanings[] = {
    { "alg", NULL, "the algorithm of the signature" },
    { "kid", NULL, "which of the issuer's keys" },
    { "typ", NULL, "the kind of token" },
    { "x5t", NULL, "SHA-1 of the signer's certificate" },
    { "x5t#S256", NULL, "SHA-256 of the signer's certificate" },
    { "x5c", NULL, "certificates; keystay does not trust them" },
    { "jku", NULL, "address of keys; keystay does not follow it" },
    { "x5u", NULL, "address of certificates; keystay does not follow it" },
    { "jwk", NULL, "a key; keystay does not trust it" },
    { "nonce", NULL, "as in Microsoft Graph's own tokens" },
};

/* RFC 7519 §4.1, RFC 9068, and learn.microsoft.com, "Access token claims reference". */
static const struct meaning claim_meanings[] = {
    { "iss", NULL, "who issued it" },
    { "sub", NULL, "whom it is about" },
    { "aud", NULL, "whom it is for" },
    { "exp", NULL, NULL },
    { "nbf", NULL, NULL },
    { "iat", NULL, NULL },
    { "auth_time", NULL, NULL },
    { "jti", NULL, "its own number" },
    { "client_id", NULL, "the client that got it" },
    { "scope", NULL, "what it may be used for" },
    { "scp", NULL, "what it may be used for in the name of a user" },
    { "roles", NULL, "what the application itself may do" },
    { "azp", NULL, "the client that got it" },
    { "appid", NULL, "the client that got it" },
    { "azpacr", "0", "the client proved nothing of itself" },
    { "azpacr", "1", "the client used a secret" },
    { "azpacr", "2", "the client used a certificate" },
    { "appidacr", "0", "the client proved nothing of itself" },
    { "appidacr", "1", "the client used a secret" },
    { "appidacr", "2", "the client used a certificate" },
    { "idtyp", "app", "no user is involved" },
    { "idtyp", "user", "in the name of a user" },
    { "tid", NULL, "the tenant" },
    { "oid", NULL, "the service principal or user in the tenant" },
    { "ver", "1.0", "Entra ID, v1.0" },
    { "ver", "2.0", "Entra ID, v2.0" },
    { "uti", NULL, "Entra's number of it" },
    { "cnf", NULL, "of use only with this key" },
};

struct table {
    const struct meaning *rows;
    size_t n;
};

static const struct table header_table = { header_meanings, ARRAY_LEN(header_meanings) };
static const struct table claim_table = { claim_meanings, ARRAY_LEN(claim_meanings) };

static const struct meaning *meaning_of(const struct table *table, const struct json *member)
{
    const char *text = json_text(member);

    for (size_t i = 0; i < table->n; i++) {
        const struct meaning *row = &table->rows[i];
        if (str_equal(row->name, json_name(member)) &&
            (row->value == NULL || (text != NULL && str_equal(row->value, text)))) {
            return row;
        }
    }
    return NULL;
}

static void time_remark(const struct json *member, int64_t now_s, char ret_text[REMARK_SIZE])
{
    char time[CLOCK_TEXT_SIZE];
    char distance[CLOCK_DISTANCE_SIZE];
    int64_t time_s = 0;

    if (!jwt_time_of(member, &time_s)) {
        (void)snprintf(ret_text, REMARK_SIZE, "no time: RFC 7519 wants a number of seconds since 1970");
        return;
    }
    clock_format_utc(time_s, time);
    clock_format_distance(time_s, now_s, distance);
    (void)snprintf(ret_text, REMARK_SIZE, "%s, %s", time, distance);
}

static void remark_on(
    const struct table *table, const struct json *member, int64_t now_s, char ret_text[REMARK_SIZE])
{
    const struct meaning *meaning = meaning_of(table, member);

    ret_text[0] = '\0';
    if (meaning != NULL && meaning->text == NULL) {
        time_remark(member, now_s, ret_text);
    } else if (meaning != NULL) {
        (void)snprintf(ret_text, REMARK_SIZE, "%s", meaning->text);
    }
}

static int name_width(const struct json *object)
{
    size_t width = 0;

    for (const struct json *member = json_first(object); member != NULL; member = json_next(member)) {
        size_t len = strlen(json_name(member));
        width = len > width && len <= NAME_WIDTH_MAX ? len : width;
    }
    return (int)width;
}

/* name, value as it was written, and what it means. */
static enum keystay_status put_member(
    const struct json *member, int width, struct slice value, const char *remark, struct buf *to,
    struct keystay_error *err)
{
    char name[NAME_SIZE];
    char padded[NAME_SIZE + NAME_WIDTH_MAX];

    str_quote_foreign(slice_of_str(json_name(member)), name, sizeof(name));
    (void)snprintf(padded, sizeof(padded), "  %-*s  ", width, name);
    TRY(buf_puts(to, padded, err));
    TRY(json_raw_put(value, to, err));
    if (remark[0] != '\0') {
        TRY(buf_puts(to, "  # ", err));
        TRY(buf_puts(to, remark, err));
    }
    return buf_putc(to, '\n', err);
}

static enum keystay_status put_object(
    const struct json *object, struct slice text, const struct table *table, int64_t now_s, struct buf *to,
    struct keystay_error *err)
{
    const struct json *member = json_first(object);
    const int width = name_width(object);
    struct slice name;
    struct slice value;

    for (; member != NULL && json_raw_member(&text, &name, &value); member = json_next(member)) {
        char remark[REMARK_SIZE];

        remark_on(table, member, now_s, remark);
        TRY(put_member(member, width, value, remark, to, err));
    }
    return KEYSTAY_OK;
}

static enum keystay_status put_signature(const struct jws *jws, struct buf *to, struct keystay_error *err)
{
    char alg[NAME_SIZE];
    char line[REMARK_SIZE];

    str_quote_foreign(slice_of_str(jws->alg), alg, sizeof(alg));
    (void)snprintf(
        line, sizeof(line), "signature\n  %s, %zu bytes, not shown and not checked\n", alg,
        jws->signature.len);
    return buf_puts(to, line, err);
}

enum keystay_status jwt_show_text(
    const struct jws *jws, const struct json *claims, int64_t now_s, struct buf *to,
    struct keystay_error *err)
{
    const char *notes[JWT_NOTES_MAX];
    const size_t n_notes = jwt_notes(jws, claims, now_s, notes);

    TRY(buf_puts(to, "header\n", err));
    TRY(put_object(jws->header, buf_slice(&jws->header_text), &header_table, now_s, to, err));
    TRY(buf_puts(to, "claims\n", err));
    TRY(put_object(claims, buf_slice(&jws->payload), &claim_table, now_s, to, err));
    TRY(put_signature(jws, to, err));
    for (size_t i = 0; i < n_notes; i++) {
        TRY(buf_puts(to, "note: ", err));
        TRY(buf_puts(to, notes[i], err));
        TRY(buf_putc(to, '\n', err));
    }
    return KEYSTAY_OK;
}

static enum keystay_status write_times(
    struct json_write *out, const struct json *claims, int64_t now_s, struct keystay_error *err)
{
    TRY(json_write_begin(out, "times", '{', err));
    for (const struct json *member = json_first(claims); member != NULL; member = json_next(member)) {
        const struct meaning *meaning = meaning_of(&claim_table, member);
        char time[CLOCK_TEXT_SIZE];
        int64_t time_s = 0;

        if (meaning == NULL || meaning->text != NULL || !jwt_time_of(member, &time_s)) {
            continue;
        }
        clock_format_utc(time_s, time);
        TRY(json_write_begin(out, json_name(member), '{', err));
        TRY(json_write_str(out, "utc", time, err));
        TRY(json_write_i64(out, "seconds_from_now", time_s - now_s, err));
        TRY(json_write_finish(out, '{', err));
    }
    return json_write_finish(out, '{', err);
}

static enum keystay_status write_signature(
    struct json_write *out, const struct jws *jws, struct keystay_error *err)
{
    TRY(json_write_begin(out, "signature", '{', err));
    TRY(json_write_u64(out, "bytes", jws->signature.len, err));
    TRY(json_write_bool(out, "checked", false, err));
    return json_write_finish(out, '{', err);
}

enum keystay_status jwt_show_json(
    const struct jws *jws, const struct json *claims, int64_t now_s, struct buf *to,
    struct keystay_error *err)
{
    const char *notes[JWT_NOTES_MAX];
    const size_t n_notes = jwt_notes(jws, claims, now_s, notes);
    struct json_write out = JSON_WRITE(to);

    TRY(json_write_raw(&out, "header", buf_slice(&jws->header_text), err));
    TRY(json_write_raw(&out, "claims", buf_slice(&jws->payload), err));
    TRY(write_times(&out, claims, now_s, err));
    TRY(write_signature(&out, jws, err));
    TRY(json_write_begin(&out, "notes", '[', err));
    for (size_t i = 0; i < n_notes; i++) {
        TRY(json_write_item(&out, notes[i], err));
    }
    TRY(json_write_finish(&out, '[', err));
    TRY(json_write_end(&out, err));
    return buf_putc(to, '\n', err);
}
