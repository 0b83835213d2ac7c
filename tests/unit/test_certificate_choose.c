/* SPDX-License-Identifier: Apache-2.0 */
/* Which of a key's certificates is used: the rule that a renewal goes by. */
#include "unit.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>

#include "pkcs11/cryptoki/certificate.h"
#include "rsa.h"

enum { N_MAX = 4, DAY_S = 86400 };

/* Whose it is. */
enum owner {
    OWNER_KEY, /* the key that is asked about */
    OWNER_OTHER,
    OWNER_THIRD,
};

/* A certificate, in days from now. No row has one that begins at 0. */
struct row_certificate {
    int from, to;
    enum owner owner;
};

struct row {
    const char *name;
    struct row_certificate certificates[N_MAX];
    size_t n;
    size_t best;
    enum keystay_status status; /* of the best one */
    const char *words;
};

static EVP_PKEY *others[OWNER_THIRD + 1];

static struct p11_key the_key(void)
{
    struct p11_key key = { .type = CKK_RSA };
    CLEANUP(pkey_freep) EVP_PKEY *pkey = rsa_rfc7515_key();
    BIGNUM *modulus = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &modulus), 1);
    key.modulus_len = (size_t)BN_bn2bin(modulus, key.modulus);
    BN_free(modulus);
    return key;
}

/* What the token does not tell. */
static struct p11_key mute_key(void)
{
    return (struct p11_key){ .type = CKK_RSA };
}

static struct certificate *make(const struct row_certificate *row)
{
    return cert_new(&(struct cert_spec){ .key = others[row->owner],
                                         .not_before_s = CERT_NOW_S + (int64_t)row->from * DAY_S,
                                         .not_after_s = CERT_NOW_S + (int64_t)row->to * DAY_S });
}

static void check_row(const struct p11_key *key, const struct row *row)
{
    struct certificate *candidates[N_MAX] = { NULL };
    struct keystay_error err = { 0 };

    for (size_t i = 0; i < row->n; i++) {
        candidates[i] = make(&row->certificates[i]);
    }
    size_t best = certificate_choose(key, candidates, row->n, CERT_NOW_S);
    assert_row(best == row->best, row->name);
    if (best < row->n) {
        assert_row(certificate_check(candidates[best], CERT_NOW_S, &err) == row->status, row->name);
    }
    if (row->words != NULL) {
        assert_contains(err.message, row->words);
    }
    for (size_t i = 0; i < row->n; i++) {
        certificate_free(candidates[i]);
    }
}

TEST(of_none_there_is_none)
{
    const struct p11_key key = the_key();

    assert_int_equal(certificate_choose(&key, NULL, 0, CERT_NOW_S), 0);
}

TEST(the_valid_one_that_ends_last)
{
    static const struct row rows[] = {
        { "alone", { { -1, 1, OWNER_KEY } }, 1, 0, KEYSTAY_OK, NULL },
        { "an overlap", { { -300, 20, OWNER_KEY }, { -5, 360, OWNER_KEY } }, 2, 1, KEYSTAY_OK, NULL },
        { "the other way", { { -5, 360, OWNER_KEY }, { -300, 20, OWNER_KEY } }, 2, 0, KEYSTAY_OK, NULL },
        { "one to come", { { -300, 20, OWNER_KEY }, { 5, 360, OWNER_KEY } }, 2, 0, KEYSTAY_OK, NULL },
        { "one that is over",
          { { -300, -1, OWNER_KEY }, { -5, 2, OWNER_KEY }, { 1, 9, OWNER_KEY } },
          3,
          1,
          KEYSTAY_OK,
          NULL },
        { "equal ends: the newer", { { -9, 20, OWNER_KEY }, { -5, 20, OWNER_KEY } }, 2, 1, KEYSTAY_OK, NULL },
        { "equal: the first", { { -9, 20, OWNER_KEY }, { -9, 20, OWNER_KEY } }, 2, 0, KEYSTAY_OK, NULL },
    };
    const struct p11_key keys[] = { the_key(), mute_key() };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(&keys[0], &rows[i]);
        check_row(&keys[1], &rows[i]);
    }
}

/* The one that says most: of those to come the next one, of those that are over the last. */
TEST(when_none_is_valid_the_error_says_when_one_is)
{
    static const struct row rows[] = {
        { "all over",
          { { -300, -20, OWNER_KEY }, { -90, -2, OWNER_KEY } },
          2,
          1,
          KEYSTAY_E_CERTIFICATE,
          "expired at 2023-11-12T22:13:20Z" },
        { "all to come",
          { { 9, 300, OWNER_KEY }, { 2, 30, OWNER_KEY }, { 5, 900, OWNER_KEY } },
          3,
          1,
          KEYSTAY_E_CERTIFICATE,
          "not valid before 2023-11-16T22:13:20Z" },
        { "between two",
          { { -300, -1, OWNER_KEY }, { 1, 300, OWNER_KEY } },
          2,
          1,
          KEYSTAY_E_CERTIFICATE,
          "not valid before 2023-11-15T22:13:20Z" },
        { "equal beginnings",
          { { 2, 30, OWNER_KEY }, { 2, 31, OWNER_KEY } },
          2,
          1,
          KEYSTAY_E_CERTIFICATE,
          NULL },
    };
    const struct p11_key key = the_key();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(&key, &rows[i]);
    }
}

TEST(one_of_another_key_is_never_used)
{
    static const struct row rows[] = {
        { "alone", { { -1, 1, OWNER_OTHER } }, 1, 1, KEYSTAY_OK, NULL },
        { "ends later", { { -9, 900, OWNER_OTHER }, { -9, 9, OWNER_KEY } }, 2, 1, KEYSTAY_OK, NULL },
        { "valid, ours is over",
          { { -9, 900, OWNER_OTHER }, { -9, -1, OWNER_KEY } },
          2,
          1,
          KEYSTAY_E_CERTIFICATE,
          "expired" },
    };
    const struct p11_key key = the_key();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(&key, &rows[i]);
    }
}

/* Then the first signature decides, so there must be one answer. */
TEST(where_the_token_does_not_tell_they_must_be_of_one_key)
{
    static const struct row rows[] = {
        { "one", { { -1, 1, OWNER_OTHER } }, 1, 0, KEYSTAY_OK, NULL },
        { "two of one", { { -1, 1, OWNER_OTHER }, { -1, 2, OWNER_OTHER } }, 2, 1, KEYSTAY_OK, NULL },
        { "two of two", { { -1, 1, OWNER_KEY }, { -1, 2, OWNER_OTHER } }, 2, 2, KEYSTAY_OK, NULL },
        { "the third",
          { { -1, 1, OWNER_KEY }, { -1, 2, OWNER_KEY }, { -2, -1, OWNER_THIRD } },
          3,
          3,
          KEYSTAY_OK,
          NULL },
    };
    const struct p11_key key = mute_key();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(&key, &rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_none_there_is_none),
        cmocka_unit_test(the_valid_one_that_ends_last),
        cmocka_unit_test(when_none_is_valid_the_error_says_when_one_is),
        cmocka_unit_test(one_of_another_key_is_never_used),
        cmocka_unit_test(where_the_token_does_not_tell_they_must_be_of_one_key),
    };
    CLEANUP(pkey_freep) EVP_PKEY *other = rsa_public_key_of_bits(2048);
    CLEANUP(pkey_freep) EVP_PKEY *third = rsa_public_key_of_bits(3072);

    others[OWNER_OTHER] = other;
    others[OWNER_THIRD] = third;
    return RUN_TESTS(tests);
}
