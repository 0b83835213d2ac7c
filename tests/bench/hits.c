/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long keystay_client_acquire_for takes when the token is there, with 10, 1,000 and 10,000 tokens in one
 * client: a line each with the count and the microseconds of a call, the least of several rounds. Each call
 * is whole: request, key, look-up, freeing what it gave.
 *
 *     hits [CALLS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "core/client.h"
#include "unit/rsa.h"

enum { TOKEN_LEN = 1500, ROUNDS = 7, SCOPE_SIZE = 64 };

/* Answers each request with a token of the usual length. */
static enum keystay_status answer(
    struct http_transport *transport, const struct http_request *request, struct http_response *ret_response,
    struct keystay_error *err)
{
    char value[TOKEN_LEN + 1];
    char body[TOKEN_LEN + 100];

    (void)transport;
    (void)request;
    memset(value, 'a', TOKEN_LEN);
    value[TOKEN_LEN] = '\0';
    (void)snprintf(
        body, sizeof(body), "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"%s\"}", value);
    ret_response->status = 200;
    return buf_puts(&ret_response->body, body, err);
}

static void keep(struct http_transport *transport)
{
    (void)transport;
}

static const struct http_ops ops = { answer, keep };

static void must(enum keystay_status status, const struct keystay_error *err)
{
    if (status != KEYSTAY_OK) {
        (void)fprintf(stderr, "hits: %s\n", err->message);
        exit(1);
    }
}

static void scope_of(size_t i, char ret_scope[SCOPE_SIZE])
{
    (void)snprintf(ret_scope, SCOPE_SIZE, "https://resource-%zu.example.com/.default", i);
}

static void acquire(struct keystay_client *client, struct keystay_signer *signer, const char *scope)
{
    const struct keystay_request request = { .scope = scope };
    struct keystay_token *token = NULL;
    struct keystay_error err;

    must(keystay_client_acquire_for(client, signer, &request, &token, &err), &err);
    keystay_token_free(token);
}

static double microseconds_of_a_hit(struct keystay_client *client, size_t n_tokens, size_t n_calls)
{
    char(*scopes)[SCOPE_SIZE] = calloc(n_tokens, sizeof(*scopes));
    double least_us = 1e9;

    if (scopes == NULL) {
        exit(1);
    }
    for (size_t i = 0; i < n_tokens; i++) {
        scope_of(i, scopes[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begun_ms = clock_monotonic_ms();
        for (size_t i = 0; i < n_calls; i++) {
            acquire(client, NULL, scopes[(i * 7919) % n_tokens]); /* a hit needs no signer */
        }
        double us = (double)(clock_monotonic_ms() - begun_ms) * 1000.0 / (double)n_calls;
        least_us = us < least_us ? us : least_us;
    }
    free(scopes);
    return least_us;
}

int main(int argc, char **argv)
{
    static const size_t counts[] = { 10, 1000, 10000 };
    struct http_transport transport = { &ops };
    struct keystay_profile *profile = NULL;
    struct keystay_client *client = NULL;
    struct soft_signer *signer = soft_signer_new(ALG_BIT(KEYSTAY_ALG_RS256), NULL);
    struct keystay_error err;
    size_t n_calls = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
    size_t n_tokens = 0;

    must(keystay_profile_new(&profile, &err), &err);
    must(keystay_profile_set(profile, "tenant", "contoso.example", &err), &err);
    must(keystay_profile_set(profile, "client-id", "11111111-2222-3333-4444-555555555555", &err), &err);
    must(client_new_with(profile, NULL, &transport, &client_system_clock, &client, &err), &err);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        for (; n_tokens < counts[i]; n_tokens++) {
            char scope[SCOPE_SIZE];

            scope_of(n_tokens, scope);
            acquire(client, &signer->base, scope);
        }
        (void)printf("%zu %.3f\n", counts[i], microseconds_of_a_hit(client, counts[i], n_calls));
    }
    client_freep(&client);
    soft_signer_freep(&signer);
    keystay_profile_free(profile);
    return 0;
}
