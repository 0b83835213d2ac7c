/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 7515 appendix A.2, to the bit, with its key on a token: RSASSA-PKCS1-v1_5 has no randomness in it, so
 * engine and JWS must give exactly the RFC's text. rfc7515.sh makes the token and sets the environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/secret.h"
#include "jose/jws.h"
#include "keystay/pkcs11.h"
#include "signer/signer.h"

static const char header[] = "{\"alg\":\"RS256\"}";
static const char payload[] = "{\"iss\":\"joe\",\r\n"
                              " \"exp\":1300819380,\r\n"
                              " \"http://example.com/is_root\":true}";

static const char expected[] = "eyJhbGciOiJSUzI1NiJ9"
                               "."
                               "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
                               "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
                               "."
                               "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7"
                               "AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4"
                               "BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K"
                               "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv"
                               "hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrB"
                               "p0igcN_IoypGlUPQGe77Rw";

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL) {
        fail_msg("%s is not set: run this through rfc7515.sh", name);
    }
    return value;
}

static int open_as(bool is_isolated, void **state)
{
    const char *certificate = variable("RFC7515_CERTIFICATE");
    const struct keystay_pkcs11_config config = {
        .module = variable("RFC7515_MODULE"),
        .key_uri = "pkcs11:token=rfc7515;object=assertion;type=private",
        .certificates = &certificate,
        .n_certificates = 1,
        .pin_source = variable("RFC7515_PIN_SOURCE"),
        .isolate = is_isolated,
        .signer_program = variable("RFC7515_SIGNER"),
        .now_s = time(NULL),
    };
    struct keystay_signer *signer = NULL;
    struct keystay_error err = { 0 };

    if (keystay_pkcs11_open(&config, &signer, &err) != KEYSTAY_OK) {
        fail_msg("%s", err.message);
    }
    *state = signer;
    return 0;
}

static int open_signer(void **state)
{
    return open_as(false, state);
}

static int open_isolated(void **state)
{
    return open_as(true, state);
}

static int close_signer(void **state)
{
    keystay_signer_free(*state);
    return 0;
}

static void test_appendix_a2_is_reproduced_to_the_bit(void **state)
{
    struct secret jws = { 0 };
    struct keystay_error err = { 0 };

    enum keystay_status status = jws_sign(
        *state, TBS_ASSERTION, NULL, KEYSTAY_ALG_RS256, slice_of_str(header), slice_of_str(payload), &jws,
        &err);
    assert_string_equal(err.message, "");
    assert_int_equal(status, KEYSTAY_OK);
    assert_int_equal(jws.len, strlen(expected));
    assert_string_equal(jws.data, expected);
    secret_clear(&jws);
}

static void test_bytes_of_no_known_kind_are_not_signed(void **state)
{
    struct secret jws = { 0 };
    struct keystay_error err = { 0 };

    enum keystay_status status = jws_sign(
        *state, (enum tbs_kind)0, NULL, KEYSTAY_ALG_RS256, slice_of_str(header), slice_of_str(payload), &jws,
        &err);
    assert_int_equal(status, KEYSTAY_E_INTERNAL);
    assert_null(jws.data);
}

/* A certificate or a request for one: the process for the module takes the fields of assertions alone. */
static void test_the_signer_process_refuses_other_kinds_in_clear_words(void **state)
{
    static const enum tbs_kind kinds[] = { TBS_CERTIFICATE, TBS_REQUEST };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct secret jws = { 0 };
        struct keystay_error err = { 0 };

        enum keystay_status status = jws_sign(
            *state, kinds[i], NULL, KEYSTAY_ALG_RS256, slice_of_str(header), slice_of_str(payload), &jws,
            &err);
        assert_int_equal(status, KEYSTAY_E_CONFIG);
        assert_non_null(strstr(err.message, "assertions alone, no certificates"));
        assert_non_null(strstr(err.hint, "--isolate"));
        assert_null(jws.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_appendix_a2_is_reproduced_to_the_bit, open_signer, close_signer),
        cmocka_unit_test_setup_teardown(
            test_bytes_of_no_known_kind_are_not_signed, open_signer, close_signer),
        cmocka_unit_test_setup_teardown(
            test_the_signer_process_refuses_other_kinds_in_clear_words, open_isolated, close_signer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
