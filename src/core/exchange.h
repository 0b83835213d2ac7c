/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_EXCHANGE_H
#define CORE_EXCHANGE_H

/* One token from the server, come what may: assertion, POST, answer, and what is done when it goes wrong. */

#include "core/client.h"

/*
 * Where the signer comes from. It is asked for only when something must be signed, perhaps several times;
 * what it gives is borrowed.
 */
struct signer_source {
    enum keystay_status (*get)(void *context, struct keystay_signer **ret_signer, struct keystay_error *err);
    void *context;
};

/* Everything is borrowed. */
struct exchange_request {
    const struct signer_source *source;
    struct provider_request wanted;
    const char *claims; /* JSON of a claims request (OpenID Connect Core §5.5); NULL: none */
};

/*
 * Blocks for at most the profile's timeout on the network and its pauses; signing comes on top. *ret_token is
 * owned.
 */
enum keystay_status exchange_token(
    struct keystay_client *client, const struct exchange_request *request, struct keystay_token **ret_token,
    struct keystay_error *err);

/* Signs now what the next exchange for the same audience will use. */
enum keystay_status exchange_sign_ahead(
    struct keystay_client *client, const struct exchange_request *request, struct keystay_error *err);

#endif
