/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_HOLDER_H
#define AGENT_HOLDER_H

/*
 * What holds one profile's tokens, and has the signer that they are got with kept (agent/keeper): it is
 * opened when the first signature is needed, and stays open. Safe for several threads at once.
 */

#include "agent/keeper.h"
#include "agent/pace.h"
#include "agent/wish.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/client.h"
#include "keystay/token.h"

struct holder;

/* profile is taken, also on failure; log is borrowed for its life. *ret_holder has one user. */
enum keystay_status holder_new(
    const char *name, struct keystay_profile *profile, const struct keystay_log *log,
    struct holder **ret_holder, struct keystay_error *err);
struct holder *holder_share(struct holder *holder);
void holder_freep(struct holder **holder);

const char *holder_name(const struct holder *holder);
const struct keystay_profile *holder_profile(const struct holder *holder);

/* What its keys have done. Borrowed. */
const struct meter *holder_meter(const struct holder *holder);

/* How its tokens are renewed. Borrowed. */
struct pace *holder_pace(struct holder *holder);

/* Without waiting: what is in memory and fresh, or NULL. Owned. */
struct keystay_token *holder_look(struct holder *holder, const struct wish *wish);

/* Says that what holder_get has got was handed out. */
void holder_note_use(struct holder *holder, const struct wish *wish);

/* Whether a token could be got now without a person and without what has just failed: not while the profile
 * is locked or its PIN was refused, nor where opening it would ask somebody. */
bool holder_signs_alone(struct holder *holder, int64_t now_ms);

/* As client_take_due. */
void holder_take_due(struct holder *holder, size_t max, due_viewer view, void *context);

/* Shows each token in memory. */
void holder_walk_tokens(struct holder *holder, token_viewer view, void *context);

/* Takes as long as it takes. *ret_token is owned. */
enum keystay_status holder_get(
    struct holder *holder, const struct wish *wish, struct keystay_token **ret_token,
    struct keystay_error *err);

/* As keeper_unlock; pin is moved from. */
enum keystay_status holder_unlock(
    struct holder *holder, struct secret *pin, bool is_final_try, struct keystay_error *err);

/* As keeper_look_at_pin. */
enum keystay_status holder_look_at_pin(
    struct holder *holder, unsigned int *ret_tries, struct keystay_error *err);

/* Ends the signer and forgets its PIN; no new token is got before holder_unlock. Tokens stay. */
void holder_lock(struct holder *holder);

/* The same when nobody has asked for that: where a person is asked through pinentry, the next request does
 * so. */
void holder_rest(struct holder *holder);

/* Whether there is a process that has the PIN: also while it signs on, or is ended, after a lock. */
bool holder_has_signer(const struct holder *holder);

/* Forgets the tokens. */
void holder_forget(struct holder *holder);

/* As keeper_reopen: certificates may have changed. */
void holder_reopen(struct holder *holder);

/* As keeper_is_due. */
bool holder_is_due(struct holder *holder, int64_t now_s);

/* The last token that could not be got. */
struct holder_failure {
    int64_t at_s; /* 0: there was none */
    enum keystay_status status;
    char message[KEYSTAY_ERROR_MESSAGE_SIZE];
};

struct holder_status {
    struct keeper_status key;
    unsigned int n_slow_signatures; /* that wait for the token now, perhaps for a touch */
    size_t n_tokens;
    int64_t certificate_ends_s; /* 0: not known yet */
    struct holder_failure last_failure;
};

void holder_get_status(struct holder *holder, struct holder_status *ret_status);

#endif
