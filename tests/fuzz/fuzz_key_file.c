/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of a file that is read there is a key that a token may be given, with all its numbers, and a certificate
 * only if it is the key's; nobody is asked for the password twice. What is not read is said in words that can
 * be printed on a terminal.
 */
#include "fuzz.h"

#include "base/error.h"
#include "base/str.h"
#include "crypto/key_file.h"

static enum keystay_status give(void *context, struct secret *ret_password, struct keystay_error *err)
{
    int *n_asked = context;

    MUST(++*n_asked == 1);
    return secret_set(ret_password, slice_of_str("fuzz"), err);
}

static void check(const struct key_file *file)
{
    const struct public_key *key = private_key_public(file->key);
    bool is_rsa = public_key_type(key) == PUBLIC_KEY_RSA;

    MUST(public_key_algs(key) != 0 && !public_key_is_weak(key));
    for (int which = 0; which < (is_rsa ? PRIVATE_KEY_NUMBER_N : 1); which++) {
        struct secret number = { 0 };
        MUST(private_key_number(file->key, (enum private_key_number)which, &number, NULL) == KEYSTAY_OK);
        MUST(number.len > 0 && number.len * 8 <= public_key_bits(key));
        secret_clear(&number);
    }
    MUST(file->certificate == NULL || public_key_equal(certificate_public_key(file->certificate), key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int n_asked = 0;
    const struct key_file_password password = { give, &n_asked };
    struct key_file file = { .key = NULL };
    struct keystay_error err = { 0 };
    enum keystay_status status = key_file_parse((struct slice){ data, size }, &password, &file, &err);

    if (status == KEYSTAY_OK) {
        check(&file);
    } else {
        MUST(status == KEYSTAY_E_KEY_FILE || status == KEYSTAY_E_KEY_REFUSED);
        MUST(file.key == NULL && file.certificate == NULL);
        MUST(err.message[0] != '\0' && str_is_utf8(slice_of_str(err.message)));
    }
    key_file_clear(&file);
    return 0;
}
