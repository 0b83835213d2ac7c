/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "core/agent_socket.h"

TEST(there_must_be_a_place)
{
    char path[AGENT_SOCKET_SIZE] = "as before";
    struct keystay_error err;

    assert_int_equal(agent_socket_path(NULL, 1000, NULL, path, &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, "XDG_RUNTIME_DIR");
    assert_int_equal(agent_socket_path(NULL, 1000, "run/user", path, &err), KEYSTAY_E_CONFIG);
    assert_string_equal(path, "as before");
}

TEST(the_usual_places)
{
    char path[AGENT_SOCKET_SIZE];

    assert_ok(agent_socket_path(NULL, 1000, "/run/user/1000", path, NULL));
    assert_string_equal(path, "/run/user/1000/keystay/agent.sock");
    assert_ok(agent_socket_path(NULL, 0, "/run/user/0", path, NULL));
    assert_string_equal(path, "/run/keystay/agent.sock");
}

TEST(what_is_configured_wins)
{
    char path[AGENT_SOCKET_SIZE];

    assert_ok(agent_socket_path("/run/k.sock", 0, NULL, path, NULL));
    assert_string_equal(path, "/run/k.sock");
    assert_ok(agent_socket_path("/run/k.sock", 1000, "/run/user/1000", path, NULL));
    assert_string_equal(path, "/run/k.sock");
}

/* unix(7): sun_path, with a NUL. */
TEST(a_path_has_up_to_107_bytes)
{
    char text[AGENT_SOCKET_SIZE + 1];
    char path[AGENT_SOCKET_SIZE];
    struct keystay_error err;

    (void)snprintf(text, sizeof(text), "/%0*d", AGENT_SOCKET_SIZE - 2, 0);
    assert_ok(agent_socket_path(text, 0, NULL, path, NULL));
    assert_string_equal(path, text);
    (void)snprintf(text, sizeof(text), "/%0*d", AGENT_SOCKET_SIZE - 1, 0);
    assert_int_equal(agent_socket_path(text, 0, NULL, path, &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, "longer than the 107 bytes");
    assert_int_equal(agent_socket_path(NULL, 1000, text, path, &err), KEYSTAY_E_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_must_be_a_place),
        cmocka_unit_test(the_usual_places),
        cmocka_unit_test(what_is_configured_wins),
        cmocka_unit_test(a_path_has_up_to_107_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
