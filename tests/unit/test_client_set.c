/* SPDX-License-Identifier: Apache-2.0 */
/* A client over several keys: which of them signs, and that a whole assertion is made with one. */
#include "unit.h"

#include "base/base64url.h"
#include "core/client.h"
#include "jose/thumbprint.h"
#include "oauth/access_token.h"
#include "rsa.h"
#include "signer/set.h"

enum { RS = ALG_BIT(KEYSTAY_ALG_RS256), PS = ALG_BIT(KEYSTAY_ALG_PS256) };

/* Two keys with a certificate each, in a set; nothing here goes to a network. */
struct pair {
    struct soft_signer *keys[2]; /* owned by the set once they are opened */
    struct signer_candidate candidates[2];
    struct keystay_signer *set;
    struct keystay_profile *profile;
    struct keystay_client *client;
};

static enum keystay_status open_soft(
    const void *config, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    struct soft_signer **key = drop_const(config);

    (void)err;
    *ret_signer = &take_ptr(key)->base;
    return KEYSTAY_OK;
}

static int64_t fake_now_ms(void)
{
    return 1000;
}

static void pair_init(struct pair *pair)
{
    static const struct cert_spec first = { .subject_cn = "first" };
    static const struct cert_spec second = { .subject_cn = "second" };

    *pair = (struct pair){ .keys = { soft_signer_new(RS | PS, cert_new(&first)),
                                     soft_signer_new(RS | PS, cert_new(&second)) } };
    pair->candidates[0] = (struct signer_candidate){ &pair->keys[0], "--key 1" };
    pair->candidates[1] = (struct signer_candidate){ &pair->keys[1], "--key 2" };
    assert_ok(signer_set_new(pair->candidates, 2, open_soft, fake_now_ms, NULL, &pair->set, NULL));
    assert_ok(keystay_profile_new(&pair->profile, NULL));
    assert_ok(keystay_profile_set(pair->profile, "tenant", "contoso.example", NULL));
    assert_ok(keystay_profile_set(pair->profile, "client-id", "an-id", NULL));
    assert_ok(keystay_client_new(pair->profile, NULL, &pair->client, NULL));
}

static void pair_clear(struct pair *pair)
{
    signer_freep(&pair->set);
    soft_signer_freep(&pair->keys[0]);
    soft_signer_freep(&pair->keys[1]);
    client_freep(&pair->client);
    profile_freep(&pair->profile);
}

static enum keystay_status sign(
    struct pair *pair, struct keystay_token **assertion, struct keystay_error *err)
{
    return keystay_client_assertion(pair->client, pair->set, assertion, err);
}

/* The header of an assertion must have this algorithm, and the thumbprint of this signer's certificate. */
static void assert_header(
    const struct keystay_token *assertion, const char *alg, const struct soft_signer *key)
{
    CLEANUP(buf_clear) struct buf header = BUF(1024);
    CLEANUP(buf_clear) struct buf thumbprint = BUF(64);
    const char *text = keystay_token_value(assertion);

    assert_ok(base64url_decode((struct slice){ (const uint8_t *)text, strcspn(text, ".") }, &header, NULL));
    assert_ok(thumbprint_encode(key->base.certificate, THUMBPRINT_SHA256, &thumbprint, NULL));
    assert_contains(buf_str(&header), alg);
    assert_contains(buf_str(&header), buf_str(&thumbprint));
    assert_memory_equal(text, key->last_input.data, key->last_input.len);
}

TEST(the_first_key_signs)
{
    CLEANUP(pair_clear) struct pair pair;
    CLEANUP(token_freep) struct keystay_token *assertion = NULL;

    pair_init(&pair);
    const struct soft_signer *first = pair.keys[0];
    assert_ok(sign(&pair, &assertion, NULL));
    assert_header(assertion, "PS256", first);
    assert_non_null(pair.keys[1]); /* never opened */
}

/* The second brings its own certificate, and its own choice of algorithm. */
TEST(the_second_signs_a_whole_assertion)
{
    static const struct {
        alg_set first_can, second_can;
        enum spoil spoil;
        const char *alg;
    } rows[] = {
        { RS | PS, RS | PS, SPOIL_FAIL, "PS256" },
        { RS | PS, RS, SPOIL_FAIL_HALFWAY, "RS256" },
        { RS | PS, RS, SPOIL_BIT, "RS256" },
        { 0, PS, SPOIL_NOTHING, "PS256" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(pair_clear) struct pair pair;
        CLEANUP(token_freep) struct keystay_token *assertion = NULL;

        pair_init(&pair);
        const struct soft_signer *second = pair.keys[1];
        pair.keys[0]->base.algs = rows[i].first_can;
        pair.keys[0]->spoil = rows[i].spoil;
        pair.keys[1]->base.algs = rows[i].second_can;
        assert_ok(sign(&pair, &assertion, NULL));
        assert_header(assertion, rows[i].alg, second);
    }
}

TEST(when_none_can_each_reason_is_told)
{
    CLEANUP(pair_clear) struct pair pair;
    CLEANUP(token_freep) struct keystay_token *assertion = NULL;
    struct keystay_error err;

    pair_init(&pair);
    pair.keys[0]->spoil = SPOIL_FAIL;
    pair.keys[1]->base.algs = 0;
    assert_int_equal(sign(&pair, &assertion, &err), KEYSTAY_E_MODULE);
    assert_contains(err.message, "--key 1: the soft signer fails");
    assert_contains(err.message, "--key 2: ");
    assert_null(assertion);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_key_signs),
        cmocka_unit_test(the_second_signs_a_whole_assertion),
        cmocka_unit_test(when_none_can_each_reason_is_told),
    };

    return RUN_TESTS(tests);
}
