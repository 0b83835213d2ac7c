/* SPDX-License-Identifier: Apache-2.0 */
/* From the module to the key. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/doctor.h"
#include "cli/renewal.h"
#include "pkcs11/cryptoki/discover.h"
#include "pkcs11/cryptoki/inventory.h"

enum { CLOCK_PLAUSIBLE_S = 1767225600 /* 2026-01-01 */ };

static void check_time(struct doctor *doctor)
{
    char time[CLOCK_TEXT_SIZE];
    int64_t now_s = clock_now_s();
    bool is_plausible = now_s >= CLOCK_PLAUSIBLE_S;

    clock_format_utc(now_s, time);
    doctor_tell(
        doctor, DOCTOR_TIME, is_plausible ? DOCTOR_OK : DOCTOR_WARN,
        is_plausible ? NULL : "set the clock: assertions are good for minutes", "the clock says %s", time);
}

/* An inventory_visit: what can be seen without a PIN. */
static enum keystay_status see_token(
    const struct inventory_token *found, void *context, struct keystay_error *err)
{
    struct doctor *doctor = context;
    CK_FLAGS flags = found->token->info.flags;
    struct keystay_error error;

    (void)err;
    doctor_tell(
        doctor, DOCTOR_TOKEN, DOCTOR_OK, NULL, "token '%s', serial %s, slot-id %lu is present",
        found->token->label, found->token->serial, found->token->slot);
    if (flags & CKF_USER_PIN_LOCKED) {
        (void)err_set_hint(
            &error, KEYSTAY_E_PIN_LOCKED, "unlock it with its PUK or SO PIN", "its PIN is locked");
        doctor_fail(doctor, DOCTOR_PIN, &error);
    } else if (flags & (CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_COUNT_LOW)) {
        doctor_tell(
            doctor, DOCTOR_PIN, DOCTOR_WARN, "make sure of the PIN; a right one resets the count", "%s",
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
static void explain_no_token(struct doctor *doctor)
{
    if (!pcscd_is_running()) {
        doctor_tell(
            doctor, DOCTOR_TOKEN, DOCTOR_WARN, "start it: systemctl enable --now pcscd.socket",
            "for cards: the reader service pcscd is not running");
    } else {
        doctor_tell(
            doctor, DOCTOR_TOKEN, DOCTOR_WARN,
            "see polkit's rules for org.debian.pcsc-lite.access_pcsc and .access_card",
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
        doctor_fail(doctor, DOCTOR_MODULE, &error);
        if (error.status == KEYSTAY_E_MODULE) {
            explain_no_token(doctor);
        }
        return false;
    }
    doctor_tell(doctor, DOCTOR_MODULE, DOCTOR_OK, NULL, "module '%s' works", settings->module_path);
    if (n == 0) {
        (void)err_set_hint(
            &error, KEYSTAY_E_TOKEN_NOT_FOUND, "correct the token's part of the --key URI",
            "no initialised token that fits is present");
        doctor_fail(doctor, DOCTOR_TOKEN, &error);
        explain_no_token(doctor);
    }
    return n > 0;
}

static void check_certificate_end(struct doctor *doctor, const struct keystay_signer_info *info)
{
    char time[CLOCK_TEXT_SIZE];

    clock_format_utc(info->not_after_s, time);
    if (info->not_after_s - clock_now_s() <= RENEWAL_WARNING_S) {
        doctor_tell(
            doctor, DOCTOR_CERTIFICATE, DOCTOR_WARN, "make and register a new certificate in time",
            "certificate '%s' is the key's, but ends at %s", info->subject, time);
    } else {
        doctor_tell(
            doctor, DOCTOR_CERTIFICATE, DOCTOR_OK, NULL, "certificate '%s' is the key's, until %s",
            info->subject, time);
    }
}

static void tell_algorithms(struct doctor *doctor)
{
    char names[128] = "";
    size_t len = 0;

    for (enum keystay_alg id = KEYSTAY_ALG_RS256; alg_by_id(id) != NULL; id++) {
        if (keystay_signer_can(doctor->session->signer, id)) {
            len += (size_t)snprintf(names + len, sizeof(names) - len, " %s", alg_by_id(id)->name);
        }
    }
    doctor_tell(doctor, DOCTOR_ALGORITHMS, DOCTOR_OK, NULL, "it can sign%s", names);
}

/* What the token says of the key, and what is known without its word; only who asked for a proof misses it.
 */
static void tell_trust(struct doctor *doctor, const struct keystay_signer_info *info, bool wants_proof)
{
    bool is_missed = wants_proof && !info->is_proven;

    doctor_tell(doctor, DOCTOR_TRUST, DOCTOR_OK, NULL, "claimed by the token: %s", info->claimed);
    doctor_tell(
        doctor, DOCTOR_TRUST, is_missed ? DOCTOR_WARN : DOCTOR_OK, is_missed ? info->proof_hint : NULL,
        "proven by attestation: %s", info->proven);
}

/* Which engine signs, where, and why there. */
static void tell_place(struct doctor *doctor, const struct keystay_pkcs11_config *config)
{
    const struct keystay_profile *profile = doctor->cli->profile;

    if (!keys_are_isolated(profile)) {
        doctor_tell(
            doctor, DOCTOR_ENGINE, DOCTOR_OK, NULL,
            "engine %s signs, in this process, under a watchdog: nothing asks for --isolate", config->engine);
        return;
    }
    doctor_tell(
        doctor, DOCTOR_ENGINE, DOCTOR_OK, NULL,
        "engine %s signs, in a process of its own (keystay-signer): %s", config->engine,
        profile_switch(profile, SETTING_ISOLATE)
            ? "--isolate asks for that"
            : "libp11 hangs when a session cannot be opened, and is let near a module only there");
}

/* What a key that could not be opened failed in. */
static enum doctor_step step_of(enum keystay_status status)
{
    switch (status) {
    case KEYSTAY_E_PIN_SOURCE:
    case KEYSTAY_E_PIN_INCORRECT:
    case KEYSTAY_E_PIN_LOCKED:
    case KEYSTAY_E_PIN_EXPIRED:
    case KEYSTAY_E_PIN_REFUSED:
        return DOCTOR_PIN;
    case KEYSTAY_E_CERTIFICATE:
    case KEYSTAY_E_KEY_MISMATCH:
        return DOCTOR_CERTIFICATE;
    case KEYSTAY_E_ALGORITHM:
        return DOCTOR_ALGORITHMS;
    default:
        return DOCTOR_KEY;
    }
}

static void check_key(struct doctor *doctor, const struct keystay_pkcs11_config *config)
{
    struct keystay_error error = { 0 };

    tell_place(doctor, config);
    if (keystay_pkcs11_open(config, &doctor->session->signer, &error) != KEYSTAY_OK) {
        enum doctor_step failed = step_of(error.status);
        doctor_fail(doctor, failed, &error);
        doctor_skip(
            doctor, failed < DOCTOR_KEY ? DOCTOR_KEY : failed + 1, DOCTOR_ALGORITHMS,
            "the key could not be opened");
        return;
    }
    const struct keystay_signer_info *info = keystay_signer_info(doctor->session->signer);
    doctor_tell(
        doctor, DOCTOR_KEY, DOCTOR_OK, NULL, "key id=%s '%s', %u bits, in token '%s'", info->key_uri_id,
        info->key_label, info->key_bits, info->token_label);
    tell_trust(doctor, info, config->n_attestation_cas > 0);
    check_certificate_end(doctor, info);
    tell_algorithms(doctor);
}

/* A certificate that is wrong must not hide what can be said of module and token. */
static enum keystay_status read_settings(
    const struct keystay_pkcs11_config *config, struct p11_settings *settings, struct keystay_error *err)
{
    struct keystay_pkcs11_config look = *config;

    look.n_certificates = 0;
    look.require_attested = 0;
    TRY(p11_settings_read(&look, settings, err));
    return settings->module_path == NULL ? discover_module(settings, err) : KEYSTAY_OK;
}

void doctor_look_at_token(struct doctor *doctor, const struct keystay_pkcs11_config *config)
{
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };
    struct keystay_pkcs11_config found = *config;
    struct keystay_error error = { 0 };

    check_time(doctor);
    if (read_settings(config, &settings, &error) != KEYSTAY_OK) {
        doctor_fail(doctor, DOCTOR_MODULE, &error);
        doctor_skip(
            doctor, DOCTOR_TOKEN, DOCTOR_ALGORITHMS, "the settings of module, key and PIN come first");
        return;
    }
    found.module = settings.module_path;
    if (!check_tokens(doctor, &settings)) {
        doctor_skip(doctor, DOCTOR_KEY, DOCTOR_ALGORITHMS, "there is no token to look at");
    } else if (settings.pin.is_configured || settings.pin.login != PIN_LOGIN_AUTO) {
        check_key(doctor, &found);
    } else {
        doctor_tell(
            doctor, DOCTOR_PIN, DOCTOR_WARN, "give --pin-source, tty to be asked",
            "without a PIN nothing more can be seen of the token");
        doctor_skip(doctor, DOCTOR_KEY, DOCTOR_ALGORITHMS, "without a PIN");
    }
}
