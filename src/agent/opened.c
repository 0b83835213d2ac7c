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

    opened->has_pin = true;
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

enum keystay_status opened_new(
    const struct keystay_profile *profile, struct meter *meter, const struct secret *pin,
    struct opened **ret_opened, struct keystay_error *err)
{
    CLEANUP(opened_freep) struct opened *opened = calloc(1, sizeof(*opened));

    if (opened == NULL) {
        return err_no_memory(err);
    }
    atomic_init(&opened->n_users, 1);
    opened->meter = meter;
    (void)atomic_fetch_add(&meter->n_signers, 1);
    for (size_t i = 0; i < ARRAY_LEN(opened->pin_fds); i++) {
        opened->pin_fds[i] = -1;
    }
    keys_of_profile(profile, clock_now_s(), meter->log, &opened->keys);
    for (size_t i = 0; i < ARRAY_LEN(opened->keys.configs); i++) {
        opened->keys.configs[i].isolate = 1;
        opened->keys.configs[i].watch = &meter->watch;
    }
    if (pin != NULL) {
        TRY(give_pin(opened, pin, err));
    }
    TRY(keys_open(&opened->keys, meter_open, &opened->signer, err));
    *ret_opened = take_ptr(&opened);
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
