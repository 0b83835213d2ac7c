/* SPDX-License-Identifier: Apache-2.0 */
/* How many renewals at once, and when again after one that failed. */
#include "unit.h"

#include "agent/pace.h"

enum { NOW_MS = 1000000 };

static struct pace pace_of(bool opens_alone)
{
    struct pace pace;

    pace_init(&pace, opens_alone);
    return pace;
}

static void end_badly(struct pace *pace, enum keystay_status status, int64_t now_ms)
{
    pace_begin(pace);
    pace_end(pace, status, now_ms);
}

TEST(some_at_once)
{
    CLEANUP(pace_clear) struct pace pace = pace_of(true);

    for (unsigned int n = PACE_AT_ONCE_MAX; n > 0; n--) {
        assert_int_equal(pace_allows(&pace, NOW_MS), n);
        pace_begin(&pace);
    }
    assert_int_equal(pace_allows(&pace, NOW_MS), 0);
    pace_end(&pace, KEYSTAY_OK, NOW_MS);
    assert_int_equal(pace_allows(&pace, NOW_MS), 1);
}

TEST(after_a_failure_one_at_a_time_and_later_and_later)
{
    CLEANUP(pace_clear) struct pace pace = pace_of(true);
    int64_t now_ms = NOW_MS;

    for (int64_t pause_ms = PACE_PAUSE_FIRST_MS; pause_ms <= 64000; pause_ms *= 2) {
        end_badly(&pace, KEYSTAY_E_NETWORK, now_ms);
        now_ms += pause_ms > PACE_PAUSE_MAX_MS ? PACE_PAUSE_MAX_MS : pause_ms;
        assert_int_equal(pace_allows(&pace, now_ms - 1), 0);
        assert_int_equal(pace_allows(&pace, now_ms), 1);
    }
    pace_begin(&pace);
    assert_int_equal(pace_allows(&pace, now_ms), 0);
    pace_end(&pace, KEYSTAY_OK, now_ms);
    assert_int_equal(pace_allows(&pace, now_ms), PACE_AT_ONCE_MAX);
    end_badly(&pace, KEYSTAY_E_NETWORK, now_ms);
    assert_int_equal(pace_allows(&pace, now_ms + PACE_PAUSE_FIRST_MS), 1); /* it begins anew */
}

TEST(those_that_began_together_are_one_failure)
{
    CLEANUP(pace_clear) struct pace pace = pace_of(true);

    for (int i = 0; i < 3; i++) {
        pace_begin(&pace);
    }
    for (int i = 0; i < 3; i++) {
        pace_end(&pace, KEYSTAY_E_SERVER_DOWN, NOW_MS + i);
    }
    assert_int_equal(pace_allows(&pace, NOW_MS + PACE_PAUSE_FIRST_MS - 1), 0);
    assert_int_equal(pace_allows(&pace, NOW_MS + PACE_PAUSE_FIRST_MS), 1);
}

TEST(somebody_else_finds_out_that_all_is_well)
{
    CLEANUP(pace_clear) struct pace pace = pace_of(true);

    end_badly(&pace, KEYSTAY_E_NETWORK, NOW_MS);
    pace_reset(&pace);
    assert_int_equal(pace_allows(&pace, NOW_MS), PACE_AT_ONCE_MAX);
}

/* A key that blinks, with nobody there. */
TEST(a_key_that_wants_a_person_is_not_asked_again)
{
    CLEANUP(pace_clear) struct pace pace = pace_of(false);

    end_badly(&pace, KEYSTAY_E_NETWORK, NOW_MS);
    assert_int_equal(pace_allows(&pace, NOW_MS + PACE_PAUSE_FIRST_MS), 1);
    end_badly(&pace, KEYSTAY_E_MODULE, NOW_MS + PACE_PAUSE_FIRST_MS);
    assert_int_equal(pace_allows(&pace, INT64_MAX - 1), 0);
    pace_reset(&pace);
    assert_int_equal(pace_allows(&pace, NOW_MS), PACE_AT_ONCE_MAX);
}

TEST(each_is_counted)
{
    CLEANUP(pace_clear) struct pace pace = pace_of(true);
    uint64_t n_done = 7;
    uint64_t n_failed = 7;

    pace_counts(&pace, &n_done, &n_failed);
    assert_int_equal(n_done + n_failed, 0);
    end_badly(&pace, KEYSTAY_E_NETWORK, NOW_MS);
    end_badly(&pace, KEYSTAY_E_NETWORK, NOW_MS);
    pace_begin(&pace);
    pace_end(&pace, KEYSTAY_OK, NOW_MS);
    pace_counts(&pace, &n_done, &n_failed);
    assert_int_equal(n_done, 1);
    assert_int_equal(n_failed, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_at_once),
        cmocka_unit_test(after_a_failure_one_at_a_time_and_later_and_later),
        cmocka_unit_test(those_that_began_together_are_one_failure),
        cmocka_unit_test(somebody_else_finds_out_that_all_is_well),
        cmocka_unit_test(a_key_that_wants_a_person_is_not_asked_again),
        cmocka_unit_test(each_is_counted),
    };

    return RUN_TESTS(tests);
}
