/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/recovery.h"

#include <time.h>

#include "base/base.h"

enum { LOGIN_LOST_WITHIN_MS = 1000, READER_NOTICES_NS = 600000000, TOKEN_RETURNS_NS = 50000000 };

static const struct {
    CK_RV rv;
    enum recovery_rung rung;
} rows[] = {
    { CKR_SESSION_HANDLE_INVALID, RECOVERY_SESSION },
    { CKR_SESSION_CLOSED, RECOVERY_SESSION },
    { CKR_OBJECT_HANDLE_INVALID, RECOVERY_SESSION },
    { CKR_KEY_HANDLE_INVALID, RECOVERY_SESSION },
    { CKR_DEVICE_REMOVED, RECOVERY_RESCAN },
    { CKR_TOKEN_NOT_PRESENT, RECOVERY_RESCAN },
    { CKR_TOKEN_NOT_RECOGNIZED, RECOVERY_RESCAN },
    { CKR_SLOT_ID_INVALID, RECOVERY_RESCAN },
    { CKR_GENERAL_ERROR, RECOVERY_RESCAN },
    { CKR_FUNCTION_FAILED, RECOVERY_RESCAN },
    { CKR_DEVICE_ERROR, RECOVERY_RESCAN },
    { CKR_DEVICE_MEMORY, RECOVERY_RESCAN },
    { CKR_FUNCTION_NOT_SUPPORTED, RECOVERY_RESCAN },
    { CKR_CRYPTOKI_NOT_INITIALIZED, RECOVERY_REINITIALIZE },
};

enum recovery_rung recovery_first_rung(CK_RV rv, int64_t elapsed_ms)
{
    if (rv == CKR_USER_NOT_LOGGED_IN) {
        return elapsed_ms < LOGIN_LOST_WITHIN_MS ? RECOVERY_SESSION : RECOVERY_NONE;
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].rv == rv) {
            return rows[i].rung;
        }
    }
    return RECOVERY_NONE;
}

bool recovery_wants_pause(CK_RV rv)
{
    return rv == CKR_GENERAL_ERROR;
}

void recovery_wait_for_reader(void)
{
    (void)nanosleep(&(const struct timespec){ .tv_nsec = READER_NOTICES_NS }, NULL);
}

void recovery_wait_for_token(void)
{
    (void)nanosleep(&(const struct timespec){ .tv_nsec = TOKEN_RETURNS_NS }, NULL);
}
