/* SPDX-License-Identifier: Apache-2.0 */
/* The PIN rule against a token that is played here: it counts what it is sent. test_pin_parts.c has what
 * comes before a PIN is sent. */
#include "scratch.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkcs11/latch.h"
#include "pkcs11/pin.h"

/* The salt is always the same (--wrap): whether two PINs share their byte is no matter of luck. */
enum keystay_status __wrap_random_bytes(uint8_t *bytes, size_t len, struct keystay_error *err);
enum keystay_status __wrap_random_bytes(uint8_t *bytes, size_t len, struct keystay_error *err)
{
    (void)err;
    memset(bytes, 7, len);
    return KEYSTAY_OK;
}

struct token {
    const char *right; /* the PIN */
    CK_RV forced;      /* not CKR_OK: the answer to any PIN */
    CK_RV info_rv;
    CK_TOKEN_INFO info;
    int n_sent, n_info;
    bool was_pad;       /* the last one was NULL */
    const char *spoils; /* the latch folder: C_Login makes it impossible to write the outcome down */
};

static struct scratch folder;
static struct token token;
static struct latch spoilt;

/* Puts a folder where the latch's next content is written to: as good as a full disk. */
static void spoil(void)
{
    char path[LATCH_PATH_SIZE + 8];

    (void)snprintf(path, sizeof(path), "%s.new", spoilt.path);
    assert_int_equal(mkdir(path, 0700), 0);
}

static CK_RV send_it(void *context, const struct secret *pin)
{
    struct token *to = context;

    to->n_sent++;
    to->was_pad = pin == NULL;
    if (to->spoils != NULL) {
        spoil();
    }
    if (to->forced != CKR_OK) {
        return to->forced;
    }
    return pin != NULL && slice_equal(secret_slice(pin), slice_of_str(to->right)) ? CKR_OK
                                                                                  : CKR_PIN_INCORRECT;
}

static CK_RV read_info(void *context, CK_TOKEN_INFO *ret_info)
{
    struct token *to = context;

    to->n_info++;
    *ret_info = to->info;
    return to->info_rv;
}

static int set_up(void **state)
{
    (void)state;
    folder = scratch_new();
    token = (struct token){ .right = "1234" };
    memset(token.info.label, ' ', sizeof(token.info.label));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&folder);
    return 0;
}

static struct pin_policy policy_of(enum pin_source_kind kind)
{
    return (struct pin_policy){ .source = { .kind = kind, .fd = -1 },
                                .is_configured = true,
                                .state_dir = folder.path,
                                .timeout_ms = 20000 };
}

/* info: as the token was seen when it was chosen. */
static enum keystay_status send_seen(
    const struct pin_policy *policy, const CK_TOKEN_INFO *info, const char *text, struct keystay_error *err)
{
    const struct pin_target target = { info, "token 'x'", "", "C_Login" };
    const struct pin_ops ops = { send_it, read_info, &token };
    CLEANUP(secret_clear) struct secret pin = { 0 };

    assert_ok(secret_set(&pin, slice_of_str(text), NULL));
    return pin_send(policy, &target, &ops, &pin, NULL, err);
}

static enum keystay_status send_now(
    const struct pin_policy *policy, const char *text, struct keystay_error *err)
{
    const CK_TOKEN_INFO now = token.info;

    return send_seen(policy, &now, text, err);
}

static struct latch latch_now(void)
{
    struct latch latch = LATCH_NONE;

    assert_ok(latch_open(&token.info, folder.path, &latch, NULL));
    return latch;
}

static enum latch_state state_now(void)
{
    CLEANUP(latch_close) struct latch latch = latch_now();

    return latch.state;
}

static void leave_trying(void)
{
    CLEANUP(latch_close) struct latch latch = latch_now();

    assert_ok(latch_set_trying(&latch, NULL));
}

TEST(a_latch_that_cannot_be_written_keeps_the_pin_back)
{
    struct pin_policy policy = policy_of(PIN_SOURCE_FILE);

    policy.state_dir = "/dev/null/x";
    assert_int_equal(send_now(&policy, "1234", NULL), KEYSTAY_E_CONFIG);
    policy.state_dir = "/proc/self";
    assert_int_equal(send_now(&policy, "1234", NULL), KEYSTAY_E_CONFIG);
    assert_int_equal(token.n_sent, 0);
}

TEST(flags_that_cannot_be_read_again_keep_the_pin_back)
{
    const struct pin_policy policy = policy_of(PIN_SOURCE_FILE);
    struct keystay_error err;

    leave_trying();
    token.info_rv = CKR_DEVICE_REMOVED;
    assert_int_equal(send_now(&policy, "1234", &err), KEYSTAY_E_MODULE);
    assert_int_equal(err.ck_rv, CKR_DEVICE_REMOVED);
    assert_int_equal(token.n_sent, 0);
}

#define LOCKED CKF_USER_PIN_LOCKED
#define FINAL CKF_USER_PIN_FINAL_TRY
#define LOW CKF_USER_PIN_COUNT_LOW

static const struct {
    const char *name;
    CK_FLAGS flags;
    enum pin_source_kind kind;
    bool final_try, count_low_try;
    enum keystay_status status;
} flag_rows[] = {
    { "no flag", 0, PIN_SOURCE_FILE, false, false, KEYSTAY_OK },
    { "others' flags", CKF_SO_PIN_LOCKED | CKF_SO_PIN_FINAL_TRY, PIN_SOURCE_FILE, false, false, KEYSTAY_OK },
    { "locked", LOCKED, PIN_SOURCE_TTY, false, false, KEYSTAY_E_PIN_LOCKED },
    { "locked, whatever is allowed", LOCKED, PIN_SOURCE_TTY, true, true, KEYSTAY_E_PIN_LOCKED },
    { "all three", LOCKED | FINAL | LOW, PIN_SOURCE_FILE, true, true, KEYSTAY_E_PIN_LOCKED },
    { "final", FINAL, PIN_SOURCE_FILE, false, false, KEYSTAY_E_PIN_REFUSED },
    { "final, a person", FINAL, PIN_SOURCE_TTY, false, false, KEYSTAY_E_PIN_REFUSED },
    { "final, a PIN pad", FINAL, PIN_SOURCE_NONE, false, false, KEYSTAY_E_PIN_REFUSED },
    { "final, the other switch", FINAL | LOW, PIN_SOURCE_FILE, false, true, KEYSTAY_E_PIN_REFUSED },
    { "final, allowed", FINAL | LOW, PIN_SOURCE_FILE, true, false, KEYSTAY_OK },
    { "low, file", LOW, PIN_SOURCE_FILE, false, false, KEYSTAY_E_PIN_REFUSED },
    { "low, fd", LOW, PIN_SOURCE_FD, false, false, KEYSTAY_E_PIN_REFUSED },
    { "low, env", LOW, PIN_SOURCE_ENV, false, false, KEYSTAY_E_PIN_REFUSED },
    { "low, credential", LOW, PIN_SOURCE_CREDENTIAL, false, false, KEYSTAY_E_PIN_REFUSED },
    { "low, exec", LOW, PIN_SOURCE_EXEC, false, false, KEYSTAY_E_PIN_REFUSED },
    { "low, tty", LOW, PIN_SOURCE_TTY, false, false, KEYSTAY_OK },
    { "low, pinentry", LOW, PIN_SOURCE_PINENTRY, false, false, KEYSTAY_OK },
    { "low, PIN pad", LOW, PIN_SOURCE_NONE, false, false, KEYSTAY_OK },
    { "low, allowed", LOW, PIN_SOURCE_FILE, false, true, KEYSTAY_OK },
};

TEST(the_tokens_flags_decide_before_anything_is_sent)
{
    for (size_t i = 0; i < ARRAY_LEN(flag_rows); i++) {
        struct pin_policy policy = policy_of(flag_rows[i].kind);
        struct keystay_error err = { 0 };
        bool is_good = flag_rows[i].status == KEYSTAY_OK;

        policy.final_try = flag_rows[i].final_try;
        policy.count_low_try = flag_rows[i].count_low_try;
        assert_row(
            pin_check_flags(&policy, flag_rows[i].flags, "token 'x'", &err) == flag_rows[i].status,
            flag_rows[i].name);
        assert_row(is_good || err.hint[0] != '\0', flag_rows[i].name);
        token.info.flags = flag_rows[i].flags;
        token.n_sent = 0;
        token.forced = CKR_USER_ALREADY_LOGGED_IN; /* any answer that is no error */
        assert_row(send_now(&policy, "1234", NULL) == flag_rows[i].status, flag_rows[i].name);
        assert_row(token.n_sent == (is_good ? 1 : 0), flag_rows[i].name);
    }
}

TEST(a_right_pin_is_sent_once_and_leaves_nothing)
{
    const struct pin_policy policy = policy_of(PIN_SOURCE_FILE);

    for (int i = 1; i <= 2; i++) {
        assert_ok(send_now(&policy, "1234", NULL));
        assert_int_equal(token.n_sent, i);
        assert_int_equal(state_now(), LATCH_CLEAR);
    }
    assert_int_equal(token.n_info, 0); /* a clear latch costs no call */
}

TEST(a_wrong_pin_is_never_sent_again_and_another_one_is)
{
    const struct pin_policy policy = policy_of(PIN_SOURCE_FILE);
    struct keystay_error err;

    assert_int_equal(send_now(&policy, "4711", &err), KEYSTAY_E_PIN_INCORRECT);
    assert_int_equal(err.ck_rv, CKR_PIN_INCORRECT);
    assert_int_equal(state_now(), LATCH_REJECTED);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send_now(&policy, "4711", &err), KEYSTAY_E_PIN_REFUSED);
        assert_contains(err.hint, "keystay pin forget");
        assert_lacks(err.message, "4711");
    }
    assert_int_equal(token.n_sent, 1);
    assert_ok(send_now(&policy, "1234", NULL));
    assert_int_equal(token.n_sent, 2);
    assert_int_equal(state_now(), LATCH_CLEAR);
}

TEST(the_last_refused_pin_is_the_one_that_is_remembered)
{
    const struct pin_policy policy = policy_of(PIN_SOURCE_TTY);

    assert_int_equal(send_now(&policy, "4711", NULL), KEYSTAY_E_PIN_INCORRECT);
    assert_int_equal(send_now(&policy, "4712", NULL), KEYSTAY_E_PIN_INCORRECT);
    assert_int_equal(send_now(&policy, "4712", NULL), KEYSTAY_E_PIN_REFUSED);
    assert_int_equal(token.n_sent, 2);
}

TEST(what_the_token_calls_wrong_in_other_words_is_remembered_too)
{
    static const CK_RV codes[] = { CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE };
    const struct pin_policy policy = policy_of(PIN_SOURCE_FILE);

    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        token.forced = codes[i];
        token.n_sent = 0;
        assert_int_equal(send_now(&policy, "4711", NULL), KEYSTAY_E_PIN_INCORRECT);
        assert_int_equal(send_now(&policy, "4711", NULL), KEYSTAY_E_PIN_REFUSED);
        assert_int_equal(token.n_sent, 1);
        CLEANUP(latch_close) struct latch latch = latch_now();
        assert_ok(latch_erase(&latch, NULL));
    }
}

TEST(somebody_who_is_logged_in_already_is_no_failure)
{
    static const enum pin_source_kind kinds[] = { PIN_SOURCE_FILE, PIN_SOURCE_NONE };

    token.forced = CKR_USER_ALREADY_LOGGED_IN;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const struct pin_policy policy = policy_of(kinds[i]);
        assert_ok(send_now(&policy, "4711", NULL));
        assert_int_equal(state_now(), LATCH_CLEAR);
    }
}

/* The final try is allowed once: it does not make a PIN good that was refused before. */
TEST(no_switch_sends_a_refused_pin_again)
{
    struct pin_policy policy = policy_of(PIN_SOURCE_FILE);

    assert_int_equal(send_now(&policy, "4711", NULL), KEYSTAY_E_PIN_INCORRECT);
    token.info.flags = LOW | FINAL;
    policy.final_try = true;
    policy.count_low_try = true;
    assert_int_equal(send_now(&policy, "4711", NULL), KEYSTAY_E_PIN_REFUSED);
    assert_int_equal(token.n_sent, 1);
    assert_ok(send_now(&policy, "1234", NULL));
}

/* A leftover "trying" counts as rejected unless COUNT_LOW is reported clear. */
TEST(a_try_without_an_outcome_is_judged_by_the_tokens_counter)
{
    const struct pin_policy policy = policy_of(PIN_SOURCE_TTY);
    struct keystay_error err;

    leave_trying();
    token.info.flags = LOW;
    assert_int_equal(send_now(&policy, "1234", &err), KEYSTAY_E_PIN_REFUSED);
    assert_contains(err.hint, "keystay pin forget");
    assert_int_equal(token.n_sent, 0);
    assert_int_equal(state_now(), LATCH_TRYING);
    token.info.flags = 0;
    assert_ok(send_now(&policy, "1234", NULL));
    assert_int_equal(token.n_sent, 1);
    assert_int_equal(state_now(), LATCH_CLEAR);
}

/* Another process was refused after this one had looked at the token. */
TEST(flags_are_read_again_when_somebody_has_tried)
{
    const struct pin_policy policy = policy_of(PIN_SOURCE_TTY);
    const CK_TOKEN_INFO before = token.info;

    assert_int_equal(send_now(&policy, "4711", NULL), KEYSTAY_E_PIN_INCORRECT);
    token.info.flags = LOW | FINAL;
    assert_int_equal(send_seen(&policy, &before, "1234", NULL), KEYSTAY_E_PIN_REFUSED);
    token.info.flags = LOCKED;
    assert_int_equal(send_seen(&policy, &before, "1234", NULL), KEYSTAY_E_PIN_LOCKED);
    assert_int_equal(token.n_sent, 1);
    assert_int_equal(token.n_info, 2);
}

/* P2: erased on success. The token may have counted it: vendors have answers of their own for a wrong PIN. */
TEST(a_try_that_ended_oddly_is_not_forgotten)
{
    static const CK_RV codes[] = { CKR_DEVICE_ERROR, CKR_DEVICE_REMOVED, CKR_GENERAL_ERROR,
                                   CKR_FUNCTION_FAILED, 0x800000A0 };
    const struct pin_policy policy = policy_of(PIN_SOURCE_TTY);

    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        struct keystay_error err;

        token = (struct token){ .right = "1234", .forced = codes[i] };
        assert_int_equal(send_now(&policy, "4711", &err), KEYSTAY_E_MODULE);
        assert_int_equal(err.ck_rv, codes[i]);
        assert_int_not_equal(state_now(), LATCH_CLEAR);
        token.info.flags = LOW; /* it did count */
        assert_int_equal(send_now(&policy, "4711", NULL), KEYSTAY_E_PIN_REFUSED);
        assert_int_equal(token.n_sent, 1);
    }
}

/* Whoever gets KEYSTAY_E_PIN_* does not try again; KEYSTAY_E_CONFIG would not say that. */
TEST(a_refusal_is_told_even_when_it_cannot_be_written_down)
{
    const struct pin_policy policy = policy_of(PIN_SOURCE_FILE);
    struct keystay_error err;

    spoilt = latch_now();
    latch_close(&spoilt);
    token.spoils = folder.path;
    assert_int_equal(send_now(&policy, "4711", &err), KEYSTAY_E_PIN_INCORRECT);
    assert_int_equal(token.n_sent, 1);
}

/* Yubico's module sends the PIN that it keeps by itself, in the middle of a signature. */
TEST(a_try_that_the_module_made_is_judged_by_the_tokens_counter)
{
    const struct pin_policy policy = policy_of(PIN_SOURCE_FILE);
    const CK_TOKEN_INFO before = token.info;
    const struct pin_target target = { &before, "token 'x'", "", "C_Login" };

    assert_ok(pin_note_try(&policy, &target, NULL));
    assert_int_equal(state_now(), LATCH_TRYING);
    token.info.flags = LOW;
    assert_int_equal(send_seen(&policy, &before, "4711", NULL), KEYSTAY_E_PIN_REFUSED);
    assert_int_equal(token.n_sent, 0);
    token.info.flags = 0;
    assert_int_equal(send_seen(&policy, &before, "4711", NULL), KEYSTAY_E_PIN_INCORRECT);
    assert_ok(pin_note_try(&policy, &target, NULL));
    assert_int_equal(state_now(), LATCH_REJECTED); /* which PIN that was is not forgotten */
}

TEST(a_try_at_the_pin_pad_leaves_no_latch)
{
    struct pin_policy policy = policy_of(PIN_SOURCE_TTY);
    const struct pin_target target = { &token.info, "token 'x'", "", "C_Login" };

    token.info.flags = CKF_PROTECTED_AUTHENTICATION_PATH;
    policy.is_configured = false;
    assert_ok(pin_note_try(&policy, &target, NULL));
    assert_int_equal(state_now(), LATCH_CLEAR);
}

TEST(a_pin_pad_is_asked_with_no_pin_and_no_latch)
{
    struct pin_policy policy = policy_of(PIN_SOURCE_TTY);
    struct ear ear;
    struct secret none = { 0 };
    const struct pin_target target = { &token.info, "token 'x'", "", "C_Login" };
    const struct pin_ops ops = { send_it, read_info, &token };

    ear_init(&ear);
    token.info.flags = CKF_PROTECTED_AUTHENTICATION_PATH;
    policy.is_configured = false;
    assert_ok(pin_obtain(&policy, &target, NULL, &none, NULL));
    assert_null(none.data);
    assert_int_equal(pin_send(&policy, &target, &ops, &none, &ear.log, NULL), KEYSTAY_E_PIN_INCORRECT);
    assert_true(token.was_pad);
    assert_contains(ear.last, "PIN pad");
    assert_int_equal(state_now(), LATCH_CLEAR);
    /* A configured source goes before the pad. */
    policy.is_configured = true;
    assert_ok(send_now(&policy, "1234", NULL));
    assert_false(token.was_pad);
}

/* A service manager that starts fifty at once. The token reports no flags: only the latch stands between. */
TEST(fifty_processes_with_the_same_wrong_pin_cost_one_try)
{
    enum { N = 50 };
    const int n = is_under_valgrind() ? 4 : N;
    const struct pin_policy policy = policy_of(PIN_SOURCE_FILE);
    pid_t children[N];
    int gate[2], sends[2];
    char counted[N + 1];
    int n_incorrect = 0, n_refused = 0;

    assert_int_equal(pipe(gate), 0);
    assert_int_equal(pipe(sends), 0);
    for (int i = 0; i < n; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            char nothing;
            (void)close(gate[1]);
            (void)!read(gate[0], &nothing, 1); /* opens for all at the same moment */
            enum keystay_status status = send_now(&policy, "4711", NULL);
            _exit(token.n_sent == 0 || write(sends[1], "xxxx", (size_t)token.n_sent) > 0 ? (int)status : 99);
        }
    }
    (void)close(gate[0]);
    (void)close(gate[1]);
    (void)close(sends[1]);
    for (int i = 0; i < n; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        n_incorrect += WIFEXITED(status) && WEXITSTATUS(status) == KEYSTAY_E_PIN_INCORRECT;
        n_refused += WIFEXITED(status) && WEXITSTATUS(status) == KEYSTAY_E_PIN_REFUSED;
    }
    assert_int_equal(read(sends[0], counted, sizeof(counted)), 1);
    assert_int_equal(n_incorrect, 1);
    assert_int_equal(n_refused, n - 1);
    (void)close(sends[0]);
}

#define pin_test(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        pin_test(a_latch_that_cannot_be_written_keeps_the_pin_back),
        pin_test(flags_that_cannot_be_read_again_keep_the_pin_back),
        pin_test(the_tokens_flags_decide_before_anything_is_sent),
        pin_test(a_right_pin_is_sent_once_and_leaves_nothing),
        pin_test(a_wrong_pin_is_never_sent_again_and_another_one_is),
        pin_test(the_last_refused_pin_is_the_one_that_is_remembered),
        pin_test(what_the_token_calls_wrong_in_other_words_is_remembered_too),
        pin_test(somebody_who_is_logged_in_already_is_no_failure),
        pin_test(no_switch_sends_a_refused_pin_again),
        pin_test(a_try_without_an_outcome_is_judged_by_the_tokens_counter),
        pin_test(flags_are_read_again_when_somebody_has_tried),
        pin_test(a_try_that_the_module_made_is_judged_by_the_tokens_counter),
        pin_test(a_try_at_the_pin_pad_leaves_no_latch),
        pin_test(a_pin_pad_is_asked_with_no_pin_and_no_latch),
        pin_test(a_try_that_ended_oddly_is_not_forgotten),
        pin_test(a_refusal_is_told_even_when_it_cannot_be_written_down),
        pin_test(fifty_processes_with_the_same_wrong_pin_cost_one_try),
    };

    return RUN_TESTS(tests);
}
