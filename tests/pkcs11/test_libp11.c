/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several signers of the libp11 engine in one process: they share a module, and libp11 lets go of all of it
 * whenever one of them opens, recovers or is locked. libp11.sh makes the token and sets the environment.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* EVP_PKEY_meth_get_count */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "base/error.h"
#include "base/secret.h"
#include "jose/jws.h"
#include "pkcs11/libp11/libp11.h"

enum { PATH_SIZE = 512, THREADS = 4, SIGNATURES = 100, OPENINGS = 5 };

static const char rsa_uri[] = "pkcs11:token=two;id=%01";
static const char ec_uri[] = "pkcs11:token=two;id=%02";

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL) {
        fail_msg("%s is not set: run this through libp11.sh", name);
    }
    return value;
}

static enum keystay_status try_open(
    const struct p11_engine *engine, const char *uri, const struct keystay_call_watch *watch,
    struct keystay_signer **ret_signer, struct keystay_error *err)
{
    char path[PATH_SIZE], pin_source[PATH_SIZE];
    const char *certificate = path;
    const struct keystay_pkcs11_config config = {
        .module = variable("TEST_MODULE"),
        .key_uri = uri,
        .certificates = &certificate,
        .n_certificates = 1,
        .pin_source = pin_source,
        .state_dir = variable("TEST_FOLDER"),
        .now_s = time(NULL),
        .watch = watch,
    };
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };

    (void)snprintf(
        path, sizeof(path), "%s/%s", variable("TEST_FOLDER"), uri == ec_uri ? "ec.pem" : "cert.pem");
    (void)snprintf(pin_source, sizeof(pin_source), "file:%s/pin", variable("TEST_FOLDER"));
    TRY(p11_settings_read(&config, &settings, err));
    return engine->open(&settings, ret_signer, err);
}

static struct keystay_signer *open_signer(const char *uri)
{
    struct keystay_signer *signer = NULL;
    struct keystay_error err = { 0 };

    if (try_open(&libp11_engine, uri, NULL, &signer, &err) != KEYSTAY_OK) {
        fail_msg("%s", err.message);
    }
    return signer;
}

static enum keystay_status try_sign(
    struct keystay_signer *signer, enum keystay_alg alg, struct keystay_error *err)
{
    CLEANUP(secret_clear) struct secret jws = { 0 };

    return jws_sign(signer, TBS_ASSERTION, NULL, alg, slice_of_str("{}"), slice_of_str("{}"), &jws, err);
}

/* signer_sign verifies each. */
static void assert_signs(struct keystay_signer *signer, enum keystay_alg alg)
{
    struct keystay_error err = { 0 };

    if (try_sign(signer, alg, &err) != KEYSTAY_OK) {
        fail_msg("%s", err.message);
    }
}

static void test_what_cannot_be_opened_leaves_nothing_behind(void **state)
{
    struct keystay_signer *signer = NULL;
    struct keystay_error err = { 0 };

    (void)state;
    assert_int_equal(
        try_open(&libp11_engine, "pkcs11:token=two;id=%77", NULL, &signer, &err), KEYSTAY_E_KEY_NOT_FOUND);
    assert_null(signer);
    signer = open_signer(rsa_uri);
    assert_signs(signer, KEYSTAY_ALG_RS256);
    keystay_signer_free(signer);
}

static void test_one_engine_at_a_time_owns_the_module(void **state)
{
    struct keystay_signer *first = NULL, *second = NULL;
    struct keystay_error err = { 0 };

    (void)state;
    assert_int_equal(try_open(&cryptoki_engine, rsa_uri, NULL, &first, &err), KEYSTAY_OK);
    assert_int_equal(try_open(&libp11_engine, ec_uri, NULL, &second, &err), KEYSTAY_E_MODULE);
    assert_non_null(strstr(err.message, "with the cryptoki engine"));
    assert_signs(first, KEYSTAY_ALG_RS256);
    keystay_signer_free(first);
    second = open_signer(ec_uri);
    assert_signs(second, KEYSTAY_ALG_ES256);
    keystay_signer_free(second);
}

static void test_two_signers_share_a_module(void **state)
{
    struct keystay_signer *rsa = open_signer(rsa_uri);
    assert_signs(rsa, KEYSTAY_ALG_RS256);
    struct keystay_signer *ec = open_signer(ec_uri);

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_signs(ec, KEYSTAY_ALG_ES256);
        assert_signs(rsa, KEYSTAY_ALG_PS256);
    }
    keystay_signer_free(rsa);
    assert_signs(ec, KEYSTAY_ALG_ES256);
    keystay_signer_free(ec);
}

static void test_a_lock_of_one_is_no_lock_of_the_other(void **state)
{
    struct keystay_signer *rsa = open_signer(rsa_uri);
    struct keystay_signer *ec = open_signer(ec_uri);
    struct keystay_error err = { 0 };

    (void)state;
    keystay_signer_lock(rsa);
    assert_int_equal(keystay_signer_check(ec, &err), KEYSTAY_OK);
    assert_signs(ec, KEYSTAY_ALG_ES256);
    assert_signs(rsa, KEYSTAY_ALG_RS256);
    keystay_signer_free(ec);
    keystay_signer_free(rsa);
}

/* The method that signs PSS is for those signatures alone. */
static void test_no_key_of_the_process_but_ours_goes_to_the_token(void **state)
{
    size_t n_before = EVP_PKEY_meth_get_count();
    struct keystay_signer *rsa = open_signer(rsa_uri);

    (void)state;
    assert_signs(rsa, KEYSTAY_ALG_PS256);
    assert_signs(rsa, KEYSTAY_ALG_PS384);
    assert_signs(rsa, KEYSTAY_ALG_PS512);
    assert_int_equal(EVP_PKEY_meth_get_count(), n_before);
    keystay_signer_free(rsa);
}

struct calls {
    int depth;
    int n;
    bool has_login;
};

static void enter(void *context, const char *call)
{
    struct calls *calls = context;

    assert_int_equal(calls->depth, 0);
    calls->depth++;
    calls->n++;
    calls->has_login = calls->has_login || strcmp(call, "PKCS11_login") == 0;
}

static void leave(void *context)
{
    ((struct calls *)context)->depth--;
}

static void test_every_call_is_announced(void **state)
{
    struct calls calls = { 0 };
    const struct keystay_call_watch watch = { .enter = enter, .leave = leave, .context = &calls };
    struct keystay_signer *signer = NULL;
    struct keystay_error err = { 0 };

    (void)state;
    assert_int_equal(try_open(&libp11_engine, rsa_uri, &watch, &signer, &err), KEYSTAY_OK);
    assert_true(calls.has_login);
    int n_before = calls.n;
    assert_signs(signer, KEYSTAY_ALG_RS256);
    assert_int_equal(calls.n, n_before + 1);
    keystay_signer_free(signer);
    assert_int_equal(calls.depth, 0);
}

static void test_a_child_has_no_signer(void **state)
{
    struct keystay_signer *signer = open_signer(rsa_uri);
    int status = 0;

    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct keystay_error err = { 0 };
        bool is_refused = try_sign(signer, KEYSTAY_ALG_RS256, &err) == KEYSTAY_E_MODULE &&
                          strstr(err.message, "forked") != NULL;
        keystay_signer_lock(signer);
        keystay_signer_free(signer);
        _exit(is_refused ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_signs(signer, KEYSTAY_ALG_RS256);
    keystay_signer_free(signer);
}

struct share {
    struct keystay_signer *signer;
    enum keystay_alg alg;
    atomic_int n_signed;
};

static void *sign_many(void *context)
{
    struct share *share = context;

    for (int i = 0; i < SIGNATURES; i++) {
        struct keystay_error err = { 0 };
        if (try_sign(share->signer, share->alg, &err) == KEYSTAY_OK) {
            atomic_fetch_add(&share->n_signed, 1);
        } else {
            (void)fprintf(stderr, "%s\n", err.message);
        }
    }
    return NULL;
}

static void test_work_goes_on_while_others_come_and_go(void **state)
{
    struct share shares[THREADS];
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        bool is_rsa = i % 2 == 0;
        shares[i].signer = open_signer(is_rsa ? rsa_uri : ec_uri);
        shares[i].alg = is_rsa ? KEYSTAY_ALG_PS256 : KEYSTAY_ALG_ES256;
        atomic_init(&shares[i].n_signed, 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sign_many, &shares[i]), 0);
    }
    for (int i = 0; i < OPENINGS; i++) {
        keystay_signer_lock(shares[i % THREADS].signer);
        keystay_signer_free(open_signer(rsa_uri));
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(atomic_load(&shares[i].n_signed), SIGNATURES);
        keystay_signer_free(shares[i].signer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_cannot_be_opened_leaves_nothing_behind),
        cmocka_unit_test(test_one_engine_at_a_time_owns_the_module),
        cmocka_unit_test(test_two_signers_share_a_module),
        cmocka_unit_test(test_a_lock_of_one_is_no_lock_of_the_other),
        cmocka_unit_test(test_no_key_of_the_process_but_ours_goes_to_the_token),
        cmocka_unit_test(test_every_call_is_announced),
        cmocka_unit_test(test_a_child_has_no_signer),
        cmocka_unit_test(test_work_goes_on_while_others_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
