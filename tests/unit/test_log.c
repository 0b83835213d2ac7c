/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "base/log.h"

struct heard {
    char text[1024];
    enum keystay_log_level level;
    int n_lines;
};

static void hear(void *context, enum keystay_log_level level, const char *text)
{
    struct heard *heard = context;

    (void)snprintf(heard->text, sizeof(heard->text), "%s", text);
    heard->level = level;
    heard->n_lines++;
}

TEST(nobody_need_listen)
{
    const struct keystay_log deaf = { NULL, NULL };

    log_step(NULL, "x");
    log_warning(NULL, "x");
    log_step(&deaf, "%s", "x");
    log_warning(&deaf, "%s", "x");
}

TEST(passes_steps_and_warnings_on)
{
    struct heard heard = { .n_lines = 0 };
    const struct keystay_log log = { hear, &heard };

    log_step(&log, "%s %d", "step", 1);
    assert_string_equal(heard.text, "step 1");
    assert_int_equal(heard.level, KEYSTAY_LOG_STEP);
    log_warning(&log, "beware");
    assert_string_equal(heard.text, "beware");
    assert_int_equal(heard.level, KEYSTAY_LOG_WARNING);
    assert_int_equal(heard.n_lines, 2);
}

TEST(cuts_a_long_line_at_a_character)
{
    struct heard heard = { .n_lines = 0 };
    const struct keystay_log log = { hear, &heard };
    char text[2001];

    for (size_t i = 0; i < 2000; i += 2) {
        memcpy(text + i, "\xC3\xA9", 2);
    }
    text[2000] = '\0';
    log_step(&log, "%s", text);
    assert_in_range(strlen(heard.text), 500, 511);
    assert_tame(heard.text);
}

TEST(what_steers_a_terminal_does_not_get_through)
{
    struct heard heard = { .n_lines = 0 };
    const struct keystay_log log = { hear, &heard };

    log_warning(&log, "%s", "\x1B]0;x\x07\r\xFF\xE2\x80\xAE");
    assert_string_equal(heard.text, "?]0;x????");
    assert_tame(heard.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_need_listen),
        cmocka_unit_test(passes_steps_and_warnings_on),
        cmocka_unit_test(cuts_a_long_line_at_a_character),
        cmocka_unit_test(what_steers_a_terminal_does_not_get_through),
    };

    return RUN_TESTS(tests);
}
