/* SPDX-License-Identifier: Apache-2.0 */
/* What each server gets: the exact header, claims and form of its row. */
#include "unit.h"

#include <stdio.h>

#include "base/str.h"
#include "provider_sample.h"
#include "rsa.h"

enum { NOW_S = 1700000000 };

static const alg_set rsa = ALG_BIT(KEYSTAY_ALG_RS256) | ALG_BIT(KEYSTAY_ALG_PS256);

/* Header (without x5c and thumbprints, whose own tests say what they are), claims and form of a request. */
struct sent {
    struct buf header, claims, form;
    struct provider_plan plan;
};

static void sent_clear(struct sent *sent)
{
    buf_clear(&sent->header);
    buf_clear(&sent->claims);
    buf_clear(&sent->form);
}

static void make(const struct provider_request *request, struct sent *sent)
{
    static const struct cert_spec plain = { 0 };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&plain);
    CLEANUP(secret_clear) struct secret secret = { 0 };
    struct assertion assertion;
    struct token_request token_request;

    sent->header = BUF(1 << 14);
    sent->claims = BUF(1 << 14);
    sent->form = BUF(1 << 14);
    assert_row(provider_make_plan(request, &sent->plan, NULL) == KEYSTAY_OK, request->provider);
    assert_false(sent->plan.needs_discovery);
    assert_ok(provider_assertion(&sent->plan, request, rsa, NOW_S, "id-1", &assertion, NULL));
    assert_ok(assertion_compose(&assertion, certificate, &sent->header, &sent->claims, NULL));
    assert_ok(secret_set(&secret, SLICE("a.b.c"), NULL));
    provider_token_request(&sent->plan, request, &secret, &token_request);
    assert_ok(token_request_form(&token_request, &sent->form, NULL));
}

/* The exact bytes for each server. */
TEST(each_server_gets_its_claims_and_its_form)
{
    static const char assertion_type[] =
        "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        "&client_assertion=a.b.c";
    static const char jwt_bearer[] =
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b.c";
    static const struct {
        const char *provider, *endpoint, *claims, *form;
        bool is_client_credentials;
    } rows[] = {
        { "entra", "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token",
          "{\"aud\":\"https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token\",\"iss\":\"c\","
          "\"sub\":\"c\",\"jti\":\"id-1\",\"nbf\":1700000000,\"iat\":1700000000,\"exp\":1700000600}",
          "client_id=c&scope=api%3A%2F%2Fx%2F.default", true },
        { "adfs", "https://fs.example/adfs/oauth2/token",
          "{\"aud\":\"https://fs.example/adfs/oauth2/token\",\"iss\":\"c\","
          "\"sub\":\"c\",\"jti\":\"id-1\",\"nbf\":1700000000,\"iat\":1700000000,\"exp\":1700000600}",
          "client_id=c&resource=https%3A%2F%2Fapi.example%2F", true },
        { "oidc", "https://as.example/token",
          "{\"aud\":\"https://as.example/\",\"iss\":\"c\",\"sub\":\"c\",\"jti\":\"id-1\","
          "\"nbf\":1700000000,\"iat\":1700000000,\"exp\":1700000300}",
          "client_id=c", true },
        { "keycloak", "https://kc.example/realms/one/protocol/openid-connect/token",
          "{\"aud\":\"https://kc.example/realms/one\",\"iss\":\"c\",\"sub\":\"c\",\"jti\":\"id-1\","
          "\"nbf\":1700000000,\"iat\":1700000000,\"exp\":1700000060}",
          "client_id=c", true },
        { "okta", "https://o.okta.com/oauth2/default/v1/token",
          "{\"aud\":\"https://o.okta.com/oauth2/default/v1/token\",\"iss\":\"c\",\"sub\":\"c\","
          "\"jti\":\"id-1\",\"iat\":1700000000,\"exp\":1700000300}",
          "client_id=c&scope=a%20b", true },
        { "auth0", "https://t.eu.auth0.com/oauth/token",
          "{\"aud\":\"https://t.eu.auth0.com/\",\"iss\":\"c\",\"sub\":\"c\","
          "\"jti\":\"id-1\",\"iat\":1700000000,\"exp\":1700000060}",
          "client_id=c&audience=https%3A%2F%2Fapi.example%2F", true },
        { "google-sa", "https://oauth2.googleapis.com/token",
          "{\"aud\":\"https://oauth2.googleapis.com/token\",\"iss\":\"sa@p.iam.gserviceaccount.com\","
          "\"scope\":\"https://s/a https://s/b\",\"iat\":1700000000,\"exp\":1700000600}",
          "", false },
        { "maskinporten", "https://maskinporten.no/token",
          "{\"aud\":\"https://maskinporten.no/\",\"iss\":\"c\",\"jti\":\"id-1\",\"scope\":\"ks:test\","
          "\"iat\":1700000000,\"exp\":1700000120}",
          "", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct provider_request request = provider_sample(rows[i].provider);
        CLEANUP(sent_clear) struct sent sent = { 0 };
        char form[512];

        make(&request, &sent);
        assert_string_equal(sent.plan.token_endpoint, rows[i].endpoint);
        assert_buf(&sent.claims, rows[i].claims);
        if (rows[i].is_client_credentials) {
            (void)snprintf(
                form, sizeof(form), "grant_type=client_credentials&%s&%s", rows[i].form, assertion_type);
            assert_buf(&sent.form, form);
        } else {
            assert_buf(&sent.form, jwt_bearer);
        }
    }
}

TEST(each_server_gets_its_header)
{
    static const struct {
        const char *provider, *start;
    } rows[] = {
        { "entra", "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"" },
        { "adfs", "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"x5t\":\"" },
        { "oidc", "{\"alg\":\"RS256\",\"typ\":\"client-authentication+jwt\"}" },
        { "keycloak", "{\"alg\":\"RS256\",\"typ\":\"JWT\"}" },
        { "okta", "{\"alg\":\"RS256\",\"typ\":\"JWT\"}" },
        { "auth0", "{\"alg\":\"RS256\",\"typ\":\"JWT\"}" },
        { "google-sa", "{\"alg\":\"RS256\",\"typ\":\"JWT\"}" },
        { "maskinporten", "{\"alg\":\"RS256\",\"x5c\":[\"" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct provider_request request = provider_sample(rows[i].provider);
        CLEANUP(sent_clear) struct sent sent = { 0 };

        make(&request, &sent);
        assert_row(str_has_prefix(buf_str(&sent.header), rows[i].start), rows[i].provider);
    }
}

TEST(the_header_follows_the_settings)
{
    static const struct {
        const char *provider, *kid, *typ;
        bool x5c;
        const char *part, *lack;
    } rows[] = {
        { "keycloak", "key-1", "auto", false, "\"kid\":\"key-1\"", "x5c" },
        { "keycloak", "jwk", NULL, false, "\"kid\":\"", "jwk" },
        { "keycloak", "sha1-hex", NULL, true, "\",\"x5c\":[\"", "sha1" },
        { "keycloak", "none", "none", false, "{\"alg\":\"RS256\"}", "typ" },
        { "keycloak", NULL, "client-authentication+jwt", false, "\"typ\":\"client-authentication+jwt\"",
          "kid" },
        { "oidc", NULL, "JWT", false, "\"typ\":\"JWT\"", "client-auth" },
        { "entra", NULL, NULL, true, "\",\"x5c\":[\"", "kid" },
        { "maskinporten", "key-1", NULL, false, "{\"alg\":\"RS256\",\"kid\":\"key-1\"}", "x5c" },
        { "maskinporten", "none", NULL, true, "\"x5c\":[\"", "kid" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct provider_request request = provider_sample(rows[i].provider);
        CLEANUP(sent_clear) struct sent sent = { 0 };

        request.kid = rows[i].kid;
        request.typ = rows[i].typ;
        request.x5c = rows[i].x5c;
        make(&request, &sent);
        assert_contains(buf_str(&sent.header), rows[i].part);
        assert_lacks(buf_str(&sent.header), rows[i].lack);
    }
}

TEST(a_grant_may_speak_for_somebody)
{
    struct provider_request request = provider_sample("google-sa");
    CLEANUP(sent_clear) struct sent google = { 0 };
    CLEANUP(sent_clear) struct sent generic = { 0 };

    request.subject = "person@contoso.example";
    make(&request, &google);
    assert_contains(buf_str(&google.claims), "\"sub\":\"person@contoso.example\"");

    request = provider_sample("oidc");
    request.grant = "jwt-bearer";
    request.scope = "a";
    make(&request, &generic);
    assert_contains(buf_str(&generic.claims), "\"iss\":\"c\",\"sub\":\"c\"");
    assert_contains(buf_str(&generic.header), "\"typ\":\"JWT\"");
    assert_contains(buf_str(&generic.form), "jwt-bearer&scope=a&assertion=a.b.c");
    assert_lacks(buf_str(&generic.form), "client_");
}

TEST(a_resource_goes_where_the_server_reads_it)
{
    struct provider_request request = provider_sample("maskinporten");
    CLEANUP(sent_clear) struct sent claim = { 0 };
    CLEANUP(sent_clear) struct sent field = { 0 };

    request.resource = "https://api.example/";
    make(&request, &claim);
    assert_contains(buf_str(&claim.claims), "\"exp\":1700000120,\"resource\":\"https://api.example/\"}");
    assert_lacks(buf_str(&claim.form), "resource");

    request = provider_sample("keycloak");
    request.scope = "a";
    request.resource = "https://api.example/";
    make(&request, &field);
    assert_contains(buf_str(&field.form), "&scope=a&resource=https%3A%2F%2Fapi.example%2F&");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_server_gets_its_claims_and_its_form),
        cmocka_unit_test(each_server_gets_its_header),
        cmocka_unit_test(the_header_follows_the_settings),
        cmocka_unit_test(a_grant_may_speak_for_somebody),
        cmocka_unit_test(a_resource_goes_where_the_server_reads_it),
    };

    return RUN_TESTS(tests);
}
