/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads, one client: a service whose workers each need a token for each request.
 *
 *     cc threads.c $(pkg-config --cflags --libs keystay) -pthread -o threads
 *     ./threads https://graph.microsoft.com/.default https://vault.azure.net/.default -- \
 *         tenant=contoso.example client-id=11111111-2222-3333-4444-555555555555 \
 *         module=/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so key='pkcs11:token=backup;id=%01' \
 *         pin-source=file:/etc/backup/pin
 *
 * Eight workers ask for a token before each of a hundred pieces of work. There is one request to the server
 * for each scope, and one signature for all of them; every other call is answered from the client's memory.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <keystay/client.h>
#include <keystay/pkcs11.h>

enum { WORKERS = 8, PIECES = 100 };

/* What all workers share. Nothing here needs a lock: client and signer have their own. */
struct service {
    struct keystay_client *client;
    struct keystay_signer *signer;
    char **scopes;
    int n_scopes;
};

/* One thread, and how it went. */
struct worker {
    const struct service *service;
    pthread_t thread;
    int n_done;
    enum keystay_status status;
    struct keystay_error err; /* one for each thread */
};

/* Stands for the call that needs the token: "Authorization: Bearer <value>". */
static int do_piece(const char *value)
{
    return value[0] != '\0';
}

static void *work(void *context)
{
    struct worker *worker = context;
    const struct service *service = worker->service;

    for (int i = 0; i < PIECES && worker->status == KEYSTAY_OK; i++) {
        const struct keystay_request request = { .scope = service->scopes[i % service->n_scopes] };
        struct keystay_token *token = NULL;

        worker->status =
            keystay_client_acquire_for(service->client, service->signer, &request, &token, &worker->err);
        if (worker->status == KEYSTAY_OK) {
            worker->n_done += do_piece(keystay_token_value(token));
            keystay_token_free(token); /* each call's token is freed, though all are one and the same */
        }
    }
    return NULL;
}

static enum keystay_status run(const struct service *service, struct keystay_error *err)
{
    struct worker workers[WORKERS];
    enum keystay_status status = KEYSTAY_OK;
    int n_started = 0;
    int n_done = 0;

    for (; n_started < WORKERS; n_started++) {
        workers[n_started] = (struct worker){ .service = service, .status = KEYSTAY_OK };
        if (pthread_create(&workers[n_started].thread, NULL, work, &workers[n_started]) != 0) {
            break;
        }
    }
    for (int i = 0; i < n_started; i++) {
        pthread_join(workers[i].thread, NULL);
        n_done += workers[i].n_done;
        if (workers[i].status != KEYSTAY_OK) {
            status = workers[i].status;
            *err = workers[i].err;
        }
    }
    if (status == KEYSTAY_OK) {
        printf("%d pieces of work by %d workers\n", n_done, n_started);
    }
    return status;
}

/* Settings come as "name=value". */
static enum keystay_status read_settings(
    struct keystay_profile *profile, char **words, int n, struct keystay_error *err)
{
    enum keystay_status status = KEYSTAY_OK;

    for (int i = 0; i < n && status == KEYSTAY_OK; i++) {
        char *equals = strchr(words[i], '=');

        if (equals != NULL) {
            *equals = '\0';
        }
        status = keystay_profile_set(profile, words[i], equals == NULL ? "yes" : equals + 1, err);
    }
    return status;
}

static enum keystay_status open_signer(
    const struct keystay_profile *profile, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    const char *certificate = keystay_profile_get(profile, "certificate");
    const struct keystay_pkcs11_config config = {
        .module = keystay_profile_get(profile, "module"),
        .key_uri = keystay_profile_get(profile, "key"),
        .certificates = &certificate,
        .n_certificates = certificate != NULL,
        .pin_source = keystay_profile_get(profile, "pin-source"),
        .state_dir = keystay_profile_get(profile, "state-dir"),
        .now_s = time(NULL),
    };

    return keystay_pkcs11_open(&config, ret_signer, err);
}

int main(int argc, char **argv)
{
    struct service service = { .scopes = argv + 1 };
    struct keystay_profile *profile = NULL;
    struct keystay_error err = { 0 };
    enum keystay_status status = KEYSTAY_OK;

    while (1 + service.n_scopes < argc && strcmp(argv[1 + service.n_scopes], "--") != 0) {
        service.n_scopes++;
    }
    if (service.n_scopes == 0 || 1 + service.n_scopes == argc) {
        fprintf(stderr, "usage: threads SCOPE... -- NAME=VALUE...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* modules that talk over sockets */
    status = keystay_profile_new(&profile, &err);
    if (status == KEYSTAY_OK) {
        int first = service.n_scopes + 2;
        status = read_settings(profile, argv + first, argc - first, &err);
    }
    if (status == KEYSTAY_OK) {
        status = keystay_client_new(profile, NULL, &service.client, &err);
    }
    if (status == KEYSTAY_OK) {
        status = open_signer(profile, &service.signer, &err);
    }
    if (status == KEYSTAY_OK) {
        status = run(&service, &err);
    }
    if (status != KEYSTAY_OK) {
        fprintf(stderr, "%s\n%s\n", err.message, err.hint);
    }
    keystay_client_free(service.client); /* before the signer that it was used with */
    keystay_signer_free(service.signer);
    keystay_profile_free(profile);
    return keystay_status_exit(status);
}
