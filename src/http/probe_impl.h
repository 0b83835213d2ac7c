/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_PROBE_IMPL_H
#define HTTP_PROBE_IMPL_H

/* What curl.c has probe.c do before and after the exchange, which is its own. */

#include "http/libcurl.h"
#include "http/probe.h"

void probe_begin(const char *url, struct probe *probe);
/* probe is borrowed until the exchange is over. */
CURLcode probe_prepare(CURL *easy, struct probe *probe);
void probe_end(CURL *easy, CURLcode code, const char *url, int64_t timeout_ms, struct probe *probe);

#endif
