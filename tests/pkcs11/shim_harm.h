/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PKCS11_SHIM_HARM_H
#define TESTS_PKCS11_SHIM_HARM_H

/* What a module can do to the process that it is loaded into. */

#include <stdbool.h>
#include <stddef.h>

struct harm;

/* By its word in shim_rules.h; NULL: there is none. */
const struct harm *harm_by_name(const char *word, size_t len);

void harm_do(const struct harm *harm);

/* Whether it has not been done yet, in any process: SHIM_ONCE names the file that remembers. Without one,
 * always. */
bool harm_is_due(void);

/* Writes what it sees of its process into the file SHIM_SIGHT, if that is set: the environment (NAME=VALUE)
 * and the descriptors (NUMBER TARGET). */
void harm_write_sight(void);

#endif
