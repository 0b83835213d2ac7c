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
#include "pkcs11/cryptoki/link.h"
#include "pkcs11/cryptoki/newcomer.h"
#include "pkcs11/piv.h"
#include "pkcs11/rv.h"

static bool is_about_kind(CK_RV rv)
{
    return rv == CKR_MECHANISM_INVALID || rv == CKR_KEY_SIZE_RANGE || rv == CKR_DOMAIN_PARAMS_INVALID ||
           rv == CKR_ATTRIBUTE_VALUE_INVALID || rv == 0x140; /* CKR_CURVE_NOT_SUPPORTED, of version 3.0 */
}

static void add_numbers(struct key_template *template, const struct provision_kind *kind)
{
    static const uint8_t exponent[] = { 0x01, 0x00, 0x01 };

    if (kind->type == CKK_RSA) {
        key_template_add(template, CKA_MODULUS_BITS, &kind->bits, sizeof(kind->bits));
        key_template_add(template, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
    } else {
        key_template_add(template, CKA_EC_PARAMS, kind->ec_params.data, kind->ec_params.len);
    }
}

static CK_RV make_pair(
    const struct p11_session *session, const struct provision_wish *wish, enum key_wording wording,
    struct newcomer *ret_made)
{
    CK_MECHANISM mechanism = { wish->kind->mechanism, NULL, 0 };
    struct key_template private_key = { .n = 0 };
    struct key_template public_key = { .n = 0 };

    key_template_add_public(&public_key, wish, wording);
    add_numbers(&public_key, wish->kind);
    key_template_add_private(&private_key, wish, wording);
    ret_made->n = 2;
    return P11(
        session->module, C_GenerateKeyPair, session->handle, &mechanism, public_key.attributes, public_key.n,
        private_key.attributes, private_key.n, &ret_made->objects[1], &ret_made->objects[0]);
}

/* A newcomer_make. */
static enum keystay_status generate_pair(
    const struct p11_session *session, const struct provision_wish *wish, void *context,
    struct newcomer *ret_made, struct keystay_error *err)
{
    enum key_wording wording = KEY_WORDING_STRICT;
    CK_RV rv = make_pair(session, wish, wording, ret_made);

    (void)context;
    while (newcomer_may_say_less(rv, wording)) {
        rv = make_pair(session, wish, ++wording, ret_made);
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

enum keystay_status provision_make_key(
    const struct p11_session *session, const struct provision_wish *wish, struct p11_key *ret_key,
    struct keystay_error *err)
{
    return newcomer_place(session, wish, true, generate_pair, NULL, ret_key, err);
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
