/* SPDX-License-Identifier: Apache-2.0 */
/* What can be tested without a person; a terminal is played by the end-to-end tests. */
#include "unit.h"

#include <unistd.h>

#include "crypto/prompt.h"

/* A PIN that lies ready on stdin must not be taken for a person's answer. Returns 0 when all is well. */
static int ask_with_a_pin_on_stdin(void *context)
{
    struct keystay_error *err = context;
    struct secret answer = { 0 };
    int fd = pipe_with(SLICE("1234\n"));
    char left[8];

    if (dup2(fd, STDIN_FILENO) != STDIN_FILENO || prompt_has_terminal()) {
        return 1;
    }
    if (prompt_secret("PIN: ", 32, &answer, err) != KEYSTAY_E_PIN_SOURCE || answer.data != NULL) {
        return 2;
    }
    return read(STDIN_FILENO, left, sizeof(left)) == 5 && strstr(err->hint, "--pin-source") != NULL ? 0 : 3;
}

/* Nor a word on stdin for a yes. */
static int confirm_with_a_yes_on_stdin(void *context)
{
    struct keystay_error *err = context;
    int fd = pipe_with(SLICE("yes\n"));

    if (dup2(fd, STDIN_FILENO) != STDIN_FILENO) {
        return 1;
    }
    if (prompt_confirm("Sure? ", err) != KEYSTAY_E_USAGE) {
        return 2;
    }
    return strstr(err->hint, "--yes") != NULL ? 0 : 3;
}

TEST(without_a_terminal_nobody_agrees)
{
    struct keystay_error err;

    assert_int_equal(in_child_without_terminal(confirm_with_a_yes_on_stdin, &err), 0);
}

TEST(without_a_terminal_nobody_is_asked)
{
    struct keystay_error err;

    assert_int_equal(in_child_without_terminal(ask_with_a_pin_on_stdin, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_terminal_nobody_is_asked),
        cmocka_unit_test(without_a_terminal_nobody_agrees),
    };

    return RUN_TESTS(tests);
}
