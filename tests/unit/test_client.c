/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "base/base64url.h"
#include "base/error.h"
#include "base/str.h"
#include "core/client.h"
#include "oauth/access_token.h"
#include "rsa.h"

enum { NOW_S = CERT_NOW_S, TEXT_MAX = 1 << 17 };

static const alg_set both = ALG_BIT(KEYSTAY_ALG_RS256) | ALG_BIT(KEYSTAY_ALG_PS256);
static const char endpoint[] = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token";
static const char good_answer[] =
    "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"eyJhY2Nlc3M.T0.k3n\"}";

/* What a server would see, what it answers, and what the log says. */
struct world {
    int n_posts, n_closed;
    struct buf url, headers, form;
    int http_status;
    const char *answer;
    enum keystay_status transport_status;
    struct buf lines;
    struct keystay_log log;
    struct keystay_profile *profile;
    struct keystay_client *client;
    struct soft_signer *signer;
};

struct fake_transport {
    struct http_transport base; /* first: the seam casts */
    struct world *world;
};

static enum keystay_status fake_post(
    struct http_transport *base, const struct http_request *request, struct http_response *ret_response,
    struct keystay_error *err)
{
    struct world *world = ((struct fake_transport *)base)->world;

    world->n_posts++;
    buf_clear(&world->url);
    buf_clear(&world->headers);
    buf_clear(&world->form);
    assert_ok(buf_puts(&world->url, request->url, NULL));
    assert_ok(buf_put(&world->form, request->form, NULL));
    for (size_t i = 0; i < request->n_headers; i++) {
        assert_ok(buf_puts(&world->headers, request->headers[i], NULL));
        assert_ok(buf_putc(&world->headers, '\n', NULL));
    }
    if (world->transport_status != KEYSTAY_OK) {
        return err_set(err, world->transport_status, "the fake transport fails");
    }
    ret_response->status = world->http_status;
    return buf_puts(&ret_response->body, world->answer, err);
}

static void fake_close(struct http_transport *base)
{
    ((struct fake_transport *)base)->world->n_closed++;
    free(base);
}

static const struct http_ops fake_ops = { fake_post, fake_close };

static void take_line(void *context, enum keystay_log_level level, const char *text)
{
    struct world *world = context;

    (void)level;
    assert_ok(buf_puts(&world->lines, text, NULL));
    assert_ok(buf_putc(&world->lines, '\n', NULL));
}

static int64_t fake_now_s(void)
{
    return NOW_S;
}

static int64_t fake_now_ms(void)
{
    return 0;
}

static void fake_sleep_ms(int64_t ms)
{
    (void)ms;
}

static const struct client_clock fake_clock = { fake_now_s, fake_now_ms, fake_sleep_ms };

static void world_init(struct world *world)
{
    *world = (struct world){
        .url = BUF(TEXT_MAX),
        .headers = BUF(TEXT_MAX),
        .form = BUF(TEXT_MAX),
        .lines = BUF(TEXT_MAX),
        .http_status = 200,
        .answer = good_answer,
        .log = { take_line, world },
        .signer = soft_signer_new(both, NULL),
    };
    assert_ok(keystay_profile_new(&world->profile, NULL));
    assert_ok(keystay_profile_set(world->profile, "tenant", "contoso.example", NULL));
    assert_ok(keystay_profile_set(world->profile, "client-id", "11111111-2222-3333-4444-555555555555", NULL));
}

static void world_clear(struct world *world)
{
    client_freep(&world->client);
    profile_freep(&world->profile);
    soft_signer_freep(&world->signer);
    buf_clear(&world->url);
    buf_clear(&world->headers);
    buf_clear(&world->form);
    buf_clear(&world->lines);
}

static void set(struct world *world, const char *name, const char *value)
{
    assert_ok(keystay_profile_set(world->profile, name, value, NULL));
}

static enum keystay_status start(struct world *world, struct keystay_error *err)
{
    struct fake_transport *transport = calloc(1, sizeof(*transport));

    assert_non_null(transport);
    *transport = (struct fake_transport){ { &fake_ops }, world };
    return client_new_with(world->profile, &world->log, &transport->base, &fake_clock, &world->client, err);
}

/* A client that asks for Graph's scope. */
static void start_for_graph(struct world *world)
{
    set(world, "scope", "https://graph.microsoft.com/.default");
    assert_ok(start(world, NULL));
}

static enum keystay_status acquire(
    struct world *world, struct keystay_token **token, struct keystay_error *err)
{
    return keystay_client_acquire(world->client, &world->signer->base, token, err);
}

/* Part i of a compact serialisation, decoded. */
static void decode_part(const char *jws, int i, struct buf *to)
{
    for (; i > 0; i--) {
        jws = strchr(jws, '.') + 1;
    }
    buf_clear(to);
    assert_ok(base64url_decode((struct slice){ (const uint8_t *)jws, strcspn(jws, ".") }, to, NULL));
}

TEST(settings_that_are_bad_end_it_before_anything_is_signed)
{
    static const struct {
        const char *name, *value, *part;
    } rows[] = {
        { "tenant", "common", "tenant" },
        { "tenant", "a/b", "tenant" },
        { "scope", "https://graph.microsoft.com/User.Read", "/.default" },
        { "authority", "http://login.microsoftonline.com", "https" },
        { "resource", "https://graph.microsoft.com", "both" },
        { "client-id", "a b", "client id" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(world_clear) struct world world;
        struct keystay_error err;

        world_init(&world);
        set(&world, "scope", "https://graph.microsoft.com/.default");
        set(&world, rows[i].name, rows[i].value);
        assert_row(start(&world, &err) == KEYSTAY_E_CONFIG, rows[i].value);
        assert_contains(err.message, rows[i].part);
        assert_null(world.client);
        assert_int_equal(world.n_closed, 1); /* the transport was taken */
    }
}

TEST(without_a_scope_nothing_is_signed)
{
    CLEANUP(world_clear) struct world world;
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    struct keystay_error err;

    world_init(&world);
    assert_ok(start(&world, NULL));
    assert_int_equal(client_check_target(world.client, NULL), KEYSTAY_E_CONFIG);
    assert_int_equal(acquire(&world, &token, &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, "neither scope nor resource");
    assert_null(token);
    assert_int_equal(world.signer->n_signed, 0);
    assert_int_equal(world.n_posts, 0);
}

TEST(freeing_nothing_is_fine)
{
    struct keystay_client *client = NULL;

    keystay_client_free(NULL);
    client_freep(&client);
}

TEST(over_curl_it_checks_the_same)
{
    CLEANUP(world_clear) struct world world;
    struct keystay_client *client = NULL;

    world_init(&world);
    assert_ok(keystay_client_new(world.profile, NULL, &world.client, NULL));
    assert_string_equal(client_token_endpoint(world.client), endpoint);
    set(&world, "cacert", "/nonexistent/ca.pem");
    assert_int_equal(keystay_client_new(world.profile, NULL, &client, NULL), KEYSTAY_E_CONFIG);
    assert_null(client);
}

TEST(one_signature_and_one_post_make_a_token)
{
    CLEANUP(world_clear) struct world world;
    CLEANUP(token_freep) struct keystay_token *token = NULL;

    world_init(&world);
    start_for_graph(&world);
    assert_ok(acquire(&world, &token, NULL));
    assert_string_equal(keystay_token_value(token), "eyJhY2Nlc3M.T0.k3n");
    assert_int_equal(keystay_token_expires_at_s(token), NOW_S + 3599);
    assert_int_equal(world.signer->n_signed, 1);
    assert_int_equal(world.n_posts, 1);
    assert_buf(&world.url, endpoint);
    client_freep(&world.client);
    assert_int_equal(world.n_closed, 1);
}

TEST(the_headers_are_these)
{
    static const char before[] = "Accept: application/json\nclient-request-id: ";
    static const char after[] = "\nreturn-client-request-id: true\n";
    CLEANUP(world_clear) struct world world;
    CLEANUP(token_freep) struct keystay_token *token = NULL;

    world_init(&world);
    start_for_graph(&world);
    assert_ok(acquire(&world, &token, NULL));
    const char *headers = buf_str(&world.headers);
    assert_true(str_has_prefix(headers, before));
    char id[37] = { 0 };
    assert_int_equal(strlen(headers), strlen(before) + 36 + strlen(after));
    memcpy(id, headers + strlen(before), 36);
    assert_true(str_is_guid(id));
    assert_string_equal(headers + strlen(before) + 36, after);
    assert_contains(buf_str(&world.lines), id); /* to find the request in a server's log */
}

/* The assertion is in the form as it was signed: no character of it wants escaping. */
TEST(the_form_is_these_bytes)
{
    static const char before[] =
        "grant_type=client_credentials&client_id=11111111-2222-3333-4444-555555555555"
        "&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
        "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        "&client_assertion=";
    CLEANUP(world_clear) struct world world;
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    CLEANUP(buf_clear) struct buf part = BUF(TEXT_MAX);

    world_init(&world);
    start_for_graph(&world);
    assert_ok(acquire(&world, &token, NULL));
    const char *form = buf_str(&world.form);
    assert_true(str_has_prefix(form, before));
    const char *jws = form + strlen(before);
    assert_memory_equal(jws, world.signer->last_input.data, world.signer->last_input.len);
    assert_int_equal(jws[world.signer->last_input.len], '.');
    decode_part(jws, 1, &part);
    assert_contains(
        buf_str(&part), "{\"aud\":\"https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token\","
                        "\"iss\":\"11111111-2222-3333-4444-555555555555\","
                        "\"sub\":\"11111111-2222-3333-4444-555555555555\",\"jti\":\"");
    assert_contains(buf_str(&part), "\"nbf\":1700000000,\"iat\":1700000000,\"exp\":1700000600}");
    decode_part(jws, 2, &part);
    assert_int_equal(part.len, 256);
}

TEST(the_older_endpoint_gets_the_older_form)
{
    CLEANUP(world_clear) struct world world;
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    CLEANUP(buf_clear) struct buf header = BUF(TEXT_MAX);

    world_init(&world);
    set(&world, "resource", "https://graph.microsoft.com");
    assert_ok(start(&world, NULL));
    assert_ok(acquire(&world, &token, NULL));
    assert_buf(&world.url, "https://login.microsoftonline.com/contoso.example/oauth2/token");
    assert_contains(buf_str(&world.form), "&resource=https%3A%2F%2Fgraph.microsoft.com&");
    assert_lacks(buf_str(&world.form), "scope=");
    decode_part(buf_str(&world.signer->last_input), 0, &header);
    assert_contains(buf_str(&header), "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"x5t\":\"");
}

TEST(an_assertion_alone_is_signed_and_not_sent)
{
    CLEANUP(world_clear) struct world world;
    CLEANUP(token_freep) struct keystay_token *assertion = NULL;

    world_init(&world);
    set(&world, "lifetime", "86400");
    assert_ok(start(&world, NULL));
    assert_ok(keystay_client_assertion(world.client, &world.signer->base, &assertion, NULL));
    assert_int_equal(world.signer->n_signed, 1);
    assert_int_equal(world.n_posts, 0);
    assert_int_equal(keystay_token_expires_at_s(assertion), NOW_S + 86400);
    assert_memory_equal(
        keystay_token_value(assertion), world.signer->last_input.data, world.signer->last_input.len);
}

TEST(settings_and_key_choose_how_it_is_signed)
{
    enum { RS = ALG_BIT(KEYSTAY_ALG_RS256), PS = ALG_BIT(KEYSTAY_ALG_PS256) };
    static const struct {
        const char *alg, *thumbprint;
        alg_set can;
        const char *start; /* of the header */
        bool has_x5t;
    } rows[] = {
        { "auto", "auto", RS | PS, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"", false },
        { "auto", "auto", RS, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"x5t#S256\":\"", false },
        { "RS256", "auto", RS | PS, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"x5t#S256\":\"", false },
        { "PS256", "sha1", RS | PS, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t\":\"", true },
        { "auto", "sha256", RS | PS, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"", false },
        { "auto", "both", RS | PS, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"", true },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(world_clear) struct world world;
        CLEANUP(token_freep) struct keystay_token *token = NULL;
        CLEANUP(buf_clear) struct buf header = BUF(TEXT_MAX);

        world_init(&world);
        world.signer->base.algs = rows[i].can;
        set(&world, "alg", rows[i].alg);
        set(&world, "thumbprint", rows[i].thumbprint);
        start_for_graph(&world);
        assert_ok(acquire(&world, &token, NULL));
        decode_part(buf_str(&world.signer->last_input), 0, &header);
        assert_true(str_has_prefix(buf_str(&header), rows[i].start));
        assert_int_equal(strstr(buf_str(&header), "\"x5t\":\"") != NULL, rows[i].has_x5t);
    }
}

/* RFC 7523 §3 point 7: a jti is for one use. */
TEST(no_assertion_is_made_twice)
{
    CLEANUP(world_clear) struct world world;
    CLEANUP(token_freep) struct keystay_token *first = NULL;
    CLEANUP(token_freep) struct keystay_token *second = NULL;

    world_init(&world);
    assert_ok(start(&world, NULL));
    assert_ok(keystay_client_assertion(world.client, &world.signer->base, &first, NULL));
    assert_ok(keystay_client_assertion(world.client, &world.signer->base, &second, NULL));
    assert_string_not_equal(keystay_token_value(first), keystay_token_value(second));
}

TEST(a_key_that_can_do_nothing_of_use_sends_nothing)
{
    CLEANUP(world_clear) struct world world;
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    struct keystay_error err;

    world_init(&world);
    world.signer->base.algs = ALG_BIT(KEYSTAY_ALG_ES256);
    start_for_graph(&world);
    assert_int_equal(acquire(&world, &token, &err), KEYSTAY_E_ALGORITHM);
    assert_null(token);
    assert_int_equal(world.signer->n_signed, 0);
    assert_int_equal(world.n_posts, 0);
}

/* Neither half a signature nor a wrong one leaves the machine. */
TEST(a_signature_that_fails_is_not_sent)
{
    static const struct {
        enum spoil spoil;
        enum keystay_status status;
    } rows[] = {
        { SPOIL_FAIL, KEYSTAY_E_MODULE },
        { SPOIL_FAIL_HALFWAY, KEYSTAY_E_MODULE },
        { SPOIL_BIT, KEYSTAY_E_KEY_MISMATCH },
        { SPOIL_EMPTY, KEYSTAY_E_KEY_MISMATCH },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(world_clear) struct world world;
        CLEANUP(token_freep) struct keystay_token *token = NULL;
        struct keystay_error err;

        world_init(&world);
        start_for_graph(&world);
        world.signer->spoil = rows[i].spoil;
        assert_int_equal(acquire(&world, &token, &err), rows[i].status);
        assert_int_equal(err.status, rows[i].status);
        assert_int_equal(world.n_posts, 0);
        assert_null(token);
    }
}

TEST(what_the_server_says_is_passed_on)
{
    static const struct {
        int http_status;
        const char *answer;
        enum keystay_status status;
        int n_posts;
    } rows[] = {
        { 401, "{\"error\":\"invalid_client\",\"error_codes\":[700027],\"trace_id\":\"t-1\"}",
          KEYSTAY_E_SERVER_REFUSED, 1 },
        { 429, "{\"error\":\"temporarily_unavailable\"}", KEYSTAY_E_THROTTLED, 4 },
        { 503, "<html>", KEYSTAY_E_SERVER_DOWN, 4 },
        { 302, "", KEYSTAY_E_SERVER_RESPONSE, 1 },
        { 200, "{}", KEYSTAY_E_SERVER_RESPONSE, 1 },
        { 200, "{\"token_type\":\"mac\",\"access_token\":\"a\"}", KEYSTAY_E_SERVER_TOKEN_TYPE, 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(world_clear) struct world world;
        CLEANUP(token_freep) struct keystay_token *token = NULL;
        struct keystay_error err;

        world_init(&world);
        start_for_graph(&world);
        world.http_status = rows[i].http_status;
        world.answer = rows[i].answer;
        assert_row(acquire(&world, &token, &err) == rows[i].status, rows[i].answer);
        assert_contains(err.message, endpoint);
        assert_int_equal(err.http_status, rows[i].http_status);
        assert_int_equal(world.n_posts, rows[i].n_posts); /* only what may pass is sent again */
        assert_null(token);
        assert_row(i > 0 || (err.aadsts == 700027 && str_equal(err.trace_id, "t-1")), rows[i].answer);
        assert_row(acquire(&world, &token, NULL) == rows[i].status, rows[i].answer);
    }
}

TEST(a_transport_that_fails_is_passed_on)
{
    CLEANUP(world_clear) struct world world;
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    struct keystay_error err;

    world_init(&world);
    start_for_graph(&world);
    world.transport_status = KEYSTAY_E_TLS;
    assert_int_equal(acquire(&world, &token, &err), KEYSTAY_E_TLS);
    assert_string_equal(err.message, "the fake transport fails");
    assert_int_equal(world.n_posts, 1);
    assert_null(token);
}

TEST(no_secret_is_logged)
{
    CLEANUP(world_clear) struct world world;
    CLEANUP(token_freep) struct keystay_token *token = NULL;

    world_init(&world);
    start_for_graph(&world);
    assert_ok(acquire(&world, &token, NULL));
    assert_contains(buf_str(&world.lines), "PS256");
    assert_contains(buf_str(&world.lines), "HTTP 200");
    assert_lacks(buf_str(&world.lines), "eyJ"); /* neither assertion nor token */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_that_are_bad_end_it_before_anything_is_signed),
        cmocka_unit_test(without_a_scope_nothing_is_signed),
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(over_curl_it_checks_the_same),
        cmocka_unit_test(one_signature_and_one_post_make_a_token),
        cmocka_unit_test(the_headers_are_these),
        cmocka_unit_test(the_form_is_these_bytes),
        cmocka_unit_test(the_older_endpoint_gets_the_older_form),
        cmocka_unit_test(an_assertion_alone_is_signed_and_not_sent),
        cmocka_unit_test(settings_and_key_choose_how_it_is_signed),
        cmocka_unit_test(no_assertion_is_made_twice),
        cmocka_unit_test(a_key_that_can_do_nothing_of_use_sends_nothing),
        cmocka_unit_test(a_signature_that_fails_is_not_sent),
        cmocka_unit_test(what_the_server_says_is_passed_on),
        cmocka_unit_test(a_transport_that_fails_is_passed_on),
        cmocka_unit_test(no_secret_is_logged),
    };

    return RUN_TESTS(tests);
}
