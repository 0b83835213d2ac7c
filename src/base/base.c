/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

struct slice slice_of_str(const char *text)
{
    return (struct slice){ (const uint8_t *)text, text == NULL ? 0 : strlen(text) };
}

int slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

void freep(void *pointer_to_pointer)
{
    void **pointer = pointer_to_pointer;

    free(*pointer);
    *pointer = NULL;
}

void *drop_const(const void *pointer)
{
    void *plain = NULL;

    memcpy(&plain, &pointer, sizeof(plain));
    return plain;
}
