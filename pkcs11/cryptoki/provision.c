/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict template says all that a key must be and must not do. Some modules know their keys to be like
 * that and refuse to be told: then it is left to them, and what they made is read back and judged alike.
 * openCryptoki makes keys that can be extracted when it is not told otherwise; tpm2-pkcs11 makes none that it
 * is told not to decrypt with; Yubico's does not know CKA_EXTRACTABLE.
 */
#include "pkcs11/cryptoki/provision.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "pkcs11/cryptoki/link.h"
#include "pkcs11/cryptoki/removal.h"
#include "pkcs11/piv.h"
#include "pkcs11/rv.h"

enum { TEMPLATE_MAX = 16, ID_LAST = 0xFF };

struct provision_kind {
    const char *name;
    const char *words;
    CK_KEY_TYPE type;
    CK_MECHANISM_TYPE mechanism;
    CK_ULONG bits;
    struct slice ec_params; /* DER of the curve's object identifier (RFC 5480 §2.1.1.1) */
};

#define CURVE(bytes)                                \
    {                                               \
        (const uint8_t *)(bytes), sizeof(bytes) - 1 \
    }

static const struct provision_kind kinds[] = {
    { "rsa:2048", "RSA of 2048 bits", CKK_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, 2048, { 0 } },
    { "rsa:3072", "RSA of 3072 bits", CKK_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, 3072, { 0 } },
    { "rsa:4096", "RSA of 4096 bits", CKK_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, 4096, { 0 } },
    { "ec:P-256", "EC on P-256", CKK_EC, CKM_EC_KEY_PAIR_GEN, 256,
      CURVE("\x06\x08\x2A\x86\x48\xCE\x3D\x03\x01\x07") },
    { "ec:P-384", "EC on P-384", CKK_EC, CKM_EC_KEY_PAIR_GEN, 384, CURVE("\x06\x05\x2B\x81\x04\x00\x22") },
};

const struct provision_kind *provision_kind_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_equal(kinds[i].name, name)) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* From the most that a module is told to the least. */
enum wording {
    WORDING_STRICT,
    WORDING_NO_USES, /* without what the key must not be used for */
    WORDING_BARE,    /* nor whether it may be extracted */
};

struct template
{
    CK_ATTRIBUTE attributes[TEMPLATE_MAX];
    CK_ULONG n;
};

static void add(struct template *template, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    template->attributes[template->n++] = (CK_ATTRIBUTE){ type, drop_const(value), len };
}

static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static void add_name(struct template *template, const struct provision_wish *wish)
{
    add(template, CKA_ID, wish->id.data, wish->id.len);
    if (wish->label.len > 0) {
        add(template, CKA_LABEL, wish->label.data, wish->label.len);
    }
}

static void fill_public(struct template *template, const struct provision_wish *wish, enum wording wording)
{
    static const uint8_t exponent[] = { 0x01, 0x00, 0x01 };

    add(template, CKA_TOKEN, &yes, sizeof(yes));
    add(template, CKA_VERIFY, &yes, sizeof(yes));
    add_name(template, wish);
    if (wish->kind->type == CKK_RSA) {
        add(template, CKA_MODULUS_BITS, &wish->kind->bits, sizeof(wish->kind->bits));
        add(template, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
    } else {
        add(template, CKA_EC_PARAMS, wish->kind->ec_params.data, wish->kind->ec_params.len);
    }
    if (wording == WORDING_STRICT) {
        add(template, CKA_ENCRYPT, &no, sizeof(no));
        add(template, CKA_WRAP, &no, sizeof(no));
    }
}

static void fill_private(struct template *template, const struct provision_wish *wish, enum wording wording)
{
    add(template, CKA_TOKEN, &yes, sizeof(yes));
    add(template, CKA_PRIVATE, &yes, sizeof(yes));
    add(template, CKA_SENSITIVE, &yes, sizeof(yes));
    add(template, CKA_SIGN, &yes, sizeof(yes));
    add_name(template, wish);
    if (wording != WORDING_BARE) {
        add(template, CKA_EXTRACTABLE, &no, sizeof(no));
    }
    if (wording == WORDING_STRICT) {
        add(template, CKA_DECRYPT, &no, sizeof(no));
        add(template, CKA_UNWRAP, &no, sizeof(no));
    }
}

/* A module that will not be told what its keys are anyway: worth another try without. */
static bool is_about_template(CK_RV rv)
{
    return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_VALUE_INVALID ||
           rv == CKR_TEMPLATE_INCONSISTENT;
}

static bool is_about_kind(CK_RV rv)
{
    return rv == CKR_MECHANISM_INVALID || rv == CKR_KEY_SIZE_RANGE || rv == CKR_DOMAIN_PARAMS_INVALID ||
           rv == CKR_ATTRIBUTE_VALUE_INVALID || rv == 0x140; /* CKR_CURVE_NOT_SUPPORTED, of version 3.0 */
}

struct pair {
    CK_OBJECT_HANDLE private_key;
    CK_OBJECT_HANDLE public_key;
};

static CK_RV make_pair(
    const struct p11_session *session, const struct provision_wish *wish, enum wording wording,
    struct pair *ret_pair)
{
    CK_MECHANISM mechanism = { wish->kind->mechanism, NULL, 0 };
    struct template private_key = { .n = 0 };
    struct template public_key = { .n = 0 };

    fill_public(&public_key, wish, wording);
    fill_private(&private_key, wish, wording);
    return P11(
        session->module, C_GenerateKeyPair, session->handle, &mechanism, public_key.attributes, public_key.n,
        private_key.attributes, private_key.n, &ret_pair->public_key, &ret_pair->private_key);
}

static enum keystay_status generate_pair(
    const struct p11_session *session, const struct provision_wish *wish, struct pair *ret_pair,
    struct keystay_error *err)
{
    CK_RV rv = make_pair(session, wish, WORDING_STRICT, ret_pair);

    if (is_about_template(rv) || rv == CKR_GENERAL_ERROR) { /* the latter is tpm2-pkcs11's word for it */
        rv = make_pair(session, wish, WORDING_NO_USES, ret_pair);
    }
    if (is_about_template(rv)) {
        rv = make_pair(session, wish, WORDING_BARE, ret_pair);
    }
    if (rv == CKR_OK) {
        return KEYSTAY_OK;
    }
    enum keystay_status status = rv_error(rv, "C_GenerateKeyPair", session->where, err);
    if (is_about_kind(rv)) {
        return err_hint(
            err, status, "try another --type: not every token makes keys of %s", wish->kind->words);
    }
    return piv_advise(
        session->info, rv, "ykman piv keys generate 9a PUBLIC.pem, or yubico-piv-tool -a generate -s 9a",
        status, err);
}

/* What the token made must be what it was asked for, by its own word; NULL when it is. */
static const char *find_fault(const struct p11_key *key, const struct provision_wish *wish)
{
    const struct {
        bool is_good;
        const char *fault;
    } rows[] = {
        { key->type == wish->kind->type && (key_bits(key) == 0 || key_bits(key) == wish->kind->bits),
          "it is of another type or size" },
        { slice_equal((struct slice){ key->id, key->id_len }, wish->id), "its CKA_ID is another one" },
        { key->claims.sensitive == P11_CLAIM_TRUE, "CKA_SENSITIVE is not true" },
        { key->claims.extractable == P11_CLAIM_FALSE, "CKA_EXTRACTABLE is not false" },
        { key->claims.always_sensitive == P11_CLAIM_TRUE, "CKA_ALWAYS_SENSITIVE is not true" },
        { key->claims.never_extractable == P11_CLAIM_TRUE, "CKA_NEVER_EXTRACTABLE is not true" },
        { key->claims.local == P11_CLAIM_TRUE, "CKA_LOCAL is not true" },
        { key->claims.sign == P11_CLAIM_TRUE, "CKA_SIGN is not true" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!rows[i].is_good) {
            return rows[i].fault;
        }
    }
    return NULL;
}

/* Both, whatever becomes of the first. */
static bool destroy_pair(const struct p11_session *session, const struct pair *pair)
{
    CK_RV first = P11(session->module, C_DestroyObject, session->handle, pair->private_key);
    CK_RV second = P11(session->module, C_DestroyObject, session->handle, pair->public_key);

    return first == CKR_OK && second == CKR_OK;
}

static const char *fate(bool is_gone)
{
    return is_gone ? "it was destroyed again" : "it could NOT be destroyed and is still there: delete it";
}

static enum keystay_status check_pair(
    const struct p11_session *session, const struct provision_wish *wish, const struct pair *pair,
    struct p11_key *ret_key, struct keystay_error *err)
{
    enum keystay_status status = key_read(session, pair->private_key, ret_key, err);

    if (status != KEYSTAY_OK) {
        return err_prefix(
            err, status, "%s: the new key cannot be looked at; %s", session->where,
            fate(destroy_pair(session, pair)));
    }
    const char *fault = find_fault(ret_key, wish);
    if (fault == NULL) {
        return KEYSTAY_OK;
    }
    return err_set_hint(
        err, KEYSTAY_E_KEY_REFUSED, "keystay makes keys that stay; does the token have a policy against it?",
        "%s: the token did not make the key that it was asked for, %s; %s", session->where, fault,
        fate(destroy_pair(session, pair)));
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

/* The new key is there: a token that keeps one key in a place has the old one's handles for it. */
static enum keystay_status remove_old(
    const struct p11_session *session, const struct namesakes *old, const struct pair *pair,
    struct keystay_error *err)
{
    for (size_t i = 0; i < old->n; i++) {
        if (old->items[i] == pair->private_key || old->items[i] == pair->public_key) {
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

enum keystay_status provision_make_key(
    const struct p11_session *session, const struct provision_wish *wish, struct p11_key *ret_key,
    struct keystay_error *err)
{
    struct provision_wish named = *wish;
    struct namesakes old = { .n = 0 };
    struct pair pair = { 0 };
    uint8_t id = 0;

    if (named.id.len == 0) {
        TRY(choose_id(session, &id, err));
        named.id = (struct slice){ &id, 1 };
    }
    TRY(find_namesakes(session, &named, &old, err));
    TRY(check_name(session, &named, &old, err));
    TRY(generate_pair(session, &named, &pair, err));
    TRY(check_pair(session, &named, &pair, ret_key, err));
    return remove_old(session, &old, &pair, err);
}

struct generation {
    const struct provision_wish *wish;
    struct p11_key key;
};

/* A link_work. */
static enum keystay_status generate_work(
    const struct p11_session *session, unsigned int number, void *context, bool *ret_is_broken,
    struct keystay_error *err)
{
    struct generation *generation = context;

    (void)number;
    (void)ret_is_broken;
    return provision_make_key(session, generation->wish, &generation->key, err);
}

static void link_closep(struct p11_link **link)
{
    link_close(*link);
}

enum keystay_status provision_generate(
    const struct p11_settings *settings, const struct provision_wish *wish, struct provision_key *ret_made,
    struct keystay_error *err)
{
    CLEANUP(link_closep) struct p11_link *link = NULL;
    struct p11_settings writing = *settings; /* a shallow copy: settings keeps what is owned */
    struct generation work = { .wish = wish };

    writing.may_write = true;
    TRY(link_open(&writing, &link, err));
    TRY(link_use(link, generate_work, &work, err));
    *ret_made = (struct provision_key){ .token = link_token(link),
                                        .key = work.key,
                                        .bits = (unsigned int)wish->kind->bits };
    log_step(
        settings->log, "%s: made the key id=%s '%s', %s; claimed by the token: %s", link_where(link),
        work.key.id_text, work.key.label, wish->kind->words, choose_claims_words(&work.key.claims));
    return KEYSTAY_OK;
}

/* What a URI may hold as it is (RFC 3986 §2.3); all else is escaped. */
static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

static enum keystay_status put_escaped(struct buf *to, struct slice text, struct keystay_error *err)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        if (is_unreserved((char)text.data[i])) {
            TRY(buf_putc(to, (char)text.data[i], err));
            continue;
        }
        TRY(buf_putc(to, '%', err));
        TRY(buf_putc(to, hex[text.data[i] >> 4], err));
        TRY(buf_putc(to, hex[text.data[i] & 0x0F], err));
    }
    return KEYSTAY_OK;
}

/* A fixed field of CK_TOKEN_INFO, padded with blanks. */
static enum keystay_status put_field(
    struct buf *to, const char *name, const CK_UTF8CHAR *field, size_t size, struct keystay_error *err)
{
    while (size > 0 && field[size - 1] == ' ') {
        size--;
    }
    if (size == 0) {
        return KEYSTAY_OK;
    }
    TRY(buf_puts(to, name, err));
    return put_escaped(to, (struct slice){ field, size }, err);
}

enum keystay_status provision_put_uri(
    const struct provision_key *key, struct buf *ret_text, struct keystay_error *err)
{
    const CK_TOKEN_INFO *info = &key->token.info;

    TRY(buf_puts(ret_text, "pkcs11:", err));
    TRY(put_field(ret_text, "token=", info->label, sizeof(info->label), err));
    TRY(put_field(
        ret_text, ret_text->data[ret_text->len - 1] == ':' ? "serial=" : ";serial=", info->serialNumber,
        sizeof(info->serialNumber), err));
    TRY(buf_puts(ret_text, ret_text->data[ret_text->len - 1] == ':' ? "id=" : ";id=", err));
    return buf_puts(ret_text, key->key.id_text, err);
}
