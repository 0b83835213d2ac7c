/* SPDX-License-Identifier: Apache-2.0 */
#include "base/suggest.h"

#include <string.h>

enum { WORD_MAX = 40, DISTANCE_MAX = 2 };

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* How many letters to put in, take out or change (Levenshtein). Both words are at most WORD_MAX long. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t b_len = strlen(b);

    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *suggest_nearest(const char *word, const char *const *names)
{
    const char *best = NULL;
    size_t best_distance = DISTANCE_MAX + 1;

    if (strlen(word) > WORD_MAX) {
        return NULL;
    }
    for (; *names != NULL; names++) {
        size_t d = strlen(*names) > WORD_MAX ? DISTANCE_MAX + 1 : distance(word, *names);
        if (d < best_distance && d < strlen(*names)) {
            best = *names;
            best_distance = d;
        }
    }
    return best;
}
