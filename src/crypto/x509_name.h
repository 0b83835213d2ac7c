/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_X509_NAME_H
#define CRYPTO_X509_NAME_H

/* Names as people write them, made into what a certificate holds. Strict: what is not understood is an error.
 */

#include <openssl/x509v3.h>

#include "base/base.h"

/* RFC 4514, as crypto/x509_write.h says. *ret_name is owned. KEYSTAY_E_USAGE. */
enum keystay_status x509_name_parse(const char *text, X509_NAME **ret_name, struct keystay_error *err);

/* "dns:...,uri:...,email:...". *ret_names is owned. KEYSTAY_E_USAGE. */
enum keystay_status x509_san_parse(const char *text, GENERAL_NAMES **ret_names, struct keystay_error *err);

#endif
