/* SPDX-License-Identifier: Apache-2.0 */
/* How the agent is. */
#include <string.h>
#include <unistd.h>

#include "agent/allow.h"
#include "agent/endpoints.h"
#include "agent/handouts.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "keystay/pkcs11.h"

/* Together they stay below what the command line takes, whatever scopes a caller thinks of: who cannot have
 * the status can unlock nothing. */
enum {
    STATUS_MAX = 4 * 1024 * 1024,
    TOKENS_LISTED_MAX = 64, /* of one profile */
    TOKENS_LISTED_IN_ALL_MAX = 1024,
    TARGET_SHOWN_MAX = 256, /* bytes of a scope */
    CALLERS_LISTED_MAX = 256,
};

/* Those that are still good, the first ones that are met. */
struct listing {
    struct json_write *out;
    int64_t now_s;
    unsigned int n;
    unsigned int n_max;
    enum keystay_status status;
};

/* What is asked for is ASCII: it is cut anywhere. */
static enum keystay_status write_one(struct listing *listing, struct slice target, int64_t expires_at_s)
{
    struct json_write *out = listing->out;

    target.len = target.len > TARGET_SHOWN_MAX ? TARGET_SHOWN_MAX : target.len;
    TRY(json_write_begin(out, NULL, '{', NULL));
    TRY(json_write_slice(out, "for", target, NULL));
    TRY(json_write_i64(out, "ends", expires_at_s, NULL));
    TRY(json_write_i64(out, "seconds_left", expires_at_s - listing->now_s, NULL));
    return json_write_finish(out, '{', NULL);
}

/* A token_viewer. */
static void list_one(void *context, struct slice target, int64_t expires_at_s)
{
    struct listing *listing = context;

    if (expires_at_s > listing->now_s && listing->n < listing->n_max && listing->status == KEYSTAY_OK) {
        listing->n++;
        listing->status = write_one(listing, target, expires_at_s);
    }
}

static enum keystay_status write_tokens(struct json_write *out, struct holder *holder, unsigned int *n_left)
{
    struct listing listing = { .out = out,
                               .now_s = clock_now_s(),
                               .n_max = *n_left > TOKENS_LISTED_MAX ? TOKENS_LISTED_MAX : *n_left };

    TRY(json_write_begin(out, "valid_tokens", '[', NULL));
    holder_walk_tokens(holder, list_one, &listing);
    *n_left -= listing.n;
    TRY(listing.status);
    return json_write_finish(out, '[', NULL);
}

static enum keystay_status write_renewals(struct json_write *out, struct holder *holder)
{
    uint64_t n_done = 0;
    uint64_t n_failed = 0;

    pace_counts(holder_pace(holder), &n_done, &n_failed);
    TRY(json_write_begin(out, "renewals", '{', NULL));
    TRY(json_write_u64(out, "done", n_done, NULL));
    TRY(json_write_u64(out, "failed", n_failed, NULL));
    return json_write_finish(out, '{', NULL);
}

/* What is wrong now, and what was the last time. */
static enum keystay_status write_trouble(struct json_write *out, const struct holder_status *status)
{
    const struct holder_failure *failure = &status->last_failure;

    if (status->key.error.message[0] != '\0') {
        TRY(json_write_str(out, "error", status->key.error.message, NULL));
        TRY(json_write_str(out, "hint", status->key.error.hint, NULL));
    }
    if (failure->at_s == 0) {
        return KEYSTAY_OK;
    }
    TRY(json_write_begin(out, "last_failure", '{', NULL));
    TRY(json_write_i64(out, "at", failure->at_s, NULL));
    TRY(json_write_str(out, "status", keystay_status_name(failure->status), NULL));
    TRY(json_write_str(out, "message", failure->message, NULL));
    return json_write_finish(out, '{', NULL);
}

/* Who gives it; and what the token has last said of it, as long as none was right since. */
static enum keystay_status write_pin(struct json_write *out, const struct holder_status *status)
{
    const unsigned int tries = status->key.pin_tries;

    TRY(json_write_bool(out, "asks_a_person", status->key.asks_a_person, NULL));
    if (!status->key.has_looked) {
        return KEYSTAY_OK;
    }
    TRY(json_write_begin(out, "pin", '{', NULL));
    TRY(json_write_bool(out, "was_refused", (tries & KEYSTAY_PIN_WAS_REFUSED) != 0, NULL));
    TRY(json_write_bool(out, "count_low", (tries & KEYSTAY_PIN_COUNT_LOW) != 0, NULL));
    TRY(json_write_bool(out, "final_try", (tries & KEYSTAY_PIN_FINAL_TRY) != 0, NULL));
    return json_write_finish(out, '{', NULL);
}

static enum keystay_status write_state(struct json_write *out, const struct keeper_status *key)
{
    TRY(json_write_str(out, "state", key_state_name(key->state), NULL));
    TRY(json_write_i64(out, "since", key->since_s, NULL));
    TRY(json_write_bool(out, "opening", key->is_opening, NULL));
    return key->state == KEY_FAILING ? json_write_i64(out, "tries_again_in", key->tries_again_in_s, NULL)
                                     : KEYSTAY_OK;
}

static enum keystay_status write_holder(struct json_write *out, struct holder *holder, unsigned int *n_left)
{
    struct holder_status status;

    holder_get_status(holder, &status);
    TRY(json_write_begin(out, NULL, '{', NULL));
    TRY(json_write_str(out, "name", holder_name(holder), NULL));
    TRY(write_state(out, &status.key));
    const char *key = profile_text(holder_profile(holder), SETTING_KEY);
    if (key != NULL && strstr(key, "pin-") == NULL) {
        TRY(json_write_str(out, "key", key, NULL));
    }
    TRY(write_pin(out, &status));
    TRY(json_write_u64(out, "slow_signatures", status.n_slow_signatures, NULL));
    TRY(json_write_u64(out, "tokens", status.n_tokens, NULL));
    TRY(write_tokens(out, holder, n_left));
    TRY(write_renewals(out, holder));
    if (status.certificate_ends_s != 0) {
        TRY(json_write_i64(out, "certificate_ends", status.certificate_ends_s, NULL));
    }
    TRY(write_trouble(out, &status));
    return json_write_finish(out, '{', NULL);
}

struct callers {
    struct json_write *out;
    unsigned int n;
    enum keystay_status status;
};

static enum keystay_status write_caller(struct json_write *out, const struct handouts_entry *entry)
{
    TRY(json_write_begin(out, NULL, '{', NULL));
    TRY(json_write_u64(out, "uid", entry->uid, NULL));
    if (entry->unit[0] != '\0') {
        TRY(json_write_str(out, "unit", entry->unit, NULL));
    }
    TRY(json_write_str(out, "profile", entry->profile, NULL));
    if (entry->scope != NULL) {
        TRY(json_write_str(out, "scope", entry->scope, NULL));
    }
    TRY(json_write_str(out, "given", entry->is_assertion ? "assertions" : "tokens", NULL));
    TRY(json_write_u64(out, "times", entry->n, NULL));
    TRY(json_write_i64(out, "last", entry->last_s, NULL));
    return json_write_finish(out, '{', NULL);
}

/* A handouts_viewer. */
static void list_caller(void *context, const struct handouts_entry *entry)
{
    struct callers *callers = context;

    if (callers->n < CALLERS_LISTED_MAX && callers->status == KEYSTAY_OK) {
        callers->n++;
        callers->status = write_caller(callers->out, entry);
    }
}

static enum keystay_status write_callers(struct json_write *out, const struct handouts *handouts)
{
    struct callers callers = { .out = out };

    TRY(json_write_u64(out, "n_callers", handouts_known(handouts), NULL));
    TRY(json_write_begin(out, "callers", '[', NULL));
    handouts_walk(handouts, list_caller, &callers);
    TRY(callers.status);
    return json_write_finish(out, '[', NULL);
}

static enum keystay_status write_counts(struct json_write *out, struct agent *agent)
{
    TRY(json_write_begin(out, "requests", '{', NULL));
    TRY(json_write_u64(out, "served_held", atomic_load(&agent->counts.served_held), NULL));
    TRY(json_write_u64(out, "served_new", atomic_load(&agent->counts.served_new), NULL));
    TRY(json_write_u64(out, "failed", atomic_load(&agent->counts.failed), NULL));
    TRY(json_write_u64(out, "refused", atomic_load(&agent->counts.refused), NULL));
    return json_write_finish(out, '{', NULL);
}

static enum keystay_status write_doors(struct json_write *out, struct agent *agent)
{
    enum keystay_status status = json_write_begin(out, "listening", '[', NULL);

    (void)pthread_mutex_lock(&agent->doors.lock);
    for (size_t i = 0; i < agent->doors.n && status == KEYSTAY_OK; i++) {
        status = json_write_item(out, agent->doors.present[i], NULL);
    }
    (void)pthread_mutex_unlock(&agent->doors.lock);
    TRY(status);
    return json_write_finish(out, '[', NULL);
}

static enum keystay_status write_status(struct agent *agent, const struct world *world, struct buf *to)
{
    struct json_write out = JSON_WRITE(to);
    unsigned int n_left = TOKENS_LISTED_IN_ALL_MAX;

    TRY(json_write_str(&out, "version", KEYSTAY_VERSION, NULL));
    TRY(json_write_i64(&out, "pid", getpid(), NULL));
    TRY(json_write_i64(&out, "started", agent->started_s, NULL));
    TRY(json_write_u64(&out, "connections", httpd_count(agent->httpd), NULL));
    TRY(write_doors(&out, agent));
    TRY(write_counts(&out, agent));
    TRY(json_write_begin(&out, "profiles", '[', NULL));
    for (size_t i = 0; i < world->n; i++) {
        TRY(write_holder(&out, world->holders[i], &n_left));
    }
    TRY(json_write_finish(&out, '[', NULL));
    TRY(write_callers(&out, agent->handouts));
    return json_write_end(&out, NULL);
}

void endpoint_status(struct agent *agent, struct request *request)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    const struct claimant claimant = { agent, request, DIALECT_NATIVE, world, request_peer(request) };
    CLEANUP(buf_clear) struct buf body = BUF(STATUS_MAX);

    if (!allow_steering(&claimant, POLICY_CONTROL)) {
        return;
    }
    if (write_status(agent, world, &body) == KEYSTAY_OK) {
        reply_json(request, 200, &body);
    } else {
        reply_refusal(request, DIALECT_NATIVE, 500, KEYSTAY_E_NO_MEMORY, "the status is too long");
    }
}

static void say(struct request *request, unsigned int status)
{
    const struct answer answer = { .status = status };

    request_answer(request, &answer);
}

/* It answers. */
void endpoint_healthz(struct agent *agent, struct request *request)
{
    (void)agent;
    say(request, 200);
}

/* It could give a token of some profile, as far as it knows. */
void endpoint_readyz(struct agent *agent, struct request *request)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    bool is_ready = false;

    for (size_t i = 0; i < world->n && !is_ready; i++) {
        struct holder_status status;

        holder_get_status(world->holders[i], &status);
        is_ready = status.key.state == KEY_IDLE || status.key.state == KEY_READY;
    }
    say(request, is_ready && !atomic_load(&agent->is_ending) ? 200 : 503);
}
