/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/wipe.h"

void secret_clear(struct secret *secret)
{
    if (secret->data != NULL) {
        wipe(secret->data, secret->mapped_len);
        (void)munmap(secret->data, secret->mapped_len); /* unlocks it too */
    }
    *secret = (struct secret){ 0 };
}

enum keystay_status secret_alloc(struct secret *secret, size_t len, struct keystay_error *err)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t mapped_len = (len / page + 1) * page; /* at least one byte more than len: the NUL */

    secret_clear(secret);
    void *pages = mmap(NULL, mapped_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        return err_no_memory(err);
    }
#ifdef MADV_DONTDUMP
    (void)madvise(pages, mapped_len, MADV_DONTDUMP);
#endif
    *secret = (struct secret){ .data = pages, .len = len, .mapped_len = mapped_len };
    secret->is_locked = mlock(pages, mapped_len) == 0;
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
