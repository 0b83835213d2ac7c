/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/renewal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "crypto/digest.h"
#include "pkcs11/state_dir.h"

enum { AGAIN_AFTER_S = 24 * 60 * 60, NAME_LEN = 16, PATH_SIZE = STATE_DIR_SIZE + 64 };

/* False when there is no place for one. */
static bool name_stamp(const struct certificate *certificate, const char *state_dir, char ret_path[PATH_SIZE])
{
    char dir[STATE_DIR_SIZE];
    char name[2 * NAME_LEN + 1];
    uint8_t digest[CERTIFICATE_SHA256_LEN];

    if (state_dir_open(state_dir, dir, NULL) != KEYSTAY_OK ||
        digest_of("SHA256", certificate_der(certificate), digest, sizeof(digest), NULL) != KEYSTAY_OK) {
        return false;
    }
    for (size_t i = 0; i < NAME_LEN; i++) {
        (void)snprintf(name + 2 * i, 3, "%02x", digest[i]);
    }
    (void)snprintf(ret_path, PATH_SIZE, "%s/ending-%s", dir, name);
    return true;
}

/* Its time of change is all that is in it. One of the future was written by a clock that was wrong. */
static bool is_recent(int fd, int64_t now_s)
{
    struct stat stamp;

    return fstat(fd, &stamp) == 0 && stamp.st_mtime <= now_s && now_s - stamp.st_mtime < AGAIN_AFTER_S;
}

/* Whether it is time again; then that is written down. */
static bool is_due(const struct certificate *certificate, const char *state_dir, int64_t now_s)
{
    const struct timespec times[] = { { .tv_sec = now_s }, { .tv_sec = now_s } };
    char path[PATH_SIZE];

    if (!name_stamp(certificate, state_dir, path)) {
        return true;
    }
    CLEANUP(file_closep) int old = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (old >= 0 && is_recent(old, now_s)) {
        return false;
    }
    CLEANUP(file_closep) int new = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (new >= 0) {
        (void)futimens(new, times);
    }
    return true;
}

void renewal_warn(
    const struct certificate *certificate, const char *state_dir, int64_t now_s,
    const struct keystay_log *log)
{
    const int64_t end_s = certificate_not_after_s(certificate);
    char end[CLOCK_TEXT_SIZE];
    char distance[CLOCK_DISTANCE_SIZE];

    if (end_s - now_s > RENEWAL_WARNING_S || !is_due(certificate, state_dir, now_s)) {
        return;
    }
    clock_format_utc(end_s, end);
    clock_format_distance(end_s, now_s, distance);
    log_warning(
        log,
        "the certificate '%s' ends %s, at %s: make the next one and register it before (keystay cert create, cert status)",
        certificate_subject(certificate), distance, end);
}
