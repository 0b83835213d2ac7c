/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_WISH_H
#define AGENT_WISH_H

#include <stdbool.h>

/* What somebody wants. Borrowed; NULL, and 0, is as the profile has it. */
struct wish {
    const char *scope;
    const char *resource; /* not both */
    const char *claims;   /* JSON */
    unsigned int min_valid_s;
    bool is_assertion;       /* wants not a token but an assertion */
    unsigned int lifetime_s; /* of that; 0: as the profile has it. client_assertion */
    bool is_renewal;         /* what is kept does not do */
};

bool wish_equal(const struct wish *a, const struct wish *b);

#endif
