/* SPDX-License-Identifier: Apache-2.0 */
/* What is on the tokens, in the words that the other commands take: text for people, JSON for programs. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/session.h"
#include "cli/watchdog.h"
#include "pkcs11/cryptoki/inventory.h"
#include "pkcs11/piv.h"
#include "pkcs11/registry.h"

enum { OUTPUT_MAX = 16 * 1024 * 1024, LINE_SIZE = 512 };

/* What is being printed, for the visits. */
struct listing {
    bool is_json;
    bool is_detailed; /* key show: each claim, each certificate */
    struct buf text;
    struct json_write json;
    size_t n_keys;
};

static const char *pin_state(CK_FLAGS flags)
{
    return flags & CKF_USER_PIN_LOCKED          ? "locked"
           : flags & CKF_USER_PIN_FINAL_TRY     ? "one try left"
           : flags & CKF_USER_PIN_COUNT_LOW     ? "a wrong one was counted"
           : flags & CKF_USER_PIN_TO_BE_CHANGED ? "must be changed"
                                                : "no trouble reported";
}

static const char *claim_word(enum p11_claim claim)
{
    return claim == P11_CLAIM_TRUE ? "yes" : (claim == P11_CLAIM_FALSE ? "no" : "not told");
}

static const char *type_word(CK_KEY_TYPE type)
{
    return type == CKK_RSA ? "RSA" : (type == CKK_EC ? "EC" : "other");
}

/* "RS256 PS256": the algorithms of a set. */
static void alg_names(alg_set algs, char ret_names[LINE_SIZE])
{
    size_t len = 0;

    ret_names[0] = '\0';
    for (enum keystay_alg id = KEYSTAY_ALG_RS256; alg_by_id(id) != NULL; id++) {
        if (algs & ALG_BIT(id)) {
            len += (size_t)snprintf(
                ret_names + len, LINE_SIZE - len, "%s%s", len == 0 ? "" : " ", alg_by_id(id)->name);
        }
    }
}

__attribute__((format(printf, 3, 4))) static enum keystay_status put_line(
    struct listing *listing, struct keystay_error *err, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    TRY(buf_puts(&listing->text, line, err));
    return buf_putc(&listing->text, '\n', err);
}

static enum keystay_status put_claims(
    struct listing *listing, const struct p11_key_claims *claims, bool always_authenticate,
    struct keystay_error *err)
{
    TRY(put_line(
        listing, err,
        "      sensitive %s, always %s; extractable %s, never %s; generated here %s; may sign %s",
        claim_word(claims->sensitive), claim_word(claims->always_sensitive), claim_word(claims->extractable),
        claim_word(claims->never_extractable), claim_word(claims->local), claim_word(claims->sign)));
    return put_line(
        listing, err, "      PIN: %s", always_authenticate ? "for each signature" : "once, at the login");
}

/* In two levels: the token's word, and what does not depend on it. */
static enum keystay_status put_trust(
    struct listing *listing, const struct inventory_key *item, struct keystay_error *err)
{
    char words[P11_PROOF_SIZE];

    choose_proof_words(&item->proof, words);
    TRY(put_line(listing, err, "      claimed by the token: %s", choose_claims_words(&item->key.claims)));
    return put_line(listing, err, "      proven by attestation: %s", words);
}

/* "9a", or nothing: the name by which people know a key of a PIV card. */
static void piv_slot_name(
    const struct p11_token *token, const struct p11_key *key, char ret_name[sizeof("9a")])
{
    uint8_t slot = piv_slot_of_id(&token->info, (struct slice){ key->id, key->id_len });

    ret_name[0] = '\0';
    if (slot != 0) {
        (void)snprintf(ret_name, sizeof("9a"), "%02x", slot);
    }
}

static enum keystay_status put_key_text(
    struct listing *listing, const struct p11_token *token, const struct inventory_key *item,
    struct keystay_error *err)
{
    char names[LINE_SIZE];
    char time[CLOCK_TEXT_SIZE];
    char slot[sizeof("9a")];

    alg_names(item->algs, names);
    piv_slot_name(token, &item->key, slot);
    TRY(put_line(
        listing, err, "  key id=%s object '%s'  %s %u%s%s", item->key.id_text, item->key.label,
        type_word(item->key.type), item->bits, slot[0] == '\0' ? "" : "  slot ", slot));
    TRY(put_trust(listing, item, err));
    TRY(put_line(listing, err, "      signs %s", names[0] == '\0' ? "nothing that keystay needs" : names));
    if (listing->is_detailed) {
        TRY(put_claims(listing, &item->key.claims, item->key.always_authenticate, err));
    }
    if (item->certificate == NULL) {
        return put_line(listing, err, "      no certificate on the token");
    }
    clock_format_utc(certificate_not_after_s(item->certificate), time);
    return put_line(
        listing, err, "      certificate '%s' until %s", certificate_subject(item->certificate), time);
}

static enum keystay_status put_token_text(
    struct listing *listing, const struct inventory_token *found, struct keystay_error *err)
{
    const struct p11_token *token = found->token;

    TRY(put_line(
        listing, err, "token '%s', serial %s, slot-id %lu", token->label, token->serial, token->slot));
    TRY(put_line(
        listing, err, "  PIN: %s%s", pin_state(token->info.flags),
        token->info.flags & CKF_PROTECTED_AUTHENTICATION_PATH ? ", asked by the token itself" : ""));
    for (size_t i = 0; i < found->n_keys; i++) {
        TRY(put_key_text(listing, token, &found->keys[i], err));
    }
    if (found->n_keys == 0) {
        TRY(put_line(
            listing, err, "  no private key is shown%s",
            found->is_logged_in ? "" : "; with --pin-source it may show more"));
    }
    return put_line(
        listing, err, "  %zu certificate%s", found->n_certificates, found->n_certificates == 1 ? "" : "s");
}

static enum keystay_status put_claim(
    struct json_write *out, const char *name, enum p11_claim claim, struct keystay_error *err)
{
    return claim == P11_CLAIM_UNKNOWN ? KEYSTAY_OK : json_write_bool(out, name, claim == P11_CLAIM_TRUE, err);
}

static enum keystay_status put_claims_json(
    struct json_write *out, const struct p11_key_claims *claims, struct keystay_error *err)
{
    TRY(json_write_begin(out, "claimed_by_token", '{', err));
    TRY(put_claim(out, "sensitive", claims->sensitive, err));
    TRY(put_claim(out, "always_sensitive", claims->always_sensitive, err));
    TRY(put_claim(out, "extractable", claims->extractable, err));
    TRY(put_claim(out, "never_extractable", claims->never_extractable, err));
    TRY(put_claim(out, "local", claims->local, err));
    TRY(put_claim(out, "sign", claims->sign, err));
    return json_write_finish(out, '{', err);
}

static enum keystay_status put_proof_json(
    struct json_write *out, const struct p11_key_proof *proof, struct keystay_error *err)
{
    const struct attestation *attestation = &proof->attestation;
    char firmware[sizeof("255.255.255")];

    TRY(json_write_begin(out, "proven_by_attestation", '{', err));
    TRY(json_write_str(out, "verdict", choose_verdict_word(proof->verdict), err));
    if (proof->verdict == ATTESTATION_PROVEN) {
        (void)snprintf(
            firmware, sizeof(firmware), "%u.%u.%u", attestation->firmware[0], attestation->firmware[1],
            attestation->firmware[2]);
        TRY(json_write_str(out, "firmware", firmware, err));
        if (attestation->tells_serial) {
            TRY(json_write_i64(out, "serial", attestation->serial, err));
            TRY(json_write_bool(out, "serial_differs", proof->serial_differs, err));
        }
        TRY(json_write_str(out, "pin_policy", attestation_pin_word(attestation->pin), err));
        TRY(json_write_str(out, "touch_policy", attestation_touch_word(attestation->touch), err));
    }
    return json_write_finish(out, '{', err);
}

static enum keystay_status put_algs_json(struct json_write *out, alg_set algs, struct keystay_error *err)
{
    TRY(json_write_begin(out, "algorithms", '[', err));
    for (enum keystay_alg id = KEYSTAY_ALG_RS256; alg_by_id(id) != NULL; id++) {
        if (algs & ALG_BIT(id)) {
            TRY(json_write_item(out, alg_by_id(id)->name, err));
        }
    }
    return json_write_finish(out, '[', err);
}

static enum keystay_status put_certificate_json(
    struct json_write *out, const struct certificate *certificate, struct keystay_error *err)
{
    TRY(json_write_begin(out, "certificate", '{', err));
    TRY(json_write_str(out, "subject", certificate_subject(certificate), err));
    TRY(json_write_i64(out, "not_after", certificate_not_after_s(certificate), err));
    return json_write_finish(out, '{', err);
}

static enum keystay_status put_key_json(
    struct json_write *out, const struct p11_token *token, const struct inventory_key *item,
    struct keystay_error *err)
{
    char slot[sizeof("9a")];

    piv_slot_name(token, &item->key, slot);
    TRY(json_write_begin(out, NULL, '{', err));
    TRY(json_write_str(out, "id", item->key.id_text, err));
    TRY(slot[0] == '\0' ? KEYSTAY_OK : json_write_str(out, "piv_slot", slot, err));
    TRY(json_write_str(out, "label", item->key.label, err));
    TRY(json_write_str(out, "type", type_word(item->key.type), err));
    TRY(json_write_i64(out, "bits", item->bits, err));
    TRY(json_write_bool(out, "always_authenticate", item->key.always_authenticate, err));
    TRY(put_algs_json(out, item->algs, err));
    TRY(put_claims_json(out, &item->key.claims, err));
    TRY(put_proof_json(out, &item->proof, err));
    if (item->certificate != NULL) {
        TRY(put_certificate_json(out, item->certificate, err));
    }
    return json_write_finish(out, '{', err);
}

static enum keystay_status put_token_json(
    struct json_write *out, const struct inventory_token *found, struct keystay_error *err)
{
    TRY(json_write_begin(out, NULL, '{', err));
    TRY(json_write_str(out, "label", found->token->label, err));
    TRY(json_write_str(out, "serial", found->token->serial, err));
    TRY(json_write_i64(out, "slot_id", (int64_t)found->token->slot, err));
    TRY(json_write_str(out, "pin", pin_state(found->token->info.flags), err));
    TRY(json_write_bool(out, "logged_in", found->is_logged_in, err));
    TRY(json_write_i64(out, "certificates", (int64_t)found->n_certificates, err));
    TRY(json_write_begin(out, "keys", '[', err));
    for (size_t i = 0; i < found->n_keys; i++) {
        TRY(put_key_json(out, found->token, &found->keys[i], err));
    }
    TRY(json_write_finish(out, '[', err));
    return json_write_finish(out, '{', err);
}

/* An inventory_visit. */
static enum keystay_status put_token(
    const struct inventory_token *found, void *context, struct keystay_error *err)
{
    struct listing *listing = context;

    listing->n_keys += found->n_keys;
    return listing->is_json ? put_token_json(&listing->json, found, err)
                            : put_token_text(listing, found, err);
}

static void listing_clear(struct listing *listing)
{
    buf_clear(&listing->text);
}

static enum keystay_status put_module(
    struct listing *listing, const struct p11_settings *settings, struct keystay_error *err)
{
    size_t n_tokens = 0;

    if (listing->is_json) {
        TRY(json_write_begin(&listing->json, NULL, '{', err));
        TRY(json_write_str(&listing->json, "module", settings->module_path, err));
        TRY(json_write_begin(&listing->json, "tokens", '[', err));
    } else {
        TRY(put_line(listing, err, "module %s", settings->module_path));
    }
    TRY(inventory_read(settings, put_token, listing, &n_tokens, err));
    if (listing->is_json) {
        TRY(json_write_finish(&listing->json, '[', err));
        return json_write_finish(&listing->json, '{', err);
    }
    return n_tokens > 0 ? KEYSTAY_OK : put_line(listing, err, "  no initialised token that fits is present");
}

/* Every module of the system's registry; one that does not work is not worth the others. */
static enum keystay_status put_registry(
    struct cli *cli, struct listing *listing, const struct p11_settings *settings, struct keystay_error *err)
{
    CLEANUP(freep) struct registry *registry = NULL;

    TRY(registry_read(&registry, err));
    for (size_t i = 0; i < registry->n; i++) {
        struct p11_settings one = *settings; /* a shallow copy: settings keeps what is owned */
        struct keystay_error error = { 0 };
        const struct listing before = *listing;

        one.module_path = registry->entries[i].path;
        if (put_module(listing, &one, &error) != KEYSTAY_OK) {
            log_warning(&cli->log, "%s: %s", registry->entries[i].name, error.message);
            listing->text.len = before.text.len;
            listing->json = before.json;
        }
    }
    return KEYSTAY_OK;
}

static enum keystay_status put_all(
    struct cli *cli, struct listing *listing, const struct p11_settings *settings, struct keystay_error *err)
{
    if (listing->is_json) {
        TRY(json_write_begin(&listing->json, "modules", '[', err));
    }
    TRY(settings->module_path != NULL ? put_module(listing, settings, err)
                                      : put_registry(cli, listing, settings, err));
    if (listing->is_json) {
        TRY(json_write_finish(&listing->json, '[', err));
        TRY(json_write_end(&listing->json, err));
        return buf_putc(&listing->text, '\n', err);
    }
    return KEYSTAY_OK;
}

static enum keystay_status list(struct cli *cli, bool is_detailed, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };
    CLEANUP(listing_clear) struct listing listing = { .is_detailed = is_detailed, .text = BUF(OUTPUT_MAX) };
    struct keystay_pkcs11_config config;
    const char *format = cli->values[CLI_LIST_FORMAT];

    listing.is_json = format != NULL && str_equal(format, "json");
    listing.json = JSON_WRITE(&listing.text);
    TRY(session_look_config(cli, &session, &config, err));
    TRY(p11_settings_read(&config, &settings, err));
    TRY(put_all(cli, &listing, &settings, err));
    TRY(file_write_all(STDOUT_FILENO, buf_slice(&listing.text), err));
    watchdog_forgive();
    return KEYSTAY_OK;
}

static enum keystay_status run_list(struct cli *cli, struct keystay_error *err)
{
    return list(cli, false, err);
}

static enum keystay_status run_show(struct cli *cli, struct keystay_error *err)
{
    return list(cli, true, err);
}

const struct command command_key_list = {
    .name = "key list",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "show tokens, keys, certificates and what they can sign",
    .help = "Shows what is on the tokens of a module, or of all modules that the system knows. Nothing\n"
            "is sent to a token unless --pin-source is given; most show their private keys only then.\n"
            "\n"
            "  keystay key list --module /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so --pin-source tty\n",
    .has_settings = true,
    .takes_profile = true,
    .options = OPTION_BIT(CLI_LIST_FORMAT),
    .run = run_list,
};

const struct command command_key_show = {
    .name = "key show",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "the same with all that a token says of each key",
    .help =
        "As key list, with every claim that the token makes of a key. A claim is not a proof; an\n"
        "attestation by a YubiKey is one, if --attestation-ca says whose to believe.\n"
        "\n"
        "  keystay key show --module /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so --key 'pkcs11:token=backup' \\\n"
        "      --pin-source tty\n",
    .has_settings = true,
    .takes_profile = true,
    .options = OPTION_BIT(CLI_LIST_FORMAT),
    .run = run_show,
};
