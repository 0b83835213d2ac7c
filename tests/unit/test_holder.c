/* SPDX-License-Identifier: Apache-2.0 */
/* A profile's tokens, and the signer that is kept for them: that one is of software, the time is the test's.
 */
#include "agent/holder.h"

#include "base/error.h"
#include "base/str.h"
#include "oauth/access_token.h"
#include "soft_opening.h"
#include "unit.h"

static struct holder *holder_with(const char *pin_source)
{
    struct holder *holder = NULL;

    assert_ok(holder_new("main", soft_profile(pin_source), NULL, &holder, NULL));
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
    assert_int_equal(soft_seen.n_opened, 0);
    for (int i = 0; i < 3; i++) {
        assert_ok(sign(holder));
    }
    assert_int_equal(soft_seen.n_opened, 1);
    assert_state(holder, KEY_READY);
    holder_freep(&holder);
    assert_int_equal(soft_seen.n_closed, 1);
}

TEST(a_person_unlocks_and_a_lock_ends_it)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("tty");

    assert_state(holder, KEY_LOCKED);
    assert_int_equal(sign(holder), KEYSTAY_E_PIN_SOURCE);
    assert_int_equal(unlock(holder, ""), KEYSTAY_E_PIN_SOURCE);
    assert_int_equal(soft_seen.n_opened, 0);
    assert_false(holder_has_signer(holder));
    assert_ok(unlock(holder, "4711"));
    assert_true(holder_has_signer(holder));
    assert_string_equal(soft_seen.pin, "4711");
    assert_true(soft_seen.is_low_try);
    assert_ok(sign(holder));
    assert_ok(unlock(holder, "another")); /* it is open: no try is spent */
    assert_int_equal(soft_seen.n_opened, 1);
    holder_lock(holder);
    assert_int_equal(soft_seen.n_closed, 1);
    assert_false(holder_has_signer(holder));
    assert_int_equal(sign(holder), KEYSTAY_E_PIN_SOURCE);
    assert_int_equal(soft_seen.n_opened, 1);
}

TEST(a_signature_that_fails_does_not_end_the_signer)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("file:/run/pin");

    assert_ok(sign(holder));
    soft_seen.signer->spoil = SPOIL_FAIL;
    assert_int_equal(sign(holder), KEYSTAY_E_MODULE);
    soft_seen.signer->spoil = SPOIL_NOTHING;
    assert_ok(sign(holder));
    assert_int_equal(soft_seen.n_opened, 1);
}

TEST(a_signer_that_no_longer_fits_its_certificate_is_opened_anew)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("file:/run/pin");

    assert_ok(sign(holder));
    soft_seen.signer->spoil = SPOIL_BIT;
    assert_int_equal(sign(holder), KEYSTAY_E_KEY_MISMATCH);
    assert_int_equal(soft_seen.n_closed, 1);
    soft_now_ms += 1000;
    assert_ok(sign(holder));
    assert_int_equal(soft_seen.n_opened, 2);
}

TEST(a_person_who_acts_ends_the_pause)
{
    CLEANUP(holder_freep) struct holder *holder = holder_with("tty");
    struct pace *pace = holder_pace(holder);

    assert_ok(unlock(holder, "4711"));
    pace_begin(pace);
    pace_end(pace, KEYSTAY_E_MODULE, soft_now_ms);
    assert_int_equal(pace_allows(pace, INT64_MAX - 1), 0);
    assert_ok(unlock(holder, "4711"));
    assert_int_equal(pace_allows(pace, soft_now_ms), PACE_AT_ONCE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signer_is_opened_when_it_is_needed_and_once),
        cmocka_unit_test(a_person_unlocks_and_a_lock_ends_it),
        cmocka_unit_test(a_signature_that_fails_does_not_end_the_signer),
        cmocka_unit_test(a_signer_that_no_longer_fits_its_certificate_is_opened_anew),
        cmocka_unit_test(a_person_who_acts_ends_the_pause),
    };

    return RUN_TESTS(tests);
}
