/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_SETTINGS_H
#define PKCS11_SETTINGS_H

/* What a caller configured, parsed and checked before any call into a module. Both engines begin here. */

#include "crypto/attestation_chain.h"
#include "keystay/pkcs11.h"
#include "pkcs11/pin.h"
#include "pkcs11/uri.h"

enum { P11_CERTIFICATES_MAX = 16 };

struct p11_settings {
    struct p11_uri *key;                                    /* owned */
    struct p11_uri *certificate_uri;                        /* owned; NULL: none, or a file */
    struct certificate *certificates[P11_CERTIFICATES_MAX]; /* owned: from files; those taken are NULL */
    size_t n_certificates;                                  /* 0: on the token */
    bool needs_no_certificate; /* none is looked for: the key's public key stands in */
    bool may_write;            /* sessions that make and remove objects */
    char *module_path;         /* owned; NULL: to be looked for (discover.h) */
    char *module_args;         /* owned; NULL: none */
    char *pin_text;            /* owned: pin borrows from it */
    char *state_dir;           /* owned; NULL: the default */
    struct pin_policy pin;
    bool allow_extractable;
    bool require_generated;
    bool require_attested;
    struct attestation_trust *attestation_trust; /* owned; NULL: no attestation is believed */
    size_t sessions_max;
    int64_t now_s;
    const struct keystay_log *log;          /* borrowed for the signer's life */
    const struct keystay_call_watch *watch; /* likewise */
};

/* For CLEANUP. */
void p11_settings_clear(struct p11_settings *settings);

/* KEYSTAY_E_CONFIG, _CERTIFICATE, _KEY_REFUSED. The caller clears *settings, also after a failure. */
enum keystay_status p11_settings_read(
    const struct keystay_pkcs11_config *config, struct p11_settings *settings, struct keystay_error *err);

#endif
