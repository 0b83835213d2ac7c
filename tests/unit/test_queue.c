/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <libp11.h>
#include <openssl/err.h>

#include "pkcs11/libp11/queue.h"

/* As libp11 0.4.12 puts an answer of a module into the queue. */
static void put(unsigned long rv)
{
    ERR_raise(ERR_LIB_PKCS11, (int)rv);
}

TEST(an_empty_queue_says_nothing)
{
    struct keystay_error err = { 0 };

    ERR_clear_error();
    assert_int_equal(queue_take(), CKR_OK);
    assert_int_equal(queue_error(CKR_OK, "C_Sign", "token 'x'", &err), KEYSTAY_E_MODULE);
    assert_int_equal(err.ck_rv, 0);
    assert_contains(err.message, "token 'x': C_Sign failed, and libp11 does not say");
}

TEST(an_answer_comes_out_as_it_went_in)
{
    static const CK_RV rows[] = { CKR_DEVICE_REMOVED, CKR_SESSION_HANDLE_INVALID,
                                  CKR_GENERAL_ERROR,  CKR_CRYPTOKI_NOT_INITIALIZED,
                                  CKR_PIN_LOCKED,     CKR_MECHANISM_INVALID };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        put(rows[i]);
        assert_int_equal(queue_take(), rows[i]);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

TEST(the_words_are_those_of_the_table)
{
    struct keystay_error err = { 0 };

    assert_int_equal(
        queue_error(CKR_PIN_INCORRECT, "C_Login (libp11)", "token 'x'", &err), KEYSTAY_E_PIN_INCORRECT);
    assert_contains(err.message, "token 'x': C_Login (libp11) failed: CKR_PIN_INCORRECT (0xA0)");
    assert_int_equal(err.ck_rv, CKR_PIN_INCORRECT);
}

TEST(of_several_answers_the_last_counts)
{
    put(CKR_MECHANISM_INVALID);
    put(CKR_DEVICE_REMOVED);
    assert_int_equal(queue_take(), CKR_DEVICE_REMOVED);
}

TEST(what_was_said_of_a_pin_is_not_talked_over)
{
    put(CKR_MECHANISM_INVALID);
    put(CKR_PIN_INCORRECT);
    put(CKR_OPERATION_ACTIVE);
    assert_int_equal(queue_take(), CKR_PIN_INCORRECT);
    assert_int_equal(ERR_peek_error(), 0);
}

TEST(errors_of_others_are_passed_over)
{
    ERR_raise(ERR_LIB_RSA, 5);
    put(CKR_DEVICE_ERROR);
    ERR_raise(ERR_LIB_EVP, 6);
    assert_int_equal(queue_take(), CKR_DEVICE_ERROR);
    ERR_raise(ERR_LIB_EVP, 0xA0);
    assert_int_equal(queue_take(), CKR_OK);
}

/* Declared in queue.h: it cannot be told apart. */
TEST(a_vendors_code_looks_like_the_standards)
{
    put(0x800000A0UL);
    assert_int_equal(queue_take(), CKR_PIN_INCORRECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_queue_says_nothing),
        cmocka_unit_test(an_answer_comes_out_as_it_went_in),
        cmocka_unit_test(the_words_are_those_of_the_table),
        cmocka_unit_test(of_several_answers_the_last_counts),
        cmocka_unit_test(what_was_said_of_a_pin_is_not_talked_over),
        cmocka_unit_test(errors_of_others_are_passed_over),
        cmocka_unit_test(a_vendors_code_looks_like_the_standards),
    };

    return RUN_TESTS(tests);
}
