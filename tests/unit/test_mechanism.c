/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_module.h"

#include <stdlib.h>

#include "crypto/digest.h"
#include "pkcs11/cryptoki/mechanism.h"

static const struct slice message = { (const uint8_t *)"head.claims", 11 };

static struct mechanism_list list_of(const CK_MECHANISM_TYPE *types, size_t n)
{
    struct mechanism_list list = { .n = n };

    memcpy(list.types, types, n * sizeof(*types));
    return list;
}

#define LIST(...)                                   \
    list_of(                                        \
        (const CK_MECHANISM_TYPE[]){ __VA_ARGS__ }, \
        sizeof((CK_MECHANISM_TYPE[]){ __VA_ARGS__ }) / sizeof(CK_MECHANISM_TYPE))

static enum keystay_status read_list(
    const struct p11_key *key, struct mechanism_list *list, struct keystay_error *err)
{
    struct p11_module module = fake_reset();
    struct p11_session session = fake_session(&module);
    static const CK_MECHANISM_TYPE offered[] = { CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS, CKM_RSA_X_509,
                                                 CKM_ECDSA };

    fake.mechanisms = offered;
    fake.n_mechanisms = ARRAY_LEN(offered);
    return mechanism_list_read(&session, 9, key, list, err);
}

TEST(a_list_that_cannot_be_had_is_an_error)
{
    static const CK_RV codes[] = { CKR_DEVICE_REMOVED, CKR_SLOT_ID_INVALID };
    static const CK_MECHANISM_TYPE one = CKM_RSA_PKCS;
    const struct p11_key key = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        struct p11_module module = fake_reset();
        struct p11_session session = fake_session(&module);
        struct mechanism_list list;
        struct keystay_error err;

        fake.mechanisms = &one;
        fake.list_rv = codes[i];
        assert_int_equal(mechanism_list_read(&session, 9, &key, &list, &err), KEYSTAY_E_MODULE);
        assert_int_equal(err.ck_rv, codes[i]);
        assert_contains(err.message, "token 'fake': C_GetMechanismList failed");
    }
}

TEST(there_is_no_nth_mechanism_when_there_are_fewer)
{
    const struct mechanism_list list = LIST(CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS);
    const struct mechanism_task task = { alg_by_id(KEYSTAY_ALG_RS256), message, 2048 };
    struct keystay_error err;

    for (size_t nth = 2; nth < 5; nth++) {
        CLEANUP(mechanism_call_clear) struct mechanism_call call = { 0 };
        assert_int_equal(mechanism_prepare(&list, &task, nth, &call, &err), KEYSTAY_E_ALGORITHM);
        assert_contains(err.message, "RS256");
    }
}

TEST(clearing_nothing_is_fine)
{
    struct mechanism_call call = { 0 };

    mechanism_call_clear(&call);
    mechanism_call_clear(&call);
}

TEST(a_key_without_restrictions_gets_the_whole_list)
{
    const struct p11_key key = { 0 };
    struct mechanism_list list = { .n = 99 };

    assert_ok(read_list(&key, &list, NULL));
    assert_int_equal(list.n, 4);
    assert_int_equal(list.types[0], CKM_RSA_PKCS);
    assert_int_equal(list.types[3], CKM_ECDSA);
    assert_int_equal(fake.slot, 9);
    assert_string_equal(fake.trace, "C_GetMechanismList ");
}

/* CKA_ALLOWED_MECHANISMS. What the key names and the token does not list may be tried: tpm2-pkcs11. */
TEST(the_key_has_the_last_word)
{
    const struct p11_key key = { .allowed = { CKM_ECDSA, CKM_RSA_X_509, CKM_RSA_PKCS_PSS }, .n_allowed = 3 };
    struct mechanism_list list;

    assert_ok(read_list(&key, &list, NULL));
    assert_int_equal(list.n, 3);
    assert_int_equal(list.types[0], CKM_RSA_X_509);
    assert_int_equal(list.types[1], CKM_ECDSA);
    assert_int_equal(list.types[2], CKM_RSA_PKCS_PSS);
}

TEST(what_the_key_does_not_allow_is_not_done)
{
    const struct p11_key key = { .allowed = { CKM_RSA_PKCS_PSS }, .n_allowed = 1 };
    struct mechanism_list list;

    assert_ok(read_list(&key, &list, NULL));
    assert_int_equal(mechanism_algs(&list, CKK_RSA) & ALG_BIT(KEYSTAY_ALG_RS256), 0);
    assert_int_equal(mechanism_algs(&list, CKK_EC), 0);
}

#define RS (ALG_BIT(KEYSTAY_ALG_RS256) | ALG_BIT(KEYSTAY_ALG_RS384) | ALG_BIT(KEYSTAY_ALG_RS512))
#define PS (ALG_BIT(KEYSTAY_ALG_PS256) | ALG_BIT(KEYSTAY_ALG_PS384) | ALG_BIT(KEYSTAY_ALG_PS512))
#define ES (ALG_BIT(KEYSTAY_ALG_ES256) | ALG_BIT(KEYSTAY_ALG_ES384))

TEST(the_algorithms_follow_from_the_mechanisms_and_the_type_of_the_key)
{
    static const struct {
        const char *name;
        CK_MECHANISM_TYPE types[4];
        size_t n;
        CK_KEY_TYPE key_type;
        alg_set algs;
    } rows[] = {
        { "nothing", { 0 }, 0, CKK_RSA, 0 },
        { "padding only", { CKM_RSA_PKCS }, 1, CKK_RSA, RS },
        { "PSS padding only", { CKM_RSA_PKCS_PSS }, 1, CKK_RSA, PS },
        { "raw only", { CKM_RSA_X_509 }, 1, CKK_RSA, RS | PS },
        { "combined only", { CKM_SHA256_RSA_PKCS }, 1, CKK_RSA, ALG_BIT(KEYSTAY_ALG_RS256) },
        { "combined RS384", { CKM_SHA384_RSA_PKCS }, 1, CKK_RSA, ALG_BIT(KEYSTAY_ALG_RS384) },
        { "combined RS512", { CKM_SHA512_RSA_PKCS }, 1, CKK_RSA, ALG_BIT(KEYSTAY_ALG_RS512) },
        { "combined PS256", { CKM_SHA256_RSA_PKCS_PSS }, 1, CKK_RSA, ALG_BIT(KEYSTAY_ALG_PS256) },
        { "combined PS512", { CKM_SHA512_RSA_PKCS_PSS }, 1, CKK_RSA, ALG_BIT(KEYSTAY_ALG_PS512) },
        { "curve", { CKM_ECDSA }, 1, CKK_EC, ES },
        { "curve, combined", { CKM_ECDSA_SHA384 }, 1, CKK_EC, ALG_BIT(KEYSTAY_ALG_ES384) },
        { "a curve's mechanism for an RSA key", { CKM_ECDSA }, 1, CKK_RSA, 0 },
        { "RSA's mechanism for a curve", { CKM_RSA_PKCS, CKM_RSA_X_509 }, 2, CKK_EC, 0 },
        { "SHA-1 and MD5 are not for us",
          { CKM_SHA1_RSA_PKCS, CKM_MD5_RSA_PKCS, CKM_ECDSA_SHA1 },
          3,
          CKK_RSA,
          0 },
        { "a type of key that is unknown", { CKM_RSA_PKCS, CKM_ECDSA }, 2, CK_UNAVAILABLE_INFORMATION, 0 },
        { "Ed25519", { CKM_ECDSA, 0x1057 /* CKM_EDDSA */ }, 2, 0x40 /* CKK_EC_EDWARDS */, 0 },
        { "vendor's", { CKM_RSA_PKCS | CKM_VENDOR_DEFINED }, 1, CKK_RSA, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct mechanism_list list = list_of(rows[i].types, rows[i].n);
        assert_row(mechanism_algs(&list, rows[i].key_type) == rows[i].algs, rows[i].name);
    }
}

enum form { MESSAGE, DIGEST_INFO, DIGEST, ENCODED };

/* What C_SignInit and C_Sign are given, when a token has all of them: best first. */
static const struct {
    const char *alg;
    struct {
        CK_MECHANISM_TYPE type;
        enum form form;
    } nth[MECHANISM_CHOICES_MAX];
    size_t n;
    CK_MECHANISM_TYPE pss_hash; /* 0: no parameter */
    CK_RSA_PKCS_MGF_TYPE pss_mgf;
} choices[] = {
    { "RS256",
      { { CKM_SHA256_RSA_PKCS, MESSAGE }, { CKM_RSA_PKCS, DIGEST_INFO }, { CKM_RSA_X_509, ENCODED } },
      3,
      0,
      0 },
    { "RS384",
      { { CKM_SHA384_RSA_PKCS, MESSAGE }, { CKM_RSA_PKCS, DIGEST_INFO }, { CKM_RSA_X_509, ENCODED } },
      3,
      0,
      0 },
    { "RS512",
      { { CKM_SHA512_RSA_PKCS, MESSAGE }, { CKM_RSA_PKCS, DIGEST_INFO }, { CKM_RSA_X_509, ENCODED } },
      3,
      0,
      0 },
    { "PS256",
      { { CKM_SHA256_RSA_PKCS_PSS, MESSAGE }, { CKM_RSA_PKCS_PSS, DIGEST }, { CKM_RSA_X_509, ENCODED } },
      3,
      CKM_SHA256,
      CKG_MGF1_SHA256 },
    { "PS384",
      { { CKM_SHA384_RSA_PKCS_PSS, MESSAGE }, { CKM_RSA_PKCS_PSS, DIGEST }, { CKM_RSA_X_509, ENCODED } },
      3,
      CKM_SHA384,
      CKG_MGF1_SHA384 },
    { "PS512",
      { { CKM_SHA512_RSA_PKCS_PSS, MESSAGE }, { CKM_RSA_PKCS_PSS, DIGEST }, { CKM_RSA_X_509, ENCODED } },
      3,
      CKM_SHA512,
      CKG_MGF1_SHA512 },
    { "ES256", { { CKM_ECDSA, DIGEST }, { CKM_ECDSA_SHA256, MESSAGE } }, 2, 0, 0 },
    { "ES384", { { CKM_ECDSA, DIGEST }, { CKM_ECDSA_SHA384, MESSAGE } }, 2, 0, 0 },
};

static const CK_MECHANISM_TYPE everything[] = {
    CKM_ECDSA_SHA384,        CKM_ECDSA_SHA256,        CKM_ECDSA,
    CKM_RSA_X_509,           CKM_RSA_PKCS_PSS,        CKM_RSA_PKCS,
    CKM_SHA512_RSA_PKCS,     CKM_SHA384_RSA_PKCS,     CKM_SHA256_RSA_PKCS,
    CKM_SHA1_RSA_PKCS,       CKM_SHA512_RSA_PKCS_PSS, CKM_SHA384_RSA_PKCS_PSS,
    CKM_SHA256_RSA_PKCS_PSS,
};

static void assert_form(const struct mechanism_call *call, enum form form, const struct alg *alg)
{
    uint8_t digest[ALG_DIGEST_MAX];
    struct slice input = buf_slice(&call->input);
    struct slice expected = { digest, alg->digest_len };

    assert_ok(digest_of(alg->digest, message, digest, alg->digest_len, NULL));
    switch (form) {
    case MESSAGE:
        assert_true(slice_equal(input, message));
        return;
    case DIGEST:
        assert_true(slice_equal(input, expected));
        return;
    case DIGEST_INFO: /* RFC 8017 §9.2 note 1 */
        assert_int_equal(input.len, 19 + alg->digest_len);
        assert_memory_equal(input.data, "\x30", 1);
        assert_int_equal(input.data[1], 17 + alg->digest_len);
        assert_memory_equal(input.data + 19, digest, alg->digest_len);
        return;
    case ENCODED:
        assert_int_equal(input.len, 256);
        assert_int_equal(input.data[255] == 0xBC, alg->family == ALG_RSA_PSS);
        return;
    }
}

static void assert_parameter(
    const struct mechanism_call *call, const struct alg *alg, size_t row, enum form form)
{
    if (choices[row].pss_hash == 0 || form == ENCODED) {
        assert_null(call->mechanism.pParameter);
        assert_int_equal(call->mechanism.ulParameterLen, 0);
        return;
    }
    /* RFC 7518 §3.5: the same hash for MGF1, a salt as long as the hash. */
    assert_ptr_equal(call->mechanism.pParameter, &call->pss);
    assert_int_equal(call->mechanism.ulParameterLen, sizeof(CK_RSA_PKCS_PSS_PARAMS));
    assert_int_equal(call->pss.hashAlg, choices[row].pss_hash);
    assert_int_equal(call->pss.mgf, choices[row].pss_mgf);
    assert_int_equal(call->pss.sLen, alg->digest_len);
}

TEST(the_best_mechanism_comes_first_whatever_the_order_of_the_list)
{
    const struct mechanism_list list = list_of(everything, ARRAY_LEN(everything));

    for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
        const struct alg *alg = alg_by_name(choices[i].alg);
        const struct mechanism_task task = { alg, message, 2048 };

        for (size_t nth = 0; nth < choices[i].n; nth++) {
            CLEANUP(mechanism_call_clear) struct mechanism_call call = { 0 };

            assert_row(mechanism_prepare(&list, &task, nth, &call, NULL) == KEYSTAY_OK, choices[i].alg);
            assert_row(call.mechanism.mechanism == choices[i].nth[nth].type, choices[i].alg);
            assert_form(&call, choices[i].nth[nth].form, alg);
            assert_parameter(&call, alg, i, choices[i].nth[nth].form);
        }
        CLEANUP(mechanism_call_clear) struct mechanism_call none = { 0 };
        assert_row(
            mechanism_prepare(&list, &task, choices[i].n, &none, NULL) == KEYSTAY_E_ALGORITHM,
            choices[i].alg);
    }
}

TEST(what_the_token_lacks_is_passed_over)
{
    static const struct {
        const char *name, *alg;
        CK_MECHANISM_TYPE types[3];
        size_t nth;
        CK_MECHANISM_TYPE expected; /* 0: none */
    } rows[] = {
        { "openCryptoki: padding only", "RS256", { CKM_RSA_PKCS }, 0, CKM_RSA_PKCS },
        { "raw only", "RS256", { CKM_RSA_X_509 }, 0, CKM_RSA_X_509 },
        { "raw only, PSS", "PS256", { CKM_RSA_X_509 }, 0, CKM_RSA_X_509 },
        { "combined and raw", "RS256", { CKM_RSA_X_509, CKM_SHA256_RSA_PKCS }, 1, CKM_RSA_X_509 },
        { "another hash's", "RS384", { CKM_SHA256_RSA_PKCS, CKM_SHA512_RSA_PKCS }, 0, 0 },
        { "PKCS#1 is not PSS", "PS256", { CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS }, 0, 0 },
        { "PSS is not PKCS#1", "RS256", { CKM_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS_PSS }, 0, 0 },
        { "combined curve", "ES256", { CKM_ECDSA_SHA256 }, 0, CKM_ECDSA_SHA256 },
        { "another curve's", "ES256", { CKM_ECDSA_SHA384 }, 0, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct mechanism_list list = list_of(rows[i].types, 3);
        const struct mechanism_task task = { alg_by_name(rows[i].alg), message, 2048 };
        CLEANUP(mechanism_call_clear) struct mechanism_call call = { 0 };
        enum keystay_status status = mechanism_prepare(&list, &task, rows[i].nth, &call, NULL);

        assert_row(status == (rows[i].expected == 0 ? KEYSTAY_E_ALGORITHM : KEYSTAY_OK), rows[i].name);
        assert_row(status != KEYSTAY_OK || call.mechanism.mechanism == rows[i].expected, rows[i].name);
    }
}

/* RFC 8017 §9.2: 00 01 FF ... FF 00 DigestInfo, as long as the modulus. */
TEST(raw_rsa_is_given_our_own_padding)
{
    static const unsigned int sizes[] = { 2048, 3072, 4096 };
    const struct mechanism_list list = LIST(CKM_RSA_X_509);

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        const struct mechanism_task task = { alg_by_id(KEYSTAY_ALG_RS256), message, sizes[i] };
        CLEANUP(mechanism_call_clear) struct mechanism_call call = { 0 };
        const size_t len = sizes[i] / 8;

        assert_ok(mechanism_prepare(&list, &task, 0, &call, NULL));
        assert_int_equal(call.input.len, len);
        assert_memory_equal(call.input.data, "\x00\x01\xFF", 3);
        for (size_t at = 2; at < len - 51 - 1; at++) {
            assert_int_equal(call.input.data[at], 0xFF);
        }
        assert_int_equal(call.input.data[len - 52], 0x00);
        assert_memory_equal(call.input.data + len - 51, "\x30\x31\x30\x0d", 4);
    }
}

TEST(raw_rsa_with_a_key_that_is_too_small_is_refused)
{
    const struct mechanism_list list = LIST(CKM_RSA_X_509);
    static const unsigned int sizes[] = { 0, 1024, 2047 };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        const struct mechanism_task task = { alg_by_id(KEYSTAY_ALG_PS256), message, sizes[i] };
        CLEANUP(mechanism_call_clear) struct mechanism_call call = { 0 };
        assert_int_not_equal(mechanism_prepare(&list, &task, 0, &call, NULL), KEYSTAY_OK);
    }
}

TEST(a_message_has_a_longest_length_for_the_token_and_none_for_its_digest)
{
    const struct mechanism_list combined = LIST(CKM_SHA256_RSA_PKCS);
    const struct mechanism_list padding = LIST(CKM_RSA_PKCS);
    CLEANUP(freep) uint8_t *bytes = calloc(1, MECHANISM_INPUT_MAX + 1);
    struct mechanism_task task = { alg_by_id(KEYSTAY_ALG_RS256), { bytes, MECHANISM_INPUT_MAX }, 2048 };

    assert_non_null(bytes);
    for (size_t over = 0; over <= 1; over++) {
        CLEANUP(mechanism_call_clear) struct mechanism_call whole = { 0 };
        CLEANUP(mechanism_call_clear) struct mechanism_call digest = { 0 };

        task.input.len = MECHANISM_INPUT_MAX + over;
        assert_int_equal(
            mechanism_prepare(&combined, &task, 0, &whole, NULL), over ? KEYSTAY_E_NO_MEMORY : KEYSTAY_OK);
        assert_ok(mechanism_prepare(&padding, &task, 0, &digest, NULL));
    }
}

TEST(lists_of_any_length_are_read_or_refused)
{
    static CK_MECHANISM_TYPE types[MECHANISM_LIST_MAX + 1];
    static const struct {
        CK_ULONG n;
        enum keystay_status status;
    } rows[] = { { 0, KEYSTAY_OK },
                 { MECHANISM_LIST_MAX, KEYSTAY_OK },
                 { MECHANISM_LIST_MAX + 1, KEYSTAY_E_MODULE } };
    const struct p11_key key = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct p11_module module = fake_reset();
        struct p11_session session = fake_session(&module);
        struct mechanism_list list = { 0 };

        fake.mechanisms = types;
        fake.n_mechanisms = rows[i].n;
        assert_int_equal(mechanism_list_read(&session, 9, &key, &list, NULL), rows[i].status);
        assert_int_equal(list.n, rows[i].status == KEYSTAY_OK ? rows[i].n : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_that_cannot_be_had_is_an_error),
        cmocka_unit_test(there_is_no_nth_mechanism_when_there_are_fewer),
        cmocka_unit_test(clearing_nothing_is_fine),
        cmocka_unit_test(a_key_without_restrictions_gets_the_whole_list),
        cmocka_unit_test(the_key_has_the_last_word),
        cmocka_unit_test(what_the_key_does_not_allow_is_not_done),
        cmocka_unit_test(the_algorithms_follow_from_the_mechanisms_and_the_type_of_the_key),
        cmocka_unit_test(the_best_mechanism_comes_first_whatever_the_order_of_the_list),
        cmocka_unit_test(what_the_token_lacks_is_passed_over),
        cmocka_unit_test(raw_rsa_is_given_our_own_padding),
        cmocka_unit_test(raw_rsa_with_a_key_that_is_too_small_is_refused),
        cmocka_unit_test(a_message_has_a_longest_length_for_the_token_and_none_for_its_digest),
        cmocka_unit_test(lists_of_any_length_are_read_or_refused),
    };

    return RUN_TESTS(tests);
}
