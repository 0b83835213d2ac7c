/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_ATTESTATION_H
#define CRYPTO_ATTESTATION_H

/*
 * What a YubiKey says of a key that it made: a certificate for the key's public half, signed inside the
 * device (Yubico, PIV attestation). Imported keys get none. Whether to believe it is attestation_chain.h's.
 */

#include <stdbool.h>

#include "crypto/certificate.h"

/* Yubico's numbers. */
enum attestation_pin {
    ATTESTATION_PIN_NEVER = 1,
    ATTESTATION_PIN_ONCE = 2, /* a session */
    ATTESTATION_PIN_ALWAYS = 3,
    ATTESTATION_PIN_MATCH_ONCE = 4, /* a fingerprint or the PIN: YubiKey Bio */
    ATTESTATION_PIN_MATCH_ALWAYS = 5,
};

enum attestation_touch {
    ATTESTATION_TOUCH_NEVER = 1,
    ATTESTATION_TOUCH_ALWAYS = 2,
    ATTESTATION_TOUCH_CACHED = 3, /* for 15 seconds */
};

struct attestation {
    uint8_t firmware[3]; /* major, minor, patch */
    bool tells_serial;   /* a YubiKey 4 may not */
    uint32_t serial;     /* of the device */
    enum attestation_pin pin;
    enum attestation_touch touch;
};

/* "once", "cached": for people and programs alike. Static. */
const char *attestation_pin_word(enum attestation_pin pin);
const char *attestation_touch_word(enum attestation_touch touch);

/* Whether a certificate speaks of a key's PIN and touch policy: what the device's own certificate never does.
 */
bool attestation_is_of_key(const struct certificate *certificate);

/*
 * Reads what it says, strictly: firmware and policies must be there, nothing twice, no value that is not
 * listed above. Says nothing of whether it is true. KEYSTAY_E_CERTIFICATE.
 */
enum keystay_status attestation_read(
    const struct certificate *certificate, struct attestation *ret_attestation, struct keystay_error *err);

#endif
