/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/removal.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "pkcs11/cryptoki/certificate.h"
#include "pkcs11/cryptoki/link.h"
#include "pkcs11/piv.h"
#include "pkcs11/rv.h"

static enum keystay_status destroy(
    const struct p11_session *session, CK_OBJECT_HANDLE object, size_t *ret_n_removed,
    struct keystay_error *err)
{
    CK_RV rv = P11(session->module, C_DestroyObject, session->handle, object);

    if (rv != CKR_OK) {
        return piv_advise(
            session->info, rv, "ykman piv keys delete 9a, ykman piv certificates delete 9a",
            rv_error(rv, "C_DestroyObject", session->where, err), err);
    }
    (*ret_n_removed)++;
    return KEYSTAY_OK;
}

static bool same_bytes(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    return slice_equal((struct slice){ a, a_len }, (struct slice){ b, b_len });
}

/* Of two keys with one id; what a token does not tell of either sets nothing apart. */
static bool may_be_halves(const struct p11_key *key, const struct p11_key *other)
{
    bool tell_modulus = key->modulus_len > 0 && other->modulus_len > 0;
    bool tell_point = key->point_len > 0 && other->point_len > 0;

    return key->type == other->type && strcmp(key->label, other->label) == 0 &&
           (!tell_modulus ||
            same_bytes(key->modulus, key->modulus_len, other->modulus, other->modulus_len)) &&
           (!tell_point || same_bytes(key->point, key->point_len, other->point, other->point_len));
}

struct job {
    const struct p11_key *key;
    bool is_count; /* nothing is removed */
    size_t n;
};

/* An object_visit. */
static enum keystay_status remove_public(
    const struct p11_session *session, CK_OBJECT_HANDLE object, void *context, struct keystay_error *err)
{
    struct job *job = context;
    struct p11_public parts;
    struct p11_key other;

    TRY(key_read(session, object, &other, err));
    if (other.type == CKK_EC) {
        TRY(key_public_read(session, object, &parts, err));
        key_take_public(&other, &parts);
    }
    return may_be_halves(job->key, &other) ? destroy(session, object, &job->n, err) : KEYSTAY_OK;
}

/* An object_visit. */
static enum keystay_status remove_certificate(
    const struct p11_session *session, CK_OBJECT_HANDLE object, void *context, struct keystay_error *err)
{
    struct job *job = context;
    CLEANUP(certificate_freep) struct certificate *certificate = NULL;

    TRY(token_certificate_read(session, object, &certificate, err));
    if (certificate == NULL || certificate_is_attestation(certificate) ||
        key_belongs_to(job->key, certificate) != KEY_BELONGS_YES) {
        return KEYSTAY_OK;
    }
    if (job->is_count) {
        job->n++;
        return KEYSTAY_OK;
    }
    return destroy(session, object, &job->n, err);
}

static enum keystay_status each_certificate(
    const struct p11_session *session, struct job *job, struct keystay_error *err)
{
    struct object_template search;

    object_template_init(&search, CKO_CERTIFICATE);
    return object_each(session, &search, remove_certificate, job, err);
}

enum keystay_status provision_remove_key(
    const struct p11_session *session, const struct p11_key *key, bool with_certificates,
    size_t *ret_n_removed, struct keystay_error *err)
{
    struct object_template search;
    struct job job = { .key = key };
    enum keystay_status status = destroy(session, key->handle, &job.n, err);

    if (status == KEYSTAY_OK && key->id_len > 0) {
        object_template_init(&search, CKO_PUBLIC_KEY);
        object_template_add(&search, CKA_ID, (struct slice){ key->id, key->id_len });
        status = object_each(session, &search, remove_public, &job, err);
    }
    if (status == KEYSTAY_OK && with_certificates) {
        status = each_certificate(session, &job, err);
    }
    *ret_n_removed = job.n;
    return status;
}

struct deletion {
    const struct p11_settings *settings;
    bool with_certificates;
    struct provision_key found;
    bool is_agreed; /* to this key's removal */
    size_t *n_removed;
};

static bool is_same_key(const struct p11_key *a, const struct p11_key *b)
{
    return a->type == b->type && same_bytes(a->id, a->id_len, b->id, b->id_len) &&
           same_bytes(a->modulus, a->modulus_len, b->modulus, b->modulus_len) &&
           same_bytes(a->point, a->point_len, b->point, b->point_len);
}

/* Before anybody is asked. */
static enum keystay_status find_here(
    const struct p11_session *session, struct deletion *deletion, struct keystay_error *err)
{
    struct p11_key *key = &deletion->found.key;

    TRY(key_find(session, deletion->settings->key, key, err));
    TRY(key_read_public(session, key, err));
    struct job count = { .key = key, .is_count = true };
    TRY(each_certificate(session, &count, err));
    deletion->found.n_certificates = count.n;
    deletion->found.bits = key_bits(key);
    return KEYSTAY_OK;
}

/* And after: what was asked about, or nothing. */
static enum keystay_status remove_here(
    const struct p11_session *session, struct deletion *deletion, struct keystay_error *err)
{
    struct p11_key key;

    TRY(key_find(session, deletion->settings->key, &key, err));
    TRY(key_read_public(session, &key, err));
    if (!is_same_key(&key, &deletion->found.key)) {
        return err_set_hint(
            err, KEYSTAY_E_KEY_MISMATCH, "run it again, and look at what it asks",
            "%s: the key is another one than a moment ago; nothing was deleted", session->where);
    }
    return provision_remove_key(session, &key, deletion->with_certificates, deletion->n_removed, err);
}

/* A link_work. */
static enum keystay_status delete_work(
    const struct p11_session *session, unsigned int generation, void *context, bool *ret_is_broken,
    struct keystay_error *err)
{
    struct deletion *deletion = context;

    (void)generation;
    (void)ret_is_broken;
    return deletion->is_agreed ? remove_here(session, deletion, err) : find_here(session, deletion, err);
}

static void link_closep(struct p11_link **link)
{
    link_close(*link);
}

enum keystay_status provision_delete(
    const struct p11_settings *settings, bool with_certificates, provision_consent consent, void *context,
    size_t *ret_n_removed, struct keystay_error *err)
{
    CLEANUP(link_closep) struct p11_link *link = NULL;
    struct p11_settings writing = *settings; /* a shallow copy: settings keeps what is owned */
    struct deletion deletion = { .settings = settings,
                                 .with_certificates = with_certificates,
                                 .n_removed = ret_n_removed };

    *ret_n_removed = 0;
    writing.may_write = true;
    TRY(link_open(&writing, &link, err));
    TRY(link_use(link, delete_work, &deletion, err));
    deletion.found.token = link_token(link);
    TRY(consent(&deletion.found, context, err));
    deletion.is_agreed = true;
    TRY(link_use(link, delete_work, &deletion, err));
    log_step(settings->log, "%s: %zu objects removed", link_where(link), *ret_n_removed);
    return KEYSTAY_OK;
}
