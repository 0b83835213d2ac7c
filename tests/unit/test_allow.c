/* SPDX-License-Identifier: Apache-2.0 */
/* What of a request the policy is asked with; the policy itself has tests of its own. */
#include "agent/allow.h"

#include <stdarg.h>
#include <stdio.h>

#include "agent_fixture.h"
#include "base/str.h"
#include "unit.h"

static const char rules[] = "[profile web]\n"
                            "[profile plain]\n"
                            "[grant web]\n"
                            "profile = web\n"
                            "user = 2000\n"
                            "unit = web.service\n"
                            "[grant plain]\n"
                            "profile = plain\n"
                            "user = 2001\n";

/* The caller of the only request there is, and what its control group would tell. */
static struct peer caller;
static const char *caller_unit;
static unsigned int n_searches;
static unsigned int answered; /* HTTP status; 0: not yet */

const struct peer *__wrap_request_peer(const struct request *request);
void __wrap_request_find_unit(struct request *request);
void __wrap_reply_refusal(
    struct request *request, enum dialect dialect, unsigned int http_status, enum keystay_status status,
    const char *format, ...);

const struct peer *__wrap_request_peer(const struct request *request)
{
    (void)request;
    return &caller;
}

void __wrap_request_find_unit(struct request *request)
{
    (void)request;
    n_searches++;
    (void)snprintf(caller.unit, sizeof(caller.unit), "%s", caller_unit);
}

void __wrap_reply_refusal(
    struct request *request, enum dialect dialect, unsigned int http_status, enum keystay_status status,
    const char *format, ...)
{
    (void)request;
    (void)dialect;
    (void)status;
    (void)format;
    answered = http_status;
}

static void begin(uid_t uid, const char *unit)
{
    caller = (struct peer){ .kind = PEER_TCP, .uid = uid };
    caller_unit = unit;
    n_searches = 0;
    answered = 0;
}

/* There are no holders here, so whoever may is told that the profile is not there. */
enum { MAY = 400, MAY_NOT = 403 };

static unsigned int ask_for(
    const struct agent_config *config, const struct peer *who, const char *profile, const struct grant *grant)
{
    struct agent agent = { .log = NULL };
    struct world world = { .config = drop_const(config) };
    const struct claimant claimant = { &agent, NULL, DIALECT_APP_SERVICE, &world, who };
    const struct wish wish = { 0 };
    struct holder *holder = NULL;

    assert_false(allow_token(&claimant, POLICY_TOKEN, profile, &wish, grant, &holder));
    return answered;
}

TEST(the_unit_of_a_caller_over_tcp_counts)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);

    begin(2000, "web.service");
    assert_int_equal(ask_for(config, &caller, "web", NULL), MAY);
    begin(2000, "web.service");
    assert_int_equal(ask_for(config, &caller, "web", &config->grants[0]), MAY);
    assert_int_equal(n_searches, 1);
    begin(2000, "other.service");
    assert_int_equal(ask_for(config, &caller, "web", NULL), MAY_NOT);
    begin(2000, "");
    assert_int_equal(ask_for(config, &caller, "web", NULL), MAY_NOT);
}

TEST(it_is_not_looked_for_where_it_decides_nothing)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);

    begin(2001, "web.service");
    assert_int_equal(ask_for(config, &caller, "plain", NULL), MAY);
    assert_int_equal(ask_for(config, &caller, "web", NULL), MAY_NOT);
    begin(3000, "web.service");
    assert_int_equal(ask_for(config, &caller, "web", NULL), MAY_NOT);
    assert_int_equal(n_searches, 0);
}

/* Of whoever was given a header, the unit is what it was then. */
TEST(the_callers_unit_is_not_that_of_whom_it_speaks_for)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);
    const struct peer bearer = { .kind = PEER_UNIX, .uid = 2000 };

    begin(2000, "web.service");
    assert_int_equal(ask_for(config, &bearer, "web", NULL), MAY_NOT);
    assert_int_equal(n_searches, 0);
}

static bool has_single(const struct agent_config *config, const char **ret_profile)
{
    struct agent agent = { .log = NULL };
    struct world world = { .config = drop_const(config) };
    const struct claimant claimant = { &agent, NULL, DIALECT_OAUTH, &world, &caller };

    return allow_single_profile(&claimant, ret_profile);
}

TEST(a_single_profile_by_the_unit)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(rules);
    const char *profile = NULL;

    begin(2000, "web.service");
    assert_true(has_single(config, &profile));
    assert_string_equal(profile, "web");
    assert_int_equal(answered, 0);
    begin(2000, "other.service");
    assert_false(has_single(config, &profile));
    assert_int_equal(answered, MAY_NOT);
    begin(2001, "web.service");
    assert_true(has_single(config, &profile));
    assert_string_equal(profile, "plain");
    assert_int_equal(n_searches, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_unit_of_a_caller_over_tcp_counts),
        cmocka_unit_test(it_is_not_looked_for_where_it_decides_nothing),
        cmocka_unit_test(the_callers_unit_is_not_that_of_whom_it_speaks_for),
        cmocka_unit_test(a_single_profile_by_the_unit),
    };

    return RUN_TESTS(tests);
}
