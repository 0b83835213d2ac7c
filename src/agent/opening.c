/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/opening.h"

#include "base/error.h"
#include "pkcs11/pin_source.h"

enum { QUESTIONS_MAX = 3 }; /* in a row: a token locks after a few wrong PINs, and not each says when */

enum keystay_status opening_look(struct opening *opening, struct keystay_error *err)
{
    TRY(opened_look_at_pin(opening->profile, opening->meter, &opening->pin_tries, err));
    opening->has_looked = true;
    return KEYSTAY_OK;
}

/* After a wrong PIN: how near to being locked the token is, as far as it says. */
static enum keystay_status tell_tries(struct opening *opening, struct keystay_error *err)
{
    struct keystay_error why = { 0 };
    const enum keystay_status status = opening_look(opening, &why);

    if (status == KEYSTAY_E_PIN_LOCKED) {
        err_append(err, "; the PIN is locked now");
        err->status = status;
        return err_hint(err, status, "%s", why.hint);
    }
    if (status == KEYSTAY_OK) {
        const char *words = pin_tries_words(opening->pin_tries & ~(unsigned int)KEYSTAY_PIN_WAS_REFUSED);

        err_append(err, "; %s", words[0] == '\0' ? "the token does not say how many more lock it" : words);
    }
    return err->status;
}

/* A person typed a wrong PIN, or once more the one that was wrong before. */
static bool is_a_slip(enum keystay_status status, const struct keystay_error *error)
{
    return status == KEYSTAY_E_PIN_INCORRECT || (status == KEYSTAY_E_PIN_REFUSED && error->ck_rv == 0);
}

enum keystay_status opening_run(
    struct opening *opening, struct opened **ret_opened, struct keystay_error *err)
{
    const bool may_ask_again = opening->gift->pin == NULL && opened_asks_in_a_window(opening->profile);
    enum keystay_status status = KEYSTAY_OK;
    bool goes_on = true;

    for (int i = 0;
         goes_on && i < (may_ask_again ? QUESTIONS_MAX : 1) && opening->is_wanted(opening->context); i++) {
        const uint64_t n_before = atomic_load(&opening->meter->n_pins_wanted);

        *err = (struct keystay_error){ 0 };
        status = opened_new(opening->profile, opening->meter, opening->gift, ret_opened, err);
        /* Not when the token was in the way of the question: then it would be again. */
        goes_on = is_a_slip(status, err) && atomic_load(&opening->meter->n_pins_wanted) != n_before;
        if (status == KEYSTAY_E_PIN_INCORRECT) {
            status = tell_tries(opening, err);
        }
    }
    return status;
}
