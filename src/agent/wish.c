/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/wish.h"

#include "base/str.h"

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : str_equal(a, b);
}

bool wish_equal(const struct wish *a, const struct wish *b)
{
    return is_same(a->scope, b->scope) && is_same(a->resource, b->resource) &&
           is_same(a->claims, b->claims) && a->min_valid_s == b->min_valid_s &&
           a->is_assertion == b->is_assertion && a->is_renewal == b->is_renewal;
}
