/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JWS and JWK tests of Project Wycheproof (https://github.com/C2SP/wycheproof, testvectors_v1), whose
 * folder is the argument. A good signature must be found good and a bad one bad, except:
 *
 * - groups with a shared secret (no public key): keystay verifies with public keys only;
 * - two tests for P-521, and two whose key is for PS256 while the token is PS384: refused, as they must be
 * here.
 */
#include "unit.h"

#include <stdio.h>

#include "base/file.h"
#include "base/str.h"
#include "jose/verify.h"

enum { FILE_MAX = 4 * 1024 * 1024 };

static const char *folder;

static struct json *load(const char *name)
{
    CLEANUP(buf_clear) struct buf text = BUF(FILE_MAX);
    struct json *json = NULL;
    struct keystay_error err = { 0 };
    char path[1024];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (file_read(path, "the vectors", KEYSTAY_E_CONFIG, &text, &err) != KEYSTAY_OK ||
        json_parse_object(buf_slice(&text), &json, &err) != KEYSTAY_OK) {
        fail_msg("%s", err.message);
    }
    return json;
}

static enum keystay_status verify(const struct json *keys, const char *token)
{
    CLEANUP(jwks_clear) struct jwks jwks = { 0 };
    CLEANUP(jws_clear) struct jws jws = { 0 };
    const struct jwk *jwk = NULL;

    if (token == NULL) {
        return KEYSTAY_E_ANSWER_NO; /* another serialisation: there is no text to take apart */
    }
    TRY(jwks_read(keys, &jwks, NULL));
    TRY(jws_decode(slice_of_str(token), &jws, NULL));
    TRY(verify_choose_key(&jws, &jwks, &jwk, NULL));
    return verify_with_jwk(&jws, jwk, NULL);
}

static bool is_exception(const struct json *keys, const char *comment)
{
    const char *alg = json_str_or_null(keys, "alg");

    return alg != NULL &&
           (str_equal(alg, "ES521") || (str_equal(alg, "PS256") && str_equal(comment, "Figure20")));
}

struct tally {
    int n_good, n_bad, n_exceptions;
};

static void run_vector(const struct json *keys, const struct json *test, struct tally *tally)
{
    const char *comment = json_str_or_null(test, "comment");
    const bool is_valid = str_equal(json_str_or_null(test, "result"), "valid");
    const bool is_taken = verify(keys, json_str_or_null(test, "jws")) == KEYSTAY_OK;

    if (is_valid && is_exception(keys, comment)) {
        assert_row(!is_taken, comment);
        tally->n_exceptions++;
        return;
    }
    if (is_taken != is_valid) {
        fail_msg("test %d, '%s'", (int)json_number(json_member(test, "tcId")), comment);
    }
    *(is_valid ? &tally->n_good : &tally->n_bad) += 1;
}

static struct tally run_file(const char *name)
{
    CLEANUP(json_freep) struct json *json = load(name);
    const struct json *group = json_first(json_member(json, "testGroups"));
    struct tally tally = { 0 };

    for (; group != NULL; group = json_next(group)) {
        const struct json *keys = json_member(group, "public");
        const struct json *test = keys == NULL ? NULL : json_first(json_member(group, "tests"));
        for (; test != NULL; test = json_next(test)) {
            run_vector(keys, test, &tally);
        }
    }
    return tally;
}

/* The numbers are those of the published files, so that a harness that passes tests over is noticed. */
TEST(signatures)
{
    const struct tally tally = run_file("json_web_signature_test.json");

    assert_int_equal(tally.n_good, 32);
    assert_int_equal(tally.n_bad, 325);
    assert_int_equal(tally.n_exceptions, 4);
}

TEST(keys)
{
    const struct tally tally = run_file("json_web_key_test.json");

    assert_int_equal(tally.n_good, 1);
    assert_int_equal(tally.n_bad, 10);
    assert_int_equal(tally.n_exceptions, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures),
        cmocka_unit_test(keys),
    };

    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    return RUN_TESTS(tests);
}
