/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/grants.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base64url.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypto/digest.h"
#include "crypto/random.h"

enum { HEADER_BYTES = 32, DIGEST_BYTES = 32 };

struct given {
    struct given *next;
    uint8_t digest[DIGEST_BYTES]; /* of the header */
    struct bearer bearer;
    int process_fd; /* readable when the process has ended; -1: of the configuration */
};

struct grants {
    pthread_mutex_t lock; /* over the list */
    struct given *first;
    size_t n;
    size_t max; /* of processes */
};

enum keystay_status grants_new(struct grants **ret_grants, struct keystay_error *err)
{
    struct grants *grants = calloc(1, sizeof(*grants));

    if (grants == NULL) {
        return err_no_memory(err);
    }
    const long share = sysconf(_SC_OPEN_MAX) / 4; /* below 0: there is no limit */

    grants->max = share >= 0 && share < GRANTS_MAX ? (size_t)share : GRANTS_MAX;
    (void)pthread_mutex_init(&grants->lock, NULL);
    *ret_grants = grants;
    return KEYSTAY_OK;
}

static void given_free(struct given *given)
{
    file_closep(&given->process_fd);
    free(given);
}

void grants_freep(struct grants **grants_at)
{
    struct grants *grants = take_ptr(grants_at);

    if (grants != NULL) {
        while (grants->first != NULL) {
            struct given *given = grants->first;

            grants->first = given->next;
            given_free(given);
        }
        (void)pthread_mutex_destroy(&grants->lock);
        free(grants);
    }
}

static enum keystay_status digest_header(
    const char *header, uint8_t ret_digest[DIGEST_BYTES], struct keystay_error *err)
{
    return digest_of("SHA256", slice_of_str(header), ret_digest, DIGEST_BYTES, err);
}

static enum keystay_status make_header(
    char ret_header[GRANT_HEADER_SIZE], uint8_t ret_digest[DIGEST_BYTES], struct keystay_error *err)
{
    uint8_t bytes[HEADER_BYTES];
    CLEANUP(buf_clear) struct buf text = BUF(GRANT_HEADER_SIZE);

    TRY(random_bytes(bytes, sizeof(bytes), err));
    TRY(base64url_encode((struct slice){ bytes, sizeof(bytes) }, &text, err));
    (void)snprintf(ret_header, GRANT_HEADER_SIZE, "%s", buf_str(&text));
    return digest_header(ret_header, ret_digest, err);
}

/* Under the lock: of processes. */
static enum keystay_status check_room(const struct grants *grants, uid_t uid, struct keystay_error *err)
{
    size_t n = 0;
    size_t n_of_user = 0;

    for (const struct given *given = grants->first; given != NULL; given = given->next) {
        n += given->process_fd >= 0;
        n_of_user += given->process_fd >= 0 && given->bearer.who.uid == uid;
    }
    if (n_of_user >= grants->max / 4) {
        return err_set(
            err, KEYSTAY_E_THROTTLED, "processes of user %u have %zu grants already", (unsigned int)uid,
            n_of_user);
    }
    return n < grants->max ? KEYSTAY_OK
                           : err_set(err, KEYSTAY_E_THROTTLED, "there are %zu grants already", n);
}

/* Under the lock. What the configuration names has its place, whatever processes were given. */
static enum keystay_status put(struct grants *grants, struct given *given, struct keystay_error *err)
{
    if (given->process_fd >= 0) {
        TRY(check_room(grants, given->bearer.who.uid, err));
    }
    given->next = grants->first;
    grants->first = given;
    grants->n++;
    return KEYSTAY_OK;
}

/* given is taken. */
static enum keystay_status add(struct grants *grants, struct given *given, struct keystay_error *err)
{
    (void)pthread_mutex_lock(&grants->lock);
    enum keystay_status status = put(grants, given, err);
    (void)pthread_mutex_unlock(&grants->lock);
    if (status != KEYSTAY_OK) {
        given_free(given);
    }
    return status;
}

/* given is taken. */
static enum keystay_status add_new(
    struct grants *grants, struct given *given, char ret_header[GRANT_HEADER_SIZE], struct keystay_error *err)
{
    enum keystay_status status = make_header(ret_header, given->digest, err);

    if (status != KEYSTAY_OK) {
        given_free(given);
        return status;
    }
    return add(grants, given, err);
}

static struct given *given_new(const char *profile, const char *grant)
{
    struct given *given = calloc(1, sizeof(*given));

    if (given != NULL) {
        given->process_fd = -1;
        (void)snprintf(given->bearer.profile, sizeof(given->bearer.profile), "%s", profile);
        (void)snprintf(given->bearer.grant, sizeof(given->bearer.grant), "%s", grant);
    }
    return given;
}

/* The process is there: it waits for the answer, so its number is not another's yet. */
static int open_process(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    errno = ENOSYS;
    return -1;
#endif
}

enum keystay_status grants_give(
    struct grants *grants, const struct peer *who, const char *profile, char ret_header[GRANT_HEADER_SIZE],
    struct keystay_error *err)
{
    struct given *given = given_new(profile, "");

    if (given == NULL) {
        return err_no_memory(err);
    }
    given->bearer.who = *who;
    given->process_fd = who->pid > 0 ? open_process(who->pid) : -1;
    if (given->process_fd < 0) {
        given_free(given);
        return err_set_hint(
            err, KEYSTAY_E_INTERNAL, "processes can be followed by Linux 5.3 and newer",
            "process %d cannot be followed: %s", (int)who->pid, file_errno_text(errno));
    }
    return add_new(grants, given, ret_header, err);
}

/* Takes those out of the list that pick says yes to; says how many are left. */
static size_t drop(
    struct grants *grants, bool (*pick)(const struct given *given, const void *what), const void *what)
{
    (void)pthread_mutex_lock(&grants->lock);
    for (struct given **at = &grants->first; *at != NULL;) {
        struct given *given = *at;

        if (pick(given, what)) {
            *at = given->next;
            grants->n--;
            given_free(given);
        } else {
            at = &given->next;
        }
    }
    size_t n = grants->n;
    (void)pthread_mutex_unlock(&grants->lock);
    return n;
}

static bool is_of_grant(const struct given *given, const void *what)
{
    return str_equal(given->bearer.grant, what);
}

void grants_unname(struct grants *grants, const char *grant)
{
    (void)drop(grants, is_of_grant, grant);
}

enum keystay_status grants_name(
    struct grants *grants, const char *grant, const char *profile, char ret_header[GRANT_HEADER_SIZE],
    struct keystay_error *err)
{
    struct given *given = given_new(profile, grant);

    if (given == NULL) {
        return err_no_memory(err);
    }
    grants_unname(grants, grant);
    return add_new(grants, given, ret_header, err);
}

enum keystay_status grants_keep(
    struct grants *grants, const char *grant, const char *profile, const char *header,
    struct keystay_error *err)
{
    struct given *given = given_new(profile, grant);
    enum keystay_status status =
        given == NULL ? err_no_memory(err) : digest_header(header, given->digest, err);

    if (status != KEYSTAY_OK) {
        free(given);
        return status;
    }
    grants_unname(grants, grant);
    return add(grants, given, err);
}

size_t grants_max(const struct grants *grants)
{
    return grants->max;
}

static bool has_ended(const struct given *given, const void *what)
{
    struct pollfd look = { .fd = given->process_fd, .events = POLLIN };

    (void)what;
    return given->process_fd >= 0 && poll(&look, 1, 0) == 1;
}

bool grants_find(struct grants *grants, const char *header, struct bearer *ret_bearer)
{
    uint8_t digest[DIGEST_BYTES];
    bool is_found = false;

    if (digest_header(header, digest, NULL) != KEYSTAY_OK) {
        return false;
    }
    (void)pthread_mutex_lock(&grants->lock);
    for (const struct given *given = grants->first; given != NULL && !is_found; given = given->next) {
        is_found = digest_equal(given->digest, digest, sizeof(digest)) && !has_ended(given, NULL);
        if (is_found) {
            *ret_bearer = given->bearer;
        }
    }
    (void)pthread_mutex_unlock(&grants->lock);
    return is_found;
}

size_t grants_tick(struct grants *grants)
{
    return drop(grants, has_ended, NULL);
}
