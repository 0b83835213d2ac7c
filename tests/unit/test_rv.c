/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "pkcs11/rv.h"

TEST(no_error_to_fill_is_fine)
{
    assert_int_equal(rv_error(CKR_PIN_LOCKED, "C_Login", "token 'x'", NULL), KEYSTAY_E_PIN_LOCKED);
    assert_int_equal(rv_error(CKR_DEVICE_ERROR, "C_Sign", NULL, NULL), KEYSTAY_E_MODULE);
}

TEST(without_a_place_the_call_comes_first)
{
    struct keystay_error err;

    assert_int_equal(rv_error(CKR_DEVICE_REMOVED, "C_Sign", NULL, &err), KEYSTAY_E_MODULE);
    assert_string_equal(err.message, "C_Sign failed: CKR_DEVICE_REMOVED (0x32)");
}

/* Success is no failure: whoever reports it anyway must not report KEYSTAY_OK. */
TEST(ckr_ok_is_not_told_as_success)
{
    assert_int_not_equal(rv_error(CKR_OK, "C_Sign", NULL, NULL), KEYSTAY_OK);
}

static const struct {
    const char *name;
    CK_RV rv;
    enum keystay_status status;
} rows[] = {
    { "CKR_CANCEL", 0x1, KEYSTAY_E_MODULE },
    { "CKR_HOST_MEMORY", 0x2, KEYSTAY_E_MODULE },
    { "CKR_SLOT_ID_INVALID", 0x3, KEYSTAY_E_MODULE },
    { "CKR_GENERAL_ERROR", 0x5, KEYSTAY_E_MODULE },
    { "CKR_FUNCTION_FAILED", 0x6, KEYSTAY_E_MODULE },
    { "CKR_ARGUMENTS_BAD", 0x7, KEYSTAY_E_MODULE },
    { "CKR_ACTION_PROHIBITED", 0x1B, KEYSTAY_E_MODULE },
    { "CKR_DEVICE_ERROR", 0x30, KEYSTAY_E_MODULE },
    { "CKR_DEVICE_REMOVED", 0x32, KEYSTAY_E_MODULE },
    { "CKR_KEY_HANDLE_INVALID", 0x60, KEYSTAY_E_MODULE },
    { "CKR_KEY_TYPE_INCONSISTENT", 0x63, KEYSTAY_E_MODULE },
    { "CKR_KEY_FUNCTION_NOT_PERMITTED", 0x68, KEYSTAY_E_MODULE },
    { "CKR_MECHANISM_INVALID", 0x70, KEYSTAY_E_ALGORITHM },
    { "CKR_MECHANISM_PARAM_INVALID", 0x71, KEYSTAY_E_ALGORITHM },
    { "CKR_OBJECT_HANDLE_INVALID", 0x82, KEYSTAY_E_MODULE },
    { "CKR_OPERATION_ACTIVE", 0x90, KEYSTAY_E_MODULE },
    { "CKR_PIN_INCORRECT", 0xA0, KEYSTAY_E_PIN_INCORRECT },
    { "CKR_PIN_INVALID", 0xA1, KEYSTAY_E_PIN_INCORRECT },
    { "CKR_PIN_LEN_RANGE", 0xA2, KEYSTAY_E_PIN_INCORRECT },
    { "CKR_PIN_EXPIRED", 0xA3, KEYSTAY_E_PIN_EXPIRED },
    { "CKR_PIN_LOCKED", 0xA4, KEYSTAY_E_PIN_LOCKED },
    { "CKR_SESSION_CLOSED", 0xB0, KEYSTAY_E_MODULE },
    { "CKR_SESSION_COUNT", 0xB1, KEYSTAY_E_MODULE },
    { "CKR_SESSION_HANDLE_INVALID", 0xB3, KEYSTAY_E_MODULE },
    { "CKR_TOKEN_NOT_PRESENT", 0xE0, KEYSTAY_E_MODULE },
    { "CKR_TOKEN_NOT_RECOGNIZED", 0xE1, KEYSTAY_E_MODULE },
    { "CKR_USER_ALREADY_LOGGED_IN", 0x100, KEYSTAY_E_MODULE },
    { "CKR_USER_NOT_LOGGED_IN", 0x101, KEYSTAY_E_MODULE },
    { "CKR_USER_PIN_NOT_INITIALIZED", 0x102, KEYSTAY_E_PIN_REFUSED },
    { "CKR_USER_ANOTHER_ALREADY_LOGGED_IN", 0x104, KEYSTAY_E_MODULE },
    { "CKR_CURVE_NOT_SUPPORTED", 0x140, KEYSTAY_E_MODULE },
    { "CKR_BUFFER_TOO_SMALL", 0x150, KEYSTAY_E_MODULE },
    { "CKR_CRYPTOKI_NOT_INITIALIZED", 0x190, KEYSTAY_E_MODULE },
    { "CKR_CRYPTOKI_ALREADY_INITIALIZED", 0x191, KEYSTAY_E_MODULE },
    { "CKR_NEW_PIN_MODE", 0x1B0, KEYSTAY_E_PIN_EXPIRED },
    { "CKR_PIN_TOO_WEAK", 0x1B8, KEYSTAY_E_PIN_INCORRECT },
    { "CKR_FUNCTION_REJECTED", 0x200, KEYSTAY_E_MODULE },
    { "CKR_TOKEN_RESOURCE_EXCEEDED", 0x201, KEYSTAY_E_MODULE },
    { "CKR_OPERATION_CANCEL_FAILED", 0x202, KEYSTAY_E_MODULE },
    { "CKR_KEY_EXHAUSTED", 0x203, KEYSTAY_E_MODULE },
};

TEST(a_code_has_its_name_and_its_status)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct keystay_error err;
        char expected[128];

        assert_row(rv_name(rows[i].rv) != NULL, rows[i].name);
        assert_string_equal(rv_name(rows[i].rv), rows[i].name);
        assert_row(rv_error(rows[i].rv, "C_Login", "token 'x'", &err) == rows[i].status, rows[i].name);
        (void)snprintf(
            expected, sizeof(expected), "token 'x': C_Login failed: %s (0x%lX)", rows[i].name, rows[i].rv);
        assert_string_equal(err.message, expected);
        assert_row(err.status == rows[i].status, rows[i].name);
        assert_row(err.ck_rv == rows[i].rv, rows[i].name);
    }
}

/* Whatever the table grows to: no value twice, no name twice, no code without advice. */
TEST(the_whole_table_is_sound)
{
    const char *names[0x400];
    size_t n = 0;

    for (CK_RV rv = 1; rv < 0x400; rv++) {
        struct keystay_error err;
        enum keystay_status status = rv_error(rv, "C_Sign", NULL, &err);
        int exit_status = keystay_status_exit(status);

        assert_true(exit_status == 3 || exit_status == 4 || exit_status == 8);
        assert_true(err.hint[0] != '\0');
        assert_tame(err.message);
        assert_tame(err.hint);
        if (rv_name(rv) == NULL) {
            assert_contains(err.message, "unknown code");
            continue;
        }
        assert_true(strncmp(rv_name(rv), "CKR_", 4) == 0);
        for (size_t i = 0; i < n; i++) {
            assert_string_not_equal(names[i], rv_name(rv));
        }
        names[n++] = rv_name(rv);
    }
    assert_true(n >= 85);
}

/* A mask or a cast to fewer bits would make a PIN error of them, and a caller would believe it. */
TEST(a_code_of_the_vendors_own_is_never_read_as_another)
{
    static const CK_RV codes[] = { 0x800000A0, 0x800000A4,  0x80000000,        0x80000123,
                                   0xFFFFFFFF, 0x1000000A0, 0x80000000000000A0 };

    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        struct keystay_error err;

        assert_null(rv_name(codes[i]));
        assert_int_equal(rv_error(codes[i], "C_Login", "token 'x'", &err), KEYSTAY_E_MODULE);
        assert_true(err.ck_rv == codes[i]);
        assert_lacks(err.message, "CKR_");
        assert_true(err.hint[0] != '\0');
    }
}

TEST(the_vendors_code_is_shown_whole)
{
    struct keystay_error err;

    assert_int_equal(rv_error(0x800000A0, "C_Login", NULL, &err), KEYSTAY_E_MODULE);
    assert_string_equal(err.message, "C_Login failed: a code of the vendor's own (0x800000A0)");
}

TEST(an_old_error_is_not_left_behind)
{
    struct keystay_error err = { .http_status = 401, .aadsts = 7, .ck_rv = 0xA0 };

    assert_int_equal(rv_error(CKR_DEVICE_ERROR, "C_Sign", NULL, &err), KEYSTAY_E_MODULE);
    assert_int_equal(err.http_status, 0);
    assert_int_equal(err.aadsts, 0);
    assert_int_equal(err.ck_rv, CKR_DEVICE_ERROR);
}

TEST(a_place_with_escape_sequences_is_tamed)
{
    struct keystay_error err;

    (void)rv_error(CKR_DEVICE_ERROR, "C_Sign", "token '\x1B[2J\x9B\xFF'", &err);
    assert_tame(err.message);
    assert_contains(err.message, "CKR_DEVICE_ERROR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_error_to_fill_is_fine),
        cmocka_unit_test(without_a_place_the_call_comes_first),
        cmocka_unit_test(ckr_ok_is_not_told_as_success),
        cmocka_unit_test(a_code_has_its_name_and_its_status),
        cmocka_unit_test(the_whole_table_is_sound),
        cmocka_unit_test(a_code_of_the_vendors_own_is_never_read_as_another),
        cmocka_unit_test(the_vendors_code_is_shown_whole),
        cmocka_unit_test(an_old_error_is_not_left_behind),
        cmocka_unit_test(a_place_with_escape_sequences_is_tamed),
    };

    return RUN_TESTS(tests);
}
