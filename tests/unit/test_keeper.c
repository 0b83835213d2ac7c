/* SPDX-License-Identifier: Apache-2.0 */
/* When a keeper opens its signer, and when it does not: the signers are software, the time is the test's. */
#include "agent/keeper.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/str.h"
#include "soft_opening.h"
#include "unit.h"

struct kept {
    struct keystay_profile *profile;
    struct meter meter;
    struct keeper keeper;
};

static void kept_freep(struct kept **kept_at)
{
    struct kept *kept = *kept_at;

    keeper_clear(&kept->keeper);
    keystay_profile_free(kept->profile);
    free(kept);
}

static struct kept *kept_with(const char *pin_source)
{
    struct kept *kept = calloc(1, sizeof(*kept));

    assert_non_null(kept);
    kept->profile = soft_profile(pin_source);
    meter_init(&kept->meter, "main", NULL);
    keeper_init(&kept->keeper, "main", kept->profile, NULL, &kept->meter);
    return kept;
}

/* As the agent does for a signature. */

static enum keystay_status take(struct kept *kept)
{
    CLEANUP(opened_freep) struct opened *opened = NULL;
    struct keystay_error error = { 0 };
    enum keystay_status status = keeper_take(&kept->keeper, &opened, &error);

    assert_int_equal(opened != NULL, status == KEYSTAY_OK);
    if (status != KEYSTAY_OK) {
        status = keeper_note_failure(&kept->keeper, opened, status, &error);
    }
    assert_int_equal(error.status, status);
    return status;
}

static enum keystay_status unlock(struct kept *kept, const char *pin)
{
    CLEANUP(secret_clear) struct secret secret = { 0 };
    struct keystay_error error = { 0 };

    assert_ok(secret_set(&secret, slice_of_str(pin), NULL));
    return keeper_unlock(&kept->keeper, &secret, false, &error);
}

static void assert_state(struct kept *kept, enum key_state state)
{
    struct keeper_status status;

    keeper_get_status(&kept->keeper, &status);
    assert_string_equal(key_state_name(status.state), key_state_name(state));
}

TEST(a_failure_is_not_repeated_at_once_and_later_and_later)
{
    CLEANUP(kept_freep) struct kept *kept = kept_with("file:/run/pin");

    soft_next.status = KEYSTAY_E_TOKEN_NOT_FOUND;
    for (int64_t pause_ms = 1000; pause_ms <= 4000; pause_ms *= 2) {
        const int before = soft_seen.n_opened;

        assert_int_equal(take(kept), KEYSTAY_E_TOKEN_NOT_FOUND);
        assert_int_equal(soft_seen.n_opened, before + 1);
        soft_now_ms += pause_ms - 1;
        assert_int_equal(take(kept), KEYSTAY_E_TOKEN_NOT_FOUND);
        assert_int_equal(soft_seen.n_opened, before + 1);
        assert_state(kept, KEY_FAILING);
        soft_now_ms += 1;
    }
    soft_next.status = KEYSTAY_OK;
    assert_ok(take(kept));
    assert_state(kept, KEY_READY);
}

TEST(a_pin_that_was_refused_is_not_sent_again)
{
    CLEANUP(kept_freep) struct kept *kept = kept_with("file:/run/pin");

    soft_next.status = KEYSTAY_E_PIN_INCORRECT;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(take(kept), KEYSTAY_E_PIN_INCORRECT);
        soft_now_ms += 3600 * 1000;
    }
    assert_int_equal(soft_seen.n_opened, 1);
    assert_state(kept, KEY_PIN_WRONG);
    soft_next.status = KEYSTAY_OK;
    keeper_reopen(&kept->keeper); /* a person has acted */
    assert_ok(take(kept));
    assert_int_equal(soft_seen.n_opened, 2);
}

TEST(a_wrong_pin_of_a_person_costs_one_try)
{
    CLEANUP(kept_freep) struct kept *kept = kept_with("tty");

    soft_next.status = KEYSTAY_E_PIN_INCORRECT;
    assert_int_equal(unlock(kept, "1234"), KEYSTAY_E_PIN_INCORRECT);
    assert_int_equal(atomic_load(&kept->meter.n_signers), 0);
    assert_int_equal(take(kept), KEYSTAY_E_PIN_INCORRECT);
    assert_int_equal(soft_seen.n_opened, 1);
    soft_next.status = KEYSTAY_OK;
    assert_ok(unlock(kept, "4711"));
    assert_ok(take(kept));
}

/* A soft_next's meanwhile. */
static void lock(void *context)
{
    keeper_lock(context, false);
}

TEST(a_lock_is_one_although_it_comes_while_the_key_is_opened)
{
    static const char *const sources[] = { "tty", "file:/nowhere" };

    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        CLEANUP(kept_freep) struct kept *kept = kept_with(sources[i]);

        soft_next.meanwhile = lock;
        soft_next.context = &kept->keeper;
        assert_int_equal(i == 0 ? unlock(kept, "4711") : take(kept), KEYSTAY_E_PIN_SOURCE);
        assert_int_equal(soft_seen.n_opened, 1);
        assert_int_equal(soft_seen.n_closed, 1);
        assert_state(kept, KEY_LOCKED);
        assert_int_equal(take(kept), KEYSTAY_E_PIN_SOURCE);
        assert_int_equal(soft_seen.n_opened, 1);
    }
}

TEST(reopening_keeps_what_only_a_person_could_open_again)
{
    CLEANUP(kept_freep) struct kept *asked = kept_with("tty");

    assert_ok(unlock(asked, "4711"));
    keeper_reopen(&asked->keeper);
    assert_ok(take(asked));
    assert_int_equal(soft_seen.n_opened, 1);

    CLEANUP(kept_freep) struct kept *attended_by_none = kept_with("file:/run/pin");
    assert_ok(take(attended_by_none));
    keeper_reopen(&attended_by_none->keeper);
    assert_int_equal(soft_seen.n_closed, 1);
    assert_ok(take(attended_by_none));
    assert_int_equal(soft_seen.n_opened, 2);
}

TEST(a_locked_profile_that_needs_nobody_is_unlocked_without_a_pin)
{
    CLEANUP(kept_freep) struct kept *kept = kept_with("file:/run/pin");

    keeper_lock(&kept->keeper, false);
    assert_int_equal(take(kept), KEYSTAY_E_PIN_SOURCE);
    assert_ok(unlock(kept, ""));
    assert_string_equal(soft_seen.pin, "");
    assert_ok(take(kept));
}

TEST(a_newer_certificate_is_looked_for_once_a_day_whatever_the_clock_shows)
{
    static const int64_t day_ms = 86400000;
    static const int64_t now_s = 1800000000;

    CLEANUP(kept_freep) struct kept *kept = kept_with("file:/run/pin");

    soft_next.certificate_ends_s = now_s + 29 * 86400;
    assert_false(keeper_is_due(&kept->keeper, now_s)); /* nothing is open */
    assert_ok(take(kept));
    soft_now_ms += day_ms - 1;
    assert_false(keeper_is_due(&kept->keeper, now_s));
    assert_false(keeper_is_due(&kept->keeper, now_s + 86400)); /* set forward */
    soft_now_ms += 1;
    assert_true(keeper_is_due(&kept->keeper, now_s));
    assert_false(keeper_is_due(&kept->keeper, now_s - 86400)); /* more than a month is left */
    keeper_reopen(&kept->keeper);
    assert_ok(take(kept));
    assert_false(keeper_is_due(&kept->keeper, now_s));
    soft_now_ms += day_ms;
    assert_true(keeper_is_due(&kept->keeper, now_s - 3600)); /* set back since it was opened */
}

/* Whether a renewal that nobody asked for may be tried. */
TEST(nobody_is_asked_for_what_nobody_has_asked_for)
{
    static const struct {
        const char *source;
        bool is_alone;
    } rows[] = {
        { "file:/run/pin", true }, { "credential:pin", true }, { "exec:/bin/pin", true }, { "env:PIN", true },
        { "pinentry", false },     { "none", false },          { "tty", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(kept_freep) struct kept *kept = kept_with(rows[i].source);

        assert_row(keeper_signs_alone(&kept->keeper, soft_now_ms) == rows[i].is_alone, rows[i].source);
        assert_int_equal(soft_seen.n_opened, 0);
    }
}

TEST(what_is_open_signs_alone_and_what_is_locked_does_not)
{
    CLEANUP(kept_freep) struct kept *kept = kept_with("tty");

    assert_ok(unlock(kept, "4711"));
    assert_true(keeper_signs_alone(&kept->keeper, soft_now_ms));
    keeper_lock(&kept->keeper, false);
    assert_false(keeper_signs_alone(&kept->keeper, soft_now_ms));
}

TEST(a_wrong_pin_and_a_failure_a_moment_ago_are_not_tried)
{
    CLEANUP(kept_freep) struct kept *kept = kept_with("file:/run/pin");

    soft_next.status = KEYSTAY_E_TOKEN_NOT_FOUND;
    assert_int_equal(take(kept), KEYSTAY_E_TOKEN_NOT_FOUND);
    assert_false(keeper_signs_alone(&kept->keeper, soft_now_ms + 999));
    assert_true(keeper_signs_alone(&kept->keeper, soft_now_ms + 1000));
    soft_now_ms += 1000;
    soft_next.status = KEYSTAY_E_PIN_INCORRECT;
    assert_int_equal(take(kept), KEYSTAY_E_PIN_INCORRECT);
    assert_false(keeper_signs_alone(&kept->keeper, soft_now_ms + (int64_t)3600 * 1000));
}

static void assert_tries(struct kept *kept, bool has_looked, unsigned int tries)
{
    struct keeper_status status;

    keeper_get_status(&kept->keeper, &status);
    assert_int_equal(status.has_looked, has_looked);
    if (has_looked) {
        assert_int_equal(status.pin_tries, tries);
    }
}

TEST(what_the_token_says_is_known_before_a_person_is_asked)
{
    CLEANUP(kept_freep) struct kept *kept = kept_with("tty");
    unsigned int tries = 99;

    assert_tries(kept, false, 0);
    assert_ok(keeper_look_at_pin(&kept->keeper, &tries, NULL));
    assert_int_equal(tries, 0);
    soft_next.tries = KEYSTAY_PIN_FINAL_TRY;
    assert_ok(keeper_look_at_pin(&kept->keeper, &tries, NULL));
    assert_int_equal(tries, KEYSTAY_PIN_FINAL_TRY);
    assert_tries(kept, true, KEYSTAY_PIN_FINAL_TRY);
    assert_state(kept, KEY_LOCKED);
    assert_int_equal(soft_seen.n_looked, 2);
    assert_int_equal(soft_seen.n_opened, 0);
    assert_ok(unlock(kept, "4711"));
    assert_tries(kept, false, 0); /* the counter began anew */
    assert_ok(keeper_look_at_pin(&kept->keeper, &tries, NULL));
    assert_int_equal(tries, 0);
    assert_int_equal(soft_seen.n_looked, 2); /* it is open: there is nothing to ask for */
}

TEST(a_pin_that_is_locked_is_said_as_such)
{
    CLEANUP(kept_freep) struct kept *kept = kept_with("tty");
    struct keystay_error error = { 0 };
    unsigned int tries = 0;

    soft_next.look = KEYSTAY_E_PIN_LOCKED;
    assert_int_equal(keeper_look_at_pin(&kept->keeper, &tries, &error), KEYSTAY_E_PIN_LOCKED);
    assert_state(kept, KEY_PIN_WRONG);
    assert_int_equal(take(kept), KEYSTAY_E_PIN_LOCKED);
    soft_next.look = KEYSTAY_OK; /* somebody had the PUK */
    assert_ok(keeper_look_at_pin(&kept->keeper, &tries, &error));
    assert_ok(unlock(kept, "4711"));
}

TEST(a_module_that_is_away_is_no_wrong_pin)
{
    CLEANUP(kept_freep) struct kept *kept = kept_with("tty");
    struct keystay_error error = { 0 };
    unsigned int tries = 0;

    soft_next.look = KEYSTAY_E_TOKEN_NOT_FOUND;
    assert_int_equal(keeper_look_at_pin(&kept->keeper, &tries, &error), KEYSTAY_E_TOKEN_NOT_FOUND);
    assert_state(kept, KEY_LOCKED);
    soft_next.look = KEYSTAY_OK;
    assert_ok(unlock(kept, "4711"));
}

TEST(after_a_wrong_pin_it_says_how_near_the_end_is)
{
    static const struct {
        const char *name, *words;
        enum keystay_status look, expected;
        unsigned int tries;
    } rows[] = {
        { "not told", "does not say how many more lock it", KEYSTAY_OK, KEYSTAY_E_PIN_INCORRECT,
          KEYSTAY_PIN_WAS_REFUSED },
        { "low", "has counted a wrong PIN", KEYSTAY_OK, KEYSTAY_E_PIN_INCORRECT, KEYSTAY_PIN_COUNT_LOW },
        { "one left", "one more wrong PIN locks the token", KEYSTAY_OK, KEYSTAY_E_PIN_INCORRECT,
          KEYSTAY_PIN_FINAL_TRY | KEYSTAY_PIN_WAS_REFUSED },
        { "none left", "the PIN is locked now", KEYSTAY_E_PIN_LOCKED, KEYSTAY_E_PIN_LOCKED, 0 },
        { "away", "opening number 1 failed", KEYSTAY_E_MODULE, KEYSTAY_E_PIN_INCORRECT, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(kept_freep) struct kept *kept = kept_with("tty");
        CLEANUP(secret_clear) struct secret pin = { 0 };
        struct keystay_error error = { 0 };

        soft_next.status = KEYSTAY_E_PIN_INCORRECT;
        soft_next.look = rows[i].look;
        soft_next.tries = rows[i].tries;
        assert_ok(secret_set(&pin, SLICE("1234"), NULL));
        assert_row(keeper_unlock(&kept->keeper, &pin, false, &error) == rows[i].expected, rows[i].name);
        assert_row(error.status == rows[i].expected, rows[i].name);
        assert_contains(error.message, rows[i].words);
        assert_state(kept, KEY_PIN_WRONG);
        assert_int_equal(soft_seen.n_opened, 1);
    }
}

TEST(the_last_try_is_the_persons_to_allow)
{
    for (int is_final_try = 0; is_final_try <= 1; is_final_try++) {
        CLEANUP(kept_freep) struct kept *kept = kept_with("tty");
        CLEANUP(secret_clear) struct secret pin = { 0 };

        assert_ok(secret_set(&pin, SLICE("4711"), NULL));
        assert_ok(keeper_unlock(&kept->keeper, &pin, is_final_try != 0, NULL));
        assert_int_equal(soft_seen.is_final_try, is_final_try);
    }
}

/* pinentry: a person is asked where the signature is wanted. */
TEST(who_mistypes_is_asked_again_and_not_for_ever)
{
    CLEANUP(kept_freep) struct kept *kept = kept_with("pinentry");

    assert_state(kept, KEY_IDLE);
    soft_next.status = KEYSTAY_E_PIN_INCORRECT;
    assert_int_equal(take(kept), KEYSTAY_E_PIN_INCORRECT);
    assert_int_equal(soft_seen.n_opened, 3);
    assert_int_equal(take(kept), KEYSTAY_E_PIN_INCORRECT);
    assert_int_equal(soft_seen.n_opened, 3);
    assert_state(kept, KEY_PIN_WRONG);
    soft_next.status = KEYSTAY_OK;
    assert_ok(unlock(kept, ""));
    assert_int_equal(soft_seen.n_opened, 4);
    keeper_reopen(&kept->keeper); /* a person would be asked: what is open stays */
    assert_ok(take(kept));
    assert_int_equal(soft_seen.n_opened, 4);
}

TEST(where_the_token_is_in_the_way_nobody_is_asked_again)
{
    static const struct {
        const char *name;
        enum keystay_status status;
        CK_RV rv;
        bool asks_first;
        int n_opened;
    } rows[] = {
        { "the same PIN once more", KEYSTAY_E_PIN_REFUSED, CKR_OK, true, 3 },
        { "the last try", KEYSTAY_E_PIN_REFUSED, CKR_OK, false, 1 },
        { "no PIN is set", KEYSTAY_E_PIN_REFUSED, CKR_USER_PIN_NOT_INITIALIZED, true, 1 },
        { "locked", KEYSTAY_E_PIN_LOCKED, CKR_PIN_LOCKED, true, 1 },
        { "away", KEYSTAY_E_TOKEN_NOT_FOUND, CKR_OK, false, 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(kept_freep) struct kept *kept = kept_with("pinentry");

        soft_next.status = rows[i].status;
        soft_next.rv = rows[i].rv;
        soft_next.asks_first = rows[i].asks_first;
        assert_row(take(kept) == rows[i].status, rows[i].name);
        assert_row(soft_seen.n_opened == rows[i].n_opened, rows[i].name);
    }
}

TEST(who_cancels_is_left_alone)
{
    CLEANUP(kept_freep) struct kept *kept = kept_with("pinentry");

    soft_next.status = KEYSTAY_E_INTERRUPTED;
    assert_int_equal(take(kept), KEYSTAY_E_PIN_SOURCE);
    soft_next.status = KEYSTAY_OK;
    soft_now_ms += 24 * 3600 * 1000;
    assert_int_equal(take(kept), KEYSTAY_E_PIN_SOURCE);
    assert_int_equal(soft_seen.n_opened, 1);
    assert_state(kept, KEY_LOCKED);
    assert_ok(unlock(kept, ""));
    assert_ok(take(kept));
    assert_int_equal(soft_seen.n_opened, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_not_repeated_at_once_and_later_and_later),
        cmocka_unit_test(a_pin_that_was_refused_is_not_sent_again),
        cmocka_unit_test(a_wrong_pin_of_a_person_costs_one_try),
        cmocka_unit_test(a_lock_is_one_although_it_comes_while_the_key_is_opened),
        cmocka_unit_test(reopening_keeps_what_only_a_person_could_open_again),
        cmocka_unit_test(a_locked_profile_that_needs_nobody_is_unlocked_without_a_pin),
        cmocka_unit_test(a_newer_certificate_is_looked_for_once_a_day_whatever_the_clock_shows),
        cmocka_unit_test(nobody_is_asked_for_what_nobody_has_asked_for),
        cmocka_unit_test(what_is_open_signs_alone_and_what_is_locked_does_not),
        cmocka_unit_test(a_wrong_pin_and_a_failure_a_moment_ago_are_not_tried),
        cmocka_unit_test(what_the_token_says_is_known_before_a_person_is_asked),
        cmocka_unit_test(a_pin_that_is_locked_is_said_as_such),
        cmocka_unit_test(a_module_that_is_away_is_no_wrong_pin),
        cmocka_unit_test(after_a_wrong_pin_it_says_how_near_the_end_is),
        cmocka_unit_test(the_last_try_is_the_persons_to_allow),
        cmocka_unit_test(who_mistypes_is_asked_again_and_not_for_ever),
        cmocka_unit_test(where_the_token_is_in_the_way_nobody_is_asked_again),
        cmocka_unit_test(who_cancels_is_left_alone),
    };

    return RUN_TESTS(tests);
}
