/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An agent for one command. It is handed a socket that listens already, whose address the system has made up
 * and no file has, and a descriptor of this process, with which it ends. What is sent before it is ready
 * waits in the socket; once it is gone, so is the socket.
 */
#define _GNU_SOURCE /* execvpe, environ */
#include "cli/agent_program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/environment.h"
#include "cli/process.h"

/* Where the program finds them. */
enum { SOCKET_FD = 3, PROCESS_FD = 4, BACKLOG = 16, NOT_FOUND = 127 };

const char *agent_program(void)
{
    const char *path = getenv("KEYSTAY_AGENT_PROGRAM"); /* NOLINT(concurrency-mt-unsafe) */

    return path == NULL || path[0] == '\0' ? KEYSTAY_AGENT_PROGRAM : path;
}

void agent_program_words(const struct cli *cli, const char *word, char *ret_words[AGENT_PROGRAM_WORDS])
{
    const char *config = cli->values[CLI_CONFIG];
    size_t n = 0;

    if (config == NULL) {
        config = getenv("KEYSTAY_CONFIG"); /* NOLINT(concurrency-mt-unsafe) */
    }
    ret_words[n++] = drop_const(agent_program());
    if (config != NULL && config[0] != '\0') {
        ret_words[n++] = drop_const("--config");
        ret_words[n++] = drop_const(config);
    }
    if (cli_given(cli, CLI_VERBOSE)) {
        ret_words[n++] = drop_const("--verbose");
    }
    ret_words[n] = drop_const(word);
    ret_words[n + (word != NULL)] = NULL;
}

/* What is handed over, not below 5. */
struct handed {
    int socket_fd;
    int process_fd;
};

static void handed_clear(struct handed *handed)
{
    file_closep(&handed->socket_fd);
    file_closep(&handed->process_fd);
}

static int move_up(int fd)
{
    const int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, PROCESS_FD + 1);
    const int error = errno;

    file_closep(&fd);
    errno = error;
    return moved;
}

static int follow_this_process(void)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, getpid(), 0);
#else
    errno = ENOSYS;
    return -1;
#endif
}

/* unix(7): bound to nothing but its family, a socket gets an address that no other has. */
static enum keystay_status make(
    struct agent_client *client, struct handed *ret_handed, struct keystay_error *err)
{
    const struct sockaddr_un any = { .sun_family = AF_UNIX };

    client->address_len = sizeof(client->address);
    ret_handed->socket_fd = move_up(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (ret_handed->socket_fd < 0 ||
        bind(ret_handed->socket_fd, (const struct sockaddr *)&any, sizeof(any.sun_family)) != 0 ||
        listen(ret_handed->socket_fd, BACKLOG) != 0 ||
        getsockname(ret_handed->socket_fd, (struct sockaddr *)&client->address, &client->address_len) != 0) {
        return err_set(
            err, KEYSTAY_E_AGENT, "no socket for an agent can be made: %s", file_errno_text(errno));
    }
    ret_handed->process_fd = move_up(follow_this_process());
    return ret_handed->process_fd >= 0
               ? KEYSTAY_OK
               : err_set_hint(
                     err, KEYSTAY_E_AGENT, "processes can be followed by Linux 5.3 and newer",
                     "no agent can be started that ends with this process: %s", file_errno_text(errno));
}

/* In the child; what belongs to the service manager's own child is not for it. */
static void become_agent(const struct cli *cli, const struct handed *handed)
{
    static const char *const not_its[] = { "NOTIFY_SOCKET", "LISTEN_PID",    "LISTEN_FDS", "LISTEN_FDNAMES",
                                           "WATCHDOG_PID",  "WATCHDOG_USEC", NULL };
    CLEANUP(freep) char **environment = environment_without(not_its, 0);
    char *words[AGENT_PROGRAM_WORDS];
    const int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    process_restore();
    agent_program_words(cli, "--for-command", words);
    if (environment != NULL && setsid() >= 0 && dup2(null_fd, STDIN_FILENO) >= 0 &&
        dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 && dup2(handed->socket_fd, SOCKET_FD) >= 0 &&
        dup2(handed->process_fd, PROCESS_FD) >= 0) {
        (void)execve(words[0], words, environment);
    }
}

/* A child of no one here: CMD did not start it, and would not wait for it. */
static enum keystay_status start(
    const struct cli *cli, const struct handed *handed, struct keystay_error *err)
{
    int status = 0;
    const pid_t between = fork();

    if (between == 0) {
        const pid_t pid = fork();

        if (pid == 0) {
            become_agent(cli, handed);
            _exit(NOT_FOUND);
        }
        _exit(pid < 0);
    }
    while (between > 0 && waitpid(between, &status, 0) < 0 && errno == EINTR) {
    }
    return between > 0 && status == 0
               ? KEYSTAY_OK
               : err_set(err, KEYSTAY_E_AGENT, "no agent can be started: %s", file_errno_text(errno));
}

enum keystay_status agent_program_start(
    const struct cli *cli, struct agent_client *client, struct keystay_error *err)
{
    CLEANUP(handed_clear) struct handed handed = { -1, -1 };

    *client = (struct agent_client){ .log = &cli->log };
    if (access(agent_program(), X_OK) != 0) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG,
            "is keystay installed whole? KEYSTAY_AGENT_PROGRAM names its keystay-agent",
            "'%s' cannot be started: %s", agent_program(), file_errno_text(errno));
    }
    TRY(make(client, &handed, err));
    return start(cli, &handed, err);
}
