/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WWW-Authenticate (RFC 9110 §11.6.1) is a list of challenges, each a scheme with either one token68 or a
 * list of parameters. A comma divides parameters as well as challenges: what follows is a parameter when an
 * '=' comes after its first word, and a new challenge when not.
 */
#include <string.h>

#include "base/base64url.h"
#include "base/error.h"
#include "base/str.h"
#include "oauth/claims.h"

enum { VALUE_MAX = CLAIMS_HEADER_MAX };

static const char hint[] = "pass on the value of the resource's WWW-Authenticate header as it came";

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

/* Of the challenge that is being read. */
struct challenge {
    bool is_bearer;
    bool is_insufficient; /* error="insufficient_claims" */
    bool has_error;
    struct buf claims; /* its parameter, or empty */
    bool has_claims;
};

static bool is_done(const struct cursor *cursor)
{
    return cursor->at == cursor->end;
}

static bool is_at(const struct cursor *cursor, char c)
{
    return !is_done(cursor) && *cursor->at == (uint8_t)c;
}

static void skip_blanks(struct cursor *cursor)
{
    while (is_at(cursor, ' ') || is_at(cursor, '\t')) {
        cursor->at++;
    }
}

/* Empty elements of a list: a recipient MUST parse and ignore a reasonable number of them (§5.6.1.2). */
static void skip_commas(struct cursor *cursor)
{
    skip_blanks(cursor);
    while (is_at(cursor, ',')) {
        cursor->at++;
        skip_blanks(cursor);
    }
}

static bool is_tchar(uint8_t c)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr(others, c) != NULL);
}

/* A token (§5.6.2); empty when there is none. */
static struct slice take_token(struct cursor *cursor)
{
    const uint8_t *start = cursor->at;

    while (!is_done(cursor) && is_tchar(*cursor->at)) {
        cursor->at++;
    }
    return (struct slice){ start, (size_t)(cursor->at - start) };
}

static bool is_text(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 0x7F);
}

/* A quoted-string (§5.6.4), without its quotes and backslashes. */
static bool take_quoted(struct cursor *cursor, struct buf *ret_value)
{
    for (cursor->at++; !is_done(cursor); cursor->at++) {
        if (is_at(cursor, '"')) {
            cursor->at++;
            return true;
        }
        if (is_at(cursor, '\\')) {
            cursor->at++;
        }
        if (is_done(cursor) || !is_text(*cursor->at) ||
            buf_putc(ret_value, (char)*cursor->at, NULL) != KEYSTAY_OK) {
            return false;
        }
    }
    return false;
}

static bool slice_is(struct slice text, const char *word)
{
    char copy[32];

    if (text.len >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return str_iequal(copy, word);
}

/* A parameter twice would mean whatever each reader takes it for. */
static bool note(struct challenge *challenge, struct slice name, struct buf *value)
{
    if (slice_is(name, "error")) {
        bool is_first = !challenge->has_error;
        challenge->has_error = true;
        challenge->is_insufficient = slice_equal(buf_slice(value), slice_of_str("insufficient_claims"));
        return is_first;
    }
    if (slice_is(name, "claims")) {
        bool is_first = !challenge->has_claims;
        challenge->has_claims = true;
        buf_clear(&challenge->claims);
        return is_first && buf_put(&challenge->claims, buf_slice(value), NULL) == KEYSTAY_OK;
    }
    return true;
}

/* auth-param = token BWS "=" BWS ( token / quoted-string ); the name has been read. */
static bool take_value(struct cursor *cursor, struct slice name, struct challenge *challenge)
{
    CLEANUP(buf_clear) struct buf value = BUF(VALUE_MAX);

    cursor->at++; /* '=' */
    skip_blanks(cursor);
    if (is_at(cursor, '"')) {
        return take_quoted(cursor, &value) && note(challenge, name, &value);
    }
    struct slice token = take_token(cursor);
    return token.len > 0 && buf_put(&value, token, NULL) == KEYSTAY_OK && note(challenge, name, &value);
}

/* token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=", up to the end of the challenge. */
static bool takes_token68(struct cursor *cursor)
{
    struct cursor ahead = *cursor;
    size_t n = 0;

    while (!is_done(&ahead) &&
           ((is_tchar(*ahead.at) && strchr("!#$%&'*^`|", *ahead.at) == NULL) || is_at(&ahead, '/'))) {
        ahead.at++;
        n++;
    }
    while (is_at(&ahead, '=')) {
        ahead.at++;
    }
    skip_blanks(&ahead);
    if (n == 0 || !(is_done(&ahead) || is_at(&ahead, ','))) {
        return false;
    }
    *cursor = ahead;
    return true;
}

/* Parameters until the next challenge or the end. False: the text is malformed. */
static bool take_parameters(struct cursor *cursor, struct challenge *challenge)
{
    for (;;) {
        struct cursor before = *cursor;
        struct slice name = take_token(cursor);

        skip_blanks(cursor);
        if (name.len == 0 || !is_at(cursor, '=')) {
            *cursor = before; /* a scheme, or nothing that belongs here: the caller sees */
            return true;
        }
        if (!take_value(cursor, name, challenge)) {
            return false;
        }
        skip_blanks(cursor);
        if (is_done(cursor)) {
            return true;
        }
        if (!is_at(cursor, ',')) {
            return false;
        }
        skip_commas(cursor);
    }
}

static bool take_challenge(struct cursor *cursor, struct challenge *challenge)
{
    struct slice scheme = take_token(cursor);

    if (scheme.len == 0) {
        return false;
    }
    challenge->is_bearer = slice_is(scheme, "Bearer");
    if (is_done(cursor) || is_at(cursor, ',')) {
        skip_commas(cursor);
        return true;
    }
    if (!is_at(cursor, ' ')) {
        return false;
    }
    skip_blanks(cursor);
    if (!challenge->is_bearer && takes_token68(cursor)) {
        skip_commas(cursor);
        return true;
    }
    skip_commas(cursor);
    return take_parameters(cursor, challenge);
}

static void challenge_clear(struct challenge *challenge)
{
    buf_clear(&challenge->claims);
}

/* Base64 in either alphabet, padded or not: services differ. What it stands for must be one thing all the
 * same. */
static enum keystay_status decode(struct slice text, struct buf *ret_claims, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf url = BUF(VALUE_MAX);

    while (text.len > 0 && text.data[text.len - 1] == '=' && text.len % 4 != 1) {
        text.len--;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.data[i];
        TRY(buf_putc(&url, (char)(c == '+' ? '-' : c == '/' ? '_' : c), err));
    }
    if (base64url_decode(buf_slice(&url), ret_claims, NULL) != KEYSTAY_OK) {
        return err_set_hint(err, KEYSTAY_E_CONFIG, hint, "the challenge's claims are not base64");
    }
    return KEYSTAY_OK;
}

enum keystay_status claims_of_challenge(
    struct slice header, struct buf *ret_claims, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf found = BUF(VALUE_MAX);
    struct cursor cursor = { header.data, header.data + header.len };

    if (header.len > CLAIMS_HEADER_MAX) {
        return err_set(err, KEYSTAY_E_CONFIG, "the challenge is longer than %d bytes", CLAIMS_HEADER_MAX);
    }
    for (skip_commas(&cursor); !is_done(&cursor);) {
        CLEANUP(challenge_clear) struct challenge challenge = { .claims = BUF(VALUE_MAX) };

        if (!take_challenge(&cursor, &challenge)) {
            return err_set_hint(
                err, KEYSTAY_E_CONFIG, hint, "the challenge is malformed at byte %zu",
                (size_t)(cursor.at - header.data));
        }
        if (!challenge.is_bearer || !challenge.is_insufficient || !challenge.has_claims) {
            continue;
        }
        if (found.len > 0) {
            return err_set_hint(err, KEYSTAY_E_CONFIG, hint, "there are two challenges that ask for claims");
        }
        TRY(buf_put(&found, buf_slice(&challenge.claims), err));
    }
    if (found.len == 0) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, hint,
            "there is no Bearer challenge with error=\"insufficient_claims\" and claims in it");
    }
    return decode(buf_slice(&found), ret_claims, err);
}
