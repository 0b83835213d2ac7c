/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_ENTRA_ADVICE_H
#define OAUTH_ENTRA_ADVICE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What to try first for Entra's AADSTS numbers. Advice for people, never logic: Microsoft's reference says
 * that numbers and texts change, and that programs react to `error` alone
 * (learn.microsoft.com/entra/identity-platform/reference-error-codes).
 */

/* The number from `error_codes`, or from "AADSTS<number>" at the start of the description, or 0. */
int entra_error_number(int64_t first_code, const char *description);

/*
 * The server's clock as the text of 700024 has it ("Current time: 2024-05-21T06:12:24Z"), to tell a person
 * how far the clocks are apart. Unix seconds.
 */
bool entra_server_time(const char *description, int64_t *ret_time_s);

/* NULL when there is nothing to say. Static. */
const char *entra_advice(int number, const char *description);

#endif
