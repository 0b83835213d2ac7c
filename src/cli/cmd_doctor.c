/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds what is wrong on the token's side, one step after the other; each finding with its fix. It sends a
 * PIN only when a source is configured, and signs one assertion that nobody gets. The exit status is that of
 * the worst finding.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/session.h"
#include "cli/watchdog.h"
#include "core/client.h"
#include "keystay/client.h"
#include "pkcs11/cryptoki/discover.h"
#include "pkcs11/cryptoki/inventory.h"

enum { EXPIRY_WARNING_S = 30 * 86400, CLOCK_PLAUSIBLE_S = 1767225600 /* 2026-01-01 */, FINDING_SIZE = 1200 };

enum level {
    LEVEL_OK,
    LEVEL_WARNING,
    LEVEL_BAD,
};

struct doctor {
    struct cli *cli;
    enum keystay_status worst; /* KEYSTAY_OK: nothing bad so far */
    size_t n_tokens;
};

__attribute__((format(printf, 3, 4))) static void tell(
    enum level level, const char *hint, const char *format, ...)
{
    static const char *const words[] = { "ok      ", "warning ", "BAD     " };
    char text[FINDING_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    str_tidy(text);
    (void)printf("%s%s\n", words[level], text);
    if (hint != NULL && hint[0] != '\0') {
        (void)printf("          try: %s\n", hint);
    }
}

static void tell_error(struct doctor *doctor, const struct keystay_error *error)
{
    doctor->worst = doctor->worst == KEYSTAY_OK ? error->status : doctor->worst;
    tell(LEVEL_BAD, error->hint, "%s", error->message);
}

static void check_clock(void)
{
    char time[CLOCK_TEXT_SIZE];
    int64_t now_s = clock_now_s();

    clock_format_utc(now_s, time);
    if (now_s < CLOCK_PLAUSIBLE_S) {
        tell(LEVEL_WARNING, "set the clock: assertions are good for minutes", "the clock says %s", time);
    } else {
        tell(LEVEL_OK, NULL, "the clock says %s", time);
    }
}

/* An inventory_visit: what can be seen without a PIN. */
static enum keystay_status see_token(
    const struct inventory_token *found, void *context, struct keystay_error *err)
{
    struct doctor *doctor = context;
    CK_FLAGS flags = found->token->info.flags;

    (void)err;
    doctor->n_tokens++;
    tell(
        LEVEL_OK, NULL, "token '%s', serial %s, slot-id %lu is present", found->token->label,
        found->token->serial, found->token->slot);
    if (flags & CKF_USER_PIN_LOCKED) {
        tell(LEVEL_BAD, "unlock it with its PUK or SO PIN", "its PIN is locked");
        doctor->worst = doctor->worst == KEYSTAY_OK ? KEYSTAY_E_PIN_LOCKED : doctor->worst;
    } else if (flags & (CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_COUNT_LOW)) {
        tell(
            LEVEL_WARNING, "make sure of the PIN; a right one resets the count", "%s",
            flags & CKF_USER_PIN_FINAL_TRY ? "one more wrong PIN locks it" : "it has counted a wrong PIN");
    }
    return KEYSTAY_OK;
}

/* Whether somebody answers at the socket that PC/SC clients use. */
static bool pcscd_is_running(void)
{
    const char *path = getenv("PCSCLITE_CSOCK_NAME"); /* as libpcsclite has it */
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    CLEANUP(file_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(
        address.sun_path, sizeof(address.sun_path), "%s", path == NULL ? "/run/pcscd/pcscd.comm" : path);
    return fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
}

/* Why a module for cards shows none. */
static void explain_no_token(void)
{
    if (!pcscd_is_running()) {
        tell(
            LEVEL_WARNING, "start it: systemctl enable --now pcscd.socket",
            "for cards: the reader service pcscd is not running");
    } else {
        tell(
            LEVEL_WARNING, "see polkit's rules for org.debian.pcsc-lite.access_pcsc and .access_card",
            "for cards: pcscd is running; is a card in, does another program (scdaemon) hold it, may you use it?");
    }
}

static bool check_tokens(struct doctor *doctor, const struct p11_settings *settings)
{
    struct p11_settings quiet = *settings; /* a shallow copy: settings keeps what is owned */
    struct keystay_error error = { 0 };
    size_t n = 0;

    quiet.pin.login = PIN_LOGIN_NEVER;
    if (inventory_read(&quiet, see_token, doctor, &n, &error) != KEYSTAY_OK) {
        tell_error(doctor, &error);
        if (error.status == KEYSTAY_E_MODULE) {
            explain_no_token();
        }
        return false;
    }
    tell(LEVEL_OK, NULL, "module '%s' works", settings->module_path);
    if (n == 0) {
        (void)err_set_hint(
            &error, KEYSTAY_E_TOKEN_NOT_FOUND, "correct the token's part of the --key URI",
            "no initialised token that fits is present");
        tell_error(doctor, &error);
        explain_no_token();
    }
    return n > 0;
}

static void check_certificate_end(const struct keystay_signer_info *info)
{
    char time[CLOCK_TEXT_SIZE];

    clock_format_utc(info->not_after_s, time);
    if (info->not_after_s - clock_now_s() < EXPIRY_WARNING_S) {
        tell(
            LEVEL_WARNING, "make and register a new certificate in time", "certificate '%s' ends at %s",
            info->subject, time);
    } else {
        tell(LEVEL_OK, NULL, "certificate '%s' is the key's, until %s", info->subject, time);
    }
}

static void tell_algorithms(const struct keystay_signer *signer)
{
    char names[128] = "";
    size_t len = 0;

    for (enum keystay_alg id = KEYSTAY_ALG_RS256; alg_by_id(id) != NULL; id++) {
        if (keystay_signer_can(signer, id)) {
            len += (size_t)snprintf(names + len, sizeof(names) - len, " %s", alg_by_id(id)->name);
        }
    }
    tell(LEVEL_OK, NULL, "it can sign%s", names);
}

/* One assertion, verified and thrown away. Settings of the server are checked on the way, where they are
 * given. */
static void check_signature(struct doctor *doctor, struct keystay_signer *signer)
{
    struct keystay_error error = { 0 };
    struct keystay_client *client = NULL;
    struct keystay_token *assertion = NULL;

    if (profile_text(doctor->cli->profile, SETTING_TENANT) == NULL) {
        tell(LEVEL_WARNING, "give --tenant and --client-id to try a signature", "no signature was tried");
        return;
    }
    enum keystay_status status = keystay_client_new(doctor->cli->profile, &doctor->cli->log, &client, &error);
    status = status != KEYSTAY_OK ? status : keystay_client_assertion(client, signer, &assertion, &error);
    if (status != KEYSTAY_OK) {
        tell_error(doctor, &error);
    } else {
        tell(
            LEVEL_OK, NULL, "it signed an assertion for %s, and the certificate verifies it",
            client_token_endpoint(client));
    }
    keystay_token_free(assertion);
    keystay_client_free(client);
}

/* What the token says of the key, and what is known without its word; only who asked for a proof misses it.
 */
static void tell_trust(const struct keystay_signer_info *info, bool wants_proof)
{
    tell(LEVEL_OK, NULL, "claimed by the token: %s", info->claimed);
    bool is_missed = wants_proof && !info->is_proven;
    tell(
        is_missed ? LEVEL_WARNING : LEVEL_OK, is_missed ? info->proof_hint : NULL,
        "proven by attestation: %s", info->proven);
}

/* Which engine signs, where, and why there. */
static void tell_place(const struct cli *cli, const struct keystay_pkcs11_config *config)
{
    bool is_asked_for = profile_switch(cli->profile, SETTING_ISOLATE);

    if (!keys_are_isolated(cli->profile)) {
        tell(
            LEVEL_OK, NULL, "engine %s signs, in this process, under a watchdog: nothing asks for --isolate",
            config->engine);
        return;
    }
    tell(
        LEVEL_OK, NULL, "engine %s signs, in a process of its own (keystay-signer): %s", config->engine,
        is_asked_for ? "--isolate asks for that"
                     : "libp11 hangs when a session cannot be opened, and is let near a module only there");
}

static void check_key(struct doctor *doctor, const struct keystay_pkcs11_config *config)
{
    struct keystay_error error = { 0 };
    struct keystay_signer *signer = NULL;

    tell_place(doctor->cli, config);
    if (keystay_pkcs11_open(config, &signer, &error) != KEYSTAY_OK) {
        tell_error(doctor, &error);
        return;
    }
    const struct keystay_signer_info *info = keystay_signer_info(signer);
    tell(
        LEVEL_OK, NULL, "key id=%s '%s', %u bits, in token '%s'", info->key_uri_id, info->key_label,
        info->key_bits, info->token_label);
    tell_trust(info, config->n_attestation_cas > 0);
    check_certificate_end(info);
    tell_algorithms(signer);
    check_signature(doctor, signer);
    keystay_signer_free(signer);
}

static enum keystay_status run_doctor(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };
    struct keystay_pkcs11_config config;
    struct doctor doctor = { .cli = cli };

    TRY(session_config(cli, &session, &config, err));
    TRY(p11_settings_read(&config, &settings, err));
    if (settings.module_path == NULL) {
        TRY(discover_module(&settings, err));
        config.module = settings.module_path;
    }
    check_clock();
    if (check_tokens(&doctor, &settings)) {
        if (settings.pin.is_configured || settings.pin.login != PIN_LOGIN_AUTO) {
            check_key(&doctor, &config);
        } else {
            tell(
                LEVEL_WARNING, "give --pin-source, tty to be asked",
                "without a PIN nothing more can be seen");
        }
    }
    watchdog_forgive();
    if (doctor.worst != KEYSTAY_OK) {
        return err_set(err, doctor.worst, "something is wrong, see above");
    }
    return KEYSTAY_OK;
}

const struct command command_doctor = {
    .name = "doctor",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "find what is wrong on the token's side, and the fix",
    .help =
        "Goes from the clock over module, token, PIN, key and certificate to a signature, and says\n"
        "what is good and what is not. A PIN is sent only if --pin-source is given. The exit status\n"
        "is that of the first thing that is bad.\n"
        "\n"
        "  keystay doctor --module /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so --key 'pkcs11:token=backup;id=%01' \\\n"
        "      --pin-source tty\n",
    .has_settings = true,
    .takes_profile = true,
    .run = run_doctor,
};
