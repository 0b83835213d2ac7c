/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_SOCKETS_H
#define UNIT_SOCKETS_H

/* What can be seen of sockets that listen. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/file.h"

/* FD fd = ...: closed when the variable leaves its scope. */
#define FD CLEANUP(file_closep) __attribute__((unused)) int

/* Open descriptors of this process. */
size_t count_fds(void);

bool exists(const char *path);

/* Of one that listens at the loopback address, which it must. */
uint16_t port_of(int fd, bool is_v6);

#endif
