/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_REFUSED_H
#define AGENT_REFUSED_H

/*
 * A resource may refuse a token before its end (continuous access evaluation), and an SDK then names it by
 * its digest and wants another one. It may do so as often as it likes, so what it gets is bounded by the
 * token's age: one that is older is renewed, once for all who name it; one that is younger has only just been
 * renewed, perhaps for that very reason, and who wants yet another waits. It is not served again meanwhile:
 * it may have been refused with good reason, and who asks would believe that it was new.
 */

#include "agent/reply.h"
#include "oauth/access_token.h"

/* Who comes again as he is told to is not told so twice. For a program that asks all the time it is a
 * signature and a request to the server each so many seconds. */
enum { REFUSED_YOUNG_S = REPLY_LATER_S };

enum refused_verdict {
    REFUSED_IS_ANOTHER, /* not the one that is held, which is the answer; or none is */
    REFUSED_IS_OLD,     /* the held one; it is to be renewed */
    REFUSED_IS_YOUNG,   /* likewise, but not yet */
};

/* held may be NULL. hex: SHA-256 of the refused token, in any case; NULL: none was. */
enum refused_verdict refused_judge(
    const struct keystay_token *held, const char *hex, struct clock_moment now);

#endif
