/* SPDX-License-Identifier: Apache-2.0 */
/* Whose public key is removed beside a private one, and what is left alone. */
#include "fake_module.h"

#include "pkcs11/cryptoki/removal.h"

static const CK_KEY_TYPE rsa = CKK_RSA, ec = CKK_EC;

#define VALUE(variable) ((struct slice){ (const uint8_t *)&(variable), sizeof(variable) })

/* The private key, handle 7, and one other object, handle 8, that its id finds. */
static enum keystay_status remove_beside(
    CK_KEY_TYPE type, const struct fake_attribute *other, size_t n_other, size_t *ret_n)
{
    struct p11_module module = fake_reset();
    struct p11_session session = fake_session(&module);
    struct p11_key key = { .handle = 7, .type = type, .id = { 1 }, .id_len = 1, .label = "a" };

    memcpy(type == CKK_RSA ? key.modulus : key.point, "\x81\x82", 2);
    *(type == CKK_RSA ? &key.modulus_len : &key.point_len) = 2;
    fake.found[0] = 8;
    fake.n_found = 1;
    fake.attributes = other;
    fake.n_attributes = n_other;
    return provision_remove_key(&session, &key, false, ret_n, NULL);
}

TEST(both_halves_go_and_nothing_of_another_key)
{
    const struct {
        const char *name;
        CK_KEY_TYPE type;
        struct fake_attribute other[3];
        bool goes;
    } rows[] = {
        { "its own",
          CKK_RSA,
          { { CKA_KEY_TYPE, VALUE(rsa), CKR_OK },
            { CKA_LABEL, SLICE("a"), CKR_OK },
            { CKA_MODULUS, SLICE("\x81\x82"), CKR_OK } },
          true },
        { "another modulus",
          CKK_RSA,
          { { CKA_KEY_TYPE, VALUE(rsa), CKR_OK },
            { CKA_LABEL, SLICE("a"), CKR_OK },
            { CKA_MODULUS, SLICE("\x81\x83"), CKR_OK } },
          false },
        { "another label",
          CKK_RSA,
          { { CKA_KEY_TYPE, VALUE(rsa), CKR_OK },
            { CKA_LABEL, SLICE("b"), CKR_OK },
            { CKA_MODULUS, SLICE("\x81\x82"), CKR_OK } },
          false },
        { "another type",
          CKK_RSA,
          { { CKA_KEY_TYPE, VALUE(ec), CKR_OK },
            { CKA_LABEL, SLICE("a"), CKR_OK },
            { CKA_EC_POINT, SLICE("\x81\x82"), CKR_OK } },
          false },
        { "its own, EC",
          CKK_EC,
          { { CKA_KEY_TYPE, VALUE(ec), CKR_OK },
            { CKA_LABEL, SLICE("a"), CKR_OK },
            { CKA_EC_POINT, SLICE("\x81\x82"), CKR_OK } },
          true },
        { "another point",
          CKK_EC,
          { { CKA_KEY_TYPE, VALUE(ec), CKR_OK },
            { CKA_LABEL, SLICE("a"), CKR_OK },
            { CKA_EC_POINT, SLICE("\x81\x83"), CKR_OK } },
          false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = 0;

        assert_row(
            remove_beside(rows[i].type, rows[i].other, ARRAY_LEN(rows[i].other), &n) == KEYSTAY_OK,
            rows[i].name);
        assert_row(fake.destroyed[0] == 7, rows[i].name);
        assert_row(n == (rows[i].goes ? 2 : 1) && fake.n_destroyed == (int)n, rows[i].name);
    }
}

TEST(a_refusal_leaves_all_as_it_was)
{
    struct p11_module module = fake_reset();
    struct p11_session session = fake_session(&module);
    const struct p11_key key = { .handle = 7, .type = CKK_RSA, .id = { 1 }, .id_len = 1 };
    size_t n = 9;

    fake.destroy_rv = CKR_SESSION_READ_ONLY;
    fake.n_found = 1;
    assert_int_equal(provision_remove_key(&session, &key, true, &n, NULL), KEYSTAY_E_MODULE);
    assert_int_equal(n, 0);
    assert_int_equal(fake.n_destroyed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_halves_go_and_nothing_of_another_key),
        cmocka_unit_test(a_refusal_leaves_all_as_it_was),
    };

    return RUN_TESTS(tests);
}
