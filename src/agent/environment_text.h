/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_ENVIRONMENT_TEXT_H
#define AGENT_ENVIRONMENT_TEXT_H

/*
 * What stands in a NAME.env. The first line, which systemd, shells and containers' --env-file pass over, says
 * what the header is for: only a text that is word for word what the agent would write now gives it back.
 */

#include "agent/grants.h"
#include "base/buf.h"

enum { ENVIRONMENT_TEXT_MAX = 2048 };

/* Everything is borrowed. */
struct environment_text {
    const char *agent; /* its socket: no two agents have the same */
    const char *grant;
    const char *profile;
    const char *url;
    const char *client_id; /* NULL: not told */
};

enum keystay_status environment_text_write(
    const struct environment_text *text, const char *header, struct buf *to, struct keystay_error *err);

/* The header in what environment_text_write has made of the same, and of nothing else; false: it is not that.
 */
bool environment_text_read(
    const struct environment_text *text, struct slice content, char ret_header[GRANT_HEADER_SIZE]);

/* Whether that agent has written it for that grant. */
bool environment_text_is_of(struct slice content, const char *agent, const char *grant);

#endif
