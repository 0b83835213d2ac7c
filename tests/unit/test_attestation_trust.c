/* SPDX-License-Identifier: Apache-2.0 */
/* The files of whom to trust: what is a root, and what is refused. Which chains lead to one is
 * test_attestation_chain's. */
#include "chain_family.h"

static void refuse_file(struct slice content, const char *why)
{
    CLEANUP(temp_file_remove) struct temp_file file = temp_file(content);
    const char *path = file.path;
    struct attestation_trust *trust = NULL;
    struct keystay_error err;

    assert_row(attestation_trust_load(&path, 1, &trust, &err) == KEYSTAY_E_CONFIG, why);
    assert_null(trust);
    assert_contains(err.message, why);
    assert_true(err.hint[0] != '\0');
}

TEST(freeing_nothing_is_fine)
{
    struct attestation_trust *trust = NULL;

    attestation_trust_free(NULL);
    attestation_trust_freep(&trust);
}

TEST(a_file_without_a_root_is_refused)
{
    CLEANUP(buf_clear) struct buf pem = BUF(CERTIFICATE_FILE_MAX);
    CLEANUP(certificate_freep) struct certificate *middle = signed_by(a_middle, MIDDLE, ROOT);
    /* issued by itself, but not signed by itself */
    CLEANUP(certificate_freep) struct certificate *posing = signed_by(a_root, ROOT, STRANGER);

    chain_put_pem(middle, &pem);
    chain_put_pem(posing, &pem);
    refuse_file(buf_slice(&pem), "no root");
}

TEST(a_file_that_is_no_list_of_certificates_is_refused)
{
    static const char *const contents[] = { "", "nothing here\n", "\x30\x03\x02\x01\x01",
                                            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" };

    for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
        refuse_file(slice_of_str(contents[i]), "holds no certificate");
    }
    refuse_file(
        SLICE("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        "certificate 1 in it is malformed");
}

TEST(a_malformed_certificate_behind_good_ones_is_not_passed_over)
{
    CLEANUP(buf_clear) struct buf pem = BUF(CERTIFICATE_FILE_MAX);
    CLEANUP(certificate_freep) struct certificate *root = signed_by(a_root, ROOT, ROOT);

    chain_put_pem(root, &pem);
    assert_ok(buf_puts(&pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", NULL));
    refuse_file(buf_slice(&pem), "certificate 2 in it is malformed");
}

/* It would ask for a pass phrase on the terminal. */
TEST(an_encrypted_block_is_malformed_and_asks_nobody)
{
    refuse_file(
        SLICE("-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
              "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
              "AAAAAAAAAAAAAAAAAAAAAA==\n-----END CERTIFICATE-----\n"),
        "certificate 1 in it is malformed");
}

TEST(a_missing_file_is_named)
{
    const char *path = "/nonexistent/cas.pem";
    struct attestation_trust *trust = NULL;
    struct keystay_error err;

    assert_int_equal(attestation_trust_load(&path, 1, &trust, &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(a_file_without_a_root_is_refused),
        cmocka_unit_test(a_file_that_is_no_list_of_certificates_is_refused),
        cmocka_unit_test(a_malformed_certificate_behind_good_ones_is_not_passed_over),
        cmocka_unit_test(an_encrypted_block_is_malformed_and_asks_nobody),
        cmocka_unit_test(a_missing_file_is_named),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
