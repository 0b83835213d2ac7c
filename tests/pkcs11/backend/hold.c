/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that keeps one signer open, as a service does: what happens to its token while it lives is the
 * tests' business.
 *
 *     hold [OPTION...]                              signs one assertion for each line of stdin; for the lines
 *                                                   "check" and "lock" it does that instead
 *     hold --threads 8 --signatures 200 [OPTION...] makes 200 in all, from 8 threads at once
 *
 * --engine libp11 has the second engine sign, in this very process; with --isolate either signs in a process
 * of its own, --signer-program, which is given --timeout seconds for an operation.
 *
 * "open" on stdout says that the signer is there; then each signature is a line, `ok JWS` or `error STATUS
 * MESSAGE`. A signature that failed changes nothing: the next line is the next try. A thread waits a little
 * after a failure and tries again, for a minute at most. Exit status 1: the signer could not be opened (its
 * error is on stdout), 2: wrong usage.
 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypto/alg.h"
#include "jose/assertion.h"
#include "keystay/pkcs11.h"
#include "pkcs11/engine.h"
#include "pkcs11/libp11/libp11.h"
#include "signer/signer.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_LEAK_CHECK
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_LEAK_CHECK
#endif
#endif

enum { THREADS_MAX = 256, LINE_MAX_LEN = 256, OPEN_FAILED = 1, USAGE = 2 };
enum { TRY_AGAIN_MS = 100, GIVE_UP_MS = 60000 };

/* Two runs sign the same bytes. */
enum { SIGNED_AT_S = 1700000000, LIFETIME_S = 600 };

struct hold {
    struct keystay_signer *signer;
    const struct alg *alg;
    atomic_long n_left; /* signatures that no thread has begun */
};

static void say_error(const struct keystay_error *error)
{
    char message[KEYSTAY_ERROR_MESSAGE_SIZE];

    (void)snprintf(message, sizeof(message), "%s", error->message);
    for (char *at = message; *at != '\0'; at++) {
        *at = *at == '\n' ? ' ' : *at;
    }
    (void)printf("error %s %s\n", keystay_status_name(error->status), message);
}

static bool sign_one(const struct hold *hold, long number)
{
    CLEANUP(secret_clear) struct secret jws = { 0 };
    struct keystay_error error = { 0 };
    char jti[24];
    const struct assertion assertion = {
        .alg = hold->alg->id,
        .audience = "hold",
        .issuer = "hold",
        .jti = jti,
        .now_s = SIGNED_AT_S,
        .lifetime_s = LIFETIME_S,
    };

    (void)snprintf(jti, sizeof(jti), "%ld", number);
    if (assertion_sign(&assertion, hold->signer, &jws, &error) != KEYSTAY_OK) {
        say_error(&error);
        return false;
    }
    (void)printf("ok %s\n", jws.data);
    return true;
}

static void check(const struct hold *hold)
{
    struct keystay_error error = { 0 };

    if (keystay_signer_check(hold->signer, &error) == KEYSTAY_OK) {
        (void)printf("ok checked\n");
    } else {
        say_error(&error);
    }
}

static void sign_on_demand(const struct hold *hold)
{
    char line[LINE_MAX_LEN];

    for (long number = 1; fgets(line, sizeof(line), stdin) != NULL; number++) {
        if (str_equal(line, "check\n")) {
            check(hold);
        } else if (str_equal(line, "lock\n")) {
            keystay_signer_lock(hold->signer);
            (void)printf("ok locked\n");
        } else {
            (void)sign_one(hold, number);
        }
    }
}

/* Until it is done, as a service would; time is what a fault may cost. */
static void sign_patiently(const struct hold *hold, long number)
{
    const struct timespec pause = { .tv_nsec = TRY_AGAIN_MS * 1000000L };
    int64_t give_up_ms = clock_monotonic_ms() + GIVE_UP_MS;

    while (!sign_one(hold, number) && clock_monotonic_ms() < give_up_ms) {
        (void)nanosleep(&pause, NULL);
    }
}

static void *sign_share(void *context)
{
    struct hold *hold = context;

    for (long number = atomic_fetch_sub(&hold->n_left, 1); number > 0;
         number = atomic_fetch_sub(&hold->n_left, 1)) {
        sign_patiently(hold, number);
    }
    return NULL;
}

static void sign_at_once(struct hold *hold, size_t n_threads)
{
    pthread_t threads[THREADS_MAX];
    size_t n = 0;

    while (n < n_threads && n < THREADS_MAX && pthread_create(&threads[n], NULL, sign_share, hold) == 0) {
        n++;
    }
    while (n > 0) {
        (void)pthread_join(threads[--n], NULL);
    }
}

/* What a person may want to see of a run that failed. */
static void log_line(void *context, enum keystay_log_level level, const char *text)
{
    (void)context;
    (void)level;
    (void)fprintf(stderr, "hold: %s\n", text);
}

struct options {
    struct keystay_pkcs11_config config;
    const char *certificate;
    const struct p11_engine *engine;
    const struct alg *alg;
    long threads;
    long signatures;
};

static const struct p11_engine *engine_by_name(const char *name)
{
    const struct p11_engine *const engines[] = { &cryptoki_engine, &libp11_engine };

    for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
        if (str_equal(engines[i]->name, name)) {
            return engines[i];
        }
    }
    return NULL;
}

static bool set_option(int which, const char *value, struct options *options)
{
    struct keystay_pkcs11_config *config = &options->config;

    switch (which) {
    case 'm':
        config->module = value;
        return true;
    case 'g':
        config->module_args = value;
        return true;
    case 'k':
        config->key_uri = value;
        return true;
    case 'c':
        options->certificate = value;
        return true;
    case 'p':
        config->pin_source = value;
        return true;
    case 'd':
        config->state_dir = value;
        return true;
    case 's':
        config->sessions = (unsigned int)strtoul(value, NULL, 10);
        return true;
    case 'e':
        config->engine = value;
        options->engine = engine_by_name(value);
        return options->engine != NULL;
    case 'i':
        config->isolate = true;
        return true;
    case 'x':
        config->signer_program = value;
        return true;
    case 'o':
        config->timeout_s = (unsigned int)strtoul(value, NULL, 10);
        return true;
    case 'a':
        options->alg = alg_by_name(value);
        return options->alg != NULL;
    case 't':
        options->threads = strtol(value, NULL, 10);
        return options->threads > 0;
    case 'n':
        options->signatures = strtol(value, NULL, 10);
        return options->signatures > 0;
    default:
        return false;
    }
}

static bool read_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        { "module", required_argument, NULL, 'm' },
        { "module-args", required_argument, NULL, 'g' },
        { "key", required_argument, NULL, 'k' },
        { "certificate", required_argument, NULL, 'c' },
        { "pin-source", required_argument, NULL, 'p' },
        { "state-dir", required_argument, NULL, 'd' },
        { "sessions", required_argument, NULL, 's' },
        { "engine", required_argument, NULL, 'e' },
        { "alg", required_argument, NULL, 'a' },
        { "threads", required_argument, NULL, 't' },
        { "signatures", required_argument, NULL, 'n' },
        { "isolate", no_argument, NULL, 'i' },
        { "signer-program", required_argument, NULL, 'x' },
        { "timeout", required_argument, NULL, 'o' },
        { NULL, 0, NULL, 0 },
    };
    int which = 0;

    while ((which = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (!set_option(which, optarg, options)) {
            return false;
        }
    }
    options->config.certificates = &options->certificate;
    options->config.n_certificates = options->certificate == NULL ? 0 : 1;
    return optind == argc && options->alg != NULL && (options->threads > 0) == (options->signatures > 0);
}

static enum keystay_status open_signer(
    const struct options *options, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };

    if (options->config.isolate) {
        return keystay_pkcs11_open(&options->config, ret_signer, err);
    }
    TRY(p11_settings_read(&options->config, &settings, err));
    return options->engine->open(&settings, ret_signer, err);
}

/* Leaves as the program does: the exit handlers of a module that stays loaded can crash. */
static int leave(int status)
{
    (void)fflush(stdout);
#ifndef HAS_LEAK_CHECK
    _exit(status);
#endif
    return status;
}

int main(int argc, char **argv)
{
    const struct keystay_log log = { .line = log_line };
    const struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct options options = { .config = { .now_s = time(NULL), .log = &log }, .engine = &cryptoki_engine };
    struct hold hold = { 0 };
    struct keystay_error error = { 0 };

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    if (!read_options(argc, argv, &options)) {
        (void)fprintf(stderr, "hold: wrong usage; see the head of hold.c\n");
        return USAGE;
    }
    hold.alg = options.alg;
    atomic_init(&hold.n_left, options.signatures);
    if (open_signer(&options, &hold.signer, &error) != KEYSTAY_OK) {
        say_error(&error);
        return leave(OPEN_FAILED);
    }
    (void)printf("open\n");
    if (options.threads > 0) {
        sign_at_once(&hold, (size_t)options.threads);
    } else {
        sign_on_demand(&hold);
    }
    keystay_signer_free(hold.signer);
    return leave(0);
}
