/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bodies of the frames between a program and its signer process: the first byte says which, the rest is
 * one. What the process reads (requests) has one encoding only, so what was read and is written again is what
 * came; what the program reads goes to people, and is fit for a terminal.
 */
#include "fuzz.h"

#include <string.h>

#include "base/str.h"
#include "pkcs11/isolated/message.h"

static void must_be(struct buf *again, struct slice body)
{
    MUST(encode_end(again, NULL) == KEYSTAY_OK);
    MUST(slice_equal(buf_slice(again), body));
}

static void must_be_tame(const char *text)
{
    MUST(str_is_utf8(slice_of_str(text)));
    for (const char *at = text; *at != '\0'; at++) {
        MUST((unsigned char)*at >= 0x20 || *at == '\n');
    }
}

static void read_open(struct slice body)
{
    CLEANUP(open_read_clear) struct open_read read = { 0 };
    CLEANUP(buf_clear) struct buf again = BUF(FRAME_BODY_MAX);

    if (open_decode(body, &read, NULL) == KEYSTAY_OK) {
        open_encode(&read.message, &again);
        must_be(&again, body);
    }
}

static void read_sign(struct slice body)
{
    CLEANUP(sign_read_clear) struct sign_read read = { 0 };
    CLEANUP(buf_clear) struct buf again = BUF(FRAME_BODY_MAX);

    if (sign_decode(body, &read, NULL) == KEYSTAY_OK) {
        (void)assertion_check(&read.assertion, NULL);
        sign_encode(read.signer, &read.assertion, &again);
        must_be(&again, body);
    }
}

static void read_number(struct slice body)
{
    CLEANUP(buf_clear) struct buf again = BUF(FRAME_BODY_MAX);
    uint32_t number = 0;

    if (number_decode(body, &number, NULL) == KEYSTAY_OK) {
        number_encode(number, &again);
        must_be(&again, body);
    }
}

static void read_bytes(struct slice body)
{
    CLEANUP(buf_clear) struct buf again = BUF(FRAME_BODY_MAX);
    struct slice bytes;

    if (bytes_decode(body, MESSAGE_SIGNATURE_MAX, &bytes, NULL) == KEYSTAY_OK) {
        MUST(bytes.len <= MESSAGE_SIGNATURE_MAX);
        bytes_encode(bytes, &again);
        must_be(&again, body);
    }
}

static void read_hello(struct slice body)
{
    struct keystay_error err = { 0 };

    if (hello_decode(body, &err) != KEYSTAY_OK) {
        must_be_tame(err.message);
    }
}

static void read_opened(struct slice body)
{
    CLEANUP(certificate_freep) struct certificate *certificate = NULL;
    struct opened_message opened;

    if (opened_decode(body, &opened, NULL) != KEYSTAY_OK) {
        return;
    }
    MUST(opened.signer != 0 && opened.certificate.len <= MESSAGE_CERTIFICATE_MAX);
    (void)certificate_parse(opened.certificate, &certificate, NULL);
    must_be_tame(opened.module);
    must_be_tame(opened.token_label);
    must_be_tame(opened.token_serial);
    must_be_tame(opened.key_label);
    must_be_tame(opened.key_uri_id);
    must_be_tame(opened.claimed);
    must_be_tame(opened.proven);
    must_be_tame(opened.proof_hint);
}

/* What was read of an error is written and read the same. */
static void read_error(struct slice body)
{
    CLEANUP(buf_clear) struct buf again = BUF(FRAME_BODY_MAX);
    struct keystay_error error;
    struct keystay_error second;

    if (error_decode(body, &error, NULL) == KEYSTAY_OK) {
        MUST(error.status != KEYSTAY_OK && keystay_status_exit(error.status) != 0);
        must_be_tame(error.message);
        must_be_tame(error.hint);
        error_encode(&error, &again);
        MUST(error_decode(buf_slice(&again), &second, NULL) == KEYSTAY_OK);
        MUST(second.status == error.status && second.ck_rv == error.ck_rv);
        MUST(str_equal(second.message, error.message) && str_equal(second.hint, error.hint));
    }
}

static void read_ask(struct slice body)
{
    struct ask_message asked;

    if (ask_decode(body, &asked, NULL) == KEYSTAY_OK) {
        must_be_tame(asked.where);
        must_be_tame(asked.purpose);
        MUST(asked.tries <= PIN_TRIES_ALL);
    }
}

static void read_call(struct slice body)
{
    char call[MESSAGE_CALL_MAX + 1];

    if (call_decode(body, call, NULL) == KEYSTAY_OK) {
        must_be_tame(call);
    }
}

static void read_log(struct slice body)
{
    struct log_message line;

    if (log_decode(body, &line, NULL) == KEYSTAY_OK) {
        must_be_tame(line.text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct slice body) = {
        [FRAME_OPEN] = read_open,     [FRAME_SIGN] = read_sign,    [FRAME_CHECK] = read_number,
        [FRAME_PIN] = read_bytes,     [FRAME_NO_PIN] = read_error, [FRAME_HELLO] = read_hello,
        [FRAME_OPENED] = read_opened, [FRAME_SIGNED] = read_bytes, [FRAME_FAILED] = read_error,
        [FRAME_ASK_PIN] = read_ask,   [FRAME_SLOW] = read_call,    [FRAME_LOG] = read_log,
    };

    if (size > 0 && data[0] < ARRAY_LEN(readers) && readers[data[0]] != NULL) {
        readers[data[0]]((struct slice){ data + 1, size - 1 });
    }
    return 0;
}
