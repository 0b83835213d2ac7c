/* SPDX-License-Identifier: Apache-2.0 */
/* What is renewed before anybody asks: which tokens a client shows, and when. */
#include "unit.h"

#include <stdio.h>

#include "client_world.h"
#include "core/acquire.h"

enum { LIFE_S = 3600 };

static const char graph[] = "https://graph.microsoft.com/.default";
static const char vault[] = "https://vault.azure.net";
static int64_t now_s, lead_s;

static int64_t fake_now_s(void)
{
    return now_s;
}

static int64_t fake_now_ms(void)
{
    return now_s * 1000;
}

static void fake_sleep_ms(int64_t ms)
{
    now_s += (ms + 999) / 1000;
}

static int64_t fake_lead_s(void)
{
    return lead_s;
}

static void begin(struct world *world)
{
    now_s = NOW_S;
    lead_s = 0;
    world_init(world);
    world_start_for_graph(world);
    world->client->clock = (struct client_clock){ fake_now_s, fake_now_ms, fake_sleep_ms, fake_lead_s };
}

/* A signer_source's get. */
static enum keystay_status get_signer(
    void *context, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    struct world *world = context;

    (void)err;
    *ret_signer = &world->signer->base;
    return KEYSTAY_OK;
}

/* From the server: a token that lives so long. */
static void get(struct world *world, const struct keystay_request *request, int64_t life_s)
{
    const struct signer_source source = { get_signer, world };
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    char answer[200];

    (void)snprintf(
        answer, sizeof(answer), "{\"token_type\":\"Bearer\",\"expires_in\":%lld,\"access_token\":\"a\"}",
        (long long)life_s);
    world->answer = answer;
    assert_ok(acquire_renew(world->client, &source, request, &token, NULL));
}

struct shown {
    int n;
    const char *scope, *resource;
};

/* A due_viewer. */
static void show(void *context, const char *scope, const char *resource)
{
    struct shown *shown = context;

    shown->n++;
    assert_int_equal(scope == NULL, shown->scope == NULL);
    assert_int_equal(resource == NULL, shown->resource == NULL);
    assert_string_equal(scope != NULL ? scope : resource, scope != NULL ? shown->scope : shown->resource);
}

static int n_due(struct world *world)
{
    struct shown shown = { .scope = graph };

    client_take_due(world->client, CLIENT_DUE_MAX, show, &shown);
    return shown.n;
}

TEST(nothing_is_shown_that_nobody_has_had)
{
    CLEANUP(world_clear) struct world world;

    begin(&world);
    assert_int_equal(n_due(&world), 0);
    acquire_note_use(world.client, NULL);
    get(&world, NULL, LIFE_S);
    now_s += LIFE_S * 3 / 4;
    assert_int_equal(n_due(&world), 0);
    token_freep(&(struct keystay_token *){ acquire_held(world.client, NULL) });
    assert_int_equal(n_due(&world), 1);
    assert_int_equal(n_due(&world), 0); /* not at once again */
    get(&world, NULL, LIFE_S);
    now_s += LIFE_S * 3 / 4;
    assert_int_equal(n_due(&world), 0);
    acquire_note_use(world.client, NULL);
    assert_int_equal(n_due(&world), 1);
}

TEST(it_is_shown_what_it_is_for)
{
    CLEANUP(world_clear) struct world world;
    const struct keystay_request request = { .resource = vault };
    struct shown shown = { .resource = vault };

    begin(&world);
    get(&world, &request, LIFE_S);
    acquire_note_use(world.client, &request);
    now_s += LIFE_S * 3 / 4;
    client_take_due(world.client, 0, show, &shown);
    assert_int_equal(shown.n, 0);
    client_take_due(world.client, 1000, show, &shown);
    assert_int_equal(shown.n, 1);
}

/* Else whoever asks would wait, in each life of a token. */
TEST(it_is_due_while_it_is_fresh_however_shortly_it_lives)
{
    static const int64_t lives_s[] = { 60, 300, 500, 600, 700, 3600, 86400 };

    for (size_t i = 0; i < ARRAY_LEN(lives_s); i++) {
        CLEANUP(world_clear) struct world world;
        int64_t due_s = 0;

        begin(&world);
        get(&world, NULL, lives_s[i]);
        acquire_note_use(world.client, NULL);
        while (n_due(&world) == 0) {
            now_s++;
            due_s++;
            assert_true(due_s < lives_s[i]);
        }
        CLEANUP(token_freep) struct keystay_token *held = acquire_held(world.client, NULL);
        assert_non_null(held);
        assert_true(due_s >= (lives_s[i] > 600 ? lives_s[i] / 2 : lives_s[i] * 3 / 8 - 1));
    }
}

/* Whoever asks gets a new one: nothing that is renewed would be for him. */
TEST(what_the_clock_has_made_unusable_is_not_renewed)
{
    CLEANUP(world_clear) struct world world;

    begin(&world);
    get(&world, NULL, LIFE_S);
    acquire_note_use(world.client, NULL);
    now_s += LIFE_S * 3 / 4;
    lead_s -= 61;
    assert_int_equal(n_due(&world), 0);
}

/* It has the place of the token that was refused, so what is renewed is that of those who ask without claims.
 */
TEST(what_was_got_for_a_challenge_is_renewed_as_what_it_replaced)
{
    CLEANUP(world_clear) struct world world;
    const struct keystay_request request = { .claims = "{\"access_token\":{\"nbf\":null}}" };

    begin(&world);
    get(&world, NULL, LIFE_S);
    get(&world, &request, LIFE_S);
    acquire_note_use(world.client, &request);
    now_s += LIFE_S * 3 / 4;
    assert_int_equal(n_due(&world), 1);
    assert_int_equal(n_due(&world), 0);
}

TEST(nothing_is_shown_while_the_server_wants_to_be_left_alone)
{
    CLEANUP(world_clear) struct world world;

    begin(&world);
    get(&world, NULL, LIFE_S);
    acquire_note_use(world.client, NULL);
    now_s += LIFE_S * 3 / 4;
    throttle_note(&world.client->throttle, now_s + 100, lead_s);
    assert_int_equal(n_due(&world), 0);
    now_s += 100;
    assert_int_equal(n_due(&world), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_shown_that_nobody_has_had),
        cmocka_unit_test(it_is_shown_what_it_is_for),
        cmocka_unit_test(it_is_due_while_it_is_fresh_however_shortly_it_lives),
        cmocka_unit_test(what_the_clock_has_made_unusable_is_not_renewed),
        cmocka_unit_test(what_was_got_for_a_challenge_is_renewed_as_what_it_replaced),
        cmocka_unit_test(nothing_is_shown_while_the_server_wants_to_be_left_alone),
    };

    return RUN_TESTS(tests);
}
