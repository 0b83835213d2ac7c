/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a module says although it is not so: counts, lengths, handles, limits, names, holes in its list. It
 * must not be believed further than it can be checked, and when it stops lying the work goes on.
 */
#include <stdio.h>

#include "pkcs11/choose.h"
#include "signer/signer.h"
#include "world.h"

#define ALL_ONES ((CK_ULONG)-1)

struct lie_row {
    const char *name;
    enum scripted_lie lie;
    CK_ULONG claim;
    enum keystay_status opens, signs;
    const char *text; /* in the error's message; NULL: there is none */
};

static const struct lie_row lies[] = {
    { "a signature of no bytes", LIE_SIGNATURE_LEN, 0, 0, KEYSTAY_E_KEY_MISMATCH, "does not verify" },
    { "a byte short", LIE_SIGNATURE_LEN, 63, 0, KEYSTAY_E_KEY_MISMATCH, "does not verify" },
    { "a byte long", LIE_SIGNATURE_LEN, 65, 0, KEYSTAY_E_KEY_MISMATCH, "does not verify" },
    { "all the room", LIE_SIGNATURE_LEN, SIGNER_SIGNATURE_MAX, 0, KEYSTAY_E_KEY_MISMATCH, "does not verify" },
    { "more than the room", LIE_SIGNATURE_LEN, SIGNER_SIGNATURE_MAX + 1, 0, KEYSTAY_E_MODULE, "2049 bytes" },
    { "a huge signature", LIE_SIGNATURE_LEN, ALL_ONES, 0, KEYSTAY_E_MODULE, "C_Sign claims a signature of" },
    { "a wrong bit", LIE_SIGNATURE_BIT, 0, 0, KEYSTAY_E_KEY_MISMATCH, "does not verify" },
    { "nothing signed", LIE_SIGNATURE_NONE, 0, 0, KEYSTAY_E_KEY_MISMATCH, "does not verify" },
    { "no slot", LIE_SLOTS, 0, KEYSTAY_E_TOKEN_NOT_FOUND, 0, "no initialised token" },
    { "two slots for one", LIE_SLOTS, 2, 0, 0, NULL },
    { "as many slots as there is room for", LIE_SLOTS, P11_TOKENS_MAX, 0, 0, NULL },
    { "a slot more than that", LIE_SLOTS, P11_TOKENS_MAX + 1, KEYSTAY_E_MODULE, 0, "has 65 tokens" },
    { "a huge number of slots", LIE_SLOTS, ALL_ONES, KEYSTAY_E_MODULE, 0, "looks at 64" },
    { "slots that grow between two calls", LIE_SLOTS_GROW, 0, KEYSTAY_E_MODULE, 0, "has 65 tokens" },
    { "no object", LIE_FOUND, 0, KEYSTAY_E_KEY_NOT_FOUND, 0, "holds no private key" },
    { "two objects for one", LIE_FOUND, 2, KEYSTAY_E_AMBIGUOUS, 0, "2 private keys fit" },
    { "more objects than asked for", LIE_FOUND, 33, KEYSTAY_E_AMBIGUOUS, 0, "at least 32 private keys" },
    { "a huge number of objects", LIE_FOUND, ALL_ONES, KEYSTAY_E_AMBIGUOUS, 0, "at least 32 private keys" },
    { "the same object twice", LIE_FOUND_TWICE, 0, KEYSTAY_E_AMBIGUOUS, 0, "2 private keys fit" },
    { "object handle 0", LIE_FOUND_ZERO, 0, KEYSTAY_E_MODULE, 0, "CKR_OBJECT_HANDLE_INVALID" },
    { "attributes of no bytes", LIE_ATTRIBUTE_LEN, 0, KEYSTAY_E_KEY_REFUSED, 0, "does not say" },
    { "attributes of one byte", LIE_ATTRIBUTE_LEN, 1, KEYSTAY_E_CERTIFICATE, 0, "no certificate" },
    { "attributes longer than the room", LIE_ATTRIBUTE_LEN, 1 << 20, KEYSTAY_E_KEY_REFUSED, 0,
      "does not say" },
    { "attributes of a huge length", LIE_ATTRIBUTE_LEN, ALL_ONES - 1, KEYSTAY_E_KEY_REFUSED, 0,
      "does not say" },
    { "attributes of length -1", LIE_ATTRIBUTE_LEN, ALL_ONES, KEYSTAY_E_KEY_REFUSED, 0, "does not say" },
    { "no mechanism", LIE_MECHANISMS, 0, KEYSTAY_E_ALGORITHM, 0, "no mechanism" },
    { "more mechanisms than were written", LIE_MECHANISMS, 512, 0, 0, NULL },
    { "more mechanisms than there is room for", LIE_MECHANISMS, 513, 0, 0, NULL },
    { "a huge number of mechanisms", LIE_MECHANISMS, ALL_ONES, 0, 0, NULL },
    { "mechanisms that grow between two calls", LIE_MECHANISMS_GROW, 0, KEYSTAY_E_MODULE, 0,
      "C_GetMechanismList failed: CKR_BUFFER_TOO_SMALL (0x150)" },
    { "session handle 0", LIE_SESSION_HANDLE, 0, KEYSTAY_E_MODULE, 0, "CKR_SESSION_HANDLE_INVALID" },
    { "the same session each time", LIE_SESSION_HANDLE, 1, 0, 0, NULL },
    { "no list of functions", LIE_NO_LIST, 0, KEYSTAY_E_MODULE_LOAD, 0, "lacks functions" },
    { "a touch that does not come", LIE_SLOW, 5000, 0, KEYSTAY_E_MODULE, "was not touched in time" },
};

static const struct scene plain = { .name = "lies", .is_liar = true };

/* Opens and signs; complains of another answer than is expected, at either. */
static void expect(struct world *world, const struct lie_row *row)
{
    struct keystay_error error;
    enum keystay_status status = world_open(world, &error);

    if (status != row->opens) {
        complain(world, "opening answers %s: %s", keystay_status_name(status), error.message);
        return;
    }
    if (status == KEYSTAY_OK) {
        status = world_sign(world, &error);
        if (status != row->signs) {
            complain(world, "signing answers %s: %s", keystay_status_name(status), error.message);
            return;
        }
    }
    if (row->text != NULL && strstr(error.message, row->text) == NULL) {
        complain(world, "'%s' does not say '%s'", error.message, row->text);
    }
}

/* The module has stopped lying. */
static void make_up(struct world *world)
{
    struct keystay_error error;

    scripted.lie = LIE_NONE;
    world_wait();
    if (world_work(world, &error) != KEYSTAY_OK) {
        complain(world, "the module does not lie any more, and it still fails: %s", error.message);
    }
    world_leave(world);
}

TEST(what_is_not_so_is_found_out)
{
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct world world;

        world_begin(&world, &plain);
        (void)snprintf(world.what, sizeof(world.what), "%s", lies[i].name);
        scripted.lie = lies[i].lie;
        scripted.claim = lies[i].claim;
        expect(&world, &lies[i]);
        make_up(&world);
    }
    assert_int_equal(world_complaints(), 0);
}

/* A touch that did not come is no reason to climb: the next one would not come either. */
TEST(a_touch_that_does_not_come_costs_no_second_login)
{
    struct keystay_error error;
    struct world world;

    world_begin(&world, &plain);
    assert_ok(world_open(&world, &error));
    scripted.lie = LIE_SLOW;
    scripted.claim = 5000;
    assert_int_equal(world_sign(&world, &error), KEYSTAY_E_MODULE);
    assert_int_equal(error.ck_rv, CKR_USER_NOT_LOGGED_IN);
    assert_int_equal(scripted.n_calls[CALL_LOGIN], 1);
    assert_int_equal(scripted.n_calls[CALL_SIGN], 1);
    make_up(&world);
    assert_int_equal(world_complaints(), 0);
}

TEST(a_list_with_a_hole_is_no_module)
{
    for (enum scripted_call call = CALL_INITIALIZE; call < CALL_N; call++) {
        const struct lie_row row = { scripted_name(call), 0, 0, KEYSTAY_E_MODULE_LOAD, 0, "lacks functions" };
        struct world world;

        world_begin(&world, &plain);
        (void)snprintf(world.what, sizeof(world.what), "no %s", row.name);
        scripted_remove_function(call);
        expect(&world, &row);
        assert_int_equal(scripted.n_calls[CALL_INITIALIZE], 0);
        world_leave(&world);
    }
    assert_int_equal(world_complaints(), 0);
}

TEST(a_list_of_another_age_is_no_module)
{
    const struct lie_row row = { "version 1", 0, 0, KEYSTAY_E_MODULE_LOAD, 0, "lacks functions" };
    CK_FUNCTION_LIST *list = NULL;
    struct world world;

    world_begin(&world, &plain);
    (void)snprintf(world.what, sizeof(world.what), "%s", row.name);
    assert_true(C_GetFunctionList(&list) == CKR_OK);
    scripted.n_unannounced = 0;
    list->version.major = 1;
    expect(&world, &row);
    world_leave(&world);
    assert_int_equal(world_complaints(), 0);
}

/* CK_TOKEN_INFO's limits: those that make no sense are none. */
TEST(limits_that_make_no_sense_are_none)
{
    static const struct {
        const char *name;
        CK_ULONG pin_least, pin_most, sessions;
        enum keystay_status opens;
    } rows[] = {
        { "the longest PIN is shorter than the shortest", 10, 4, 0, 0 },
        { "no PIN is allowed", 0, 0, 0, 0 },
        { "all ones", ALL_ONES, ALL_ONES, ALL_ONES, 0 },
        { "the longest PIN is not known", 0, ALL_ONES, 0, 0 },
        { "one session", 4, 8, 1, 0 },
        { "an honest limit", 7, 8, 0, KEYSTAY_E_PIN_REFUSED },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct lie_row row = { rows[i].name, 0, 0, rows[i].opens, 0, NULL };
        struct world world;

        world_begin(&world, &plain);
        (void)snprintf(world.what, sizeof(world.what), "%s", row.name);
        scripted.pin_least = rows[i].pin_least;
        scripted.pin_most = rows[i].pin_most;
        scripted.sessions_max = rows[i].sessions;
        expect(&world, &row);
        assert_int_equal(scripted.n_pins, rows[i].opens == KEYSTAY_OK ? 1 : 0);
        world_leave(&world);
    }
    assert_int_equal(world_complaints(), 0);
}

/* Names that would steer a terminal, or are not text at all. */
TEST(names_are_tamed)
{
    static const char *const names[] = { "\x1B]0;owned\x07", "\x1B[2J\x9B", "\xFF\xFE\xC3", "a\nb\rc", "" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct keystay_error error;
        struct world world;

        world_begin(&world, &plain);
        (void)snprintf(world.what, sizeof(world.what), "name %zu", i);
        scripted.label = names[i];
        scripted.key_label = names[i];
        assert_ok(world_open(&world, &error));
        assert_tame(keystay_signer_info(world.signer)->token_label);
        assert_tame(keystay_signer_info(world.signer)->key_label);
        scripted.fault = (struct scripted_fault){ CALL_SIGN, 1, 9, CKR_DATA_INVALID };
        assert_int_equal(world_sign(&world, &error), KEYSTAY_E_MODULE);
        assert_tame(error.message);
        assert_contains(error.message, "C_Sign failed: CKR_DATA_INVALID (0x20)");
        scripted.fault.first = 0;
        make_up(&world);
    }
    assert_int_equal(world_complaints(), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_so_is_found_out),
        cmocka_unit_test(a_touch_that_does_not_come_costs_no_second_login),
        cmocka_unit_test(a_list_with_a_hole_is_no_module),
        cmocka_unit_test(a_list_of_another_age_is_no_module),
        cmocka_unit_test(limits_that_make_no_sense_are_none),
        cmocka_unit_test(names_are_tamed),
    };

    if (argc != 2) {
        (void)fprintf(stderr, "usage: test_lies MODULE\n");
        return 2;
    }
    world_build(argv[1]);
    int status = RUN_TESTS(tests);
    world_end();
    return status;
}
