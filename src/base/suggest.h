/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

/* The name that a mistyped word most likely meant, out of a NULL-terminated list; NULL when none is near. */
const char *suggest_nearest(const char *word, const char *const *names);

#endif
