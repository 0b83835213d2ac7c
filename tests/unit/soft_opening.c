/* SPDX-License-Identifier: Apache-2.0 */
#include "soft_opening.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "keystay/pkcs11.h"
#include "unit.h"

struct soft_next soft_next;
struct soft_seen soft_seen;
int64_t soft_now_ms;

enum keystay_status __wrap_keystay_pkcs11_open(
    const struct keystay_pkcs11_config *config, struct keystay_signer **ret_signer,
    struct keystay_error *err);
int64_t __wrap_clock_monotonic_ms(void);
int64_t __wrap_clock_boot_ms(void);

/* An empty PIN. */
static enum keystay_status look_at_it(const struct keystay_pkcs11_config *config, struct keystay_error *err)
{
    soft_seen.n_looked++;
    assert_int_equal(config->pin_final_try, 1);
    if (soft_next.look != KEYSTAY_OK) {
        return err_set(err, soft_next.look, "looking failed");
    }
    config->watch->pin_wanted(config->watch->context, soft_next.tries);
    return err_set(err, KEYSTAY_E_PIN_SOURCE, "the PIN is empty");
}

enum keystay_status __wrap_keystay_pkcs11_open(
    const struct keystay_pkcs11_config *config, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    unsigned int fd = 0;

    assert_int_equal(config->isolate, 1);
    soft_seen.is_low_try = config->pin_count_low_try != 0;
    soft_seen.pin[0] = '\0';
    if (config->pin_source != NULL && sscanf(config->pin_source, "fd:%u", &fd) == 1) {
        ssize_t len = read((int)fd, soft_seen.pin, sizeof(soft_seen.pin) - 1);
        assert_true(len >= 0);
        soft_seen.pin[len] = '\0';
        if (len == 0) {
            return look_at_it(config, err);
        }
    }
    soft_seen.n_opened++;
    if (soft_next.meanwhile != NULL) {
        soft_next.meanwhile(soft_next.context);
    }
    soft_seen.is_final_try = config->pin_final_try != 0;
    if (soft_next.asks_first) {
        config->watch->pin_wanted(config->watch->context, soft_next.tries);
    }
    if (soft_next.status != KEYSTAY_OK) {
        (void)err_set(err, soft_next.status, "opening number %d failed", soft_seen.n_opened);
        err->ck_rv = soft_next.rv;
        return soft_next.status;
    }
    soft_seen.signer = soft_signer_new(ALG_BIT(KEYSTAY_ALG_RS256), NULL);
    soft_seen.signer->n_closed = &soft_seen.n_closed;
    soft_seen.signer->base.info.not_after_s = soft_next.certificate_ends_s;
    *ret_signer = &soft_seen.signer->base;
    return KEYSTAY_OK;
}

int64_t __wrap_clock_monotonic_ms(void)
{
    return soft_now_ms;
}

int64_t __wrap_clock_boot_ms(void)
{
    return soft_now_ms;
}

struct keystay_profile *soft_profile(const char *pin_source)
{
    struct keystay_profile *profile = NULL;

    soft_next = (struct soft_next){ .asks_first = str_equal(pin_source, "pinentry") };
    soft_seen = (struct soft_seen){ 0 };
    soft_now_ms = 1000000;
    assert_ok(keystay_profile_new(&profile, NULL));
    assert_ok(keystay_profile_set(profile, "tenant", "contoso.example", NULL));
    assert_ok(keystay_profile_set(profile, "client-id", "11111111-2222-3333-4444-555555555555", NULL));
    assert_ok(keystay_profile_set(profile, "alg", "RS256", NULL));
    assert_ok(keystay_profile_set(profile, "pin-source", pin_source, NULL));
    return profile;
}
