/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one orchestration: profile -> plan -> assertion -> request -> answer. Nothing is signed before the
 * settings are known to be good, and nothing is sent that was not signed for that very server.
 */
#include "core/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "crypto/random.h"
#include "http/curl.h"
#include "jose/assertion.h"
#include "oauth/provider.h"
#include "oauth/token_request.h"
#include "oauth/token_response.h"
#include "signer/set.h"

struct keystay_client {
    const struct keystay_profile *profile; /* borrowed */
    const struct keystay_log *log;         /* borrowed */
    struct http_transport *transport;      /* owned */
    int64_t (*now_s)(void);
    struct provider_plan plan;
};

void keystay_client_free(struct keystay_client *client)
{
    if (client != NULL) {
        http_transport_freep(&client->transport);
        free(client);
    }
}

void client_freep(struct keystay_client **client)
{
    keystay_client_free(*client);
    *client = NULL;
}

const char *client_token_endpoint(const struct keystay_client *client)
{
    return client->plan.token_endpoint;
}

static int thumbprints_of(const char *name)
{
    return str_equal(name, "sha256") ? THUMBPRINT_SHA256
           : str_equal(name, "sha1") ? THUMBPRINT_SHA1
           : str_equal(name, "both") ? THUMBPRINT_BOTH
                                     : 0;
}

static struct provider_request request_of(const struct keystay_profile *profile)
{
    const struct alg *alg = alg_by_name(profile_text(profile, SETTING_ALG));

    return (struct provider_request){
        .provider = profile_text(profile, SETTING_PROVIDER),
        .authority = profile_text(profile, SETTING_AUTHORITY),
        .tenant = profile_text(profile, SETTING_TENANT),
        .client_id = profile_text(profile, SETTING_CLIENT_ID),
        .scope = profile_text(profile, SETTING_SCOPE),
        .resource = profile_text(profile, SETTING_RESOURCE),
        .audience = profile_text(profile, SETTING_AUDIENCE),
        .alg = alg == NULL ? KEYSTAY_ALG_AUTO : alg->id,
        .thumbprints = thumbprints_of(profile_text(profile, SETTING_THUMBPRINT)),
        .allow_http_loopback = profile_switch(profile, SETTING_ALLOW_HTTP_LOOPBACK),
    };
}

enum keystay_status client_new_with(
    const struct keystay_profile *profile, const struct keystay_log *log, struct http_transport *transport,
    int64_t (*now_s)(void), struct keystay_client **ret_client, struct keystay_error *err)
{
    CLEANUP(http_transport_freep) struct http_transport *taken = transport;
    const struct provider_request request = request_of(profile);
    struct provider_plan plan;

    TRY(provider_make_plan(&request, &plan, err));
    struct keystay_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return err_no_memory(err);
    }
    *client = (struct keystay_client){ profile, log, take_ptr(&taken), now_s, plan };
    *ret_client = client;
    return KEYSTAY_OK;
}

enum keystay_status keystay_client_new(
    const struct keystay_profile *profile, const struct keystay_log *log, struct keystay_client **ret_client,
    struct keystay_error *err)
{
    struct http_transport *transport = NULL;
    const struct http_curl_config config = {
        .cacert = profile_text(profile, SETTING_CACERT),
        .timeout_ms = (int64_t)profile_number(profile, SETTING_TIMEOUT) * 1000,
        .user_agent = "keystay/" KEYSTAY_VERSION,
        .allow_http_loopback = profile_switch(profile, SETTING_ALLOW_HTTP_LOOPBACK),
    };

    TRY(http_curl_new(&config, &transport, err));
    return client_new_with(profile, log, transport, clock_now_s, ret_client, err);
}

/* One assertion, made with whichever key works. */
struct assertion_work {
    struct keystay_client *client;
    int64_t now_s;
    struct secret *assertion;
};

/* A signer_work. */
static enum keystay_status sign_with_one(
    struct keystay_signer *signer, void *context, struct keystay_error *err)
{
    const struct assertion_work *work = context;
    const struct keystay_client *client = work->client;
    const struct provider_request request = request_of(client->profile);
    char jti[RANDOM_UUID_SIZE];
    struct assertion assertion = {
        .typ = ASSERTION_TYP_JWT,
        .thumbprints = provider_thumbprints(&client->plan, &request),
        .audience = client->plan.audience,
        .issuer = request.client_id,
        .subject = request.client_id,
        .jti = jti,
        .has_nbf = true,
        .has_iat = true,
        .now_s = work->now_s,
        .lifetime_s = profile_number(client->profile, SETTING_LIFETIME),
    };

    TRY(provider_choose_alg(&client->plan, &request, signer->algs, &assertion.alg, err));
    TRY(random_uuid(jti, err));
    TRY(assertion_sign(&assertion, signer, work->assertion, err));
    log_step(
        client->log, "assertion for '%s', %s, ends in %lld s", assertion.audience,
        alg_by_id(assertion.alg)->name, (long long)assertion.lifetime_s);
    return KEYSTAY_OK;
}

static enum keystay_status sign_assertion(
    struct keystay_client *client, struct keystay_signer *signer, int64_t now_s, struct secret *ret_assertion,
    struct keystay_error *err)
{
    struct assertion_work work = { client, now_s, ret_assertion };

    return signer_with(signer, sign_with_one, &work, err);
}

enum keystay_status keystay_client_assertion(
    struct keystay_client *client, struct keystay_signer *signer, struct keystay_token **ret_assertion,
    struct keystay_error *err)
{
    CLEANUP(token_freep) struct keystay_token *assertion = NULL;
    int64_t now_s = client->now_s();

    TRY(token_new(&assertion, err));
    TRY(sign_assertion(client, signer, now_s, &assertion->value, err));
    assertion->expires_at_s = now_s + profile_number(client->profile, SETTING_LIFETIME);
    *ret_assertion = take_ptr(&assertion);
    return KEYSTAY_OK;
}

static enum keystay_status send(
    struct keystay_client *client, const struct secret *assertion, struct http_response *ret_response,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf form = BUF(TOKEN_REQUEST_MAX);
    const struct token_request request = {
        .client_id = profile_text(client->profile, SETTING_CLIENT_ID),
        .scope = profile_text(client->profile, SETTING_SCOPE),
        .resource = profile_text(client->profile, SETTING_RESOURCE),
        .assertion = assertion,
    };
    char request_id[RANDOM_UUID_SIZE];
    char request_id_header[80];

    TRY(random_uuid(request_id, err));
    (void)snprintf(request_id_header, sizeof(request_id_header), "client-request-id: %s", request_id);
    const char *const headers[] = { "Accept: application/json", request_id_header,
                                    "return-client-request-id: true" };
    TRY(token_request_form(&request, &form, err));
    log_step(client->log, "POST %s, client-request-id %s", client->plan.token_endpoint, request_id);
    const struct http_request post = {
        .url = client->plan.token_endpoint,
        .headers = headers,
        .n_headers = ARRAY_LEN(headers),
        .form = buf_slice(&form),
    };
    TRY(http_post(client->transport, &post, ret_response, err));
    log_step(client->log, "HTTP %d, %zu bytes", ret_response->status, ret_response->body.len);
    return KEYSTAY_OK;
}

enum keystay_status client_check_target(const struct keystay_client *client, struct keystay_error *err)
{
    if (profile_text(client->profile, SETTING_SCOPE) == NULL &&
        profile_text(client->profile, SETTING_RESOURCE) == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "such as --scope https://graph.microsoft.com/.default",
            "neither scope nor resource is given");
    }
    return KEYSTAY_OK;
}

enum keystay_status keystay_client_acquire(
    struct keystay_client *client, struct keystay_signer *signer, struct keystay_token **ret_token,
    struct keystay_error *err)
{
    CLEANUP(secret_clear) struct secret assertion = { 0 };
    CLEANUP(http_response_clear) struct http_response response = { 0 };
    int64_t now_s = client->now_s();

    TRY(client_check_target(client, err));
    TRY(sign_assertion(client, signer, now_s, &assertion, err));
    TRY(send(client, &assertion, &response, err));
    return token_response_parse(&response, client->plan.token_endpoint, now_s, ret_token, err);
}
