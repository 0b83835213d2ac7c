/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/newcomer.h"

#include "base/error.h"
#include "pkcs11/rv.h"

enum { ID_LAST = 0xFF };

void key_template_add(struct key_template *template, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    template->attributes[template->n++] = (CK_ATTRIBUTE){ type, drop_const(value), len };
}

void key_template_add_flag(struct key_template *template, CK_ATTRIBUTE_TYPE type, bool value)
{
    static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

    key_template_add(template, type, value ? &yes : &no, sizeof(yes));
}

static void add_name(struct key_template *template, const struct provision_wish *wish)
{
    key_template_add(template, CKA_ID, wish->id.data, wish->id.len);
    if (wish->label.len > 0) {
        key_template_add(template, CKA_LABEL, wish->label.data, wish->label.len);
    }
}

void key_template_add_public(
    struct key_template *template, const struct provision_wish *wish, enum key_wording wording)
{
    key_template_add_flag(template, CKA_TOKEN, true);
    key_template_add_flag(template, CKA_VERIFY, true);
    add_name(template, wish);
    if (wording == KEY_WORDING_STRICT) {
        key_template_add_flag(template, CKA_ENCRYPT, false);
        key_template_add_flag(template, CKA_WRAP, false);
    }
}

void key_template_add_private(
    struct key_template *template, const struct provision_wish *wish, enum key_wording wording)
{
    key_template_add_flag(template, CKA_TOKEN, true);
    key_template_add_flag(template, CKA_PRIVATE, true);
    key_template_add_flag(template, CKA_SENSITIVE, true);
    key_template_add_flag(template, CKA_SIGN, true);
    add_name(template, wish);
    if (wording != KEY_WORDING_BARE) {
        key_template_add_flag(template, CKA_EXTRACTABLE, false);
    }
    if (wording == KEY_WORDING_STRICT) {
        key_template_add_flag(template, CKA_DECRYPT, false);
        key_template_add_flag(template, CKA_UNWRAP, false);
    }
}

bool newcomer_is_about_template(CK_RV rv)
{
    return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_VALUE_INVALID ||
           rv == CKR_TEMPLATE_INCONSISTENT;
}

bool newcomer_may_say_less(CK_RV rv, enum key_wording tried)
{
    switch (tried) {
    case KEY_WORDING_STRICT:
        return newcomer_is_about_template(rv) || rv == CKR_GENERAL_ERROR; /* tpm2-pkcs11's word for it */
    case KEY_WORDING_NO_USES:
        return newcomer_is_about_template(rv);
    default:
        return false;
    }
}

/* What the token made must be what it was asked for, by its own word; NULL when it is. */
static const char *find_fault(const struct p11_key *key, const struct provision_wish *wish, bool is_local)
{
    const struct {
        bool is_good;
        const char *fault;
    } rows[] = {
        { key->type == wish->kind->type && (key_bits(key) == 0 || key_bits(key) == wish->kind->bits),
          "it is of another type or size" },
        { wish->public_key == NULL || key_is_half_of(key, wish->public_key) != KEY_BELONGS_NO,
          "its public key is another one" },
        { slice_equal((struct slice){ key->id, key->id_len }, wish->id), "its CKA_ID is another one" },
        { key->claims.sensitive == P11_CLAIM_TRUE, "CKA_SENSITIVE is not true" },
        { key->claims.extractable == P11_CLAIM_FALSE, "CKA_EXTRACTABLE is not false" },
        { !is_local || key->claims.always_sensitive == P11_CLAIM_TRUE, "CKA_ALWAYS_SENSITIVE is not true" },
        { !is_local || key->claims.never_extractable == P11_CLAIM_TRUE, "CKA_NEVER_EXTRACTABLE is not true" },
        { !is_local || key->claims.local == P11_CLAIM_TRUE, "CKA_LOCAL is not true" },
        { key->claims.sign == P11_CLAIM_TRUE, "CKA_SIGN is not true" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!rows[i].is_good) {
            return rows[i].fault;
        }
    }
    return NULL;
}

const char *newcomer_destroy(const struct p11_session *session, const struct newcomer *made)
{
    bool is_gone = true;

    for (size_t i = 0; i < made->n; i++) {
        is_gone &= P11(session->module, C_DestroyObject, session->handle, made->objects[i]) == CKR_OK;
    }
    return is_gone ? "it was destroyed again" : "it could NOT be destroyed and is still there: delete it";
}

static enum keystay_status check(
    const struct p11_session *session, const struct provision_wish *wish, const struct newcomer *made,
    bool is_local, struct p11_key *ret_key, struct keystay_error *err)
{
    enum keystay_status status = key_read(session, made->objects[0], ret_key, err);

    if (status != KEYSTAY_OK) {
        return err_prefix(
            err, status, "%s: the new key cannot be looked at; %s", session->where,
            newcomer_destroy(session, made));
    }
    const char *fault = find_fault(ret_key, wish, is_local);
    if (fault == NULL) {
        return KEYSTAY_OK;
    }
    return err_set_hint(
        err, KEYSTAY_E_KEY_REFUSED, "keystay makes keys that stay; does the token have a policy against it?",
        "%s: the token has not the key that it was asked for, %s; %s", session->where, fault,
        newcomer_destroy(session, made));
}

/* The private and public keys that have the name already. */
struct namesakes {
    CK_OBJECT_HANDLE items[2 * OBJECT_FOUND_MAX];
    size_t n;
    size_t n_private;
    struct p11_key key; /* the first one, for messages */
};

static bool has(const struct namesakes *found, CK_OBJECT_HANDLE object)
{
    for (size_t i = 0; i < found->n; i++) {
        if (found->items[i] == object) {
            return true;
        }
    }
    return false;
}

static enum keystay_status search(
    const struct p11_session *session, CK_OBJECT_CLASS class, CK_ATTRIBUTE_TYPE type, struct slice value,
    struct namesakes *found, struct keystay_error *err)
{
    struct object_template template;
    CK_OBJECT_HANDLE objects[OBJECT_FOUND_MAX];
    CK_ULONG n = 0;

    if (value.len == 0) {
        return KEYSTAY_OK;
    }
    object_template_init(&template, class);
    object_template_add(&template, type, value);
    TRY(object_find(session, &template, objects, &n, err));
    for (CK_ULONG i = 0; i < n && found->n < ARRAY_LEN(found->items); i++) {
        if (!has(found, objects[i])) {
            found->items[found->n++] = objects[i];
            found->n_private += class == CKO_PRIVATE_KEY ? 1 : 0;
        }
    }
    return KEYSTAY_OK;
}

/* Private keys first. */
static enum keystay_status find_namesakes(
    const struct p11_session *session, const struct provision_wish *wish, struct namesakes *ret_found,
    struct keystay_error *err)
{
    static const CK_OBJECT_CLASS classes[] = { CKO_PRIVATE_KEY, CKO_PUBLIC_KEY };

    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        TRY(search(session, classes[i], CKA_ID, wish->id, ret_found, err));
        TRY(search(session, classes[i], CKA_LABEL, wish->label, ret_found, err));
    }
    return ret_found->n == 0 ? KEYSTAY_OK : key_read(session, ret_found->items[0], &ret_found->key, err);
}

static enum keystay_status check_name(
    const struct p11_session *session, const struct provision_wish *wish, const struct namesakes *found,
    struct keystay_error *err)
{
    if (found->n_private > 1) {
        return err_set_hint(
            err, KEYSTAY_E_AMBIGUOUS,
            "choose another --id or --label, or delete the others first: keystay key delete",
            "%s: %zu private keys have this id or label, and one at the most is replaced", session->where,
            found->n_private);
    }
    if (found->n == 0 || wish->replaces) {
        return KEYSTAY_OK;
    }
    return err_set_hint(
        err, KEYSTAY_E_AMBIGUOUS, "choose another --id and --label, or replace it: --replace",
        "%s: there is a %s key with this id or label already: id=%s object '%s'", session->where,
        found->n_private > 0 ? "private" : "public", found->key.id_text, found->key.label);
}

/* The first number that no key and no certificate has for its id. */
static enum keystay_status choose_id(
    const struct p11_session *session, uint8_t *ret_id, struct keystay_error *err)
{
    static const CK_OBJECT_CLASS classes[] = { CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_CERTIFICATE };

    for (unsigned int id = 1; id <= ID_LAST; id++) {
        const uint8_t byte = (uint8_t)id;
        struct namesakes found = { .n = 0 };

        for (size_t i = 0; i < ARRAY_LEN(classes) && found.n == 0; i++) {
            TRY(search(session, classes[i], CKA_ID, (struct slice){ &byte, 1 }, &found, err));
        }
        if (found.n == 0) {
            *ret_id = byte;
            return KEYSTAY_OK;
        }
    }
    return err_set_hint(
        err, KEYSTAY_E_AMBIGUOUS, "give --id", "%s: every id of one byte is taken", session->where);
}

static bool is_of(const struct newcomer *made, CK_OBJECT_HANDLE object)
{
    for (size_t i = 0; i < made->n; i++) {
        if (made->objects[i] == object) {
            return true;
        }
    }
    return false;
}

/* The new key is there: a token that keeps one key in a place has the old one's handles for it. */
static enum keystay_status remove_old(
    const struct p11_session *session, const struct namesakes *old, const struct newcomer *made,
    struct keystay_error *err)
{
    for (size_t i = 0; i < old->n; i++) {
        if (is_of(made, old->items[i])) {
            continue;
        }
        CK_RV rv = P11(session->module, C_DestroyObject, session->handle, old->items[i]);
        if (rv != CKR_OK && rv != CKR_OBJECT_HANDLE_INVALID) {
            enum keystay_status status = rv_error(rv, "C_DestroyObject", session->where, err);
            return err_prefix(err, status, "the new key is made, the old one could not be removed");
        }
    }
    return KEYSTAY_OK;
}

enum keystay_status newcomer_place(
    const struct p11_session *session, const struct provision_wish *wish, bool is_local, newcomer_make make,
    void *context, struct p11_key *ret_key, struct keystay_error *err)
{
    struct provision_wish named = *wish;
    struct namesakes old = { .n = 0 };
    struct newcomer made = { .n = 0 };
    uint8_t id = 0;

    if (named.id.len == 0) {
        TRY(choose_id(session, &id, err));
        named.id = (struct slice){ &id, 1 };
    }
    TRY(find_namesakes(session, &named, &old, err));
    TRY(check_name(session, &named, &old, err));
    TRY(make(session, &named, context, &made, err));
    TRY(check(session, &named, &made, is_local, ret_key, err));
    return remove_old(session, &old, &made, err);
}
