/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to have the module in another process. `isolated` reads what it prints.
 *
 *     sign_isolated MODULE LABEL ALG KEY-ID-HEX CERTIFICATE PIN-FILE SIGNER THREADS SECONDS ROUNDS
 *
 * SIGNER is the program keystay-signer. In each round each way to sign has SECONDS, in an order that changes
 * from round to round, and a line: "isolated 1234.5 0.801", whole assertions per second, milliseconds of this
 * process's CPU for each.
 *
 *     here       the engine in this process
 *     isolated   the same engine in its process
 *     libp11     the other engine, which is always there
 *     bound      for one thread: what any process of its own must cost. A child of fork signs as `here` does,
 * for each message that comes over a socket pair, one at a time; nothing is checked, watched or restarted.
 *
 * With THREADS 0 it measures the way back instead, a line a round: "cold 20.1 respawn 21.4", milliseconds
 * until there is an assertion, from nothing, and after the process was killed.
 *
 * Any failure ends it with status 1: no figure comes from a run that failed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/secret.h"
#include "jose/assertion.h"
#include "keystay/pkcs11.h"
#include "rates.h"
#include "signer/signer.h"

enum { MODULE = 1, LABEL, ALG, KEY_ID, CERTIFICATE, PIN_FILE, SIGNER, THREADS, SECONDS, ROUNDS, N_ARGUMENTS };
enum { TEXT_MAX = 512 };

static enum keystay_alg alg;

struct way {
    const char *name;
    const char *engine;
    int isolate;
};

static void sign(void *signer)
{
    CLEANUP(secret_clear) struct secret text = { 0 };
    struct keystay_error error = { 0 };
    const struct assertion assertion = {
        .alg = alg,
        .typ = ASSERTION_TYP_JWT,
        .thumbprints = THUMBPRINT_SHA256,
        .audience = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token",
        .issuer = "c7b1f0d2-6f0e-4d6e-9a44-1d2b7c9e8f30",
        .subject = "c7b1f0d2-6f0e-4d6e-9a44-1d2b7c9e8f30",
        .jti = "0d5f7a1e-5a1f-4c1b-8a35-4d8f5d2f6a11",
        .has_nbf = true,
        .has_iat = true,
        .now_s = 1700000000,
        .lifetime_s = 600,
    };

    if (assertion_sign(&assertion, signer, &text, &error) != KEYSTAY_OK) {
        rates_fail("assertion_sign", error.message);
    }
}

static struct keystay_signer *open_signer(char **argv, const struct way *way)
{
    char key_uri[TEXT_MAX];
    char pin_source[TEXT_MAX];
    const char *certificate = argv[CERTIFICATE];
    struct keystay_signer *signer = NULL;
    struct keystay_error error = { 0 };

    (void)snprintf(key_uri, sizeof(key_uri), "pkcs11:token=%s;id=%%%s", argv[LABEL], argv[KEY_ID]);
    (void)snprintf(pin_source, sizeof(pin_source), "file:%s", argv[PIN_FILE]);
    const struct keystay_pkcs11_config config = {
        .module = argv[MODULE],
        .engine = way->engine,
        .isolate = way->isolate,
        .signer_program = argv[SIGNER],
        .key_uri = key_uri,
        .certificates = &certificate,
        .n_certificates = 1,
        .pin_source = pin_source,
        .sessions = (unsigned int)strtoul(argv[THREADS], NULL, 10),
        .now_s = time(NULL),
    };
    if (keystay_pkcs11_open(&config, &signer, &error) != KEYSTAY_OK) {
        rates_fail(way->name, error.message);
    }
    return signer;
}

enum { BOUND_REQUEST = 300, BOUND_ANSWER = 300 }; /* bytes: about what the two frames have */

static _Noreturn void serve_bound(int fd, char **argv)
{
    static const struct way here = { .name = "bound" };
    struct keystay_signer *signer = open_signer(argv, &here);
    char message[BOUND_REQUEST];

    while (recv(fd, message, sizeof(message), MSG_WAITALL) == (ssize_t)sizeof(message)) {
        sign(signer);
        (void)send(fd, message, BOUND_ANSWER, 0);
    }
    _exit(0);
}

/* Before this process has loaded a module. */
static int start_bound(char **argv)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        rates_fail("socketpair", "none");
    }
    if (fork() == 0) {
        (void)close(ends[0]);
        serve_bound(ends[1], argv);
    }
    (void)close(ends[1]);
    return ends[0];
}

static void ask_bound(void *context)
{
    const int *fd = context;
    char message[BOUND_REQUEST] = "";

    if (send(*fd, message, sizeof(message), 0) != (ssize_t)sizeof(message) ||
        recv(*fd, message, BOUND_ANSWER, MSG_WAITALL) != BOUND_ANSWER) {
        rates_fail("bound", "its process is gone");
    }
}

static void measure_rates(char **argv)
{
    static const struct way ways[] = { { .name = "here" },
                                       { .name = "isolated", .isolate = 1 },
                                       { .name = "libp11", .engine = "libp11" } };
    struct rates_way rates[ARRAY_LEN(ways) + 1];
    size_t n_threads = strtoul(argv[THREADS], NULL, 10);
    int bound_fd = start_bound(argv);

    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct keystay_signer *signer = open_signer(argv, &ways[i]);

        rates[i] = (struct rates_way){ .name = ways[i].name, .work = sign };
        for (size_t k = 0; k < n_threads; k++) {
            rates[i].contexts[k] = signer;
        }
    }
    rates[ARRAY_LEN(ways)] =
        (struct rates_way){ .name = "bound", .work = ask_bound, .contexts = { &bound_fd } };
    rates_measure(
        rates, ARRAY_LEN(ways) + (n_threads == 1 ? 1 : 0), n_threads, strtod(argv[SECONDS], NULL),
        strtoul(argv[ROUNDS], NULL, 10));
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        keystay_signer_free(rates[i].contexts[0]);
    }
}

/* The one child that this process has; proc(5). */
static pid_t child_of_ours(void)
{
    char path[TEXT_MAX];
    char text[TEXT_MAX] = "";

    (void)snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(text, sizeof(text), file) == NULL) {
        rates_fail(path, "no child");
    }
    (void)fclose(file);
    return (pid_t)strtol(text, NULL, 10);
}

static void measure_way_back(char **argv)
{
    const struct way way = { .name = "isolated", .isolate = 1 };
    size_t rounds = strtoul(argv[ROUNDS], NULL, 10);

    for (size_t i = 0; i < rounds; i++) {
        double start_s = rates_now_s();
        struct keystay_signer *signer = open_signer(argv, &way);
        sign(signer);
        double cold_s = rates_now_s() - start_s;
        (void)kill(child_of_ours(), SIGKILL);
        start_s = rates_now_s();
        sign(signer);
        (void)printf("cold %.3f respawn %.3f\n", cold_s * 1000, (rates_now_s() - start_s) * 1000);
        keystay_signer_free(signer);
    }
}

int main(int argc, char **argv)
{
    if (argc != N_ARGUMENTS || strtoul(argv[THREADS], NULL, 10) > RATES_THREADS_MAX) {
        rates_fail("usage", "see the head of sign_isolated.c");
    }
    (void)signal(SIGPIPE, SIG_IGN);
    alg = strcmp(argv[ALG], "RS256") == 0 ? KEYSTAY_ALG_RS256 : KEYSTAY_ALG_ES256;
    if (strtoul(argv[THREADS], NULL, 10) == 0) {
        measure_way_back(argv);
    } else {
        measure_rates(argv);
    }
    (void)fflush(stdout);
    _exit(0); /* as keystay does: SoftHSM's exit handlers can crash beside OpenSSL 3 */
}
