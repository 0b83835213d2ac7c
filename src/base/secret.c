/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/wipe.h"

/*
 * Pages that are free again. Mapping, locking and unmapping cost some 13 µs, and a signature needs three
 * secrets of a page; so a few pages are kept, wiped and still locked, for the next one. Those that need more
 * than a page are rare.
 */
enum { SPARE_MAX = 32 };

struct pages {
    char *data;
    bool is_locked;
};

static pthread_mutex_t spare_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pages spare[SPARE_MAX];
static size_t n_spare;

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* False when there is none. */
static bool take_spare(struct pages *ret_page)
{
    (void)pthread_mutex_lock(&spare_lock);
    bool has = n_spare > 0;
    if (has) {
        *ret_page = spare[--n_spare];
    }
    (void)pthread_mutex_unlock(&spare_lock);
    return has;
}

/* False when there are enough. */
static bool give_spare(struct pages page)
{
    (void)pthread_mutex_lock(&spare_lock);
    bool is_kept = n_spare < SPARE_MAX;
    if (is_kept) {
        spare[n_spare++] = page;
    }
    (void)pthread_mutex_unlock(&spare_lock);
    return is_kept;
}

void secret_clear(struct secret *secret)
{
    if (secret->data != NULL) {
        const struct pages pages = { secret->data, secret->is_locked };

        wipe(secret->data, secret->mapped_len);
        if (secret->mapped_len > page_size() || !give_spare(pages)) {
            (void)munmap(secret->data, secret->mapped_len); /* unlocks it too */
        }
    }
    *secret = (struct secret){ 0 };
}

static bool map_pages(size_t mapped_len, struct pages *ret_pages)
{
    void *data = mmap(NULL, mapped_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (data == MAP_FAILED) {
        return false;
    }
#ifdef MADV_DONTDUMP
    (void)madvise(data, mapped_len, MADV_DONTDUMP);
#endif
    *ret_pages = (struct pages){ data, mlock(data, mapped_len) == 0 };
    return true;
}

enum keystay_status secret_alloc(struct secret *secret, size_t len, struct keystay_error *err)
{
    size_t page = page_size();
    size_t mapped_len = (len / page + 1) * page; /* at least one byte more than len: the NUL */
    struct pages pages = { 0 };

    secret_clear(secret);
    if (mapped_len <= len) {
        return err_no_memory(err);
    }
    if ((mapped_len > page || !take_spare(&pages)) && !map_pages(mapped_len, &pages)) {
        return err_no_memory(err);
    }
    *secret = (struct secret){
        .data = pages.data, .len = len, .mapped_len = mapped_len, .is_locked = pages.is_locked
    };
    return KEYSTAY_OK;
}

enum keystay_status secret_set(struct secret *secret, struct slice bytes, struct keystay_error *err)
{
    TRY(secret_alloc(secret, bytes.len, err));
    if (bytes.len > 0) {
        memcpy(secret->data, bytes.data, bytes.len);
    }
    return KEYSTAY_OK;
}

void secret_truncate(struct secret *secret, size_t len)
{
    if (len < secret->len) {
        wipe(secret->data + len, secret->len - len);
        secret->len = len;
    }
}

struct slice secret_slice(const struct secret *secret)
{
    return (struct slice){ (const uint8_t *)secret->data, secret->len };
}

void secret_move(struct secret *to, struct secret *from)
{
    secret_clear(to);
    *to = *from;
    *from = (struct secret){ 0 };
}
