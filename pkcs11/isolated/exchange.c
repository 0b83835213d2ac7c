/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/isolated/exchange.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"

static const char hint_again[] =
    "it is started again when it is needed; if this comes again, ask the module's vendor";

/* began_ms: when the time that the operation has began to run; what a person took is part of it. */
static enum keystay_status late(
    struct exchange *exchange, const struct exchange_party *party, int64_t began_ms,
    struct keystay_error *err)
{
    exchange->end = EXCHANGE_LATE;
    return err_set_hint(
        err, KEYSTAY_E_MODULE_TIMEOUT,
        "is the HSM reachable, does another program hold the card? --timeout allows more",
        "module '%s' did not return from %s within %lld s; its process was ended", party->module,
        exchange->call[0] == '\0' ? "its work" : exchange->call,
        (long long)((exchange->deadline_ms - began_ms) / 1000));
}

/* Others of this program were at it all the time: the process is not to blame, and nothing was begun. */
static enum keystay_status too_late(const struct exchange_party *party, struct keystay_error *err)
{
    return err_set_hint(
        err, KEYSTAY_E_MODULE_TIMEOUT, "--timeout allows more",
        "module '%s': %lld s passed before it could be asked", party->module,
        (long long)(party->timeout_ms / 1000));
}

static enum keystay_status gone(
    struct exchange *exchange, struct process *process, const struct exchange_party *party,
    struct keystay_error *err)
{
    exchange->end = EXCHANGE_GONE;
    return err_set_hint(
        err, KEYSTAY_E_MODULE, hint_again, "the process of module '%s' ended (%s)%s%s", party->module,
        process_wait(process, 500), exchange->call[0] == '\0' ? "" : " in ", exchange->call);
}

/* Something came that does not belong here: whoever sends that is not to be believed any more. */
static enum keystay_status nonsense(
    struct exchange *exchange, const struct exchange_party *party, struct keystay_error *err)
{
    exchange->end = EXCHANGE_GONE;
    return err_set_hint(
        err, KEYSTAY_E_MODULE, hint_again,
        "the process of module '%s' sends what makes no sense; it was ended", party->module);
}

static enum keystay_status ask_party(
    const struct exchange_party *party, struct slice body, struct secret *ret_pin, struct keystay_error *err)
{
    struct ask_message asked;

    TRY(ask_decode(body, &asked, err));
    const struct pin_question question = { asked.where, asked.purpose, party->question_ms, asked.tries };
    if (party->watch != NULL && party->watch->pin_wanted != NULL) {
        party->watch->pin_wanted(party->watch->context, asked.tries);
    }
    return party->ask(party->context, &question, ret_pin, err);
}

/* The PIN, or why there is none. How long a person takes does not count. */
static enum channel_result give_pin(
    struct exchange *exchange, struct process *process, const struct exchange_party *party,
    const struct frame *question)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    struct keystay_error error = { 0 };
    int64_t asked_ms = clock_monotonic_ms();
    enum keystay_status status = ask_party(party, buf_slice(&question->body), &pin, &error);

    exchange->deadline_ms += clock_monotonic_ms() - asked_ms;
    if (status == KEYSTAY_OK) {
        bytes_encode(secret_slice(&pin), &body);
        exchange->was_pin_sent = true;
    } else {
        error_encode(&error, &body);
    }
    return channel_send(
        process->channel, status == KEYSTAY_OK ? FRAME_PIN : FRAME_NO_PIN, question->exchange,
        buf_slice(&body), exchange->deadline_ms);
}

static void hear_call(struct exchange *exchange, const struct frame *frame)
{
    if (call_decode(buf_slice(&frame->body), exchange->call, NULL) != KEYSTAY_OK) {
        exchange->call[0] = '\0';
    }
}

/* A call into the module lasts. */
static void hear_slow(
    struct exchange *exchange, const struct exchange_party *party, const struct frame *frame)
{
    hear_call(exchange, frame);
    if (str_equal(exchange->call, "C_Sign") && !exchange->was_patient) {
        exchange->deadline_ms += party->patience_ms;
        exchange->was_patient = true;
    }
    if (exchange->call[0] != '\0' && party->watch != NULL && party->watch->slow != NULL) {
        party->watch->slow(party->watch->context, exchange->call);
    }
}

static void hear_log(const struct exchange_party *party, const struct frame *frame)
{
    struct log_message line;

    if (log_decode(buf_slice(&frame->body), &line, NULL) != KEYSTAY_OK) {
        return;
    }
    if (line.level == KEYSTAY_LOG_WARNING) {
        log_warning(party->log, "%s", line.text);
    } else {
        log_step(party->log, "%s", line.text);
    }
}

/* What comes before the end of the exchange. *ret_is_over: this was the end, or it makes no sense. */
static enum channel_result hear(
    struct exchange *exchange, struct process *process, const struct exchange_party *party,
    const struct frame *frame, bool *ret_is_over)
{
    switch (frame->type) {
    case FRAME_ASK_PIN:
        return give_pin(exchange, process, party, frame);
    case FRAME_SLOW:
        hear_slow(exchange, party, frame);
        return CHANNEL_OK;
    case FRAME_LOG:
        hear_log(party, frame);
        return CHANNEL_OK;
    case FRAME_FATAL:
        hear_call(exchange, frame);
        return CHANNEL_OK;
    default:
        *ret_is_over = true;
        return CHANNEL_OK;
    }
}

/* The frame that ends it, or why there is none. */
static enum channel_result run(
    struct exchange *exchange, struct process *process, uint32_t number, const struct exchange_party *party,
    struct frame **ret_last)
{
    enum channel_result result =
        channel_send(process->channel, exchange->type, number, exchange->body, exchange->deadline_ms);
    bool is_over = false;

    while (result == CHANNEL_OK && !is_over) {
        CLEANUP(frame_freep) struct frame *frame = NULL;

        result = channel_receive(process->channel, number, exchange->deadline_ms, &frame);
        if (result == CHANNEL_OK) {
            result = hear(exchange, process, party, frame, &is_over);
        }
        if (is_over) {
            *ret_last = take_ptr(&frame);
        } else if (result == CHANNEL_OK && clock_monotonic_ms() >= exchange->deadline_ms) {
            result = CHANNEL_LATE; /* however much it has to say until then */
        }
    }
    return result;
}

/* What it brings can be read. */
static bool is_sound(const struct frame *answer)
{
    struct slice body = buf_slice(&answer->body);
    struct opened_message opened;
    struct slice signature;

    switch (answer->type) {
    case FRAME_OPENED:
        return opened_decode(body, &opened, NULL) == KEYSTAY_OK;
    case FRAME_SIGNED:
        return bytes_decode(body, MESSAGE_SIGNATURE_MAX, &signature, NULL) == KEYSTAY_OK;
    default:
        return body.len == 0;
    }
}

static bool is_answer(enum frame_type request, enum frame_type answer)
{
    return answer == (request == FRAME_OPEN   ? FRAME_OPENED
                      : request == FRAME_SIGN ? FRAME_SIGNED
                                              : FRAME_DONE);
}

static enum keystay_status judge(
    struct exchange *exchange, struct process *process, const struct exchange_party *party,
    struct frame *last, struct keystay_error *err)
{
    CLEANUP(frame_freep) struct frame *owned = last;
    struct keystay_error told = { 0 };

    if (last == NULL) {
        return gone(exchange, process, party, err);
    }
    if (is_answer(exchange->type, last->type) && is_sound(last)) {
        exchange->answer = take_ptr(&owned);
        return KEYSTAY_OK;
    }
    if (last->type != FRAME_FAILED || error_decode(buf_slice(&last->body), &told, NULL) != KEYSTAY_OK) {
        return nonsense(exchange, party, err);
    }
    if (err != NULL) {
        *err = told;
    }
    return told.status;
}

enum keystay_status exchange_run(
    struct exchange *exchange, struct host *host, struct process *process, const struct exchange_party *party,
    struct keystay_error *err)
{
    int64_t began_ms = exchange->deadline_ms - party->timeout_ms;
    struct frame *last = NULL;

    exchange->end = EXCHANGE_ANSWERED;
    if (clock_monotonic_ms() >= exchange->deadline_ms) {
        return too_late(party, err);
    }
    enum channel_result result = run(exchange, process, host_new_exchange(host), party, &last);
    enum keystay_status status = result == CHANNEL_LATE ? late(exchange, party, began_ms, err)
                                                        : judge(exchange, process, party, last, err);
    if (exchange->end != EXCHANGE_ANSWERED) {
        host_give_up(host, process);
    }
    return status;
}
