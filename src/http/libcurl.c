/* SPDX-License-Identifier: Apache-2.0 */
#include "http/libcurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "base/error.h"
#include "base/wipe.h"

struct libcurl libcurl;

/* The name that it has had since 2006, whatever TLS library it was built with. */
static const char file_name[] = "libcurl.so.4";

static const struct {
    const char *name;
    size_t offset;
} functions[] = {
    { "curl_easy_cleanup", offsetof(struct libcurl, easy_cleanup) },
    { "curl_easy_getinfo", offsetof(struct libcurl, easy_getinfo) },
    { "curl_easy_init", offsetof(struct libcurl, easy_init) },
    { "curl_easy_perform", offsetof(struct libcurl, easy_perform) },
    { "curl_easy_setopt", offsetof(struct libcurl, easy_setopt) },
    { "curl_easy_strerror", offsetof(struct libcurl, easy_strerror) },
    { "curl_free", offsetof(struct libcurl, free) },
    { "curl_global_init", offsetof(struct libcurl, global_init) },
    { "curl_global_init_mem", offsetof(struct libcurl, global_init_mem) },
    { "curl_slist_append", offsetof(struct libcurl, slist_append) },
    { "curl_slist_free_all", offsetof(struct libcurl, slist_free_all) },
    { "curl_url", offsetof(struct libcurl, url) },
    { "curl_url_cleanup", offsetof(struct libcurl, url_cleanup) },
    { "curl_url_get", offsetof(struct libcurl, url_get) },
    { "curl_url_set", offsetof(struct libcurl, url_set) },
    { "curl_version_info", offsetof(struct libcurl, version_info) },
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_started;
static bool is_wiping;

/* It is never unloaded: TLS libraries leave exit handlers behind. */
static enum keystay_status find_functions(struct keystay_error *err)
{
    void *file = dlopen(file_name, RTLD_NOW | RTLD_LOCAL);

    for (size_t i = 0; file != NULL && i < ARRAY_LEN(functions); i++) {
        void *function = dlsym(file, functions[i].name);
        if (function == NULL) {
            return err_set(
                err, KEYSTAY_E_INTERNAL, "%s has no %s: is it older than 7.88?", file_name,
                functions[i].name);
        }
        memcpy((char *)&libcurl + functions[i].offset, &function, sizeof(function));
    }
    if (file == NULL) {
        const char *why = dlerror(); /* NOLINT(concurrency-mt-unsafe): glibc keeps one a thread */
        return err_set_hint(
            err, KEYSTAY_E_INTERNAL, "install libcurl (Debian, Ubuntu: package libcurl4)",
            "libcurl cannot be loaded: %s", why == NULL ? file_name : why);
    }
    return KEYSTAY_OK;
}

static enum keystay_status start(struct keystay_error *err)
{
    TRY(find_functions(err));
    CURLcode code = is_wiping ? curl_global_init_mem(
                                    CURL_GLOBAL_DEFAULT, wiping_malloc, wiping_free, wiping_realloc,
                                    wiping_strdup, wiping_calloc)
                              : curl_global_init(CURL_GLOBAL_DEFAULT);
    if (code != CURLE_OK) {
        return err_set(err, KEYSTAY_E_INTERNAL, "libcurl does not start: %s", curl_easy_strerror(code));
    }
    is_started = true;
    return KEYSTAY_OK;
}

enum keystay_status libcurl_load(struct keystay_error *err)
{
    (void)pthread_mutex_lock(&lock);
    enum keystay_status status = is_started ? KEYSTAY_OK : start(err);
    (void)pthread_mutex_unlock(&lock);
    return status;
}

bool libcurl_use_wiping_memory(void)
{
    (void)pthread_mutex_lock(&lock);
    is_wiping = is_wiping || !is_started;
    bool is_in_time = is_wiping;
    (void)pthread_mutex_unlock(&lock);
    return is_in_time;
}
