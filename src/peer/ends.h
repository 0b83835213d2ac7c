/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEER_ENDS_H
#define PEER_ENDS_H

/* The two ends of a TCP connection within this host. */

#include <stdbool.h>

#include "base/base.h"

struct end {
    uint8_t address[16]; /* network order; IPv4 as ::ffff:127.0.0.1, as which a v6 listener sees it */
    uint16_t port;       /* host order */
};

struct ends {
    struct end ours;
    struct end theirs;
};

/*
 * Of a connection that was accepted. KEYSTAY_E_ANSWER_NO: the caller hung up already, or one end is not a
 * loopback address; KEYSTAY_E_INTERNAL: this is no TCP connection.
 */
enum keystay_status ends_read(int fd, struct ends *ret_ends, struct keystay_error *err);

/* IPv4 within IPv6 (RFC 4291 §2.5.5.2). The four bytes of it are the last ones. */
bool end_is_ipv4(const struct end *end);

bool end_equal(const struct end *a, const struct end *b);

#endif
