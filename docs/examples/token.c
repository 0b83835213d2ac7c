/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An access token from C.
 *
 *     cc token.c $(pkg-config --cflags --libs keystay) -o token
 *     ./token tenant=contoso.example client-id=11111111-2222-3333-4444-555555555555 \
 *         scope=https://graph.microsoft.com/.default module=/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so \
 *         key='pkcs11:token=backup;id=%01' pin-source=file:/etc/backup/pin
 *
 * or, where keystay.conf(5) has a profile of that name, with or without settings that win over it:
 *
 *     ./token backup
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <keystay/client.h>
#include <keystay/pkcs11.h>

/* A first word without '=' names the profile; the others are like "tenant=contoso.example". */
static enum keystay_status make_profile(
    int argc, char **argv, struct keystay_profile **ret_profile, struct keystay_error *err)
{
    const char *name = argc > 1 && strchr(argv[1], '=') == NULL ? argv[1] : NULL;
    enum keystay_status status = keystay_profile_load(NULL, name, ret_profile, err);

    for (int i = name == NULL ? 1 : 2; status == KEYSTAY_OK && i < argc; i++) {
        char *equals = strchr(argv[i], '=');

        if (equals != NULL) {
            *equals = '\0';
        }
        status = keystay_profile_set(*ret_profile, argv[i], equals == NULL ? "yes" : equals + 1, err);
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
        .now_s = time(NULL),
    };

    return keystay_pkcs11_open(&config, ret_signer, err);
}

static enum keystay_status print_token(const struct keystay_profile *profile, struct keystay_error *err)
{
    struct keystay_client *client = NULL;
    struct keystay_signer *signer = NULL;
    struct keystay_token *token = NULL;
    enum keystay_status status = keystay_client_new(profile, NULL, &client, err);

    if (status == KEYSTAY_OK) {
        status = open_signer(profile, &signer, err);
    }
    if (status == KEYSTAY_OK) {
        status = keystay_client_acquire(client, signer, &token, err);
    }
    if (status == KEYSTAY_OK) {
        puts(keystay_token_value(token));
    }
    keystay_token_free(token);
    keystay_signer_free(signer);
    keystay_client_free(client);
    return status;
}

int main(int argc, char **argv)
{
    struct keystay_profile *profile = NULL;
    struct keystay_error err = { 0 };
    enum keystay_status status = make_profile(argc, argv, &profile, &err);

    signal(SIGPIPE, SIG_IGN); /* modules that talk over sockets */
    if (status == KEYSTAY_OK) {
        status = print_token(profile, &err);
    }
    if (status != KEYSTAY_OK) {
        fprintf(stderr, "%s\n%s\n", err.message, err.hint);
    }
    keystay_profile_free(profile);
    return keystay_status_exit(status);
}
