/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PIN that a person gave reaches the one place that reads PINs as any other does, from a descriptor: a
 * pipe, whose bytes are never swapped out.
 */
#include "agent/opened.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "pkcs11/pin_source.h"

static enum keystay_status put_into_pipe(const struct secret *pin, int *ret_fd, struct keystay_error *err)
{
    int ends[2];

    if (pin->len > PIN_LEN_MAX) {
        return err_set(err, KEYSTAY_E_USAGE, "a PIN has at most %d bytes", PIN_LEN_MAX);
    }
    if (pipe(ends) != 0) {
        return err_set(err, KEYSTAY_E_INTERNAL, "pipe: %s", file_errno_text(errno));
    }
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    enum keystay_status status = file_write_all(ends[1], secret_slice(pin), err);
    (void)close(ends[1]);
    if (status != KEYSTAY_OK) {
        (void)close(ends[0]);
        return status;
    }
    *ret_fd = ends[0];
    return KEYSTAY_OK;
}

static enum keystay_status give_pin(
    struct opened *opened, const struct secret *pin, struct keystay_error *err)
{
    const size_t n = opened->keys.n == 0 ? 1 : opened->keys.n;

    for (size_t i = 0; i < n; i++) {
        struct keystay_pkcs11_config *config = &opened->keys.configs[i];

        TRY(put_into_pipe(pin, &opened->pin_fds[i], err));
        (void)snprintf(opened->pin_sources[i], sizeof(opened->pin_sources[i]), "fd:%d", opened->pin_fds[i]);
        config->pin_source = opened->pin_sources[i];
        config->pin_count_low_try = 1; /* a person is there and has seen the warning */
    }
    return KEYSTAY_OK;
}

struct opened *opened_share(struct opened *opened)
{
    (void)atomic_fetch_add(&opened->n_users, 1);
    return opened;
}

void opened_freep(struct opened **opened)
{
    if (*opened != NULL && atomic_fetch_sub(&(*opened)->n_users, 1) == 1) {
        keystay_signer_free((*opened)->signer);
        for (size_t i = 0; i < ARRAY_LEN((*opened)->pin_fds); i++) {
            file_closep(&(*opened)->pin_fds[i]);
        }
        (void)atomic_fetch_sub(&(*opened)->meter->n_signers, 1);
        free(*opened);
    }
    *opened = NULL;
}

/* NULL when memory is out. */
static struct opened *opened_alloc(struct meter *meter)
{
    struct opened *opened = calloc(1, sizeof(*opened));

    if (opened != NULL) {
        atomic_init(&opened->n_users, 1);
        opened->meter = meter;
        (void)atomic_fetch_add(&meter->n_signers, 1);
        for (size_t i = 0; i < ARRAY_LEN(opened->pin_fds); i++) {
            opened->pin_fds[i] = -1;
        }
    }
    return opened;
}

static enum keystay_status prepare(
    struct opened *opened, const struct keystay_profile *profile, struct meter *meter,
    const struct keystay_log *log, const struct opened_gift *gift, struct keystay_error *err)
{
    keys_of_profile(profile, clock_now_s(), log, &opened->keys);
    for (size_t i = 0; i < ARRAY_LEN(opened->keys.configs); i++) {
        opened->keys.configs[i].isolate = 1;
        opened->keys.configs[i].watch = &meter->watch;
        opened->keys.configs[i].pin_final_try |= gift->is_final_try;
    }
    opened->has_pin = gift->pin != NULL || opened_asks_in_a_window(profile);
    return gift->pin != NULL ? give_pin(opened, gift->pin, err) : KEYSTAY_OK;
}

enum keystay_status opened_new(
    const struct keystay_profile *profile, struct meter *meter, const struct opened_gift *gift,
    struct opened **ret_opened, struct keystay_error *err)
{
    CLEANUP(opened_freep) struct opened *opened = opened_alloc(meter);

    if (opened == NULL) {
        return err_no_memory(err);
    }
    TRY(prepare(opened, profile, meter, meter->log, gift, err));
    TRY(keys_open(&opened->keys, meter_open, &opened->signer, err));
    if (gift->pin != NULL) {
        TRY(keystay_signer_check(opened->signer, err)); /* several keys are opened one by one */
    }
    *ret_opened = take_ptr(&opened);
    return KEYSTAY_OK;
}

/* A signer_opener, of no meter's: to look is no failure to open. */
static enum keystay_status open_to_look(
    const void *config, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    return keystay_pkcs11_open(config, ret_signer, err);
}

/* An empty PIN is never sent: whoever wants one says what is known of it, and gets no further. */
enum keystay_status opened_look_at_pin(
    const struct keystay_profile *profile, struct meter *meter, unsigned int *ret_tries,
    struct keystay_error *err)
{
    const struct secret none = { 0 };
    const struct opened_gift gift = { &none, true };
    const uint64_t n_before = atomic_load(&meter->n_pins_wanted);
    CLEANUP(opened_freep) struct opened *opened = opened_alloc(meter);

    if (opened == NULL) {
        return err_no_memory(err);
    }
    atomic_store(&meter->pin_tries, 0);
    TRY(prepare(opened, profile, meter, NULL, &gift, err));
    enum keystay_status status = keys_open(&opened->keys, open_to_look, &opened->signer, err);
    if (status == KEYSTAY_OK) {
        status = keystay_signer_check(opened->signer, err);
    }
    if (status != KEYSTAY_OK && atomic_load(&meter->n_pins_wanted) == n_before) {
        return status;
    }
    *ret_tries = atomic_load(&meter->pin_tries);
    return KEYSTAY_OK;
}

bool opened_asks_a_person(const struct keystay_profile *profile)
{
    const char *source = profile_text(profile, SETTING_PIN_SOURCE);

    if (str_equal(profile_text(profile, SETTING_LOGIN), "never")) {
        return false;
    }
    return source == NULL ? !keys_have_pin_sources(profile) : str_equal(source, "tty");
}

bool opened_needs_nobody(const struct keystay_profile *profile)
{
    const char *text = profile_text(profile, SETTING_PIN_SOURCE);
    struct pin_source source;

    if (text == NULL || opened_asks_a_person(profile)) {
        return !opened_asks_a_person(profile);
    }
    return str_equal(profile_text(profile, SETTING_LOGIN), "never") ||
           (pin_source_parse(text, &source, NULL) == KEYSTAY_OK && !pin_source_is_attended(&source));
}

bool opened_asks_in_a_window(const struct keystay_profile *profile)
{
    const char *source = profile_text(profile, SETTING_PIN_SOURCE);

    return source != NULL && str_equal(source, "pinentry");
}
