/* SPDX-License-Identifier: Apache-2.0 */
/* When a holder opens its signer, and when it does not: the signers are software, the time is the test's. */
#include "unit.h"

#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/holder.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "keystay/pkcs11.h"
#include "oauth/access_token.h"
#include "rsa.h"

/* What the next opening ends in, and what was seen of it. */
static enum keystay_status next_status;
static CK_RV next_rv;
static int n_opened, n_closed, n_looked;
static unsigned int next_tries;
static enum keystay_status next_look; /* KEYSTAY_OK: the PIN is wanted, and none is there */
static bool asks_first;               /* the next opening comes as far as the question for the PIN */
static bool seen_final_try;
static char seen_pin[32];
static bool seen_low_try;
static struct soft_signer *last_signer; /* borrowed */
static int64_t now_ms;
static int64_t certificate_ends_s;

enum keystay_status __wrap_keystay_pkcs11_open(
    const struct keystay_pkcs11_config *config, struct keystay_signer **ret_signer,
    struct keystay_error *err);
int64_t __wrap_clock_monotonic_ms(void);
int64_t __wrap_clock_boot_ms(void);

/* An empty PIN. */
static enum keystay_status look_at_it(const struct keystay_pkcs11_config *config, struct keystay_error *err)
{
    n_looked++;
    assert_int_equal(config->pin_final_try, 1);
    if (next_look != KEYSTAY_OK) {
        return err_set(err, next_look, "looking failed");
    }
    config->watch->pin_wanted(config->watch->context, next_tries);
    return err_set(err, KEYSTAY_E_PIN_SOURCE, "the PIN is empty");
}

enum keystay_status __wrap_keystay_pkcs11_open(
    const struct keystay_pkcs11_config *config, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    unsigned int fd = 0;

    assert_int_equal(config->isolate, 1);
    seen_low_try = config->pin_count_low_try != 0;
    seen_pin[0] = '\0';
    if (config->pin_source != NULL && sscanf(config->pin_source, "fd:%u", &fd) == 1) {
        ssize_t len = read((int)fd, seen_pin, sizeof(seen_pin) - 1);
        assert_true(len >= 0);
        seen_pin[len] = '\0';
        if (len == 0) {
            return look_at_it(config, err);
        }
    }
    n_opened++;
    seen_final_try = config->pin_final_try != 0;
    if (asks_first) {
        config->watch->pin_wanted(config->watch->context, next_tries);
    }
    if (next_status != KEYSTAY_OK) {
        (void)err_set(err, next_status, "opening number %d failed", n_opened);
        err->ck_rv = next_rv;
        return next_status;
    }
    last_signer = soft_signer_new(ALG_BIT(KEYSTAY_ALG_RS256), NULL);
    last_signer->n_closed = &n_closed;
    last_signer->base.info.not_after_s = certificate_ends_s;
    *ret_signer = &last_signer->base;
    return KEYSTAY_OK;
}

int64_t __wrap_clock_monotonic_ms(void)
{
    return now_ms;
}

int64_t __wrap_clock_boot_ms(void)
{
    return now_ms;
}

static struct holder *holder_with(const char *pin_source)
{
    struct keystay_profile *profile = NULL;
    struct holder *holder = NULL;

    next_status = next_look = KEYSTAY_OK;
    next_rv = CKR_OK;
    next_tries = 0;
    asks_first = str_equal(pin_source, "pinentry");
    n_opened = n_closed = n_looked = 0;
    now_ms = 1000000;
    assert_ok(keystay_profile_new(&profile, NULL));
    assert_ok(keystay_profile_set(profile, "tenant", "contoso.example", NULL));
    assert_ok(keystay_profile_set(profile, "client-id", "11111111-2222-3333-4444-555555555555", NULL));
    assert_ok(keystay_profile_set(profile, "alg", "RS256", NULL));
    assert_ok(keystay_profile_set(profile, "pin-source", pin_source, NULL));
    assert_ok(holder_new("main", profile, NULL, &holder, NULL));
    return holder;
}

/* An assertion: nothing of it needs a server. */
static enum keystay_status sign(struct holder *holder)
{
    const struct wish wish = { .is_assertion = true };
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    struct keystay_error error = { 0 };
    enum keystay_status status = holder_get(holder, &wish, &token, &error);

    assert_int_equal(error.status, status);
    assert_int_equal(token != NULL, status == KEYSTAY_OK);
    return status;
}

static enum keystay_status unlock(struct holder *holder, const char *pin)
{
    struct secret secret = { 0 };
    struct keystay_error error = { 0 };

    assert_ok(secret_set(&secret, slice_of_str(pin), NULL));
    enum keystay_status status = holder_unlock(holder, &secret, false, &error);
    assert_null(secret.data); /* it is wiped, whatever came of it */
    return status;
}

static void assert_state(struct holder *holder, enum key_state state)
{
    struct holder_status status;

    holder_get_status(holder, &status);
    assert_string_equal(key_state_name(status.key.state), key_state_name(state));
}

TEST(a_signer_is_opened_when_it_is_needed_and_once)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("file:/run/pin");

    assert_state(holder, KEY_IDLE);
    assert_int_equal(n_opened, 0);
    for (int i = 0; i < 3; i++) {
        assert_ok(sign(holder));
    }
    assert_int_equal(n_opened, 1);
    assert_state(holder, KEY_READY);
    holder_freep(&holder);
    assert_int_equal(n_closed, 1);
}

TEST(a_failure_is_not_repeated_at_once_and_later_and_later)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("file:/run/pin");

    next_status = KEYSTAY_E_TOKEN_NOT_FOUND;
    for (int64_t pause_ms = 1000; pause_ms <= 4000; pause_ms *= 2) {
        const int before = n_opened;

        assert_int_equal(sign(holder), KEYSTAY_E_TOKEN_NOT_FOUND);
        assert_int_equal(n_opened, before + 1);
        now_ms += pause_ms - 1;
        assert_int_equal(sign(holder), KEYSTAY_E_TOKEN_NOT_FOUND);
        assert_int_equal(n_opened, before + 1);
        assert_state(holder, KEY_FAILING);
        now_ms += 1;
    }
    next_status = KEYSTAY_OK;
    assert_ok(sign(holder));
    assert_state(holder, KEY_READY);
}

TEST(a_pin_that_was_refused_is_not_sent_again)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("file:/run/pin");

    next_status = KEYSTAY_E_PIN_INCORRECT;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sign(holder), KEYSTAY_E_PIN_INCORRECT);
        now_ms += 3600 * 1000;
    }
    assert_int_equal(n_opened, 1);
    assert_state(holder, KEY_PIN_WRONG);
    next_status = KEYSTAY_OK;
    holder_reopen(holder); /* a person has acted */
    assert_ok(sign(holder));
    assert_int_equal(n_opened, 2);
}

TEST(a_person_unlocks_and_a_lock_ends_it)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("tty");

    assert_state(holder, KEY_LOCKED);
    assert_int_equal(sign(holder), KEYSTAY_E_PIN_SOURCE);
    assert_int_equal(unlock(holder, ""), KEYSTAY_E_PIN_SOURCE);
    assert_int_equal(n_opened, 0);
    assert_false(holder_has_signer(holder));
    assert_ok(unlock(holder, "4711"));
    assert_true(holder_has_signer(holder));
    assert_string_equal(seen_pin, "4711");
    assert_true(seen_low_try);
    assert_ok(sign(holder));
    assert_ok(unlock(holder, "another")); /* it is open: no try is spent */
    assert_int_equal(n_opened, 1);
    holder_lock(holder);
    assert_int_equal(n_closed, 1);
    assert_false(holder_has_signer(holder));
    assert_int_equal(sign(holder), KEYSTAY_E_PIN_SOURCE);
    assert_int_equal(n_opened, 1);
}

TEST(a_wrong_pin_of_a_person_costs_one_try)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("tty");

    next_status = KEYSTAY_E_PIN_INCORRECT;
    assert_int_equal(unlock(holder, "1234"), KEYSTAY_E_PIN_INCORRECT);
    assert_false(holder_has_signer(holder));
    assert_int_equal(sign(holder), KEYSTAY_E_PIN_INCORRECT);
    assert_int_equal(n_opened, 1);
    next_status = KEYSTAY_OK;
    assert_ok(unlock(holder, "4711"));
    assert_ok(sign(holder));
}

TEST(reopening_keeps_what_only_a_person_could_open_again)
{
    CLEANUP(holder_freep) struct holder *asked = holder_with("tty");

    assert_ok(unlock(asked, "4711"));
    holder_reopen(asked);
    assert_ok(sign(asked));
    assert_int_equal(n_opened, 1);

    CLEANUP(holder_freep) struct holder *attended_by_none = holder_with("file:/run/pin");
    assert_ok(sign(attended_by_none));
    holder_reopen(attended_by_none);
    assert_int_equal(n_closed, 1);
    assert_ok(sign(attended_by_none));
    assert_int_equal(n_opened, 2);
}

TEST(a_locked_profile_that_needs_nobody_is_unlocked_without_a_pin)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("file:/run/pin");

    holder_lock(holder);
    assert_int_equal(sign(holder), KEYSTAY_E_PIN_SOURCE);
    assert_ok(unlock(holder, ""));
    assert_string_equal(seen_pin, "");
    assert_ok(sign(holder));
}

TEST(a_newer_certificate_is_looked_for_once_a_day_whatever_the_clock_shows)
{
    static const int64_t day_ms = 86400000;
    static const int64_t now_s = 1800000000;

    certificate_ends_s = now_s + 29 * 86400;
    CLEANUP(holder_freep) struct holder *holder = holder_with("file:/run/pin");
    assert_false(holder_is_due(holder, now_s)); /* nothing is open */
    assert_ok(sign(holder));
    now_ms += day_ms - 1;
    assert_false(holder_is_due(holder, now_s));
    assert_false(holder_is_due(holder, now_s + 86400)); /* set forward */
    now_ms += 1;
    assert_true(holder_is_due(holder, now_s));
    assert_false(holder_is_due(holder, now_s - 86400)); /* more than a month is left */
    holder_reopen(holder);
    assert_ok(sign(holder));
    assert_false(holder_is_due(holder, now_s));
    now_ms += day_ms;
    assert_true(holder_is_due(holder, now_s - 3600)); /* set back since it was opened */
    certificate_ends_s = 0;
}

TEST(a_signature_that_fails_does_not_end_the_signer)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("file:/run/pin");

    assert_ok(sign(holder));
    last_signer->spoil = SPOIL_FAIL;
    assert_int_equal(sign(holder), KEYSTAY_E_MODULE);
    last_signer->spoil = SPOIL_NOTHING;
    assert_ok(sign(holder));
    assert_int_equal(n_opened, 1);
}

TEST(a_signer_that_no_longer_fits_its_certificate_is_opened_anew)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("file:/run/pin");

    assert_ok(sign(holder));
    last_signer->spoil = SPOIL_BIT;
    assert_int_equal(sign(holder), KEYSTAY_E_KEY_MISMATCH);
    assert_int_equal(n_closed, 1);
    now_ms += 1000;
    assert_ok(sign(holder));
    assert_int_equal(n_opened, 2);
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
        CLEANUP(holder_freep) struct holder *holder = holder_with(rows[i].source);

        assert_row(holder_signs_alone(holder, now_ms) == rows[i].is_alone, rows[i].source);
        assert_int_equal(n_opened, 0);
    }
}

TEST(what_is_open_signs_alone_and_what_is_locked_does_not)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("tty");

    assert_ok(unlock(holder, "4711"));
    assert_true(holder_signs_alone(holder, now_ms));
    holder_lock(holder);
    assert_false(holder_signs_alone(holder, now_ms));
}

TEST(a_wrong_pin_and_a_failure_a_moment_ago_are_not_tried)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("file:/run/pin");

    next_status = KEYSTAY_E_TOKEN_NOT_FOUND;
    assert_int_equal(sign(holder), KEYSTAY_E_TOKEN_NOT_FOUND);
    assert_false(holder_signs_alone(holder, now_ms + 999));
    assert_true(holder_signs_alone(holder, now_ms + 1000));
    now_ms += 1000;
    next_status = KEYSTAY_E_PIN_INCORRECT;
    assert_int_equal(sign(holder), KEYSTAY_E_PIN_INCORRECT);
    assert_false(holder_signs_alone(holder, now_ms + (int64_t)3600 * 1000));
}

TEST(a_person_who_acts_ends_the_pause)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("tty");
    struct pace *pace = holder_pace(holder);

    assert_ok(unlock(holder, "4711"));
    pace_begin(pace);
    pace_end(pace, KEYSTAY_E_MODULE, now_ms);
    assert_int_equal(pace_allows(pace, INT64_MAX - 1), 0);
    assert_ok(unlock(holder, "4711"));
    assert_int_equal(pace_allows(pace, now_ms), PACE_AT_ONCE_MAX);
}

static void assert_tries(struct holder *holder, bool has_looked, unsigned int tries)
{
    struct holder_status status;

    holder_get_status(holder, &status);
    assert_int_equal(status.key.has_looked, has_looked);
    if (has_looked) {
        assert_int_equal(status.key.pin_tries, tries);
    }
}

TEST(what_the_token_says_is_known_before_a_person_is_asked)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("tty");
    unsigned int tries = 99;

    assert_tries(holder, false, 0);
    assert_ok(holder_look_at_pin(holder, &tries, NULL));
    assert_int_equal(tries, 0);
    next_tries = KEYSTAY_PIN_FINAL_TRY;
    assert_ok(holder_look_at_pin(holder, &tries, NULL));
    assert_int_equal(tries, KEYSTAY_PIN_FINAL_TRY);
    assert_tries(holder, true, KEYSTAY_PIN_FINAL_TRY);
    assert_state(holder, KEY_LOCKED);
    assert_int_equal(n_looked, 2);
    assert_int_equal(n_opened, 0);
    assert_ok(unlock(holder, "4711"));
    assert_tries(holder, false, 0); /* the counter began anew */
    assert_ok(holder_look_at_pin(holder, &tries, NULL));
    assert_int_equal(tries, 0);
    assert_int_equal(n_looked, 2); /* it is open: there is nothing to ask for */
}

TEST(a_pin_that_is_locked_is_said_as_such)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("tty");
    struct keystay_error error = { 0 };
    unsigned int tries = 0;

    next_look = KEYSTAY_E_PIN_LOCKED;
    assert_int_equal(holder_look_at_pin(holder, &tries, &error), KEYSTAY_E_PIN_LOCKED);
    assert_state(holder, KEY_PIN_WRONG);
    assert_int_equal(sign(holder), KEYSTAY_E_PIN_LOCKED);
    next_look = KEYSTAY_OK; /* somebody had the PUK */
    assert_ok(holder_look_at_pin(holder, &tries, &error));
    assert_ok(unlock(holder, "4711"));
}

TEST(a_module_that_is_away_is_no_wrong_pin)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("tty");
    struct keystay_error error = { 0 };
    unsigned int tries = 0;

    next_look = KEYSTAY_E_TOKEN_NOT_FOUND;
    assert_int_equal(holder_look_at_pin(holder, &tries, &error), KEYSTAY_E_TOKEN_NOT_FOUND);
    assert_state(holder, KEY_LOCKED);
    next_look = KEYSTAY_OK;
    assert_ok(unlock(holder, "4711"));
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
        CLEANUP(holder_freep) struct holder *holder = holder_with("tty");
        struct secret pin = { 0 };
        struct keystay_error error = { 0 };

        next_status = KEYSTAY_E_PIN_INCORRECT;
        next_look = rows[i].look;
        next_tries = rows[i].tries;
        assert_ok(secret_set(&pin, SLICE("1234"), NULL));
        assert_row(holder_unlock(holder, &pin, false, &error) == rows[i].expected, rows[i].name);
        assert_row(error.status == rows[i].expected, rows[i].name);
        assert_contains(error.message, rows[i].words);
        assert_state(holder, KEY_PIN_WRONG);
        assert_int_equal(n_opened, 1);
    }
}

TEST(the_last_try_is_the_persons_to_allow)
{
    for (int is_final_try = 0; is_final_try <= 1; is_final_try++) {
        CLEANUP(holder_freep) struct holder *holder = holder_with("tty");
        struct secret pin = { 0 };

        assert_ok(secret_set(&pin, SLICE("4711"), NULL));
        assert_ok(holder_unlock(holder, &pin, is_final_try != 0, NULL));
        assert_int_equal(seen_final_try, is_final_try);
    }
}

/* pinentry: a person is asked where the signature is wanted. */
TEST(who_mistypes_is_asked_again_and_not_for_ever)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("pinentry");

    assert_state(holder, KEY_IDLE);
    next_status = KEYSTAY_E_PIN_INCORRECT;
    assert_int_equal(sign(holder), KEYSTAY_E_PIN_INCORRECT);
    assert_int_equal(n_opened, 3);
    assert_int_equal(sign(holder), KEYSTAY_E_PIN_INCORRECT);
    assert_int_equal(n_opened, 3);
    assert_state(holder, KEY_PIN_WRONG);
    next_status = KEYSTAY_OK;
    assert_ok(unlock(holder, ""));
    assert_int_equal(n_opened, 4);
    holder_reopen(holder); /* a person would be asked: what is open stays */
    assert_ok(sign(holder));
    assert_int_equal(n_opened, 4);
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
        CLEANUP(holder_freep) struct holder *holder = holder_with("pinentry");

        next_status = rows[i].status;
        next_rv = rows[i].rv;
        asks_first = rows[i].asks_first;
        assert_row(sign(holder) == rows[i].status, rows[i].name);
        assert_row(n_opened == rows[i].n_opened, rows[i].name);
    }
}

TEST(who_cancels_is_left_alone)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("pinentry");

    next_status = KEYSTAY_E_INTERRUPTED;
    assert_int_equal(sign(holder), KEYSTAY_E_PIN_SOURCE);
    next_status = KEYSTAY_OK;
    now_ms += 24 * 3600 * 1000;
    assert_int_equal(sign(holder), KEYSTAY_E_PIN_SOURCE);
    assert_int_equal(n_opened, 1);
    assert_state(holder, KEY_LOCKED);
    assert_ok(unlock(holder, ""));
    assert_ok(sign(holder));
    assert_int_equal(n_opened, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signer_is_opened_when_it_is_needed_and_once),
        cmocka_unit_test(a_failure_is_not_repeated_at_once_and_later_and_later),
        cmocka_unit_test(a_pin_that_was_refused_is_not_sent_again),
        cmocka_unit_test(a_person_unlocks_and_a_lock_ends_it),
        cmocka_unit_test(a_wrong_pin_of_a_person_costs_one_try),
        cmocka_unit_test(reopening_keeps_what_only_a_person_could_open_again),
        cmocka_unit_test(a_locked_profile_that_needs_nobody_is_unlocked_without_a_pin),
        cmocka_unit_test(a_newer_certificate_is_looked_for_once_a_day_whatever_the_clock_shows),
        cmocka_unit_test(a_signature_that_fails_does_not_end_the_signer),
        cmocka_unit_test(a_signer_that_no_longer_fits_its_certificate_is_opened_anew),
        cmocka_unit_test(nobody_is_asked_for_what_nobody_has_asked_for),
        cmocka_unit_test(what_is_open_signs_alone_and_what_is_locked_does_not),
        cmocka_unit_test(a_wrong_pin_and_a_failure_a_moment_ago_are_not_tried),
        cmocka_unit_test(a_person_who_acts_ends_the_pause),
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
