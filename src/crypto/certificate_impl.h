/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_CERTIFICATE_IMPL_H
#define CRYPTO_CERTIFICATE_IMPL_H

/* For those who look at more of a certificate than its own header tells. */

#include <openssl/x509.h>

#include "crypto/certificate.h"

/* Borrowed. OpenSSL's calls want it without const and only fill in what they remember of it. */
X509 *certificate_x509(const struct certificate *certificate);

/* The next certificate of a PEM text, owned; NULL at its end and when it is malformed, with OpenSSL's error
 * queue telling which. Never asks for a pass phrase. */
X509 *certificate_read_pem(BIO *bio);

#endif
