/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/grant.h"
#include "agent/identity.h"
#include "agent_fixture.h"
#include "base/str.h"
#include "scratch.h"

static void refuse(const struct agent_host *host, const char *text, const char *message, const char *hint)
{
    struct agent_config *config = NULL;
    struct keystay_error err = { 0 };

    assert_row(fixture_config(NULL, text, host, &config, &err) == KEYSTAY_E_CONFIG, text);
    assert_null(config);
    assert_contains(err.message, message);
    assert_contains(err.hint, hint);
    assert_tame(err.message);
}

TEST(what_does_not_go_together_is_told_with_its_line)
{
    const struct agent_host host = fixture_host();
    static const struct {
        const char *text, *message, *hint;
    } rows[] = {
        { "[grant g]\nuser = 1\n", "user.conf:1: [grant g] names no profile", "add profile = NAME" },
        { "[grant g]\nuser = 1\nprofile = backp\n[profile backup]\n",
          "user.conf:3: there is no profile of that name", "did you mean backup?" },
        { "[profile p]\n[grant g]\nprofile = p\n", "user.conf:2: [grant g] names no user and no group",
          "add user = NAME or" },
        { "[profile p]\n[grant g]\nprofile = p\nunit = a.service\n",
          "user.conf:2: [grant g] names no user and no group", "a unit only narrows" },
        { "[profile p]\n[grant g]\nprofile = p\nuser = 1\nuser = no such user\n",
          "user.conf:5: there is no user of that name", "repeat the key" },
        { "[profile p]\n[grant g]\nprofile = p\ngroup = no,such\n",
          "user.conf:4: there is no group of that name", "" },
        { "[profile p]\n[grant g]\nprofile = p\nuser = 65534\n",
          "user.conf:4: this is the user that the system shows", "a user of its own" },
        { "[profile p]\n[grant g]\nprofile = p\nuser = nobody\n",
          "user.conf:4: this is the user that the system shows", "" },
        { "[profile p]\n[grant g]\nprofile = p\ngroup = 65534\n", "user.conf:4: this is the group that", "" },
        { "[agent]\nmetrics_user = nobody\n", "user.conf:2: this is the user that", "" },
        { "[agent]\nmetrics_user = no-such-user\n", "user.conf:2: there is no user of that name", "" },
        { "[agent]\nprofile = x\n", "user.conf:2: there is no profile of that name", "" },
        { "[agent]\nimds = yes\n", "user.conf:2: imds needs an address", "add listen" },
        { "[agent]\nlisten = localhost:1\nlisten = [::1]:1\n", "user.conf:3: the agent listens there already",
          "localhost" },
        { "[agent]\nmax_connections = 100\nmax_connections_per_user = 101\n",
          "user.conf:3: max_connections_per_user is more than max_connections, which is 100", "" },
        { "[agent]\n[profile p]\n[grant g]\nprofile = p\nuser = 1\nenvironment = yes\n",
          "user.conf:6: environment needs an address", "add listen" },
        { "[agent]\nlisten = 127.0.0.1:0\n[profile p]\n[grant g]\nprofile = p\nuser = 1\nenvironment = yes\n",
          "user.conf:7: environment needs an address", "port of your choice" },
        { "[agent]\nlisten = 127.0.0.1:1\n[profile p]\n[grant g]\nprofile = p\ngroup = 1\nenvironment = yes\n",
          "user.conf:7: environment is for users", "add user" },
        { "[profile p]\n[grant g]\nprofile = p\nuser = 1\nassertion_file = /a\n",
          "user.conf:5: an assertion_file is for a grant of assertions", "assertion = yes" },
        { "[profile p]\n[grant g]\nprofile = p\nuser = 1\nassertion = yes\nassertion_file = /a\n"
          "[grant h]\nprofile = p\nuser = 1\nassertion = yes\nassertion_file = /a\n",
          "user.conf:11: [grant g] has the same assertion_file", "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        refuse(&host, rows[i].text, rows[i].message, rows[i].hint);
    }
}

TEST(no_agent_runs_as_nobody)
{
    struct agent_host host = fixture_host();

    host.uid = FIXTURE_NOBODY;
    refuse(&host, "", "the agent runs as user id 65534", "a user of its own");
}

TEST(a_socket_needs_a_folder_and_a_short_name)
{
    struct agent_host host = fixture_host();
    char text[200];

    host.runtime_dir = NULL;
    refuse(&host, "", "there is no XDG_RUNTIME_DIR", "set socket = PATH");
    host.runtime_dir = "run";
    refuse(&host, "", "there is no XDG_RUNTIME_DIR", "set socket = PATH");
    host.runtime_dir =
        "/run/01234567890123456789012345678901234567890123456789012345678901234567890123456789012345";
    refuse(&host, "", "longer than the 107 bytes", "set another socket");
    for (int n = 107; n <= 108; n++) {
        CLEANUP(agent_config_freep) struct agent_config *config = NULL;

        (void)snprintf(text, sizeof(text), "[agent]\nsocket = /%0*d\n", n - 1, 0);
        assert_int_equal(
            fixture_config(NULL, text, &host, &config, NULL), n == 107 ? KEYSTAY_OK : KEYSTAY_E_CONFIG);
    }
    refuse(&host, text, "user.conf:2: the path of the agent's socket is longer", "");
}

TEST(nothing_said_is_the_defaults)
{
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good("[profile a]\n");
    CLEANUP(agent_config_freep) struct agent_config *of_root = NULL;
    struct agent_host host = fixture_host();

    assert_int_equal(config->owner, FIXTURE_OWNER);
    assert_int_equal(config->nobody, FIXTURE_NOBODY);
    assert_string_equal(config->socket, "/run/user/1000/keystay/agent.sock");
    assert_int_equal(config->socket_mode, 0600);
    assert_true(config->n_listen == 0 && !config->imds && !config->lock_on_suspend);
    assert_true(config->n_grants == 0 && config->opened.n == 0 && config->metrics_users.n == 0);
    assert_int_equal(config->profiles.n, 1);
    assert_int_equal(config->max_connections, 1024);
    assert_int_equal(config->max_connections_per_user, 256);
    assert_int_equal(config->request_timeout_s, 60);
    assert_int_equal(config->lock_after_s, 0);
    assert_null(agent_config_fixed_address(config));
    host.uid = 0;
    host.runtime_dir = NULL;
    assert_ok(fixture_config(NULL, "", &host, &of_root, NULL));
    assert_string_equal(of_root->socket, "/run/keystay/agent.sock");
    assert_int_equal(of_root->socket_mode, 0666);
}

TEST(what_is_said_is_there)
{
    CLEANUP(agent_config_freep)
    struct agent_config *config = fixture_good(
        "[agent]\nsocket = /run/k.sock\nsocket_mode = 0660\nlisten = 127.0.0.1:0\nlisten = localhost:40342\nimds = yes\n"
        "profile = b\nmetrics_user = root\nmetrics_user = 9\nmax_connections = 64\nrequest_timeout = 5\n"
        "lock_after = 900\nlock_on_suspend = yes\n[profile a]\n[profile b]\n"
        "[grant g]\nprofile = a\nuser = root\nuser = 7\ngroup = 8\ngroup = root\nunit = x.service\nunit = y.scope\n"
        "scope = *\nscope = api://x\nassertion = yes\nassertion_file = /run/g\nenvironment = yes\n"
        "[grant h]\nprofile = a\nuser = 1\n");
    const struct grant *grant = &config->grants[0];

    assert_string_equal(config->socket, "/run/k.sock");
    assert_int_equal(config->socket_mode, 0660);
    assert_int_equal(config->n_listen, 3);
    assert_ptr_equal(agent_config_fixed_address(config), &config->listen[1]);
    assert_true(config->imds && config->lock_on_suspend);
    assert_int_equal(config->lock_after_s, 900);
    assert_int_equal(config->request_timeout_s, 5);
    assert_int_equal(config->max_connections_per_user, 64); /* no more than all */
    assert_true(config->metrics_users.n == 2 && config->metrics_users.items[0] == 0);
    assert_int_equal(config->metrics_users.items[1], 9);
    assert_true(config->opened.n == 1 && str_equal(config->opened.items[0], "b"));
    assert_true(config->profiles.n == 2 && str_equal(config->profiles.items[1], "b"));
    assert_int_equal(config->n_grants, 2);
    assert_string_equal(grant->name, "g");
    assert_string_equal(grant->profile, "a");
    assert_true(grant->users.n == 2 && grant->users.items[0] == 0 && grant->users.items[1] == 7);
    assert_true(grant->groups.n == 2 && grant->groups.items[0] == 8 && grant->groups.items[1] == 0);
    assert_true(grant->units.n == 2 && str_equal(grant->units.items[1], "y.scope"));
    assert_true(grant->any_scope && grant->scopes.n == 1 && str_equal(grant->scopes.items[0], "api://x"));
    assert_true(grant->assertion && grant->environment);
    assert_string_equal(grant->assertion_file, "/run/g");
    grant = &config->grants[1];
    assert_true(
        !grant->any_scope && !grant->assertion && !grant->environment && grant->assertion_file == NULL);
    assert_true(grant->units.n == 0 && grant->groups.n == 0);
}

TEST(what_grants_name_is_opened_each_once)
{
    CLEANUP(agent_config_freep)
    struct agent_config *config =
        fixture_good("[profile a]\n[profile b]\n[profile c]\n[grant x]\nprofile = c\nuser = 1\n"
                     "[grant y]\nprofile = a\nuser = 1\n[grant z]\nprofile = c\nuser = 2\n");

    assert_int_equal(config->opened.n, 2);
    assert_string_equal(config->opened.items[0], "c");
    assert_string_equal(config->opened.items[1], "a");
}

TEST(two_files_make_one_agent)
{
    CLEANUP(agent_config_freep) struct agent_config *config = NULL;
    const struct agent_host host = fixture_host();
    struct keystay_error err = { 0 };

    assert_ok(fixture_config(
        "[agent]\nlock_after = 5\nlisten = 127.0.0.1:1\nlisten = [::1]:2\n[profile a]\n"
        "[grant g]\nprofile = a\nuser = 1\nuser = 2\nassertion = yes\n",
        "[agent]\nlisten = 127.0.0.1:3\n[grant g]\nuser = 3\n", &host, &config, NULL));
    assert_int_equal(config->lock_after_s, 5);
    assert_true(config->n_listen == 1 && config->listen[0].port == 3);
    assert_int_equal(config->n_grants, 1);
    assert_true(config->grants[0].users.n == 1 && config->grants[0].users.items[0] == 3);
    assert_true(config->grants[0].assertion);
    /* The line is that of the file in which it stands. */
    struct agent_config *none = NULL;
    assert_int_equal(
        fixture_config("[grant g]\n\nprofile = a\n", "[grant g]\nuser = 3\n", &host, &none, &err),
        KEYSTAY_E_CONFIG);
    assert_contains(err.message, "system.conf:3: there is no profile");
}

TEST(many_grants_are_read)
{
    CLEANUP(buf_clear) struct buf text = BUF(CONFIG_SIZE_MAX);

    assert_ok(buf_puts(&text, "[profile a]\n", NULL));
    for (int i = 0; i < CONFIG_SECTIONS_MAX - 1; i++) {
        char grant[60];
        (void)snprintf(grant, sizeof(grant), "[grant g%d]\nprofile = a\nuser = %d\n", i, i);
        assert_ok(buf_puts(&text, grant, NULL));
    }
    CLEANUP(agent_config_freep) struct agent_config *config = fixture_good(buf_str(&text));
    assert_int_equal(config->n_grants, CONFIG_SECTIONS_MAX - 1);
    assert_int_equal(config->grants[998].users.items[0], 998);
}

TEST(names_are_found_and_numbers_taken)
{
    uid_t uid = 7;
    gid_t gid = 7;
    struct keystay_error err = { 0 };

    assert_ok(identity_user("root", &uid, NULL));
    assert_int_equal(uid, 0);
    assert_ok(identity_group("root", &gid, NULL));
    assert_int_equal(gid, 0);
    assert_ok(identity_user("4000000000", &uid, NULL)); /* whether there is one or not */
    assert_int_equal(uid, 4000000000U);
    assert_int_equal(identity_user("no-such-hunter2", &uid, &err), KEYSTAY_E_CONFIG);
    assert_lacks(err.message, "hunter2");
    assert_int_equal(identity_group("no-such-group", &gid, &err), KEYSTAY_E_CONFIG);
    assert_int_equal(identity_user("4294967295", &uid, NULL), KEYSTAY_E_CONFIG);
    assert_int_equal(identity_user("", &uid, NULL), KEYSTAY_E_CONFIG);
    assert_int_equal(uid, 4000000000U);
}

TEST(this_process_is_somebody)
{
    KEPT_ENV folder = env_set("XDG_RUNTIME_DIR", "/run/user/7");
    const struct agent_host host = agent_host();

    assert_int_equal(host.uid, geteuid());
    assert_string_equal(host.runtime_dir, "/run/user/7");
    assert_true(host.nobody > 0 && host.nogroup > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_go_together_is_told_with_its_line),
        cmocka_unit_test(no_agent_runs_as_nobody),
        cmocka_unit_test(a_socket_needs_a_folder_and_a_short_name),
        cmocka_unit_test(nothing_said_is_the_defaults),
        cmocka_unit_test(what_is_said_is_there),
        cmocka_unit_test(what_grants_name_is_opened_each_once),
        cmocka_unit_test(two_files_make_one_agent),
        cmocka_unit_test(many_grants_are_read),
        cmocka_unit_test(names_are_found_and_numbers_taken),
        cmocka_unit_test(this_process_is_somebody),
    };

    return RUN_TESTS(tests);
}
