/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says of itself, and what a plan makes of it. */
#include "unit.h"

#include <stdio.h>

#include "base/error.h"
#include "oauth/metadata.h"
#include "oauth/provider.h"

enum { ASKED_MAX = 4096 };

static const char issuer[] = "https://as.example/realms/one";
static const char good[] =
    "{\"issuer\":\"https://as.example/realms/one\","
    "\"token_endpoint\":\"https://as.example/token\","
    "\"jwks_uri\":\"https://keys.example/jwks\","
    "\"token_endpoint_auth_methods_supported\":[\"none\",\"private_key_jwt\"],"
    "\"token_endpoint_auth_signing_alg_values_supported\":[\"HS256\",\"PS256\",\"ES256\"]}";

/* Answers in turn; what was asked for is kept. */
struct server {
    struct http_transport base; /* first: the seam casts */
    size_t n_asked;
    struct buf asked; /* one URL a line */
    struct buf warnings;
    struct http_response last;
};

struct answer {
    int status;
    const char *body;
};

static const struct answer *answers; /* of the test that runs */

static enum keystay_status serve(
    struct http_transport *base, const struct http_request *request, struct http_response *ret_response,
    struct keystay_error *err)
{
    struct server *server = (struct server *)base;
    const struct answer *answer = &answers[server->n_asked++];

    assert_true(request->is_get);
    assert_ok(buf_puts(&server->asked, request->url, NULL));
    assert_ok(buf_putc(&server->asked, '\n', NULL));
    if (answer->status == 0) {
        return err_set(err, KEYSTAY_E_NETWORK, "nobody is there");
    }
    ret_response->status = answer->status;
    memcpy(ret_response->retry_after, "7", 2);
    return buf_puts(&ret_response->body, answer->body, err);
}

static void close_server(struct http_transport *base)
{
    (void)base;
}

static const struct http_ops server_ops = { serve, close_server };

static void server_init(struct server *server, const struct answer *in_turn)
{
    *server = (struct server){ .base = { &server_ops }, .asked = BUF(ASKED_MAX), .warnings = BUF(ASKED_MAX) };
    answers = in_turn;
}

static void server_clear(struct server *server)
{
    buf_clear(&server->asked);
    buf_clear(&server->warnings);
    http_response_clear(&server->last);
}

static void take_warning(void *context, enum keystay_log_level level, const char *text)
{
    struct server *server = context;

    if (level == KEYSTAY_LOG_WARNING) {
        assert_ok(buf_puts(&server->warnings, text, NULL));
    }
}

static enum keystay_status fetch(
    struct server *server, const char *of_issuer, struct metadata *metadata, struct keystay_error *err)
{
    http_response_clear(&server->last);
    return metadata_fetch(&server->base, of_issuer, false, 0, NULL, &server->last, metadata, err);
}

static struct provider_request sample(void)
{
    return (struct provider_request){ .provider = "oidc", .issuer = issuer, .client_id = "c" };
}

/* A plan of the sample, with audience as its rule, made whole by what the server answers. */
static enum keystay_status discover(
    struct server *server, const char *audience, struct provider_plan *plan, struct keystay_error *err)
{
    struct provider_request request = sample();
    const struct keystay_log log = { take_warning, server };

    request.audience = audience;
    assert_ok(provider_make_plan(&request, plan, NULL));
    assert_true(plan->needs_discovery);
    return provider_discover(plan, &request, &server->base, 0, &log, &server->last, err);
}

TEST(another_issuer_is_refused_and_both_are_shown)
{
    static const struct {
        const char *said, *hint;
    } rows[] = {
        { "https://as.example/realms/one/", "exactly as the server writes it" },
        { "https://AS.example/realms/one", "exactly as the server writes it" },
        { "https://as.example/realms/One/", "exactly as the server writes it" },
        { "https://as.example/realms/two", "the right server" },
        { "https://evil.example", "the right server" },
        { "https://as.example/realms/one#", "the right server" },
        { "", "the right server" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct metadata metadata = { .token_endpoint = "untouched" };
        struct keystay_error err;
        char body[256];

        (void)snprintf(
            body, sizeof(body), "{\"issuer\":\"%s\",\"token_endpoint\":\"https://as.example/token\"}",
            rows[i].said);
        assert_int_equal(
            metadata_parse(slice_of_str(body), issuer, false, &metadata, &err), KEYSTAY_E_SERVER_RESPONSE);
        assert_contains(err.message, rows[i].said);
        assert_contains(err.message, "'https://as.example/realms/one'");
        assert_contains(err.hint, rows[i].hint);
        assert_string_equal(metadata.token_endpoint, "untouched");
    }
}

TEST(reads_what_is_needed)
{
    struct metadata metadata;

    assert_ok(metadata_parse(slice_of_str(good), issuer, false, &metadata, NULL));
    assert_string_equal(metadata.token_endpoint, "https://as.example/token");
    assert_string_equal(metadata.jwks_uri, "https://keys.example/jwks");
    assert_true(metadata.has_private_key_jwt);
    assert_true(metadata.has_algs);
    assert_int_equal(metadata.algs, ALG_BIT(KEYSTAY_ALG_PS256) | ALG_BIT(KEYSTAY_ALG_ES256));

    assert_ok(metadata_parse(
        SLICE("{\"token_endpoint\":\"https://h/t\",\"issuer\":\"https://h\"}"), "https://h", false, &metadata,
        NULL));
    assert_string_equal(metadata.jwks_uri, "");
    assert_false(metadata.has_private_key_jwt || metadata.has_algs);
    assert_int_equal(metadata.algs, 0);
}

/* OpenID Connect Discovery §4, and RFC 8414 §3.1 for a server that does not speak OpenID. */
TEST(asks_at_both_places)
{
    static const struct answer not_there_then_there[] = { { 404, "not found" }, { 200, good } };
    struct server server;
    struct metadata metadata;

    server_init(&server, not_there_then_there);
    assert_ok(fetch(&server, issuer, &metadata, NULL));
    assert_buf(
        &server.asked, "https://as.example/realms/one/.well-known/openid-configuration\n"
                       "https://as.example/.well-known/oauth-authorization-server/realms/one\n");
    server_clear(&server);
}

TEST(a_slash_at_the_end_is_not_asked_twice)
{
    static const struct answer twice_not_there[] = { { 404, "" }, { 404, "" } };
    static const struct {
        const char *issuer, *asked;
    } rows[] = {
        { "https://h.example", "https://h.example/.well-known/openid-configuration\n"
                               "https://h.example/.well-known/oauth-authorization-server\n" },
        { "https://h.example/", "https://h.example/.well-known/openid-configuration\n"
                                "https://h.example/.well-known/oauth-authorization-server\n" },
        { "https://h.example:8443/a/", "https://h.example:8443/a/.well-known/openid-configuration\n"
                                       "https://h.example:8443/.well-known/oauth-authorization-server/a\n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct server server;
        struct metadata metadata;
        struct keystay_error err;

        server_init(&server, twice_not_there);
        assert_int_equal(fetch(&server, rows[i].issuer, &metadata, &err), KEYSTAY_E_SERVER_RESPONSE);
        assert_contains(err.message, "no metadata: HTTP 404");
        assert_contains(err.hint, "--token-endpoint");
        assert_int_equal(err.http_status, 404);
        assert_buf(&server.asked, rows[i].asked);
        server_clear(&server);
    }
}

/* A server in trouble is not asked at the other place: it would be an answer of chance. */
TEST(a_failure_keeps_its_kind)
{
    static const struct {
        struct answer answer[2];
        enum keystay_status status;
        size_t n_asked;
    } rows[] = {
        { { { 0, "" } }, KEYSTAY_E_NETWORK, 1 },
        { { { 429, "" } }, KEYSTAY_E_THROTTLED, 1 },
        { { { 503, "" } }, KEYSTAY_E_SERVER_DOWN, 1 },
        { { { 302, "" }, { 302, "" } }, KEYSTAY_E_SERVER_RESPONSE, 2 },
        { { { 200, "<html>" } }, KEYSTAY_E_SERVER_RESPONSE, 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct server server;
        struct metadata metadata;
        struct keystay_error err;

        server_init(&server, rows[i].answer);
        assert_int_equal(fetch(&server, issuer, &metadata, &err), rows[i].status);
        assert_int_equal(server.n_asked, rows[i].n_asked);
        assert_int_equal(err.status, rows[i].status);
        /* Whoever tries again wants to know when. */
        assert_string_equal(server.last.retry_after, rows[i].answer[0].status == 0 ? "" : "7");
        server_clear(&server);
    }
}

TEST(a_plan_is_made_whole)
{
    static const struct answer once[] = { { 200, good } };
    struct server server;
    struct provider_plan plan;
    const struct provider_request request = sample();

    server_init(&server, once);
    assert_ok(discover(&server, NULL, &plan, NULL));
    assert_false(plan.needs_discovery);
    assert_string_equal(plan.token_endpoint, "https://as.example/token");
    assert_string_equal(plan.audience, issuer);
    assert_int_equal(plan.algs, ALG_BIT(KEYSTAY_ALG_PS256) | ALG_BIT(KEYSTAY_ALG_ES256));
    assert_int_equal(server.warnings.len, 0);
    assert_ok(
        provider_discover(&plan, &request, &server.base, 0, NULL, &server.last, NULL)); /* asks nothing */
    assert_int_equal(server.n_asked, 1);
    server_clear(&server);
}

/* The list of the server decides, in the row's order of preference. */
TEST(the_algorithm_is_one_that_the_server_lists)
{
    static const struct answer once[] = { { 200, good } };
    static const struct {
        alg_set can;
        enum keystay_alg asked, chosen; /* AUTO: refused */
    } rows[] = {
        { ALG_BIT(KEYSTAY_ALG_RS256) | ALG_BIT(KEYSTAY_ALG_PS256), KEYSTAY_ALG_AUTO, KEYSTAY_ALG_PS256 },
        { ALG_BIT(KEYSTAY_ALG_ES256), KEYSTAY_ALG_AUTO, KEYSTAY_ALG_ES256 },
        { ALG_BIT(KEYSTAY_ALG_RS256), KEYSTAY_ALG_AUTO, KEYSTAY_ALG_AUTO },
        { ALG_BIT(KEYSTAY_ALG_RS256), KEYSTAY_ALG_RS256, KEYSTAY_ALG_RS256 },
    };
    struct server server;
    struct provider_plan plan;

    server_init(&server, once);
    assert_ok(discover(&server, NULL, &plan, NULL));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct provider_request request = sample();
        enum keystay_alg alg = KEYSTAY_ALG_AUTO;
        struct keystay_error err;

        request.alg = rows[i].asked;
        enum keystay_status status = provider_choose_alg(&plan, &request, rows[i].can, &alg, &err);
        assert_int_equal(alg, rows[i].chosen);
        if (rows[i].chosen == KEYSTAY_ALG_AUTO) {
            assert_int_equal(status, KEYSTAY_E_ALGORITHM);
            assert_contains(err.message, "PS256 ES256");
        }
    }
    server_clear(&server);
}

TEST(a_server_that_lists_nothing_that_is_known_is_taken_at_its_word)
{
    static const struct answer once[] = {
        { 200, "{\"issuer\":\"https://as.example/realms/one\",\"token_endpoint\":\"https://as.example/t\","
               "\"token_endpoint_auth_signing_alg_values_supported\":[\"EdDSA\",7,null]}" }
    };
    const struct provider_request request = sample();
    struct server server;
    struct provider_plan plan;
    enum keystay_alg alg = KEYSTAY_ALG_AUTO;
    struct keystay_error err;

    server_init(&server, once);
    assert_ok(discover(&server, NULL, &plan, NULL));
    assert_contains(buf_str(&server.warnings), "private_key_jwt");
    assert_int_equal(provider_choose_alg(&plan, &request, (alg_set)-1, &alg, &err), KEYSTAY_E_ALGORITHM);
    assert_contains(err.message, "none that keystay knows");
    server_clear(&server);
}

/* The invariant: where the audience is the token endpoint, a server cannot name another server's. */
TEST(a_token_endpoint_elsewhere_is_no_audience)
{
    static const struct answer elsewhere[] = {
        { 200,
          "{\"issuer\":\"https://as.example/realms/one\",\"token_endpoint\":\"https://victim.example/t\"}" },
    };
    struct server server;
    struct provider_plan plan;
    struct keystay_error err;

    server_init(&server, elsewhere);
    assert_int_equal(discover(&server, "token-endpoint", &plan, &err), KEYSTAY_E_SERVER_RESPONSE);
    assert_contains(err.message, "https://victim.example/t");
    assert_contains(err.hint, "--audience issuer");
    assert_true(plan.needs_discovery);
    assert_string_equal(plan.audience, "");
    assert_string_equal(plan.token_endpoint, "");
    server_clear(&server);

    server_init(&server, elsewhere); /* RFC 8414 lets it be; the audience is what the user configured */
    assert_ok(discover(&server, "issuer", &plan, NULL));
    assert_string_equal(plan.token_endpoint, "https://victim.example/t");
    assert_string_equal(plan.audience, issuer);
    server_clear(&server);

    server_init(&server, (const struct answer[]){ { 200, good } });
    assert_ok(discover(&server, "token-endpoint", &plan, NULL));
    assert_string_equal(plan.audience, "https://as.example/token");
    server_clear(&server);
}

TEST(an_endpoint_that_may_not_be_asked_is_refused)
{
    static const char *const endpoints[] = {
        "\"http://as.example/token\"",
        "\"ftp://as.example/token\"",
        "\"file:///etc/passwd\"",
        "\"http://127.0.0.1/token\"",
        "\"https://user:hunter2@as.example/token\"",
        "\"https://as.example/token#x\"",
        "\"https://as.example/token?a=b\"",
        "\"/token\"",
        "\"https://as.example/to\\u001bken\"",
        "\"https://as.exa mple/token\"",
        "\"\"",
        "null",
        "7",
        "[\"https://as.example/token\"]",
    };

    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        struct metadata metadata;
        struct keystay_error err;
        char body[256];

        (void)snprintf(body, sizeof(body), "{\"issuer\":\"%s\",\"token_endpoint\":%s}", issuer, endpoints[i]);
        assert_row(
            metadata_parse(slice_of_str(body), issuer, false, &metadata, &err) == KEYSTAY_E_SERVER_RESPONSE,
            endpoints[i]);
        assert_tame(err.message);
        assert_lacks(err.message, "hunter2");
        (void)snprintf(
            body, sizeof(body),
            "{\"issuer\":\"%s\",\"token_endpoint\":\"https://as.example/token\",\"jwks_uri\":%s}", issuer,
            endpoints[i]);
        assert_row(
            metadata_parse(slice_of_str(body), issuer, false, &metadata, &err) == KEYSTAY_E_SERVER_RESPONSE,
            endpoints[i]);
    }
}

TEST(plain_http_on_this_machine_when_allowed)
{
    static const char body[] =
        "{\"issuer\":\"http://127.0.0.1:8080\",\"token_endpoint\":\"http://127.0.0.1:8080/t\"}";
    struct metadata metadata;

    assert_ok(metadata_parse(SLICE(body), "http://127.0.0.1:8080", true, &metadata, NULL));
    assert_string_equal(metadata.token_endpoint, "http://127.0.0.1:8080/t");
}

TEST(what_is_no_metadata_is_refused)
{
    static const char *const bodies[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"issuer\":\"https://as.example/realms/one\"}",
        "{\"token_endpoint\":\"https://as.example/token\"}",
        "{\"issuer\":[\"https://as.example/realms/one\"],\"token_endpoint\":\"https://as.example/token\"}",
        ("{\"issuer\":\"https://evil.example\",\"issuer\":\"https://as.example/realms/one\","
         "\"token_endpoint\":\"https://as.example/token\"}"),
        "{\"Issuer\":\"https://as.example/realms/one\",\"token_endpoint\":\"https://as.example/token\"}",
    };

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct metadata metadata = { .token_endpoint = "untouched" };

        assert_row(
            metadata_parse(slice_of_str(bodies[i]), issuer, false, &metadata, NULL) ==
                KEYSTAY_E_SERVER_RESPONSE,
            bodies[i]);
        assert_string_equal(metadata.token_endpoint, "untouched");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_issuer_is_refused_and_both_are_shown),
        cmocka_unit_test(reads_what_is_needed),
        cmocka_unit_test(asks_at_both_places),
        cmocka_unit_test(a_slash_at_the_end_is_not_asked_twice),
        cmocka_unit_test(a_failure_keeps_its_kind),
        cmocka_unit_test(a_plan_is_made_whole),
        cmocka_unit_test(the_algorithm_is_one_that_the_server_lists),
        cmocka_unit_test(a_server_that_lists_nothing_that_is_known_is_taken_at_its_word),
        cmocka_unit_test(a_token_endpoint_elsewhere_is_no_audience),
        cmocka_unit_test(an_endpoint_that_may_not_be_asked_is_refused),
        cmocka_unit_test(plain_http_on_this_machine_when_allowed),
        cmocka_unit_test(what_is_no_metadata_is_refused),
    };

    return RUN_TESTS(tests);
}
