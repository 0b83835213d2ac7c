/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token that was taken apart is put together again to the same text: it has one spelling. Only one signing
 * input can be good, the published one of the key here. What is wrong is answered with "no", in words fit for
 * a terminal.
 */
#include "fuzz.h"

#include <string.h>

#include "base/base64url.h"
#include "base/json_raw.h"
#include "base/str.h"
#include "jose/verify.h"

enum { NOW_S = 1300819000 };

/* RFC 7515 §A.3. */
static const char key[] =
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";
static const char signed_input[] =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290"
    "Ijp0cnVlfQ";

static void check_no(const struct keystay_error *err, enum keystay_status status)
{
    char tidy[sizeof(err->message)];

    MUST(status == KEYSTAY_E_ANSWER_NO && err->status == status && err->message[0] != '\0');
    (void)snprintf(tidy, sizeof(tidy), "%s", err->message);
    str_tidy(tidy);
    MUST(str_equal(tidy, err->message));
}

static void check_spelling(const struct jws *jws, struct slice text)
{
    struct buf again = BUF(JWT_MAX);

    MUST(base64url_encode(buf_slice(&jws->header_text), &again, NULL) == KEYSTAY_OK);
    MUST(buf_putc(&again, '.', NULL) == KEYSTAY_OK);
    MUST(base64url_encode(buf_slice(&jws->payload), &again, NULL) == KEYSTAY_OK);
    MUST(slice_equal(buf_slice(&again), jws->input));
    MUST(buf_putc(&again, '.', NULL) == KEYSTAY_OK);
    MUST(base64url_encode(buf_slice(&jws->signature), &again, NULL) == KEYSTAY_OK);
    MUST(slice_equal(buf_slice(&again), text));
    buf_clear(&again);
}

static void check_signature(const struct jws *jws)
{
    struct jwks jwks = { 0 };
    struct keystay_error err = { 0 };
    const struct jwk *jwk = NULL;

    MUST(jwks_parse(slice_of_str(key), &jwks, NULL) == KEYSTAY_OK);
    enum keystay_status status = verify_choose_key(jws, &jwks, &jwk, &err);
    if (status == KEYSTAY_OK) {
        status = verify_with_jwk(jws, jwk, &err);
    }
    if (status == KEYSTAY_OK) {
        MUST(slice_equal(jws->input, slice_of_str(signed_input)));
    } else {
        check_no(&err, status);
    }
    jwks_clear(&jwks);
}

/* What is shown of a text means the same, fits a terminal, and has each member in its place. */
static void check_shown(struct slice text, const struct json *object)
{
    struct buf shown = BUF(8 * JWT_MAX);
    struct json *again = NULL;
    struct slice name;
    struct slice value;

    MUST(json_raw_put(text, &shown, NULL) == KEYSTAY_OK);
    MUST(json_parse_object(buf_slice(&shown), &again, NULL) == KEYSTAY_OK);
    const struct json *other = json_first(again);
    for (const struct json *member = json_first(object); member != NULL; member = json_next(member)) {
        MUST(json_raw_member(&text, &name, &value) && name.len >= 2 && value.len >= 1);
        MUST(str_equal(json_name(other), json_name(member)) && json_type(other) == json_type(member));
        other = json_next(other);
    }
    MUST(other == NULL && !json_raw_member(&text, &name, &value));
    char *tidy = strdup(buf_str(&shown));
    MUST(tidy != NULL);
    str_tidy(tidy);
    MUST(str_equal(tidy, buf_str(&shown)));
    free(tidy);
    json_free(again);
    buf_clear(&shown);
}

static void check_claims(const struct jws *jws)
{
    static const struct verify_rules rules = { .issuer = "https://i.example/{tenantid}/",
                                               .audience = "api://a",
                                               .typ = "JWT",
                                               .now_s = NOW_S,
                                               .leeway_s = 60 };
    struct json *claims = NULL;
    struct keystay_error err = { 0 };
    enum keystay_status status = jwt_claims(jws, &claims, &err);

    if (status == KEYSTAY_OK) {
        check_shown(buf_slice(&jws->payload), claims);
        status = verify_claims(jws, claims, &rules, &err);
    }
    if (status != KEYSTAY_OK) {
        check_no(&err, status);
    }
    json_free(claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice text = { data, size };
    struct jws jws = { 0 };
    struct keystay_error err = { 0 };
    enum keystay_status status = jws_decode(text, &jws, &err);

    if (status == KEYSTAY_OK) {
        check_spelling(&jws, text);
        check_shown(buf_slice(&jws.header_text), jws.header);
        check_signature(&jws);
        check_claims(&jws);
    } else {
        check_no(&err, status);
    }
    jws_clear(&jws);
    return 0;
}
