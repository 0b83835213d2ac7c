/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_ENVIRONMENT_H
#define CLI_ENVIRONMENT_H

/* The environment of another program. */

#include <stddef.h>

/*
 * Ours, less the variables of a NULL-terminated list, with room for n_more at its end (NULL until then). The
 * list is owned, its words are borrowed; NULL when memory is out.
 */
char **environment_without(const char *const *names, size_t n_more);

#endif
