/* SPDX-License-Identifier: Apache-2.0 */
#include "key_reader.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pkcs12.h>
#include <stdbool.h>

#include "base/error.h"
#include "rsa.h"

/* To check an RSA key takes long under valgrind: it is read where it differs from EC. */
TEST(rsa_keys_are_read)
{
    static const enum sample_form forms[] = { SAMPLE_TRADITIONAL, SAMPLE_TRADITIONAL_ENCRYPTED };
    CLEANUP(pkey_freep) EVP_PKEY *key = rsa_rfc7515_key();

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);

        sample_pem(key, forms[i], &pem);
        key_take(buf_slice(&pem), key, "", buf_str(&pem));
    }
}

TEST(keys_of_each_form_are_read)
{
    EVP_PKEY *keys[] = { EVP_EC_gen("P-256"), EVP_EC_gen("P-384") };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        for (int form = 0; form < SAMPLE_FORM_N; form++) {
            CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);
            CLEANUP(buf_clear) struct buf der = BUF(SAMPLE_MAX);

            sample_pem(keys[i], (enum sample_form)form, &pem);
            key_take(buf_slice(&pem), keys[i], "", buf_str(&pem));
            if (form != SAMPLE_TRADITIONAL_ENCRYPTED) {
                sample_der(&pem, &der);
                key_take(buf_slice(&der), keys[i], "", "DER");
                assert_ok(buf_puts(&der, "\r\n", NULL));
                key_take(buf_slice(&der), keys[i], "behind its end", "DER and a line end");
            }
        }
        EVP_PKEY_free(keys[i]);
    }
}

TEST(the_numbers_of_rsa_are_those_of_the_file)
{
    CLEANUP(pkey_freep) EVP_PKEY *rsa = rsa_rfc7515_key();
    CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);
    CLEANUP(key_file_clear) struct key_file file = { .key = NULL };
    struct asked asked = { .password = NULL };
    static const size_t lens[PRIVATE_KEY_NUMBER_N] = { 256, 128, 128, 128, 128, 128 };

    sample_pem(rsa, SAMPLE_PKCS8, &pem);
    assert_ok(key_parse(&asked, buf_slice(&pem), &file, NULL));
    for (int which = 0; which < PRIVATE_KEY_NUMBER_N; which++) {
        CLEANUP(secret_clear) struct secret number = { 0 };
        assert_ok(private_key_number(file.key, (enum private_key_number)which, &number, NULL));
        assert_true(number.len <= lens[which] && number.len > lens[which] - 2);
    }
    assert_int_equal(public_key_bits(private_key_public(file.key)), 2048);
    assert_int_equal(asked.n_asked, 0);
}

TEST(a_password_is_asked_once_and_only_where_it_is_wanted)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");

    for (int form = 0; form < SAMPLE_FORM_N; form++) {
        CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);
        CLEANUP(key_file_clear) struct key_file file = { .key = NULL };
        struct asked asked = { .password = SAMPLE_PASSWORD };
        bool is_encrypted = form == SAMPLE_PKCS8_ENCRYPTED || form == SAMPLE_TRADITIONAL_ENCRYPTED;

        sample_pem(key, (enum sample_form)form, &pem);
        assert_ok(key_parse(&asked, buf_slice(&pem), &file, NULL));
        assert_int_equal(asked.n_asked, is_encrypted ? 1 : 0);
        if (is_encrypted) {
            key_refuse_with(
                "wrong", buf_slice(&pem), KEYSTAY_E_KEY_FILE, "password is wrong", "--password-source");
            key_refuse_with("", buf_slice(&pem), KEYSTAY_E_KEY_FILE, "password is wrong", "");
            key_refuse_with(NULL, buf_slice(&pem), KEYSTAY_E_PIN_SOURCE, "nobody is there", "");
        }
    }
}

/* Made by OpenSSL, password "s3cret". One wrong password in 256 leaves a padding that is right, and OpenSSL
 * with bytes that are no key: "wrong 331" is the first one of its kind for this file. */
TEST(a_wrong_password_is_named_so_also_when_the_padding_is_right)
{
    static const char pem[] = "-----BEGIN EC PRIVATE KEY-----\n"
                              "Proc-Type: 4,ENCRYPTED\n"
                              "DEK-Info: AES-128-CBC,D380078186BE50B510B8EA83CEE0B4C7\n\n"
                              "wYs/OY93yLYdgXF+ywtaiAovyf/YA2k2kL+/noTz2se8r8bAUtUBIVqofP3rCFKa\n"
                              "fHCpTzQI//ODJyLhRBiiYXoSL+1m4f1/bt80RZZr3SHXc0HovDt5xgMyukUhB6KF\n"
                              "czRD+sQu//zd4EMtA4WZj4qnt6eyi2+obgPvNU/yb8g=\n"
                              "-----END EC PRIVATE KEY-----\n";
    const char *const wrong[] = { "wrong 330", "wrong 331", "wrong 332" };

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        key_refuse_with(
            wrong[i], slice_of_str(pem), KEYSTAY_E_KEY_FILE, "password is wrong", "--password-source");
    }
}

/* 32,768 rounds, and then a count of eight million in their place. */
TEST(a_file_that_would_keep_the_machine_busy_is_refused)
{
    static const uint8_t rounds[] = { 0x02, 0x03, 0x00, 0x80, 0x00 };
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    X509_SIG *sig = PKCS8_encrypt(
        -1, EVP_aes_256_cbc(), SAMPLE_PASSWORD, (int)strlen(SAMPLE_PASSWORD), NULL, 0, 32768, info);
    unsigned char *der = NULL;
    size_t len = (size_t)i2d_X509_SIG(sig, &der);
    size_t at = 0;

    key_take((struct slice){ der, len }, key, "", "many rounds");
    while (at + sizeof(rounds) < len && memcmp(der + at, rounds, sizeof(rounds)) != 0) {
        at++;
    }
    der[at + 2] = 0x7F;
    key_refuse((struct slice){ der, len }, "hashed more than", "");
    OPENSSL_free(der);
    X509_SIG_free(sig);
    PKCS8_PRIV_KEY_INFO_free(info);
}

TEST(of_several_certificates_the_own_one_is_kept)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    CLEANUP(pkey_freep) EVP_PKEY *other = EVP_EC_gen("P-256");
    CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);
    CLEANUP(buf_clear) struct buf alone = BUF(SAMPLE_MAX);
    CLEANUP(key_file_clear) struct key_file file = { .key = NULL };
    CLEANUP(key_file_clear) struct key_file without = { .key = NULL };
    struct asked asked = { .password = NULL };
    const struct cert_spec theirs = { .key = other, .subject_cn = "CA" };
    const struct cert_spec own = { .key = key, .subject_cn = "own" };

    cert_pem(&theirs, &pem);
    sample_put(&pem, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    sample_pem(key, SAMPLE_PKCS8, &pem);
    cert_pem(&own, &pem);
    assert_ok(key_parse(&asked, buf_slice(&pem), &file, NULL));
    assert_string_equal(certificate_subject(file.certificate), "CN=own");
    assert_string_equal(file.repaired, "a certificate that cannot be read");

    cert_pem(&theirs, &alone);
    sample_pem(key, SAMPLE_PKCS8, &alone);
    assert_ok(key_parse(&asked, buf_slice(&alone), &without, NULL));
    assert_null(without.certificate);
}

TEST(of_several_keys_none_is_taken)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);

    sample_pem(key, SAMPLE_PKCS8, &pem);
    sample_pem(key, SAMPLE_PKCS8_ENCRYPTED, &pem);
    key_refuse(buf_slice(&pem), "2 private keys", "in a copy");
}

static void refuse_key(EVP_PKEY *key, const char *why)
{
    CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);

    assert_non_null(key);
    sample_pem(key, SAMPLE_PKCS8, &pem);
    key_refuse_with(NULL, buf_slice(&pem), KEYSTAY_E_KEY_REFUSED, why, "");
    EVP_PKEY_free(key);
}

TEST(keys_that_no_token_is_given)
{
    refuse_key(EVP_RSA_gen(1024), "RSA, with 1024 bits");
    refuse_key(EVP_EC_gen("P-521"), "secp521r1");
    refuse_key(EVP_EC_gen("secp256k1"), "secp256k1");
    refuse_key(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "ED25519");
}

/* The private half of one key with the public half of another. */
TEST(halves_that_do_not_belong_together)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    CLEANUP(pkey_freep) EVP_PKEY *other = EVP_EC_gen("P-256");
    CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);
    CLEANUP(buf_clear) struct buf der = BUF(SAMPLE_MAX);
    unsigned char point[65];
    size_t len = 0;

    sample_pem(key, SAMPLE_PKCS8, &pem);
    sample_der(&pem, &der);
    assert_int_equal(
        EVP_PKEY_get_octet_string_param(other, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &len), 1);
    assert_int_equal(len, 65);
    memcpy(der.data + der.len - 65, point, 65); /* it ends with the point */
    key_refuse_with(NULL, buf_slice(&der), KEYSTAY_E_KEY_REFUSED, "do not belong together", "another copy");
}

/* No bit of a key without password goes wrong unseen. */
TEST(a_bit_that_flips_is_found)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);
    CLEANUP(buf_clear) struct buf der = BUF(SAMPLE_MAX);

    sample_pem(key, SAMPLE_PKCS8, &pem);
    sample_der(&pem, &der);
    for (size_t i = 36; i < 36 + 32; i++) { /* where the number is */
        CLEANUP(key_file_clear) struct key_file file = { .key = NULL };
        struct asked asked = { .password = NULL };
        struct keystay_error err = { 0 };

        der.data[i] ^= 1;
        assert_int_not_equal(key_parse(&asked, buf_slice(&der), &file, &err), KEYSTAY_OK);
        assert_true(err.status == KEYSTAY_E_KEY_REFUSED || err.status == KEYSTAY_E_KEY_FILE);
        der.data[i] ^= 1;
    }
    key_take(buf_slice(&der), key, "", "put right again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rsa_keys_are_read),
        cmocka_unit_test(keys_of_each_form_are_read),
        cmocka_unit_test(the_numbers_of_rsa_are_those_of_the_file),
        cmocka_unit_test(a_password_is_asked_once_and_only_where_it_is_wanted),
        cmocka_unit_test(a_wrong_password_is_named_so_also_when_the_padding_is_right),
        cmocka_unit_test(a_file_that_would_keep_the_machine_busy_is_refused),
        cmocka_unit_test(of_several_certificates_the_own_one_is_kept),
        cmocka_unit_test(of_several_keys_none_is_taken),
        cmocka_unit_test(keys_that_no_token_is_given),
        cmocka_unit_test(halves_that_do_not_belong_together),
        cmocka_unit_test(a_bit_that_flips_is_found),
    };

    return RUN_TESTS(tests);
}
