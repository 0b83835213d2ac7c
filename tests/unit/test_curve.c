/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "crypto/curve.h"

static const alg_set es256 = ALG_BIT(KEYSTAY_ALG_ES256), es384 = ALG_BIT(KEYSTAY_ALG_ES384);

TEST(what_is_not_told_is_unknown_and_rules_nothing_out)
{
    const struct curve curve = curve_read((struct slice){ NULL, 0 });

    assert_int_equal(curve.id, CURVE_UNKNOWN);
    assert_int_equal(curve.bits, 0);
    assert_int_equal(curve_algs(&curve), es256 | es384);
}

static const struct {
    const char *name;
    struct slice ec_params;
    enum curve_id id;
    unsigned int bits;
} rows[] = {
    { "P-256", SLICE("\x06\x08\x2A\x86\x48\xCE\x3D\x03\x01\x07"), CURVE_P256, 256 },
    { "P-384", SLICE("\x06\x05\x2B\x81\x04\x00\x22"), CURVE_P384, 384 },
    { "P-521", SLICE("\x06\x05\x2B\x81\x04\x00\x23"), CURVE_OTHER, 521 },
    { "secp256k1, as long as P-256", SLICE("\x06\x05\x2B\x81\x04\x00\x0A"), CURVE_OTHER, 256 },
    { "an object identifier that is no curve", SLICE("\x06\x03\x55\x04\x03"), CURVE_OTHER, 0 },
    { "one that nobody knows", SLICE("\x06\x03\x2A\x03\x7F"), CURVE_OTHER, 0 },
    { "the name P-256", SLICE("\x13\x05P-256"), CURVE_P256, 256 },
    { "the name secp256r1", SLICE("\x13\x09secp256r1"), CURVE_P256, 256 },
    { "the name prime256v1", SLICE("\x13\x0Aprime256v1"), CURVE_P256, 256 },
    { "the name secp384r1", SLICE("\x13\x09secp384r1"), CURVE_P384, 384 },
    { "the name P-384", SLICE("\x13\x05P-384"), CURVE_P384, 384 },
    { "the name P-521", SLICE("\x13\x05P-521"), CURVE_OTHER, 521 },
    { "the name of another",
      SLICE("\x13\x0C"
            "edwards25519"),
      CURVE_OTHER, 0 },
    { "a name with a NUL", SLICE("\x13\x06P-256\0"), CURVE_OTHER, 0 },
    { "implicit parameters", SLICE("\x05\x00"), CURVE_UNKNOWN, 0 },
    { "explicit parameters", SLICE("\x30\x03\x02\x01\x01"), CURVE_UNKNOWN, 0 },
    { "a byte too many", SLICE("\x06\x05\x2B\x81\x04\x00\x22\x00"), CURVE_UNKNOWN, 0 },
    { "a byte too few", SLICE("\x06\x05\x2B\x81\x04\x00"), CURVE_UNKNOWN, 0 },
    { "a name and more", SLICE("\x13\x05P-256\x00"), CURVE_UNKNOWN, 0 },
    { "another kind of string", SLICE("\x0C\x05P-256"), CURVE_UNKNOWN, 0 },
    { "no DER", SLICE("P-256"), CURVE_UNKNOWN, 0 },
    { "a tag alone", SLICE("\x06"), CURVE_UNKNOWN, 0 },
    { "a claim of more than there is", SLICE("\x06\x84\x7F\xFF\xFF\xFF\x01"), CURVE_UNKNOWN, 0 },
};

TEST(a_curve_is_known_by_its_number_or_its_name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct curve curve = curve_read(rows[i].ec_params);

        assert_row(curve.id == rows[i].id, rows[i].name);
        assert_row(curve.bits == rows[i].bits, rows[i].name);
    }
}

TEST(an_algorithm_goes_with_its_own_curve)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct curve curve = curve_read(rows[i].ec_params);
        const alg_set expected = curve.id == CURVE_P256      ? es256
                                 : curve.id == CURVE_P384    ? es384
                                 : curve.id == CURVE_UNKNOWN ? es256 | es384
                                                             : 0;
        assert_row(curve_algs(&curve) == expected, rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_told_is_unknown_and_rules_nothing_out),
        cmocka_unit_test(a_curve_is_known_by_its_number_or_its_name),
        cmocka_unit_test(an_algorithm_goes_with_its_own_curve),
    };

    return RUN_TESTS(tests);
}
