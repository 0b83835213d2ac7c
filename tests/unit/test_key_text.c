/* SPDX-License-Identifier: Apache-2.0 */
/* What a key file looks like from outside: its armour, what is no key at all, and the damage that is done to
 * texts. */
#include "key_reader.h"

#include <openssl/ec.h>

#include "rsa.h"

TEST(what_is_no_key_file_is_named)
{
    static const struct {
        struct slice content;
        const char *why;
        const char *hint;
    } rows[] = {
#define ROW(text, why, hint) { { (const uint8_t *)(text), sizeof(text) - 1 }, why, hint }
        ROW("", "empty", ""),
        ROW(" \r\n\t\n", "empty", ""),
        ROW("PuTTY-User-Key-File-3: ssh-rsa\r\nEncryption: none\r\n", ".ppk", "puttygen"),
        ROW("\xFE\xED\xFE\xED\x00\x00\x00\x02", "JKS", "keytool"),
        ROW("\xCE\xCE\xCE\xCE\x00\x00\x00\x02", "JCEKS", "keytool"),
        ROW("{\"kty\":\"EC\",\"d\":\"AA\"}", "JWK", "PKCS #8"),
        ROW("\xEF\xBB\xBF <RSAKeyValue><D>AA</D></RSAKeyValue>", "XML", "PFX"),
        ROW("ssh-ed25519 AAAA me", "public key of OpenSSH", "private key"),
        ROW("hello, world\n", "no BEGIN line", "private key"),
        ROW("\x00\x01\x02\x03", "neither PEM nor DER", "private key"),
        ROW("\x30\x80\x00\x00", "neither PEM nor DER", "private key"),
        ROW("\x30\x03\x02\x01\x00", "no private key that OpenSSL knows", "private key"),
        ROW("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n",
            "OpenSSH's own", "ssh-keygen"),
        ROW("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "a public key", "private key"),
        ROW("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "certificates, and no private key", "private key"),
        ROW("-----BEGIN NEW CERTIFICATE REQUEST-----\nAAAA\n-----END NEW CERTIFICATE REQUEST-----\n",
            "a request for a certificate", "private key"),
        ROW("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----", "OpenPGP",
            ""),
        ROW("-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----", "another block", ""),
        ROW("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", "empty", "another copy"),
        ROW("-----BEGIN PRIVATE KEY-----\nMIIB\n", "END line is missing", "another copy"),
        ROW("-----BEGIN PRIVATE KEY-----\nMII*\n-----END PRIVATE KEY-----", "does not belong there",
            "another"),
        ROW("-----BEGIN PRIVATE KEY-----\nMIIBA\n-----END PRIVATE KEY-----", "cut off", "another copy"),
        ROW("-----BEGIN PRIVATE KEY-----\nMIIB====\n-----END PRIVATE KEY-----", "does not belong", "another"),
        ROW("-----BEGIN PRIVATE KEY-----\nMIIBAA==\n-----END PRIVATE KEY-----", "4 of 260 bytes", "another"),
#undef ROW
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        key_refuse(rows[i].content, rows[i].why, rows[i].hint);
    }
}

TEST(what_is_too_large_is_no_key_file)
{
    static uint8_t much[KEY_FILE_MAX + 1];

    memset(much, 'A', sizeof(much));
    key_refuse((struct slice){ much, sizeof(much) }, "262145 bytes", "");
    key_refuse((struct slice){ much, KEY_FILE_MAX }, "neither PEM nor DER", "");
}

TEST(damage_is_repaired_and_named)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");

    for (int form = 0; form < SAMPLE_FORM_N; form++) {
        CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);

        sample_pem(key, (enum sample_form)form, &pem);
        for (size_t at = 0; at < sample_n_damages; at++) {
            CLEANUP(buf_clear) struct buf spoilt = BUF(SAMPLE_MAX);

            sample_damages[at].spoil(buf_slice(&pem), &spoilt);
            key_take(buf_slice(&spoilt), key, sample_damages[at].word, sample_damages[at].name);
        }
    }
}

TEST(base64_in_other_clothes)
{
    static const struct {
        size_t line;
        const char *word;
    } rows[] = { { 76, "" }, { 20, "" }, { 4096, "uneven" } };
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);
    CLEANUP(buf_clear) struct buf der = BUF(SAMPLE_MAX);
    CLEANUP(buf_clear) struct buf bare = BUF(SAMPLE_MAX);
    CLEANUP(buf_clear) struct buf twice = BUF(SAMPLE_MAX);

    sample_pem(key, SAMPLE_PKCS8, &pem);
    sample_der(&pem, &der);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf text = BUF(SAMPLE_MAX);
        sample_put(&text, "-----BEGIN PRIVATE KEY-----\n");
        sample_base64(buf_slice(&der), rows[i].line, &text);
        sample_put(&text, "-----END PRIVATE KEY-----\n");
        key_take(buf_slice(&text), key, rows[i].word, "line lengths");
    }
    sample_base64(buf_slice(&der), 64, &bare);
    key_take(buf_slice(&bare), key, "without an armour", "bare");
    sample_base64(buf_slice(&pem), 76, &twice);
    key_take(buf_slice(&twice), key, "base64 of base64", "twice");
    buf_clear(&bare);
    sample_base64(buf_slice(&twice), 76, &bare);
    key_refuse(buf_slice(&bare), "no BEGIN line", ""); /* and not for ever */
}

TEST(missing_padding_is_put_back)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256"); /* 121 bytes, traditionally: two are missing */
    CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);
    CLEANUP(buf_clear) struct buf bare = BUF(SAMPLE_MAX);

    sample_pem(key, SAMPLE_TRADITIONAL, &pem);
    for (size_t i = 0; i < pem.len; i++) {
        if (pem.data[i] != '=') {
            assert_ok(buf_putc(&bare, (char)pem.data[i], NULL));
        }
    }
    assert_int_equal(pem.len - bare.len, 2);
    key_take(buf_slice(&bare), key, "padding", "no padding");
}

TEST(a_key_that_is_cut_off_is_never_taken)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);
    CLEANUP(buf_clear) struct buf der = BUF(SAMPLE_MAX);

    sample_pem(key, SAMPLE_PKCS8, &pem);
    sample_der(&pem, &der);
    for (size_t len = 0; len < pem.len - strlen("------END PRIVATE KEY----- "); len++) {
        CLEANUP(buf_clear) struct buf cut = BUF(SAMPLE_MAX);
        assert_ok(buf_put(&cut, (struct slice){ pem.data, len }, NULL));
        key_refuse(buf_slice(&cut), "", "");
        sample_put(&cut, "\n-----END PRIVATE KEY-----\n");
        key_refuse(buf_slice(&cut), "", "");
    }
    for (size_t len = 4; len < der.len; len++) {
        key_refuse((struct slice){ der.data, len }, "cut off", "another copy");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_key_file_is_named),
        cmocka_unit_test(what_is_too_large_is_no_key_file),
        cmocka_unit_test(damage_is_repaired_and_named),
        cmocka_unit_test(base64_in_other_clothes),
        cmocka_unit_test(missing_padding_is_put_back),
        cmocka_unit_test(a_key_that_is_cut_off_is_never_taken),
    };

    return RUN_TESTS(tests);
}
