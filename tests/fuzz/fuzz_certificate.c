/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate that is read has all its parts, and its DER is a certificate again; tokens and files may hold
 * anything. */
#include "fuzz.h"

#include "base/str.h"
#include "crypto/certificate.h"

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
    (void)certificate_is_attestation(certificate);
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
