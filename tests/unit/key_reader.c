/* SPDX-License-Identifier: Apache-2.0 */
#include "key_reader.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>

#include "base/error.h"

static enum keystay_status give(void *context, struct secret *ret_password, struct keystay_error *err)
{
    struct asked *asked = context;

    asked->n_asked++;
    return asked->password == NULL ? err_set(err, KEYSTAY_E_PIN_SOURCE, "nobody is there")
                                   : secret_set(ret_password, slice_of_str(asked->password), err);
}

enum keystay_status key_parse(
    struct asked *asked, struct slice content, struct key_file *file, struct keystay_error *err)
{
    const struct key_file_password password = { give, asked };

    return key_file_parse(content, &password, file, err);
}

void assert_key_is(const struct private_key *key, EVP_PKEY *expected, const char *row)
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

void key_take(struct slice content, EVP_PKEY *expected, const char *word, const char *row)
{
    CLEANUP(key_file_clear) struct key_file file = { .key = NULL };
    struct asked asked = { .password = SAMPLE_PASSWORD };
    struct keystay_error err = { 0 };

    if (key_parse(&asked, content, &file, &err) != KEYSTAY_OK) {
        fail_msg("row '%s': %s", row, err.message);
    }
    assert_key_is(file.key, expected, row);
    if (word[0] == '\0') {
        assert_row(file.repaired[0] == '\0', row);
    } else if (strstr(file.repaired, word) == NULL) {
        fail_msg("row '%s': '%s' does not contain '%s'", row, file.repaired, word);
    }
}

void key_refuse_with(
    const char *password, struct slice content, enum keystay_status status, const char *why, const char *hint)
{
    CLEANUP(key_file_clear) struct key_file file = { .key = NULL };
    struct asked asked = { .password = password };
    struct keystay_error err = { 0 };

    assert_row(key_parse(&asked, content, &file, &err) == status, why);
    assert_int_equal(err.status, status);
    assert_contains(err.message, why);
    assert_contains(err.hint, hint);
    assert_tame(err.message);
    assert_null(file.key);
    assert_null(file.certificate);
}

void key_refuse(struct slice content, const char *why, const char *hint)
{
    key_refuse_with(SAMPLE_PASSWORD, content, KEYSTAY_E_KEY_FILE, why, hint);
}
