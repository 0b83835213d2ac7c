/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "signer/set.h"

/* What a candidate's config points to, and what happened to it. */
struct device {
    const char *name;
    enum keystay_status open_status;
    enum keystay_status work_status;
    int n_opened; /* tries: each may cost one of the PIN's */
    int n_closed;
    int n_locked;
    atomic_int n_worked;
};

struct fake_signer {
    struct keystay_signer base; /* first: the seam casts */
    struct device *device;
};

static int64_t fake_now_ms;
static int64_t fake_tick_ms; /* how much later it is at the next look */

static int64_t fake_clock(void)
{
    fake_now_ms += fake_tick_ms;
    return fake_now_ms;
}

static enum keystay_status fake_sign(
    struct keystay_signer *base, const struct tbs *tbs, struct buf *ret_signature, struct keystay_error *err)
{
    (void)base;
    (void)tbs;
    (void)ret_signature;
    return err_set(err, KEYSTAY_E_INTERNAL, "this test signs nothing");
}

/* Declared here: it fails as the work does. */
static enum keystay_status fake_check(struct keystay_signer *base, struct keystay_error *err);

static void fake_lock(struct keystay_signer *base)
{
    ((struct fake_signer *)base)->device->n_locked++;
}

static void fake_close(struct keystay_signer *base)
{
    ((struct fake_signer *)base)->device->n_closed++;
    free(base);
}

static const struct signer_ops fake_ops = { fake_sign, fake_check, fake_lock, fake_close };

static enum keystay_status fail_as(
    const struct device *device, enum keystay_status status, const char *what, struct keystay_error *err)
{
    (void)err_set_hint(err, status, device->name, "%s of %s", what, device->name);
    if (err != NULL) {
        err->ck_rv = (unsigned long)status + 1000;
    }
    return status;
}

static struct keystay_signer *fake_new(struct device *device)
{
    struct fake_signer *signer = calloc(1, sizeof(*signer));

    assert_non_null(signer);
    signer->base.ops = &fake_ops;
    signer->device = device;
    return &signer->base;
}

static enum keystay_status fake_open(
    const void *config, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    struct device *device = drop_const(config);

    device->n_opened++;
    if (device->open_status != KEYSTAY_OK) {
        return fail_as(device, device->open_status, "opening", err);
    }
    *ret_signer = fake_new(device);
    return KEYSTAY_OK;
}

/* A signer_work: notes in context which device did it. */
static enum keystay_status work(struct keystay_signer *one, void *context, struct keystay_error *err)
{
    struct device *device = ((struct fake_signer *)one)->device;

    device->n_worked++;
    if (device->work_status != KEYSTAY_OK) {
        return fail_as(device, device->work_status, "work", err);
    }
    *(const struct device **)context = device;
    return KEYSTAY_OK;
}

static enum keystay_status fake_check(struct keystay_signer *base, struct keystay_error *err)
{
    const struct device *who = NULL;

    return work(base, &who, err);
}

/* Which of the set's devices works now; NULL: none, see err. */
static const struct device *who_works(struct keystay_signer *set, struct keystay_error *err)
{
    const struct device *who = NULL;
    enum keystay_status status = signer_with(set, work, &who, err);

    assert_int_equal(status == KEYSTAY_OK, who != NULL);
    if (err != NULL && status != KEYSTAY_OK) {
        assert_int_equal(err->status, status);
    }
    return who;
}

struct warnings {
    struct keystay_log log;
    struct buf text;
};

static void take_line(void *context, enum keystay_log_level level, const char *text)
{
    struct warnings *warnings = context;

    assert_int_equal(level, KEYSTAY_LOG_WARNING);
    assert_ok(buf_puts(&warnings->text, text, NULL));
    assert_ok(buf_putc(&warnings->text, '\n', NULL));
}

static struct keystay_signer *set_of(struct device *devices, size_t n, const struct keystay_log *log)
{
    struct signer_candidate candidates[SIGNER_SET_MAX];
    struct keystay_signer *set = NULL;

    fake_now_ms = 1000000;
    fake_tick_ms = 0;
    for (size_t i = 0; i < n; i++) {
        candidates[i] = (struct signer_candidate){ &devices[i], devices[i].name };
    }
    assert_ok(signer_set_new(candidates, n, fake_open, fake_clock, log, &set, NULL));
    return set;
}

TEST(no_key_and_too_many_are_refused)
{
    struct signer_candidate candidates[SIGNER_SET_MAX + 1] = { { NULL, NULL } };
    struct keystay_signer *set = NULL;
    struct keystay_error err;

    assert_int_equal(
        signer_set_new(candidates, 0, fake_open, fake_clock, NULL, &set, &err), KEYSTAY_E_CONFIG);
    assert_int_equal(
        signer_set_new(candidates, SIGNER_SET_MAX + 1, fake_open, fake_clock, NULL, &set, &err),
        KEYSTAY_E_CONFIG);
    assert_contains(err.message, "16");
    assert_null(set);
}

TEST(a_set_does_not_sign_as_if_it_were_one_key)
{
    struct device devices[] = { { .name = "A" } };
    CLEANUP(signer_freep) struct keystay_signer *set = set_of(devices, 1, NULL);
    CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);
    const struct tbs tbs = { TBS_ASSERTION, KEYSTAY_ALG_RS256, SLICE("head.claims"), NULL };

    assert_int_equal(keystay_signer_can(set, KEYSTAY_ALG_RS256), 0);
    assert_int_equal(signer_sign(set, &tbs, &signature, NULL), KEYSTAY_E_ALGORITHM);
    assert_int_equal(set->ops->sign(set, &tbs, &signature, NULL), KEYSTAY_E_INTERNAL);
    assert_int_equal(devices[0].n_opened, 0);
}

TEST(a_single_signer_does_the_work_itself)
{
    struct device device = { .name = "A" };
    CLEANUP(signer_freep) struct keystay_signer *one = fake_new(&device);
    struct keystay_error err;

    assert_ptr_equal(who_works(one, NULL), &device);
    device.work_status = KEYSTAY_E_MODULE;
    assert_null(who_works(one, &err));
    assert_string_equal(err.message, "work of A"); /* as it is */
    assert_null(who_works(one, &err));
    assert_int_equal(device.n_worked, 3); /* it is never put aside */
}

TEST(the_first_works_and_is_opened_once)
{
    struct device devices[] = { { .name = "A" }, { .name = "B" } };
    struct keystay_signer *set = set_of(devices, 2, NULL);

    assert_int_equal(devices[0].n_opened, 0); /* nothing before it is needed */
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(who_works(set, NULL), &devices[0]);
    }
    assert_int_equal(devices[0].n_opened, 1);
    assert_int_equal(devices[1].n_opened, 0);
    signer_freep(&set);
    assert_int_equal(devices[0].n_closed, 1);
    assert_int_equal(devices[1].n_closed, 0);
}

TEST(the_next_in_order_takes_over)
{
    struct device devices[] = {
        { .name = "A", .open_status = KEYSTAY_E_TOKEN_NOT_FOUND },
        { .name = "B", .work_status = KEYSTAY_E_MODULE },
        { .name = "C" },
        { .name = "D" },
    };
    struct warnings warnings = { .log = { take_line, &warnings }, .text = BUF(1024) };
    CLEANUP(signer_freep) struct keystay_signer *set = set_of(devices, 4, &warnings.log);

    assert_ptr_equal(who_works(set, NULL), &devices[2]);
    assert_int_equal(devices[3].n_opened, 0);
    assert_buf(&warnings.text, "key A: opening of A\nkey B: work of B\n");
    buf_clear(&warnings.text);
}

TEST(what_failed_is_put_aside_and_probed_after_a_minute)
{
    struct device devices[] = { { .name = "A", .work_status = KEYSTAY_E_MODULE }, { .name = "B" } };
    CLEANUP(signer_freep) struct keystay_signer *set = set_of(devices, 2, NULL);

    assert_ptr_equal(who_works(set, NULL), &devices[1]);
    devices[0].work_status = KEYSTAY_OK;
    fake_now_ms += SIGNER_PROBE_AFTER_MS - 1;
    assert_ptr_equal(who_works(set, NULL), &devices[1]);
    assert_int_equal(devices[0].n_worked, 1);
    fake_now_ms += 1;
    assert_ptr_equal(who_works(set, NULL), &devices[0]);
    assert_ptr_equal(who_works(set, NULL), &devices[0]);
}

TEST(a_probe_that_fails_costs_another_minute)
{
    struct device devices[] = { { .name = "A", .open_status = KEYSTAY_E_MODULE }, { .name = "B" } };
    CLEANUP(signer_freep) struct keystay_signer *set = set_of(devices, 2, NULL);

    for (int minute = 0; minute < 3; minute++) {
        for (int i = 0; i < 3; i++) {
            assert_ptr_equal(who_works(set, NULL), &devices[1]);
            assert_int_equal(devices[0].n_opened, minute + 1);
        }
        fake_now_ms += SIGNER_PROBE_AFTER_MS;
    }
}

TEST(sixteen_keys_are_a_set)
{
    struct device devices[SIGNER_SET_MAX];

    for (size_t i = 0; i < SIGNER_SET_MAX; i++) {
        devices[i] = (struct device){ .name = "x", .open_status = KEYSTAY_E_MODULE };
    }
    devices[SIGNER_SET_MAX - 1].open_status = KEYSTAY_OK;
    CLEANUP(signer_freep) struct keystay_signer *set = set_of(devices, SIGNER_SET_MAX, NULL);
    assert_ptr_equal(who_works(set, NULL), &devices[SIGNER_SET_MAX - 1]);
}

TEST(when_all_fail_the_error_has_every_reason)
{
    struct device devices[] = {
        { .name = "A", .open_status = KEYSTAY_E_TOKEN_NOT_FOUND },
        { .name = "B", .work_status = KEYSTAY_E_MODULE },
    };
    CLEANUP(signer_freep) struct keystay_signer *set = set_of(devices, 2, NULL);
    struct keystay_error err;

    assert_null(who_works(set, NULL));
    fake_now_ms += SIGNER_PROBE_AFTER_MS;
    assert_null(who_works(set, &err));
    assert_int_equal(err.status, KEYSTAY_E_TOKEN_NOT_FOUND);
    assert_int_equal(err.ck_rv, KEYSTAY_E_TOKEN_NOT_FOUND + 1000);
    assert_string_equal(err.hint, "A");
    assert_string_equal(err.message, "no key could sign:\n  A: opening of A\n  B: work of B");
}

TEST(when_all_are_aside_they_are_probed_at_once)
{
    struct device devices[] = {
        { .name = "A", .work_status = KEYSTAY_E_MODULE },
        { .name = "B", .work_status = KEYSTAY_E_MODULE },
    };
    CLEANUP(signer_freep) struct keystay_signer *set = set_of(devices, 2, NULL);
    struct keystay_error err;

    assert_null(who_works(set, NULL));
    fake_now_ms += 1;
    assert_null(who_works(set, &err));
    assert_contains(err.message, "B: work of B");
    devices[1].work_status = KEYSTAY_OK;
    assert_ptr_equal(who_works(set, NULL), &devices[1]);
}

/* One that has just worked is no longer aside: the failed ones before it must not be tried on each call. */
TEST(a_probe_that_succeeds_ends_the_time_aside)
{
    struct device devices[] = {
        { .name = "A", .work_status = KEYSTAY_E_MODULE },
        { .name = "B", .work_status = KEYSTAY_E_MODULE },
    };
    CLEANUP(signer_freep) struct keystay_signer *set = set_of(devices, 2, NULL);

    assert_null(who_works(set, NULL));
    devices[1].work_status = KEYSTAY_OK;
    fake_now_ms += 1000;
    assert_ptr_equal(who_works(set, NULL), &devices[1]);
    const int n_tried = devices[0].n_worked;
    fake_now_ms += 1000;
    assert_ptr_equal(who_works(set, NULL), &devices[1]);
    assert_int_equal(devices[0].n_worked, n_tried);
}

/* The minute of the only key may end between one look at the clock and the next. */
TEST(a_minute_that_ends_meanwhile_is_no_pin_trouble)
{
    struct device devices[] = { { .name = "A", .work_status = KEYSTAY_E_MODULE } };
    CLEANUP(signer_freep) struct keystay_signer *set = set_of(devices, 1, NULL);

    assert_null(who_works(set, NULL));
    devices[0].work_status = KEYSTAY_OK;
    fake_now_ms += SIGNER_PROBE_AFTER_MS - 2;
    fake_tick_ms = 1;
    assert_ptr_equal(who_works(set, NULL), &devices[0]);
}

/* Probing would cost a try of the PIN each time. */
TEST(pin_trouble_is_for_good)
{
    static const enum keystay_status troubles[] = {
        KEYSTAY_E_PIN_INCORRECT,
        KEYSTAY_E_PIN_LOCKED,
        KEYSTAY_E_PIN_EXPIRED,
        KEYSTAY_E_PIN_REFUSED,
    };

    for (size_t i = 0; i < 2 * ARRAY_LEN(troubles); i++) {
        const enum keystay_status trouble = troubles[i / 2];
        const bool when_working = i % 2 == 1; /* a key that wants its PIN for each signature */
        struct device devices[] = { { .name = "A" }, { .name = "B" } };
        CLEANUP(signer_freep) struct keystay_signer *set = set_of(devices, 2, NULL);

        devices[0].open_status = when_working ? KEYSTAY_OK : trouble;
        devices[0].work_status = when_working ? trouble : KEYSTAY_OK;
        for (int minute = 0; minute < 5; minute++) {
            assert_ptr_equal(who_works(set, NULL), &devices[1]);
            fake_now_ms += SIGNER_PROBE_AFTER_MS;
        }
        devices[1].work_status = KEYSTAY_E_MODULE;
        assert_null(who_works(set, NULL)); /* not even as a last resort */
        assert_null(who_works(set, NULL));
        assert_int_equal(devices[0].n_opened, 1);
        assert_int_equal(devices[0].n_worked, when_working ? 1 : 0);
    }
}

TEST(without_a_usable_pin_a_person_is_called)
{
    struct device devices[] = {
        { .name = "A", .open_status = KEYSTAY_E_PIN_INCORRECT },
        { .name = "B", .open_status = KEYSTAY_E_PIN_LOCKED },
    };
    CLEANUP(signer_freep) struct keystay_signer *set = set_of(devices, 2, NULL);
    struct keystay_error err;

    assert_null(who_works(set, &err));
    assert_int_equal(err.status, KEYSTAY_E_PIN_INCORRECT);
    fake_now_ms += 100 * (int64_t)SIGNER_PROBE_AFTER_MS;
    assert_null(who_works(set, &err));
    assert_int_equal(err.status, KEYSTAY_E_PIN_REFUSED);
    assert_contains(err.message, "because of its PIN");
    assert_null(who_works(set, NULL));
    assert_int_equal(devices[0].n_opened, 1);
    assert_int_equal(devices[1].n_opened, 1);
}

enum { N_THREADS = 8, ROUNDS_MS = 700 };

struct crowd {
    struct keystay_signer *set;
    pthread_barrier_t start;
};

static void *work_in_thread(void *context)
{
    struct crowd *crowd = context;
    const struct device *who = NULL;

    (void)pthread_barrier_wait(&crowd->start);
    return signer_with(crowd->set, work, &who, NULL) == KEYSTAY_OK ? drop_const(who) : NULL;
}

/* However many want the key at once: a wrong PIN must cost one try, not one a thread. */
TEST(threads_do_not_try_one_wrong_pin_twice)
{
    const int64_t end_ms = clock_monotonic_ms() + ROUNDS_MS;

    do {
        struct device devices[] = { { .name = "A", .open_status = KEYSTAY_E_PIN_INCORRECT },
                                    { .name = "B" } };
        CLEANUP(signer_freep) struct keystay_signer *set = set_of(devices, 2, NULL);
        struct crowd crowd = { .set = set };
        pthread_t threads[N_THREADS];

        assert_int_equal(pthread_barrier_init(&crowd.start, NULL, N_THREADS), 0);
        for (int i = 0; i < N_THREADS; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, work_in_thread, &crowd), 0);
        }
        for (int i = 0; i < N_THREADS; i++) {
            void *who = NULL;
            assert_int_equal(pthread_join(threads[i], &who), 0);
            assert_ptr_equal(who, &devices[1]);
        }
        (void)pthread_barrier_destroy(&crowd.start);
        assert_int_equal(devices[0].n_opened, 1);
        assert_int_equal(devices[1].n_opened, 1);
    } while (clock_monotonic_ms() < end_ms);
}

TEST(a_check_is_content_with_one_key)
{
    struct device devices[] = { { .name = "A", .work_status = KEYSTAY_E_MODULE }, { .name = "B" } };
    CLEANUP(signer_freep) struct keystay_signer *set = set_of(devices, 2, NULL);
    struct keystay_error err = { 0 };

    assert_int_equal(keystay_signer_check(set, &err), KEYSTAY_OK);
    assert_int_equal(devices[1].n_worked, 1);
    devices[1].work_status = KEYSTAY_E_MODULE;
    assert_int_equal(keystay_signer_check(set, &err), KEYSTAY_E_MODULE);
    assert_non_null(strstr(err.message, "work of B"));
}

TEST(a_lock_is_for_every_key_that_is_open)
{
    struct device devices[] = { { .name = "A", .work_status = KEYSTAY_E_MODULE },
                                { .name = "B" },
                                { .name = "C" } };
    CLEANUP(signer_freep) struct keystay_signer *set = set_of(devices, 3, NULL);

    assert_ptr_equal(who_works(set, NULL), &devices[1]);
    keystay_signer_lock(set);
    assert_int_equal(devices[0].n_locked, 1);
    assert_int_equal(devices[1].n_locked, 1);
    assert_int_equal(devices[2].n_locked, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_key_and_too_many_are_refused),
        cmocka_unit_test(a_set_does_not_sign_as_if_it_were_one_key),
        cmocka_unit_test(a_single_signer_does_the_work_itself),
        cmocka_unit_test(the_first_works_and_is_opened_once),
        cmocka_unit_test(the_next_in_order_takes_over),
        cmocka_unit_test(what_failed_is_put_aside_and_probed_after_a_minute),
        cmocka_unit_test(a_probe_that_fails_costs_another_minute),
        cmocka_unit_test(sixteen_keys_are_a_set),
        cmocka_unit_test(when_all_fail_the_error_has_every_reason),
        cmocka_unit_test(when_all_are_aside_they_are_probed_at_once),
        cmocka_unit_test(a_probe_that_succeeds_ends_the_time_aside),
        cmocka_unit_test(a_minute_that_ends_meanwhile_is_no_pin_trouble),
        cmocka_unit_test(pin_trouble_is_for_good),
        cmocka_unit_test(without_a_usable_pin_a_person_is_called),
        cmocka_unit_test(threads_do_not_try_one_wrong_pin_twice),
        cmocka_unit_test(a_check_is_content_with_one_key),
        cmocka_unit_test(a_lock_is_for_every_key_that_is_open),
    };

    return RUN_TESTS(tests);
}
