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
#include <sys/socket.h>
#include <unistd.h>

#include "base/child.h"
#include "pkcs11/isolated/channel.h"
#include "pkcs11/isolated/message.h"
#include "signerd/guard.h"
#include "signerd/serve.h"
#include "signerd/work.h"

enum { OUT_OF_THE_WAY_FD = 64, USAGE = 2 };

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

    (void)argv;
    int fd = argc == 1 ? take_socket() : -1;
    if (fd < 0) {
        (void)fprintf(stderr, "keystay-signer is started by keystay (--isolate) and takes no arguments.\n");
        return USAGE;
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
