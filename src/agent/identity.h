/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_IDENTITY_H
#define AGENT_IDENTITY_H

/* Which user and group a name is, as the system's databases have it (passwd, LDAP, whatever nsswitch.conf
 * says).
 */

#include <sys/types.h>

#include "base/base.h"

/*
 * A name, or a number, which is taken as it is. Nothing is quoted back.
 * KEYSTAY_E_CONFIG: there is none of that name. KEYSTAY_E_INTERNAL: the system could not say; later it may.
 */
enum keystay_status identity_user(const char *name, uid_t *ret_uid, struct keystay_error *err);
enum keystay_status identity_group(const char *name, gid_t *ret_gid, struct keystay_error *err);

#endif
