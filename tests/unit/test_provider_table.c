/* SPDX-License-Identifier: Apache-2.0 */
/* Each row of the table: where its server is, for whom an assertion is, and what is refused. What is sent is
 * test_provider_sent's. */
#include "unit.h"

#include <stdio.h>

#include "base/str.h"
#include "provider_sample.h"

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
        const struct provider_request request = provider_sample(provider_names[i]);
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
        struct provider_request request = provider_sample(rows[i].provider);
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
    struct provider_request request = provider_sample("oidc");

    request.issuer = NULL;
    refuse(&request, "no issuer is given");
    request = provider_sample("adfs");
    request.authority = NULL;
    refuse(&request, "no authority is given");
    request = provider_sample("google-sa");
    request.audience = "issuer";
    refuse(&request, "no issuer that could be the audience");
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
        struct provider_request request = provider_sample("okta");
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
    struct provider_request request = provider_sample("entra");
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
        struct provider_request request = provider_sample("entra");
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
    struct provider_request request = provider_sample("keycloak");
    struct provider_plan plan;

    request.token_endpoint = "https://inside.example/token";
    assert_ok(provider_make_plan(&request, &plan, NULL));
    assert_string_equal(plan.token_endpoint, "https://inside.example/token");
    assert_string_equal(plan.audience, request.issuer);
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
        struct provider_request request = provider_sample(rows[i].provider);
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
        const struct provider_request request = provider_sample(provider_names[i]);
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
        struct provider_request request = provider_sample("keycloak");

        request.scope = bad[i];
        refuse(&request, "the scope is empty, too long, or no list");
    }
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct provider_request request = provider_sample("keycloak");
        struct provider_plan plan;

        request.scope = good[i];
        assert_row(provider_make_plan(&request, &plan, NULL) == KEYSTAY_OK, good[i]);
    }
}

TEST(a_token_is_for_something_where_the_server_wants_that)
{
    for (size_t i = 0; provider_names[i] != NULL; i++) {
        struct provider_request request = provider_sample(provider_names[i]);
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
    struct provider_request request = provider_sample("maskinporten");

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
