/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <sys/socket.h>
#include <unistd.h>

#include "httpd/connections.h"

static struct connection of_user(uid_t uid, int fd, int64_t deadline_ms)
{
    return (struct connection){ .fd = fd, .peer = { .uid = uid }, .deadline_ms = deadline_ms };
}

TEST(each_user_has_so_many)
{
    struct connections connections;
    struct connection mine[4];
    struct connection other = of_user(2, -1, 0);

    connections_init(&connections);
    for (size_t i = 0; i < ARRAY_LEN(mine); i++) {
        mine[i] = of_user(1, -1, 0);
        assert_true(connections_add(&connections, &mine[i], 3) == (i < 3));
    }
    assert_true(connections_add(&connections, &other, 3));
    assert_int_equal(connections_count(&connections), 4);
    connections_remove(&connections, &mine[1]);
    assert_true(connections_add(&connections, &mine[3], 3));
    connections_remove(&connections, &mine[3]); /* the first of the list, the last, and what is left */
    connections_remove(&connections, &mine[0]);
    connections_remove(&connections, &other);
    connections_remove(&connections, &mine[2]);
    assert_int_equal(connections_count(&connections), 0);
    connections_clear(&connections);
}

/* Of users whom nothing is granted there may be very many, and one person behind them. */
TEST(strangers_have_as_many_as_one_user)
{
    struct connections connections;
    struct connection strange[4];
    struct connection known = of_user(3, -1, 0);

    connections_init(&connections);
    for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
        strange[i] = of_user((uid_t)(1 + i), -1, 0);
        strange[i].is_strange = true;
        assert_true(connections_add(&connections, &strange[i], 3) == (i < 3));
    }
    assert_true(connections_add(&connections, &known, 3));
    connections_clear(&connections);
}

/* What its peer sees: 0 is the end. */
static ssize_t look(int fd)
{
    char byte = 0;

    return recv(fd, &byte, 1, MSG_DONTWAIT);
}

TEST(who_is_late_is_cut_off_once)
{
    struct connections connections;
    struct connection each[3];
    int ends[3][2];

    connections_init(&connections);
    for (size_t i = 0; i < ARRAY_LEN(each); i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]), 0);
        each[i] = of_user(1, ends[i][0], i == 2 ? CONNECTION_NO_DEADLINE : (int64_t)(1000 * (i + 1)));
        assert_true(connections_add(&connections, &each[i], 3));
    }
    assert_int_equal(connections_cut_late(&connections, 999), 0);
    assert_int_equal(connections_cut_late(&connections, 1000), 1);
    assert_int_equal(look(ends[0][1]), 0);
    assert_int_equal(look(ends[1][1]), -1);
    assert_int_equal(connections_cut_late(&connections, 1000), 0);
    connections_remove(&connections, &each[1]);
    assert_int_equal(connections_cut_late(&connections, CONNECTION_NO_DEADLINE - 1), 0);
    assert_int_equal(look(ends[1][1]), -1);
    assert_int_equal(look(ends[2][1]), -1);
    for (size_t i = 0; i < ARRAY_LEN(each); i++) {
        (void)close(ends[i][0]);
        (void)close(ends[i][1]);
    }
    connections_clear(&connections);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_user_has_so_many),
        cmocka_unit_test(strangers_have_as_many_as_one_user),
        cmocka_unit_test(who_is_late_is_cut_off_once),
    };

    return RUN_TESTS(tests);
}
