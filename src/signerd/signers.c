/* SPDX-License-Identifier: Apache-2.0 */
#include "signerd/signers.h"

#include <pthread.h>

#include "base/error.h"

static struct entry {
    struct keystay_signer *signer; /* owned; NULL: free */
    unsigned int n_users;
    bool is_closing;
} entries[SIGNERS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

enum keystay_status signers_add(
    struct keystay_signer *signer, uint32_t *ret_number, struct keystay_error *err)
{
    uint32_t number = 0;

    (void)pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < SIGNERS_MAX && number == 0; i++) {
        if (entries[i].signer == NULL) {
            entries[i] = (struct entry){ .signer = signer };
            number = i + 1;
        }
    }
    (void)pthread_mutex_unlock(&lock);
    if (number == 0) {
        keystay_signer_free(signer);
        return err_set(err, KEYSTAY_E_CONFIG, "more than %d keys of one module are in use", SIGNERS_MAX);
    }
    *ret_number = number;
    return KEYSTAY_OK;
}

static struct entry *entry_of(uint32_t number)
{
    return number == 0 || number > SIGNERS_MAX ? NULL : &entries[number - 1];
}

struct keystay_signer *signers_use(uint32_t number)
{
    struct entry *entry = entry_of(number);
    struct keystay_signer *signer = NULL;

    (void)pthread_mutex_lock(&lock);
    if (entry != NULL && entry->signer != NULL && !entry->is_closing) {
        entry->n_users++;
        signer = entry->signer;
    }
    (void)pthread_mutex_unlock(&lock);
    return signer;
}

/* With the lock held; what must be freed without it. */
static struct keystay_signer *take_unused(struct entry *entry)
{
    struct keystay_signer *signer = NULL;

    if (entry->is_closing && entry->n_users == 0) {
        signer = entry->signer;
        *entry = (struct entry){ 0 };
    }
    return signer;
}

void signers_release(uint32_t number)
{
    struct entry *entry = entry_of(number);

    (void)pthread_mutex_lock(&lock);
    entry->n_users--;
    struct keystay_signer *unused = take_unused(entry);
    (void)pthread_mutex_unlock(&lock);
    keystay_signer_free(unused);
}

void signers_close(uint32_t number)
{
    struct entry *entry = entry_of(number);
    struct keystay_signer *unused = NULL;

    (void)pthread_mutex_lock(&lock);
    if (entry != NULL && entry->signer != NULL) {
        entry->is_closing = true;
        unused = take_unused(entry);
    }
    (void)pthread_mutex_unlock(&lock);
    keystay_signer_free(unused);
}
