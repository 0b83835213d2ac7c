/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signer that stays open, as in a daemon: what happens to its card between two signatures is the test's
 * affair.
 *
 *     hold [--engine NAME] [--isolate PROGRAM] MODULE KEY-URI PIN-SOURCE STATE-DIR [NAME=VALUE...]
 *
 * It opens the signer and says "open", then answers each line of stdin with "ok JWS", a signed assertion, or
 * with "error STATUS MESSAGE", STATUS as keystay_status_name has it, until stdin ends. If the signer cannot
 * be opened, its error is the only line. With --isolate the module is loaded by PROGRAM, a signer process.
 * NAME=VALUE is a setting of the profile (alg, audience), or
 * pin-reuse=yes, pin-count-low=try. Steps and warnings go to stderr. It never tries anything twice itself.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/base.h"
#include "keystay/client.h"
#include "keystay/pkcs11.h"
#include "pkcs11/engine.h"
#include "pkcs11/libp11/libp11.h"

enum { ARGUMENTS_MIN = 5, NAME_SIZE = 64, LINE_SIZE = 64 };

static void print_step(void *context, enum keystay_log_level level, const char *text)
{
    (void)context;
    (void)fprintf(stderr, "%s%s\n", level == KEYSTAY_LOG_WARNING ? "warning: " : "", text);
}

static const struct keystay_log to_stderr = { print_step, NULL };

static enum keystay_status set(
    struct keystay_profile *profile, const char *assignment, struct keystay_error *err)
{
    char name[NAME_SIZE];
    const char *value = strchr(assignment, '=');

    if (value == NULL) {
        value = "";
    } else {
        value++;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(assignment, "="), assignment);
    return keystay_profile_set(profile, name, value, err);
}

static enum keystay_status make_profile(
    int n_settings, char **settings, struct keystay_profile **ret_profile, struct keystay_error *err)
{
    static const char *const fixed[] = { "tenant=contoso.example", "client-id=held" };
    enum keystay_status status = keystay_profile_new(ret_profile, err);

    for (size_t i = 0; status == KEYSTAY_OK && i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        status = set(*ret_profile, fixed[i], err);
    }
    for (int i = 0; status == KEYSTAY_OK && i < n_settings; i++) {
        status = set(*ret_profile, settings[i], err);
    }
    return status;
}

static int is_set_to(const struct keystay_profile *profile, const char *name, const char *value)
{
    const char *found = keystay_profile_get(profile, name);

    return found != NULL && strcmp(found, value) == 0;
}

static enum keystay_status open_signer(
    const struct p11_engine *engine, const char *signer_program, char **argv,
    const struct keystay_profile *profile, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    const struct keystay_pkcs11_config config = {
        .module = argv[1],
        .key_uri = argv[2],
        .pin_source = argv[3],
        .state_dir = argv[4],
        .pin_reuse = is_set_to(profile, "pin-reuse", "yes"),
        .pin_count_low_try = is_set_to(profile, "pin-count-low", "try"),
        .engine = engine->name,
        .isolate = signer_program != NULL,
        .signer_program = signer_program,
        .now_s = time(NULL),
        .log = &to_stderr,
    };
    CLEANUP(p11_settings_clear) struct p11_settings p11_settings = { 0 };

    if (signer_program != NULL) {
        return keystay_pkcs11_open(&config, ret_signer, err);
    }
    TRY(p11_settings_read(&config, &p11_settings, err));
    return engine->open(&p11_settings, ret_signer, err);
}

/* One line, whatever the message has in it. */
static void print_error(enum keystay_status status, const struct keystay_error *err)
{
    (void)printf("error %s ", keystay_status_name(status));
    for (const char *at = err->message; *at != '\0'; at++) {
        (void)putchar(*at == '\n' ? ' ' : *at);
    }
    (void)putchar('\n');
}

static void sign_one(struct keystay_client *client, struct keystay_signer *signer)
{
    struct keystay_token *assertion = NULL;
    struct keystay_error err = { 0 };
    enum keystay_status status = keystay_client_assertion(client, signer, &assertion, &err);

    if (status == KEYSTAY_OK) {
        (void)printf("ok %s\n", keystay_token_value(assertion));
    } else {
        print_error(status, &err);
    }
    keystay_token_free(assertion);
    (void)fflush(stdout);
}

static void serve(struct keystay_client *client, struct keystay_signer *signer)
{
    char line[LINE_SIZE];

    (void)printf("open\n");
    (void)fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        sign_one(client, signer);
    }
}

int main(int argc, char **argv)
{
    const struct p11_engine *engine = &cryptoki_engine;
    const char *signer_program = NULL;
    struct keystay_profile *profile = NULL;
    struct keystay_client *client = NULL;
    struct keystay_signer *signer = NULL;
    struct keystay_error err = { 0 };

    if (argc > 2 && strcmp(argv[1], "--engine") == 0) {
        engine = strcmp(argv[2], libp11_engine.name) == 0 ? &libp11_engine : engine;
        argc -= 2;
        argv += 2;
    }
    if (argc > 2 && strcmp(argv[1], "--isolate") == 0) {
        signer_program = argv[2];
        argc -= 2;
        argv += 2;
    }
    if (argc < ARGUMENTS_MIN) {
        (void)fprintf(
            stderr,
            "usage: hold [--engine NAME] [--isolate PROGRAM] MODULE KEY-URI PIN-SOURCE STATE-DIR [NAME=VALUE...]\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* keystay/pkcs11.h asks for it */
    enum keystay_status status = make_profile(argc - ARGUMENTS_MIN, argv + ARGUMENTS_MIN, &profile, &err);
    status = status != KEYSTAY_OK ? status : keystay_client_new(profile, &to_stderr, &client, &err);
    status =
        status != KEYSTAY_OK ? status : open_signer(engine, signer_program, argv, profile, &signer, &err);
    if (status == KEYSTAY_OK) {
        serve(client, signer);
    } else {
        print_error(status, &err);
    }
    keystay_signer_free(signer);
    keystay_client_free(client);
    keystay_profile_free(profile);
    return status == KEYSTAY_OK ? 0 : 1;
}
