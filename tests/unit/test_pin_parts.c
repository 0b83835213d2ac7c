/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the PIN rule that come before a PIN is sent; test_pin.c has the sending. */
#include "scratch.h"

#include <unistd.h>

#include "base/file.h"
#include "pkcs11/pin.h"

TEST(a_login_is_wanted_when_the_policy_or_the_token_says_so)
{
    static const struct {
        const char *name;
        enum pin_login_when login;
        bool is_configured;
        CK_FLAGS flags;
        bool wants;
    } rows[] = {
        { "auto, nothing", PIN_LOGIN_AUTO, false, 0, false },
        { "auto, the token requires it", PIN_LOGIN_AUTO, false, CKF_LOGIN_REQUIRED, true },
        { "auto, a source", PIN_LOGIN_AUTO, true, 0, true },
        { "auto, other flags", PIN_LOGIN_AUTO, false, ~(CK_FLAGS)CKF_LOGIN_REQUIRED, false },
        { "always", PIN_LOGIN_ALWAYS, false, 0, true },
        { "never, though required", PIN_LOGIN_NEVER, true, CKF_LOGIN_REQUIRED, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct pin_policy policy = { .login = rows[i].login, .is_configured = rows[i].is_configured };
        assert_row(pin_wants_login(&policy, rows[i].flags) == rows[i].wants, rows[i].name);
    }
}

/* What the token cannot take is not worth one of its tries. */
TEST(a_pin_must_have_the_form_that_the_token_takes)
{
    static const struct {
        const char *name;
        struct slice pin;
        CK_ULONG least, most;
        enum keystay_status status;
    } rows[] = {
#define ROW(name, pin, least, most, status) \
    { name, { (const uint8_t *)(pin), sizeof(pin) - 1 }, least, most, status }
        ROW("at the least", "4711", 4, 8, KEYSTAY_OK),
        ROW("at the most", "47114711", 4, 8, KEYSTAY_OK),
        ROW("too short", "471", 4, 8, KEYSTAY_E_PIN_REFUSED),
        ROW("too long", "471147114", 4, 8, KEYSTAY_E_PIN_REFUSED),
        ROW("bytes count, not characters",
            "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4"
            "x",
            4, 8, KEYSTAY_E_PIN_REFUSED),
        ROW("no limits told", "4711471147114711", 0, 0, KEYSTAY_OK),
        ROW("limits that make no sense", "4711", 8, 4, KEYSTAY_OK),
        ROW("only a most", "471147114", 0, 8, KEYSTAY_E_PIN_REFUSED),
        ROW("limits not known", "4711", CK_UNAVAILABLE_INFORMATION, CK_UNAVAILABLE_INFORMATION, KEYSTAY_OK),
        ROW("empty", "", 0, 0, KEYSTAY_E_PIN_SOURCE),
        ROW("empty, though allowed", "", 0, 8, KEYSTAY_E_PIN_SOURCE),
        ROW("two lines", "4711\n", 4, 8, KEYSTAY_E_PIN_SOURCE),
        ROW("a NUL", "4711\0x", 4, 8, KEYSTAY_E_PIN_SOURCE),
        ROW("blanks are the PIN's", " 4711 ", 4, 8, KEYSTAY_OK),
#undef ROW
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const CK_TOKEN_INFO info = { .ulMinPinLen = rows[i].least, .ulMaxPinLen = rows[i].most };
        CLEANUP(secret_clear) struct secret pin = { 0 };
        struct keystay_error err = { 0 };

        assert_ok(secret_set(&pin, rows[i].pin, NULL));
        assert_row(pin_check_form(&pin, &info, "token 'x'", &err) == rows[i].status, rows[i].name);
        assert_lacks(err.message, "471");
    }
}

TEST(a_pin_that_was_got_is_whole_and_fit_to_be_sent)
{
    KEPT_ENV set = env_set("KEYSTAY_UNIT_PIN", NULL);
    static const struct {
        const char *content;
        CK_FLAGS flags;
        enum keystay_status status;
    } rows[] = {
        { "1234\n", 0, KEYSTAY_OK },
        { "1234\n\n", 0, KEYSTAY_E_PIN_SOURCE },
        { "\n", 0, KEYSTAY_E_PIN_SOURCE },
        { "123456789", 0, KEYSTAY_E_PIN_REFUSED },
        { "1234", CKF_USER_PIN_LOCKED, KEYSTAY_E_PIN_LOCKED },
        { "1234", CKF_USER_PIN_COUNT_LOW, KEYSTAY_E_PIN_REFUSED },
    };
    struct pin_policy policy = { .source = { .kind = PIN_SOURCE_ENV, .fd = -1 }, .is_configured = true };

    policy.source.argument = "KEYSTAY_UNIT_PIN";
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const CK_TOKEN_INFO info = { .ulMinPinLen = 4, .ulMaxPinLen = 8, .flags = rows[i].flags };
        const struct pin_target target = { &info, "token 'x'", "", "C_Login" };
        KEPT_ENV content = env_set("KEYSTAY_UNIT_PIN", rows[i].content);
        CLEANUP(secret_clear) struct secret pin = { 0 };

        assert_row(pin_obtain(&policy, &target, NULL, &pin, NULL) == rows[i].status, rows[i].content);
        assert_row(pin.len == (rows[i].status == KEYSTAY_OK ? 4 : 0), rows[i].content);
    }
}

TEST(what_cannot_be_asked_for_again_is_kept)
{
    static const struct {
        const char *name;
        enum pin_source_kind kind;
        bool reuse, keeps;
    } rows[] = {
        { "file", PIN_SOURCE_FILE, false, false }, { "file, reuse", PIN_SOURCE_FILE, true, true },
        { "env", PIN_SOURCE_ENV, false, false },   { "credential", PIN_SOURCE_CREDENTIAL, false, false },
        { "exec", PIN_SOURCE_EXEC, false, false }, { "fd", PIN_SOURCE_FD, false, true },
        { "tty", PIN_SOURCE_TTY, false, true },    { "pinentry", PIN_SOURCE_PINENTRY, false, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct pin_policy policy = { .source.kind = rows[i].kind, .reuse = rows[i].reuse };
        assert_row(pin_must_keep(&policy) == rows[i].keeps, rows[i].name);
    }
}

TEST(a_locked_token_does_not_empty_the_descriptor)
{
    CLEANUP(file_closep) int fd = pipe_with(SLICE("1234\n"));
    const struct pin_policy policy = { .source = { .kind = PIN_SOURCE_FD, .fd = fd }, .is_configured = true };
    const CK_TOKEN_INFO info = { .flags = CKF_USER_PIN_FINAL_TRY };
    const struct pin_target target = { &info, "token 'x'", "", "C_Login" };
    CLEANUP(secret_clear) struct secret pin = { 0 };
    char left[8];

    assert_int_equal(pin_obtain(&policy, &target, NULL, &pin, NULL), KEYSTAY_E_PIN_REFUSED);
    assert_int_equal(read(fd, left, sizeof(left)), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_is_wanted_when_the_policy_or_the_token_says_so),
        cmocka_unit_test(a_pin_must_have_the_form_that_the_token_takes),
        cmocka_unit_test(a_pin_that_was_got_is_whole_and_fit_to_be_sent),
        cmocka_unit_test(what_cannot_be_asked_for_again_is_kept),
        cmocka_unit_test(a_locked_token_does_not_empty_the_descriptor),
    };

    return RUN_TESTS(tests);
}
