/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_module.h"

#include <openssl/ec.h>

#include "pkcs11/cryptoki/key.h"
#include "rsa.h"

static const uint8_t p256[] = { 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07 };
static const uint8_t p384[] = { 0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22 };
static const uint8_t secp256k1[] = { 0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x0A };
static const uint8_t explicit_params[KEY_CURVE_MAX + 40] = { 0x30, 0x66 };
static const CK_KEY_TYPE ec = CKK_EC, rsa = CKK_RSA;

#define BYTES(array) ((struct slice){ (const uint8_t *)(array), sizeof(array) })

static const alg_set es256 = ALG_BIT(KEYSTAY_ALG_ES256), es384 = ALG_BIT(KEYSTAY_ALG_ES384);
#define ALL_RSA                                                                             \
    (ALG_BIT(KEYSTAY_ALG_RS256) | ALG_BIT(KEYSTAY_ALG_RS384) | ALG_BIT(KEYSTAY_ALG_RS512) | \
     ALG_BIT(KEYSTAY_ALG_PS256) | ALG_BIT(KEYSTAY_ALG_PS384) | ALG_BIT(KEYSTAY_ALG_PS512))

/* The one private key of a fake token that tells type and second. */
static struct p11_key read_key(const CK_KEY_TYPE *type, CK_ATTRIBUTE_TYPE second, struct slice value)
{
    struct p11_module module = fake_reset();
    struct p11_session session = fake_session(&module);
    const struct fake_attribute attributes[] = {
        { CKA_KEY_TYPE, { (const uint8_t *)type, sizeof(*type) }, CKR_OK },
        { second, value, CKR_OK },
    };
    struct p11_key key;

    fake.attributes = attributes;
    fake.n_attributes = ARRAY_LEN(attributes);
    assert_ok(key_read(&session, 7, &key, NULL));
    fake.attributes = NULL;
    fake.n_attributes = 0;
    return key;
}

static struct p11_key ec_key(struct slice ec_params)
{
    return read_key(&ec, CKA_EC_PARAMS, ec_params);
}

static struct p11_key rsa_key(unsigned int bits)
{
    uint8_t modulus[600] = { 0 };
    size_t len = (bits + 7) / 8 + 1; /* with the zero byte that some modules put first */

    modulus[1] = (uint8_t)(1U << (bits + 7) % 8);
    return read_key(&rsa, CKA_MODULUS, (struct slice){ modulus, len });
}

TEST(a_key_of_no_type_can_do_nothing)
{
    const struct p11_key key = { .type = CK_UNAVAILABLE_INFORMATION };

    assert_int_equal(key_bits(&key), 0);
    assert_int_equal(key_algs(&key), 0);
}

TEST(the_parameters_tell_what_a_key_without_certificate_can_do)
{
    static const struct {
        const char *name;
        struct slice ec_params;
        unsigned int bits;
        alg_set algs;
    } rows[] = {
        { "P-256", { p256, sizeof(p256) }, 256, ALG_BIT(KEYSTAY_ALG_ES256) },
        { "P-384", { p384, sizeof(p384) }, 384, ALG_BIT(KEYSTAY_ALG_ES384) },
        { "secp256k1", { secp256k1, sizeof(secp256k1) }, 256, 0 },
        { "by name", { (const uint8_t *)"\x13\x05P-384", 7 }, 384, ALG_BIT(KEYSTAY_ALG_ES384) },
        { "explicit, too long to name a curve",
          { explicit_params, sizeof(explicit_params) },
          0,
          ALG_BIT(KEYSTAY_ALG_ES256) | ALG_BIT(KEYSTAY_ALG_ES384) },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct p11_key key = ec_key(rows[i].ec_params);

        assert_row(key_bits(&key) == rows[i].bits, rows[i].name);
        assert_row(key_algs(&key) == rows[i].algs, rows[i].name);
    }
}

TEST(a_token_that_tells_no_parameters_rules_no_curve_out)
{
    const struct p11_key key = read_key(&ec, CKA_LABEL, SLICE("x"));

    assert_int_equal(key.curve.id, CURVE_UNKNOWN);
    assert_int_equal(key_bits(&key), 0);
    assert_int_equal(key_algs(&key), es256 | es384);
}

TEST(an_rsa_key_is_as_long_as_its_modulus)
{
    static const unsigned int bits[] = { 1, 1024, 2047, 2048, 2049, 4096 };

    for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
        const struct p11_key key = rsa_key(bits[i]);

        assert_int_equal(key_bits(&key), bits[i]);
        assert_int_equal(key_algs(&key), bits[i] < ALG_RSA_BITS_MIN ? 0 : ALL_RSA);
    }
}

TEST(an_rsa_key_that_tells_no_modulus_may_be_long_enough)
{
    const struct p11_key key = read_key(&rsa, CKA_LABEL, SLICE("x"));

    assert_int_equal(key_bits(&key), 0);
    assert_int_equal(key_algs(&key), ALL_RSA);
}

TEST(a_certificate_on_another_curve_is_not_the_keys)
{
    CLEANUP(pkey_freep) EVP_PKEY *on_p256 = EVP_EC_gen("P-256");
    const struct cert_spec spec = { .key = on_p256 };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&spec);
    const struct p11_key same = ec_key(BYTES(p256));
    const struct p11_key longer = ec_key(BYTES(p384));
    const struct p11_key alike = ec_key(BYTES(secp256k1));
    const struct p11_key untold = ec_key(BYTES(explicit_params));

    assert_int_equal(key_belongs_to(&same, certificate), KEY_BELONGS_UNKNOWN);
    assert_int_equal(key_belongs_to(&untold, certificate), KEY_BELONGS_UNKNOWN);
    assert_int_equal(key_belongs_to(&longer, certificate), KEY_BELONGS_NO);
    assert_int_equal(key_belongs_to(&alike, certificate), KEY_BELONGS_NO);
}

TEST(the_public_half_fills_in_what_the_private_one_does_not_tell)
{
    struct p11_module module = fake_reset();
    struct p11_session session = fake_session(&module);
    const struct fake_attribute attributes[] = {
        { CKA_ID, SLICE("\x01"), CKR_OK },
        { CKA_EC_POINT, SLICE("\x04\x02xy"), CKR_OK },
        { CKA_EC_PARAMS, BYTES(p384), CKR_OK },
    };
    struct p11_key key = { .type = CKK_EC, .id = { 1 }, .id_len = 1 };
    struct p11_key told = { .type = CKK_EC, .id = { 1 }, .id_len = 1, .curve = { CURVE_P256, 256 } };

    fake.attributes = attributes;
    fake.n_attributes = ARRAY_LEN(attributes);
    fake.n_found = 1;
    fake.found[0] = 9;
    assert_ok(key_read_public(&session, &key, NULL));
    assert_int_equal(key.point_len, 4);
    assert_int_equal(key_bits(&key), 384);
    assert_int_equal(key_algs(&key), es384);
    assert_ok(key_read_public(&session, &told, NULL));
    assert_int_equal(key_algs(&told), es256); /* the private key's own word stands */
    fake.attributes = NULL;
}

/* A private key, and what the one object that all reads see says: for its own and the public object's. */
static enum keystay_status public_key_of(
    struct p11_key key, const struct fake_attribute *attributes, size_t n, struct public_key **ret_key)
{
    struct p11_module module = fake_reset();
    struct p11_session session = fake_session(&module);

    key.id[0] = 1;
    key.id_len = 1;
    fake.attributes = attributes;
    fake.n_attributes = n;
    fake.n_found = 1;
    enum keystay_status status = key_public_key(&session, &key, ret_key, NULL);
    fake.attributes = NULL;
    return status;
}

TEST(an_rsa_public_key_is_put_together)
{
    const struct fake_attribute exponents[] = { { CKA_PUBLIC_EXPONENT, SLICE("\x00\x01\x00\x01"), CKR_OK },
                                                { CKA_PUBLIC_EXPONENT, SLICE("\x02"), CKR_OK },
                                                { CKA_PUBLIC_EXPONENT, SLICE(""), CKR_OK } };
    CLEANUP(pkey_freep) EVP_PKEY *pkey = rsa_rfc7515_key();
    const struct cert_spec spec = { .key = pkey };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&spec);
    CLEANUP(buf_clear) struct buf modulus = BUF(2048);
    CLEANUP(buf_clear) struct buf exponent = BUF(16);
    CLEANUP(public_key_freep) struct public_key *public_key = NULL;
    struct p11_key key = { .type = CKK_RSA };

    assert_ok(public_key_numbers(certificate_public_key(certificate), &modulus, &exponent, NULL));
    memcpy(key.modulus + 1, modulus.data, modulus.len); /* with the zero byte that some modules put first */
    key.modulus_len = modulus.len + 1;
    assert_int_equal(public_key_of(key, &exponents[1], 1, &public_key), KEYSTAY_E_KEY_REFUSED);
    assert_int_equal(public_key_of(key, &exponents[2], 1, &public_key), KEYSTAY_E_KEY_REFUSED);
    assert_int_equal(public_key_of(key, NULL, 0, &public_key), KEYSTAY_E_KEY_REFUSED);
    assert_null(public_key);
    assert_ok(public_key_of(key, &exponents[0], 1, &public_key));
    assert_true(public_key_equal(public_key, certificate_public_key(certificate)));
    assert_int_equal(key_is_half_of(&key, public_key), KEY_BELONGS_YES);
}

TEST(an_ec_public_key_is_put_together)
{
    CLEANUP(pkey_freep) EVP_PKEY *pkey = EVP_EC_gen("P-256");
    const struct cert_spec spec = { .key = pkey };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&spec);
    CLEANUP(buf_clear) struct buf point = BUF(200);
    const struct p11_key key = { .type = CKK_EC, .curve = { CURVE_P256, 256 } };

    assert_ok(buf_put(&point, SLICE("\x04\x41\x04"), NULL)); /* in its OCTET STRING */
    assert_ok(public_key_numbers(certificate_public_key(certificate), &point, &point, NULL));
    for (size_t skip = 0; skip <= 3; skip++) {
        const struct fake_attribute attributes[] = {
            { CKA_EC_POINT, { point.data + skip, point.len - skip }, CKR_OK },
            { CKA_EC_PARAMS, BYTES(p256), CKR_OK },
        };
        CLEANUP(public_key_freep) struct public_key *public_key = NULL;
        bool is_point = skip == 0 || skip == 2; /* with the wrapping, and bare */

        assert_int_equal(public_key_of(key, attributes, 2, &public_key) == KEYSTAY_OK, is_point);
        assert_true(!is_point || public_key_equal(public_key, certificate_public_key(certificate)));
    }
    CLEANUP(public_key_freep) struct public_key *none = NULL;
    assert_int_equal(public_key_of(key, NULL, 0, &none), KEYSTAY_E_KEY_REFUSED); /* it does not tell */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_of_no_type_can_do_nothing),
        cmocka_unit_test(the_parameters_tell_what_a_key_without_certificate_can_do),
        cmocka_unit_test(a_token_that_tells_no_parameters_rules_no_curve_out),
        cmocka_unit_test(an_rsa_key_is_as_long_as_its_modulus),
        cmocka_unit_test(an_rsa_key_that_tells_no_modulus_may_be_long_enough),
        cmocka_unit_test(a_certificate_on_another_curve_is_not_the_keys),
        cmocka_unit_test(the_public_half_fills_in_what_the_private_one_does_not_tell),
        cmocka_unit_test(an_rsa_public_key_is_put_together),
        cmocka_unit_test(an_ec_public_key_is_put_together),
    };

    return RUN_TESTS(tests);
}
