/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a caller sends to the agent: the first byte says at which of its doors, the rest is what comes in. A
 * whole agent answers, whose one profile is locked and has no signer. Whatever comes, what goes out is HTTP,
 * it answers the next caller, and no token is in it.
 */
#include "fuzz.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/clock.h"
#include "base/error.h"

enum { LONG_MS = 3600000, ANSWER_MAX = 256 * 1024, PATIENCE_US = 20000, TEXT_SIZE = 2048, PATH_SIZE = 96 };

static const char configuration[] = "[agent]\n"
                                    "socket = %s/socket\n"
                                    "listen = 127.0.0.1:0\n"
                                    "imds = yes\n"
                                    "request_timeout = 1\n"
                                    "[profile main]\n"
                                    "tenant = 11111111-2222-3333-4444-555555555555\n"
                                    "client_id = 11111111-2222-3333-4444-555555555555\n"
                                    "scope = https://graph.example/.default\n"
                                    "module = /nonexistent.so\n"
                                    "signer_program = /nonexistent\n"
                                    "pin_source = tty\n";

static char folder[PATH_SIZE / 2] = "/tmp/fuzz-agent-XXXXXX";
static struct agent agent;

static const char *in_folder(const char *name, char ret_path[PATH_SIZE])
{
    MUST(snprintf(ret_path, PATH_SIZE, "%s/%s", folder, name) < PATH_SIZE);
    return ret_path;
}

static void end_agent(void)
{
    char path[PATH_SIZE];

    (void)agent_end(&agent);
    (void)unlink(in_folder("keystay.conf", path));
    (void)rmdir(folder);
}

static void begin_agent(void)
{
    static const struct keystay_log silence = { NULL, NULL };
    static char path[PATH_SIZE];
    char text[TEXT_SIZE];
    struct keystay_error error;
    struct rlimit limit;

    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max; /* each grant is a descriptor */
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    MUST(mkdtemp(folder) != NULL);
    FILE *file = fopen(in_folder("keystay.conf", path), "w");
    MUST(file != NULL);
    (void)snprintf(text, sizeof(text), configuration, folder);
    (void)fputs(text, file);
    MUST(fclose(file) == 0);
    if (agent_start(&agent, path, -1, &silence, &error) != KEYSTAY_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
        abort();
    }
    MUST(atexit(end_agent) == 0);
}

static int call(bool is_tcp)
{
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    const struct sockaddr_in tcp = { .sin_family = AF_INET,
                                     .sin_port = htons(agent.doors.sdk_port),
                                     .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const struct timeval patience = { .tv_usec = PATIENCE_US };
    int fd = socket(is_tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(local.sun_path, sizeof(local.sun_path), "%s/socket", folder);
    MUST(fd >= 0);
    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
    MUST(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0);
    MUST(
        connect(
            fd, is_tcp ? (const struct sockaddr *)&tcp : (const struct sockaddr *)&local,
            is_tcp ? sizeof(tcp) : sizeof(local)) == 0);
    return fd;
}

/* A caller who has said all, and hears what there is. */
static size_t exchange(bool is_tcp, const uint8_t *data, size_t size, char answer[ANSWER_MAX])
{
    size_t n = 0;
    ssize_t got = 0;
    int fd = call(is_tcp);

    (void)send(fd, data, size, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    while (n < ANSWER_MAX - 1 && (got = recv(fd, answer + n, ANSWER_MAX - 1 - n, 0)) > 0) {
        n += (size_t)got;
    }
    answer[n] = '\0';
    (void)close(fd);
    return n;
}

static void check(const char *answer, size_t n)
{
    static const char start[] = "HTTP/1.";

    MUST(n == 0 || strncmp(answer, start, sizeof(start) - 1) == 0);
    MUST(strstr(answer, "access_token") == NULL && strstr(answer, "Bearer") == NULL);
    MUST(strstr(answer, " 500 Internal") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char health[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static char answer[ANSWER_MAX];
    static unsigned int n_inputs;

    if (agent.httpd == NULL) {
        begin_agent();
    }
    const bool is_tcp = size > 0 && (data[0] & 1) != 0;
    check(answer, exchange(is_tcp, data + (size > 0), size - (size > 0), answer));
    if (n_inputs++ % 16 == 0) {
        (void)agent_tick(
            &agent, clock_monotonic_ms() + LONG_MS, NULL); /* whoever waits has waited too long */
        (void)exchange(false, (const uint8_t *)health, sizeof(health) - 1, answer);
        MUST(strstr(answer, " 200 ") != NULL);
    }
    return 0;
}
