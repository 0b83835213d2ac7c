/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets are real. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/listen.h"
#include "scratch.h"
#include "sockets.h"

#define SCRATCH CLEANUP(scratch_remove) struct scratch

static uid_t euid_offset; /* not 0: as if this were another user */

uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);
uid_t __wrap_geteuid(void)
{
    return __real_geteuid() + euid_offset;
}

static mode_t mode_of(const char *path)
{
    struct stat info;

    assert_int_equal(lstat(path, &info), 0);
    return info.st_mode & 07777;
}

/* A connection that does not wait; -1 with errno. */
static int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        const int why = errno;
        (void)close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

static int listen_ok(const char *path, mode_t mode)
{
    struct keystay_error err = { 0 };
    int fd = -1;

    if (listen_unix(path, mode, &fd, &err) != KEYSTAY_OK) {
        fail_msg("%s", err.message);
    }
    return fd;
}

static void assert_no_listening(const char *path, const char *words)
{
    struct keystay_error err = { 0 };
    const size_t n_fds = count_fds();
    int fd = -1;

    assert_int_equal(listen_unix(path, 0600, &fd, &err), KEYSTAY_E_CONFIG);
    assert_int_equal(fd, -1);
    assert_contains(err.message, words);
    assert_int_equal(count_fds(), n_fds);
}

TEST(a_path_is_absolute_and_short)
{
    SCRATCH folder = scratch_new();
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
    const size_t len = strlen(folder.path);

    assert_no_listening("", "absolute and short");
    assert_no_listening("agent.sock", "absolute and short");
    memset(path, 'x', sizeof(path));
    memcpy(path, folder.path, len);
    path[len] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_no_listening(path, "absolute and short");
    assert_int_equal(rmdir(folder.path), 0); /* nothing was left in it */
    path[sizeof(path) - 2] = '\0';           /* the longest there is */
    FD fd = listen_ok(path, 0600);
    FD caller = connect_to(path);
    assert_true(caller >= 0);
}

TEST(whoever_may_can_connect)
{
    SCRATCH folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    FD fd = listen_ok(scratch_path(&folder, "agent.sock", path), 0600);
    FD caller = connect_to(path);

    assert_true(caller >= 0);
    FD served = accept(fd, NULL, NULL);
    assert_true(served >= 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

/* Nobody but the agent opens the lock; folders that are there already stay as they are. */
int __real_chmod(const char *path, mode_t mode);
int __wrap_chmod(const char *path, mode_t mode);

/* Up to this moment it is no more open than it is to be. */
int __wrap_chmod(const char *path, mode_t mode)
{
    assert_int_equal(mode_of(path) & ~mode, 0);
    return __real_chmod(path, mode);
}

TEST(modes_are_as_they_should_be_whatever_the_umask)
{
    static const mode_t umasks[] = { 0, 0022, 0077, 0777 };
    static const struct {
        mode_t socket, folder;
    } rows[] = { { 0600, 0700 }, { 0660, 0700 }, { 0666, 0755 } };

    for (size_t i = 0; i < ARRAY_LEN(umasks); i++) {
        for (size_t j = 0; j < ARRAY_LEN(rows); j++) {
            SCRATCH scratch = scratch_new();
            char folder[SCRATCH_PATH_SIZE];
            char path[SCRATCH_PATH_SIZE];
            char lock[SCRATCH_PATH_SIZE];
            const mode_t before = umask(umasks[i]);
            FD fd = listen_ok(scratch_path(&scratch, "new/agent.sock", path), rows[j].socket);

            assert_int_equal(umask(before), umasks[i]);
            assert_int_equal(mode_of(scratch_path(&scratch, "new", folder)), rows[j].folder);
            assert_int_equal(mode_of(path), rows[j].socket);
            assert_int_equal(mode_of(scratch_path(&scratch, "new/agent.sock.lock", lock)), 0600);
            assert_int_equal(mode_of(scratch.path), 0700);
        }
    }
}

TEST(only_the_last_folder_is_made)
{
    SCRATCH folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];

    assert_no_listening(scratch_path(&folder, "a/b/agent.sock", path), "cannot make the folder");
    scratch_put(&folder, "file", SLICE(""), 0600);
    assert_no_listening(scratch_path(&folder, "file/agent.sock", path), "cannot open");
}

TEST(a_socket_that_was_left_behind_is_replaced)
{
    SCRATCH folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    int before = listen_ok(scratch_path(&folder, "agent.sock", path), 0666);

    (void)close(before);
    assert_true(exists(path));
    assert_int_equal(connect_to(path), -1);
    FD fd = listen_ok(path, 0600);
    FD caller = connect_to(path);
    assert_true(caller >= 0);
    assert_int_equal(mode_of(path), 0600);
}

TEST(one_that_is_listened_at_is_respected)
{
    SCRATCH folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    FD first = listen_ok(scratch_path(&folder, "agent.sock", path), 0600);

    assert_no_listening(path, "an agent listens at");
    FD caller = connect_to(path);
    assert_true(caller >= 0);
    assert_true(exists(path));
}

/* It does not refuse, it is only slow: there is no place in its queue. */
TEST(also_while_it_is_busy)
{
    SCRATCH folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    FD first = listen_ok(scratch_path(&folder, "agent.sock", path), 0600);
    int callers[8];
    size_t n = 0;

    assert_int_equal(listen(first, 1), 0);
    while (n < ARRAY_LEN(callers) && (callers[n] = connect_to(path)) >= 0) {
        n++;
    }
    assert_in_range(n, 1, ARRAY_LEN(callers) - 1);
    assert_no_listening(path, "an agent listens at");
    while (n > 0) {
        (void)close(callers[--n]);
    }
}

TEST(what_is_no_socket_is_left_alone_and_named)
{
    SCRATCH folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    char other[SCRATCH_PATH_SIZE];

    scratch_put(&folder, "file", SLICE("precious"), 0600);
    assert_no_listening(scratch_path(&folder, "file", path), path);
    assert_true(exists(path));
    assert_int_equal(mkdir(scratch_path(&folder, "folder", path), 0700), 0);
    assert_no_listening(path, path);
    assert_true(exists(path));
    FD fd = listen_ok(scratch_path(&folder, "agent.sock", other), 0600);
    file_closep(&fd);
    assert_int_equal(symlink(other, scratch_path(&folder, "link", path)), 0); /* to a stale socket */
    assert_no_listening(path, path);
    assert_true(exists(path) && exists(other));
}

TEST(a_lock_that_is_not_ours_is_not_used)
{
    SCRATCH folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    char lock[SCRATCH_PATH_SIZE];

    (void)scratch_path(&folder, "agent.sock", path);
    (void)scratch_path(&folder, "agent.sock.lock", lock);
    scratch_put(&folder, "agent.sock.lock", SLICE(""), 0666);
    euid_offset = 1;
    assert_no_listening(path, "another user's");
    euid_offset = 0;
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(mkfifo(lock, 0600), 0);
    assert_no_listening(path, "no file");
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(mkdir(lock, 0700), 0);
    assert_no_listening(path, lock);
    assert_int_equal(rmdir(lock), 0);
    scratch_put(&folder, "target", SLICE(""), 0600);
    char target[SCRATCH_PATH_SIZE];
    assert_int_equal(symlink(scratch_path(&folder, "target", target), lock), 0);
    assert_no_listening(path, lock);
    assert_false(exists(path));
}

struct waiting {
    const char *path;
    atomic_int fd;
};

static void *listen_there(void *context)
{
    struct waiting *waiting = context;

    atomic_store(&waiting->fd, listen_ok(waiting->path, 0600));
    return NULL;
}

TEST(one_agent_at_a_time_sees_to_a_path)
{
    SCRATCH folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    char lock[SCRATCH_PATH_SIZE];
    struct waiting waiting = { .path = scratch_path(&folder, "agent.sock", path), .fd = -1 };
    pthread_t thread;

    scratch_put(&folder, "agent.sock.lock", SLICE(""), 0600);
    int held = open(scratch_path(&folder, "agent.sock.lock", lock), O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(held, LOCK_EX), 0);
    assert_int_equal(pthread_create(&thread, NULL, listen_there, &waiting), 0);
    sleep_ms(50);
    assert_int_equal(waiting.fd, -1);
    assert_false(exists(path));
    (void)close(held);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(waiting.fd >= 0 && exists(path));
    (void)close(waiting.fd);
}

TEST(tcp_is_of_this_machine_alone)
{
    for (int is_v6 = 0; is_v6 <= 1; is_v6++) {
        struct agent_address address = { .is_v6 = is_v6, .port = 0 };
        struct keystay_error err = { 0 };
        char where[64];
        FD fd = -1;
        int second = -1;

        assert_ok(listen_tcp(&address, &fd, &err));
        address.port = port_of(fd, is_v6);
        assert_true(address.port > 0);
        assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        assert_int_equal(listen_tcp(&address, &second, &err), KEYSTAY_E_AGENT);
        assert_int_equal(second, -1);
        (void)snprintf(where, sizeof(where), is_v6 ? "[::1]:%u" : "127.0.0.1:%u", address.port);
        assert_contains(err.message, where);
    }
}

TEST(both_families_may_have_the_same_port)
{
    bool has_both = false;

    for (int i = 0; i < 20 && !has_both; i++) { /* somebody else may have the one or the other */
        struct agent_address v4 = { .is_v6 = false };
        struct agent_address v6 = { .is_v6 = true };
        FD first = -1;
        FD second = -1;

        assert_ok(listen_tcp(&v6, &first, NULL));
        v4.port = port_of(first, true);
        has_both = listen_tcp(&v4, &second, NULL) == KEYSTAY_OK;
    }
    assert_true(has_both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_absolute_and_short),
        cmocka_unit_test(only_the_last_folder_is_made),
        cmocka_unit_test(whoever_may_can_connect),
        cmocka_unit_test(modes_are_as_they_should_be_whatever_the_umask),
        cmocka_unit_test(a_socket_that_was_left_behind_is_replaced),
        cmocka_unit_test(one_that_is_listened_at_is_respected),
        cmocka_unit_test(also_while_it_is_busy),
        cmocka_unit_test(what_is_no_socket_is_left_alone_and_named),
        cmocka_unit_test(a_lock_that_is_not_ours_is_not_used),
        cmocka_unit_test(one_agent_at_a_time_sees_to_a_path),
        cmocka_unit_test(tcp_is_of_this_machine_alone),
        cmocka_unit_test(both_families_may_have_the_same_port),
    };

    return RUN_TESTS(tests);
}
