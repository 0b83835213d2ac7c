/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "pkcs11/cryptoki/recovery.h"
#include "pkcs11/rv.h"

TEST(success_and_unknown_codes_climb_nowhere)
{
    static const CK_RV codes[] = { CKR_OK, 0x3FF, CK_UNAVAILABLE_INFORMATION };

    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        assert_int_equal(recovery_first_rung(codes[i], 0), RECOVERY_NONE);
    }
}

static const struct {
    const char *name;
    CK_RV rv;
    enum recovery_rung rung;
} rows[] = {
    { "session handle", CKR_SESSION_HANDLE_INVALID, RECOVERY_SESSION },
    { "session closed", CKR_SESSION_CLOSED, RECOVERY_SESSION },
    { "object handle", CKR_OBJECT_HANDLE_INVALID, RECOVERY_SESSION },
    { "key handle", CKR_KEY_HANDLE_INVALID, RECOVERY_SESSION },
    { "removed", CKR_DEVICE_REMOVED, RECOVERY_RESCAN },
    { "not present", CKR_TOKEN_NOT_PRESENT, RECOVERY_RESCAN },
    { "not recognised", CKR_TOKEN_NOT_RECOGNIZED, RECOVERY_RESCAN },
    { "slot", CKR_SLOT_ID_INVALID, RECOVERY_RESCAN },
    { "general", CKR_GENERAL_ERROR, RECOVERY_RESCAN },
    { "function failed", CKR_FUNCTION_FAILED, RECOVERY_RESCAN },
    { "device", CKR_DEVICE_ERROR, RECOVERY_RESCAN },
    { "device memory", CKR_DEVICE_MEMORY, RECOVERY_RESCAN },
    { "function not supported", CKR_FUNCTION_NOT_SUPPORTED, RECOVERY_RESCAN },
    { "not initialised", CKR_CRYPTOKI_NOT_INITIALIZED, RECOVERY_REINITIALIZE },
    /* Again would fail again, or is a person's decision. */
    { "cancelled", CKR_FUNCTION_CANCELED, RECOVERY_NONE },
    { "arguments", CKR_ARGUMENTS_BAD, RECOVERY_NONE },
    { "not permitted", CKR_KEY_FUNCTION_NOT_PERMITTED, RECOVERY_NONE },
    { "mechanism", CKR_MECHANISM_INVALID, RECOVERY_NONE },
    { "session count", CKR_SESSION_COUNT, RECOVERY_NONE },
    { "key size", CKR_KEY_SIZE_RANGE, RECOVERY_NONE },
};

TEST(each_code_begins_at_its_rung)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(recovery_first_rung(rows[i].rv, 0) == rows[i].rung, rows[i].name);
        assert_row(recovery_first_rung(rows[i].rv, 60000) == rows[i].rung, rows[i].name);
    }
}

TEST(the_rungs_stand_in_the_order_of_their_price)
{
    assert_true(RECOVERY_NONE < RECOVERY_SESSION);
    assert_true(RECOVERY_SESSION < RECOVERY_RESCAN);
    assert_true(RECOVERY_RESCAN < RECOVERY_REINITIALIZE);
}

/* Measured: a login that another program took away answers in milliseconds, a missing touch in seconds. */
TEST(not_logged_in_is_a_lost_login_only_when_it_comes_at_once)
{
    static const struct {
        const char *name;
        int64_t elapsed_ms;
        enum recovery_rung rung;
    } times[] = {
        { "at once", 0, RECOVERY_SESSION },       { "opensc: 3 ms", 3, RECOVERY_SESSION },
        { "just below", 999, RECOVERY_SESSION },  { "a second", 1000, RECOVERY_NONE },
        { "ykcs11: 3 s", 3160, RECOVERY_NONE },   { "opensc: 6 s", 6170, RECOVERY_NONE },
        { "for ever", INT64_MAX, RECOVERY_NONE },
    };

    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        assert_row(
            recovery_first_rung(CKR_USER_NOT_LOGGED_IN, times[i].elapsed_ms) == times[i].rung, times[i].name);
    }
}

/* P2: a recovery logs in again; after a refused PIN that would be the second try. */
TEST(pin_trouble_never_climbs)
{
    for (CK_RV rv = 1; rv < 0x400; rv++) {
        if (keystay_status_exit(rv_error(rv, "C_Login", NULL, NULL)) ==
            keystay_status_exit(KEYSTAY_E_PIN_INCORRECT)) {
            assert_int_equal(recovery_first_rung(rv, 0), RECOVERY_NONE);
        }
    }
}

TEST(a_code_of_the_vendors_own_is_not_taken_for_another)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(recovery_first_rung(rows[i].rv | CKR_VENDOR_DEFINED, 0) == RECOVERY_NONE, rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_and_unknown_codes_climb_nowhere),
        cmocka_unit_test(each_code_begins_at_its_rung),
        cmocka_unit_test(the_rungs_stand_in_the_order_of_their_price),
        cmocka_unit_test(not_logged_in_is_a_lost_login_only_when_it_comes_at_once),
        cmocka_unit_test(pin_trouble_never_climbs),
        cmocka_unit_test(a_code_of_the_vendors_own_is_not_taken_for_another),
    };

    return RUN_TESTS(tests);
}
