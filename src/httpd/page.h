/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTPD_PAGE_H
#define HTTPD_PAGE_H

/* An answer in libmicrohttpd's form, for the HTTP server. */

#include <microhttpd.h>

#include "httpd/httpd.h"

enum MHD_Result page_queue(const struct page *page, struct MHD_Connection *connection);

#endif
