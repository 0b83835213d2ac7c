/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/policy.h"

#include <stdio.h>

#include "agent_fixture.h"
#include "base/str.h"
#include "unit.h"

static const char rules[] = "[profile backup]\n"
                            "[profile web]\n"
                            "[profile lone]\n"
                            "[agent]\n"
                            "metrics_user = 3000\n"
                            "[grant backup]\n"
                            "profile = backup\n"
                            "user = 2000\n"
                            "scope = https://vault.azure.net\n"
                            "scope = api://x/.default\n"
                            "[grant web]\n"
                            "profile = web\n"
                            "user = 2000\n"
                            "group = 5000\n"
                            "unit = web.service\n"
                            "unit = worker@1.service\n"
                            "[grant any]\n"
                            "profile = backup\n"
                            "user = 2001\n"
                            "scope = *\n"
                            "[grant federated]\n"
                            "profile = backup\n"
                            "user = 2002\n"
                            "user = 1000\n"
                            "assertion = yes\n"
                            "[grant root]\n"
                            "profile = lone\n"
                            "group = 6000\n";

enum { STRANGER = 4000 };

/* On the Unix socket, in the group of the same number. */
static struct peer peer_of(uid_t uid)
{
    return (struct peer){ .kind = PEER_UNIX, .uid = uid, .has_gid = true, .gid = (gid_t)uid };
}

static struct peer in_unit(struct peer peer, const char *unit)
{
    (void)snprintf(peer.unit, sizeof(peer.unit), "%s", unit);
    return peer;
}

static struct peer in_group(struct peer peer, gid_t gid)
{
    peer.groups[peer.n_groups++] = gid;
    return peer;
}

static struct peer over_tcp(uid_t uid)
{
    return (struct peer){ .kind = PEER_TCP, .uid = uid };
}

static enum policy_verdict ask(
    const struct agent_config *config, struct peer peer, enum policy_right right, const char *profile,
    const char *scope)
{
    const struct policy_request request = {
        .right = right, .profile = profile, .scope = scope, .own_scope = "https://storage.azure.com/.default"
    };
    const struct grant *grant = NULL;
    const enum policy_verdict verdict = policy_decide(config, &peer, &request, &grant);

    assert_true(grant == NULL || (verdict == POLICY_ALLOWED && str_equal(grant->profile, profile)));
    return verdict;
}

#define REFUSED(expected, ...) assert_int_equal(ask(config, __VA_ARGS__), expected)
#define ALLOWED(...) REFUSED(POLICY_ALLOWED, __VA_ARGS__)

TEST(a_stranger_has_nothing)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);
    static const char *const profiles[] = { "backup", "web", "lone", "no-such", "" };

    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        REFUSED(POLICY_NOT_GRANTED, peer_of(STRANGER), POLICY_TOKEN, profiles[i], NULL);
        REFUSED(POLICY_NOT_GRANTED, peer_of(STRANGER), POLICY_ASSERTION, profiles[i], NULL);
        REFUSED(POLICY_NOT_GRANTED, over_tcp(STRANGER), POLICY_TOKEN, profiles[i], NULL);
    }
    REFUSED(POLICY_NOT_GRANTED, peer_of(STRANGER), POLICY_CONTROL, NULL, NULL);
    REFUSED(POLICY_NOT_GRANTED, peer_of(STRANGER), POLICY_METRICS, NULL, NULL);
    REFUSED(POLICY_NOT_GRANTED, over_tcp(STRANGER), POLICY_METRICS, NULL, NULL);
}

TEST(whom_there_is_something_for)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);
    const struct peer known[] = { peer_of(0),    peer_of(1000),  peer_of(2000),
                                  peer_of(3000), over_tcp(2000), in_group(peer_of(STRANGER), 5000) };
    const struct peer unknown[] = { peer_of(STRANGER), peer_of(5000 + 1), over_tcp(5000),
                                    in_group(peer_of(65534), 5000) };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        assert_true(policy_knows(config, &known[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
        assert_false(policy_knows(config, &unknown[i]));
    }
}

TEST(whom_the_system_cannot_name_has_nothing_even_by_a_rule)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);
    static const uid_t ids[] = { FIXTURE_NOBODY, (uid_t)-1 };

    /* No such rule can be written: what if there were one? */
    config->owner = FIXTURE_NOBODY;
    config->grants[0].users.items[0] = FIXTURE_NOBODY;
    config->metrics_users.items[0] = FIXTURE_NOBODY;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        const char *profile = NULL;
        const struct peer peer = peer_of(ids[i]);

        REFUSED(POLICY_STRANGER, peer, POLICY_TOKEN, "backup", NULL);
        REFUSED(POLICY_STRANGER, peer, POLICY_ASSERTION, "backup", NULL);
        REFUSED(POLICY_STRANGER, peer, POLICY_CONTROL, NULL, NULL);
        REFUSED(POLICY_STRANGER, peer, POLICY_METRICS, NULL, NULL);
        REFUSED(POLICY_STRANGER, over_tcp(ids[i]), POLICY_TOKEN, "backup", NULL);
        assert_int_equal(policy_single_profile(config, &peer, &profile), POLICY_STRANGER);
        assert_null(profile);
    }
    config->grants[1].groups.items[0] = FIXTURE_NOBODY;
    REFUSED(
        POLICY_NOT_GRANTED, in_unit(in_group(peer_of(STRANGER), FIXTURE_NOBODY), "web.service"), POLICY_TOKEN,
        "web", NULL);
}

TEST(a_request_without_a_profile_or_with_a_malformed_scope_is_refused)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);
    static const char *const scopes[] = { "", " ", "  ", "a\tb", "a\nb", "a\x7F", "\xC3\xA9", "a \x01" };

    REFUSED(POLICY_MALFORMED, peer_of(FIXTURE_OWNER), POLICY_TOKEN, NULL, NULL);
    REFUSED(POLICY_MALFORMED, peer_of(FIXTURE_OWNER), POLICY_ASSERTION, NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        REFUSED(POLICY_MALFORMED, peer_of(FIXTURE_OWNER), POLICY_TOKEN, "backup", scopes[i]);
        REFUSED(POLICY_MALFORMED, peer_of(2001), POLICY_TOKEN, "backup", scopes[i]);
    }
}

TEST(the_agents_own_user_has_every_token)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good("[profile a]\n[profile b]\n");

    ALLOWED(peer_of(FIXTURE_OWNER), POLICY_TOKEN, "a", NULL);
    ALLOWED(peer_of(FIXTURE_OWNER), POLICY_TOKEN, "b", "https://graph.microsoft.com/.default openid");
    ALLOWED(over_tcp(FIXTURE_OWNER), POLICY_TOKEN, "a", "https://graph.microsoft.com");
}

TEST(a_grant_gives_its_profile_and_no_other)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);

    ALLOWED(peer_of(2000), POLICY_TOKEN, "backup", NULL);
    ALLOWED(over_tcp(2000), POLICY_TOKEN, "backup", NULL);
    REFUSED(POLICY_NOT_GRANTED, peer_of(2000), POLICY_TOKEN, "lone", NULL);
    REFUSED(POLICY_NOT_GRANTED, peer_of(2000), POLICY_TOKEN, "Backup", NULL);
    REFUSED(POLICY_NOT_GRANTED, peer_of(2000), POLICY_TOKEN, "backup ", NULL);
}

TEST(an_assertion_is_a_right_of_its_own)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);

    REFUSED(POLICY_NO_ASSERTION, peer_of(2000), POLICY_ASSERTION, "backup", NULL);
    REFUSED(POLICY_NO_ASSERTION, peer_of(2001), POLICY_ASSERTION, "backup", NULL);
    ALLOWED(peer_of(2002), POLICY_ASSERTION, "backup", NULL);
    ALLOWED(peer_of(2002), POLICY_TOKEN, "backup", NULL);
    REFUSED(POLICY_WRONG_LISTENER, over_tcp(2002), POLICY_ASSERTION, "backup", NULL);
    /* The agent's own user, too, has it where a grant says so, and nowhere else. */
    ALLOWED(peer_of(FIXTURE_OWNER), POLICY_ASSERTION, "backup", NULL);
    REFUSED(POLICY_NOT_GRANTED, peer_of(FIXTURE_OWNER), POLICY_ASSERTION, "web", NULL);
    REFUSED(POLICY_WRONG_LISTENER, over_tcp(FIXTURE_OWNER), POLICY_ASSERTION, "backup", NULL);
    REFUSED(POLICY_NOT_GRANTED, peer_of(0), POLICY_ASSERTION, "backup", NULL);
}

TEST(control_is_for_the_agents_own_user_and_root_on_the_unix_socket)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);

    ALLOWED(peer_of(FIXTURE_OWNER), POLICY_CONTROL, NULL, NULL);
    ALLOWED(peer_of(0), POLICY_CONTROL, NULL, NULL);
    REFUSED(POLICY_WRONG_LISTENER, over_tcp(FIXTURE_OWNER), POLICY_CONTROL, NULL, NULL);
    REFUSED(POLICY_WRONG_LISTENER, over_tcp(0), POLICY_CONTROL, NULL, NULL);
    REFUSED(POLICY_NOT_GRANTED, peer_of(2001), POLICY_CONTROL, "backup", NULL);
    REFUSED(POLICY_NOT_GRANTED, peer_of(3000), POLICY_CONTROL, NULL, NULL);
}

TEST(metrics_are_for_those_and_whom_the_configuration_names)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);

    ALLOWED(peer_of(FIXTURE_OWNER), POLICY_METRICS, NULL, NULL);
    ALLOWED(over_tcp(FIXTURE_OWNER), POLICY_METRICS, NULL, NULL);
    ALLOWED(peer_of(0), POLICY_METRICS, NULL, NULL);
    ALLOWED(over_tcp(3000), POLICY_METRICS, NULL, NULL);
    REFUSED(POLICY_NOT_GRANTED, over_tcp(2000), POLICY_METRICS, NULL, NULL);
    REFUSED(POLICY_NOT_GRANTED, peer_of(3000), POLICY_TOKEN, "backup", NULL);
}

TEST(root_has_no_token_without_a_grant)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);

    REFUSED(POLICY_NOT_GRANTED, peer_of(0), POLICY_TOKEN, "backup", NULL);
    REFUSED(POLICY_NOT_GRANTED, over_tcp(0), POLICY_TOKEN, "backup", NULL);
    ALLOWED(in_group(peer_of(0), 6000), POLICY_TOKEN, "lone", NULL);
    config->owner = 0;
    ALLOWED(peer_of(0), POLICY_TOKEN, "backup", NULL);
    REFUSED(POLICY_NOT_GRANTED, peer_of(0), POLICY_ASSERTION, "web", NULL);
}

TEST(a_group_counts_where_it_is_known)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);

    ALLOWED(peer_of(6000), POLICY_TOKEN, "lone", NULL); /* its own */
    ALLOWED(in_group(in_group(peer_of(STRANGER), 7), 6000), POLICY_TOKEN, "lone", NULL);
    REFUSED(POLICY_NOT_GRANTED, in_group(peer_of(STRANGER), 6001), POLICY_TOKEN, "lone", NULL);
    /* Whose number is that of the group; over TCP, where groups are not known; without any. */
    REFUSED(POLICY_NOT_GRANTED, over_tcp(6000), POLICY_TOKEN, "lone", NULL);
    struct peer peer = peer_of(6000);
    peer.gid = 7;
    REFUSED(POLICY_NOT_GRANTED, peer, POLICY_TOKEN, "lone", NULL);
    peer.gid = 6000;
    peer.has_gid = false;
    REFUSED(POLICY_NOT_GRANTED, peer, POLICY_TOKEN, "lone", NULL);
    /* And a user whose number is a grant's group is not its user. */
    peer = peer_of(5000);
    peer.gid = 7;
    REFUSED(POLICY_NOT_GRANTED, in_unit(peer, "web.service"), POLICY_TOKEN, "web", NULL);
}

TEST(a_unit_only_narrows)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);
    static const char *const others[] = { "",
                                          "web",
                                          "web.service ",
                                          "Web.service",
                                          "xweb.service",
                                          "web.service.scope",
                                          "worker@2.service",
                                          "worker@.service",
                                          "web.service\nworker@1.service" };

    ALLOWED(in_unit(peer_of(2000), "web.service"), POLICY_TOKEN, "web", NULL);
    ALLOWED(in_unit(over_tcp(2000), "worker@1.service"), POLICY_TOKEN, "web", NULL);
    ALLOWED(in_unit(in_group(peer_of(STRANGER), 5000), "web.service"), POLICY_TOKEN, "web", NULL);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        REFUSED(POLICY_WRONG_UNIT, in_unit(peer_of(2000), others[i]), POLICY_TOKEN, "web", NULL);
    }
    REFUSED(POLICY_NOT_GRANTED, in_unit(peer_of(STRANGER), "web.service"), POLICY_TOKEN, "web", NULL);
    REFUSED(POLICY_NOT_GRANTED, in_unit(peer_of(0), "web.service"), POLICY_TOKEN, "web", NULL);
}

TEST(a_unit_is_looked_for_only_where_it_decides)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);
    struct policy_request request = { .profile = "web" };
    struct peer peer = over_tcp(2000);

    assert_true(policy_wants_unit(config, &peer, &request));
    peer = in_unit(peer, "other.service");
    assert_false(policy_wants_unit(config, &peer, &request));
    peer = over_tcp(STRANGER);
    assert_false(policy_wants_unit(config, &peer, &request));
    peer = over_tcp(5000); /* groups are not known there */
    assert_false(policy_wants_unit(config, &peer, &request));
    peer = in_group(peer_of(STRANGER), 5000);
    assert_true(policy_wants_unit(config, &peer, &request));
    peer = over_tcp(2000);
    request.profile = "backup";
    assert_false(policy_wants_unit(config, &peer, &request));
    request.profile = NULL; /* of all */
    assert_true(policy_wants_unit(config, &peer, &request));
    request.grant = &config->grants[0];
    assert_false(policy_wants_unit(config, &peer, &request));
    request.grant = &config->grants[1];
    assert_true(policy_wants_unit(config, &peer, &request));
    config->grants[1].users.items[0] = FIXTURE_NOBODY;
    peer = over_tcp(FIXTURE_NOBODY);
    assert_false(policy_wants_unit(config, &peer, &request));
}

TEST(each_scope_must_be_granted)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);
    static const char *const good[] = { "https://storage.azure.com/.default",
                                        "https://storage.azure.com",
                                        "https://vault.azure.net",
                                        "https://vault.azure.net/.default",
                                        "api://x",
                                        "api://x/.default",
                                        " api://x  https://vault.azure.net ",
                                        "api://x api://x" };
    static const char *const bad[] = { "https://graph.microsoft.com/.default",
                                       "https://vault.azure.net/",
                                       "https://vault.azure.net//.default",
                                       "https://vault.azure.net/.default/.default",
                                       "https://vault.azure.ne",
                                       "https://vault.azure.nett",
                                       "HTTPS://VAULT.AZURE.NET",
                                       "https://vault.azure.net/.Default",
                                       "/.default",
                                       "*",
                                       "x",
                                       "api://x https://graph.microsoft.com/.default",
                                       "https://graph.microsoft.com/.default api://x",
                                       "api://x,https://vault.azure.net" };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_row(ask(config, peer_of(2000), POLICY_TOKEN, "backup", good[i]) == POLICY_ALLOWED, good[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_row(ask(config, peer_of(2000), POLICY_TOKEN, "backup", bad[i]) == POLICY_WRONG_SCOPE, bad[i]);
        assert_row(ask(config, peer_of(2001), POLICY_TOKEN, "backup", bad[i]) == POLICY_ALLOWED, bad[i]);
    }
    /* What one grant gives of scopes and another to users does not add up. */
    REFUSED(POLICY_WRONG_SCOPE, peer_of(2002), POLICY_TOKEN, "backup", "https://vault.azure.net");
}

TEST(without_a_scope_of_its_own_a_profile_has_those_of_the_grant_alone)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);
    const struct peer peer = peer_of(2000);
    struct policy_request request = { .profile = "backup", .scope = "api://x" };

    assert_int_equal(policy_decide(config, &peer, &request, NULL), POLICY_ALLOWED);
    request.scope = "https://storage.azure.com";
    assert_int_equal(policy_decide(config, &peer, &request, NULL), POLICY_WRONG_SCOPE);
    request.own_scope = "openid https://storage.azure.com/.default";
    assert_int_equal(policy_decide(config, &peer, &request, NULL), POLICY_ALLOWED);
    request.scope = "https://storage.azure.com openid";
    assert_int_equal(policy_decide(config, &peer, &request, NULL), POLICY_ALLOWED);
}

TEST(a_header_leads_to_its_own_grant_only)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);
    struct policy_request request = { .profile = "backup", .grant = &config->grants[2] };
    const struct grant *grant = &config->grants[0];
    struct peer peer = over_tcp(2001);

    assert_int_equal(policy_decide(config, &peer, &request, &grant), POLICY_ALLOWED);
    assert_ptr_equal(grant, &config->grants[2]);
    /* 2000 has a grant of that profile, but showed the header of another. */
    peer = over_tcp(2000);
    assert_int_equal(policy_decide(config, &peer, &request, &grant), POLICY_NOT_GRANTED);
    request.profile = "web";
    peer = over_tcp(2001);
    assert_int_equal(policy_decide(config, &peer, &request, &grant), POLICY_NOT_GRANTED);
    assert_ptr_equal(grant, &config->grants[2]);
}

TEST(the_reason_is_that_of_the_nearest_grant)
{
    CLEANUP(agent_config_freep)
    struct agent_config *config =
        fixture_good("[profile a]\n[grant far]\nprofile = a\nuser = 1\n[grant near]\nprofile = a\nuser = 2\n"
                     "[grant nearer]\nprofile = a\nuser = 2\nunit = a.service\n");

    REFUSED(POLICY_WRONG_SCOPE, peer_of(2), POLICY_TOKEN, "a", "x");
    REFUSED(POLICY_NO_ASSERTION, peer_of(2), POLICY_ASSERTION, "a", NULL);
    for (enum policy_verdict verdict = 0; verdict < POLICY_VERDICTS; verdict++) {
        assert_non_null(policy_verdict_text(verdict));
        assert_tame(policy_verdict_text(verdict));
    }
    assert_string_equal(policy_verdict_text(POLICY_VERDICTS), policy_verdict_text(POLICY_NOT_GRANTED));
}

static enum policy_verdict single(
    const struct agent_config *config, struct peer peer, const char **ret_profile)
{
    *ret_profile = NULL;
    return policy_single_profile(config, &peer, ret_profile);
}

TEST(one_profile_is_one_and_two_are_none)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);
    CLEANUP(agent_config_freep) struct agent_config *alone = fixture_good("[profile only]\n");
    CLEANUP(agent_config_freep) struct agent_config *empty = fixture_good("");
    const char *profile = NULL;

    assert_int_equal(single(config, over_tcp(2001), &profile), POLICY_ALLOWED);
    assert_string_equal(profile, "backup");
    /* The second is for its unit only. */
    assert_int_equal(single(config, over_tcp(2000), &profile), POLICY_ALLOWED);
    assert_string_equal(profile, "backup");
    assert_int_equal(
        single(config, in_unit(over_tcp(2000), "web.service"), &profile), POLICY_SEVERAL_PROFILES);
    assert_null(profile);
    assert_int_equal(single(config, over_tcp(STRANGER), &profile), POLICY_NOT_GRANTED);
    assert_int_equal(single(config, over_tcp(0), &profile), POLICY_NOT_GRANTED);
    assert_int_equal(single(config, over_tcp(FIXTURE_OWNER), &profile), POLICY_SEVERAL_PROFILES);
    assert_int_equal(single(alone, over_tcp(FIXTURE_OWNER), &profile), POLICY_ALLOWED);
    assert_string_equal(profile, "only");
    assert_int_equal(single(empty, over_tcp(FIXTURE_OWNER), &profile), POLICY_NOT_GRANTED);
    assert_null(profile);
}

TEST(two_grants_of_one_profile_are_one_profile)
{
    CLEANUP(agent_config_freep)
    struct agent_config *config = fixture_good(
        "[profile a]\n[profile b]\n[grant x]\nprofile = a\nuser = 2\n[grant y]\nprofile = a\ngroup = 2\n");
    const char *profile = NULL;

    assert_int_equal(single(config, peer_of(2), &profile), POLICY_ALLOWED);
    assert_string_equal(profile, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_has_nothing),
        cmocka_unit_test(whom_there_is_something_for),
        cmocka_unit_test(whom_the_system_cannot_name_has_nothing_even_by_a_rule),
        cmocka_unit_test(a_request_without_a_profile_or_with_a_malformed_scope_is_refused),
        cmocka_unit_test(the_agents_own_user_has_every_token),
        cmocka_unit_test(a_grant_gives_its_profile_and_no_other),
        cmocka_unit_test(an_assertion_is_a_right_of_its_own),
        cmocka_unit_test(control_is_for_the_agents_own_user_and_root_on_the_unix_socket),
        cmocka_unit_test(metrics_are_for_those_and_whom_the_configuration_names),
        cmocka_unit_test(root_has_no_token_without_a_grant),
        cmocka_unit_test(a_group_counts_where_it_is_known),
        cmocka_unit_test(a_unit_only_narrows),
        cmocka_unit_test(a_unit_is_looked_for_only_where_it_decides),
        cmocka_unit_test(each_scope_must_be_granted),
        cmocka_unit_test(without_a_scope_of_its_own_a_profile_has_those_of_the_grant_alone),
        cmocka_unit_test(a_header_leads_to_its_own_grant_only),
        cmocka_unit_test(the_reason_is_that_of_the_nearest_grant),
        cmocka_unit_test(one_profile_is_one_and_two_are_none),
        cmocka_unit_test(two_grants_of_one_profile_are_one_profile),
    };

    return RUN_TESTS(tests);
}
