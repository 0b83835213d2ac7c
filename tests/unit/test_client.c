/* SPDX-License-Identifier: Apache-2.0 */
/* What a client signs and sends. What comes back, and what goes wrong, is test_client_faults'. */
#include "unit.h"

#include "base/base64url.h"
#include "base/str.h"
#include "client_world.h"
#include "oauth/access_token.h"

static const char endpoint[] = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token";

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
        world_set(&world, "scope", "https://graph.microsoft.com/.default");
        world_set(&world, rows[i].name, rows[i].value);
        assert_row(world_start(&world, &err) == KEYSTAY_E_CONFIG, rows[i].value);
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
    assert_ok(world_start(&world, NULL));
    assert_int_equal(client_check_target(world.client, NULL), KEYSTAY_E_CONFIG);
    assert_int_equal(world_acquire(&world, &token, &err), KEYSTAY_E_CONFIG);
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
    world_set(&world, "cacert", "/nonexistent/ca.pem");
    assert_int_equal(keystay_client_new(world.profile, NULL, &client, NULL), KEYSTAY_E_CONFIG);
    assert_null(client);
}

TEST(one_signature_and_one_post_make_a_token)
{
    CLEANUP(world_clear) struct world world;
    CLEANUP(token_freep) struct keystay_token *token = NULL;

    world_init(&world);
    world_start_for_graph(&world);
    assert_ok(world_acquire(&world, &token, NULL));
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
    world_start_for_graph(&world);
    assert_ok(world_acquire(&world, &token, NULL));
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
    world_start_for_graph(&world);
    assert_ok(world_acquire(&world, &token, NULL));
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
    world_set(&world, "resource", "https://graph.microsoft.com");
    assert_ok(world_start(&world, NULL));
    assert_ok(world_acquire(&world, &token, NULL));
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
    world_set(&world, "lifetime", "86400");
    assert_ok(world_start(&world, NULL));
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
        world_set(&world, "alg", rows[i].alg);
        world_set(&world, "thumbprint", rows[i].thumbprint);
        world_start_for_graph(&world);
        assert_ok(world_acquire(&world, &token, NULL));
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
    assert_ok(world_start(&world, NULL));
    assert_ok(keystay_client_assertion(world.client, &world.signer->base, &first, NULL));
    assert_ok(keystay_client_assertion(world.client, &world.signer->base, &second, NULL));
    assert_string_not_equal(keystay_token_value(first), keystay_token_value(second));
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
    };

    return RUN_TESTS(tests);
}
