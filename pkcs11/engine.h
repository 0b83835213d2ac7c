/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_ENGINE_H
#define PKCS11_ENGINE_H

/*
 * What signs: one of the ways to use a module. One engine at a time owns a module in a process. URIs, PINs,
 * the choice of token and key, and errors are written once, beside this file; an engine has no rules of its
 * own.
 */

#include "pkcs11/settings.h"
#include "signer/signer.h"

struct p11_engine {
    const char *name; /* as --engine has it */
    /* Loads, logs in, finds and checks. settings is taken, also after a failure; its log and watch are
     * borrowed. */
    enum keystay_status (*open)(
        struct p11_settings *settings, struct keystay_signer **ret_signer, struct keystay_error *err);
};

/* Straight on Cryptoki: the one that signs in this process. */
extern const struct p11_engine cryptoki_engine;

#endif
