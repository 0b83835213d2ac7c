/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_LATCH_H
#define PKCS11_LATCH_H

/*
 * The memory of a refused PIN, across processes and restarts: a service manager that starts a program again
 * and again must not lock a token in three starts.
 *
 * Under a lock for each token: what the latch says is read, "trying" is written (nothing of the PIN), the PIN
 * is sent, and the latch is erased when the token took it. When it did not, the latch keeps a salt and ONE
 * byte of scrypt(PIN): enough to know the same PIN again, and a thief of the file learns at most eight bits
 * of it. The price: one changed PIN in 256 looks like the refused one and wants `keystay pin forget`.
 */

#include <p11-kit/pkcs11.h>
#include <stdbool.h>

#include "base/secret.h"

enum latch_state {
    LATCH_CLEAR,
    LATCH_TRYING,   /* a process sent a PIN and did not live to say how it went */
    LATCH_REJECTED, /* a PIN was refused */
};

enum { LATCH_SALT_LEN = 16, LATCH_PATH_SIZE = 512 };

/* A token's latch, locked against other processes until it is closed. */
struct latch {
    int lock_fd; /* -1: not open */
    char path[LATCH_PATH_SIZE];
    enum latch_state state;
    uint8_t salt[LATCH_SALT_LEN];
    uint8_t pin_byte;
};

#define LATCH_NONE ((struct latch){ .lock_fd = -1 })

/*
 * Opens and reads the latch of the token, waiting for another process that is logging in to it. state_dir is
 * the folder for it, as state_dir_open has it. KEYSTAY_E_CONFIG when there is none that can be written to.
 */
enum keystay_status latch_open(
    const CK_TOKEN_INFO *token, const char *state_dir, struct latch *ret_latch, struct keystay_error *err);
void latch_close(struct latch *latch);

/* What it says at this moment, without the lock: for people to read, not to decide by. LATCH_CLEAR too when
 * it cannot be read. */
enum latch_state latch_peek(const CK_TOKEN_INFO *token, const char *state_dir);

/* KEYSTAY_OK, *ret_same false when the PIN is another one than the refused one. */
enum keystay_status latch_is_same_pin(
    const struct latch *latch, const struct secret *pin, bool *ret_same, struct keystay_error *err);

enum keystay_status latch_set_trying(struct latch *latch, struct keystay_error *err);
enum keystay_status latch_set_rejected(
    struct latch *latch, const struct secret *pin, struct keystay_error *err);
enum keystay_status latch_erase(struct latch *latch, struct keystay_error *err);

#endif
