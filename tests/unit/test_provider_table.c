/* SPDX-License-Identifier: Apache-2.0 */
/* Each row of the table: the exact claims and form that its server gets, and what it refuses. */
#include "unit.h"

#include <stdio.h>

#include "base/str.h"
#include "oauth/provider.h"
#include "rsa.h"

enum { NOW_S = 1700000000 };

static const alg_set rsa = ALG_BIT(KEYSTAY_ALG_RS256) | ALG_BIT(KEYSTAY_ALG_PS256);
static const char keycloak_issuer[] = "https://kc.example/realms/one";

/* What a profile for each server says; test cases change a part of it. */
static struct provider_request sample(const char *provider)
{
    static const struct provider_request rows[] = {
        { .provider = "entra", .tenant = "contoso.example", .client_id = "c", .scope = "api://x/.default" },
        { .provider = "adfs",
          .authority = "fs.example",
          .client_id = "c",
          .resource = "https://api.example/" },
        { .provider = "oidc",
          .issuer = "https://as.example/",
          .token_endpoint = "https://as.example/token",
          .client_id = "c" },
        { .provider = "keycloak", .issuer = keycloak_issuer, .client_id = "c" },
        { .provider = "okta",
          .issuer = "https://o.okta.com/oauth2/default",
          .client_id = "c",
          .scope = "a b" },
        { .provider = "auth0",
          .authority = "t.eu.auth0.com",
          .client_id = "c",
          .resource = "https://api.example/" },
        { .provider = "google-sa",
          .client_id = "sa@p.iam.gserviceaccount.com",
          .scope = "https://s/a https://s/b" },
        { .provider = "maskinporten", .client_id = "c", .scope = "ks:test" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (str_equal(rows[i].provider, provider)) {
            return rows[i];
        }
    }
    fail_msg("no sample of %s", provider);
    return rows[0];
}

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

static void refuse(const struct provider_request *request, const char *words)
{
    struct provider_plan plan = { .token_endpoint = "untouched" };
    struct keystay_error err;

    assert_row(provider_make_plan(request, &plan, &err) == KEYSTAY_E_CONFIG, words);
    assert_contains(err.message, words);
    assert_string_equal(plan.token_endpoint, "untouched");
}

TEST(each_provider_has_a_sample)
{
    for (size_t i = 0; provider_names[i] != NULL; i++) {
        const struct provider_request request = sample(provider_names[i]);
        struct provider_plan plan;

        assert_row(provider_make_plan(&request, &plan, NULL) == KEYSTAY_OK, provider_names[i]);
        assert_row(provider_check_target(&plan, &request, NULL) == KEYSTAY_OK, provider_names[i]);
    }
}

/* What a provider has no use for would have no effect: it is an error. */
TEST(a_setting_without_effect_is_refused)
{
    static const struct {
        const char *provider, *setting;
    } rows[] = {
        { "entra", "issuer" },         { "entra", "subject" },      { "entra", "grant" },
        { "adfs", "tenant" },          { "adfs", "issuer" },        { "oidc", "authority" },
        { "oidc", "tenant" },          { "keycloak", "grant" },     { "keycloak", "tenant" },
        { "okta", "resource" },        { "okta", "authority" },     { "auth0", "issuer" },
        { "auth0", "tenant" },         { "google-sa", "resource" }, { "google-sa", "issuer" },
        { "maskinporten", "subject" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct provider_request request = sample(rows[i].provider);
        const struct {
            const char *name;
            const char **field;
        } fields[] = {
            { "issuer", &request.issuer },       { "tenant", &request.tenant },
            { "authority", &request.authority }, { "subject", &request.subject },
            { "resource", &request.resource },   { "grant", &request.grant },
        };
        char words[64];

        (void)snprintf(words, sizeof(words), "provider %s takes no --%s", rows[i].provider, rows[i].setting);
        for (size_t k = 0; k < ARRAY_LEN(fields); k++) {
            if (str_equal(fields[k].name, rows[i].setting)) {
                *fields[k].field = str_equal(rows[i].setting, "grant") ? "jwt-bearer" : "https://x.example";
            }
        }
        refuse(&request, words);
    }
}

TEST(what_a_provider_needs_is_named)
{
    struct provider_request request = sample("oidc");

    request.issuer = NULL;
    refuse(&request, "no issuer is given");
    request = sample("adfs");
    request.authority = NULL;
    refuse(&request, "no authority is given");
    request = sample("google-sa");
    request.audience = "issuer";
    refuse(&request, "no issuer that could be the audience");
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
        const struct provider_request request = sample(rows[i].provider);
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
        const struct provider_request request = sample(rows[i].provider);
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
        struct provider_request request = sample(rows[i].provider);
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
    struct provider_request request = sample("google-sa");
    CLEANUP(sent_clear) struct sent google = { 0 };
    CLEANUP(sent_clear) struct sent generic = { 0 };

    request.subject = "person@contoso.example";
    make(&request, &google);
    assert_contains(buf_str(&google.claims), "\"sub\":\"person@contoso.example\"");

    request = sample("oidc");
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
    struct provider_request request = sample("maskinporten");
    CLEANUP(sent_clear) struct sent claim = { 0 };
    CLEANUP(sent_clear) struct sent field = { 0 };

    request.resource = "https://api.example/";
    make(&request, &claim);
    assert_contains(buf_str(&claim.claims), "\"exp\":1700000120,\"resource\":\"https://api.example/\"}");
    assert_lacks(buf_str(&claim.form), "resource");

    request = sample("keycloak");
    request.scope = "a";
    request.resource = "https://api.example/";
    make(&request, &field);
    assert_contains(buf_str(&field.form), "&scope=a&resource=https%3A%2F%2Fapi.example%2F&");
}

TEST(okta_has_two_kinds_of_server)
{
    static const struct {
        const char *issuer, *endpoint;
    } rows[] = {
        { "https://o.okta.com", "https://o.okta.com/oauth2/v1/token" },
        { "https://o.okta.com/", "https://o.okta.com/oauth2/v1/token" },
        { "https://o.okta.com/oauth2/default", "https://o.okta.com/oauth2/default/v1/token" },
        { "https://o.okta.com/oauth2/aus1", "https://o.okta.com/oauth2/aus1/v1/token" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct provider_request request = sample("okta");
        struct provider_plan plan;

        request.issuer = rows[i].issuer;
        assert_ok(provider_make_plan(&request, &plan, NULL));
        assert_string_equal(plan.token_endpoint, rows[i].endpoint);
        assert_string_equal(plan.audience, rows[i].endpoint);
    }
}

/* External ID: a host for each tenant, which is also the name of its first domain. */
TEST(external_id_has_a_host_for_each_tenant)
{
    struct provider_request request = sample("entra");
    struct provider_plan plan;

    request.authority = "https://contoso.ciamlogin.com";
    request.tenant = NULL;
    assert_ok(provider_make_plan(&request, &plan, NULL));
    assert_string_equal(
        plan.token_endpoint, "https://contoso.ciamlogin.com/contoso.onmicrosoft.com/oauth2/v2.0/token");
    assert_string_equal(plan.audience, plan.token_endpoint);
    request.audience = "issuer";
    refuse(&request, "give --tenant the directory's id");
    request.tenant = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490";
    assert_ok(provider_make_plan(&request, &plan, NULL));
    assert_string_equal(
        plan.audience, "https://8eaef023-2b34-4da1-9baa-8bc8c9d6a490.ciamlogin.com/"
                       "8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0");
    request.authority = "https://ciamlogin.com"; /* nobody's */
    request.tenant = NULL;
    refuse(&request, "no tenant is given");
    request.authority = "https://a.b.ciamlogin.com";
    refuse(&request, "no tenant is given");
}

TEST(the_clouds_are_authorities)
{
    static const char *const hosts[] = {
        "login.microsoftonline.us",   "login.partner.microsoftonline.cn", "login.sovcloud-identity.fr",
        "login.sovcloud-identity.de", "login.sovcloud-identity.sg",
    };

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct provider_request request = sample("entra");
        struct provider_plan plan;
        char wanted[128];

        request.authority = hosts[i];
        assert_ok(provider_make_plan(&request, &plan, NULL));
        (void)snprintf(wanted, sizeof(wanted), "https://%s/contoso.example/oauth2/v2.0/token", hosts[i]);
        assert_string_equal(plan.token_endpoint, wanted);
        assert_string_equal(plan.audience, wanted);
    }
}

TEST(a_token_endpoint_may_be_given)
{
    struct provider_request request = sample("keycloak");
    struct provider_plan plan;

    request.token_endpoint = "https://inside.example/token";
    assert_ok(provider_make_plan(&request, &plan, NULL));
    assert_string_equal(plan.token_endpoint, "https://inside.example/token");
    assert_string_equal(plan.audience, keycloak_issuer);
    request.audience = "token-endpoint";
    assert_ok(provider_make_plan(&request, &plan, NULL));
    assert_string_equal(plan.audience, "https://inside.example/token");
    request.token_endpoint = "http://inside.example/token";
    refuse(&request, "token endpoint 'http://inside.example/token' must be https");
    request.token_endpoint = NULL;
    request.issuer = "https://kc.example/realms/one?x=y";
    refuse(&request, "must not have a query");
}

TEST(an_assertion_lives_as_long_as_the_server_takes)
{
    static const struct {
        const char *provider;
        int64_t max_s;
    } rows[] = { { "maskinporten", 120 },
                 { "auth0", 300 },
                 { "okta", 3600 },
                 { "google-sa", 3600 },
                 { "entra", ASSERTION_LIFETIME_MAX_S } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct provider_request request = sample(rows[i].provider);
        struct provider_plan plan;

        request.lifetime_s = rows[i].max_s;
        assert_ok(provider_make_plan(&request, &plan, NULL));
        assert_int_equal(plan.lifetime_s, rows[i].max_s);
        request.lifetime_s = rows[i].max_s + 1;
        refuse(&request, "takes assertions of at most");
        request.lifetime_s = rows[i].max_s;
        request.backdate_s = 1;
        refuse(&request, "lifetime and backdate");
        request.lifetime_s = rows[i].max_s - 1;
        assert_ok(provider_make_plan(&request, &plan, NULL));
    }
}

/* Where a jti is taken once, or the scope is inside, an assertion is for one request. */
TEST(only_microsofts_servers_take_an_assertion_twice)
{
    for (size_t i = 0; provider_names[i] != NULL; i++) {
        const struct provider_request request = sample(provider_names[i]);
        struct provider_plan plan;

        assert_ok(provider_make_plan(&request, &plan, NULL));
        assert_row(
            provider_reuses_assertion(&plan) ==
                (str_equal(provider_names[i], "entra") || str_equal(provider_names[i], "adfs")),
            provider_names[i]);
    }
}

TEST(a_scope_is_words_with_one_blank_between)
{
    static const char *const bad[] = {
        "", " ", " a", "a ", "a  b", "a\tb", "a\"b", "a\\b", "a\n", "\xC3\xBC"
    };
    static const char *const good[] = { "a", "a b", "a b c", "https://x/y !#[]~" };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct provider_request request = sample("keycloak");

        request.scope = bad[i];
        refuse(&request, "the scope is empty, too long, or no list");
    }
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct provider_request request = sample("keycloak");
        struct provider_plan plan;

        request.scope = good[i];
        assert_row(provider_make_plan(&request, &plan, NULL) == KEYSTAY_OK, good[i]);
    }
}

TEST(a_token_is_for_something_where_the_server_wants_that)
{
    for (size_t i = 0; provider_names[i] != NULL; i++) {
        struct provider_request request = sample(provider_names[i]);
        const bool is_free = str_equal(request.provider, "oidc") || str_equal(request.provider, "keycloak");
        struct provider_plan plan;

        request.scope = NULL;
        request.resource = NULL;
        assert_ok(provider_make_plan(&request, &plan, NULL));
        assert_row(
            provider_check_target(&plan, &request, NULL) == (is_free ? KEYSTAY_OK : KEYSTAY_E_CONFIG),
            request.provider);
    }
}

TEST(kid_and_certificate_exclude_each_other_where_the_server_says_so)
{
    struct provider_request request = sample("maskinporten");

    request.kid = "key-1";
    request.x5c = true;
    refuse(&request, "takes either --kid or --x5c");
    request.x5c = false;
    request.kid = "a b";
    refuse(&request, "key id is empty or has blanks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_provider_has_a_sample),
        cmocka_unit_test(a_setting_without_effect_is_refused),
        cmocka_unit_test(what_a_provider_needs_is_named),
        cmocka_unit_test(each_server_gets_its_claims_and_its_form),
        cmocka_unit_test(each_server_gets_its_header),
        cmocka_unit_test(the_header_follows_the_settings),
        cmocka_unit_test(a_grant_may_speak_for_somebody),
        cmocka_unit_test(a_resource_goes_where_the_server_reads_it),
        cmocka_unit_test(okta_has_two_kinds_of_server),
        cmocka_unit_test(external_id_has_a_host_for_each_tenant),
        cmocka_unit_test(the_clouds_are_authorities),
        cmocka_unit_test(a_token_endpoint_may_be_given),
        cmocka_unit_test(an_assertion_lives_as_long_as_the_server_takes),
        cmocka_unit_test(only_microsofts_servers_take_an_assertion_twice),
        cmocka_unit_test(a_scope_is_words_with_one_blank_between),
        cmocka_unit_test(a_token_is_for_something_where_the_server_wants_that),
        cmocka_unit_test(kid_and_certificate_exclude_each_other_where_the_server_says_so),
    };

    return RUN_TESTS(tests);
}
