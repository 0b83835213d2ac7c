/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "jose/assertion.h"
#include "oauth/provider.h"

static const char scope[] = "https://graph.microsoft.com/.default";

static struct provider_request sample(void)
{
    return (struct provider_request){
        .provider = "entra",
        .tenant = "contoso.example",
        .client_id = "11111111-2222-3333-4444-555555555555",
        .scope = scope,
    };
}

static struct provider_request sample_v1(void)
{
    struct provider_request request = sample();

    request.scope = NULL;
    request.resource = "https://graph.microsoft.com";
    return request;
}

/* The request must be refused with these words, and the plan is as before. */
static void refuse(const struct provider_request *request, const char *words)
{
    struct provider_plan plan = { .token_endpoint = "untouched" };
    struct keystay_error err;

    assert_row(provider_make_plan(request, &plan, &err) == KEYSTAY_E_CONFIG, words);
    assert_contains(err.message, words);
    assert_lacks(err.message, "\x1B");
    assert_string_equal(plan.token_endpoint, "untouched");
    assert_int_equal(provider_make_plan(request, &plan, NULL), KEYSTAY_E_CONFIG);
}

TEST(what_is_missing_is_named)
{
    struct provider_request request = sample();

    request.tenant = NULL;
    refuse(&request, "no tenant is given");
    request = sample();
    request.client_id = NULL;
    refuse(&request, "no client id is given");
    request = sample();
    request.provider = "entr";
    refuse(&request, "there is no provider 'entr'");
}

TEST(scope_and_resource_exclude_each_other)
{
    struct provider_request request = sample();

    request.resource = "https://graph.microsoft.com";
    refuse(&request, "scope and resource are both given");
}

TEST(makes_the_plan_of_entra)
{
    struct provider_request request = sample();
    struct provider_plan plan;

    assert_ok(provider_make_plan(&request, &plan, NULL));
    assert_string_equal(
        plan.token_endpoint, "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token");
    assert_string_equal(plan.audience, plan.token_endpoint);

    request = sample_v1();
    assert_ok(provider_make_plan(&request, &plan, NULL));
    assert_string_equal(
        plan.token_endpoint, "https://login.microsoftonline.com/contoso.example/oauth2/token");
    assert_string_equal(plan.audience, plan.token_endpoint);
}

/* `keystay assertion` needs neither. */
TEST(an_assertion_alone_needs_no_scope)
{
    struct provider_request request = sample();
    struct provider_plan plan;

    request.scope = NULL;
    assert_ok(provider_make_plan(&request, &plan, NULL));
}

TEST(the_authority_may_be_another_cloud)
{
    static const struct {
        const char *authority;
        const char *endpoint;
    } rows[] = {
        { "https://login.microsoftonline.us",
          "https://login.microsoftonline.us/contoso.example/oauth2/v2.0/token" },
        { "login.partner.microsoftonline.cn/",
          "https://login.partner.microsoftonline.cn/contoso.example/oauth2/v2.0/token" },
        { "https://127.0.0.1:8443", "https://127.0.0.1:8443/contoso.example/oauth2/v2.0/token" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct provider_request request = sample();
        struct provider_plan plan;

        request.authority = rows[i].authority;
        assert_ok(provider_make_plan(&request, &plan, NULL));
        assert_string_equal(plan.token_endpoint, rows[i].endpoint);
        assert_string_equal(plan.audience, rows[i].endpoint); /* derived from the URL that is asked */
    }
}

TEST(the_audience_follows_its_rule)
{
    static const struct {
        const char *rule;
        bool is_v1;
        const char *audience;
    } rows[] = {
        { NULL, false, "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token" },
        { "auto", false, "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token" },
        { "auto", true, "https://login.microsoftonline.com/contoso.example/oauth2/token" },
        { "token-endpoint", false, "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token" },
        { "token-endpoint", true, "https://login.microsoftonline.com/contoso.example/oauth2/token" },
        { "issuer", false, "https://login.microsoftonline.com/contoso.example/v2.0" },
        { "issuer", true, "https://login.microsoftonline.com/contoso.example/v2.0" },
        { "api://AzureADTokenExchange", false, "api://AzureADTokenExchange" },
        { "Issuer", false, "Issuer" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct provider_request request = rows[i].is_v1 ? sample_v1() : sample();
        struct provider_plan plan;

        request.audience = rows[i].rule;
        assert_ok(provider_make_plan(&request, &plan, NULL));
        assert_string_equal(plan.audience, rows[i].audience);
    }
}

TEST(chooses_the_best_algorithm_that_the_key_can_do)
{
    enum {
        AUTO = KEYSTAY_ALG_AUTO,
        RS = ALG_BIT(KEYSTAY_ALG_RS256),
        PS = ALG_BIT(KEYSTAY_ALG_PS256),
        OTHERS = ALG_BIT(KEYSTAY_ALG_RS512) | ALG_BIT(KEYSTAY_ALG_PS384) | ALG_BIT(KEYSTAY_ALG_ES256),
    };
    static const struct {
        const char *name;
        bool is_v1;
        int asked;
        alg_set can;
        int chosen; /* AUTO: refused */
    } rows[] = {
        { "both", false, AUTO, RS | PS, KEYSTAY_ALG_PS256 },
        { "no PSS", false, AUTO, RS, KEYSTAY_ALG_RS256 },
        { "PSS only", false, AUTO, PS, KEYSTAY_ALG_PS256 },
        { "all", false, AUTO, RS | PS | OTHERS, KEYSTAY_ALG_PS256 },
        { "v1 takes no PSS", true, AUTO, RS | PS, KEYSTAY_ALG_RS256 },
        { "v1, PSS only", true, AUTO, PS, AUTO },
        { "nothing", false, AUTO, 0, AUTO },
        { "nothing that is taken", false, AUTO, OTHERS, AUTO },
        { "asked for", false, KEYSTAY_ALG_RS256, RS | PS, KEYSTAY_ALG_RS256 },
        { "asked for in v1", true, KEYSTAY_ALG_PS256, RS | PS, KEYSTAY_ALG_PS256 },
        { "asked for another", false, KEYSTAY_ALG_ES256, OTHERS, KEYSTAY_ALG_ES256 },
        { "asked for what it cannot", false, KEYSTAY_ALG_PS256, RS, AUTO },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct provider_request request = rows[i].is_v1 ? sample_v1() : sample();
        struct provider_plan plan;
        enum keystay_alg alg = KEYSTAY_ALG_AUTO;
        struct keystay_error err;

        request.alg = (enum keystay_alg)rows[i].asked;
        assert_ok(provider_make_plan(&request, &plan, NULL));
        enum keystay_status status = provider_choose_alg(&plan, &request, rows[i].can, &alg, &err);
        assert_row(status == (rows[i].chosen == AUTO ? KEYSTAY_E_ALGORITHM : KEYSTAY_OK), rows[i].name);
        assert_row((int)alg == rows[i].chosen, rows[i].name);
    }
}

TEST(a_missing_algorithm_is_named)
{
    struct provider_request request = sample();
    struct provider_plan plan;
    enum keystay_alg alg = KEYSTAY_ALG_AUTO;
    struct keystay_error err;

    request.alg = KEYSTAY_ALG_PS256;
    assert_ok(provider_make_plan(&request, &plan, NULL));
    assert_int_equal(
        provider_choose_alg(&plan, &request, ALG_BIT(KEYSTAY_ALG_RS256), &alg, &err), KEYSTAY_E_ALGORITHM);
    assert_contains(err.message, "PS256");
    assert_contains(err.hint, "--alg");
    request.alg = KEYSTAY_ALG_AUTO;
    assert_int_equal(provider_choose_alg(&plan, &request, 0, &alg, &err), KEYSTAY_E_ALGORITHM);
    assert_contains(err.message, "entra");
}

TEST(chooses_the_thumbprint)
{
    static const struct {
        bool is_v1;
        int asked;
        enum thumbprint chosen;
    } rows[] = {
        { false, 0, THUMBPRINT_SHA256 },
        { true, 0, THUMBPRINT_SHA1 },
        { false, THUMBPRINT_SHA1, THUMBPRINT_SHA1 },
        { true, THUMBPRINT_SHA256, THUMBPRINT_SHA256 },
        { false, THUMBPRINT_BOTH, THUMBPRINT_BOTH },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct provider_request request = rows[i].is_v1 ? sample_v1() : sample();
        struct provider_plan plan;

        struct assertion assertion;

        request.thumbprints = rows[i].asked;
        assert_ok(provider_make_plan(&request, &plan, NULL));
        assert_ok(provider_assertion(
            &plan, &request, ALG_BIT(KEYSTAY_ALG_RS256), 1700000000, "j", &assertion, NULL));
        assert_int_equal(assertion.thumbprints, rows[i].chosen);
    }
}

TEST(takes_a_tenant_by_id_or_domain)
{
    static const char *const tenants[] = {
        "contoso.example",
        "contoso.onmicrosoft.com",
        "8EAEF023-2B34-4DA1-9BAA-8BC8C9D6A490",
        "xn--bcher-kva.example",
        "a",
        "commons.example", /* not "common" */
    };

    for (size_t i = 0; i < ARRAY_LEN(tenants); i++) {
        struct provider_request request = sample();
        struct provider_plan plan;

        request.tenant = tenants[i];
        assert_row(provider_make_plan(&request, &plan, NULL) == KEYSTAY_OK, tenants[i]);
        assert_contains(plan.token_endpoint, tenants[i]);
    }
}

TEST(a_tenant_has_at_most_253_characters)
{
    struct provider_request request = sample();
    struct provider_plan plan;
    char tenant[255] = { 0 };

    memset(tenant, 'a', 253);
    request.tenant = tenant;
    assert_ok(provider_make_plan(&request, &plan, NULL));
    tenant[253] = 'a';
    refuse(&request, "neither an id nor a domain");
}

TEST(a_literal_audience_has_room_and_no_more)
{
    struct provider_request request = sample();
    struct provider_plan plan;
    char audience[URL_MAX + 1] = { 0 };

    memset(audience, 'a', URL_MAX - 1);
    request.audience = audience;
    assert_ok(provider_make_plan(&request, &plan, NULL));
    assert_string_equal(plan.audience, audience);
    audience[URL_MAX - 1] = 'a';
    refuse(&request, "audience");
}

TEST(an_endpoint_that_is_too_long_is_refused)
{
    struct provider_request request = sample();
    char authority[URL_MAX] = { 0 };

    memset(authority, 'a', sizeof(authority) - 20); /* the origin itself has room */
    request.authority = authority;
    refuse(&request, "");
}

TEST(tenants_for_people_are_refused)
{
    static const char *const tenants[] = { "common", "organizations", "consumers", "COMMON" };

    for (size_t i = 0; i < ARRAY_LEN(tenants); i++) {
        struct provider_request request = sample();
        request.tenant = tenants[i];
        refuse(&request, "for people who sign in");
    }
}

/* It becomes part of a path, and of the audience. */
TEST(a_tenant_that_would_change_the_path_is_refused)
{
    static const char *const tenants[] = {
        "",       ".",     "..",       ".example",  "a..b",      "a/b",  "../common",
        "a/../b", "a%2fb", "a?b",      "a#b",       "a b",       "a\n",  "a\\b",
        "a@b",    "a:b",   "{tenant}", "b\xC3\xBC", "a\x1B[31m", "a\"b", "contoso.example/",
    };

    for (size_t i = 0; i < ARRAY_LEN(tenants); i++) {
        struct provider_request request = sample();
        request.tenant = tenants[i];
        refuse(&request, "neither an id nor a domain name");
    }
}

TEST(bad_client_ids_scopes_and_audiences_are_refused)
{
    static const char *const texts[] = { "", "a b", "a\n", "\t", "\xC3\xBC", "a\x7F" };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct provider_request request = sample();
        request.client_id = texts[i];
        refuse(&request, "client id");
        request = sample();
        request.scope = texts[i];
        refuse(&request, "scope is empty");
        request = sample_v1();
        request.resource = texts[i];
        refuse(&request, "resource is empty");
        request = sample();
        request.audience = texts[i];
        refuse(&request, "audience is empty");
    }
}

TEST(a_scope_ends_in_default)
{
    static const char *const scopes[] = {
        "https://graph.microsoft.com",
        "https://graph.microsoft.com/User.Read",
        "https://graph.microsoft.com/.Default",
        "https://graph.microsoft.com/.default/",
        "https://graph.microsoft.com.default",
        "/.default",
        "openid",
    };

    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        struct provider_request request = sample();
        request.scope = scopes[i];
        refuse(&request, "must end in /.default");
    }
}

TEST(an_authority_that_is_no_host_is_refused)
{
    static const char *const authorities[] = {
        "http://login.microsoftonline.com",
        "https://login.microsoftonline.com/contoso.example",
        "https://user@login.microsoftonline.com",
        "https://login.microsoftonline.com?x",
        "",
        "a b",
    };

    for (size_t i = 0; i < ARRAY_LEN(authorities); i++) {
        struct provider_request request = sample();
        request.authority = authorities[i];
        refuse(&request, "authority");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(scope_and_resource_exclude_each_other),
        cmocka_unit_test(makes_the_plan_of_entra),
        cmocka_unit_test(an_assertion_alone_needs_no_scope),
        cmocka_unit_test(the_authority_may_be_another_cloud),
        cmocka_unit_test(the_audience_follows_its_rule),
        cmocka_unit_test(chooses_the_best_algorithm_that_the_key_can_do),
        cmocka_unit_test(a_missing_algorithm_is_named),
        cmocka_unit_test(chooses_the_thumbprint),
        cmocka_unit_test(takes_a_tenant_by_id_or_domain),
        cmocka_unit_test(a_tenant_has_at_most_253_characters),
        cmocka_unit_test(a_literal_audience_has_room_and_no_more),
        cmocka_unit_test(an_endpoint_that_is_too_long_is_refused),
        cmocka_unit_test(tenants_for_people_are_refused),
        cmocka_unit_test(a_tenant_that_would_change_the_path_is_refused),
        cmocka_unit_test(bad_client_ids_scopes_and_audiences_are_refused),
        cmocka_unit_test(a_scope_ends_in_default),
        cmocka_unit_test(an_authority_that_is_no_host_is_refused),
    };

    return RUN_TESTS(tests);
}
