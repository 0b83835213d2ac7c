/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate that is read has all its parts, and its DER is a certificate again; what it attests is one of
 * the things that a YubiKey says, and proves nothing. Tokens and files may hold anything. */
#include "fuzz.h"

#include "base/str.h"
#include "crypto/attestation_chain.h"

static void check_attestation(const struct certificate *certificate)
{
    struct attestation attestation;

    if (attestation_read(certificate, &attestation, NULL) == KEYSTAY_OK) {
        MUST(certificate_is_attestation(certificate) && attestation_is_of_key(certificate));
        MUST(attestation_pin_word(attestation.pin) != NULL);
        MUST(attestation_touch_word(attestation.touch) != NULL);
    }
    MUST(attestation_verify(NULL, certificate, &certificate, 1, 0, &attestation) == ATTESTATION_NO_CA);
}

static void check(const struct certificate *certificate)
{
    struct certificate *again = NULL;
    const struct slice der = certificate_der(certificate);

    MUST(der.len > 0);
    MUST(certificate_parse(der, &again, NULL) == KEYSTAY_OK);
    MUST(slice_equal(der, certificate_der(again)));
    MUST(str_is_utf8(slice_of_str(certificate_subject(certificate))));
    (void)public_key_bits(certificate_public_key(certificate));
    (void)public_key_type_name(certificate_public_key(certificate));
    check_attestation(certificate);
    (void)certificate_check(certificate, certificate_not_after_s(certificate), NULL);
    certificate_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct certificate *certificate = NULL;
    struct keystay_error err = { 0 };

    if (certificate_parse((struct slice){ data, size }, &certificate, &err) == KEYSTAY_OK) {
        check(certificate);
        certificate_free(certificate);
    } else {
        MUST(certificate == NULL);
        MUST(err.message[0] != '\0');
    }
    return 0;
}
