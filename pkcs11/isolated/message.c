/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/isolated/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "signer/signer.h"

static const char hello_magic[] = "keystay-signer";

static enum keystay_status makes_no_sense(struct keystay_error *err)
{
    return err_set(err, KEYSTAY_E_INTERNAL, "a message of the signer process makes no sense");
}

/* The texts that a message owns, for as long as it is read. */
static const char *keep(char **texts, size_t *n, char *text)
{
    if (text != NULL) {
        texts[(*n)++] = text;
    }
    return text;
}

static void free_all(char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(texts[i]);
    }
}

void hello_encode(struct buf *to)
{
    encode_text(to, hello_magic);
    encode_u32(to, MESSAGE_VERSION);
    encode_text(to, KEYSTAY_VERSION);
}

enum keystay_status hello_decode(struct slice body, struct keystay_error *err)
{
    struct decode in = { .rest = body };
    char magic[sizeof(hello_magic)];
    char version[MESSAGE_NAME_MAX];

    decode_text(&in, magic, sizeof(magic));
    uint32_t number = decode_u32(&in, UINT32_MAX);
    decode_text(&in, version, sizeof(version));
    TRY(decode_end(&in, err));
    if (!str_equal(magic, hello_magic) || number != MESSAGE_VERSION || !str_equal(version, KEYSTAY_VERSION)) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "install both from the same build, or give --signer-program",
            "the signer process is of another build (%s, protocol %u) than this program (%s, protocol %u)",
            version, (unsigned int)number, KEYSTAY_VERSION, (unsigned int)MESSAGE_VERSION);
    }
    return KEYSTAY_OK;
}

/* The switches of a configuration, a bit each. */
enum {
    BIT_FINAL_TRY = 1 << 0,
    BIT_COUNT_LOW_TRY = 1 << 1,
    BIT_REUSE = 1 << 2,
    BIT_ALLOW_EXTRACTABLE = 1 << 3,
    BIT_REQUIRE_GENERATED = 1 << 4,
    BIT_PIN_CONFIGURED = 1 << 5,
    BIT_PAD = 1 << 6,
    BIT_ATTENDED = 1 << 7,
    BIT_REPEATABLE = 1 << 8,
    BIT_REQUIRE_ATTESTED = 1 << 9,
    BIT_WANTS_LOG = 1 << 10,
    BITS_ALL = (1 << 11) - 1,
};

static uint32_t bit_if(bool is_set, uint32_t bit)
{
    return is_set ? bit : 0;
}

static uint32_t bits_of(const struct open_message *message)
{
    const struct keystay_pkcs11_config *config = &message->config;

    return bit_if(config->pin_final_try != 0, BIT_FINAL_TRY) |
           bit_if(config->pin_count_low_try != 0, BIT_COUNT_LOW_TRY) |
           bit_if(config->pin_reuse != 0, BIT_REUSE) |
           bit_if(config->allow_extractable != 0, BIT_ALLOW_EXTRACTABLE) |
           bit_if(config->require_generated != 0, BIT_REQUIRE_GENERATED) |
           bit_if(config->require_attested != 0, BIT_REQUIRE_ATTESTED) |
           bit_if(message->is_pin_configured, BIT_PIN_CONFIGURED) | bit_if(message->uses_pad, BIT_PAD) |
           bit_if(message->is_attended, BIT_ATTENDED) | bit_if(message->is_repeatable, BIT_REPEATABLE) |
           bit_if(message->wants_log, BIT_WANTS_LOG);
}

static void set_bits(struct open_message *message, uint32_t bits)
{
    struct keystay_pkcs11_config *config = &message->config;

    config->pin_final_try = (bits & BIT_FINAL_TRY) != 0;
    config->pin_count_low_try = (bits & BIT_COUNT_LOW_TRY) != 0;
    config->pin_reuse = (bits & BIT_REUSE) != 0;
    config->allow_extractable = (bits & BIT_ALLOW_EXTRACTABLE) != 0;
    config->require_generated = (bits & BIT_REQUIRE_GENERATED) != 0;
    config->require_attested = (bits & BIT_REQUIRE_ATTESTED) != 0;
    message->is_pin_configured = (bits & BIT_PIN_CONFIGURED) != 0;
    message->uses_pad = (bits & BIT_PAD) != 0;
    message->is_attended = (bits & BIT_ATTENDED) != 0;
    message->is_repeatable = (bits & BIT_REPEATABLE) != 0;
    message->wants_log = (bits & BIT_WANTS_LOG) != 0;
}

static void encode_files(struct buf *to, const char *const *files, size_t n)
{
    encode_u32(to, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        encode_text_or_null(to, files[i]);
    }
}

void open_encode(const struct open_message *message, struct buf *to)
{
    const struct keystay_pkcs11_config *config = &message->config;

    encode_text_or_null(to, config->engine);
    encode_text_or_null(to, config->module);
    encode_text_or_null(to, config->module_args);
    encode_text_or_null(to, config->key_uri);
    encode_text_or_null(to, config->login);
    encode_text_or_null(to, config->state_dir);
    encode_files(to, config->certificates, config->n_certificates);
    encode_files(to, config->attestation_cas, config->n_attestation_cas);
    encode_u32(to, bits_of(message));
    encode_u32(to, config->sessions);
    encode_u32(to, config->interaction_timeout_s);
    encode_u64(to, (uint64_t)config->now_s);
}

void open_read_clear(struct open_read *read)
{
    free_all(read->texts, ARRAY_LEN(read->texts));
    free_all(read->certificates, ARRAY_LEN(read->certificates));
    free_all(read->attestation_cas, ARRAY_LEN(read->attestation_cas));
    *read = (struct open_read){ 0 };
}

/* Fills in as many as there are, which it returns; 0 after a failure. */
static size_t decode_files(struct decode *in, char *files[MESSAGE_FILES_MAX])
{
    size_t n = decode_u32(in, MESSAGE_FILES_MAX);

    for (size_t i = 0; i < n; i++) {
        files[i] = decode_text_or_null(in, MESSAGE_PATH_MAX);
        in->has_failed = in->has_failed || files[i] == NULL;
    }
    return in->has_failed ? 0 : n;
}

enum keystay_status open_decode(struct slice body, struct open_read *ret_read, struct keystay_error *err)
{
    CLEANUP(open_read_clear) struct open_read read = { 0 };
    struct keystay_pkcs11_config *config = &read.message.config;
    struct decode in = { .rest = body };
    size_t n = 0;

    config->engine = keep(read.texts, &n, decode_text_or_null(&in, MESSAGE_NAME_MAX));
    config->module = keep(read.texts, &n, decode_text_or_null(&in, MESSAGE_PATH_MAX));
    config->module_args = keep(read.texts, &n, decode_text_or_null(&in, MESSAGE_PATH_MAX));
    config->key_uri = keep(read.texts, &n, decode_text_or_null(&in, MESSAGE_PATH_MAX));
    config->login = keep(read.texts, &n, decode_text_or_null(&in, MESSAGE_NAME_MAX));
    config->state_dir = keep(read.texts, &n, decode_text_or_null(&in, MESSAGE_PATH_MAX));
    config->n_certificates = decode_files(&in, read.certificates);
    config->n_attestation_cas = decode_files(&in, read.attestation_cas);
    set_bits(&read.message, decode_u32(&in, BITS_ALL));
    config->sessions = decode_u32(&in, UINT32_MAX);
    config->interaction_timeout_s = decode_u32(&in, UINT32_MAX);
    config->now_s = decode_i64(&in);
    TRY(decode_end(&in, err));
    *ret_read = read;
    read = (struct open_read){ 0 };
    ret_read->message.config.certificates = (const char *const *)ret_read->certificates;
    ret_read->message.config.attestation_cas = (const char *const *)ret_read->attestation_cas;
    return KEYSTAY_OK;
}

void opened_encode(uint32_t number, const struct keystay_signer *signer, struct buf *to)
{
    const struct keystay_signer_info *info = &signer->info;

    encode_u32(to, number);
    encode_u32(to, signer->algs);
    encode_u32(to, info->key_bits);
    encode_bytes(to, certificate_der(signer->certificate));
    encode_text(to, info->module);
    encode_text(to, info->token_label);
    encode_text(to, info->token_serial);
    encode_text(to, info->key_label);
    encode_text(to, info->key_uri_id);
    encode_text(to, info->claimed);
    encode_text(to, info->proven);
    encode_text(to, info->proof_hint);
    encode_u8(to, info->is_proven != 0);
}

/* A name for people: what could steer a terminal is taken out of it. */
static void decode_name(struct decode *in, char *name, size_t size)
{
    decode_text(in, name, size);
    str_tidy(name);
}

enum keystay_status opened_decode(
    struct slice body, struct opened_message *ret_message, struct keystay_error *err)
{
    struct decode in = { .rest = body };

    ret_message->signer = decode_u32(&in, UINT32_MAX);
    ret_message->algs = decode_u32(&in, UINT32_MAX);
    ret_message->key_bits = decode_u32(&in, UINT16_MAX);
    ret_message->certificate = decode_bytes(&in, MESSAGE_CERTIFICATE_MAX);
    decode_name(&in, ret_message->module, sizeof(ret_message->module));
    decode_name(&in, ret_message->token_label, sizeof(ret_message->token_label));
    decode_name(&in, ret_message->token_serial, sizeof(ret_message->token_serial));
    decode_name(&in, ret_message->key_label, sizeof(ret_message->key_label));
    decode_name(&in, ret_message->key_uri_id, sizeof(ret_message->key_uri_id));
    decode_name(&in, ret_message->claimed, sizeof(ret_message->claimed));
    decode_name(&in, ret_message->proven, sizeof(ret_message->proven));
    decode_name(&in, ret_message->proof_hint, sizeof(ret_message->proof_hint));
    ret_message->is_proven = decode_bool(&in);
    TRY(decode_end(&in, err));
    return ret_message->signer == 0 ? makes_no_sense(err) : KEYSTAY_OK;
}

void sign_encode(uint32_t signer, const struct assertion *assertion, struct buf *to)
{
    encode_u32(to, signer);
    encode_u8(to, TBS_ASSERTION);
    encode_u8(to, (uint8_t)assertion->alg);
    encode_u8(to, (uint8_t)assertion->typ);
    encode_u8(to, (uint8_t)assertion->kid_form);
    encode_u8(to, (uint8_t)assertion->thumbprints);
    encode_u8(to, assertion->has_x5c);
    encode_u8(to, assertion->has_nbf);
    encode_u8(to, assertion->has_iat);
    encode_u64(to, (uint64_t)assertion->now_s);
    encode_u64(to, (uint64_t)assertion->backdate_s);
    encode_u64(to, (uint64_t)assertion->lifetime_s);
    encode_text_or_null(to, assertion->kid);
    encode_text_or_null(to, assertion->audience);
    encode_text_or_null(to, assertion->issuer);
    encode_text_or_null(to, assertion->subject);
    encode_text_or_null(to, assertion->jti);
    encode_text_or_null(to, assertion->scope);
    encode_u32(to, (uint32_t)assertion->n_extra);
    for (size_t i = 0; i < assertion->n_extra; i++) {
        encode_text_or_null(to, assertion->extra[i].name);
        encode_text_or_null(to, assertion->extra[i].value);
    }
}

void sign_read_clear(struct sign_read *read)
{
    free_all(read->texts, read->n_texts);
    *read = (struct sign_read){ 0 };
}

static const char *sign_text(struct decode *in, struct sign_read *read)
{
    return keep(read->texts, &read->n_texts, decode_text_or_null(in, ASSERTION_TEXT_MAX));
}

static void decode_numbers(struct decode *in, struct assertion *assertion)
{
    assertion->alg = (enum keystay_alg)decode_u8(in);
    assertion->typ = (enum assertion_typ)decode_u8(in);
    assertion->kid_form = (enum assertion_kid)decode_u8(in);
    assertion->thumbprints = decode_u8(in);
    assertion->has_x5c = decode_bool(in);
    assertion->has_nbf = decode_bool(in);
    assertion->has_iat = decode_bool(in);
    assertion->now_s = decode_i64(in);
    assertion->backdate_s = decode_i64(in);
    assertion->lifetime_s = decode_i64(in);
}

/* The ranges of the fields are assertion_check's: assertion_compose begins with it. */
enum keystay_status sign_decode(struct slice body, struct sign_read *ret_read, struct keystay_error *err)
{
    CLEANUP(sign_read_clear) struct sign_read read = { 0 };
    struct assertion *assertion = &read.assertion;
    struct decode in = { .rest = body };

    read.signer = decode_u32(&in, UINT32_MAX);
    if (decode_u8(&in) != TBS_ASSERTION) {
        return makes_no_sense(err);
    }
    decode_numbers(&in, assertion);
    assertion->kid = sign_text(&in, &read);
    assertion->audience = sign_text(&in, &read);
    assertion->issuer = sign_text(&in, &read);
    assertion->subject = sign_text(&in, &read);
    assertion->jti = sign_text(&in, &read);
    assertion->scope = sign_text(&in, &read);
    assertion->n_extra = decode_u32(&in, ASSERTION_EXTRA_MAX);
    for (size_t i = 0; i < assertion->n_extra; i++) {
        assertion->extra[i].name = sign_text(&in, &read);
        assertion->extra[i].value = sign_text(&in, &read);
    }
    TRY(decode_end(&in, err));
    *ret_read = read;
    read = (struct sign_read){ 0 };
    return KEYSTAY_OK;
}

void number_encode(uint32_t signer, struct buf *to)
{
    encode_u32(to, signer);
}

enum keystay_status number_decode(struct slice body, uint32_t *ret_signer, struct keystay_error *err)
{
    struct decode in = { .rest = body };

    *ret_signer = decode_u32(&in, UINT32_MAX);
    return decode_end(&in, err);
}

void bytes_encode(struct slice bytes, struct buf *to)
{
    encode_bytes(to, bytes);
}

enum keystay_status bytes_decode(
    struct slice body, size_t max, struct slice *ret_bytes, struct keystay_error *err)
{
    struct decode in = { .rest = body };

    *ret_bytes = decode_bytes(&in, max);
    return decode_end(&in, err);
}

void error_encode(const struct keystay_error *error, struct buf *to)
{
    encode_u32(to, (uint32_t)error->status);
    encode_u32(to, (uint32_t)error->http_status);
    encode_u64(to, error->ck_rv);
    encode_u32(to, (uint32_t)error->aadsts);
    encode_text(to, error->oauth_error);
    encode_text(to, error->trace_id);
    encode_text(to, error->correlation_id);
    encode_text(to, error->message);
    encode_text(to, error->hint);
}

enum keystay_status error_decode(
    struct slice body, struct keystay_error *ret_error, struct keystay_error *err)
{
    struct decode in = { .rest = body };
    struct keystay_error error = { .status = (enum keystay_status)decode_u32(&in, UINT16_MAX) };

    error.http_status = (int)decode_u32(&in, INT32_MAX);
    error.ck_rv = (unsigned long)decode_u64(&in);
    error.aadsts = (int)decode_u32(&in, INT32_MAX);
    decode_name(&in, error.oauth_error, sizeof(error.oauth_error));
    decode_name(&in, error.trace_id, sizeof(error.trace_id));
    decode_name(&in, error.correlation_id, sizeof(error.correlation_id));
    decode_name(&in, error.message, sizeof(error.message));
    decode_name(&in, error.hint, sizeof(error.hint));
    TRY(decode_end(&in, err));
    if (error.status == KEYSTAY_OK) {
        return makes_no_sense(err);
    }
    *ret_error = error;
    return KEYSTAY_OK;
}

void ask_encode(const struct pin_question *question, struct buf *to)
{
    encode_text(to, question->where);
    encode_text(to, question->purpose);
    encode_u32(to, question->tries);
}

enum keystay_status ask_decode(struct slice body, struct ask_message *ret_message, struct keystay_error *err)
{
    struct decode in = { .rest = body };

    decode_name(&in, ret_message->where, sizeof(ret_message->where));
    decode_name(&in, ret_message->purpose, sizeof(ret_message->purpose));
    ret_message->tries = decode_u32(&in, PIN_TRIES_ALL);
    return decode_end(&in, err);
}

void call_encode(const char *call, struct buf *to)
{
    encode_text(to, call);
}

enum keystay_status call_decode(
    struct slice body, char ret_call[MESSAGE_CALL_MAX + 1], struct keystay_error *err)
{
    struct decode in = { .rest = body };

    decode_name(&in, ret_call, MESSAGE_CALL_MAX + 1);
    return decode_end(&in, err);
}

void log_encode(enum keystay_log_level level, const char *text, struct buf *to)
{
    encode_u8(to, (uint8_t)level);
    encode_text(to, text);
}

enum keystay_status log_decode(struct slice body, struct log_message *ret_message, struct keystay_error *err)
{
    struct decode in = { .rest = body };

    ret_message->level = decode_u8(&in) == KEYSTAY_LOG_WARNING ? KEYSTAY_LOG_WARNING : KEYSTAY_LOG_STEP;
    decode_name(&in, ret_message->text, sizeof(ret_message->text));
    return decode_end(&in, err);
}
