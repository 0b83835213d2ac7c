/* SPDX-License-Identifier: Apache-2.0 */
/* Key files in PKCS #12. */
#include "key_reader.h"

#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <stdbool.h>
#include <stdlib.h>

#include "rsa.h"

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
        struct asked asked = { .password = passwords[i] };

        put_pfx(key, cert, passwords[i], &pfx);
        assert_ok(key_parse(&asked, buf_slice(&pfx), &file, NULL));
        assert_key_is(file.key, key, "PFX");
        assert_non_null(file.certificate);
        assert_int_equal(asked.n_asked, passwords[i][0] == '\0' ? 0 : 1);
        sample_base64(buf_slice(&pfx), 64, &text); /* as Azure's key vault gives it */
        key_take(buf_slice(&text), key, "without an armour", "PFX in base64");
        key_refuse((struct slice){ pfx.data, pfx.len - 1 }, "cut off", "another copy");
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
    key_refuse_with("wrong", buf_slice(&pfx), KEYSTAY_E_KEY_FILE, "password is wrong", "--password-source");
    put_pfx(NULL, cert, SAMPLE_PASSWORD, &certs);
    key_refuse(buf_slice(&certs), "no private key, only 1 certificates", "private key in it");
    PKCS12 *no_mac = PKCS12_create(SAMPLE_PASSWORD, "x", key, cert, NULL, 0, 0, 0, -1, 0);
    int len = i2d_PKCS12(no_mac, &der);
    key_refuse((struct slice){ der, (size_t)len }, "no MAC", "export it anew");
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
    struct asked asked = { .password = "old" };
    struct keystay_error err = { 0 };
    OSSL_PROVIDER *legacy = OSSL_PROVIDER_load(NULL, "legacy");
    bool has_legacy = legacy != NULL;

    if (has_legacy) {
        assert_int_equal(OSSL_PROVIDER_unload(legacy), 1);
    }
    enum keystay_status status = key_parse(&asked, slice_of_str(rc2_pfx), &file, &err);
    assert_int_equal(asked.n_asked, 1);
    if (has_legacy) {
        assert_int_equal(status, KEYSTAY_OK);
        assert_string_equal(certificate_subject(file.certificate), "CN=old");
    }
    assert_ok(setenv("OPENSSL_MODULES", "/nonexistent", 1) == 0 ? KEYSTAY_OK : KEYSTAY_E_INTERNAL);
    key_refuse_with("old", slice_of_str(rc2_pfx), KEYSTAY_E_KEY_FILE, "RC2", "openssl pkcs12 -legacy");
    key_refuse_with("new", slice_of_str(rc2_pfx), KEYSTAY_E_KEY_FILE, "password is wrong", "");
    (void)unsetenv("OPENSSL_MODULES");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pfx_gives_key_and_certificate),
        cmocka_unit_test(what_is_wrong_with_a_pfx_is_named),
        cmocka_unit_test(an_old_pfx_is_read_where_that_can_be_or_named),
    };

    return RUN_TESTS(tests);
}
