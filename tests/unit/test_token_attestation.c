/* SPDX-License-Identifier: Apache-2.0 */
/* Which certificate of a token is the attestation of a key. The chains themselves are
 * test_attestation_chain.c's. */
#include "chain.h"

#include <openssl/ec.h>

#include "pkcs11/cryptoki/attestation.h"

#define FIRMWARE                                              \
    {                                                         \
        "1.3.6.1.4.1.41482.3.3", SLICE("\x05\x04\x03"), false \
    }
#define SERIAL                                                            \
    {                                                                     \
        "1.3.6.1.4.1.41482.3.7", SLICE("\x02\x04\x00\xBC\x61\x4E"), false \
    } /* 12345678 */
#define POLICIES                                          \
    {                                                     \
        "1.3.6.1.4.1.41482.3.8", SLICE("\x02\x03"), false \
    }

enum { SHOWN_MAX = 4 };

static EVP_PKEY *device_key, *slot_key, *other_key;
static const struct p11_key key = { .type = CKK_EC, .id = { 1 }, .id_len = 1 };

static struct certificate *device(void)
{
    return chain_certificate(&(struct chain_spec){ .subject = "Device",
                                                   .issuer = "Device",
                                                   .key = device_key,
                                                   .issuer_key = device_key,
                                                   .basic_constraints = "critical,CA:TRUE,pathlen:0" });
}

static struct certificate *attestation_of(EVP_PKEY *attested)
{
    return chain_certificate(&(struct chain_spec){ .subject = "YubiKey PIV Attestation 9a",
                                                   .issuer = "Device",
                                                   .key = attested,
                                                   .issuer_key = device_key,
                                                   .extensions = { FIRMWARE, SERIAL, POLICIES } });
}

static struct certificate *own(void)
{
    return chain_certificate(&(struct chain_spec){
        .subject = "The key's", .issuer = "Somebody", .key = slot_key, .issuer_key = other_key });
}

/* What a token shows. */
struct shown {
    struct token_certificates list;
    const struct certificate *items[SHOWN_MAX];
    struct token_certificate_id ids[SHOWN_MAX];
    struct certificate *device; /* one of them */
};

static void shown_clear(struct shown *shown)
{
    for (size_t i = 0; i < shown->list.n; i++) {
        certificate_free(drop_const(shown->items[i]));
    }
}

static void show(struct shown *shown, struct certificate *taken, uint8_t id)
{
    shown->items[shown->list.n] = taken;
    shown->ids[shown->list.n].bytes[0] = id;
    shown->ids[shown->list.n++].len = id == 0 ? 0 : 1;
    shown->list.items = shown->items;
    shown->list.ids = shown->ids;
}

/* Believes the token's device. */
static struct p11_key_proof judge(struct shown *shown, const struct p11_key *of, bool is_trusting)
{
    CLEANUP(buf_clear) struct buf pem = BUF(CERTIFICATE_FILE_MAX);
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = NULL;
    CLEANUP(certificate_freep) struct certificate *certificate = own();
    struct attestation_question question = { of, certificate_public_key(certificate), NULL, CHAIN_NOW_S };

    if (is_trusting) {
        chain_put_pem(shown->device, &pem);
        CLEANUP(temp_file_remove) struct temp_file file = temp_file(buf_slice(&pem));
        const char *path = file.path;
        assert_ok(attestation_trust_load(&path, 1, &trust, NULL));
        question.trust = trust;
    }
    return token_attestation_judge(&shown->list, &question);
}

/* The key's own certificate, the attestation, and the device's, as ykcs11 shows them. */
static void show_all(struct shown *shown, EVP_PKEY *attested, uint8_t id)
{
    shown->device = device();
    show(shown, own(), 1);
    show(shown, shown->device, 0x19);
    show(shown, attestation_of(attested), id);
}

TEST(a_token_without_certificates_proves_nothing)
{
    CLEANUP(shown_clear) struct shown shown = { 0 };

    assert_int_equal(judge(&shown, &key, false).verdict, ATTESTATION_NONE);
}

TEST(the_keys_own_certificate_is_no_attestation)
{
    CLEANUP(shown_clear) struct shown shown = { 0 };

    shown.device = device();
    show(&shown, own(), 1);
    show(&shown, shown.device, 0x19);
    assert_int_equal(judge(&shown, &key, true).verdict, ATTESTATION_NONE);
}

TEST(the_attestation_under_the_keys_id_proves_it)
{
    CLEANUP(shown_clear) struct shown shown = { 0 };

    show_all(&shown, slot_key, 1);
    const struct p11_key_proof proof = judge(&shown, &key, true);
    assert_int_equal(proof.verdict, ATTESTATION_PROVEN);
    assert_int_equal(proof.attestation.serial, 12345678);
    assert_int_equal(proof.attestation.touch, ATTESTATION_TOUCH_CACHED);
    assert_int_equal(judge(&shown, &key, false).verdict, ATTESTATION_NO_CA);
}

/* Without a certificate the token's word for the public key has to do: nothing is signed there. */
TEST(where_no_certificate_is_the_token_tells_the_public_key)
{
    CLEANUP(shown_clear) struct shown shown = { 0 };
    CLEANUP(buf_clear) struct buf pem = BUF(CERTIFICATE_FILE_MAX);
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = NULL;
    struct p11_key told = key;
    size_t len = 0;

    show_all(&shown, slot_key, 1);
    chain_put_pem(shown.device, &pem);
    CLEANUP(temp_file_remove) struct temp_file file = temp_file(buf_slice(&pem));
    const char *path = file.path;
    assert_ok(attestation_trust_load(&path, 1, &trust, NULL));
    const struct attestation_question question = { &told, NULL, trust, CHAIN_NOW_S };
    assert_int_equal(token_attestation_judge(&shown.list, &question).verdict, ATTESTATION_OTHER_KEY);
    assert_int_equal(
        EVP_PKEY_get_octet_string_param(slot_key, "pub", told.point, sizeof(told.point), &len), 1);
    told.point_len = len;
    assert_int_equal(token_attestation_judge(&shown.list, &question).verdict, ATTESTATION_PROVEN);
}

TEST(an_attestation_of_another_key_is_not_the_keys)
{
    CLEANUP(shown_clear) struct shown planted = { 0 };

    show_all(&planted, other_key, 1);
    assert_int_equal(judge(&planted, &key, true).verdict, ATTESTATION_OTHER_KEY);
    show(&planted, attestation_of(slot_key), 1); /* beside it the right one */
    assert_int_equal(judge(&planted, &key, true).verdict, ATTESTATION_PROVEN);
}

TEST(an_attestation_elsewhere_is_not_looked_at)
{
    static const uint8_t ids[] = { 0, 2 };
    const struct p11_key without_id = { .type = CKK_EC };

    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        CLEANUP(shown_clear) struct shown shown = { 0 };
        show_all(&shown, slot_key, ids[i]);
        assert_int_equal(judge(&shown, &key, true).verdict, ATTESTATION_NONE);
        assert_int_equal(judge(&shown, &without_id, true).verdict, ATTESTATION_NONE);
    }
}

static int make_keys(void **state)
{
    (void)state;
    device_key = EVP_EC_gen("P-256");
    slot_key = EVP_EC_gen("P-256");
    other_key = EVP_EC_gen("P-256");
    return device_key == NULL || slot_key == NULL || other_key == NULL ? -1 : 0;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(device_key);
    EVP_PKEY_free(slot_key);
    EVP_PKEY_free(other_key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_without_certificates_proves_nothing),
        cmocka_unit_test(the_keys_own_certificate_is_no_attestation),
        cmocka_unit_test(the_attestation_under_the_keys_id_proves_it),
        cmocka_unit_test(where_no_certificate_is_the_token_tells_the_public_key),
        cmocka_unit_test(an_attestation_of_another_key_is_not_the_keys),
        cmocka_unit_test(an_attestation_elsewhere_is_not_looked_at),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
