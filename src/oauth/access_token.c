/* SPDX-License-Identifier: Apache-2.0 */
#include "oauth/access_token.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/str.h"

enum keystay_status token_new(struct keystay_token **ret_token, struct keystay_error *err)
{
    struct keystay_token *token = calloc(1, sizeof(*token));

    if (token == NULL) {
        return err_no_memory(err);
    }
    atomic_init(&token->n_holders, 1);
    *ret_token = token;
    return KEYSTAY_OK;
}

struct keystay_token *token_share(struct keystay_token *token)
{
    (void)atomic_fetch_add_explicit(&token->n_holders, 1, memory_order_relaxed);
    return token;
}

int64_t token_left_s(const struct keystay_token *token, struct clock_moment now)
{
    const int64_t set_back_s = token->lead_s > now.lead_s ? token->lead_s - now.lead_s : 0;

    return set_back_s > CLOCK_SLACK_S ? 0 : token->expires_at_s - now.now_s - set_back_s;
}

int64_t token_age_s(const struct keystay_token *token, struct clock_moment now)
{
    return (now.now_s - now.lead_s) - (token->obtained_at_s - token->lead_s);
}

enum keystay_status token_check_value(const struct secret *value, struct keystay_error *err)
{
    if (value->len == 0 || value->len > TOKEN_LEN_MAX) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the server issued a token of %zu bytes", value->len);
    }
    if (!str_is_visible_ascii(secret_slice(value))) {
        return err_set(
            err, KEYSTAY_E_SERVER_RESPONSE,
            "the server issued a token with characters that no header may hold");
    }
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

int64_t keystay_token_refresh_at_s(const struct keystay_token *token)
{
    return token->refresh_at_s;
}

int64_t keystay_token_ext_expires_at_s(const struct keystay_token *token)
{
    return token->ext_expires_at_s;
}

void keystay_token_free(struct keystay_token *token)
{
    /* The last one to go must see what the others did before they went. */
    if (token != NULL && atomic_fetch_sub_explicit(&token->n_holders, 1, memory_order_acq_rel) == 1) {
        secret_clear(&token->value);
        free(token);
    }
}

void token_freep(struct keystay_token **token)
{
    keystay_token_free(*token);
    *token = NULL;
}
