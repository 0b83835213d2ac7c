/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_KEY_WISH_H
#define CLI_KEY_WISH_H

/* What the commands that bring a key onto a token have in common: its name, and what is said of it at the
 * end. */

#include "cli/cli.h"
#include "pkcs11/cryptoki/provision.h"

enum { KEY_WISH_ID_MAX = 32 };

/* From --id, --label and --replace, without a kind; it borrows id. */
enum keystay_status key_wish_read(
    const struct cli *cli, uint8_t id[KEY_WISH_ID_MAX], struct provision_wish *ret_wish,
    struct keystay_error *err);

/* Its URI on stdout, ready for --key. */
enum keystay_status key_wish_print(const struct provision_key *made, struct keystay_error *err);

#endif
