/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_TRUST_H
#define HTTP_TRUST_H

#include <stdbool.h>

/*
 * Whether a folder holds CA certificates under their hashed names ("5ed36f99.0"), as `openssl rehash` makes
 * them. Looking one up there costs a file; parsing the system's whole bundle costs tens of milliseconds in
 * every process.
 */
bool trust_is_hashed_directory(const char *path);

#endif
