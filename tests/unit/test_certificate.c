/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */

#include "unit.h"

#include <openssl/ec.h>

#include <stdlib.h>

#include "crypto/certificate.h"
#include "rsa.h"

static const struct cert_spec plain = { 0 };

static void refuse(struct slice content, const char *why)
{
    struct certificate *certificate = NULL;
    struct keystay_error err;

    assert_row(certificate_parse(content, &certificate, &err) == KEYSTAY_E_CERTIFICATE, why);
    assert_null(certificate);
    assert_contains(err.message, why);
    assert_tame(err.message);
}

static struct certificate *parse(const struct buf *content)
{
    struct certificate *certificate = NULL;

    assert_ok(certificate_parse(buf_slice(content), &certificate, NULL));
    return certificate;
}

TEST(freeing_nothing_is_fine)
{
    struct certificate *certificate = NULL;

    certificate_free(NULL);
    certificate_freep(&certificate);
}

TEST(a_missing_file_is_named)
{
    struct certificate *certificate = NULL;
    struct keystay_error err;

    assert_int_equal(certificate_load("/nonexistent.pem", &certificate, &err), KEYSTAY_E_CERTIFICATE);
    assert_contains(err.message, "/nonexistent.pem");
    assert_null(certificate);
}

TEST(reads_der)
{
    CLEANUP(buf_clear) struct buf der = BUF(CERTIFICATE_FILE_MAX);

    cert_der(&plain, &der);
    CLEANUP(certificate_freep) struct certificate *certificate = parse(&der);
    assert_true(slice_equal(certificate_der(certificate), buf_slice(&der)));
    assert_string_equal(certificate_subject(certificate), "CN=unit test");
    assert_string_equal(certificate_issuer(certificate), "CN=unit test");
    assert_int_equal(certificate_not_before_s(certificate), CERT_NOW_S - 43200);
    assert_int_equal(certificate_not_after_s(certificate), CERT_NOW_S + 43200);
    assert_int_equal(public_key_type(certificate_public_key(certificate)), PUBLIC_KEY_RSA);
    assert_int_equal(public_key_bits(certificate_public_key(certificate)), 2048);
    assert_false(certificate_is_attestation(certificate));
    assert_ok(certificate_check(certificate, CERT_NOW_S, NULL));
}

TEST(reads_pem_and_makes_the_same_of_it)
{
    CLEANUP(buf_clear) struct buf der = BUF(CERTIFICATE_FILE_MAX);
    CLEANUP(buf_clear) struct buf pem = BUF(CERTIFICATE_FILE_MAX);

    cert_der(&plain, &der);
    cert_pem(&plain, &pem);
    CLEANUP(certificate_freep) struct certificate *certificate = parse(&pem);
    assert_true(slice_equal(certificate_der(certificate), buf_slice(&der)));
}

TEST(reads_a_file)
{
    CLEANUP(buf_clear) struct buf pem = BUF(CERTIFICATE_FILE_MAX);
    CLEANUP(certificate_freep) struct certificate *certificate = NULL;

    cert_pem(&plain, &pem);
    CLEANUP(temp_file_remove) struct temp_file file = temp_file(buf_slice(&pem));
    assert_ok(certificate_load(file.path, &certificate, NULL));
    assert_string_equal(certificate_subject(certificate), "CN=unit test");
}

/* Chains come leaf first (RFC 5246 §7.4.2), with comments and other blocks in between. */
TEST(takes_the_first_certificate_of_a_chain)
{
    const struct cert_spec second = { .subject_cn = "second" };
    CLEANUP(buf_clear) struct buf pem = BUF(CERTIFICATE_FILE_MAX);

    assert_ok(buf_puts(&pem, "a comment\n-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n\n", NULL));
    cert_pem(&plain, &pem);
    cert_pem(&second, &pem);
    CLEANUP(certificate_freep) struct certificate *certificate = parse(&pem);
    assert_string_equal(certificate_subject(certificate), "CN=unit test");
}

TEST(is_valid_to_the_second)
{
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&plain);
    struct keystay_error err;

    assert_ok(certificate_check(certificate, CERT_NOW_S - 43200, &err));
    assert_ok(certificate_check(certificate, CERT_NOW_S + 43200, &err));
    assert_int_equal(certificate_check(certificate, CERT_NOW_S + 43201, &err), KEYSTAY_E_CERTIFICATE);
    assert_string_equal(err.message, "the certificate 'CN=unit test' expired at 2023-11-15T10:13:20Z");
    assert_int_equal(certificate_check(certificate, CERT_NOW_S - 43201, &err), KEYSTAY_E_CERTIFICATE);
    assert_string_equal(
        err.message, "the certificate 'CN=unit test' is not valid before 2023-11-14T10:13:20Z");
    assert_contains(err.hint, "clock");
}

TEST(reads_years_beyond_2050)
{
    const struct cert_spec spec = { .not_after_s =
                                        253402300799 }; /* RFC 5280 §4.1.2.5: no end that is known */
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&spec);

    assert_int_equal(certificate_not_after_s(certificate), 253402300799);
    assert_ok(certificate_check(certificate, 4102444800, NULL));
}

TEST(an_rsa_key_under_2048_bits_is_refused)
{
    static const struct {
        int bits;
        enum keystay_status status;
    } rows[] = {
        { 1024, KEYSTAY_E_KEY_REFUSED },
        { 2047, KEYSTAY_E_KEY_REFUSED },
        { 2048, KEYSTAY_OK },
        { 4096, KEYSTAY_OK },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(pkey_freep) EVP_PKEY *key = rsa_public_key_of_bits(rows[i].bits);
        const struct cert_spec spec = { .key = key };
        CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&spec);
        struct keystay_error err;

        assert_int_equal(public_key_bits(certificate_public_key(certificate)), rows[i].bits);
        assert_int_equal(certificate_check(certificate, CERT_NOW_S, &err), rows[i].status);
        if (rows[i].bits == 1024) {
            assert_contains(err.message, "has 1024 bits");
        }
    }
}

TEST(an_elliptic_curve_key_is_read_but_has_no_modulus)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    const struct cert_spec spec = { .key = key };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&spec);

    assert_int_equal(public_key_type(certificate_public_key(certificate)), PUBLIC_KEY_EC);
    assert_string_equal(public_key_type_name(certificate_public_key(certificate)), "EC");
    assert_false(public_key_has_modulus(certificate_public_key(certificate), SLICE("\x01")));
}

TEST(its_parts_are_der)
{
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&(struct cert_spec){ .key = NULL });
    CLEANUP(buf_clear) struct buf subject = BUF(512);
    CLEANUP(buf_clear) struct buf issuer = BUF(512);
    CLEANUP(buf_clear) struct buf serial = BUF(64);
    CLEANUP(buf_clear) struct buf small = BUF(4);

    assert_ok(certificate_put_parts(certificate, &subject, &issuer, &serial, NULL));
    assert_true(subject.len > 10 && subject.data[0] == 0x30 && subject.data[1] == subject.len - 2);
    assert_memory_equal(subject.data + subject.len - 9, "unit test", 9);
    assert_true(issuer.len > 2 && issuer.data[0] == 0x30);
    assert_true(serial.len > 2 && serial.data[0] == 0x02 && serial.data[1] == serial.len - 2);
    assert_int_equal(certificate_put_parts(certificate, &small, &issuer, &serial, NULL), KEYSTAY_E_NO_MEMORY);
}

TEST(knows_an_attestation_by_its_extension)
{
    static const struct {
        const char *oid;
        bool is_attestation;
    } rows[] = {
        { "1.3.6.1.4.1.41482.3.3", true },                                        /* firmware */
        { "1.3.6.1.4.1.41482.3.7", true },                                        /* serial number */
        { "1.3.6.1.4.1.41482.3.11.1", true }, { "1.3.6.1.4.1.41482.1.2", false }, /* Yubico, but U2F */
        { "1.3.6.1.4.1.41482.30.1", false },  { "1.3.6.1.4.1.4148.3.3", false },  { "2.5.29.99", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct cert_spec spec = { .extension = rows[i].oid };
        CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&spec);
        assert_row(certificate_is_attestation(certificate) == rows[i].is_attestation, rows[i].oid);
    }
}

TEST(what_is_no_certificate_is_refused)
{
    refuse((struct slice){ NULL, 0 }, "0 bytes");
    refuse(SLICE("garbage"), "neither PEM nor DER");
    refuse(SLICE("\x30\x82\xFF\xFF"), "neither PEM nor DER");
    refuse(SLICE("-----BEGIN CERTIFICATE-----\n"), "neither PEM nor DER");
    refuse(SLICE("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "neither PEM nor DER");
    refuse(SLICE("-----BEGIN CERTIFICATE-----\n####\n-----END CERTIFICATE-----\n"), "neither PEM nor DER");
    refuse(SLICE("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "neither PEM nor DER");
}

TEST(too_much_of_anything_is_refused)
{
    uint8_t *blanks = malloc(CERTIFICATE_FILE_MAX + 1);

    assert_non_null(blanks);
    memset(blanks, ' ', CERTIFICATE_FILE_MAX + 1);
    refuse((struct slice){ blanks, CERTIFICATE_FILE_MAX }, "neither PEM nor DER");
    refuse((struct slice){ blanks, CERTIFICATE_FILE_MAX + 1 }, "262145 bytes");
    free(blanks);
}

TEST(der_must_be_the_whole_of_it)
{
    CLEANUP(buf_clear) struct buf der = BUF(CERTIFICATE_FILE_MAX);

    cert_der(&plain, &der);
    for (size_t len = 1; len < der.len; len += 7) {
        refuse((struct slice){ der.data, len }, "neither PEM nor DER");
    }
    assert_ok(buf_putc(&der, 'x', NULL));
    refuse(buf_slice(&der), "neither PEM nor DER");
}

TEST(a_date_that_is_none_is_refused)
{
    static const char *const dates[] = { "23111X101320Z", "231315101320Z", "231132101320Z", "231115251320Z" };

    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        CLEANUP(buf_clear) struct buf der = BUF(CERTIFICATE_FILE_MAX);
        cert_der(&plain, &der);
        uint8_t *date = memmem(der.data, der.len, "231115101320Z", 13); /* notAfter */
        assert_non_null(date);
        memcpy(date, dates[i], 13);
        refuse(buf_slice(&der), "certificate");
    }
}

TEST(a_subject_is_safe_to_print)
{
    const struct cert_spec hostile = { .subject_cn = "a\n\x1B]0;x\x07,CN=admin\xE2\x80\xAE" };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&hostile);

    assert_tame(certificate_subject(certificate));
    assert_contains(certificate_subject(certificate), "\\,CN=admin"); /* quoted: no entry of its own */
    assert_lacks(certificate_subject(certificate), "\xE2\x80\xAE");

    const struct cert_spec polite = { .subject_cn = "J\xC3\xBCrgen" };
    CLEANUP(certificate_freep) struct certificate *other = cert_new(&polite);
    assert_string_equal(certificate_subject(other), "CN=J\xC3\xBCrgen");
}

TEST(a_long_subject_is_cut)
{
    const struct cert_spec spec = { .n_units = 50 };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&spec);
    const char *subject = certificate_subject(certificate);

    assert_int_equal(strlen(subject), 255);
    assert_string_equal(subject + 252, "...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(reads_der),
        cmocka_unit_test(reads_pem_and_makes_the_same_of_it),
        cmocka_unit_test(reads_a_file),
        cmocka_unit_test(takes_the_first_certificate_of_a_chain),
        cmocka_unit_test(is_valid_to_the_second),
        cmocka_unit_test(reads_years_beyond_2050),
        cmocka_unit_test(an_rsa_key_under_2048_bits_is_refused),
        cmocka_unit_test(an_elliptic_curve_key_is_read_but_has_no_modulus),
        cmocka_unit_test(its_parts_are_der),
        cmocka_unit_test(knows_an_attestation_by_its_extension),
        cmocka_unit_test(what_is_no_certificate_is_refused),
        cmocka_unit_test(too_much_of_anything_is_refused),
        cmocka_unit_test(der_must_be_the_whole_of_it),
        cmocka_unit_test(a_date_that_is_none_is_refused),
        cmocka_unit_test(a_subject_is_safe_to_print),
        cmocka_unit_test(a_long_subject_is_cut),
    };

    return RUN_TESTS(tests);
}
