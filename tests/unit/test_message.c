/* SPDX-License-Identifier: Apache-2.0 */
/* What a program asks of its signer process, wire.h says how. */
#include "unit.h"

#include <stdlib.h>

#include "pkcs11/isolated/message.h"
#include "wire.h"

enum { BITS_OF_OPEN = 10 };

static enum keystay_status read_open(struct slice body)
{
    CLEANUP(open_read_clear) struct open_read read = { 0 };

    return open_decode(body, &read, NULL);
}

static enum keystay_status read_sign(struct slice body)
{
    CLEANUP(sign_read_clear) struct sign_read read = { 0 };

    return sign_decode(body, &read, NULL);
}

static enum keystay_status read_number(struct slice body)
{
    uint32_t number = 0;

    return number_decode(body, &number, NULL);
}

static enum keystay_status read_bytes(struct slice body)
{
    struct slice bytes;

    return bytes_decode(body, MESSAGE_SIGNATURE_MAX, &bytes, NULL);
}

static void assert_same_open(const struct open_message *a, const struct open_message *b)
{
    assert_string_equal(a->config.engine, b->config.engine);
    assert_string_equal(a->config.module, b->config.module);
    assert_string_equal(a->config.module_args, b->config.module_args);
    assert_string_equal(a->config.key_uri, b->config.key_uri);
    assert_string_equal(a->config.login, b->config.login);
    assert_string_equal(a->config.state_dir, b->config.state_dir);
    assert_int_equal(a->config.n_certificates, b->config.n_certificates);
    assert_int_equal(a->config.n_attestation_cas, b->config.n_attestation_cas);
    for (size_t i = 0; i < a->config.n_certificates; i++) {
        assert_string_equal(a->config.certificates[i], b->config.certificates[i]);
    }
    for (size_t i = 0; i < a->config.n_attestation_cas; i++) {
        assert_string_equal(a->config.attestation_cas[i], b->config.attestation_cas[i]);
    }
    assert_int_equal(a->config.sessions, b->config.sessions);
    assert_int_equal(a->config.interaction_timeout_s, b->config.interaction_timeout_s);
    assert_true(a->config.now_s == b->config.now_s);
}

TEST(a_configuration_at_its_caps_arrives)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    CLEANUP(freep) char *path = text_of(MESSAGE_PATH_MAX, 'p');
    CLEANUP(freep) char *name = text_of(MESSAGE_NAME_MAX, 'n');
    const char *files[MESSAGE_FILES_MAX];
    struct open_message message = {
        .config = { .engine = name,
                    .module = path,
                    .module_args = path,
                    .key_uri = path,
                    .login = name,
                    .state_dir = path,
                    .certificates = files,
                    .n_certificates = MESSAGE_FILES_MAX,
                    .attestation_cas = files,
                    .n_attestation_cas = MESSAGE_FILES_MAX,
                    .sessions = UINT32_MAX,
                    .interaction_timeout_s = UINT32_MAX,
                    .now_s = INT64_MIN },
    };
    CLEANUP(open_read_clear) struct open_read read = { 0 };

    for (size_t i = 0; i < MESSAGE_FILES_MAX; i++) {
        files[i] = i % 2 == 0 ? "" : "/etc/ssl/certs/one.pem";
    }
    open_encode(&message, &body);
    assert_ok(encode_end(&body, NULL));
    assert_ok(open_decode(buf_slice(&body), &read, NULL));
    assert_same_open(&read.message, &message);
}

TEST(a_configuration_of_nothing_arrives)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    const struct open_message message = { 0 };
    CLEANUP(open_read_clear) struct open_read read = { 0 };

    open_encode(&message, &body);
    assert_ok(open_decode(buf_slice(&body), &read, NULL));
    assert_null(read.message.config.engine);
    assert_null(read.message.config.module);
    assert_null(read.message.config.key_uri);
    assert_int_equal(read.message.config.n_certificates, 0);
    assert_only_whole(&body, read_open, "open");
}

/* One at a time: none is taken for another. */
TEST(each_switch_of_a_configuration_arrives_alone)
{
    for (int bit = 0; bit < BITS_OF_OPEN; bit++) {
        CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
        CLEANUP(open_read_clear) struct open_read read = { 0 };
        struct open_message message = {
            .config = { .pin_final_try = bit == 0,
                        .pin_count_low_try = bit == 1,
                        .pin_reuse = bit == 2,
                        .allow_extractable = bit == 3,
                        .require_generated = bit == 4,
                        .require_attested = bit == 5 },
            .is_pin_configured = bit == 6,
            .uses_pad = bit == 7,
            .is_attended = bit == 8,
            .is_repeatable = bit == 9,
        };

        open_encode(&message, &body);
        assert_ok(open_decode(buf_slice(&body), &read, NULL));
        const struct keystay_pkcs11_config *config = &read.message.config;
        assert_int_equal(config->pin_final_try, bit == 0);
        assert_int_equal(config->pin_count_low_try, bit == 1);
        assert_int_equal(config->pin_reuse, bit == 2);
        assert_int_equal(config->allow_extractable, bit == 3);
        assert_int_equal(config->require_generated, bit == 4);
        assert_int_equal(config->require_attested, bit == 5);
        assert_int_equal(read.message.is_pin_configured, bit == 6);
        assert_int_equal(read.message.uses_pad, bit == 7);
        assert_int_equal(read.message.is_attended, bit == 8);
        assert_int_equal(read.message.is_repeatable, bit == 9);
    }
}

TEST(a_switch_that_nobody_knows_is_refused)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    const struct open_message message = { 0 };

    open_encode(&message, &body);
    body.data[body.len - 4 - 4 - 8 - 3] = 1 << (BITS_OF_OPEN - 8 - 1) << 1; /* of the u32 of switches */
    assert_refused(&body, read_open, "an unknown switch");
    body.data[body.len - 4 - 4 - 8 - 3] = 0;
    assert_ok(read_open(buf_slice(&body)));
}

TEST(a_configuration_beyond_its_caps_is_refused)
{
    CLEANUP(freep) char *path = text_of(MESSAGE_PATH_MAX + 1, 'p');
    CLEANUP(freep) char *name = text_of(MESSAGE_NAME_MAX + 1, 'n');
    const char *files[MESSAGE_FILES_MAX + 1] = { NULL };
    const struct {
        const char *name;
        struct keystay_pkcs11_config config;
    } rows[] = {
        { "engine", { .engine = name } },
        { "module", { .module = path } },
        { "module-args", { .module_args = path } },
        { "key", { .key_uri = path } },
        { "login", { .login = name } },
        { "state-dir", { .state_dir = path } },
        { "a certificate's path", { .certificates = (const char *const *)&path, .n_certificates = 1 } },
        { "a certificate without a path", { .certificates = files, .n_certificates = 1 } },
        { "attestation CAs without a path", { .attestation_cas = files, .n_attestation_cas = 2 } },
        { "too many certificates", { .certificates = files, .n_certificates = MESSAGE_FILES_MAX + 1 } },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
        const struct open_message message = { .config = rows[i].config };

        open_encode(&message, &body);
        assert_refused(&body, read_open, rows[i].name);
    }
}

static struct assertion full_assertion(const char *text)
{
    struct assertion full = {
        .alg = KEYSTAY_ALG_PS256,
        .typ = ASSERTION_TYP_CLIENT_AUTHENTICATION,
        .kid_form = ASSERTION_KID_TEXT,
        .kid = text,
        .thumbprints = THUMBPRINT_BOTH,
        .has_x5c = true,
        .audience = text,
        .issuer = text,
        .subject = text,
        .jti = text,
        .scope = text,
        .has_nbf = true,
        .has_iat = true,
        .now_s = 1 << 30,
        .backdate_s = ASSERTION_BACKDATE_MAX_S,
        .lifetime_s = ASSERTION_LIFETIME_MAX_S,
        .n_extra = ASSERTION_EXTRA_MAX,
    };

    for (size_t i = 0; i < ASSERTION_EXTRA_MAX; i++) {
        full.extra[i] = (struct assertion_claim){ text, text };
    }
    return full;
}

TEST(an_assertion_at_its_caps_arrives_field_by_field)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    CLEANUP(buf_clear) struct buf again = BUF(FRAME_BODY_MAX);
    CLEANUP(freep) char *text = text_of(ASSERTION_TEXT_MAX, 't');
    const struct assertion full = full_assertion(text);
    CLEANUP(sign_read_clear) struct sign_read read = { 0 };

    sign_encode(7, &full, &body);
    assert_ok(encode_end(&body, NULL));
    assert_ok(sign_decode(buf_slice(&body), &read, NULL));
    assert_int_equal(read.signer, 7);
    assert_int_equal(read.assertion.alg, full.alg);
    assert_int_equal(read.assertion.thumbprints, full.thumbprints);
    assert_true(read.assertion.has_x5c && read.assertion.has_nbf && read.assertion.has_iat);
    assert_true(read.assertion.lifetime_s == full.lifetime_s);
    assert_string_equal(read.assertion.scope, text);
    assert_string_equal(read.assertion.extra[ASSERTION_EXTRA_MAX - 1].value, text);
    sign_encode(7, &read.assertion, &again);
    assert_true(slice_equal(buf_slice(&again), buf_slice(&body)));
}

/* A swap of two would sign another assertion than was asked for. */
TEST(no_field_of_an_assertion_is_taken_for_another)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    CLEANUP(sign_read_clear) struct sign_read read = { 0 };
    const struct assertion different = {
        .alg = KEYSTAY_ALG_ES256,
        .typ = ASSERTION_TYP_JWT,
        .kid_form = ASSERTION_KID_SHA1,
        .thumbprints = 2,
        .has_nbf = true,
        .audience = "aud",
        .issuer = "iss",
        .subject = "sub",
        .now_s = 3,
        .backdate_s = 2,
        .lifetime_s = 1,
        .n_extra = 1,
        .extra = { { "name", "value" } },
    };

    sign_encode(1, &different, &body);
    assert_ok(sign_decode(buf_slice(&body), &read, NULL));
    const struct assertion *got = &read.assertion;
    assert_int_equal(got->alg, KEYSTAY_ALG_ES256);
    assert_int_equal(got->typ, ASSERTION_TYP_JWT);
    assert_int_equal(got->kid_form, ASSERTION_KID_SHA1);
    assert_int_equal(got->thumbprints, 2);
    assert_true(got->has_nbf && !got->has_iat && !got->has_x5c);
    assert_true(got->now_s == 3 && got->backdate_s == 2 && got->lifetime_s == 1);
    assert_string_equal(got->audience, "aud");
    assert_string_equal(got->issuer, "iss");
    assert_string_equal(got->subject, "sub");
    assert_true(got->kid == NULL && got->jti == NULL && got->scope == NULL);
    assert_string_equal(got->extra[0].name, "name");
    assert_string_equal(got->extra[0].value, "value");
    assert_only_whole(&body, read_sign, "sign");
}

TEST(an_assertion_beyond_its_caps_is_refused)
{
    CLEANUP(freep) char *text = text_of(ASSERTION_TEXT_MAX + 1, 't');
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    struct assertion assertion = { .audience = text };

    sign_encode(1, &assertion, &body);
    assert_refused(&body, read_sign, "a long text");
    buf_clear(&body);
    assertion.audience = "short";
    sign_encode(1, &assertion, &body);
    assert_ok(read_sign(buf_slice(&body)));
    body.data[body.len - 1] = ASSERTION_EXTRA_MAX + 1; /* more claims than there is room for */
    assert_refused(&body, read_sign, "too many claims");
}

/* The kind of structure is said, and none but an assertion is taken. */
TEST(another_kind_of_structure_is_refused)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    const struct assertion assertion = { .audience = "a", .issuer = "i" };

    sign_encode(1, &assertion, &body);
    for (int kind = 0; kind < 256; kind++) {
        body.data[4] = (uint8_t)kind;
        assert_int_equal(read_sign(buf_slice(&body)) == KEYSTAY_OK, kind == TBS_ASSERTION);
    }
}

TEST(numbers_and_bytes_arrive)
{
    CLEANUP(buf_clear) struct buf number = BUF(FRAME_BODY_MAX);
    CLEANUP(buf_clear) struct buf bytes = BUF(FRAME_BODY_MAX);
    CLEANUP(freep) char *signature = text_of(MESSAGE_SIGNATURE_MAX + 1, '\0');
    uint32_t got_number = 0;
    struct slice got = { 0 };

    number_encode(0xFFFFFFFE, &number);
    assert_ok(number_decode(buf_slice(&number), &got_number, NULL));
    assert_int_equal(got_number, 0xFFFFFFFE);
    assert_only_whole(&number, read_number, "number");
    bytes_encode((struct slice){ (uint8_t *)signature, MESSAGE_SIGNATURE_MAX }, &bytes);
    assert_ok(bytes_decode(buf_slice(&bytes), MESSAGE_SIGNATURE_MAX, &got, NULL));
    assert_int_equal(got.len, MESSAGE_SIGNATURE_MAX);
    assert_only_whole(&bytes, read_bytes, "bytes");
    buf_clear(&bytes);
    bytes_encode((struct slice){ (uint8_t *)signature, MESSAGE_SIGNATURE_MAX + 1 }, &bytes);
    assert_refused(&bytes, read_bytes, "a long signature");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configuration_at_its_caps_arrives),
        cmocka_unit_test(a_configuration_of_nothing_arrives),
        cmocka_unit_test(each_switch_of_a_configuration_arrives_alone),
        cmocka_unit_test(a_switch_that_nobody_knows_is_refused),
        cmocka_unit_test(a_configuration_beyond_its_caps_is_refused),
        cmocka_unit_test(an_assertion_at_its_caps_arrives_field_by_field),
        cmocka_unit_test(no_field_of_an_assertion_is_taken_for_another),
        cmocka_unit_test(an_assertion_beyond_its_caps_is_refused),
        cmocka_unit_test(another_kind_of_structure_is_refused),
        cmocka_unit_test(numbers_and_bytes_arrive),
    };

    return RUN_TESTS(tests);
}
