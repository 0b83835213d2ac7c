/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever should read the log has stopped, is gone, or has no room: nothing waits, and what is there is
 * whole. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/outlet.h"

enum { LINES_MAX = 100000, SAID_MAX = 512 * 1024 };

static char said[SAID_MAX];

/* A line that waits would wait for ever. */
static void no_waiting(void)
{
    (void)alarm(20);
}

static unsigned int fill(struct outlet *outlet)
{
    char text[32];
    unsigned int n = 0;

    do {
        (void)snprintf(text, sizeof(text), "line %u", n);
    } while (outlet_put(outlet, text) && ++n < LINES_MAX);
    assert_true(n < LINES_MAX);
    return n;
}

/* What has come so far. */
static const char *take(int fd)
{
    size_t len = 0;
    ssize_t n = 0;

    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while ((n = read(fd, said + len, sizeof(said) - 1 - len)) > 0) {
        len += (size_t)n;
    }
    said[len] = '\0';
    return said;
}

static void check_whole(const char *text, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        char line[32];
        const size_t len = (size_t)snprintf(line, sizeof(line), "line %u\n", i);

        assert_memory_equal(text, line, len);
        text += len;
    }
    assert_string_equal(text, "");
}

/* ends[0] is read, ends[1] written. */
static void stop_reading_and_go_on(int ends[2])
{
    struct outlet outlet;

    no_waiting();
    outlet_init(&outlet, ends[1]);
    const unsigned int n = fill(&outlet);
    assert_false(outlet_put(&outlet, "a line that is longer than what is left is lost, and leaves no part"));
    assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0); /* of others too */
    check_whole(take(ends[0]), n);
    assert_true(outlet_put(&outlet, "it goes on"));
    assert_string_equal(take(ends[0]), "it goes on\n");
    outlet_clear(&outlet);
}

TEST(a_pipe_that_nobody_reads)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    stop_reading_and_go_on(ends);
    (void)close(ends[0]);
    assert_int_equal(write(ends[1], "", 0), 0); /* it is still the caller's */
    (void)close(ends[1]);
}

/* As systemd's journal is. */
TEST(a_socket_that_nobody_reads)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    stop_reading_and_go_on(ends);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* Without a signal, which would end the process here. */
TEST(a_reader_that_is_gone)
{
    static const bool is_pipe[] = { true, false };

    for (size_t i = 0; i < ARRAY_LEN(is_pipe); i++) {
        struct outlet outlet;
        int ends[2];

        assert_int_equal(is_pipe[i] ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        outlet_init(&outlet, ends[1]);
        assert_true(outlet_put(&outlet, "x"));
        (void)close(ends[0]);
        assert_false(outlet_put(&outlet, "x"));
        outlet_clear(&outlet);
        outlet_init(&outlet, ends[1]); /* it was gone before */
        assert_false(outlet_put(&outlet, "x"));
        outlet_clear(&outlet);
        (void)close(ends[1]);
    }
}

TEST(no_room_and_no_descriptor)
{
    struct outlet outlet;
    const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    assert_true(full >= 0);
    outlet_init(&outlet, full);
    assert_false(outlet_put(&outlet, "x"));
    outlet_clear(&outlet);
    (void)close(full);
    outlet_init(&outlet, full);
    assert_false(outlet_put(&outlet, "x"));
    outlet_clear(&outlet);
}

/* A disk that was full in the middle of a line. */
TEST(what_follows_a_part_of_a_line_is_a_line_of_its_own)
{
    struct temp_file file = temp_file(SLICE(""));
    const int fd = open(file.path, O_RDWR | O_APPEND | O_CLOEXEC);
    struct rlimit before;
    struct outlet outlet;

    assert_true(fd >= 0 && getrlimit(RLIMIT_FSIZE, &before) == 0);
    const struct rlimit little = { 10, before.rlim_max };
    (void)signal(SIGXFSZ, SIG_IGN);
    outlet_init(&outlet, fd);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    assert_false(outlet_put(&outlet, "more than there is room for"));
    assert_false(outlet_put(&outlet, "nothing goes now"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(outlet_put(&outlet, "there is\nroom"));
    assert_true(outlet_put(&outlet, "again"));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_string_equal(take(fd), "more than \nthere is room\nagain\n");
    outlet_clear(&outlet);
    (void)close(fd);
    temp_file_remove(&file);
}

TEST(a_line_that_is_too_long_is_cut)
{
    char text[2 * OUTLET_LINE_MAX];
    struct outlet outlet;
    int ends[2];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(pipe(ends), 0);
    outlet_init(&outlet, ends[1]);
    assert_true(outlet_put(&outlet, text));
    assert_int_equal(strlen(take(ends[0])), OUTLET_LINE_MAX);
    assert_int_equal(said[OUTLET_LINE_MAX - 1], '\n');
    assert_true(outlet_put(&outlet, ""));
    assert_string_equal(take(ends[0]), "\n");
    outlet_clear(&outlet);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_room_and_no_descriptor),
        cmocka_unit_test(a_pipe_that_nobody_reads),
        cmocka_unit_test(a_socket_that_nobody_reads),
        cmocka_unit_test(a_line_that_is_too_long_is_cut),
        cmocka_unit_test(a_reader_that_is_gone),
        cmocka_unit_test(what_follows_a_part_of_a_line_is_a_line_of_its_own),
    };

    return RUN_TESTS(tests);
}
