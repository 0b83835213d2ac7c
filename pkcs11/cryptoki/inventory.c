/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/inventory.h"

#include <stdlib.h>

#include "base/error.h"
#include "pkcs11/cryptoki/certificate.h"
#include "pkcs11/cryptoki/link.h"
#include "pkcs11/cryptoki/mechanism.h"
#include "pkcs11/cryptoki/slot.h"
#include "pkcs11/latch.h"

/* All that is found on one token. */
struct shelf {
    const struct p11_settings *settings;
    const struct p11_token *token;
    struct mechanism_list mechanisms; /* of the token alone */
    struct inventory_key *keys;
    size_t n_keys;
    size_t keys_capacity;
    struct token_certificates certificates;
    struct p11_public *publics; /* EC: private keys seldom tell their points */
    size_t n_publics;
    size_t publics_capacity;
};

/* Room for one more in items, which are of this size; NULL when memory is out, and then items are as they
 * were. */
static void *reserve(void *items, size_t size, size_t n, size_t *capacity)
{
    const size_t more = *capacity == 0 ? 16 : 2 * *capacity;

    if (n < *capacity) {
        return items;
    }
    void *grown = realloc(items, more * size);
    *capacity = grown == NULL ? *capacity : more;
    return grown;
}

static void shelf_freep(struct shelf **shelf)
{
    if (*shelf != NULL) {
        token_certificates_clear(&(*shelf)->certificates);
        free((*shelf)->keys);
        free((*shelf)->publics);
        free(*shelf);
    }
}

/* An object_visit. */
static enum keystay_status add_public(
    const struct p11_session *session, CK_OBJECT_HANDLE object, void *context, struct keystay_error *err)
{
    struct shelf *shelf = context;
    struct p11_public *grown =
        reserve(shelf->publics, sizeof(*shelf->publics), shelf->n_publics, &shelf->publics_capacity);

    if (grown == NULL) {
        return err_no_memory(err);
    }
    shelf->publics = grown;
    return key_public_read(session, object, &grown[shelf->n_publics++], err);
}

static void match_public(const struct shelf *shelf, struct p11_key *key)
{
    const struct slice id = { key->id, key->id_len };

    for (size_t i = 0; i < shelf->n_publics && key->type == CKK_EC && key->point_len == 0; i++) {
        const struct p11_public *candidate = &shelf->publics[i];

        if (id.len > 0 && slice_equal(id, (struct slice){ candidate->id, candidate->id_len })) {
            key_take_public(key, candidate);
        }
    }
}

static void match_certificate(const struct shelf *shelf, struct inventory_key *item)
{
    const int64_t now_s = shelf->settings->now_s;

    for (size_t i = 0; i < shelf->certificates.n; i++) {
        const struct certificate *candidate = shelf->certificates.items[i];

        if (certificate_is_attestation(candidate) ||
            key_belongs_to(&item->key, candidate) != KEY_BELONGS_YES) {
            continue;
        }
        if (item->certificate == NULL || certificate_is_preferred(candidate, item->certificate, now_s)) {
            item->certificate = candidate;
        }
    }
}

static struct p11_key_proof prove(const struct shelf *shelf, const struct inventory_key *item)
{
    const struct attestation_question question = {
        .key = &item->key,
        .public_key = item->certificate == NULL ? NULL : certificate_public_key(item->certificate),
        .trust = shelf->settings->attestation_trust,
        .now_s = shelf->settings->now_s,
    };

    struct p11_key_proof proof = token_attestation_judge(&shelf->certificates, &question);

    choose_compare_serial(&proof, shelf->token->serial);
    return proof;
}

/* An object_visit. */
static enum keystay_status add_key(
    const struct p11_session *session, CK_OBJECT_HANDLE object, void *context, struct keystay_error *err)
{
    struct shelf *shelf = context;
    struct inventory_key *grown =
        reserve(shelf->keys, sizeof(*shelf->keys), shelf->n_keys, &shelf->keys_capacity);

    if (grown == NULL) {
        return err_no_memory(err);
    }
    shelf->keys = grown;
    struct inventory_key *item = &grown[shelf->n_keys];
    *item = (struct inventory_key){ 0 };
    TRY(key_read(session, object, &item->key, err));
    match_public(shelf, &item->key);
    match_certificate(shelf, item);
    item->bits = item->certificate != NULL ? public_key_bits(certificate_public_key(item->certificate))
                                           : key_bits(&item->key);
    item->algs = mechanism_algs(&shelf->mechanisms, item->key.type) & key_algs(&item->key);
    if (item->certificate != NULL) {
        item->algs &= public_key_algs(certificate_public_key(item->certificate));
    }
    if (item->key.claims.sign == P11_CLAIM_FALSE) {
        item->algs = 0;
    }
    item->proof = prove(shelf, item);
    shelf->n_keys++;
    return KEYSTAY_OK;
}

struct look {
    const struct p11_settings *settings;
    const struct p11_token *token;
    bool is_logged_in;
    inventory_visit visit;
    void *context;
};

/* A link_work. */
static enum keystay_status look_at_token(
    const struct p11_session *session, unsigned int generation, void *context, bool *ret_is_broken,
    struct keystay_error *err)
{
    struct look *look = context;
    CLEANUP(shelf_freep) struct shelf *shelf = calloc(1, sizeof(*shelf));
    const struct p11_key any = { 0 };
    const CK_KEY_TYPE ec = CKK_EC;
    struct object_template search;

    (void)generation;
    (void)ret_is_broken;
    if (shelf == NULL) {
        return err_no_memory(err);
    }
    shelf->settings = look->settings;
    shelf->token = look->token;
    TRY(mechanism_list_read(session, look->token->slot, &any, &shelf->mechanisms, err));
    TRY(token_certificates_read(session, &shelf->certificates, err));
    object_template_init(&search, CKO_PUBLIC_KEY);
    object_template_add(&search, CKA_KEY_TYPE, (struct slice){ (const uint8_t *)&ec, sizeof(ec) });
    TRY(object_each(session, &search, add_public, shelf, err));
    object_template_init(&search, CKO_PRIVATE_KEY);
    TRY(object_each(session, &search, add_key, shelf, err));
    const struct inventory_token found = { look->token,   look->is_logged_in,    shelf->keys,
                                           shelf->n_keys, shelf->certificates.n, &shelf->certificates };
    return look->visit(&found, look->context, err);
}

/* Without being asked nobody's PIN is spent: a list is for looking. */
static void never_log_in_unasked(struct p11_settings *settings)
{
    if (settings->pin.login == PIN_LOGIN_AUTO && !settings->pin.is_configured) {
        settings->pin.login = PIN_LOGIN_NEVER;
    }
}

/* One PIN, sent to every token that is there, would burn a try on each but one. */
static enum keystay_status check_pin_is_for_one(
    const struct p11_settings *settings, const struct p11_token *tokens, size_t n, struct keystay_error *err)
{
    size_t n_logins = 0;

    for (size_t i = 0; i < n; i++) {
        n_logins += pin_wants_login(&settings->pin, tokens[i].info.flags) ? 1 : 0;
    }
    if (n_logins <= 1) {
        return KEYSTAY_OK;
    }
    return err_set_hint(
        err, KEYSTAY_E_AMBIGUOUS, "say which token it is for: --key 'pkcs11:serial=...'",
        "%zu tokens fit, and a PIN is for one", n);
}

enum keystay_status inventory_read(
    const struct p11_settings *settings, inventory_visit visit, void *context, size_t *ret_n_visited,
    struct keystay_error *err)
{
    CLEANUP(module_closep) struct p11_module module = { 0 };
    CLEANUP(freep) struct p11_token *tokens = calloc(P11_TOKENS_MAX, sizeof(*tokens));
    struct p11_settings quiet = *settings; /* a shallow copy: settings keeps what is owned */
    size_t n = 0;

    if (tokens == NULL) {
        return err_no_memory(err);
    }
    never_log_in_unasked(&quiet);
    TRY(slot_list_fitting(settings, &module, tokens, &n, err));
    TRY(check_pin_is_for_one(&quiet, tokens, n, err));
    for (size_t i = 0; i < n; i++) {
        struct p11_link *link = NULL;
        struct look look = { settings, &tokens[i], pin_wants_login(&quiet.pin, tokens[i].info.flags), visit,
                             context };

        TRY(link_open_slot(&quiet, &tokens[i], &link, err));
        enum keystay_status status = link_use(link, look_at_token, &look, err);
        link_close(link);
        TRY(status);
    }
    *ret_n_visited = n;
    return KEYSTAY_OK;
}

enum keystay_status inventory_forget_pin(
    const struct p11_settings *settings, struct p11_token *ret_token, bool *ret_was_set,
    struct keystay_error *err)
{
    CLEANUP(module_closep) struct p11_module module = { 0 };
    CLEANUP(latch_close) struct latch latch = LATCH_NONE;

    TRY(module_open(settings->module_path, settings->module_args, settings->watch, &module, err));
    TRY(slot_find_token_patiently(&module, settings->module_path, settings->key, ret_token, err));
    TRY(latch_open(&ret_token->info, settings->pin.state_dir, &latch, err));
    *ret_was_set = latch.state != LATCH_CLEAR;
    return latch_erase(&latch, err);
}
