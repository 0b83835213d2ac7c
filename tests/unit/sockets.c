/* SPDX-License-Identifier: Apache-2.0 */
#include "sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

size_t count_fds(void)
{
    DIR *folder = opendir("/dev/fd");
    size_t n = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL) {
        n++;
    }
    (void)closedir(folder);
    return n;
}

bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

uint16_t port_of(int fd, bool is_v6)
{
    struct sockaddr_in v4 = { 0 };
    struct sockaddr_in6 v6 = { 0 };
    socklen_t size = is_v6 ? sizeof(v6) : sizeof(v4);

    assert_int_equal(getsockname(fd, is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4, &size), 0);
    if (is_v6) {
        assert_int_equal(v6.sin6_family, AF_INET6);
        assert_memory_equal(&v6.sin6_addr, &in6addr_loopback, sizeof(v6.sin6_addr));
        return ntohs(v6.sin6_port);
    }
    assert_int_equal(v4.sin_family, AF_INET);
    assert_int_equal(ntohl(v4.sin_addr.s_addr), INADDR_LOOPBACK);
    return ntohs(v4.sin_port);
}
