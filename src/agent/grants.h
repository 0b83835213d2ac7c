/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_GRANTS_H
#define AGENT_GRANTS_H

/*
 * The headers that SDKs identify themselves with (IDENTITY_HEADER): 256 random bits each, of which only the
 * digest is kept. One belongs to a process and ends with it (keystay exec), or to a [grant] of the
 * configuration whose environment file it stands in. A header only selects the profile: its bearer must also
 * be whom it was given to.
 */

#include "peer/peer.h"

struct grants;

enum {
    GRANT_HEADER_SIZE = 44, /* 32 bytes in base64url, and a NUL */
    /* Of processes; the configuration's are as many as it has. Each is a descriptor: they are less where a
     * quarter of those that the agent may have is less. */
    GRANTS_MAX = 4096,
    GRANT_NAME_SIZE = 72, /* of a profile or a grant: CONFIG_NAME_MAX bytes and a NUL */
};

/* What a header stands for. */
struct bearer {
    char profile[GRANT_NAME_SIZE];
    char grant[GRANT_NAME_SIZE]; /* of the configuration; "": it belongs to a process */
    struct peer who;             /* of a process: who asked for it */
};

enum keystay_status grants_new(struct grants **ret_grants, struct keystay_error *err);
void grants_freep(struct grants **grants);

/* A header for who and what comes after it in the same process (execve), until that ends. */
enum keystay_status grants_give(
    struct grants *grants, const struct peer *who, const char *profile, char ret_header[GRANT_HEADER_SIZE],
    struct keystay_error *err);

/* A header for a [grant] of the configuration; the one of before is worth nothing from then on. */
enum keystay_status grants_name(
    struct grants *grants, const char *grant, const char *profile, char ret_header[GRANT_HEADER_SIZE],
    struct keystay_error *err);

/* The same for the header that an agent of before has given, which goes on. */
enum keystay_status grants_keep(
    struct grants *grants, const char *grant, const char *profile, const char *header,
    struct keystay_error *err);

/* Ends the header of a [grant]. */
void grants_unname(struct grants *grants, const char *grant);

/* How many processes may have one; a quarter of them may be one user's. */
size_t grants_max(const struct grants *grants);

bool grants_find(struct grants *grants, const char *header, struct bearer *ret_bearer);

/* Ends those whose process has ended; says how many are left. About once a second. */
size_t grants_tick(struct grants *grants);

#endif
