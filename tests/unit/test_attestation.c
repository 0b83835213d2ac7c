/* SPDX-License-Identifier: Apache-2.0 */
/* What an attestation says. The encodings are those of real ones: YubiKeys write firmware and policies bare.
 */
#include "chain.h"

#include <openssl/ec.h>

#include "rsa.h"

#define OID_FIRMWARE "1.3.6.1.4.1.41482.3.3"
#define OID_SERIAL "1.3.6.1.4.1.41482.3.7"
#define OID_POLICIES "1.3.6.1.4.1.41482.3.8"
#define OID_FORM_FACTOR "1.3.6.1.4.1.41482.3.9"

static const struct chain_extension firmware = { OID_FIRMWARE, SLICE("\x05\x04\x03"), false };
static const struct chain_extension serial = { OID_SERIAL, SLICE("\x02\x04\x00\xF0\x0F\x14"), false };
static const struct chain_extension policies = { OID_POLICIES, SLICE("\x02\x01"), false };
static const struct chain_extension form_factor = { OID_FORM_FACTOR, SLICE("\x04"), false };

static EVP_PKEY *key;

static struct certificate *with(const struct chain_extension *extensions, size_t n)
{
    struct chain_spec spec = { .subject = "YubiKey PIV Attestation 9a",
                               .issuer = "Yubico PIV Attestation",
                               .key = key,
                               .issuer_key = key };

    for (size_t i = 0; i < n; i++) {
        spec.extensions[i] = extensions[i];
    }
    return chain_certificate(&spec);
}

#define WITH(...)                                        \
    with(                                                \
        (const struct chain_extension[]){ __VA_ARGS__ }, \
        sizeof((const struct chain_extension[]){ __VA_ARGS__ }) / sizeof(struct chain_extension))

static void refuse(struct certificate *taken, const char *why)
{
    CLEANUP(certificate_freep) struct certificate *certificate = taken;
    struct attestation attestation = { .serial = 99 };
    struct keystay_error err;

    assert_row(attestation_read(certificate, &attestation, &err) == KEYSTAY_E_CERTIFICATE, why);
    assert_contains(err.message, why);
    assert_int_equal(attestation.serial, 99);
}

TEST(what_is_missing_is_missed)
{
    refuse(WITH(serial, policies), "firmware version");
    refuse(WITH(firmware, serial), "PIN and touch policy");
    refuse(with(NULL, 0), "firmware version");
}

TEST(reads_what_a_yubikey_writes)
{
    CLEANUP(certificate_freep)
    struct certificate *certificate = WITH(firmware, serial, policies, form_factor);
    struct attestation attestation;

    assert_ok(attestation_read(certificate, &attestation, NULL));
    assert_memory_equal(attestation.firmware, "\x05\x04\x03", 3);
    assert_true(attestation.tells_serial);
    assert_int_equal(attestation.serial, 15732500);
    assert_int_equal(attestation.pin, ATTESTATION_PIN_ONCE);
    assert_int_equal(attestation.touch, ATTESTATION_TOUCH_NEVER);
    assert_true(attestation_is_of_key(certificate));
    assert_true(certificate_is_attestation(certificate));
}

/* A YubiKey 4 of firmware 4.3.7 tells neither serial nor form factor. */
TEST(reads_what_an_old_one_writes)
{
    CLEANUP(certificate_freep) struct certificate *certificate = WITH(firmware, policies);
    struct attestation attestation;

    assert_ok(attestation_read(certificate, &attestation, NULL));
    assert_false(attestation.tells_serial);
    assert_int_equal(attestation.serial, 0);
}

TEST(reads_what_is_wrapped_as_der_wants_it)
{
    static const struct chain_extension wrapped_firmware = { OID_FIRMWARE, SLICE("\x04\x03\x05\x07\x04"),
                                                             false };
    static const struct chain_extension wrapped_policies = { OID_POLICIES, SLICE("\x04\x02\x03\x03"), false };
    CLEANUP(certificate_freep)
    struct certificate *certificate = WITH(wrapped_firmware, wrapped_policies, serial);
    struct attestation attestation;

    assert_ok(attestation_read(certificate, &attestation, NULL));
    assert_memory_equal(attestation.firmware, "\x05\x07\x04", 3);
    assert_int_equal(attestation.pin, ATTESTATION_PIN_ALWAYS);
    assert_int_equal(attestation.touch, ATTESTATION_TOUCH_CACHED);
}

/* A device's own certificate tells its firmware at most. */
TEST(a_devices_certificate_is_of_no_key)
{
    CLEANUP(certificate_freep) struct certificate *certificate = WITH(firmware);

    assert_false(attestation_is_of_key(certificate));
}

TEST(knows_all_policies_and_no_others)
{
    static const char *const pins[] = { NULL, "never", "once", "always", "match-once", "match-always", NULL };
    static const char *const touches[] = { NULL, "never", "always", "cached", NULL };

    for (uint8_t pin = 0; pin < ARRAY_LEN(pins); pin++) {
        for (uint8_t touch = 0; touch < ARRAY_LEN(touches); touch++) {
            const uint8_t bytes[] = { pin, touch };
            const struct chain_extension extension = { OID_POLICIES, { bytes, sizeof(bytes) }, false };
            CLEANUP(certificate_freep) struct certificate *certificate = WITH(firmware, extension);
            struct attestation attestation;
            struct keystay_error err;

            if (pins[pin] == NULL || touches[touch] == NULL) {
                assert_int_equal(attestation_read(certificate, &attestation, &err), KEYSTAY_E_CERTIFICATE);
                assert_contains(err.message, "does not know");
            } else {
                assert_ok(attestation_read(certificate, &attestation, &err));
                assert_string_equal(attestation_pin_word(attestation.pin), pins[pin]);
                assert_string_equal(attestation_touch_word(attestation.touch), touches[touch]);
            }
        }
    }
}

TEST(a_serial_is_a_number_of_32_bits)
{
    static const struct {
        const char *name;
        struct slice value;
        bool is_good;
        uint32_t serial;
    } rows[] = {
        { "one byte", SLICE("\x02\x01\x07"), true, 7 },
        { "zero", SLICE("\x02\x01\x00"), true, 0 },
        { "the largest", SLICE("\x02\x05\x00\xFF\xFF\xFF\xFF"), true, UINT32_MAX },
        { "too large", SLICE("\x02\x05\x01\x00\x00\x00\x00"), false, 0 },
        { "much too large", SLICE("\x02\x09\x01\x00\x00\x00\x00\x00\x00\x00\x00"), false, 0 },
        { "negative", SLICE("\x02\x01\xFF"), false, 0 },
        { "not the shortest form", SLICE("\x02\x02\x00\x07"), false, 0 },
        { "more behind it", SLICE("\x02\x01\x07\x00"), false, 0 },
        { "cut off", SLICE("\x02\x04\x07"), false, 0 },
        { "bare", SLICE("\x00\xBC\x61\x4E"), false, 0 },
        { "another type", SLICE("\x04\x01\x07"), false, 0 },
        { "nothing", SLICE(""), false, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct chain_extension extension = { OID_SERIAL, rows[i].value, false };
        CLEANUP(certificate_freep) struct certificate *certificate = WITH(firmware, policies, extension);
        struct attestation attestation = { .serial = 1 };
        enum keystay_status status = attestation_read(certificate, &attestation, NULL);

        assert_row((status == KEYSTAY_OK) == rows[i].is_good, rows[i].name);
        assert_row(!rows[i].is_good || attestation.serial == rows[i].serial, rows[i].name);
    }
}

TEST(what_stands_there_twice_is_refused)
{
    refuse(WITH(firmware, firmware, policies), "firmware version");
    refuse(WITH(firmware, policies, policies), "PIN and touch policy");
    refuse(WITH(firmware, policies, serial, serial), "serial number");
}

TEST(lengths_are_exact)
{
    static const struct slice firmwares[] = { SLICE(""), SLICE("\x05\x04"), SLICE("\x05\x04\x03\x02"),
                                              SLICE("\x04\x04\x05\x04\x03"), SLICE("\x0C\x03\x05\x04\x03") };
    static const struct slice both[] = { SLICE("\x02"), SLICE("\x02\x01\x01"), SLICE("\x04\x01\x02\x01") };

    for (size_t i = 0; i < ARRAY_LEN(firmwares); i++) {
        const struct chain_extension extension = { OID_FIRMWARE, firmwares[i], false };
        refuse(WITH(extension, policies), "firmware version");
    }
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        const struct chain_extension extension = { OID_POLICIES, both[i], false };
        refuse(WITH(firmware, extension), "PIN and touch policy");
    }
}

TEST(a_critical_extension_that_nobody_knows_is_refused)
{
    static const struct chain_extension unknown = { "1.3.6.1.4.1.41482.3.99", SLICE("\x05\x00"), true };

    refuse(WITH(firmware, policies, unknown), "cannot be read");
}

static int make_key(void **state)
{
    (void)state;
    key = EVP_EC_gen("P-256");
    return key == NULL ? -1 : 0;
}

static int free_key(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_missed),
        cmocka_unit_test(reads_what_a_yubikey_writes),
        cmocka_unit_test(reads_what_an_old_one_writes),
        cmocka_unit_test(reads_what_is_wrapped_as_der_wants_it),
        cmocka_unit_test(a_devices_certificate_is_of_no_key),
        cmocka_unit_test(knows_all_policies_and_no_others),
        cmocka_unit_test(a_serial_is_a_number_of_32_bits),
        cmocka_unit_test(what_stands_there_twice_is_refused),
        cmocka_unit_test(lengths_are_exact),
        cmocka_unit_test(a_critical_extension_that_nobody_knows_is_refused),
    };

    return cmocka_run_group_tests(tests, make_key, free_key);
}
