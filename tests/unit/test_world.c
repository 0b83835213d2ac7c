/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "agent/world.h"
#include "base/clock.h"
#include "scratch.h"

#define SCRATCH CLEANUP(scratch_remove) struct scratch
#define WORLD CLEANUP(world_freep) struct world

#define AGENT "[agent]\nsocket = /nonexistent/agent.sock\n"
#define GOOD(name) \
    "[profile " name "]\ntenant = contoso.example\nclient_id = c\nscope = https://" name "/.default\n"
#define BROKEN(name) "[profile " name "]\ntenant = a/b\nclient_id = c\n"

static struct ear ear;

static enum keystay_status try_load(
    const char *text, const struct world *before, struct world **ret_world, struct keystay_error *err)
{
    SCRATCH folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];

    ear_init(&ear);
    scratch_put(&folder, "keystay.conf", slice_of_str(text), 0600);
    return world_load(scratch_path(&folder, "keystay.conf", path), before, &ear.log, ret_world, err);
}

static struct world *load(const char *text, const struct world *before)
{
    struct world *world = NULL;
    struct keystay_error err = { 0 };

    if (try_load(text, before, &world, &err) != KEYSTAY_OK) {
        fail_msg("%s", err.message);
    }
    return world;
}

static void assert_refused(const char *text, const struct world *before, const char *words)
{
    struct world *world = NULL;
    struct keystay_error err = { 0 };

    assert_int_equal(try_load(text, before, &world, &err), KEYSTAY_E_CONFIG);
    assert_int_equal(err.status, KEYSTAY_E_CONFIG);
    assert_null(world);
    assert_contains(err.message, words);
}

TEST(what_cannot_be_read_is_no_world)
{
    struct world *world = NULL;
    struct keystay_error err = { 0 };

    assert_int_equal(world_load("/nonexistent/keystay.conf", NULL, NULL, &world, &err), KEYSTAY_E_CONFIG);
    assert_null(world);
    assert_refused(AGENT "nothing = 1\n", NULL, "nothing");
    assert_refused(AGENT "[grant x]\nprofile = y\nuser = 0\n" GOOD("z"), NULL, "y");
}

TEST(each_profile_has_a_holder)
{
    WORLD *world = load(AGENT GOOD("a") GOOD("b"), NULL);

    assert_int_equal(world->n, 2);
    assert_string_equal(holder_name(world_find(world, "a")), "a");
    assert_string_equal(holder_name(world_find(world, "b")), "b");
    assert_null(world_find(world, "c"));
    assert_null(world_find(world, "A"));
    assert_null(world_find(world, ""));
    assert_int_equal(ear.n_warnings, 0);
}

TEST(there_may_be_no_profile)
{
    WORLD *world = load(AGENT, NULL);

    assert_int_equal(world->n, 0);
    assert_null(world_find(world, "a"));
}

TEST(a_profile_that_says_the_same_keeps_its_holder)
{
    WORLD *before = load(AGENT GOOD("a") GOOD("b") GOOD("c"), NULL);
    WORLD *after = load(AGENT "imds = no\n" GOOD("d") GOOD("b") "lifetime = 300\n" GOOD("a"), before);

    assert_int_equal(after->n, 3);
    assert_ptr_equal(world_find(after, "a"), world_find(before, "a"));
    assert_ptr_not_equal(world_find(after, "b"), world_find(before, "b"));
    assert_null(world_find(after, "c"));
    assert_non_null(world_find(after, "d"));

    /* It is there for who comes after, and the others for who began before. */
    struct holder *kept = world_find(after, "a");
    assert_string_equal(holder_name(world_find(before, "c")), "c");
    world_freep(&before);
    assert_string_equal(holder_name(kept), "a");
}

TEST(what_is_said_for_all_is_said_for_each)
{
    WORLD *before = load("[defaults]\ntimeout = 20\n" AGENT GOOD("a") GOOD("b") "timeout = 25\n", NULL);
    WORLD *after = load("[defaults]\ntimeout = 30\n" AGENT GOOD("a") GOOD("b") "timeout = 25\n", before);

    assert_ptr_not_equal(world_find(after, "a"), world_find(before, "a"));
    assert_ptr_equal(world_find(after, "b"), world_find(before, "b"));
}

TEST(a_broken_profile_that_nobody_needs_is_left_out)
{
    WORLD *world = load(AGENT "profile = c\n" GOOD("a") BROKEN("b") GOOD("c"), NULL);

    assert_int_equal(world->n, 2);
    assert_non_null(world_find(world, "a"));
    assert_null(world_find(world, "b"));
    assert_non_null(world_find(world, "c"));
    assert_int_equal(ear.n_warnings, 1);
    assert_contains(ear.last, "profile b cannot be used: tenant");
}

TEST(one_that_is_named_for_the_agent_is_an_error)
{
    WORLD *before = load(AGENT GOOD("a") GOOD("b"), NULL);
    struct holder *a = world_find(before, "a");

    assert_refused(AGENT "profile = b\n" GOOD("a") BROKEN("b"), before, "profile b: tenant");
    assert_refused(
        AGENT "[grant x]\nprofile = b\nuser = 0\n" GOOD("a") BROKEN("b"), before, "profile b: tenant");
    assert_ptr_equal(world_find(before, "a"), a); /* the world of before goes on */
    assert_string_equal(holder_name(a), "a");
    assert_int_equal(before->n_users, 1);
}

/* What was broken may be put right, and what was good may break. */
TEST(a_profile_may_come_and_go)
{
    WORLD *first = load(AGENT GOOD("a") BROKEN("b"), NULL);
    WORLD *second = load(AGENT BROKEN("a") GOOD("b"), first);
    WORLD *third = load(AGENT GOOD("a") GOOD("b"), second);

    assert_null(world_find(second, "a"));
    assert_non_null(world_find(second, "b"));
    assert_ptr_not_equal(world_find(third, "a"), world_find(first, "a"));
    assert_ptr_equal(world_find(third, "b"), world_find(second, "b"));
}

static void *leave_soon(void *context)
{
    struct world *world = context;

    sleep_ms(30);
    world_freep(&world);
    return NULL;
}

TEST(users_are_waited_for_until_a_deadline)
{
    WORLD *world = load(AGENT, NULL);
    struct world *user = world_share(world);
    pthread_t thread;

    assert_int_equal(world->n_users, 2);
    int64_t began_ms = clock_monotonic_ms();
    world_outlive(world, began_ms + 20);
    assert_true(clock_monotonic_ms() >= began_ms + 20);
    assert_int_equal(world->n_users, 2);

    assert_int_equal(pthread_create(&thread, NULL, leave_soon, user), 0);
    world_outlive(world, INT64_MAX);
    assert_int_equal(world->n_users, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    world_outlive(world, INT64_MAX); /* nobody else is there: at once */
}

static atomic_bool is_over;

static void *look_often(void *context)
{
    struct world_place *place = context;
    size_t n = 0;

    while (!atomic_load(&is_over) || n == 0) {
        WORLD *world = world_get(place);

        n += world_find(world, "a") != NULL;
        sleep_ms(1); /* valgrind lets one thread run at a time, for as long as it likes */
    }
    return NULL;
}

TEST(the_present_world_is_there_for_all_while_others_take_its_place)
{
    struct world_place place;
    pthread_t threads[3];

    world_place_init(&place);
    world_put(&place, load(AGENT GOOD("a"), NULL));
    atomic_store(&is_over, false);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, look_often, &place), 0);
    }
    for (int i = 0; i < 20; i++) {
        WORLD *before = world_get(&place);

        world_put(&place, load(AGENT GOOD("a"), before));
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    WORLD *last = world_get(&place);
    assert_int_equal(last->n_users, 2);
    world_place_clear(&place);
    assert_int_equal(last->n_users, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_read_is_no_world),
        cmocka_unit_test(each_profile_has_a_holder),
        cmocka_unit_test(there_may_be_no_profile),
        cmocka_unit_test(a_profile_that_says_the_same_keeps_its_holder),
        cmocka_unit_test(what_is_said_for_all_is_said_for_each),
        cmocka_unit_test(a_broken_profile_that_nobody_needs_is_left_out),
        cmocka_unit_test(one_that_is_named_for_the_agent_is_an_error),
        cmocka_unit_test(a_profile_may_come_and_go),
        cmocka_unit_test(users_are_waited_for_until_a_deadline),
        cmocka_unit_test(the_present_world_is_there_for_all_while_others_take_its_place),
    };

    return RUN_TESTS(tests);
}
