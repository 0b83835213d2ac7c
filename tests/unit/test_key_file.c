/* SPDX-License-Identifier: Apache-2.0 */
#include "key_samples.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/str.h"
#include "crypto/key_file.h"
#include "rsa.h"

/* Who is asked for the password. */
struct keeper {
    const char *password; /* NULL: does not give one */
    int n_asked;
};

static enum keystay_status give(void *context, struct secret *ret_password, struct keystay_error *err)
{
    struct keeper *keeper = context;

    keeper->n_asked++;
    return keeper->password == NULL ? err_set(err, KEYSTAY_E_PIN_SOURCE, "nobody is there")
                                    : secret_set(ret_password, slice_of_str(keeper->password), err);
}

static enum keystay_status parse_with(
    struct keeper *keeper, struct slice content, struct key_file *file, struct keystay_error *err)
{
    const struct key_file_password password = { give, keeper };

    return key_file_parse(content, &password, file, err);
}

static void assert_is(const struct private_key *key, EVP_PKEY *expected, const char *row)
{
    CLEANUP(secret_clear) struct secret number = { 0 };
    BIGNUM *wanted = NULL;
    const char *name = EVP_PKEY_is_a(expected, "EC") ? OSSL_PKEY_PARAM_PRIV_KEY : OSSL_PKEY_PARAM_RSA_D;

    assert_ok(private_key_number(key, PRIVATE_KEY_D, &number, NULL));
    assert_int_equal(EVP_PKEY_get_bn_param(expected, name, &wanted), 1);
    BIGNUM *has = BN_bin2bn((const unsigned char *)number.data, (int)number.len, NULL);
    assert_row(BN_cmp(has, wanted) == 0, row);
    BN_free(has);
    BN_free(wanted);
}

/* What is read is the key, and the note says `word`. */
static void take(struct slice content, EVP_PKEY *expected, const char *word, const char *row)
{
    CLEANUP(key_file_clear) struct key_file file = { .key = NULL };
    struct keeper keeper = { .password = SAMPLE_PASSWORD };
    struct keystay_error err = { 0 };

    if (parse_with(&keeper, content, &file, &err) != KEYSTAY_OK) {
        fail_msg("row '%s': %s", row, err.message);
    }
    assert_is(file.key, expected, row);
    if (word[0] == '\0') {
        assert_row(file.repaired[0] == '\0', row);
    } else if (strstr(file.repaired, word) == NULL) {
        fail_msg("row '%s': '%s' does not contain '%s'", row, file.repaired, word);
    }
}

static void refuse_with(
    const char *password, struct slice content, enum keystay_status status, const char *why, const char *hint)
{
    CLEANUP(key_file_clear) struct key_file file = { .key = NULL };
    struct keeper keeper = { .password = password };
    struct keystay_error err = { 0 };

    assert_row(parse_with(&keeper, content, &file, &err) == status, why);
    assert_int_equal(err.status, status);
    assert_contains(err.message, why);
    assert_contains(err.hint, hint);
    assert_tame(err.message);
    assert_null(file.key);
    assert_null(file.certificate);
}

static void refuse(struct slice content, const char *why, const char *hint)
{
    refuse_with(SAMPLE_PASSWORD, content, KEYSTAY_E_KEY_FILE, why, hint);
}

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
        refuse(rows[i].content, rows[i].why, rows[i].hint);
    }
}

TEST(what_is_too_large_is_no_key_file)
{
    static uint8_t much[KEY_FILE_MAX + 1];

    memset(much, 'A', sizeof(much));
    refuse((struct slice){ much, sizeof(much) }, "262145 bytes", "");
    refuse((struct slice){ much, KEY_FILE_MAX }, "neither PEM nor DER", "");
}

/* To check an RSA key takes long under valgrind: it is read where it differs from EC. */
TEST(rsa_keys_are_read)
{
    static const enum sample_form forms[] = { SAMPLE_TRADITIONAL, SAMPLE_TRADITIONAL_ENCRYPTED };
    CLEANUP(pkey_freep) EVP_PKEY *key = rsa_rfc7515_key();

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);

        sample_pem(key, forms[i], &pem);
        take(buf_slice(&pem), key, "", buf_str(&pem));
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
            take(buf_slice(&pem), keys[i], "", buf_str(&pem));
            if (form != SAMPLE_TRADITIONAL_ENCRYPTED) {
                sample_der(&pem, &der);
                take(buf_slice(&der), keys[i], "", "DER");
                assert_ok(buf_puts(&der, "\r\n", NULL));
                take(buf_slice(&der), keys[i], "behind its end", "DER and a line end");
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
    struct keeper keeper = { .password = NULL };
    static const size_t lens[PRIVATE_KEY_NUMBER_N] = { 256, 128, 128, 128, 128, 128 };

    sample_pem(rsa, SAMPLE_PKCS8, &pem);
    assert_ok(parse_with(&keeper, buf_slice(&pem), &file, NULL));
    for (int which = 0; which < PRIVATE_KEY_NUMBER_N; which++) {
        CLEANUP(secret_clear) struct secret number = { 0 };
        assert_ok(private_key_number(file.key, (enum private_key_number)which, &number, NULL));
        assert_true(number.len <= lens[which] && number.len > lens[which] - 2);
    }
    assert_int_equal(public_key_bits(private_key_public(file.key)), 2048);
    assert_int_equal(keeper.n_asked, 0);
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
            take(buf_slice(&spoilt), key, sample_damages[at].word, sample_damages[at].name);
        }
    }
}

/* Base64 of something, in lines of so many characters. */
static void put_base64(struct slice bytes, size_t line, struct buf *to)
{
    unsigned char text[2 * 4096];
    size_t n = (size_t)EVP_EncodeBlock(text, bytes.data, (int)bytes.len);

    for (size_t i = 0; i < n; i += line) {
        assert_ok(buf_put(to, (struct slice){ text + i, n - i < line ? n - i : line }, NULL));
        sample_put(to, "\n");
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
        put_base64(buf_slice(&der), rows[i].line, &text);
        sample_put(&text, "-----END PRIVATE KEY-----\n");
        take(buf_slice(&text), key, rows[i].word, "line lengths");
    }
    put_base64(buf_slice(&der), 64, &bare);
    take(buf_slice(&bare), key, "without an armour", "bare");
    put_base64(buf_slice(&pem), 76, &twice);
    take(buf_slice(&twice), key, "base64 of base64", "twice");
    buf_clear(&bare);
    put_base64(buf_slice(&twice), 76, &bare);
    refuse(buf_slice(&bare), "no BEGIN line", ""); /* and not for ever */
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
    take(buf_slice(&bare), key, "padding", "no padding");
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
        refuse(buf_slice(&cut), "", "");
        sample_put(&cut, "\n-----END PRIVATE KEY-----\n");
        refuse(buf_slice(&cut), "", "");
    }
    for (size_t len = 4; len < der.len; len++) {
        refuse((struct slice){ der.data, len }, "cut off", "another copy");
    }
}

TEST(a_password_is_asked_once_and_only_where_it_is_wanted)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");

    for (int form = 0; form < SAMPLE_FORM_N; form++) {
        CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);
        CLEANUP(key_file_clear) struct key_file file = { .key = NULL };
        struct keeper keeper = { .password = SAMPLE_PASSWORD };
        bool is_encrypted = form == SAMPLE_PKCS8_ENCRYPTED || form == SAMPLE_TRADITIONAL_ENCRYPTED;

        sample_pem(key, (enum sample_form)form, &pem);
        assert_ok(parse_with(&keeper, buf_slice(&pem), &file, NULL));
        assert_int_equal(keeper.n_asked, is_encrypted ? 1 : 0);
        if (is_encrypted) {
            refuse_with(
                "wrong", buf_slice(&pem), KEYSTAY_E_KEY_FILE, "password is wrong", "--password-source");
            refuse_with("", buf_slice(&pem), KEYSTAY_E_KEY_FILE, "password is wrong", "");
            refuse_with(NULL, buf_slice(&pem), KEYSTAY_E_PIN_SOURCE, "nobody is there", "");
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
        refuse_with(
            wrong[i], slice_of_str(pem), KEYSTAY_E_KEY_FILE, "password is wrong", "--password-source");
    }
}

/* A PKCS #12 with these parts; cert may be NULL. */
static void put_pfx(EVP_PKEY *key, X509 *cert, const char *password, struct buf *to)
{
    PKCS12 *pkcs12 = PKCS12_create(password, "x", key, cert, NULL, 0, 0, 0, 0, 0);
    unsigned char *der = NULL;

    assert_non_null(pkcs12);
    int len = i2d_PKCS12(pkcs12, &der);
    assert_ok(buf_put(to, (struct slice){ der, (size_t)len }, NULL));
    OPENSSL_free(der);
    PKCS12_free(pkcs12);
}

static X509 *make_cert(EVP_PKEY *key)
{
    CLEANUP(buf_clear) struct buf der = BUF(SAMPLE_MAX);
    const struct cert_spec spec = { .key = key };

    cert_der(&spec, &der);
    const unsigned char *at = der.data;
    return d2i_X509(NULL, &at, (long)der.len);
}

TEST(a_pfx_gives_key_and_certificate)
{
    static const char *const passwords[] = { SAMPLE_PASSWORD, "" };
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = make_cert(key);

    for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
        CLEANUP(buf_clear) struct buf pfx = BUF(SAMPLE_MAX);
        CLEANUP(buf_clear) struct buf text = BUF(SAMPLE_MAX);
        CLEANUP(key_file_clear) struct key_file file = { .key = NULL };
        struct keeper keeper = { .password = passwords[i] };

        put_pfx(key, cert, passwords[i], &pfx);
        assert_ok(parse_with(&keeper, buf_slice(&pfx), &file, NULL));
        assert_is(file.key, key, "PFX");
        assert_non_null(file.certificate);
        assert_int_equal(keeper.n_asked, passwords[i][0] == '\0' ? 0 : 1);
        put_base64(buf_slice(&pfx), 64, &text); /* as Azure's key vault gives it */
        take(buf_slice(&text), key, "without an armour", "PFX in base64");
        refuse((struct slice){ pfx.data, pfx.len - 1 }, "cut off", "another copy");
    }
    X509_free(cert);
}

TEST(what_is_wrong_with_a_pfx_is_named)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = make_cert(key);
    CLEANUP(buf_clear) struct buf pfx = BUF(SAMPLE_MAX);
    CLEANUP(buf_clear) struct buf certs = BUF(SAMPLE_MAX);
    unsigned char *der = NULL;

    put_pfx(key, cert, SAMPLE_PASSWORD, &pfx);
    refuse_with("wrong", buf_slice(&pfx), KEYSTAY_E_KEY_FILE, "password is wrong", "--password-source");
    put_pfx(NULL, cert, SAMPLE_PASSWORD, &certs);
    refuse(buf_slice(&certs), "no private key, only 1 certificates", "private key in it");
    PKCS12 *no_mac = PKCS12_create(SAMPLE_PASSWORD, "x", key, cert, NULL, 0, 0, 0, -1, 0);
    int len = i2d_PKCS12(no_mac, &der);
    refuse((struct slice){ der, (size_t)len }, "no MAC", "export it anew");
    OPENSSL_free(der);
    PKCS12_free(no_mac);
    X509_free(cert);
}

/* RC2-40, as Windows and old OpenSSL made them. Made by openssl pkcs12 -export -legacy. */
static const char rc2_pfx[] =
    "MIIDcgIBAzCCAzgGCSqGSIb3DQEHAaCCAykEggMlMIIDITCCAhcGCSqGSIb3DQEHBqCCAggwggIEAgEAMIIB/QYJKoZIhvcNAQcB"
    "MBwGCiqGSIb3DQEMAQYwDgQIjkteRwu0P1kCAggAgIIB0HshIw36cLYCeNDCL7r75gzxICbbYai/i5jk0U1RdKdRXioenD0stLO6"
    "fD2YMAzfVY/KqEKqrXrgnCWxqGVH1uYgjSFzfvs1Q0uLRp1x5nlu9AhYJWSqn+rK8+AHl7nXeCpftJIfyEnFE//YOWyyKaquw5Td"
    "fOSl1QrMm+OvEPu9M8X3TSTutAq5tCA879DtxkB7gaCXJjuGequ7UJyXfJC2/h9JTcC3EW7ZITtAlM3CsDMqvrwvjkk5HfyQASL2"
    "1RBjmVodaYPR5x8RJEEJMSATb8nWDi2+7CE70HHZa3Nt7T+1Nck7qYX1X2LA//ga6bT5sxmli8twm/MRfgKQ8xKbq4XZrRod8pgJ"
    "w9G1Y+rodLZh5clxW2E4mS+Qrh82BBJc3PNLfPOD6pjJJShCxtWcIbAn3M9HFUdV7xMl9a8u9zr/qSYFVJxPYUllU28Pwa5Ql6qm"
    "Q/NEHfTrFtFAWQogxSlT7cWfGuu8HpWMbaYBOiUoyUr76qh3DHWUMyn+Zqt1WRhbxhu7PJX2YMUh06dacPN0IpABzx8hZ5b/TdSR"
    "1hQwk5XPJZKQJDuuZ0CKvBvOGt6XDz+FaIeOJShS1pWLKNF0QGLjNvEoCkUjxZh9MIIBAgYJKoZIhvcNAQcBoIH0BIHxMIHuMIHr"
    "BgsqhkiG9w0BDAoBAqCBtDCBsTAcBgoqhkiG9w0BDAEDMA4ECDyTuflvFvnmAgIIAASBkHAMXODo9uLPyd+ZvO2GUGj15MYfopPQ"
    "iclzxy+stdK0JWYw/TGo75+97JJGb7wROBuybNrprUQrmn3lgr+sMbulVsV65vxSTGeyDmWaRKRglF2mD/NWq4VYuf7tO62tCddb"
    "B7w9hPqf6/bRccl+rU1OiZwe3fJ0MGKdH1LRtzqAGrjmZWDKOuLvKVOWcl+XIjElMCMGCSqGSIb3DQEJFTEWBBR6kFw5iDQ7Mr8q"
    "8opl6FLLW9A+TzAxMCEwCQYFKw4DAhoFAAQUEok7sdo2f+0FqWTHdSrNX8bPorgECJbUv1wuGTGcAgIIAA==";

/* Whether OpenSSL's legacy provider is here or not is the machine's matter; both have an answer. */
TEST(an_old_pfx_is_read_where_that_can_be_or_named)
{
    CLEANUP(key_file_clear) struct key_file file = { .key = NULL };
    struct keeper keeper = { .password = "old" };
    struct keystay_error err = { 0 };
    OSSL_PROVIDER *legacy = OSSL_PROVIDER_load(NULL, "legacy");
    bool has_legacy = legacy != NULL;

    if (has_legacy) {
        assert_int_equal(OSSL_PROVIDER_unload(legacy), 1);
    }
    enum keystay_status status = parse_with(&keeper, slice_of_str(rc2_pfx), &file, &err);
    assert_int_equal(keeper.n_asked, 1);
    if (has_legacy) {
        assert_int_equal(status, KEYSTAY_OK);
        assert_string_equal(certificate_subject(file.certificate), "CN=old");
    }
    assert_ok(setenv("OPENSSL_MODULES", "/nonexistent", 1) == 0 ? KEYSTAY_OK : KEYSTAY_E_INTERNAL);
    refuse_with("old", slice_of_str(rc2_pfx), KEYSTAY_E_KEY_FILE, "RC2", "openssl pkcs12 -legacy");
    refuse_with("new", slice_of_str(rc2_pfx), KEYSTAY_E_KEY_FILE, "password is wrong", "");
    (void)unsetenv("OPENSSL_MODULES");
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

    take((struct slice){ der, len }, key, "", "many rounds");
    while (at + sizeof(rounds) < len && memcmp(der + at, rounds, sizeof(rounds)) != 0) {
        at++;
    }
    der[at + 2] = 0x7F;
    refuse((struct slice){ der, len }, "hashed more than", "");
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
    struct keeper keeper = { .password = NULL };
    const struct cert_spec theirs = { .key = other, .subject_cn = "CA" };
    const struct cert_spec own = { .key = key, .subject_cn = "own" };

    cert_pem(&theirs, &pem);
    sample_put(&pem, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    sample_pem(key, SAMPLE_PKCS8, &pem);
    cert_pem(&own, &pem);
    assert_ok(parse_with(&keeper, buf_slice(&pem), &file, NULL));
    assert_string_equal(certificate_subject(file.certificate), "CN=own");
    assert_string_equal(file.repaired, "a certificate that cannot be read");

    cert_pem(&theirs, &alone);
    sample_pem(key, SAMPLE_PKCS8, &alone);
    assert_ok(parse_with(&keeper, buf_slice(&alone), &without, NULL));
    assert_null(without.certificate);
}

TEST(of_several_keys_none_is_taken)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);

    sample_pem(key, SAMPLE_PKCS8, &pem);
    sample_pem(key, SAMPLE_PKCS8_ENCRYPTED, &pem);
    refuse(buf_slice(&pem), "2 private keys", "in a copy");
}

static void refuse_key(EVP_PKEY *key, const char *why)
{
    CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);

    assert_non_null(key);
    sample_pem(key, SAMPLE_PKCS8, &pem);
    refuse_with(NULL, buf_slice(&pem), KEYSTAY_E_KEY_REFUSED, why, "");
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
    refuse_with(NULL, buf_slice(&der), KEYSTAY_E_KEY_REFUSED, "do not belong together", "another copy");
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
        struct keeper keeper = { .password = NULL };
        struct keystay_error err = { 0 };

        der.data[i] ^= 1;
        assert_int_not_equal(parse_with(&keeper, buf_slice(&der), &file, &err), KEYSTAY_OK);
        assert_true(err.status == KEYSTAY_E_KEY_REFUSED || err.status == KEYSTAY_E_KEY_FILE);
        der.data[i] ^= 1;
    }
    take(buf_slice(&der), key, "", "put right again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_key_file_is_named),
        cmocka_unit_test(what_is_too_large_is_no_key_file),
        cmocka_unit_test(rsa_keys_are_read),
        cmocka_unit_test(keys_of_each_form_are_read),
        cmocka_unit_test(the_numbers_of_rsa_are_those_of_the_file),
        cmocka_unit_test(damage_is_repaired_and_named),
        cmocka_unit_test(base64_in_other_clothes),
        cmocka_unit_test(missing_padding_is_put_back),
        cmocka_unit_test(a_key_that_is_cut_off_is_never_taken),
        cmocka_unit_test(a_password_is_asked_once_and_only_where_it_is_wanted),
        cmocka_unit_test(a_wrong_password_is_named_so_also_when_the_padding_is_right),
        cmocka_unit_test(a_pfx_gives_key_and_certificate),
        cmocka_unit_test(what_is_wrong_with_a_pfx_is_named),
        cmocka_unit_test(an_old_pfx_is_read_where_that_can_be_or_named),
        cmocka_unit_test(a_file_that_would_keep_the_machine_busy_is_refused),
        cmocka_unit_test(of_several_certificates_the_own_one_is_kept),
        cmocka_unit_test(of_several_keys_none_is_taken),
        cmocka_unit_test(keys_that_no_token_is_given),
        cmocka_unit_test(halves_that_do_not_belong_together),
        cmocka_unit_test(a_bit_that_flips_is_found),
    };

    return RUN_TESTS(tests);
}
