/* SPDX-License-Identifier: Apache-2.0 */
#include "oauth/access_token.h"

#include <stdlib.h>

#include "base/error.h"

enum keystay_status token_new(struct keystay_token **ret_token, struct keystay_error *err)
{
    struct keystay_token *token = calloc(1, sizeof(*token));

    if (token == NULL) {
        return err_no_memory(err);
    }
    *ret_token = token;
    return KEYSTAY_OK;
}

const char *keystay_token_value(const struct keystay_token *token)
{
    return token->value.data == NULL ? "" : token->value.data;
}

int64_t keystay_token_expires_at_s(const struct keystay_token *token)
{
    return token->expires_at_s;
}

void keystay_token_free(struct keystay_token *token)
{
    if (token != NULL) {
        secret_clear(&token->value);
        free(token);
    }
}

void token_freep(struct keystay_token **token)
{
    keystay_token_free(*token);
    *token = NULL;
}
