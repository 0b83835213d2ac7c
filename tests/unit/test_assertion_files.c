/* SPDX-License-Identifier: Apache-2.0 */
/* When a file is made, kept and removed: time, jobs and the profile's state are the test's. */
#include "agent/assertion_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent_fixture.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "oauth/access_token.h"
#include "scratch.h"

enum { MINUTE_MS = 60 * 1000, LIFE_S = 25 * 60 };

static const int64_t start_s = 1800000000;

static int64_t now_ms;
static int64_t lead_s; /* of the wall clock, which the test sets by changing it */
static enum key_state key_state;
static unsigned int n_jobs;
static job_done done;
static void *done_context;
static struct wish wanted;

struct clock_moment __wrap_clock_moment(void);
int64_t __wrap_clock_monotonic_ms(void);
struct holder *__wrap_world_find(const struct world *world, const char *name);
void __wrap_holder_get_status(struct holder *holder, struct holder_status *ret_status);
enum keystay_status __wrap_jobs_add_own(
    struct jobs *jobs, struct holder *holder, const struct wish *wish, job_done to_call, void *context,
    struct keystay_error *err);

struct clock_moment __wrap_clock_moment(void)
{
    return (struct clock_moment){ start_s + lead_s + now_ms / 1000, lead_s };
}

int64_t __wrap_clock_monotonic_ms(void)
{
    return now_ms;
}

struct holder *__wrap_world_find(const struct world *world, const char *name)
{
    static char holder;

    (void)world;
    (void)name;
    return (struct holder *)&holder;
}

void __wrap_holder_get_status(struct holder *holder, struct holder_status *ret_status)
{
    (void)holder;
    *ret_status = (struct holder_status){ .key.state = key_state };
}

enum keystay_status __wrap_jobs_add_own(
    struct jobs *jobs, struct holder *holder, const struct wish *wish, job_done to_call, void *context,
    struct keystay_error *err)
{
    (void)jobs;
    (void)holder;
    (void)err;
    n_jobs++;
    wanted = *wish;
    done = to_call;
    done_context = context;
    return KEYSTAY_OK;
}

/* An agent that has one such file, or none. */
struct stage {
    struct scratch folder;
    struct ear ear;
    struct agent agent;
    char path[SCRATCH_PATH_SIZE];
};

static void configure(struct stage *stage, bool has_file)
{
    static const char rest[] = "assertion = yes\nassertion_file = ";
    struct world *world = calloc(1, sizeof(*world));
    char text[SCRATCH_PATH_SIZE + 128];
    int n = snprintf(
        text, sizeof(text), "[profile web]\n[grant ci]\nprofile = web\nuser = 2000\n%s%s\n",
        has_file ? rest : "", has_file ? stage->path : "");

    assert_in_range(n, 1, sizeof(text) - 1);
    assert_non_null(world);
    atomic_init(&world->n_users, 1);
    world->config = fixture_good(text);
    world_put(&stage->agent.world, world);
    assert_ok(assertion_files_refresh(&stage->agent, NULL));
}

static void begin(struct stage *stage)
{
    now_ms = 0;
    lead_s = 0;
    n_jobs = 0;
    key_state = KEY_READY;
    stage->folder = scratch_new();
    ear_init(&stage->ear);
    stage->agent = (struct agent){ .log = &stage->ear.log };
    (void)scratch_path(&stage->folder, "assertion", stage->path);
    world_place_init(&stage->agent.world);
    assert_ok(assertion_files_new(&stage->ear.log, &stage->agent.assertion_files, NULL));
    configure(stage, true);
    stage->ear.n_warnings = 0; /* whether the folder is on a disk is the system's to say */
}

static void end(struct stage *stage)
{
    assertion_files_end(stage->agent.assertion_files);
    assert_int_not_equal(access(stage->path, F_OK), 0);
    assertion_files_freep(&stage->agent.assertion_files);
    world_place_clear(&stage->agent.world);
    scratch_remove(&stage->folder);
}

#define STAGE CLEANUP(end) struct stage

static void tick_at(struct stage *stage, int64_t at_ms)
{
    now_ms = at_ms;
    assertion_files_tick(&stage->agent, now_ms);
}

static void finish_with(const char *text, int64_t life_s)
{
    CLEANUP(token_freep) struct keystay_token *token = NULL;

    assert_ok(token_new(&token, NULL));
    assert_ok(secret_set(&token->value, slice_of_str(text), NULL));
    token->obtained_at_s = clock_moment().now_s;
    token->lead_s = clock_moment().lead_s;
    token->expires_at_s = token->obtained_at_s + life_s;
    const struct outcome outcome = { .status = KEYSTAY_OK, .token = token };
    done(done_context, &outcome);
}

static void fail_with(const char *why)
{
    struct outcome outcome = { .status = KEYSTAY_E_MODULE };

    (void)err_set(&outcome.error, KEYSTAY_E_MODULE, "%s", why);
    done(done_context, &outcome);
}

static void assert_file(const struct stage *stage, const char *text)
{
    CLEANUP(buf_clear) struct buf content = BUF(64);

    assert_ok(file_read(stage->path, "the file", KEYSTAY_E_CONFIG, &content, NULL));
    assert_buf(&content, text);
}

static void assert_no_file(const struct stage *stage)
{
    assert_int_not_equal(access(stage->path, F_OK), 0);
}

TEST(one_is_made_and_replaced_every_five_minutes)
{
    STAGE stage;

    begin(&stage);
    tick_at(&stage, 1);
    assert_true(n_jobs == 1 && wanted.is_assertion && wanted.lifetime_s == LIFE_S);
    tick_at(&stage, 2);
    assert_int_equal(n_jobs, 1); /* it is being made */
    finish_with("first", LIFE_S);
    assert_file(&stage, "first");
    tick_at(&stage, 5 * MINUTE_MS);
    assert_int_equal(n_jobs, 1);
    tick_at(&stage, 5 * MINUTE_MS + 2);
    assert_int_equal(n_jobs, 2);
    assert_file(&stage, "first");
    finish_with("second", LIFE_S);
    assert_file(&stage, "second");
    assert_int_equal(stage.ear.n_warnings, 0);
}

TEST(one_that_lives_for_less_is_replaced_halfway)
{
    STAGE stage;

    begin(&stage);
    tick_at(&stage, 0);
    finish_with("short", 60);
    assert_contains(stage.ear.last, "60 s only");
    tick_at(&stage, MINUTE_MS / 2 - 1);
    assert_int_equal(n_jobs, 1);
    tick_at(&stage, MINUTE_MS / 2);
    assert_int_equal(n_jobs, 2);
    finish_with("short", 60);
    assert_int_equal(stage.ear.n_warnings, 1); /* it is said once */
}

TEST(the_last_one_stays_until_it_ends)
{
    STAGE stage;

    begin(&stage);
    tick_at(&stage, 0);
    finish_with("first", LIFE_S);
    for (int64_t at_ms = 5 * MINUTE_MS; at_ms < (int64_t)LIFE_S * 1000; at_ms += 10 * 1000) {
        const unsigned int n_before = n_jobs;

        tick_at(&stage, at_ms);
        assert_int_equal(n_jobs, n_before + 1);
        fail_with("CKR_DEVICE_REMOVED");
        assert_file(&stage, "first");
    }
    assert_contains(stage.ear.last, "CKR_DEVICE_REMOVED");
    assert_int_equal(stage.ear.n_warnings, 20); /* once a minute */
    tick_at(&stage, (int64_t)LIFE_S * 1000);
    assert_no_file(&stage);
    finish_with("second", LIFE_S);
    assert_file(&stage, "second");
}

/* By hours, or because there was no time at all when the machine started. */
TEST(a_clock_that_is_set_makes_it_anew_at_once)
{
    static const struct {
        int64_t by_s;
        bool has_ended;
    } rows[] = {
        { 61, false }, { LIFE_S, true }, { 50LL * 365 * 86400, true }, { -61, false }, { -86400, false }
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        STAGE stage;

        begin(&stage);
        tick_at(&stage, 0);
        finish_with("first", LIFE_S);
        lead_s += rows[i].by_s;
        tick_at(&stage, MINUTE_MS);
        assert_int_equal(n_jobs, 2);
        assert_int_equal(access(stage.path, F_OK) != 0, rows[i].has_ended);
        fail_with("CKR_DEVICE_REMOVED");
        tick_at(&stage, MINUTE_MS + 9999);
        assert_int_equal(n_jobs, 2); /* as after any failure */
        tick_at(&stage, MINUTE_MS + 10000);
        assert_int_equal(n_jobs, 3);
        finish_with("second", LIFE_S);
        assert_file(&stage, "second");
    }
}

TEST(a_clock_that_was_set_back_does_not_keep_one_that_has_ended)
{
    STAGE stage;

    begin(&stage);
    tick_at(&stage, 0);
    finish_with("first", LIFE_S);
    lead_s -= 86400;
    for (int64_t at_ms = MINUTE_MS; at_ms < (int64_t)LIFE_S * 1000; at_ms += MINUTE_MS) {
        tick_at(&stage, at_ms);
        fail_with("CKR_DEVICE_REMOVED");
        assert_file(&stage, "first");
    }
    tick_at(&stage, (int64_t)LIFE_S * 1000);
    assert_no_file(&stage);
    finish_with("second", LIFE_S);
}

TEST(a_clock_that_is_set_a_bit_changes_nothing)
{
    STAGE stage;

    begin(&stage);
    tick_at(&stage, 0);
    finish_with("first", LIFE_S);
    lead_s += 60;
    tick_at(&stage, MINUTE_MS);
    lead_s -= 120;
    tick_at(&stage, 2 * MINUTE_MS);
    assert_int_equal(n_jobs, 1);
}

TEST(nothing_is_tried_while_a_person_must_act)
{
    STAGE stage;

    begin(&stage);
    key_state = KEY_LOCKED;
    tick_at(&stage, 0);
    key_state = KEY_PIN_WRONG;
    tick_at(&stage, 1000);
    assert_int_equal(n_jobs, 0);
    assert_int_equal(stage.ear.n_warnings, 1);
    assert_contains(stage.ear.last, "locked");
    key_state = KEY_READY;
    tick_at(&stage, 2000);
    assert_int_equal(n_jobs, 1);
    finish_with("first", LIFE_S);
}

TEST(what_was_begun_before_a_reload_is_made_again)
{
    STAGE stage;

    begin(&stage);
    tick_at(&stage, 0);
    configure(&stage, true);
    finish_with("old", LIFE_S);
    assert_no_file(&stage);
    tick_at(&stage, 0);
    assert_int_equal(n_jobs, 2);
    finish_with("new", LIFE_S);
    assert_file(&stage, "new");
    configure(&stage, true);
    assert_file(&stage, "new");
    tick_at(&stage, 1);
    assert_int_equal(n_jobs, 3);
    finish_with("newer", LIFE_S);
}

TEST(what_nobody_wants_any_more_is_not_written)
{
    STAGE stage;

    begin(&stage);
    tick_at(&stage, 0);
    configure(&stage, false);
    finish_with("late", LIFE_S);
    assert_no_file(&stage);
    tick_at(&stage, 0);
    assert_int_equal(n_jobs, 1);
    configure(&stage, true);
    tick_at(&stage, 0);
    assertion_files_end(stage.agent.assertion_files);
    finish_with("later", LIFE_S);
    assert_no_file(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_is_made_and_replaced_every_five_minutes),
        cmocka_unit_test(one_that_lives_for_less_is_replaced_halfway),
        cmocka_unit_test(the_last_one_stays_until_it_ends),
        cmocka_unit_test(a_clock_that_is_set_makes_it_anew_at_once),
        cmocka_unit_test(a_clock_that_was_set_back_does_not_keep_one_that_has_ended),
        cmocka_unit_test(a_clock_that_is_set_a_bit_changes_nothing),
        cmocka_unit_test(nothing_is_tried_while_a_person_must_act),
        cmocka_unit_test(what_was_begun_before_a_reload_is_made_again),
        cmocka_unit_test(what_nobody_wants_any_more_is_not_written),
    };

    return RUN_TESTS(tests);
}
