/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keystay-signer: the process that loads a vendor's module and holds its PIN, for one program that started it
 * and talks to it over descriptor 3. It takes no arguments and reads no configuration; it ends with its
 * program.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/child.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "pkcs11/isolated/channel.h"
#include "pkcs11/isolated/message.h"
#include "signerd/guard.h"
#include "signerd/serve.h"
#include "signerd/work.h"

enum { OUT_OF_THE_WAY_FD = 64 };

/* A module that closes what it thinks is its own, or prints to a number, meets it less likely up there. */
static int take_socket(void)
{
    int type = 0;
    socklen_t size = sizeof(type);

    if (getsockopt(CHILD_SOCKET_FD, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
        return -1;
    }
    int fd = fcntl(CHILD_SOCKET_FD, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY_FD);
    (void)close(CHILD_SOCKET_FD);
    return fd;
}

static const char help[] =
    "keystay-signer loads the module of a token and holds its PIN, for keystay or keystay-agent,\n"
    "which starts it (keystay --isolate), talks to it over a socket, and ends it. It takes no\n"
    "options but --help and --version, and reads no configuration: keystay(1), keystay-agent(8).\n";

/* Started by hand. */
static int explain(int argc, char **argv)
{
    const bool wants_help = argc == 2 && (str_equal(argv[1], "--help") || str_equal(argv[1], "-h"));
    const bool wants_version = argc == 2 && (str_equal(argv[1], "--version") || str_equal(argv[1], "-V"));

    if (wants_help || wants_version) {
        const char *text = wants_help ? help : "keystay-signer " KEYSTAY_VERSION "\n";

        return file_write_all(STDOUT_FILENO, slice_of_str(text), NULL) == KEYSTAY_OK
                   ? EXIT_SUCCESS
                   : keystay_status_exit(KEYSTAY_E_OUTPUT);
    }
    if (argc > 1) {
        char word[64]; /* what stands behind '=' may be a secret that went astray */

        str_quote_foreign(
            (struct slice){ (const uint8_t *)argv[1], strcspn(argv[1], "=") }, word, sizeof(word));
        (void)fprintf(stderr, "keystay-signer: %s: it takes --help or --version, and alone\n", word);
    } else {
        (void)fputs("keystay-signer: it is started by keystay (--isolate), not by hand\n", stderr);
    }
    (void)fputs("  try: keystay-signer --help\n", stderr);
    return keystay_status_exit(KEYSTAY_E_USAGE);
}

static int fail(const char *message)
{
    (void)fprintf(stderr, "keystay-signer: %s\n", message);
    return EXIT_FAILURE;
}

static bool say_hello(struct channel *channel)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);

    hello_encode(&body);
    return channel_send(channel, FRAME_HELLO, 0, buf_slice(&body), CHANNEL_NO_DEADLINE) == CHANNEL_OK;
}

int main(int argc, char **argv)
{
    struct keystay_error error = { 0 };
    pthread_t watcher;

    int fd = argc == 1 ? take_socket() : -1;
    if (fd < 0) {
        return explain(argc, argv);
    }
    if (guard_process(&error) != KEYSTAY_OK) {
        return fail(error.message);
    }
    struct channel *channel = channel_new(fd);
    if (channel == NULL) {
        return fail("out of memory");
    }
    work_init(channel, fd);
    if (pthread_create(&watcher, NULL, work_watch_over, NULL) != 0) {
        return fail("no thread can be started");
    }
    if (say_hello(channel)) {
        serve(channel);
    }
    _exit(EXIT_SUCCESS); /* exit handlers of a module that stays loaded can crash or hang */
}
