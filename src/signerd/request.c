/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests of a program. What is signed is composed here, from typed fields: no request has room for
 * bytes that somebody else composed.
 */
#include "signerd/request.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "jose/jws.h"
#include "pkcs11/isolated/message.h"
#include "signerd/engines.h"
#include "signerd/signers.h"
#include "signerd/work.h"

enum { PART_MAX = 32 * 1024, OURS_MAX = 2 * MESSAGE_PATH_MAX };

/* A struct pin_peer's ask. */
static enum keystay_status ask_program(
    void *context, const struct pin_question *question, struct secret *ret_pin, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    CLEANUP(frame_freep) struct frame *answer = NULL;
    struct slice pin;
    struct keystay_error told = { 0 };

    (void)context;
    ask_encode(question, &body);
    TRY(encode_end(&body, err));
    work_send(FRAME_ASK_PIN, &body);
    work_receive(&answer);
    if (answer->type == FRAME_PIN) {
        TRY(bytes_decode(buf_slice(&answer->body), PIN_LEN_MAX, &pin, err));
        return secret_set(ret_pin, pin, err);
    }
    if (answer->type != FRAME_NO_PIN || error_decode(buf_slice(&answer->body), &told, err) != KEYSTAY_OK) {
        return err_set(err, KEYSTAY_E_PIN_SOURCE, "the program did not answer the question for the PIN");
    }
    if (err != NULL) {
        *err = told;
    }
    return told.status;
}

/* This process loads one module with one engine: the first that it is asked for. */
static enum keystay_status check_is_ours(const struct open_message *message, struct keystay_error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char *ours; /* "engine path", for the life of the process */
    const char *parts[] = { message->config.engine, message->config.module };
    CLEANUP(buf_clear) struct buf name = BUF(OURS_MAX);

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        TRY(buf_puts(&name, parts[i] == NULL ? "-" : parts[i], err));
        TRY(buf_putc(&name, ' ', err));
    }
    (void)pthread_mutex_lock(&lock);
    if (ours == NULL) {
        ours = strdup(buf_str(&name));
    }
    bool is_same = ours != NULL && str_equal(ours, buf_str(&name));
    (void)pthread_mutex_unlock(&lock);
    return is_same ? KEYSTAY_OK
                   : err_set(err, KEYSTAY_E_INTERNAL, "a signer process was asked for a second module");
}

static enum keystay_status read_settings(
    const struct open_message *message, struct p11_settings *settings, struct keystay_error *err)
{
    struct keystay_pkcs11_config config = message->config;

    config.pin_source = message->uses_pad ? "none" : NULL;
    config.log = message->wants_log ? &work_log : NULL;
    config.watch = &work_watch;
    TRY(p11_settings_read(&config, settings, err));
    settings->pin.is_configured = message->is_pin_configured;
    if (!message->uses_pad) {
        settings->pin.source = (struct pin_source){
            .kind = PIN_SOURCE_PEER,
            .fd = -1,
            .peer = { ask_program, NULL, message->is_attended, message->is_repeatable },
        };
    }
    return KEYSTAY_OK;
}

static enum keystay_status answer_open(
    struct slice body, enum frame_type *ret_type, struct buf *to, struct keystay_error *err)
{
    CLEANUP(open_read_clear) struct open_read read = { 0 };
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };
    const struct p11_engine *engine = NULL;
    struct keystay_signer *signer = NULL;
    uint32_t number = 0;

    TRY(open_decode(body, &read, err));
    TRY(check_is_ours(&read.message, err));
    TRY(engines_find(read.message.config.engine, &engine, err));
    TRY(read_settings(&read.message, &settings, err));
    TRY(engine->open(&settings, &signer, err));
    TRY(signers_add(signer, &number, err));
    signer = signers_use(number);
    opened_encode(number, signer, to);
    signers_release(number);
    *ret_type = FRAME_OPENED;
    return KEYSTAY_OK;
}

static enum keystay_status compose(
    const struct assertion *assertion, const struct keystay_signer *signer, struct buf *ret_input,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf header = BUF(PART_MAX);
    CLEANUP(buf_clear) struct buf claims = BUF(PART_MAX);

    TRY(assertion_compose(assertion, signer->certificate, &header, &claims, err));
    return jws_signing_input(buf_slice(&header), buf_slice(&claims), ret_input, err);
}

/* The program verifies the signature with the certificate: here it would be done a second time. */
static enum keystay_status sign_with(
    struct keystay_signer *signer, const struct sign_read *read, struct buf *to, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf input = BUF(JWS_MAX);
    CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);
    struct tbs tbs = { TBS_ASSERTION, read->assertion.alg, { NULL, 0 }, &read->assertion };

    TRY(compose(&read->assertion, signer, &input, err));
    if (!keystay_signer_can(signer, tbs.alg)) {
        return err_set(err, KEYSTAY_E_ALGORITHM, "the key cannot sign with this algorithm");
    }
    tbs.input = buf_slice(&input);
    TRY(signer->ops->sign(signer, &tbs, &signature, err));
    bytes_encode(buf_slice(&signature), to);
    return KEYSTAY_OK;
}

static enum keystay_status no_such_signer(struct keystay_error *err)
{
    return err_set(err, KEYSTAY_E_INTERNAL, "the signer process has no such key open");
}

static enum keystay_status answer_sign(
    struct slice body, enum frame_type *ret_type, struct buf *to, struct keystay_error *err)
{
    CLEANUP(sign_read_clear) struct sign_read read = { 0 };

    TRY(sign_decode(body, &read, err));
    struct keystay_signer *signer = signers_use(read.signer);
    if (signer == NULL) {
        return no_such_signer(err);
    }
    enum keystay_status status = sign_with(signer, &read, to, err);
    signers_release(read.signer);
    *ret_type = FRAME_SIGNED;
    return status;
}

static enum keystay_status answer_by_number(
    enum frame_type type, struct slice body, enum frame_type *ret_type, struct keystay_error *err)
{
    enum keystay_status status = KEYSTAY_OK;
    uint32_t number = 0;

    TRY(number_decode(body, &number, err));
    struct keystay_signer *signer = signers_use(number);
    if (signer == NULL) {
        return no_such_signer(err);
    }
    if (type == FRAME_CHECK) {
        status = keystay_signer_check(signer, err);
    } else if (type == FRAME_LOCK) {
        keystay_signer_lock(signer);
    }
    signers_release(number);
    if (type == FRAME_CLOSE) {
        signers_close(number);
    }
    *ret_type = FRAME_DONE;
    return status;
}

static enum keystay_status answer(
    const struct frame *request, enum frame_type *ret_type, struct buf *body, struct keystay_error *err)
{
    struct slice asked = buf_slice(&request->body);

    switch (request->type) {
    case FRAME_OPEN:
        return answer_open(asked, ret_type, body, err);
    case FRAME_SIGN:
        return answer_sign(asked, ret_type, body, err);
    case FRAME_CHECK:
    case FRAME_LOCK:
    case FRAME_CLOSE:
        return answer_by_number(request->type, asked, ret_type, err);
    default:
        return err_set(err, KEYSTAY_E_INTERNAL, "a request of no known kind");
    }
}

void request_answer(const struct frame *request, enum frame_type *ret_type, struct buf *body)
{
    struct keystay_error error = { 0 };
    enum keystay_status status = answer(request, ret_type, body, &error);

    if (status == KEYSTAY_OK) {
        status = encode_end(body, &error);
    }
    if (status != KEYSTAY_OK) {
        *body = BUF(FRAME_BODY_MAX);
        error_encode(&error, body);
        *ret_type = FRAME_FAILED;
    }
}
