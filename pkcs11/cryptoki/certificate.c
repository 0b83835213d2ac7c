/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/certificate.h"

#include <stdlib.h>

#include "base/error.h"

enum { VALUE_SIZE = 16 * 1024 }; /* bytes of DER; smartcards hold 2 to 4 thousand */

/*
 * *ret_certificate is owned, or NULL when the object holds none that can be read. A certificate that does not
 * tell its id, or has one that is too long to be a key's, has none here.
 */
static enum keystay_status read_with_id(
    const struct p11_session *session, CK_OBJECT_HANDLE object, struct token_certificate_id *ret_id,
    struct certificate **ret_certificate, struct keystay_error *err)
{
    CLEANUP(freep) uint8_t *value = malloc(VALUE_SIZE);
    CK_ATTRIBUTE attributes[] = { { CKA_VALUE, value, VALUE_SIZE },
                                  { CKA_ID, ret_id->bytes, sizeof(ret_id->bytes) } };
    struct certificate *certificate = NULL;

    if (value == NULL) {
        return err_no_memory(err);
    }
    TRY(object_read(session, object, attributes, ARRAY_LEN(attributes), err));
    ret_id->len = attributes[1].ulValueLen == CK_UNAVAILABLE_INFORMATION ? 0 : attributes[1].ulValueLen;
    if (attributes[0].ulValueLen != CK_UNAVAILABLE_INFORMATION) {
        (void)certificate_parse((struct slice){ value, attributes[0].ulValueLen }, &certificate, NULL);
    }
    *ret_certificate = certificate;
    return KEYSTAY_OK;
}

enum keystay_status token_certificate_read(
    const struct p11_session *session, CK_OBJECT_HANDLE object, struct certificate **ret_certificate,
    struct keystay_error *err)
{
    struct token_certificate_id id;

    return read_with_id(session, object, &id, ret_certificate, err);
}

void token_certificates_clear(struct token_certificates *list)
{
    for (size_t i = 0; i < list->n; i++) {
        certificate_free(drop_const(list->items[i]));
    }
    free(list->items);
    free(list->ids);
    *list = (struct token_certificates){ 0 };
}

static enum keystay_status make_room(struct token_certificates *list, struct keystay_error *err)
{
    const struct certificate **items =
        realloc(list->items, (list->n + 1) * sizeof(const struct certificate *));

    if (items == NULL) {
        return err_no_memory(err);
    }
    list->items = items;
    struct token_certificate_id *ids = realloc(list->ids, (list->n + 1) * sizeof(*ids));
    if (ids == NULL) {
        return err_no_memory(err);
    }
    list->ids = ids;
    return KEYSTAY_OK;
}

/* An object_visit. */
static enum keystay_status add_to_list(
    const struct p11_session *session, CK_OBJECT_HANDLE object, void *context, struct keystay_error *err)
{
    struct token_certificates *list = context;
    struct certificate *certificate = NULL;

    TRY(make_room(list, err));
    TRY(read_with_id(session, object, &list->ids[list->n], &certificate, err));
    list->items[list->n] = certificate;
    list->n += certificate != NULL ? 1 : 0;
    return KEYSTAY_OK;
}

enum keystay_status token_certificates_read(
    const struct p11_session *session, struct token_certificates *list, struct keystay_error *err)
{
    struct object_template search;

    object_template_init(&search, CKO_CERTIFICATE);
    return object_each(session, &search, add_to_list, list, err);
}

size_t certificate_choose(
    const struct p11_key *key, struct certificate *const *candidates, size_t n, int64_t now_s)
{
    size_t best = n;

    for (size_t i = 0; i < n; i++) {
        if (key_belongs_to(key, candidates[i]) == KEY_BELONGS_NO) {
            continue;
        }
        if (best < n &&
            !public_key_equal(
                certificate_public_key(candidates[best]), certificate_public_key(candidates[i]))) {
            return n; /* the token does not tell whose they are, and they are not all of one key */
        }
        if (best == n || certificate_is_preferred(candidates[i], candidates[best], now_s)) {
            best = i;
        }
    }
    return best;
}

/* For whom certificates are looked for, and what a search has come up with. */
struct quest {
    const struct p11_key *key;
    int64_t now_s;
    struct certificate *found[OBJECT_FOUND_MAX]; /* owned */
    size_t n;
};

static void forget_found(struct quest *quest)
{
    for (size_t i = 0; i < quest->n; i++) {
        certificate_free(quest->found[i]);
    }
    quest->n = 0;
}

static size_t best_of(const struct quest *quest)
{
    return certificate_choose(quest->key, quest->found, quest->n, quest->now_s);
}

static bool has_any(const struct quest *quest)
{
    return best_of(quest) < quest->n;
}

static enum keystay_status search_for(
    const struct p11_session *session, struct object_template *search, struct quest *quest,
    struct keystay_error *err)
{
    CK_OBJECT_HANDLE objects[OBJECT_FOUND_MAX];
    CK_ULONG n = 0;
    struct token_certificate_id id; /* the public key decides */

    forget_found(quest);
    TRY(object_find(session, search, objects, &n, err));
    for (CK_ULONG i = 0; i < n; i++) {
        CLEANUP(certificate_freep) struct certificate *candidate = NULL;

        TRY(read_with_id(session, objects[i], &id, &candidate, err));
        if (candidate != NULL && !certificate_is_attestation(candidate)) {
            quest->found[quest->n++] = take_ptr(&candidate);
        }
    }
    return KEYSTAY_OK;
}

static enum keystay_status search_by_uri(
    const struct p11_session *session, const struct p11_uri *uri, struct quest *quest,
    struct keystay_error *err)
{
    struct object_template search;

    object_template_init(&search, CKO_CERTIFICATE);
    object_template_add_uri(&search, session, uri);
    TRY(search_for(session, &search, quest, err));
    if (!has_any(quest)) {
        return err_set_hint(
            err, KEYSTAY_E_CERTIFICATE, "leave --certificate out to let keystay look for it",
            "%s: no certificate fits the --certificate URI and the key %s", session->where,
            quest->key->id_text);
    }
    return KEYSTAY_OK;
}

static enum keystay_status search_by_key(
    const struct p11_session *session, struct quest *quest, struct keystay_error *err)
{
    const struct p11_key *key = quest->key;
    struct object_template search;

    if (key->id_len > 0) {
        object_template_init(&search, CKO_CERTIFICATE);
        object_template_add(&search, CKA_ID, (struct slice){ key->id, key->id_len });
        TRY(search_for(session, &search, quest, err));
    }
    if (!has_any(quest) && key_tells_public(key)) {
        object_template_init(&search, CKO_CERTIFICATE);
        TRY(search_for(session, &search, quest, err));
    }
    if (!has_any(quest)) {
        return err_set_hint(
            err, KEYSTAY_E_CERTIFICATE, "give the certificate that the server knows: --certificate FILE",
            "%s: it holds no certificate for the key id=%s '%s'", session->where, key->id_text, key->label);
    }
    return KEYSTAY_OK;
}

enum keystay_status token_certificate_find(
    const struct p11_session *session, struct p11_key *key, const struct p11_uri *uri, int64_t now_s,
    struct certificate **ret_certificate, struct keystay_error *err)
{
    CLEANUP(forget_found) struct quest quest = { .key = key, .now_s = now_s };

    TRY(key_read_public(session, key, err));
    if (uri != NULL) {
        TRY(search_by_uri(session, uri, &quest, err));
    } else {
        TRY(search_by_key(session, &quest, err));
    }
    *ret_certificate = take_ptr(&quest.found[best_of(&quest)]);
    return KEYSTAY_OK;
}
