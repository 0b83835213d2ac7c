/* SPDX-License-Identifier: Apache-2.0 */
/* Which doors an agent opens. The sockets are real; the HTTP server and the service manager are made up. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/listen.h"
#include "agent/service.h"
#include "agent_fixture.h"
#include "scratch.h"
#include "sockets.h"

static int n_served;
static int handed[DOORS_MAX + 1];
static int n_handed;

enum keystay_status __wrap_httpd_serve(
    struct httpd *httpd, int fd, enum peer_kind kind, struct keystay_error *err);
int __wrap_service_count_sockets(void);
int __wrap_service_socket(int i);
enum keystay_status __wrap_service_socket_kind(int fd, enum peer_kind *ret_kind, struct keystay_error *err);

enum keystay_status __wrap_httpd_serve(
    struct httpd *httpd, int fd, enum peer_kind kind, struct keystay_error *err)
{
    struct sockaddr_storage address = { 0 };
    socklen_t size = sizeof(address);

    (void)httpd;
    (void)err;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(address.ss_family == AF_UNIX, kind == PEER_UNIX);
    assert_int_equal(close(fd), 0);
    n_served++;
    return KEYSTAY_OK;
}

int __wrap_service_count_sockets(void)
{
    return n_handed;
}

int __wrap_service_socket(int i)
{
    return handed[i];
}

enum keystay_status __wrap_service_socket_kind(int fd, enum peer_kind *ret_kind, struct keystay_error *err)
{
    (void)fd;
    (void)err;
    *ret_kind = PEER_TCP;
    return KEYSTAY_OK;
}

/* An agent that listens at agent.sock in the folder, and at n addresses. */
struct place {
    struct scratch folder;
    char path[SCRATCH_PATH_SIZE];
    struct agent agent;
};

static void place_init(struct place *place, const struct agent_address *addresses, size_t n)
{
    char text[SCRATCH_PATH_SIZE + 32];
    struct world *world = calloc(1, sizeof(*world));

    *place = (struct place){ .folder = scratch_new() };
    (void)snprintf(
        text, sizeof(text), "[agent]\nsocket = %s\n",
        scratch_path(&place->folder, "agent.sock", place->path));
    assert_non_null(world);
    atomic_init(&world->n_users, 1);
    world->config = fixture_good(text);
    for (size_t i = 0; i < n; i++) {
        world->config->listen[i] = addresses[i];
    }
    world->config->n_listen = n;
    world_place_init(&place->agent.world);
    world_put(&place->agent.world, world);
    (void)pthread_mutex_init(&place->agent.doors.lock, NULL);
    n_served = n_handed = 0;
}

static void place_clear(struct place *place)
{
    listen_end(&place->agent);
    listen_clear(&place->agent);
    world_place_clear(&place->agent.world);
    scratch_remove(&place->folder);
}

#define PLACE CLEANUP(place_clear) struct place

static const struct agent_address any_v4 = { .is_v6 = false };
static const struct agent_address any_v6 = { .is_v6 = true };

TEST(all_that_is_configured_is_served)
{
    const struct agent_address addresses[] = { any_v6, any_v4 };
    PLACE place;
    char expected[64];
    char url[64];

    place_init(&place, addresses, 2);
    assert_ok(listen_everywhere(&place.agent, NULL));
    assert_int_equal(n_served, 3);
    assert_int_equal(place.agent.doors.n, 3);
    assert_string_equal(place.agent.doors.present[0], place.path);
    assert_contains(place.agent.doors.present[1], "[::1]:");
    (void)snprintf(expected, sizeof(expected), "127.0.0.1:%u", place.agent.doors.sdk_port);
    assert_string_equal(place.agent.doors.present[2], expected); /* what most SDKs can talk to goes first */
    assert_ok(listen_sdk_url(&place.agent, url, sizeof(url), NULL));
    (void)snprintf(expected, sizeof(expected), "http://127.0.0.1:%u/MSI/token", place.agent.doors.sdk_port);
    assert_string_equal(url, expected);
    assert_int_equal(n_served, 3);
    assert_true(exists(place.path));
    listen_end(&place.agent);
    assert_false(exists(place.path));
}

TEST(where_there_is_v6_alone_sdks_ask_there)
{
    PLACE place;
    char expected[64];
    char url[64];

    place_init(&place, &any_v6, 1);
    assert_ok(listen_everywhere(&place.agent, NULL));
    assert_ok(listen_sdk_url(&place.agent, url, sizeof(url), NULL));
    (void)snprintf(expected, sizeof(expected), "http://[::1]:%u/MSI/token", place.agent.doors.sdk_port);
    assert_string_equal(url, expected);
    assert_int_equal(n_served, 2);
}

TEST(where_there_is_none_one_is_opened_once)
{
    PLACE place;
    char url[64];
    char again[64];

    place_init(&place, NULL, 0);
    assert_ok(listen_everywhere(&place.agent, NULL));
    assert_int_equal(n_served, 1);
    assert_ok(listen_sdk_url(&place.agent, url, sizeof(url), NULL));
    assert_ok(listen_sdk_url(&place.agent, again, sizeof(again), NULL));
    assert_string_equal(url, again);
    assert_int_equal(n_served, 2);
    assert_int_equal(place.agent.doors.n, 2);
}

TEST(there_are_so_many_doors_and_no_more)
{
    struct agent_address addresses[DOORS_MAX] = { 0 };
    const size_t n_fds = count_fds();

    {
        PLACE place;
        struct keystay_error err = { 0 };

        place_init(&place, addresses, DOORS_MAX); /* and the socket */
        assert_int_equal(listen_everywhere(&place.agent, &err), KEYSTAY_E_CONFIG);
        assert_contains(err.message, "more than 16 addresses");
        assert_int_equal(n_served, 0); /* nobody is answered by half an agent */
        assert_int_equal(count_fds(), n_fds);
    }
    {
        PLACE place;

        place_init(&place, addresses, DOORS_MAX - 1);
        assert_ok(listen_everywhere(&place.agent, NULL));
        assert_int_equal(n_served, DOORS_MAX);
        assert_int_equal(count_fds(), n_fds);
    }
}

TEST(an_address_that_is_taken_leaves_nothing_behind)
{
    struct agent_address addresses[] = { any_v4, any_v4 };
    FD taken = -1;
    PLACE place;
    struct keystay_error err = { 0 };

    assert_ok(listen_tcp(&any_v4, &taken, NULL));
    addresses[1].port = port_of(taken, false);
    place_init(&place, addresses, 2);
    const size_t n_fds = count_fds();
    assert_int_equal(listen_everywhere(&place.agent, &err), KEYSTAY_E_AGENT);
    assert_contains(err.message, "cannot listen at 127.0.0.1:");
    assert_int_equal(n_served, 0);
    assert_int_equal(count_fds(), n_fds);
    listen_end(&place.agent);
    assert_false(exists(place.path));
}

static void hand_over(int n)
{
    for (int i = 0; i < n; i++) {
        assert_ok(listen_tcp(&any_v4, &handed[i], NULL));
    }
    n_handed = n;
}

TEST(what_is_handed_over_is_served_instead)
{
    PLACE place;

    place_init(&place, &any_v4, 1);
    scratch_put(&place.folder, "agent.sock", SLICE(""), 0600);
    hand_over(DOORS_MAX);
    assert_ok(listen_everywhere(&place.agent, NULL));
    assert_int_equal(n_served, DOORS_MAX);
    assert_int_equal(place.agent.doors.n, DOORS_MAX);
    listen_end(&place.agent);
    assert_true(exists(place.path)); /* the agent has not made it */

    place.agent.doors.sdk_port = 0; /* as if they were all Unix sockets: no place for one of TCP */
    char url[64];
    assert_int_equal(listen_sdk_url(&place.agent, url, sizeof(url), NULL), KEYSTAY_E_CONFIG);
    assert_int_equal(n_served, DOORS_MAX);
}

TEST(too_much_is_handed_over)
{
    PLACE place;

    place_init(&place, NULL, 0);
    const size_t n_fds = count_fds();
    hand_over(DOORS_MAX + 1);
    assert_int_equal(listen_everywhere(&place.agent, NULL), KEYSTAY_E_CONFIG);
    assert_int_equal(n_served, 0);
    assert_int_equal(count_fds(), n_fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_is_configured_is_served),
        cmocka_unit_test(where_there_is_v6_alone_sdks_ask_there),
        cmocka_unit_test(where_there_is_none_one_is_opened_once),
        cmocka_unit_test(there_are_so_many_doors_and_no_more),
        cmocka_unit_test(an_address_that_is_taken_leaves_nothing_behind),
        cmocka_unit_test(what_is_handed_over_is_served_instead),
        cmocka_unit_test(too_much_is_handed_over),
    };

    return RUN_TESTS(tests);
}
