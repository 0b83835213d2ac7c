/* SPDX-License-Identifier: Apache-2.0 */
#include "client_world.h"

#include <stdlib.h>

#include "base/error.h"
#include "unit.h"

static const alg_set both = ALG_BIT(KEYSTAY_ALG_RS256) | ALG_BIT(KEYSTAY_ALG_PS256);
static const char good_answer[] =
    "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"eyJhY2Nlc3M.T0.k3n\"}";

struct fake_transport {
    struct http_transport base; /* first: the seam casts */
    struct world *world;
};

static enum keystay_status fake_post(
    struct http_transport *base, const struct http_request *request, struct http_response *ret_response,
    struct keystay_error *err)
{
    struct world *world = ((struct fake_transport *)base)->world;

    world->n_posts++;
    buf_clear(&world->url);
    buf_clear(&world->headers);
    buf_clear(&world->form);
    assert_ok(buf_puts(&world->url, request->url, NULL));
    assert_ok(buf_put(&world->form, request->form, NULL));
    for (size_t i = 0; i < request->n_headers; i++) {
        assert_ok(buf_puts(&world->headers, request->headers[i], NULL));
        assert_ok(buf_putc(&world->headers, '\n', NULL));
    }
    if (world->transport_status != KEYSTAY_OK) {
        return err_set(err, world->transport_status, "the fake transport fails");
    }
    ret_response->status = world->http_status;
    return buf_puts(&ret_response->body, world->answer, err);
}

static void fake_close(struct http_transport *base)
{
    ((struct fake_transport *)base)->world->n_closed++;
    free(base);
}

static const struct http_ops fake_ops = { fake_post, fake_close };

static void take_line(void *context, enum keystay_log_level level, const char *text)
{
    struct world *world = context;

    (void)level;
    assert_ok(buf_puts(&world->lines, text, NULL));
    assert_ok(buf_putc(&world->lines, '\n', NULL));
}

static int64_t fake_now_s(void)
{
    return NOW_S;
}

static int64_t fake_now_ms(void)
{
    return 0;
}

static void fake_sleep_ms(int64_t ms)
{
    (void)ms;
}

/* Nobody sets it. */
static int64_t fake_lead_s(void)
{
    return 0;
}

static const struct client_clock fake_clock = { fake_now_s, fake_now_ms, fake_sleep_ms, fake_lead_s };

void world_init(struct world *world)
{
    *world = (struct world){
        .url = BUF(TEXT_MAX),
        .headers = BUF(TEXT_MAX),
        .form = BUF(TEXT_MAX),
        .lines = BUF(TEXT_MAX),
        .http_status = 200,
        .answer = good_answer,
        .log = { take_line, world },
        .signer = soft_signer_new(both, NULL),
    };
    assert_ok(keystay_profile_new(&world->profile, NULL));
    assert_ok(keystay_profile_set(world->profile, "tenant", "contoso.example", NULL));
    assert_ok(keystay_profile_set(world->profile, "client-id", "11111111-2222-3333-4444-555555555555", NULL));
}

void world_clear(struct world *world)
{
    client_freep(&world->client);
    profile_freep(&world->profile);
    soft_signer_freep(&world->signer);
    buf_clear(&world->url);
    buf_clear(&world->headers);
    buf_clear(&world->form);
    buf_clear(&world->lines);
}

void world_set(struct world *world, const char *name, const char *value)
{
    assert_ok(keystay_profile_set(world->profile, name, value, NULL));
}

enum keystay_status world_start(struct world *world, struct keystay_error *err)
{
    struct fake_transport *transport = calloc(1, sizeof(*transport));

    assert_non_null(transport);
    *transport = (struct fake_transport){ { &fake_ops }, world };
    return client_new_with(world->profile, &world->log, &transport->base, &fake_clock, &world->client, err);
}

void world_start_for_graph(struct world *world)
{
    world_set(world, "scope", "https://graph.microsoft.com/.default");
    assert_ok(world_start(world, NULL));
}

enum keystay_status world_acquire(
    struct world *world, struct keystay_token **token, struct keystay_error *err)
{
    return keystay_client_acquire(world->client, &world->signer->base, token, err);
}
