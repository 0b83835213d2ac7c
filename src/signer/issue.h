/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGNER_ISSUE_H
#define SIGNER_ISSUE_H

/* Certificates and requests, signed by the key that they are about. */

#include "crypto/x509_write.h"
#include "signer/signer.h"

/*
 * fields->key is filled in here, with the signer's; so is alg where it is NULL (what most servers take), and
 * a certificate's serial, at random. Appends DER that has been verified. One signature is made, after all
 * that can be refused was.
 */
enum keystay_status issue_certificate(
    struct keystay_signer *signer, struct x509_fields *fields, struct buf *ret_der,
    struct keystay_error *err);
enum keystay_status issue_request(
    struct keystay_signer *signer, struct x509_fields *fields, struct buf *ret_der,
    struct keystay_error *err);

#endif
