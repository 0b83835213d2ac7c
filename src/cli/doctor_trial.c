/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trial: one assertion, and what the server says to it. Whoever has the assertion can ask for tokens, and
 * whoever has the token can use it: neither is told, and both are thrown away.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "cli/doctor.h"
#include "core/acquire.h"
#include "core/client.h"
#include "jose/decode.h"

enum { NAMES_SIZE = 200 };

/* A signer_source's get. */
static enum keystay_status get_signer(
    void *context, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    const struct session *session = context;

    (void)err;
    *ret_signer = session->signer;
    return KEYSTAY_OK;
}

static void list_names(const struct json *object, char ret_names[NAMES_SIZE])
{
    size_t len = 0;

    ret_names[0] = '\0';
    for (const struct json *item = json_first(object); item != NULL && len < NAMES_SIZE;
         item = json_next(item)) {
        len += (size_t)snprintf(ret_names + len, NAMES_SIZE - len, " %s", json_name(item));
    }
}

/* By the names of what is in it, and for whom it is. */
static enum keystay_status describe(
    struct doctor *doctor, const struct keystay_token *assertion, struct keystay_error *err)
{
    CLEANUP(jws_clear) struct jws jws = { 0 };
    CLEANUP(json_freep) struct json *claims = NULL;
    char header_names[NAMES_SIZE];
    char claim_names[NAMES_SIZE];

    TRY(jws_decode(secret_slice(&assertion->value), &jws, err));
    TRY(jwt_claims(&jws, &claims, err));
    list_names(jws.header, header_names);
    list_names(claims, claim_names);
    const char *audience = json_str_or_null(claims, "aud");
    doctor_tell(
        doctor, DOCTOR_ASSERTION, DOCTOR_OK, NULL,
        "it signed an assertion for %s, %s, and the certificate verifies it; header:%s; claims:%s",
        audience == NULL ? "several" : audience, jws.alg, header_names, claim_names);
    return KEYSTAY_OK;
}

/* The client holds it for the request that comes next: a person is asked for the PIN or a touch once. */
static bool try_assertion(struct doctor *doctor, const struct signer_source *source)
{
    struct keystay_client *client = doctor->session->client;
    const struct exchange_request request = { .source = source, .wanted = client_request(client) };
    struct keystay_error error = { 0 };
    enum keystay_status status = exchange_sign_ahead(client, &request, &error);

    status = status != KEYSTAY_OK ? status : describe(doctor, client->held.token, &error);
    if (status != KEYSTAY_OK) {
        doctor_fail(doctor, DOCTOR_ASSERTION, &error);
    }
    return status == KEYSTAY_OK;
}

static void try_token(struct doctor *doctor, const struct signer_source *source)
{
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    struct keystay_client *client = doctor->session->client;
    struct keystay_error error = { 0 };

    if (client_check_target(client, &error) != KEYSTAY_OK) {
        doctor_tell(
            doctor, DOCTOR_ACCESS_TOKEN, DOCTOR_WARN, error.hint, "no token was asked for: %s",
            error.message);
        return;
    }
    if (acquire_token(client, source, NULL, &token, &error) != KEYSTAY_OK) {
        doctor_fail(doctor, DOCTOR_ACCESS_TOKEN, &error);
        return;
    }
    doctor_tell(
        doctor, DOCTOR_ACCESS_TOKEN, DOCTOR_OK, NULL,
        "the server gave one that is good for %lld s; it was thrown away",
        (long long)(keystay_token_expires_at_s(token) - clock_now_s()));
}

void doctor_try(struct doctor *doctor, bool is_reachable)
{
    const struct session *session = doctor->session;
    const struct signer_source source = { get_signer, doctor->session };

    if (session->client == NULL || session->signer == NULL) {
        doctor_skip(
            doctor, DOCTOR_ASSERTION, DOCTOR_ACCESS_TOKEN,
            session->client == NULL ? "the server's settings come first" : "without the key");
        return;
    }
    if (session->client->plan.needs_discovery && !is_reachable) {
        doctor_skip(
            doctor, DOCTOR_ASSERTION, DOCTOR_ACCESS_TOKEN, "without the server's metadata nothing is signed");
        return;
    }
    if (!try_assertion(doctor, &source)) {
        doctor_skip(doctor, DOCTOR_ACCESS_TOKEN, DOCTOR_ACCESS_TOKEN, "without an assertion");
    } else if (!is_reachable) {
        doctor_skip(
            doctor, DOCTOR_ACCESS_TOKEN, DOCTOR_ACCESS_TOKEN, doctor->is_offline ? "--offline" : "see above");
    } else {
        try_token(doctor, &source);
    }
}
