/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/agent_unlock.h"

#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "base/suggest.h"
#include "core/config.h"
#include "crypto/prompt.h"
#include "pkcs11/pin.h"

enum { SOURCE_MS = 30000 };

static void describe(const struct json *profile, const char *name, struct agent_profile *ret_profile)
{
    const char *state = json_str_or_null(profile, "state");
    const char *key = json_str_or_null(profile, "key");
    const struct json *asks = json_member(profile, "asks_a_person");
    char text[AGENT_WHERE_SIZE];
    int64_t n_slow = 0;

    (void)snprintf(
        text, sizeof(text), "profile %s%s%s%s", name, key == NULL ? "" : " (", key == NULL ? "" : key,
        key == NULL ? "" : ")");
    *ret_profile = (struct agent_profile){
        .is_open = state != NULL && str_equal(state, "ready"),
        .is_locked = state != NULL && (str_equal(state, "locked") || str_equal(state, "pin wrong")),
        .asks_a_person = asks != NULL && json_is_true(asks),
        .is_slow = json_get_i64(profile, "slow_signatures", &n_slow, NULL) == KEYSTAY_OK && n_slow > 0,
    };
    str_quote_foreign(slice_of_str(text), ret_profile->where, sizeof(ret_profile->where));
}

static enum keystay_status no_such_profile(
    const char *name, const char *const *names, struct keystay_error *err)
{
    const char *near = suggest_nearest(name, names);
    char quoted[AGENT_WHERE_SIZE];

    (void)err_set_hint(
        err, KEYSTAY_E_CONFIG, "keystay agent status lists them", "the agent has no profile of that name");
    if (near == NULL) {
        return KEYSTAY_E_CONFIG;
    }
    str_quote_foreign(slice_of_str(near), quoted, sizeof(quoted));
    return err_hint(err, KEYSTAY_E_CONFIG, "did you mean %s?", quoted);
}

enum keystay_status agent_look(
    struct agent_client *client, const char *name, struct agent_profile *ret_profile,
    struct keystay_error *err)
{
    const struct agent_call call = { .path = "/v1/status" };
    CLEANUP(json_freep) struct json *status = NULL;
    const char *names[CONFIG_NAMES_SIZE] = { NULL };
    size_t n = 0;

    TRY(agent_ask_json(client, &call, &status, err));
    const struct json *profiles = json_member(status, "profiles");
    const struct json *profile =
        profiles != NULL && json_type(profiles) == JSON_ARRAY ? json_first(profiles) : NULL;
    for (; profile != NULL; profile = json_next(profile)) {
        const char *there = json_type(profile) == JSON_OBJECT ? json_str_or_null(profile, "name") : NULL;

        if (there != NULL && str_equal(there, name)) {
            describe(profile, name, ret_profile);
            return KEYSTAY_OK;
        }
        if (there != NULL && n + 1 < ARRAY_LEN(names)) {
            names[n++] = there;
        }
    }
    return no_such_profile(name, names, err);
}

unsigned int agent_read_tries(const struct json *pin)
{
    static const struct {
        const char *name;
        enum keystay_pin_tries bit;
    } rows[] = {
        { "was_refused", KEYSTAY_PIN_WAS_REFUSED },
        { "count_low", KEYSTAY_PIN_COUNT_LOW },
        { "final_try", KEYSTAY_PIN_FINAL_TRY },
    };
    unsigned int tries = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows) && json_type(pin) == JSON_OBJECT; i++) {
        const struct json *member = json_member(pin, rows[i].name);

        tries |= member != NULL && json_is_true(member) ? (unsigned int)rows[i].bit : 0U;
    }
    return tries;
}

/* Before a person is asked: what is not going to be sent need not be typed. The rule is that of every login.
 */
static enum keystay_status look_at_pin(
    struct agent_client *client, const char *name, bool is_final_try, unsigned int *ret_tries,
    struct keystay_error *err)
{
    const struct agent_call call = { .path = "/v1/pin",
                                     .arguments = { { "profile", name } },
                                     .is_post = true };
    const struct pin_policy policy = { .source = { .kind = PIN_SOURCE_TTY }, .final_try = is_final_try };
    CLEANUP(json_freep) struct json *answer = NULL;
    char where[AGENT_WHERE_SIZE];

    TRY(agent_ask_json(client, &call, &answer, err));
    const unsigned int tries = agent_read_tries(answer);
    const bool is_last = (tries & KEYSTAY_PIN_FINAL_TRY) != 0;
    (void)snprintf(where, sizeof(where), "profile %s", name);
    if (pin_check_flags(&policy, is_last ? CKF_USER_PIN_FINAL_TRY : 0, where, err) != KEYSTAY_OK) {
        return err_hint(
            err, KEYSTAY_E_PIN_REFUSED,
            "make sure of the PIN, then: keystay agent unlock --pin-final-try %s; a right PIN resets the counter",
            name);
    }
    *ret_tries = tries;
    return KEYSTAY_OK;
}

enum keystay_status agent_unlock(
    struct agent_client *client, const char *name, const struct agent_profile *profile,
    const struct pin_source *source, bool is_final_try, struct keystay_error *err)
{
    struct pin_question question = { .where = profile->where, .purpose = "", .timeout_ms = SOURCE_MS };
    CLEANUP(secret_clear) struct secret pin = { 0 };
    CLEANUP(buf_clear) struct buf answer = BUF(AGENT_ANSWER_MAX);

    if (source != NULL) {
        if (pin_source_is_attended(source)) {
            TRY(look_at_pin(client, name, is_final_try, &question.tries, err));
        }
        TRY(pin_source_get(source, &question, client->log, &pin, err));
        if (pin.len == 0) {
            return err_set(err, KEYSTAY_E_PIN_SOURCE, "the PIN is empty: it was not sent");
        }
    }
    const struct agent_call call = { .path = "/v1/unlock",
                                     .arguments = { { "profile", name },
                                                    { "pin_final_try", is_final_try ? "yes" : NULL } },
                                     .is_post = true,
                                     .body = secret_slice(&pin) };
    return agent_ask(client, &call, &answer, err);
}

bool agent_person_is_there(void)
{
    return (isatty(STDIN_FILENO) || isatty(STDERR_FILENO)) && prompt_has_terminal();
}

enum keystay_status agent_unlock_by_person(
    struct agent_client *client, const char *name, struct keystay_error *err)
{
    static const struct pin_source terminal = { .kind = PIN_SOURCE_TTY };
    struct agent_profile profile = { 0 };

    TRY(agent_look(client, name, &profile, err));
    return profile.is_locked && profile.asks_a_person
               ? agent_unlock(client, name, &profile, &terminal, false, err)
               : KEYSTAY_OK;
}
