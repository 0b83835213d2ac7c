/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/certs.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "pkcs11/cryptoki/discover.h"
#include "pkcs11/cryptoki/inventory.h"

void cert_list_clear(struct cert_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        certificate_free(list->items[i].certificate);
    }
    list->n = 0;
}

static bool is_there(const struct cert_list *list, const struct certificate *certificate)
{
    for (size_t i = 0; i < list->n; i++) {
        if (slice_equal(certificate_der(list->items[i].certificate), certificate_der(certificate))) {
            return true;
        }
    }
    return false;
}

/* Takes the certificate, even on failure. */
static enum keystay_status add(
    struct cert_list *list, struct certificate *certificate, const char *where, struct keystay_error *err)
{
    if (is_there(list, certificate)) {
        certificate_free(certificate);
        return KEYSTAY_OK;
    }
    if (list->n == CERTS_MAX) {
        certificate_free(certificate);
        return err_set_hint(
            err, KEYSTAY_E_AMBIGUOUS, "say which: --key 'pkcs11:token=...;id=...'",
            "there are more than %d certificates", CERTS_MAX);
    }
    struct cert_item *item = &list->items[list->n++];
    *item = (struct cert_item){ .certificate = certificate };
    (void)snprintf(item->where, sizeof(item->where), "%s", where);
    return KEYSTAY_OK;
}

/* What the visits need. */
struct look {
    struct cert_list *list;
    const struct p11_uri *named;
};

/* An inventory_visit. */
static enum keystay_status add_token(
    const struct inventory_token *found, void *context, struct keystay_error *err)
{
    const struct look *look = context;
    const struct token_certificates *on_token = found->certificates;
    struct slice wanted;
    const bool is_one = p11_uri_id(look->named, &found->token->info, &wanted);

    for (size_t i = 0; i < on_token->n; i++) {
        const struct slice id = { on_token->ids[i].bytes, on_token->ids[i].len };
        char id_text[P11_URI_ID_TEXT_SIZE];
        char where[CERTS_WHERE_SIZE];
        struct certificate *copy = NULL;

        if (certificate_is_attestation(on_token->items[i]) || (is_one && !slice_equal(wanted, id))) {
            continue;
        }
        p11_uri_format_id(id, id_text);
        (void)snprintf(
            where, sizeof(where), "token '%s' (serial %s) id=%s", found->token->label, found->token->serial,
            id_text);
        TRY(certificate_parse(certificate_der(on_token->items[i]), &copy, err));
        TRY(add(look->list, copy, where, err));
    }
    return KEYSTAY_OK;
}

static enum keystay_status read_tokens(
    const struct keystay_pkcs11_config *config, struct cert_list *list, struct keystay_error *err)
{
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };
    struct look look = { .list = list };
    size_t n_tokens = 0;

    TRY(p11_settings_read(config, &settings, err));
    settings.pin.login = PIN_LOGIN_NEVER; /* certificates are there for everybody to read */
    if (settings.module_path == NULL) {
        TRY(discover_module(&settings, err));
    }
    look.named = settings.certificate_uri != NULL ? settings.certificate_uri : settings.key;
    return inventory_read(&settings, add_token, &look, &n_tokens, err);
}

static enum keystay_status read_keys(struct cli *cli, struct cert_list *list, struct keystay_error *err)
{
    CLEANUP(session_clear) struct session session = { 0 };
    struct keystay_pkcs11_config config;
    const size_t n = profile_count(cli->profile, SETTING_KEY);

    TRY(session_look_config(cli, &session, &config, err));
    config.n_certificates = profile_count(cli->profile, SETTING_CERTIFICATE); /* a URI, or none */
    for (size_t i = 0; i < (n == 0 ? 1 : n); i++) {
        config.key_uri = n == 0 ? "pkcs11:" : profile_item(cli->profile, SETTING_KEY, i);
        TRY(read_tokens(&config, list, err));
    }
    return KEYSTAY_OK;
}

static enum keystay_status read_files(struct cli *cli, struct cert_list *list, struct keystay_error *err)
{
    for (size_t i = 0; i < profile_count(cli->profile, SETTING_CERTIFICATE); i++) {
        const char *path = profile_item(cli->profile, SETTING_CERTIFICATE, i);
        struct certificate *certificate = NULL;
        char where[CERTS_WHERE_SIZE];

        TRY(certificate_load(path, &certificate, err));
        (void)snprintf(where, sizeof(where), "file '%s'", path);
        TRY(add(list, certificate, where, err));
    }
    return KEYSTAY_OK;
}

static int by_end(const void *one, const void *other)
{
    const int64_t first = certificate_not_after_s(((const struct cert_item *)one)->certificate);
    const int64_t second = certificate_not_after_s(((const struct cert_item *)other)->certificate);

    if (first != second) {
        return first < second ? -1 : 1;
    }
    const int64_t first_from = certificate_not_before_s(((const struct cert_item *)one)->certificate);
    const int64_t second_from = certificate_not_before_s(((const struct cert_item *)other)->certificate);
    return first_from < second_from ? -1 : first_from > second_from;
}

static bool is_same_key(const struct cert_item *one, const struct cert_item *other)
{
    return public_key_equal(
        certificate_public_key(one->certificate), certificate_public_key(other->certificate));
}

static bool is_valid(const struct cert_list *list, const struct cert_item *item)
{
    return certificate_not_before_s(item->certificate) <= list->now_s &&
           list->now_s <= certificate_not_after_s(item->certificate);
}

/* They are in the order of their ends: only one behind can end later. */
static void mark_superseded(struct cert_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        for (size_t j = i + 1; j < list->n && !list->items[i].is_superseded; j++) {
            list->items[i].is_superseded =
                is_same_key(&list->items[i], &list->items[j]) && is_valid(list, &list->items[j]);
        }
    }
}

enum keystay_status cert_list_read(struct cli *cli, struct cert_list *list, struct keystay_error *err)
{
    const char *certificate = profile_text(cli->profile, SETTING_CERTIFICATE);
    const bool is_file = certificate != NULL && !p11_uri_is_uri(certificate);

    list->now_s = clock_now_s();
    TRY(is_file ? read_files(cli, list, err) : read_keys(cli, list, err));
    if (list->n == 0) {
        return err_set_hint(
            err, KEYSTAY_E_CERTIFICATE,
            "make one: keystay cert create --store; or give the one in a file: --certificate FILE",
            "there is no such certificate on the token");
    }
    qsort(list->items, list->n, sizeof(list->items[0]), by_end);
    mark_superseded(list);
    return KEYSTAY_OK;
}

enum keystay_status cert_list_best(
    const struct cert_list *list, const struct cert_item **ret_best, struct keystay_error *err)
{
    const struct cert_item *best = &list->items[0];

    for (size_t i = 0; i < list->n; i++) {
        if (!is_same_key(&list->items[0], &list->items[i])) {
            (void)err_set_hint(
                err, KEYSTAY_E_AMBIGUOUS, "say which: --key 'pkcs11:token=...;id=%XX', or --certificate FILE",
                "there are certificates of several keys:");
            for (size_t j = 0; j < list->n; j++) {
                err_append(
                    err, "\n  %s '%s'", list->items[j].where,
                    certificate_subject(list->items[j].certificate));
            }
            return KEYSTAY_E_AMBIGUOUS;
        }
        if (certificate_is_preferred(list->items[i].certificate, best->certificate, list->now_s)) {
            best = &list->items[i];
        }
    }
    if (!is_valid(list, best)) {
        return certificate_check(best->certificate, list->now_s, err);
    }
    *ret_best = best;
    return KEYSTAY_OK;
}
