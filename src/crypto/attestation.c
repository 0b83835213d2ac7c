/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/attestation.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "crypto/certificate_impl.h"

/* Below Yubico's arc for PIV. The form factor (9) and the FIPS mark (10, on the device's certificate) are not
 * looked at. */
static const char oid_firmware[] = "1.3.6.1.4.1.41482.3.3";
static const char oid_serial[] = "1.3.6.1.4.1.41482.3.7";
static const char oid_policies[] = "1.3.6.1.4.1.41482.3.8";

enum { OID_SIZE = 80, TAG_OCTET_STRING = 0x04 };

static void integer_freep(ASN1_INTEGER **integer)
{
    ASN1_INTEGER_free(*integer);
}

const char *attestation_pin_word(enum attestation_pin pin)
{
    static const char *const words[] = {
        [ATTESTATION_PIN_NEVER] = "never",
        [ATTESTATION_PIN_ONCE] = "once",
        [ATTESTATION_PIN_ALWAYS] = "always",
        [ATTESTATION_PIN_MATCH_ONCE] = "match-once",
        [ATTESTATION_PIN_MATCH_ALWAYS] = "match-always",
    };

    return words[pin];
}

const char *attestation_touch_word(enum attestation_touch touch)
{
    static const char *const words[] = {
        [ATTESTATION_TOUCH_NEVER] = "never",
        [ATTESTATION_TOUCH_ALWAYS] = "always",
        [ATTESTATION_TOUCH_CACHED] = "cached",
    };

    return words[touch];
}

/* How many extensions have this number, and the content of the last of them. */
static size_t find_extension(const struct certificate *certificate, const char *oid, struct slice *ret_value)
{
    const X509 *x509 = certificate_x509(certificate);
    size_t n = 0;

    for (int i = 0; i < X509_get_ext_count(x509); i++) {
        X509_EXTENSION *extension = X509_get_ext(x509, i);
        const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
        char text[OID_SIZE];

        if (OBJ_obj2txt(text, sizeof(text), X509_EXTENSION_get_object(extension), 1) > 0 &&
            str_equal(text, oid)) {
            *ret_value = (struct slice){ ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value) };
            n++;
        }
    }
    return n;
}

bool attestation_is_of_key(const struct certificate *certificate)
{
    struct slice value;

    return find_extension(certificate, oid_policies, &value) > 0;
}

/*
 * The bytes of an extension that holds so many. YubiKeys put them in bare, which is no DER; cards that do it
 * by X.509's book wrap them in an OCTET STRING. The length tells the two apart.
 */
static enum keystay_status read_bytes(
    const struct certificate *certificate, const char *oid, const char *what, size_t len, uint8_t *ret_bytes,
    struct keystay_error *err)
{
    struct slice value = { NULL, 0 };

    if (find_extension(certificate, oid, &value) != 1) {
        return err_set(err, KEYSTAY_E_CERTIFICATE, "the attestation does not tell the %s once", what);
    }
    if (value.len == len + 2 && value.data[0] == TAG_OCTET_STRING && value.data[1] == len) {
        value = (struct slice){ value.data + 2, len };
    }
    if (value.len != len) {
        return err_set(err, KEYSTAY_E_CERTIFICATE, "the attestation's %s is malformed", what);
    }
    memcpy(ret_bytes, value.data, len);
    return KEYSTAY_OK;
}

/* DER of an INTEGER. */
static enum keystay_status read_serial(
    const struct certificate *certificate, struct attestation *attestation, struct keystay_error *err)
{
    struct slice value = { NULL, 0 };
    uint64_t number = 0;
    size_t n = find_extension(certificate, oid_serial, &value);
    const unsigned char *at = value.data;

    if (n == 0) {
        return KEYSTAY_OK;
    }
    CLEANUP(integer_freep) ASN1_INTEGER *integer = d2i_ASN1_INTEGER(NULL, &at, (long)value.len);
    bool ok = n == 1 && integer != NULL && at == value.data + value.len &&
              ASN1_INTEGER_get_uint64(&number, integer) == 1 && number <= UINT32_MAX;
    ERR_clear_error();
    if (!ok) {
        return err_set(err, KEYSTAY_E_CERTIFICATE, "the attestation's serial number is malformed");
    }
    attestation->tells_serial = true;
    attestation->serial = (uint32_t)number;
    return KEYSTAY_OK;
}

enum keystay_status attestation_read(
    const struct certificate *certificate, struct attestation *ret_attestation, struct keystay_error *err)
{
    struct attestation attestation = { 0 };
    uint8_t policies[2] = { 0 };

    /* RFC 5280 §4.2: a certificate with a critical extension that is not recognised MUST be rejected. */
    if (X509_get_extension_flags(certificate_x509(certificate)) & (EXFLAG_CRITICAL | EXFLAG_INVALID)) {
        return err_set(err, KEYSTAY_E_CERTIFICATE, "the attestation has an extension that cannot be read");
    }
    TRY(read_bytes(
        certificate, oid_firmware, "firmware version", sizeof(attestation.firmware), attestation.firmware,
        err));
    TRY(read_bytes(certificate, oid_policies, "PIN and touch policy", sizeof(policies), policies, err));
    TRY(read_serial(certificate, &attestation, err));
    if (policies[0] < ATTESTATION_PIN_NEVER || policies[0] > ATTESTATION_PIN_MATCH_ALWAYS ||
        policies[1] < ATTESTATION_TOUCH_NEVER || policies[1] > ATTESTATION_TOUCH_CACHED) {
        return err_set(
            err, KEYSTAY_E_CERTIFICATE,
            "the attestation tells a PIN policy %u and a touch policy %u, which keystay does not know",
            policies[0], policies[1]);
    }
    attestation.pin = (enum attestation_pin)policies[0];
    attestation.touch = (enum attestation_touch)policies[1];
    *ret_attestation = attestation;
    return KEYSTAY_OK;
}
