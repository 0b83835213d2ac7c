/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/obtain.h"

#include "base/clock.h"
#include "base/str.h"
#include "core/acquire.h"
#include "core/keys.h"
#include "pkcs11/pin_source.h"

/* A signer that is opened when it is needed, and once: after a failure, the PIN would be sent again. */
struct lazy_signer {
    struct cli *cli;
    struct session *session;
    struct keystay_error *err; /* the command's own: the watchdog looks there for how the work went */
    bool is_tried;
    enum keystay_status status;
    struct keystay_error error; /* a copy, for when it is asked again */
};

/* A signer_source's get. */
static enum keystay_status open_once(
    void *context, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    struct lazy_signer *lazy = context;

    if (!lazy->is_tried) {
        lazy->is_tried = true;
        lazy->status = session_open_signer(lazy->cli, lazy->session, lazy->err);
        lazy->error = *lazy->err;
    }
    if (lazy->status == KEYSTAY_OK) {
        *ret_signer = lazy->session->signer;
    } else if (err != NULL) {
        *err = lazy->error;
    }
    return lazy->status;
}

/*
 * Whether a person may be asked for the PIN; without any source it is on the terminal. What cannot be read is
 * refused later, where it is used.
 */
static bool may_ask_a_person(const struct keystay_profile *profile)
{
    const char *text = profile_text(profile, SETTING_PIN_SOURCE);
    struct pin_source source;

    if (str_equal(profile_text(profile, SETTING_LOGIN), "never")) {
        return false;
    }
    if (text == NULL) {
        return !keys_have_pin_sources(profile);
    }
    return pin_source_parse(text, &source, NULL) != KEYSTAY_OK || pin_source_is_attended(&source);
}

/* NULL in *ret_disk when the profile wants none, or there is no place for one. */
static enum keystay_status open_cache(
    const struct cli *cli, struct cache_disk **ret_disk, struct keystay_error *err)
{
    *ret_disk = NULL;
    return str_equal(profile_text(cli->profile, SETTING_CACHE), "none")
               ? KEYSTAY_OK
               : cache_disk_open(&cli->log, ret_disk, err);
}

static enum keystay_status obtain_new(
    struct cli *cli, struct session *session, struct cache_disk **disk, struct keystay_token **ret_token,
    struct keystay_error *err)
{
    struct lazy_signer lazy = { .cli = cli, .session = session, .err = err };
    const struct signer_source source = { open_once, &lazy };
    const struct keystay_request request = { .claims = cli->values[CLI_CLAIMS],
                                             .claims_challenge = cli->values[CLI_CLAIMS_CHALLENGE] };

    TRY(session_prepare(cli, session, err));
    TRY(client_check_target(session->client, err));
    client_use_disk(session->client, take_ptr(disk));
    if (may_ask_a_person(cli->profile)) {
        struct keystay_error ignored; /* what is wrong is found again by the next call */
        (void)acquire_sign_ahead(session->client, &source, &request, &ignored);
    }
    TRY(acquire_token(session->client, &source, &request, ret_token, err));
    *err = (struct keystay_error){ 0 }; /* a token may have been found although a signer was not */
    return KEYSTAY_OK;
}

enum keystay_status obtain_token(
    struct cli *cli, struct session *session, struct keystay_token **ret_token, struct keystay_error *err)
{
    CLEANUP(cache_disk_freep) struct cache_disk *disk = NULL;
    struct keystay_token *kept = NULL;

    TRY(open_cache(cli, &disk, err));
    if (disk != NULL && !cli_given(cli, CLI_CLAIMS) && !cli_given(cli, CLI_CLAIMS_CHALLENGE)) {
        TRY(acquire_peek(cli->profile, disk, clock_moment(), &kept, err));
    }
    if (kept != NULL) {
        *ret_token = kept;
        return KEYSTAY_OK;
    }
    return obtain_new(cli, session, &disk, ret_token, err);
}
