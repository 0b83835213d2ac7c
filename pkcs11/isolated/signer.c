/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signer whose module and PIN live in another process. It is opened there once for each life of that
 * process: what crashed, hung or was killed is started, logged in and found again without the caller's doing,
 * where the deadline allows, and a PIN is never spent on it: what was begun with one is not begun again, and
 * the latch, which the other process keeps, remembers a PIN that was on its way when a process ended.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "pkcs11/isolated/exchange.h"
#include "pkcs11/isolated/message.h"
#include "pkcs11/isolated/signer.h"
#include "pkcs11/module_file.h"
#include "pkcs11/settings.h"
#include "signer/signer.h"

enum { TIMEOUT_DEFAULT_S = 30, LIVES_MAX = 3, CLOSE_MS = 5000 };

struct isolated_signer {
    struct keystay_signer base;   /* first: the interface casts */
    struct p11_settings settings; /* where the PIN comes from; log and watch */
    struct host *host;
    struct buf open_body; /* of FRAME_OPEN */
    struct opened_message opened;
    char **environment; /* owned */
    struct exchange_party party;
    int64_t timeout_ms;
    pthread_mutex_t pin_lock; /* over kept_pin, and while a person answers */
    struct secret kept_pin;   /* of a source that cannot be read twice */
    pthread_mutex_t lock;     /* over what follows: one opens it, the others find it open */
    unsigned int life;        /* of the process that it is open in; 0: none */
    uint32_t number;          /* its number there */
};

/* With pin_lock held. A descriptor gives its PIN once; a process that is started again needs it again. */
static enum keystay_status ask_locked(
    struct isolated_signer *signer, const struct pin_question *question, struct secret *ret_pin,
    struct keystay_error *err)
{
    const struct pin_source *source = &signer->settings.pin.source;
    bool must_keep = !pin_source_is_attended(source) && !pin_source_is_repeatable(source);

    if (signer->kept_pin.len > 0) {
        return secret_set(ret_pin, secret_slice(&signer->kept_pin), err);
    }
    TRY(pin_source_get(source, question, signer->settings.log, ret_pin, err));
    return must_keep ? secret_set(&signer->kept_pin, secret_slice(ret_pin), err) : KEYSTAY_OK;
}

/* The party's ask. One person answers one question at a time. */
static enum keystay_status ask(
    void *context, const struct pin_question *question, struct secret *ret_pin, struct keystay_error *err)
{
    struct isolated_signer *signer = context;

    (void)pthread_mutex_lock(&signer->pin_lock);
    enum keystay_status status = ask_locked(signer, question, ret_pin, err);
    (void)pthread_mutex_unlock(&signer->pin_lock);
    return status;
}

/* To a process that has answered. What comes of it is of no matter. */
static void tell(
    struct isolated_signer *signer, struct process *process, enum frame_type type, uint32_t number,
    int64_t timeout_ms)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    struct exchange exchange = { .type = type, .deadline_ms = clock_monotonic_ms() + timeout_ms };

    number_encode(number, &body);
    exchange.body = buf_slice(&body);
    (void)exchange_run(&exchange, signer->host, process, &signer->party, NULL);
    frame_free(exchange.answer);
}

/* Keeps what the other process says of the key; it must be the same key in each life. */
static enum keystay_status take_opened(
    struct isolated_signer *signer, const struct process *process, const struct opened_message *opened,
    struct keystay_error *err)
{
    CLEANUP(certificate_freep) struct certificate *certificate = NULL;

    TRY(certificate_parse(opened->certificate, &certificate, err));
    if (signer->base.certificate != NULL &&
        !slice_equal(certificate_der(certificate), certificate_der(signer->base.certificate))) {
        return err_set_hint(
            err, KEYSTAY_E_KEY_MISMATCH, "start this program again to use the new one",
            "the key has another certificate than when it was opened");
    }
    if (signer->base.certificate == NULL) {
        signer->opened = *opened;
        signer->opened.certificate = (struct slice){ NULL, 0 }; /* it was the frame's */
        signer->base.certificate = take_ptr(&certificate);
        signer->base.algs = opened->algs & public_key_algs(certificate_public_key(signer->base.certificate));
    }
    signer->number = opened->signer;
    signer->life = process_number(process);
    return KEYSTAY_OK;
}

/* With the lock held. */
static enum keystay_status open_in(
    struct isolated_signer *signer, struct process *process, struct exchange *exchange,
    struct keystay_error *err)
{
    CLEANUP(freep) struct opened_message *opened = calloc(1, sizeof(*opened));

    if (opened == NULL) {
        return err_no_memory(err);
    }
    exchange->type = FRAME_OPEN;
    exchange->body = buf_slice(&signer->open_body);
    TRY(exchange_run(exchange, signer->host, process, &signer->party, err));
    CLEANUP(frame_freep) struct frame *answer = take_ptr(&exchange->answer);
    TRY(opened_decode(buf_slice(&answer->body), opened, err));
    enum keystay_status status = take_opened(signer, process, opened, err);
    if (status != KEYSTAY_OK) {
        tell(signer, process, FRAME_CLOSE, opened->signer, CLOSE_MS); /* or each try would leave one open */
    }
    return status;
}

/* *ret_number is the signer's in this life of the process, where it is opened first if it is not. */
static enum keystay_status number_in(
    struct isolated_signer *signer, struct process *process, struct exchange *exchange, uint32_t *ret_number,
    struct keystay_error *err)
{
    enum keystay_status status = KEYSTAY_OK;

    (void)pthread_mutex_lock(&signer->lock);
    if (signer->life != process_number(process)) {
        status = open_in(signer, process, exchange, err);
    }
    *ret_number = signer->number;
    (void)pthread_mutex_unlock(&signer->lock);
    return status;
}

typedef void (*body_writer)(uint32_t number, const void *context, struct buf *to);

struct request {
    enum frame_type type;
    body_writer write;
    const void *context;
};

/* In one life of the process. */
static enum keystay_status request_once(
    struct isolated_signer *signer, const struct request *request, struct exchange *exchange,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    struct process *process = NULL;
    uint32_t number = 0;

    TRY(host_acquire(signer->host, signer->environment, exchange->deadline_ms, &process, err));
    enum keystay_status status = number_in(signer, process, exchange, &number, err);
    if (status == KEYSTAY_OK && request != NULL) {
        request->write(number, request->context, &body);
        status = encode_end(&body, err);
    }
    if (status == KEYSTAY_OK && request != NULL) {
        exchange->type = request->type;
        exchange->body = buf_slice(&body);
        status = exchange_run(exchange, signer->host, process, &signer->party, err);
    }
    if (status == KEYSTAY_OK) {
        host_note_success(signer->host);
    }
    host_release(signer->host, process);
    return status;
}

/* request NULL: only to have it open. What a process took down with it is tried again, while there is time.
 */
static enum keystay_status do_request(
    struct isolated_signer *signer, const struct request *request, struct frame **ret_answer,
    struct keystay_error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + signer->timeout_ms;
    enum keystay_status status = KEYSTAY_E_MODULE;
    struct exchange exchange = { .end = EXCHANGE_GONE };

    for (int life = 0; life < LIVES_MAX && exchange.end == EXCHANGE_GONE && !exchange.was_pin_sent; life++) {
        exchange = (struct exchange){ .deadline_ms = deadline_ms };
        status = request_once(signer, request, &exchange, err);
        if (exchange.end == EXCHANGE_GONE) {
            log_warning(signer->settings.log, "the process of module '%s' ended", signer->party.module);
        }
    }
    if (status == KEYSTAY_OK && ret_answer != NULL) {
        *ret_answer = exchange.answer;
    } else {
        frame_free(exchange.answer);
    }
    return status;
}

static void write_sign(uint32_t number, const void *context, struct buf *to)
{
    sign_encode(number, context, to);
}

static void write_number(uint32_t number, const void *context, struct buf *to)
{
    (void)context;
    number_encode(number, to);
}

static enum keystay_status isolated_sign(
    struct keystay_signer *base, const struct tbs *tbs, struct buf *ret_signature, struct keystay_error *err)
{
    CLEANUP(frame_freep) struct frame *answer = NULL;
    const struct request request = { FRAME_SIGN, write_sign, tbs->fields };
    struct slice signature;

    if (tbs->kind != TBS_ASSERTION) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "leave --isolate and --engine libp11 out",
            "the signer process signs assertions alone, no certificates and no requests for them");
    }
    if (tbs->fields == NULL) {
        return err_set(
            err, KEYSTAY_E_INTERNAL, "the signer process takes structures, not bytes that somebody composed");
    }
    TRY(do_request((struct isolated_signer *)base, &request, &answer, err));
    TRY(bytes_decode(buf_slice(&answer->body), MESSAGE_SIGNATURE_MAX, &signature, err));
    return buf_put(ret_signature, signature, err);
}

static enum keystay_status isolated_check(struct keystay_signer *base, struct keystay_error *err)
{
    const struct request request = { FRAME_CHECK, write_number, NULL };

    return do_request((struct isolated_signer *)base, &request, NULL, err);
}

/* To the process that it is open in; one that is gone already is not started for it. */
static void tell_running(struct isolated_signer *signer, enum frame_type type, int64_t timeout_ms)
{
    struct process *process = NULL;

    if (!host_acquire_running(signer->host, &process)) {
        return;
    }
    (void)pthread_mutex_lock(&signer->lock);
    bool is_there = signer->life == process_number(process);
    uint32_t number = signer->number;
    (void)pthread_mutex_unlock(&signer->lock);
    if (is_there) {
        tell(signer, process, type, number, timeout_ms);
    }
    host_release(signer->host, process);
}

static void isolated_lock(struct keystay_signer *base)
{
    struct isolated_signer *signer = (struct isolated_signer *)base;

    (void)pthread_mutex_lock(&signer->pin_lock);
    secret_clear(&signer->kept_pin);
    (void)pthread_mutex_unlock(&signer->pin_lock);
    tell_running(signer, FRAME_LOCK, signer->timeout_ms);
}

static void isolated_close(struct keystay_signer *base)
{
    struct isolated_signer *signer = (struct isolated_signer *)base;

    if (signer->host != NULL) {
        tell_running(signer, FRAME_CLOSE, CLOSE_MS); /* so that the module is finalised */
    }
    host_drop(signer->host);
    certificate_free(base->certificate);
    p11_settings_clear(&signer->settings);
    buf_clear(&signer->open_body);
    secret_clear(&signer->kept_pin);
    free(signer->environment);
    (void)pthread_mutex_destroy(&signer->lock);
    (void)pthread_mutex_destroy(&signer->pin_lock);
    free(signer);
}

static const struct signer_ops isolated_ops = { isolated_sign, isolated_check, isolated_lock,
                                                isolated_close };

static void fill_open_message(
    const struct keystay_pkcs11_config *config, const struct isolated_signer *signer,
    struct open_message *ret_message)
{
    const struct pin_policy *pin = &signer->settings.pin;

    *ret_message = (struct open_message){
        .config = *config,
        .is_pin_configured = pin->is_configured,
        .uses_pad = pin->source.kind == PIN_SOURCE_NONE,
        .is_attended = pin_source_is_attended(&pin->source),
        /* A descriptor's PIN is kept here, so the other end may ask for it as often as it likes. */
        .is_repeatable = !pin_source_is_attended(&pin->source),
        .wants_log = config->log != NULL,
    };
    ret_message->config.module = signer->settings.module_path;
}

/* By its one name, so that all who use the module share a process. */
static enum keystay_status resolve_module(struct p11_settings *settings, struct keystay_error *err)
{
    char *real = NULL;

    if (settings->module_path == NULL) {
        return KEYSTAY_OK; /* it is looked for there */
    }
    TRY(module_file_resolve(settings->module_path, &real, err));
    free(settings->module_path);
    settings->module_path = real;
    return KEYSTAY_OK;
}

/* What the other end would refuse is the user's to hear of, not a message that makes no sense. */
static enum keystay_status write_open(
    const struct keystay_pkcs11_config *config, struct isolated_signer *signer, struct keystay_error *err)
{
    CLEANUP(open_read_clear) struct open_read read = { 0 };
    struct open_message message;

    fill_open_message(config, signer, &message);
    signer->open_body = BUF(FRAME_BODY_MAX);
    open_encode(&message, &signer->open_body);
    TRY(encode_end(&signer->open_body, err));
    if (open_decode(buf_slice(&signer->open_body), &read, NULL) != KEYSTAY_OK) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "shorten it, or leave --isolate out",
            "a path or another setting is too long for the signer process, or not UTF-8");
    }
    return KEYSTAY_OK;
}

static enum keystay_status prepare(
    struct isolated_signer *signer, const struct keystay_pkcs11_config *config, struct keystay_error *err)
{
    const struct pin_source *source = &signer->settings.pin.source;

    TRY(p11_settings_read(config, &signer->settings, err));
    TRY(resolve_module(&signer->settings, err));
    TRY(write_open(config, signer, err));
    signer->environment = process_environment(source->kind == PIN_SOURCE_ENV ? source->argument : NULL);
    if (signer->environment == NULL) {
        return err_no_memory(err);
    }
    signer->timeout_ms = (int64_t)(config->timeout_s == 0 ? TIMEOUT_DEFAULT_S : config->timeout_s) * 1000;
    signer->party = (struct exchange_party){
        .ask = ask,
        .context = signer,
        .log = config->log,
        .watch = config->watch,
        .module =
            signer->settings.module_path == NULL ? "of the system's registry" : signer->settings.module_path,
        .timeout_ms = signer->timeout_ms,
        .question_ms = signer->settings.pin.timeout_ms,
        .patience_ms = pin_source_is_attended(source) ? signer->settings.pin.timeout_ms : 0,
    };
    const struct host_key key = {
        .program = config->signer_program == NULL ? KEYSTAY_SIGNER_PROGRAM : config->signer_program,
        .engine = config->engine,
        .module = signer->settings.module_path,
        .module_args = config->module_args,
    };
    return host_get(&key, &signer->host, err);
}

static void fill_info(struct isolated_signer *signer)
{
    const struct certificate *certificate = signer->base.certificate;

    signer->base.info = (struct keystay_signer_info){
        .module = signer->opened.module,
        .token_label = signer->opened.token_label,
        .token_serial = signer->opened.token_serial,
        .key_label = signer->opened.key_label,
        .key_uri_id = signer->opened.key_uri_id,
        .subject = certificate_subject(certificate),
        .key_bits = public_key_bits(certificate_public_key(certificate)),
        .not_after_s = certificate_not_after_s(certificate),
        .claimed = signer->opened.claimed,
        .proven = signer->opened.proven,
        .proof_hint = signer->opened.proof_hint,
        .is_proven = signer->opened.is_proven,
    };
}

enum keystay_status isolated_open(
    const struct keystay_pkcs11_config *config, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    CLEANUP(signer_freep) struct keystay_signer *opened = NULL;
    struct isolated_signer *signer = calloc(1, sizeof(*signer));

    if (signer == NULL) {
        return err_no_memory(err);
    }
    opened = &signer->base;
    opened->ops = &isolated_ops;
    (void)pthread_mutex_init(&signer->lock, NULL);
    (void)pthread_mutex_init(&signer->pin_lock, NULL);
    TRY(prepare(signer, config, err));
    TRY(do_request(signer, NULL, NULL, err));
    fill_info(signer);
    *ret_signer = take_ptr(&opened);
    return KEYSTAY_OK;
}
