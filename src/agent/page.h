/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_PAGE_H
#define AGENT_PAGE_H

/* An answer in libmicrohttpd's form, for the HTTP server. */

#include <microhttpd.h>

#include "agent/httpd.h"

enum MHD_Result page_queue(const struct page *page, struct MHD_Connection *connection);

#endif
