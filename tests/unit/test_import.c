/* SPDX-License-Identifier: Apache-2.0 */
/* What a token is given of a key that was made elsewhere, and what is left of it when it does not take it. */
#include "fake_module.h"

#include <openssl/ec.h>

#include "crypto/key_file.h"
#include "key_samples.h"
#include "pkcs11/cryptoki/import.h"
#include "rsa.h"

static const CK_KEY_TYPE rsa = CKK_RSA, ec = CKK_EC;
static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static const uint8_t p256[] = { 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07 };

#define VALUE(variable) ((struct slice){ (const uint8_t *)&(variable), sizeof(variable) })

/* What the fake says of the key that it was given: as it should be. */
enum { TYPE, ID, SENSITIVE, EXTRACTABLE, LOCAL, SIGN, NUMBERS, N };
static struct fake_attribute given[N];
static struct p11_module module;
static struct p11_session session;
static struct buf modulus;
static struct key_file rsa_file; /* read once: its primes are checked, which takes seconds under valgrind */

/* A key as it comes out of its file. */
static void read_key(EVP_PKEY *key, struct key_file *file)
{
    CLEANUP(pkey_freep) EVP_PKEY *taken = key;
    CLEANUP(buf_clear) struct buf pem = BUF(SAMPLE_MAX);
    const struct key_file_password nobody = { NULL, NULL };

    sample_pem(taken, SAMPLE_PKCS8, &pem);
    assert_ok(key_file_parse(buf_slice(&pem), &nobody, file, NULL));
}

static void reset(const struct private_key *key)
{
    bool is_rsa = public_key_type(private_key_public(key)) == PUBLIC_KEY_RSA;
    CLEANUP(buf_clear) struct buf second = BUF(1024);

    buf_clear(&modulus);
    modulus = BUF(1024);
    assert_ok(public_key_numbers(private_key_public(key), &modulus, &second, NULL));
    module = fake_reset();
    session = fake_session(&module);
    given[TYPE] = (struct fake_attribute){ CKA_KEY_TYPE, is_rsa ? VALUE(rsa) : VALUE(ec), CKR_OK };
    given[ID] = (struct fake_attribute){ CKA_ID, SLICE("\x02"), CKR_OK };
    given[SENSITIVE] = (struct fake_attribute){ CKA_SENSITIVE, VALUE(yes), CKR_OK };
    given[EXTRACTABLE] = (struct fake_attribute){ CKA_EXTRACTABLE, VALUE(no), CKR_OK };
    given[LOCAL] = (struct fake_attribute){ CKA_LOCAL, VALUE(no), CKR_OK };
    given[SIGN] = (struct fake_attribute){ CKA_SIGN, VALUE(yes), CKR_OK };
    given[NUMBERS] = (struct fake_attribute){ is_rsa ? CKA_MODULUS : CKA_EC_PARAMS,
                                              is_rsa ? buf_slice(&modulus) : VALUE(p256), CKR_OK };
    fake.attributes = given;
    fake.n_attributes = N;
}

static enum keystay_status bring_in(
    const struct key_file *file, struct provision_wish wish, struct keystay_error *err)
{
    const struct import_source source = { file->key, file->certificate };
    struct p11_key key;

    wish.id = SLICE("\x02");
    return provision_import_key(&session, &wish, &source, &key, err);
}

/* Of the nth object; NULL when it was not told. */
static const CK_ATTRIBUTE *told(int nth, CK_ATTRIBUTE_TYPE type)
{
    for (CK_ULONG i = 0; i < fake.n_created_attributes[nth]; i++) {
        if (fake.created[nth][i].type == type) {
            return &fake.created[nth][i];
        }
    }
    return NULL;
}

static bool is_told(int nth, CK_ATTRIBUTE_TYPE type, CK_BBOOL value)
{
    const CK_ATTRIBUTE *attribute = told(nth, type);

    return attribute != NULL && attribute->ulValueLen == 1 && *(const CK_BBOOL *)attribute->pValue == value;
}

static void assert_stays(int nth)
{
    assert_true(is_told(nth, CKA_TOKEN, CK_TRUE) && is_told(nth, CKA_PRIVATE, CK_TRUE));
    assert_true(is_told(nth, CKA_SENSITIVE, CK_TRUE) && is_told(nth, CKA_EXTRACTABLE, CK_FALSE));
    assert_true(is_told(nth, CKA_SIGN, CK_TRUE) && is_told(nth, CKA_DECRYPT, CK_FALSE));
    assert_true(is_told(nth, CKA_UNWRAP, CK_FALSE));
}

TEST(an_rsa_key_is_given_whole)
{
    static const CK_ATTRIBUTE_TYPE numbers[] = { CKA_MODULUS,    CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT,
                                                 CKA_PRIME_1,    CKA_PRIME_2,         CKA_EXPONENT_1,
                                                 CKA_EXPONENT_2, CKA_COEFFICIENT };

    reset(rsa_file.key);
    assert_ok(bring_in(&rsa_file, (struct provision_wish){ .label = SLICE("app") }, NULL));
    assert_int_equal(fake.n_created, 2);
    assert_int_equal(fake.created_class[0], CKO_PRIVATE_KEY);
    assert_int_equal(fake.created_class[1], CKO_PUBLIC_KEY);
    assert_stays(0);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        assert_true(told(0, numbers[i]) != NULL && told(0, numbers[i])->ulValueLen > 0);
        assert_true((told(1, numbers[i]) != NULL) == (i < 2)); /* nothing secret in the public half */
    }
    for (int nth = 0; nth < 2; nth++) {
        assert_int_equal(told(nth, CKA_LABEL)->ulValueLen, 3);
        assert_int_equal(told(nth, CKA_ID)->ulValueLen, 1);
    }
    assert_int_equal(fake.n_destroyed, 0);
}

TEST(an_ec_key_is_given_whole)
{
    CLEANUP(key_file_clear) struct key_file file = { .key = NULL };

    read_key(EVP_EC_gen("P-256"), &file);
    reset(file.key);
    assert_ok(bring_in(&file, (struct provision_wish){ .kind = NULL }, NULL));
    assert_stays(0);
    assert_int_equal(told(0, CKA_VALUE)->ulValueLen, 32);
    assert_int_equal(told(0, CKA_EC_PARAMS)->ulValueLen, sizeof(p256));
    assert_null(told(1, CKA_VALUE));
    assert_int_equal(told(1, CKA_EC_POINT)->ulValueLen, 67);
    assert_null(told(0, CKA_LABEL));
}

TEST(a_module_that_will_not_be_told_is_asked_again)
{
    CLEANUP(key_file_clear) struct key_file file = { .key = NULL };

    read_key(EVP_EC_gen("P-256"), &file);
    reset(file.key);
    fake.create_rvs[0] = CKR_GENERAL_ERROR;
    fake.create_rvs[1] = CKR_ATTRIBUTE_TYPE_INVALID;
    fake.create_rvs[3] = CKR_TEMPLATE_INCONSISTENT;
    assert_ok(bring_in(&file, (struct provision_wish){ .kind = NULL }, NULL));
    assert_int_equal(fake.n_created, 5);
    assert_true(is_told(1, CKA_EXTRACTABLE, CK_FALSE) && told(1, CKA_DECRYPT) == NULL);
    assert_null(told(2, CKA_EXTRACTABLE));
    assert_true(is_told(2, CKA_SENSITIVE, CK_TRUE) && told(2, CKA_VALUE) != NULL);
    assert_null(told(4, CKA_ENCRYPT));

    reset(file.key); /* and not for ever */
    fake.create_rvs[0] = fake.create_rvs[1] = fake.create_rvs[2] = CKR_TEMPLATE_INCONSISTENT;
    assert_int_equal(bring_in(&file, (struct provision_wish){ .kind = NULL }, NULL), KEYSTAY_E_MODULE);
    assert_int_equal(fake.n_created, 3);
}

TEST(what_a_token_does_not_take_leaves_nothing_behind)
{
    static const struct {
        const char *name;
        int nth;
        CK_RV rv;
        const char *hint;
        int n_destroyed;
    } rows[] = {
        { "private", 0, CKR_FUNCTION_NOT_SUPPORTED, "key generate", 0 },
        { "private, of a card", 0, CKR_USER_NOT_LOGGED_IN, "management key", 0 },
        { "private, full", 0, CKR_DEVICE_MEMORY, "", 0 },
        { "public", 1, CKR_FUNCTION_NOT_SUPPORTED, "key generate", 1 },
        { "public, full", 1, CKR_DEVICE_MEMORY, "", 1 },
    };
    CLEANUP(key_file_clear) struct key_file file = { .key = NULL };

    read_key(EVP_EC_gen("P-256"), &file);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct keystay_error err = { 0 };

        reset(file.key);
        fake.create_rvs[rows[i].nth] = rows[i].rv;
        fake.n_found = 0;
        assert_row(
            bring_in(&file, (struct provision_wish){ .kind = NULL }, &err) == KEYSTAY_E_MODULE, rows[i].name);
        assert_contains(err.hint, rows[i].hint);
        assert_row(fake.n_destroyed == rows[i].n_destroyed, rows[i].name);
        assert_row(rows[i].n_destroyed == 0 || fake.destroyed[0] == FAKE_PRIVATE, rows[i].name);
    }
}

TEST(a_key_that_is_not_what_was_given_is_destroyed_again)
{
    static const struct {
        const char *name;
        int which;
        struct slice value;
    } rows[] = {
        { "CKA_SENSITIVE", SENSITIVE, { &no, 1 } },
        { "CKA_EXTRACTABLE", EXTRACTABLE, { &yes, 1 } },
        { "CKA_SIGN", SIGN, { &no, 1 } },
        { "CKA_ID", ID, { &no, 1 } },
        { "type or size", TYPE, { (const uint8_t *)&ec, sizeof(ec) } },
        { "public key", NUMBERS, { NULL, 256 } },
    };
    static uint8_t other[256];

    memset(other, 0xA5, sizeof(other));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct keystay_error err;

        reset(rsa_file.key);
        given[rows[i].which].value =
            rows[i].value.data == NULL ? (struct slice){ other, sizeof(other) } : rows[i].value;
        assert_row(
            bring_in(&rsa_file, (struct provision_wish){ .kind = NULL }, &err) == KEYSTAY_E_KEY_REFUSED,
            rows[i].name);
        assert_contains(err.message, rows[i].name);
        assert_contains(err.message, "destroyed again");
        assert_row(fake.n_destroyed == 2 && fake.destroyed[0] == FAKE_PRIVATE, rows[i].name);
    }
}

/* A key may be anything but local: what the token says of that does not decide. */
TEST(claims_of_an_origin_decide_nothing)
{
    CLEANUP(key_file_clear) struct key_file file = { .key = NULL };

    read_key(EVP_EC_gen("P-256"), &file);
    reset(file.key);
    given[LOCAL].value = VALUE(yes);
    assert_ok(bring_in(&file, (struct provision_wish){ .kind = NULL }, NULL));
}

TEST(the_certificate_goes_with_the_key)
{
    const struct cert_spec spec = { 0 };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&spec);
    const struct key_file file = { .key = rsa_file.key, .certificate = certificate };
    struct keystay_error err;

    reset(file.key);
    assert_ok(bring_in(&file, (struct provision_wish){ .kind = NULL }, NULL));
    assert_int_equal(fake.n_created, 3);
    assert_int_equal(fake.created_class[2], CKO_CERTIFICATE);
    assert_true(told(2, CKA_SUBJECT) != NULL && told(2, CKA_SERIAL_NUMBER) != NULL);

    reset(file.key);
    fake.create_rvs[2] = CKR_DEVICE_MEMORY;
    assert_int_equal(bring_in(&file, (struct provision_wish){ .kind = NULL }, &err), KEYSTAY_E_MODULE);
    assert_int_equal(fake.n_destroyed, 2);

    reset(file.key);
    given[SENSITIVE].value = VALUE(no);
    assert_int_equal(bring_in(&file, (struct provision_wish){ .kind = NULL }, &err), KEYSTAY_E_KEY_REFUSED);
    assert_int_equal(fake.n_destroyed, 3);
    assert_int_equal(fake.destroyed[2], FAKE_CERTIFICATE);
}

TEST(the_rule_for_names_is_that_of_new_keys)
{
    CLEANUP(key_file_clear) struct key_file file = { .key = NULL };
    struct keystay_error err;

    read_key(EVP_EC_gen("P-256"), &file);
    reset(file.key);
    fake.n_found = 1;
    fake.found[0] = 50;
    assert_int_equal(bring_in(&file, (struct provision_wish){ .kind = NULL }, &err), KEYSTAY_E_AMBIGUOUS);
    assert_contains(err.hint, "--replace");
    assert_int_equal(fake.n_created, 0);

    reset(file.key);
    fake.n_found = 1;
    fake.found[0] = 50;
    assert_ok(bring_in(&file, (struct provision_wish){ .replaces = true }, NULL));
    assert_int_equal(fake.n_destroyed, 1);
    assert_int_equal(fake.destroyed[0], 50);
}

static int remember(void **state)
{
    (void)state;
    read_key(rsa_rfc7515_key(), &rsa_file);
    return 0;
}

static int forget(void **state)
{
    (void)state;
    key_file_clear(&rsa_file);
    buf_clear(&modulus);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_rsa_key_is_given_whole),
        cmocka_unit_test(an_ec_key_is_given_whole),
        cmocka_unit_test(a_module_that_will_not_be_told_is_asked_again),
        cmocka_unit_test(what_a_token_does_not_take_leaves_nothing_behind),
        cmocka_unit_test(a_key_that_is_not_what_was_given_is_destroyed_again),
        cmocka_unit_test(claims_of_an_origin_decide_nothing),
        cmocka_unit_test(the_certificate_goes_with_the_key),
        cmocka_unit_test(the_rule_for_names_is_that_of_new_keys),
    };

    return cmocka_run_group_tests(tests, remember, forget);
}
