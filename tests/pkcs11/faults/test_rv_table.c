/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each CK_RV at each call: a scene is played once without a fault to count the calls that it makes, then once
 * for each of these calls, each code, and each of "only this time" and "from now on".
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../unit/scratch.h"
#include "judge.h"
#include "pkcs11/cryptoki/recovery.h"
#include "pkcs11/rv.h"

enum { SIGNATURES = 3, CODES_MAX = 128, STANDARD_CODES_END = 0x400, ALWAYS = 1 << 20 };

/* Codes that no standard names: of nobody, of a vendor, of one who would like to be read as a PIN error. */
static const CK_RV odd_codes[] = { 0x7777, 0x80000000, 0x800000A0, 0x800000A4, 0xFFFFFFFF, 0x1000000A0 };

/* A few, for runs that are slow: trouble with the PIN, what the ladder's first and last rung are for. */
static const CK_RV few_codes[] = {
    CKR_PIN_INCORRECT,
    CKR_SESSION_HANDLE_INVALID,
    CKR_CRYPTOKI_NOT_INITIALIZED,
};

static CK_RV codes[CODES_MAX];
static size_t n_codes;

static void choose_codes(void)
{
    if (is_under_valgrind()) {
        memcpy(codes, few_codes, sizeof(few_codes));
        n_codes = ARRAY_LEN(few_codes);
        return;
    }
    for (CK_RV rv = 1; rv < STANDARD_CODES_END; rv++) {
        if (rv_name(rv) != NULL) {
            assert_true(n_codes + ARRAY_LEN(odd_codes) < CODES_MAX);
            codes[n_codes++] = rv;
        }
    }
    memcpy(codes + n_codes, odd_codes, sizeof(odd_codes));
    n_codes += ARRAY_LEN(odd_codes);
}

static const struct scene scenes[] = {
    { .name = "plain" },
    { .name = "a PIN for each signature",
      .always_authenticate = true,
      .calls = CALL_BIT(CALL_LOGIN) | CALL_BIT(CALL_LOGIN_CONTEXT) | CALL_BIT(CALL_SIGN_INIT) |
               CALL_BIT(CALL_SIGN) },
    { .name = "a PIN pad", .has_pad = true, .calls = CALL_BIT(CALL_LOGIN) },
    { .name = "a neighbour",
      .has_neighbour = true,
      .calls = CALL_BIT(CALL_OPEN_SESSION) | CALL_BIT(CALL_GET_SESSION_INFO) | CALL_BIT(CALL_SIGN_INIT) |
               CALL_BIT(CALL_SIGN) },
    { .name = "one session",
      .sessions_max = 1,
      .calls = CALL_BIT(CALL_OPEN_SESSION) | CALL_BIT(CALL_SIGN_INIT) | CALL_BIT(CALL_SIGN) },
    { .name = "sessions are lost", .loss = LOSS_SESSIONS },
    { .name = "sessions are lost, a PIN for each signature",
      .always_authenticate = true,
      .loss = LOSS_SESSIONS,
      .calls = CALL_BIT(CALL_LOGIN) | CALL_BIT(CALL_LOGIN_CONTEXT) },
    { .name = "the token is pulled out", .loss = LOSS_TOKEN },
    { .name = "the library is lost", .loss = LOSS_LIBRARY },
    { .name = "looked at",
      .is_looked_at = true,
      .calls = CALL_BIT(CALL_GET_TOKEN_INFO) | CALL_BIT(CALL_GET_MECHANISM_LIST) |
               CALL_BIT(CALL_OPEN_SESSION) | CALL_BIT(CALL_LOGIN) | CALL_BIT(CALL_FIND_INIT) |
               CALL_BIT(CALL_FIND) | CALL_BIT(CALL_FIND_FINAL) | CALL_BIT(CALL_GET_ATTRIBUTES) |
               CALL_BIT(CALL_FINALIZE) },
    { .name = "checked and locked",
      .is_checked = true,
      .calls = CALL_BIT(CALL_GET_TOKEN_INFO) | CALL_BIT(CALL_GET_SESSION_INFO) | CALL_BIT(CALL_LOGIN) |
               CALL_BIT(CALL_LOGOUT) | CALL_BIT(CALL_OPEN_SESSION) | CALL_BIT(CALL_CLOSE_SESSION) },
    { .name = "the token is not gone, but says so",
      .also = { CALL_SIGN, 2, 2, CKR_DEVICE_REMOVED },
      .calls = CALL_BIT(CALL_CLOSE_SESSION) | CALL_BIT(CALL_CLOSE_ALL_SESSIONS) |
               CALL_BIT(CALL_LOOK_AT_SLOTS) | CALL_BIT(CALL_OPEN_SESSION) | CALL_BIT(CALL_LOGIN) },
    { .name = "the library is not lost, but says so",
      .also = { CALL_SIGN, 2, 2, CKR_CRYPTOKI_NOT_INITIALIZED },
      .calls = CALL_BIT(CALL_FINALIZE) | CALL_BIT(CALL_INITIALIZE) | CALL_BIT(CALL_CLOSE_SESSION) },
};

/* The second signature wants a recovery, whatever else goes wrong. */
static bool is_troubled(const struct scene *scene)
{
    return scene->loss != LOSS_NONE || scene->also.first != 0;
}

static size_t is_failure(enum keystay_status status)
{
    return status == KEYSTAY_OK ? 0 : 1;
}

/* Opening and three signatures, or a look; how many of them failed. */
static size_t play(struct world *world)
{
    const struct scene *scene = world->scene;
    struct keystay_error error;
    size_t n_failed = 0;

    if (scene->is_looked_at) {
        return is_failure(world_look(world, &error));
    }
    if (world_open(world, &error) != KEYSTAY_OK) {
        return 1;
    }
    for (int i = 0; i < SIGNATURES; i++) {
        world_wait();
        if (i == 1 && is_troubled(scene)) {
            memcpy(world->n_before, scripted.n_calls, sizeof(world->n_before));
            scripted_lose(scene->loss);
        }
        if (i == 2 && scene->is_checked) {
            keystay_signer_lock(world->signer);
        }
        n_failed += is_failure(world_sign(world, &error));
        n_failed += scene->is_checked ? is_failure(world_check(world, &error)) : 0;
    }
    return n_failed;
}

static void check_count(const struct world *world, size_t n_failed)
{
    const struct scripted_fault *fault = &scripted.fault;
    bool is_once = fault->first == fault->last;

    if (judge_is_believed_login(fault)) {
        return;
    }
    if (is_troubled(world->scene) || world->scene->is_looked_at || world->scene->is_checked) {
        /* Which rung the fault meets depends on much; but it is met once, unless it was about the PIN. */
        if (is_once && !scripted.has_refused && n_failed > 1) {
            complain(world, "%zu failures of a fault that was there once", n_failed);
        }
        return;
    }
    bool is_survived = is_once ? judge_is_survived(fault->call, fault->rv) : judge_is_ignored(fault->call);
    if (is_survived != (n_failed == 0)) {
        complain(world, "%zu failures", n_failed);
    }
}

/* The fault is gone. A PIN that was refused stays where it is until somebody says that it is right. */
static void make_up(struct world *world)
{
    struct keystay_error error;

    scripted.fault.first = 0;
    world_wait();
    if (scripted.has_refused) {
        enum keystay_status status = world_work(world, &error);
        if (status != KEYSTAY_OK && status != KEYSTAY_E_PIN_REFUSED) {
            complain(world, "after a PIN that was refused: %s", error.message);
        }
        world_forget_pin();
    }
    if (world->scene->is_looked_at && world_look(world, &error) != KEYSTAY_OK) {
        complain(world, "the fault is gone, and it cannot be looked at: %s", error.message);
    }
    if (world_work(world, &error) != KEYSTAY_OK) {
        complain(world, "the fault is gone, and it still fails: %s", error.message);
    }
}

static void name_cell(struct world *world)
{
    const struct scripted_fault *fault = &scripted.fault;
    const char *name = rv_name(fault->rv);

    (void)snprintf(
        world->what, sizeof(world->what), "%s: %s%s no. %zu%s: %s (0x%lX)", world->scene->name,
        scripted_name(fault->call), fault->call == CALL_LOGIN_CONTEXT ? " (context specific)" : "",
        fault->first, fault->last == ALWAYS ? " and all after it" : "", name == NULL ? "?" : name, fault->rv);
}

static void try_cell(const struct scene *scene, const struct scripted_fault *fault)
{
    struct world world;

    world_begin(&world, scene);
    scripted.fault = *fault;
    name_cell(&world);
    check_count(&world, play(&world));
    make_up(&world);
    world_leave(&world);
}

/* How often each call is made when nothing is wrong, and how often before there is a loss. */
static void count_calls(const struct scene *scene, size_t ret_before[CALL_N], size_t ret_n[CALL_N])
{
    struct world world;

    world_begin(&world, scene);
    (void)snprintf(world.what, sizeof(world.what), "%s: no fault", scene->name);
    assert_int_equal(play(&world), 0);
    world_leave(&world);
    memcpy(ret_before, world.n_before, sizeof(world.n_before));
    memcpy(ret_n, scripted.n_calls, sizeof(scripted.n_calls));
    assert_int_equal(world_complaints(), 0);
}

static size_t n_cells;

static void each_code(const struct scene *scene, enum scripted_call call, size_t nth)
{
    for (size_t i = 0; i < n_codes; i++) {
        try_cell(scene, &(const struct scripted_fault){ call, nth, nth, codes[i] });
        try_cell(scene, &(const struct scripted_fault){ call, nth, ALWAYS, codes[i] });
    }
    n_cells += 2 * n_codes;
}

static void each_code_at_each_call(void **state)
{
    const struct scene *scene = *state;
    size_t n_before[CALL_N];
    size_t n_calls[CALL_N];

    count_calls(scene, n_before, n_calls);
    for (enum scripted_call call = 0; call < CALL_N; call++) {
        bool is_of_interest = scene->calls == 0 || (scene->calls & CALL_BIT(call)) != 0;

        for (size_t nth = n_before[call] + 1; is_of_interest && nth <= n_calls[call]; nth++) {
            each_code(scene, call, nth);
        }
    }
    assert_int_equal(world_complaints(), 0);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[ARRAY_LEN(scenes)];

    if (argc != 2) {
        (void)fprintf(stderr, "usage: test_rv_table MODULE\n");
        return 2;
    }
    world_build(argv[1]);
    choose_codes();
    for (size_t i = 0; i < ARRAY_LEN(scenes); i++) {
        tests[i] =
            (struct CMUnitTest){ scenes[i].name, each_code_at_each_call, NULL, NULL, drop_const(&scenes[i]) };
    }
    int status = RUN_TESTS(tests);
    (void)printf("%zu codes%s, %zu cells\n", n_codes, is_under_valgrind() ? " (a few)" : "", n_cells);
    world_end();
    return status;
}
