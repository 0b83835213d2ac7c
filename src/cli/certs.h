/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CERTS_H
#define CLI_CERTS_H

/* The certificates that a profile or the options mean: in files, or on tokens. Nobody's PIN is needed for it.
 */

#include "cli/session.h"
#include "crypto/certificate.h"

enum { CERTS_MAX = 128, CERTS_WHERE_SIZE = 512 };

struct cert_item {
    struct certificate *certificate; /* owned */
    char where[CERTS_WHERE_SIZE];    /* "token 'x' id=%01", "file 'cert.pem'" */
    bool is_superseded;              /* another one of the same key is valid now and ends later */
};

struct cert_list {
    struct cert_item items[CERTS_MAX];
    size_t n;
    int64_t now_s;
};

/*
 * --certificate FILE as often as it is given; else what is on the tokens that --key and --certificate URI
 * fit, under that id where they say one. Attestations are left out, and so is what stands there twice. In the
 * order of their ends. KEYSTAY_E_CERTIFICATE when there is none. The caller clears *list, also after a
 * failure.
 */
enum keystay_status cert_list_read(struct cli *cli, struct cert_list *list, struct keystay_error *err);

/* Of one key the one to use: valid now, ending last. Borrowed. KEYSTAY_E_AMBIGUOUS for several keys,
 * KEYSTAY_E_CERTIFICATE when none is valid. */
enum keystay_status cert_list_best(
    const struct cert_list *list, const struct cert_item **ret_best, struct keystay_error *err);

/* For CLEANUP. */
void cert_list_clear(struct cert_list *list);

#endif
