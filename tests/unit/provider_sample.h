/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_PROVIDER_SAMPLE_H
#define UNIT_PROVIDER_SAMPLE_H

#include "oauth/provider.h"

/* What a profile for each server says; test cases change a part of it. */
struct provider_request provider_sample(const char *provider);

#endif
