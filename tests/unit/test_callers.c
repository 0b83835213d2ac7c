/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thousand threads that share one client. tests/check.sh runs this under ThreadSanitizer too, so it must
 * stay quick and must not make the code under test wait for real time.
 */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "core/client.h"
#include "oauth/access_token.h"
#include "rsa.h"
#include "scratch.h"

enum { CALLERS = 1000, SCOPES = 10, LIFE_S = 3600, POST_MS = 20, STACK = 512 * 1024 };

static _Atomic int64_t now_s = CERT_NOW_S;

static int64_t fake_now_s(void)
{
    return atomic_load(&now_s);
}

/* It stands still: an error stays for good. */
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

/* Each answer is another token. */
struct server {
    struct http_transport base; /* first: the seam casts */
    atomic_int n_posts;
    atomic_bool is_away;
};

static enum keystay_status answer(
    struct http_transport *base, const struct http_request *request, struct http_response *ret_response,
    struct keystay_error *err)
{
    struct server *server = (struct server *)base;
    char body[200];

    (void)request;
    int n = atomic_fetch_add(&server->n_posts, 1);
    sleep_ms(POST_MS); /* so that others come meanwhile */
    if (atomic_load(&server->is_away)) {
        return err_set(err, KEYSTAY_E_TLS, "it is away");
    }
    (void)snprintf(
        body, sizeof(body), "{\"token_type\":\"Bearer\",\"access_token\":\"token-%d\",\"expires_in\":%d}", n,
        LIFE_S);
    ret_response->status = 200;
    return buf_puts(&ret_response->body, body, err);
}

static void keep_open(struct http_transport *base)
{
    (void)base; /* it is the test's */
}

static const struct http_ops server_ops = { answer, keep_open };

struct world {
    struct server server;
    struct keystay_profile *profile;
    struct keystay_client *client;
    struct soft_signer *signer;
};

static void world_init(struct world *world)
{
    *world = (struct world){ .server = { .base = { &server_ops } },
                             .signer = soft_signer_new(ALG_BIT(KEYSTAY_ALG_RS256), NULL) };
    assert_ok(keystay_profile_new(&world->profile, NULL));
    assert_ok(keystay_profile_set(world->profile, "tenant", "contoso.example", NULL));
    assert_ok(keystay_profile_set(world->profile, "client-id", "an-id", NULL));
    assert_ok(client_new_with(world->profile, NULL, &world->server.base, &fake_clock, &world->client, NULL));
}

static void world_clear(struct world *world)
{
    client_freep(&world->client);
    profile_freep(&world->profile);
    soft_signer_freep(&world->signer);
}

struct caller {
    struct world *world;
    pthread_barrier_t *start;
    int scope;
    struct keystay_token *token;
    enum keystay_status status;
};

static void *call(void *context)
{
    struct caller *caller = context;
    char scope[64];
    const struct keystay_request request = { .scope = scope };
    struct keystay_error err = { 0 };

    (void)snprintf(scope, sizeof(scope), "https://api%d.example/.default", caller->scope);
    (void)pthread_barrier_wait(caller->start);
    caller->status = keystay_client_acquire_for(
        caller->world->client, &caller->world->signer->base, &request, &caller->token, &err);
    return NULL;
}

/* All call at once. What they got is theirs; give_back frees it. */
static void call_all(struct world *world, struct caller *callers, int n)
{
    pthread_t *threads = calloc((size_t)n, sizeof(*threads));
    pthread_barrier_t start;
    pthread_attr_t attributes;

    assert_non_null(threads);
    assert_int_equal(pthread_barrier_init(&start, NULL, (unsigned int)n), 0);
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, STACK), 0);
    for (int i = 0; i < n; i++) {
        callers[i] = (struct caller){ .world = world, .start = &start, .scope = i % SCOPES };
        assert_int_equal(pthread_create(&threads[i], &attributes, call, &callers[i]), 0);
    }
    for (int i = 0; i < n; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    (void)pthread_attr_destroy(&attributes);
    (void)pthread_barrier_destroy(&start);
    free(threads);
}

static void give_back(struct caller *callers, int n)
{
    for (int i = 0; i < n; i++) {
        keystay_token_free(callers[i].token);
    }
}

static void assert_all(const struct caller *callers, int n, enum keystay_status status)
{
    for (int i = 0; i < n; i++) {
        assert_int_equal(callers[i].status, status);
        assert_int_equal(callers[i].token != NULL, status == KEYSTAY_OK);
    }
}

TEST(one_signature_and_one_request_a_token)
{
    static struct caller callers[CALLERS];
    const int n = is_under_valgrind() ? CALLERS / 10 : CALLERS;
    CLEANUP(world_clear) struct world world;

    world_init(&world);
    call_all(&world, callers, n); /* cold */
    assert_all(callers, n, KEYSTAY_OK);
    for (int i = SCOPES; i < n; i++) {
        assert_ptr_equal(callers[i].token, callers[i % SCOPES].token);
    }
    for (int i = 1; i < SCOPES; i++) {
        assert_string_not_equal(keystay_token_value(callers[i].token), keystay_token_value(callers[0].token));
    }
    assert_int_equal(atomic_load(&world.server.n_posts), SCOPES);
    assert_int_equal(world.signer->n_signed, 1); /* one assertion for all scopes */
    give_back(callers, n);

    call_all(&world, callers, n); /* hits */
    assert_all(callers, n, KEYSTAY_OK);
    assert_int_equal(atomic_load(&world.server.n_posts), SCOPES);
    give_back(callers, n);

    atomic_fetch_add(&now_s, LIFE_S * 3 / 4); /* past half of their lives and the jitter: due */
    call_all(&world, callers, n);
    assert_all(callers, n, KEYSTAY_OK);
    assert_int_equal(atomic_load(&world.server.n_posts), 2 * SCOPES);
    assert_int_equal(world.signer->n_signed, 2);
    give_back(callers, n);
}

TEST(one_failure_reaches_all)
{
    static struct caller callers[CALLERS];
    const int n = is_under_valgrind() ? CALLERS / 10 : CALLERS;
    CLEANUP(world_clear) struct world world;

    world_init(&world);
    atomic_store(&world.server.is_away, true);
    call_all(&world, callers, n);
    assert_all(callers, n, KEYSTAY_E_TLS);
    assert_int_equal(atomic_load(&world.server.n_posts), SCOPES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_signature_and_one_request_a_token),
        cmocka_unit_test(one_failure_reaches_all),
    };

    return RUN_TESTS(tests);
}
