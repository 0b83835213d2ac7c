/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PKCS11_FAULTS_JUDGE_H
#define TESTS_PKCS11_FAULTS_JUDGE_H

/* What the documentation says of each code: written down here once more, not asked of the code under test. */

#include "world.h"

/* The token counted a wrong PIN: the same must not be sent again. */
bool judge_is_wrong_pin(CK_RV rv);

/* What a failed call with this code is to the caller. */
enum keystay_status judge_status(CK_RV rv);

/* Whatever this call answers, the work goes on: it tidies up, or asks what can also be found out later. */
bool judge_is_ignored(enum scripted_call call);

/* Answered once and never again, nobody notices: it is tried another way, or recovered from. */
bool judge_is_survived(enum scripted_call call, CK_RV rv);

/* A login that the token says is there already, and is not: it shows no private key then. */
bool judge_is_believed_login(const struct scripted_fault *fault);

/* The module's answers explain that a look saw nothing, and why that is no error: no token, or no login. */
bool judge_is_fewer_seen(void);

/*
 * Complains unless the error is one that the module's answers since scripted_forget_failures explain: either
 * it names one of them (call, code, number, ck_rv, status, a hint), or it is a known consequence of one.
 */
void judge_error(const struct world *world, enum keystay_status status, const struct keystay_error *error);

#endif
