/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <pthread.h>

#include "pkcs11/libp11/pin_ui.h"

/* As libp11 asks: into its own buffer. False when it was given none. */
static bool ask(char answer[PIN_UI_LEN_MAX + 1])
{
    UI *ui = UI_new_method(pin_ui_method());

    assert_non_null(ui);
    memset(answer, 0, PIN_UI_LEN_MAX + 1);
    assert_true(UI_dup_input_string(ui, "PIN", 0, answer, PIN_UI_LEN_MIN, PIN_UI_LEN_MAX) > 0);
    bool is_given = UI_process(ui) == 0;
    UI_free(ui);
    return is_given;
}

static struct secret secret_of(const char *text)
{
    struct secret secret = { 0 };

    assert_ok(secret_set(&secret, slice_of_str(text), NULL));
    return secret;
}

TEST(without_a_pin_in_hand_there_is_no_answer)
{
    char answer[PIN_UI_LEN_MAX + 1];

    pin_ui_set(NULL);
    assert_false(ask(answer));
    assert_string_equal(answer, "");
    assert_false(pin_ui_was_used());
}

TEST(a_pin_is_handed_over_once)
{
    CLEANUP(secret_clear) struct secret pin = secret_of("123456");
    char answer[PIN_UI_LEN_MAX + 1];

    pin_ui_set(&pin);
    assert_false(pin_ui_was_used());
    assert_true(ask(answer));
    assert_string_equal(answer, "123456");
    assert_true(pin_ui_was_used());
    assert_false(ask(answer));
    assert_string_equal(answer, "");

    pin_ui_set(&pin);
    assert_true(ask(answer));
    pin_ui_set(NULL);
    assert_false(ask(answer));
}

TEST(the_limits_are_libp11s)
{
    static const struct {
        const char *pin;
        bool fits;
    } rows[] = {
        { "123", false },
        { "1234", true },
        { "12345678901234567890123456789012", true },
        { "123456789012345678901234567890123", false },
    };
    char answer[PIN_UI_LEN_MAX + 1];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(secret_clear) struct secret pin = secret_of(rows[i].pin);

        pin_ui_set(&pin);
        assert_row(ask(answer) == rows[i].fits, rows[i].pin);
    }
    pin_ui_set(NULL);
}

static void *ask_elsewhere(void *context)
{
    char answer[PIN_UI_LEN_MAX + 1];

    *(bool *)context = ask(answer);
    return NULL;
}

TEST(what_one_thread_has_in_hand_no_other_gets)
{
    CLEANUP(secret_clear) struct secret pin = secret_of("123456");
    pthread_t thread;
    bool is_given = true;

    pin_ui_set(&pin);
    assert_int_equal(pthread_create(&thread, NULL, ask_elsewhere, &is_given), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(is_given);
    assert_false(pin_ui_was_used());
    pin_ui_set(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_pin_in_hand_there_is_no_answer),
        cmocka_unit_test(a_pin_is_handed_over_once),
        cmocka_unit_test(the_limits_are_libp11s),
        cmocka_unit_test(what_one_thread_has_in_hand_no_other_gets),
    };

    return RUN_TESTS(tests);
}
