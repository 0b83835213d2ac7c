/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order matters: whatever can be refused without the token is refused before the module is loaded, whatever
 * can be refused without the PIN before it is read, and the PIN is sent once. The key's and the certificate's
 * fitness is known before anything is signed.
 */
#include "pkcs11/cryptoki/settle.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "pkcs11/cryptoki/attestation.h"
#include "pkcs11/cryptoki/discover.h"

/* Of the files the one to use with the key. */
static enum keystay_status choose_file(
    const struct p11_session *session, struct p11_signer *signer, struct keystay_error *err)
{
    struct p11_settings *settings = &signer->settings;
    size_t best =
        certificate_choose(&signer->key, settings->certificates, settings->n_certificates, settings->now_s);

    if (best < settings->n_certificates) {
        signer->base.certificate = take_ptr(&settings->certificates[best]);
        return KEYSTAY_OK;
    }
    return err_set_hint(
        err, KEYSTAY_E_KEY_MISMATCH,
        "choose the certificate that was issued for this key, or leave --certificate out: keystay then looks for it",
        "%s: the key id=%s '%s' and the certificate '%s'%s do not belong together", session->where,
        signer->key.id_text, signer->key.label, certificate_subject(settings->certificates[0]),
        settings->n_certificates > 1 ? " (and the others)" : "");
}

static enum keystay_status settle_certificate(
    const struct p11_session *session, struct p11_signer *signer, struct keystay_error *err)
{
    struct p11_settings *settings = &signer->settings;

    if (signer_public_key(&signer->base) != NULL) {
        return KEYSTAY_OK; /* from the work before a recovery */
    }
    if (settings->needs_no_certificate) {
        return key_public_key(session, &signer->key, &signer->base.public_key, err);
    }
    if (settings->n_certificates > 1) {
        TRY(key_read_public(session, &signer->key, err)); /* one alone is proved by the first signature */
    }
    if (settings->n_certificates > 0) {
        TRY(choose_file(session, signer, err));
    } else {
        TRY(token_certificate_find(
            session, &signer->key, settings->certificate_uri, settings->now_s, &signer->base.certificate,
            err));
    }
    return certificate_check(signer->base.certificate, settings->now_s, err);
}

static enum keystay_status settle_algorithms(
    const struct p11_session *session, struct p11_signer *signer, struct keystay_error *err)
{
    const struct public_key *public_key = signer_public_key(&signer->base);

    TRY(mechanism_list_read(session, session->slot, &signer->key, &signer->mechanisms, err));
    signer->base.algs = mechanism_algs(&signer->mechanisms, signer->key.type) & key_algs(&signer->key) &
                        public_key_algs(public_key);
    if (signer->base.algs == 0) {
        return err_set_hint(
            err, KEYSTAY_E_ALGORITHM, "keystay signs with RSA of 2048 bits and more, P-256 and P-384",
            "%s: it offers no mechanism to sign an assertion with the key id=%s '%s' (%s, %u bits)",
            session->where, signer->key.id_text, signer->key.label, public_key_type_name(public_key),
            public_key_bits(public_key));
    }
    return KEYSTAY_OK;
}

/* The signer's public key is the one that each signature is verified with, so that is what must be attested.
 */
static enum keystay_status settle_proof(
    const struct p11_session *session, struct p11_signer *signer, struct keystay_error *err)
{
    const struct p11_settings *settings = &signer->settings;
    const struct attestation_question question = { &signer->key, signer_public_key(&signer->base),
                                                   settings->attestation_trust, settings->now_s };

    TRY(token_attestation_find(session, &question, &signer->proof, err));
    return settings->require_attested ? choose_check_proof(&signer->proof, session->where, err) : KEYSTAY_OK;
}

/* Everything about the key, in the first session. A link_work. */
static enum keystay_status settle_key(
    const struct p11_session *session, unsigned int generation, void *context, bool *ret_is_broken,
    struct keystay_error *err)
{
    struct p11_signer *signer = context;
    const struct p11_key_policy policy = {
        .allow_extractable = signer->settings.allow_extractable,
        .require_generated = signer->settings.require_generated,
    };

    (void)ret_is_broken;
    TRY(key_find(session, signer->settings.key, &signer->key, err));
    signer->key_generation = generation;
    TRY(choose_check_claims(&signer->key.claims, &policy, session->where, err));
    TRY(settle_certificate(session, signer, err));
    TRY(settle_proof(session, signer, err));
    return settle_algorithms(session, signer, err);
}

static void fill_info(struct p11_signer *signer)
{
    const struct certificate *certificate = signer->base.certificate;

    signer->token = link_token(signer->link);
    choose_compare_serial(&signer->proof, signer->token.serial);
    choose_proof_words(&signer->proof, signer->proven);
    signer->base.info = (struct keystay_signer_info){
        .module = signer->settings.module_path,
        .token_label = signer->token.label,
        .token_serial = signer->token.serial,
        .key_label = signer->key.label,
        .key_uri_id = signer->key.id_text,
        .subject = certificate == NULL ? "" : certificate_subject(certificate),
        .key_bits = public_key_bits(signer_public_key(&signer->base)),
        .not_after_s = certificate == NULL ? 0 : certificate_not_after_s(certificate),
        .claimed = choose_claims_words(&signer->key.claims),
        .proven = signer->proven,
        .proof_hint = choose_verdict_hint(signer->proof.verdict),
        .is_proven = signer->proof.verdict == ATTESTATION_PROVEN,
    };
}

static void log_choice(const struct p11_signer *signer)
{
    const struct keystay_signer_info *info = &signer->base.info;
    char time[CLOCK_TEXT_SIZE];

    log_step(
        signer->settings.log, "module '%s', %s: key id=%s '%s', %u bits", info->module,
        link_where(signer->link), info->key_uri_id, info->key_label, info->key_bits);
    if (signer->base.certificate != NULL) {
        clock_format_utc(info->not_after_s, time);
        log_step(signer->settings.log, "certificate '%s', valid until %s", info->subject, time);
    }
    log_step(
        signer->settings.log, "claimed by the token: %s; proven by attestation: %s", info->claimed,
        info->proven);
    if (signer->proof.serial_differs) {
        log_warning(
            signer->settings.log, "%s: its serial is not that of the device that attests the key, %u",
            link_where(signer->link), signer->proof.attestation.serial);
    }
}

enum keystay_status settle(
    struct p11_settings *settings, struct p11_signer *signer, struct keystay_error *err)
{
    signer->settings = *settings;
    *settings = (struct p11_settings){ 0 };
    if (signer->settings.module_path == NULL) {
        TRY(discover_module(&signer->settings, err));
    }
    TRY(link_open(&signer->settings, &signer->link, err));
    TRY(link_use(signer->link, settle_key, signer, err));
    fill_info(signer);
    log_choice(signer);
    return KEYSTAY_OK;
}

struct pin_target settle_context_target(const struct p11_signer *signer, const char *where)
{
    return (struct pin_target){ &signer->token.info, where,
                                ", once more: this key wants it for each signature",
                                "C_Login (context specific)" };
}

bool settle_may_reuse_pin(const struct p11_signer *signer)
{
    const struct pin_policy *policy = &signer->settings.pin;

    return policy->reuse ||
           (!pin_source_is_attended(&policy->source) && !pin_source_is_repeatable(&policy->source));
}

void settle_clear(struct p11_signer *signer)
{
    link_close(signer->link);
    certificate_free(signer->base.certificate);
    public_key_freep(&signer->base.public_key);
    p11_settings_clear(&signer->settings);
}
