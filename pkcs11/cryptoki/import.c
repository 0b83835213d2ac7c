/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C_CreateObject gets the key's numbers in clear: a token that takes keys only wrapped takes none of these.
 * The private half goes first, so that a token which takes none is left as it was.
 */
#include "pkcs11/cryptoki/import.h"

#include "base/error.h"
#include "base/log.h"
#include "pkcs11/cryptoki/link.h"
#include "pkcs11/cryptoki/newcomer.h"
#include "pkcs11/cryptoki/store.h"
#include "pkcs11/piv.h"
#include "pkcs11/rv.h"

enum { PUBLIC_NUMBER_MAX = 1024, POINT_MAX = 2 + 1 + 2 * 48 };

/* What both templates borrow from. */
struct numbers {
    struct buf first, second; /* modulus and exponent, or the coordinates */
    struct secret secrets[PRIVATE_KEY_NUMBER_N];
    struct buf point; /* EC: DER of an OCTET STRING (PKCS #11 v3.0 §2.3.3) */
};

static void numbers_clear(struct numbers *numbers)
{
    buf_clear(&numbers->first);
    buf_clear(&numbers->second);
    buf_clear(&numbers->point);
    for (size_t i = 0; i < ARRAY_LEN(numbers->secrets); i++) {
        secret_clear(&numbers->secrets[i]);
    }
}

static size_t n_secrets_of(const struct provision_kind *kind)
{
    return kind->type == CKK_RSA ? PRIVATE_KEY_NUMBER_N : 1;
}

static enum keystay_status put_point(struct numbers *numbers, struct keystay_error *err)
{
    TRY(buf_putc(&numbers->point, 0x04, err));
    TRY(buf_putc(&numbers->point, (char)(1 + numbers->first.len + numbers->second.len), err));
    TRY(buf_putc(&numbers->point, 0x04, err)); /* SEC 1 §2.3.3: uncompressed */
    TRY(buf_put(&numbers->point, buf_slice(&numbers->first), err));
    return buf_put(&numbers->point, buf_slice(&numbers->second), err);
}

static enum keystay_status read_numbers(
    const struct private_key *key, const struct provision_kind *kind, struct numbers *numbers,
    struct keystay_error *err)
{
    TRY(public_key_numbers(private_key_public(key), &numbers->first, &numbers->second, err));
    for (size_t i = 0; i < n_secrets_of(kind); i++) {
        TRY(private_key_number(key, (enum private_key_number)i, &numbers->secrets[i], err));
    }
    return kind->type == CKK_RSA ? KEYSTAY_OK : put_point(numbers, err);
}

static void add_kind(
    struct key_template *template, const CK_OBJECT_CLASS *class, const struct provision_kind *kind)
{
    key_template_add(template, CKA_CLASS, class, sizeof(*class));
    key_template_add(template, CKA_KEY_TYPE, &kind->type, sizeof(kind->type));
    if (kind->type == CKK_EC) {
        key_template_add(template, CKA_EC_PARAMS, kind->ec_params.data, kind->ec_params.len);
    }
}

static void add_modulus(struct key_template *template, const struct numbers *numbers)
{
    key_template_add(template, CKA_MODULUS, numbers->first.data, numbers->first.len);
    key_template_add(template, CKA_PUBLIC_EXPONENT, numbers->second.data, numbers->second.len);
}

static void fill_private(
    struct key_template *template, const struct provision_wish *wish, const struct numbers *numbers,
    enum key_wording wording)
{
    static const CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    static const CK_ATTRIBUTE_TYPE rsa[PRIVATE_KEY_NUMBER_N] = {
        CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT,
    };
    bool is_rsa = wish->kind->type == CKK_RSA;

    *template = (struct key_template){ .n = 0 };
    add_kind(template, &class, wish->kind);
    key_template_add_private(template, wish, wording);
    if (is_rsa) {
        add_modulus(template, numbers);
    }
    for (size_t i = 0; i < n_secrets_of(wish->kind); i++) {
        const struct secret *number = &numbers->secrets[i];
        key_template_add(template, is_rsa ? rsa[i] : CKA_VALUE, number->data, number->len);
    }
}

static void fill_public(
    struct key_template *template, const struct provision_wish *wish, const struct numbers *numbers,
    enum key_wording wording)
{
    static const CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;

    *template = (struct key_template){ .n = 0 };
    add_kind(template, &class, wish->kind);
    key_template_add_public(template, wish, wording);
    if (wish->kind->type == CKK_RSA) {
        add_modulus(template, numbers);
    } else {
        key_template_add(template, CKA_EC_POINT, numbers->point.data, numbers->point.len);
    }
    if (wording == KEY_WORDING_STRICT) {
        key_template_add_flag(template, CKA_PRIVATE, false);
    }
}

static enum keystay_status word_refusal(
    const struct p11_session *session, CK_RV rv, struct keystay_error *err)
{
    enum keystay_status status = rv_error(rv, "C_CreateObject", session->where, err);

    if (newcomer_is_about_template(rv) || rv == CKR_FUNCTION_NOT_SUPPORTED || rv == CKR_KEY_SIZE_RANGE ||
        rv == CKR_TEMPLATE_INCOMPLETE || rv == CKR_ACTION_PROHIBITED) {
        (void)err_hint(
            err, status,
            "not every token takes such a key from outside: make a new one in it, keystay key generate");
    }
    return piv_advise(session->info, rv, "ykman piv keys import 9a FILE", status, err);
}

typedef void (*fill)(
    struct key_template *template, const struct provision_wish *wish, const struct numbers *numbers,
    enum key_wording wording);

static enum keystay_status create(
    const struct p11_session *session, const struct provision_wish *wish, const struct numbers *numbers,
    fill fill_in, struct newcomer *made, struct keystay_error *err)
{
    enum key_wording wording = KEY_WORDING_STRICT;
    struct key_template template;
    CK_RV rv = CKR_OK;

    do {
        fill_in(&template, wish, numbers, wording);
        rv =
            P11(session->module, C_CreateObject, session->handle, template.attributes, template.n,
                &made->objects[made->n]);
    } while (newcomer_may_say_less(rv, wording++));
    if (rv != CKR_OK) {
        return word_refusal(session, rv, err);
    }
    made->n++;
    return KEYSTAY_OK;
}

static enum keystay_status store(
    const struct p11_session *session, const struct provision_wish *wish,
    const struct certificate *certificate, struct newcomer *made, struct keystay_error *err)
{
    if (certificate == NULL) {
        return KEYSTAY_OK;
    }
    TRY(store_put(session, wish->id, wish->label, certificate, &made->objects[made->n], err));
    made->n++;
    return KEYSTAY_OK;
}

/* A newcomer_make. */
static enum keystay_status bring_in(
    const struct p11_session *session, const struct provision_wish *wish, void *context,
    struct newcomer *ret_made, struct keystay_error *err)
{
    const struct import_source *source = context;
    struct newcomer made = { .n = 0 };
    CLEANUP(numbers_clear)
    struct numbers numbers = { .first = BUF(PUBLIC_NUMBER_MAX),
                               .second = BUF(PUBLIC_NUMBER_MAX),
                               .point = BUF(POINT_MAX) };

    TRY(read_numbers(source->key, wish->kind, &numbers, err));
    enum keystay_status status = create(session, wish, &numbers, fill_private, &made, err);
    status = status != KEYSTAY_OK ? status : create(session, wish, &numbers, fill_public, &made, err);
    status = status != KEYSTAY_OK ? status : store(session, wish, source->certificate, &made, err);
    if (status != KEYSTAY_OK && made.n > 0) {
        return err_prefix(
            err, status, "the key was put into the token; %s", newcomer_destroy(session, &made));
    }
    *ret_made = made;
    return status;
}

enum keystay_status provision_import_key(
    const struct p11_session *session, const struct provision_wish *wish, const struct import_source *source,
    struct p11_key *ret_key, struct keystay_error *err)
{
    struct provision_wish whole = *wish;
    struct import_source borrowed = *source;

    whole.public_key = private_key_public(source->key);
    whole.kind = provision_kind_of(whole.public_key);
    if (whole.kind == NULL) {
        return err_set(err, KEYSTAY_E_ALGORITHM, "no token is asked for a key of this type and size");
    }
    return newcomer_place(session, &whole, false, bring_in, &borrowed, ret_key, err);
}

struct importing {
    const struct provision_wish *wish;
    const struct import_source *source;
    struct p11_key key;
};

/* A link_work. */
static enum keystay_status import_work(
    const struct p11_session *session, unsigned int generation, void *context, bool *ret_is_broken,
    struct keystay_error *err)
{
    struct importing *importing = context;

    (void)generation;
    (void)ret_is_broken;
    return provision_import_key(session, importing->wish, importing->source, &importing->key, err);
}

static void link_closep(struct p11_link **link)
{
    link_close(*link);
}

/* A token that says so of this key says it of any. */
static void warn_of_claims(
    const struct keystay_log *log, const char *where, const struct p11_key_claims *claims)
{
    if (claims->local == P11_CLAIM_TRUE || claims->never_extractable == P11_CLAIM_TRUE ||
        claims->always_sensitive == P11_CLAIM_TRUE) {
        log_warning(
            log, "%s: it claims that the key was always inside, which is not so: its claims prove nothing",
            where);
    }
}

enum keystay_status provision_import(
    const struct p11_settings *settings, const struct provision_wish *wish,
    const struct import_source *source, struct provision_key *ret_made, struct keystay_error *err)
{
    CLEANUP(link_closep) struct p11_link *link = NULL;
    struct p11_settings writing = *settings; /* a shallow copy: settings keeps what is owned */
    struct importing work = { .wish = wish, .source = source };

    writing.may_write = true;
    TRY(link_open(&writing, &link, err));
    TRY(link_use(link, import_work, &work, err));
    *ret_made = (struct provision_key){ .token = link_token(link),
                                        .key = work.key,
                                        .bits = public_key_bits(private_key_public(source->key)),
                                        .n_certificates = source->certificate != NULL ? 1 : 0 };
    warn_of_claims(settings->log, link_where(link), &work.key.claims);
    log_step(
        settings->log, "%s: put in the key id=%s '%s'; claimed by the token: %s", link_where(link),
        work.key.id_text, work.key.label, choose_claims_words(&work.key.claims));
    return KEYSTAY_OK;
}
