/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/page.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct page {
    atomic_uint n_holders;
    unsigned int status;
    struct MHD_Response *response; /* held */
};

/* The body stays in the locked memory that it was written into. */
static void free_body(void *context)
{
    struct secret *body = context;

    secret_clear(body);
    free(body);
}

static struct MHD_Response *response_over(struct secret *body)
{
    struct secret *kept = calloc(1, sizeof(*kept));
    struct MHD_Response *response = NULL;

    if (kept == NULL) {
        return NULL;
    }
    if (body != NULL) {
        secret_move(kept, body);
    }
    response = MHD_create_response_from_buffer_with_free_callback_cls(
        kept->len, kept->data == NULL ? drop_const("") : kept->data, free_body, kept);
    if (response == NULL) {
        free_body(kept);
    }
    return response;
}

static bool add(struct MHD_Response *response, const char *name, const char *value)
{
    return value == NULL || MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool add_headers(struct MHD_Response *response, const struct answer *answer)
{
    char seconds[16];

    (void)snprintf(seconds, sizeof(seconds), "%u", answer->retry_after_s);
    return add(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") &&
           add(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->body == NULL ? NULL : answer->type) &&
           add(response, MHD_HTTP_HEADER_AUTHORIZATION, answer->authorization) &&
           add(response, MHD_HTTP_HEADER_ALLOW, answer->allow) &&
           add(response, MHD_HTTP_HEADER_RETRY_AFTER, answer->retry_after_s == 0 ? NULL : seconds) &&
           add(response, MHD_HTTP_HEADER_CONNECTION, answer->ends_connection ? "close" : NULL);
}

struct page *page_new(const struct answer *answer)
{
    struct page *page = calloc(1, sizeof(*page));

    if (page == NULL) {
        return NULL;
    }
    atomic_init(&page->n_holders, 1);
    page->status = answer->status;
    page->response = response_over(answer->body);
    if (page->response == NULL || !add_headers(page->response, answer)) {
        page_freep(&page);
    }
    return page;
}

struct page *page_share(struct page *page)
{
    (void)atomic_fetch_add(&page->n_holders, 1);
    return page;
}

void page_freep(struct page **page)
{
    if (*page != NULL && atomic_fetch_sub(&(*page)->n_holders, 1) == 1) {
        if ((*page)->response != NULL) {
            MHD_destroy_response((*page)->response);
        }
        free(*page);
    }
    *page = NULL;
}

enum MHD_Result page_queue(const struct page *page, struct MHD_Connection *connection)
{
    return MHD_queue_response(connection, page->status, page->response);
}
