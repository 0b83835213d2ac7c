/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "base/error.h"
#include "oauth/issuer_keys.h"

#define ISSUER "https://as.example/one"
#define KEY                                                                                    \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"kid\":\"k\"}"

static const char metadata[] = "{\"issuer\":\"" ISSUER "\",\"token_endpoint\":\"https://as.example/token\","
                               "\"jwks_uri\":\"https://keys.example/jwks\"}";

/* What a server answers to one GET. */
struct answer {
    const char *url; /* the one that must be asked for */
    int status;      /* 0: nobody is there */
    const char *body;
};

struct server {
    struct http_transport base; /* first: the seam casts */
    const struct answer *answers;
    size_t n_asked;
};

static enum keystay_status serve(
    struct http_transport *base, const struct http_request *request, struct http_response *ret_response,
    struct keystay_error *err)
{
    struct server *server = (struct server *)base;
    const struct answer *answer = &server->answers[server->n_asked++];

    assert_true(request->is_get);
    assert_string_equal(request->url, answer->url);
    if (answer->status == 0) {
        return err_set(err, KEYSTAY_E_NETWORK, "nobody is there");
    }
    ret_response->status = answer->status;
    return buf_puts(&ret_response->body, answer->body, err);
}

static const struct http_ops ops = { .exchange = serve };

static enum keystay_status fetch(
    const char *issuer, const struct answer *answers, size_t n, struct jwks *ret_jwks,
    struct keystay_error *err)
{
    struct server server = { { &ops }, answers, 0 };
    enum keystay_status status = issuer_keys_fetch(&server.base, issuer, false, NULL, ret_jwks, err);

    assert_int_equal(server.n_asked, n);
    return status;
}

TEST(what_is_no_address_is_not_asked)
{
    static const char *const rows[] = { "joe", "http://as.example", "https://a@as.example",
                                        "file:///etc/passwd" };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct jwks jwks = { .n_keys = 77 };
        assert_row(fetch(rows[i], NULL, 0, &jwks, NULL) == KEYSTAY_E_CONFIG, rows[i]);
        assert_int_equal(jwks.n_keys, 77);
    }
}

TEST(keys_are_where_the_metadata_says)
{
    static const struct answer answers[] = {
        { ISSUER "/.well-known/openid-configuration", 200, metadata },
        { "https://keys.example/jwks", 200, "{\"keys\":[" KEY "]}" },
    };
    CLEANUP(jwks_clear) struct jwks jwks = { 0 };

    assert_ok(fetch(ISSUER, answers, 2, &jwks, NULL));
    assert_int_equal(jwks.n_keys, 1);
    assert_string_equal(jwks.keys[0].kid, "k");
}

TEST(metadata_of_another_issuer_leads_nowhere)
{
    static const struct answer answers[] = {
        { ISSUER "/two/.well-known/openid-configuration", 200, metadata },
    };
    struct jwks jwks;
    struct keystay_error err;

    assert_int_equal(fetch(ISSUER "/two", answers, 1, &jwks, &err), KEYSTAY_E_SERVER_RESPONSE);
    assert_contains(err.message, ISSUER);
}

TEST(metadata_may_name_no_keys)
{
    static const struct answer answers[] = {
        { ISSUER "/.well-known/openid-configuration", 200,
          "{\"issuer\":\"" ISSUER "\",\"token_endpoint\":\"https://as.example/token\"}" },
    };
    struct jwks jwks;
    struct keystay_error err;

    assert_int_equal(fetch(ISSUER, answers, 1, &jwks, &err), KEYSTAY_E_SERVER_RESPONSE);
    assert_contains(err.message, "jwks_uri");
    assert_contains(err.hint, "--jwks");
}

TEST(an_address_of_keys_must_be_safe)
{
    static const struct answer answers[] = {
        { ISSUER "/.well-known/openid-configuration", 200,
          "{\"issuer\":\"" ISSUER "\",\"token_endpoint\":\"https://as.example/token\","
          "\"jwks_uri\":\"http://keys.example/jwks\"}" },
    };
    struct jwks jwks;

    assert_int_equal(fetch(ISSUER, answers, 1, &jwks, NULL), KEYSTAY_E_SERVER_RESPONSE);
}

TEST(what_goes_wrong_with_the_keys_is_told)
{
    static const struct {
        struct answer keys;
        enum keystay_status status;
        const char *why;
    } rows[] = {
        { { "https://keys.example/jwks", 0, "" }, KEYSTAY_E_NETWORK, "nobody" },
        { { "https://keys.example/jwks", 302, "" }, KEYSTAY_E_SERVER_RESPONSE, "HTTP 302" },
        { { "https://keys.example/jwks", 404, "" }, KEYSTAY_E_SERVER_RESPONSE, "HTTP 404" },
        { { "https://keys.example/jwks", 429, "" }, KEYSTAY_E_THROTTLED, "HTTP 429" },
        { { "https://keys.example/jwks", 503, "" }, KEYSTAY_E_SERVER_DOWN, "HTTP 503" },
        { { "https://keys.example/jwks", 200, "<html>" }, KEYSTAY_E_SERVER_RESPONSE, "not JSON" },
        { { "https://keys.example/jwks", 200, "{\"keys\":[]}" }, KEYSTAY_E_SERVER_RESPONSE, "empty" },
        { { "https://keys.example/jwks", 200, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}" },
          KEYSTAY_E_KEY_REFUSED,
          "private or secret" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct answer answers[] = {
            { ISSUER "/.well-known/openid-configuration", 200, metadata },
            rows[i].keys,
        };
        struct jwks jwks = { .n_keys = 77 };
        struct keystay_error err;

        assert_row(fetch(ISSUER, answers, 2, &jwks, &err) == rows[i].status, rows[i].why);
        assert_contains(err.message, rows[i].why);
        assert_int_equal(jwks.n_keys, 77);
        assert_int_equal(err.http_status, rows[i].keys.status == 200 ? 0 : rows[i].keys.status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_address_is_not_asked),
        cmocka_unit_test(keys_are_where_the_metadata_says),
        cmocka_unit_test(metadata_of_another_issuer_leads_nowhere),
        cmocka_unit_test(metadata_may_name_no_keys),
        cmocka_unit_test(an_address_of_keys_must_be_safe),
        cmocka_unit_test(what_goes_wrong_with_the_keys_is_told),
    };

    return RUN_TESTS(tests);
}
