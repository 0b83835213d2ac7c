/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ACQUIRE_H
#define CORE_ACQUIRE_H

/* The one orchestration: what is kept, who gets the new one, and what is served when that fails. */

#include "core/exchange.h"

/* request may be NULL: what the profile says. */
enum keystay_status acquire_token(
    struct keystay_client *client, const struct signer_source *source, const struct keystay_request *request,
    struct keystay_token **ret_token, struct keystay_error *err);

/*
 * Signs now what acquire_token will send: for a program whose person is asked for the PIN, which must not
 * happen while a lock is held. The assertion is the client's.
 */
enum keystay_status acquire_sign_ahead(
    struct keystay_client *client, const struct signer_source *source, const struct keystay_request *request,
    struct keystay_error *err);

/*
 * Only a look at what is on the disk, from a profile alone: neither client nor libcurl nor module is needed
 * for a hit. NULL in *ret_token when there is nothing that is fresh. Owned.
 */
enum keystay_status acquire_peek(
    const struct keystay_profile *profile, struct cache_disk *disk, struct clock_moment now,
    struct keystay_token **ret_token, struct keystay_error *err);

/* Only a look at what is in memory, which never waits: NULL when there is nothing that is fresh. Owned. Who
 * has tokens by it sees to it that they are renewed: client_take_due, acquire_renew. */
struct keystay_token *acquire_held(struct keystay_client *client, const struct keystay_request *request);

/* Says that what is in memory was handed out, which acquire_renew does not know of its token. */
void acquire_note_use(struct keystay_client *client, const struct keystay_request *request);

/* A new token, whatever is kept; it takes the place of what is. *ret_token is owned. */
enum keystay_status acquire_renew(
    struct keystay_client *client, const struct signer_source *source, const struct keystay_request *request,
    struct keystay_token **ret_token, struct keystay_error *err);

#endif
