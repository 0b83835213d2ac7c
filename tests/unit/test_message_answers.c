/* SPDX-License-Identifier: Apache-2.0 */
/* What a signer process tells its program, wire.h says how. */
#include "unit.h"

#include <stdlib.h>

#include "pkcs11/isolated/message.h"
#include "rsa.h"
#include "wire.h"

enum { ERROR_HEAD = 4 + 4 + 8 + 4 };

static enum keystay_status read_hello(struct slice body)
{
    return hello_decode(body, NULL);
}

static enum keystay_status read_opened(struct slice body)
{
    struct opened_message message;

    return opened_decode(body, &message, NULL);
}

static enum keystay_status read_error(struct slice body)
{
    struct keystay_error error;

    return error_decode(body, &error, NULL);
}

static enum keystay_status read_ask(struct slice body)
{
    struct ask_message message;

    return ask_decode(body, &message, NULL);
}

static enum keystay_status read_call(struct slice body)
{
    char call[MESSAGE_CALL_MAX + 1];

    return call_decode(body, call, NULL);
}

static enum keystay_status read_log(struct slice body)
{
    struct log_message message;

    return log_decode(body, &message, NULL);
}

TEST(another_version_is_refused_by_its_name)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    struct keystay_error err;

    hello_encode(&body);
    assert_ok(hello_decode(buf_slice(&body), &err));
    assert_only_whole(&body, read_hello, "hello");
    body.data[body.len - 1] = '!';
    assert_int_equal(hello_decode(buf_slice(&body), &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, KEYSTAY_VERSION);
    assert_contains(err.message, "another build");
    assert_contains(err.hint, "--signer-program");

    buf_clear(&body);
    hello_encode(&body);
    body.data[4 + strlen("keystay-signer") + 3]++; /* of the protocol */
    assert_int_equal(hello_decode(buf_slice(&body), &err), KEYSTAY_E_CONFIG);
}

TEST(what_is_no_greeting_is_refused)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);

    hello_encode(&body);
    body.data[4] = 'K';
    assert_int_equal(hello_decode(buf_slice(&body), NULL), KEYSTAY_E_CONFIG);
}

/* A signer whose every text is as long as it may be. */
static struct soft_signer *long_winded_signer(const char *name, const char *path)
{
    struct soft_signer *signer = soft_signer_new(UINT32_MAX, NULL);

    signer->base.info = (struct keystay_signer_info){
        .module = path,
        .token_label = name,
        .token_serial = name,
        .key_label = name,
        .key_uri_id = name,
        .claimed = name,
        .proven = name,
        .proof_hint = name,
        .key_bits = 65535,
        .is_proven = 1,
    };
    return signer;
}

TEST(what_a_signer_tells_of_itself_arrives)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    CLEANUP(freep) char *path = text_of(MESSAGE_PATH_MAX, 'p');
    CLEANUP(freep) char *name = text_of(MESSAGE_NAME_MAX, 'n');
    CLEANUP(soft_signer_freep) struct soft_signer *signer = long_winded_signer(name, path);
    struct opened_message read;

    opened_encode(UINT32_MAX, &signer->base, &body);
    assert_ok(encode_end(&body, NULL));
    assert_ok(opened_decode(buf_slice(&body), &read, NULL));
    assert_int_equal(read.signer, UINT32_MAX);
    assert_int_equal(read.algs, signer->base.algs);
    assert_int_equal(read.key_bits, 65535);
    assert_true(slice_equal(read.certificate, certificate_der(signer->base.certificate)));
    assert_string_equal(read.module, path);
    assert_string_equal(read.token_label, name);
    assert_string_equal(read.token_serial, name);
    assert_string_equal(read.key_label, name);
    assert_string_equal(read.key_uri_id, name);
    assert_string_equal(read.claimed, name);
    assert_string_equal(read.proven, name);
    assert_string_equal(read.proof_hint, name);
    assert_true(read.is_proven);
    assert_only_whole(&body, read_opened, "opened");
}

TEST(a_signer_without_a_number_or_with_endless_names_is_refused)
{
    CLEANUP(freep) char *name = text_of(MESSAGE_NAME_MAX + 1, 'n');
    CLEANUP(soft_signer_freep) struct soft_signer *signer = long_winded_signer("n", "p");
    const char **names[] = { &signer->base.info.token_label, &signer->base.info.token_serial,
                             &signer->base.info.key_label,   &signer->base.info.key_uri_id,
                             &signer->base.info.claimed,     &signer->base.info.proven,
                             &signer->base.info.proof_hint };
    CLEANUP(buf_clear) struct buf zero = BUF(FRAME_BODY_MAX);

    opened_encode(0, &signer->base, &zero);
    assert_refused(&zero, read_opened, "number 0");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);

        *names[i] = name;
        opened_encode(1, &signer->base, &body);
        assert_refused(&body, read_opened, "a name");
        *names[i] = "n";
    }
}

TEST(names_cannot_steer_a_terminal)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    CLEANUP(soft_signer_freep) struct soft_signer *signer = long_winded_signer("\033[2J", "\033]0;m\a");
    struct keystay_error error = { .status = KEYSTAY_E_MODULE, .message = "\033[2Ja", .hint = "\rb" };
    struct opened_message opened;
    struct ask_message asked;
    struct log_message line;
    char call[MESSAGE_CALL_MAX + 1];

    opened_encode(1, &signer->base, &body);
    assert_ok(opened_decode(buf_slice(&body), &opened, NULL));
    assert_tame(opened.module);
    assert_tame(opened.proof_hint);
    buf_clear(&body);
    error_encode(&error, &body);
    assert_ok(error_decode(buf_slice(&body), &error, NULL));
    assert_tame(error.message);
    assert_tame(error.hint);
    buf_clear(&body);
    ask_encode(&(struct pin_question){ "\033c", "\b", 1, 0 }, &body);
    assert_ok(ask_decode(buf_slice(&body), &asked, NULL));
    assert_tame(asked.where);
    assert_tame(asked.purpose);
    buf_clear(&body);
    log_encode(KEYSTAY_LOG_WARNING, "\033c", &body);
    assert_ok(log_decode(buf_slice(&body), &line, NULL));
    assert_tame(line.text);
    buf_clear(&body);
    call_encode("C_\033c", &body);
    assert_ok(call_decode(buf_slice(&body), call, NULL));
    assert_tame(call);
}

static void fill(char *text, size_t size, char c)
{
    memset(text, c, size - 1);
    text[size - 1] = '\0';
}

TEST(an_error_arrives_whole)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    struct keystay_error sent = {
        .status = KEYSTAY_E_PIN_INCORRECT, .http_status = 599, .ck_rv = 0x80000042, .aadsts = 7000215
    };
    struct keystay_error got = { 0 };

    fill(sent.oauth_error, sizeof(sent.oauth_error), 'o');
    fill(sent.trace_id, sizeof(sent.trace_id), 't');
    fill(sent.correlation_id, sizeof(sent.correlation_id), 'c');
    fill(sent.message, sizeof(sent.message), 'm');
    fill(sent.hint, sizeof(sent.hint), 'h');
    error_encode(&sent, &body);
    assert_ok(error_decode(buf_slice(&body), &got, NULL));
    assert_int_equal(got.status, sent.status);
    assert_int_equal(got.http_status, sent.http_status);
    assert_true(got.ck_rv == sent.ck_rv);
    assert_int_equal(got.aadsts, sent.aadsts);
    assert_string_equal(got.oauth_error, sent.oauth_error);
    assert_string_equal(got.trace_id, sent.trace_id);
    assert_string_equal(got.correlation_id, sent.correlation_id);
    assert_string_equal(got.message, sent.message);
    assert_string_equal(got.hint, sent.hint);
    assert_only_whole(&body, read_error, "error");
}

TEST(an_error_that_is_none_is_refused)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    struct keystay_error error = { .status = KEYSTAY_OK };
    struct keystay_error untouched = { .status = KEYSTAY_E_TLS };

    error_encode(&error, &body);
    assert_int_equal(error_decode(buf_slice(&body), &untouched, NULL), KEYSTAY_E_INTERNAL);
    assert_int_equal(untouched.status, KEYSTAY_E_TLS);
}

TEST(an_error_with_a_longer_message_than_there_is_room_is_refused)
{
    CLEANUP(freep) char *text = text_of(KEYSTAY_ERROR_MESSAGE_SIZE, 'm');
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);

    encode_u32(&body, KEYSTAY_E_MODULE);
    encode_u32(&body, 0);
    encode_u64(&body, 0);
    encode_u32(&body, 0);
    assert_int_equal(body.len, ERROR_HEAD);
    encode_text(&body, "");
    encode_text(&body, "");
    encode_text(&body, "");
    encode_text(&body, text);
    encode_text(&body, "");
    assert_refused(&body, read_error, "a long message");
}

TEST(questions_calls_and_lines_arrive)
{
    CLEANUP(buf_clear) struct buf ask = BUF(FRAME_BODY_MAX);
    CLEANUP(buf_clear) struct buf call = BUF(FRAME_BODY_MAX);
    CLEANUP(buf_clear) struct buf log = BUF(FRAME_BODY_MAX);
    CLEANUP(freep) char *name = text_of(MESSAGE_NAME_MAX, 'n');
    CLEANUP(freep) char *line = text_of(MESSAGE_LOG_MAX, 'l');
    struct ask_message asked;
    struct log_message logged;
    char called[MESSAGE_CALL_MAX + 1];

    ask_encode(&(struct pin_question){ name, name, 1, PIN_TRIES_ALL }, &ask);
    assert_ok(ask_decode(buf_slice(&ask), &asked, NULL));
    assert_string_equal(asked.where, name);
    assert_string_equal(asked.purpose, name);
    assert_int_equal(asked.tries, PIN_TRIES_ALL);
    assert_only_whole(&ask, read_ask, "ask");
    call_encode("C_WaitForSlotEvent", &call);
    assert_ok(call_decode(buf_slice(&call), called, NULL));
    assert_string_equal(called, "C_WaitForSlotEvent");
    assert_only_whole(&call, read_call, "call");
    log_encode(KEYSTAY_LOG_WARNING, line, &log);
    assert_ok(log_decode(buf_slice(&log), &logged, NULL));
    assert_int_equal(logged.level, KEYSTAY_LOG_WARNING);
    assert_string_equal(logged.text, line);
    assert_only_whole(&log, read_log, "log");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_version_is_refused_by_its_name),
        cmocka_unit_test(what_is_no_greeting_is_refused),
        cmocka_unit_test(what_a_signer_tells_of_itself_arrives),
        cmocka_unit_test(a_signer_without_a_number_or_with_endless_names_is_refused),
        cmocka_unit_test(names_cannot_steer_a_terminal),
        cmocka_unit_test(an_error_arrives_whole),
        cmocka_unit_test(an_error_that_is_none_is_refused),
        cmocka_unit_test(an_error_with_a_longer_message_than_there_is_room_is_refused),
        cmocka_unit_test(questions_calls_and_lines_arrive),
    };

    return RUN_TESTS(tests);
}
