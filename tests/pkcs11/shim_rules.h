/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PKCS11_SHIM_RULES_H
#define TESTS_PKCS11_SHIM_RULES_H

/*
 * The language of SHIM_FAULT: rules with blanks between them.
 *
 *     C_Login=0xA4            the call does nothing and answers this CK_RV
 *     C_OpenSession=0x32@2    only the second time; @2+ from then on, too
 *     C_Sign:sleep=60000      the call takes that many milliseconds longer; dlopen
 *                             and C_GetFunctionList can, too
 *     C_Sign:crash            the call writes to where nothing is; or exit: exit(3),
 *                             abort, vanish: SIGKILL, hang: does not return, close: all
 *                             descriptors, print: to stdout, fork: a child that stays.
 *                             :then-crash and so on: after the module has done the work
 *     C_Sign:flip             the signature's last bit is wrong
 *     C_Sign:len=10           the signature claims to have ten bytes
 *     flags+=0x40000          CK_TOKEN_INFO: flags are set; -= clears them
 *     pin-len=6-8             CK_TOKEN_INFO: shortest and longest PIN
 *     CKA_MODULUS=hidden      the attribute is sensitive; "missing": there is none
 *     CKA_SENSITIVE=false     its value: true, false or bytes, as in 0x0102; a number
 *                             may stand for the name
 *     mechanisms=-0x43,-0xD   the token does not list these
 *
 * A rule that cannot be read ends the process: a test with a misspelt fault must not pass.
 */

#include <stdbool.h>

#include "shim_calls.h"

/* Once, before all else. text is the value of SHIM_FAULT, or NULL. */
void rules_read(const char *text);

/* To be told of each call before it is made: counts it, sleeps. True when it must not be made: *ret_rv is the
 * answer. */
bool rules_before(enum shim_call call, CK_RV *ret_rv);

/* And after the module has made it. */
void rules_after(enum shim_call call);

/* What the module answered, bent. */
void rules_bend_signature(CK_BYTE *signature, CK_ULONG *len);
void rules_bend_token(CK_TOKEN_INFO *info);
bool rules_hide_mechanism(CK_MECHANISM_TYPE type);

/* room is what the caller offered; the result is the new answer of C_GetAttributeValue. */
CK_RV rules_bend_attribute(CK_ATTRIBUTE *attribute, CK_ULONG room, CK_RV rv);

#endif
