/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_LIBCURL_H
#define HTTP_LIBCURL_H

/*
 * libcurl, loaded when it is first needed. It brings some thirty libraries with it, and linking them
 * takes several times as long as all that is done when a token is served from the cache
 * (tests/bench/README.md).
 *
 * The functions keep their names: each is a pointer in a table that libcurl_load fills in. Nothing of libcurl
 * may be called before that has succeeded.
 */

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include <stdbool.h>

#include "base/base.h"

struct libcurl {
    void (*easy_cleanup)(CURL *);
    CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
    CURL *(*easy_init)(void);
    CURLcode (*easy_perform)(CURL *);
    CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
    const char *(*easy_strerror)(CURLcode);
    void (*free)(void *);
    CURLcode (*global_init)(long);
    CURLcode (*global_init_mem)(
        long, curl_malloc_callback, curl_free_callback, curl_realloc_callback, curl_strdup_callback,
        curl_calloc_callback);
    struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
    void (*slist_free_all)(struct curl_slist *);
    CURLU *(*url)(void);
    void (*url_cleanup)(CURLU *);
    CURLUcode (*url_get)(const CURLU *, CURLUPart, char **, unsigned int);
    CURLUcode (*url_set)(CURLU *, CURLUPart, const char *, unsigned int);
    curl_version_info_data *(*version_info)(CURLversion);
};

extern struct libcurl libcurl; /* read-only but for libcurl_load */

#undef curl_easy_getinfo
#undef curl_easy_setopt
#define curl_easy_cleanup libcurl.easy_cleanup
#define curl_easy_getinfo libcurl.easy_getinfo
#define curl_easy_init libcurl.easy_init
#define curl_easy_perform libcurl.easy_perform
#define curl_easy_setopt libcurl.easy_setopt
#define curl_easy_strerror libcurl.easy_strerror
#define curl_free libcurl.free
#define curl_global_init libcurl.global_init
#define curl_global_init_mem libcurl.global_init_mem
#define curl_slist_append libcurl.slist_append
#define curl_slist_free_all libcurl.slist_free_all
#define curl_url libcurl.url
#define curl_url_cleanup libcurl.url_cleanup
#define curl_url_get libcurl.url_get
#define curl_url_set libcurl.url_set
#define curl_version_info libcurl.version_info

/* Loads and starts it, once in a process. KEYSTAY_E_INTERNAL. Safe for several threads at once. */
enum keystay_status libcurl_load(struct keystay_error *err);

/* Has it wipe every block that it frees, once it is loaded. False when it is too late for that. */
bool libcurl_use_wiping_memory(void);

#endif
