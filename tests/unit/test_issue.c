/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <openssl/x509.h>

#include "rsa.h"
#include "signer/issue.h"

static const alg_set both = ALG_BIT(KEYSTAY_ALG_RS256) | ALG_BIT(KEYSTAY_ALG_PS256);
static const struct x509_fields plain = { .subject = "CN=a", .not_before_s = 1, .not_after_s = 2 };

TEST(what_can_be_refused_costs_no_signature)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);
    CLEANUP(soft_signer_freep) struct soft_signer *unable = soft_signer_new(ALG_BIT(KEYSTAY_ALG_RS512), NULL);
    CLEANUP(buf_clear) struct buf der = BUF(X509_WRITE_MAX);
    struct x509_fields fields = plain;

    fields.subject = "a";
    assert_int_equal(issue_request(&signer->base, &fields, &der, NULL), KEYSTAY_E_USAGE);
    fields = plain;
    fields.not_after_s = 1;
    assert_int_equal(issue_certificate(&signer->base, &fields, &der, NULL), KEYSTAY_E_USAGE);
    fields = plain;
    assert_int_equal(issue_certificate(&unable->base, &fields, &der, NULL), KEYSTAY_E_ALGORITHM);
    assert_int_equal(signer->n_signed + unable->n_signed, 0);
    assert_int_equal(der.len, 0);
}

TEST(one_signature_makes_each)
{
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);
    CLEANUP(buf_clear) struct buf first = BUF(X509_WRITE_MAX);
    CLEANUP(buf_clear) struct buf second = BUF(X509_WRITE_MAX);
    CLEANUP(buf_clear) struct buf request = BUF(X509_WRITE_MAX);
    struct x509_fields fields = plain;
    struct x509_fields again = plain;

    assert_ok(issue_certificate(&signer->base, &fields, &first, NULL));
    assert_int_equal(fields.alg->id, KEYSTAY_ALG_RS256);
    assert_int_equal(signer->n_signed, 1);
    assert_ok(issue_certificate(&signer->base, &again, &second, NULL));
    assert_memory_not_equal(fields.serial, again.serial, sizeof(fields.serial));
    again.alg = alg_by_name("PS256");
    assert_ok(issue_request(&signer->base, &again, &request, NULL));
    assert_int_equal(signer->n_signed, 3);
}

TEST(what_does_not_verify_is_not_let_out)
{
    static const enum spoil spoils[] = { SPOIL_BIT, SPOIL_INPUT, SPOIL_LAST_BYTE_MISSING, SPOIL_EMPTY };
    CLEANUP(soft_signer_freep) struct soft_signer *signer = soft_signer_new(both, NULL);

    for (size_t i = 0; i < ARRAY_LEN(spoils); i++) {
        CLEANUP(buf_clear) struct buf der = BUF(X509_WRITE_MAX);
        struct x509_fields fields = plain;

        signer->spoil = spoils[i];
        assert_int_equal(issue_certificate(&signer->base, &fields, &der, NULL), KEYSTAY_E_KEY_MISMATCH);
        assert_int_equal(issue_request(&signer->base, &fields, &der, NULL), KEYSTAY_E_KEY_MISMATCH);
        assert_int_equal(der.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_refused_costs_no_signature),
        cmocka_unit_test(one_signature_makes_each),
        cmocka_unit_test(what_does_not_verify_is_not_let_out),
    };

    return RUN_TESTS(tests);
}
