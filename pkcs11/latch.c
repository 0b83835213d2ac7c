/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A latch is a small file, replaced as a whole: a process that is killed at any moment leaves the old one or
 * the new one. What cannot be understood counts as a leftover "trying": when in doubt, the PIN is not sent.
 */
#include "pkcs11/latch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "crypto/digest.h"
#include "crypto/kdf.h"
#include "crypto/random.h"
#include "pkcs11/state_dir.h"

enum { NAME_LEN = 16, CONTENT_MAX = 256, READ_MS = 1000 };

static const char text_trying[] = "keystay pin latch 1\ntrying\n";
static const char text_rejected[] = "keystay pin latch 1\nrejected ";

/* A token is known by all that names it; the digest makes a file name of whatever a vendor writes there. */
static enum keystay_status name_token(
    const CK_TOKEN_INFO *token, char ret_name[2 * NAME_LEN + 1], struct keystay_error *err)
{
    uint8_t
        all[sizeof(token->label) + sizeof(token->manufacturerID) + sizeof(token->model) +
            sizeof(token->serialNumber)];
    uint8_t digest[32];
    uint8_t *at = all;

    memcpy(at, token->label, sizeof(token->label));
    at += sizeof(token->label);
    memcpy(at, token->manufacturerID, sizeof(token->manufacturerID));
    at += sizeof(token->manufacturerID);
    memcpy(at, token->model, sizeof(token->model));
    at += sizeof(token->model);
    memcpy(at, token->serialNumber, sizeof(token->serialNumber));
    TRY(digest_of("SHA256", (struct slice){ all, sizeof(all) }, digest, sizeof(digest), err));
    for (size_t i = 0; i < NAME_LEN; i++) {
        (void)snprintf(ret_name + 2 * i, 3, "%02x", digest[i]);
    }
    return KEYSTAY_OK;
}

static enum keystay_status lock(const char *path, struct latch *latch, struct keystay_error *err)
{
    latch->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    while (latch->lock_fd >= 0 && flock(latch->lock_fd, LOCK_EX) != 0) {
        if (errno != EINTR) {
            file_closep(&latch->lock_fd);
        }
    }
    if (latch->lock_fd < 0) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "give --state-dir a folder of your own",
            "the PIN latch '%s' cannot be locked: %s", path, file_errno_text(errno));
    }
    return KEYSTAY_OK;
}

static int nibble(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1);
}

static bool parse_hex(const uint8_t *text, uint8_t *ret_bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int high = nibble(text[2 * i]);
        int low = nibble(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        ret_bytes[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

/* "rejected <salt> <byte>" and a line end, to the letter; anything else that is there is a leftover. */
static void parse(struct slice text, struct latch *latch)
{
    const size_t head_len = sizeof(text_rejected) - 1;
    const size_t hex_len = 2 * (size_t)LATCH_SALT_LEN;
    const struct slice head = { text.data, head_len };

    latch->state = LATCH_TRYING;
    if (text.len != head_len + hex_len + 4 || !slice_equal(head, slice_of_str(text_rejected))) {
        return;
    }
    const uint8_t *salt = text.data + head_len;
    if (parse_hex(salt, latch->salt, LATCH_SALT_LEN) && salt[hex_len] == ' ' &&
        parse_hex(salt + hex_len + 1, &latch->pin_byte, 1) && salt[hex_len + 3] == '\n') {
        latch->state = LATCH_REJECTED;
    }
}

/* What is there but cannot be read in full is no reason to send a PIN. */
static enum keystay_status read_state(struct latch *latch, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf content = BUF(CONTENT_MAX);
    CLEANUP(file_closep) int fd = open(latch->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT) {
        latch->state = LATCH_CLEAR;
        return KEYSTAY_OK;
    }
    if (fd < 0) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "give --state-dir a folder of your own",
            "the PIN latch '%s' cannot be read: %s", latch->path, file_errno_text(errno));
    }
    latch->state = LATCH_TRYING;
    if (file_read_fd(fd, "the PIN latch", KEYSTAY_E_CONFIG, READ_MS, &content, NULL) == KEYSTAY_OK) {
        parse(buf_slice(&content), latch);
    }
    return KEYSTAY_OK;
}

static enum keystay_status set_path(
    const CK_TOKEN_INFO *token, const char *dir, struct latch *latch, struct keystay_error *err)
{
    char name[2 * NAME_LEN + 1];

    TRY(name_token(token, name, err));
    (void)snprintf(latch->path, sizeof(latch->path), "%s/pin-%s", dir, name);
    return KEYSTAY_OK;
}

enum latch_state latch_peek(const CK_TOKEN_INFO *token, const char *state_dir)
{
    struct latch latch = LATCH_NONE;
    char dir[STATE_DIR_SIZE];

    return state_dir_find(state_dir, dir, NULL) == KEYSTAY_OK &&
                   set_path(token, dir, &latch, NULL) == KEYSTAY_OK && read_state(&latch, NULL) == KEYSTAY_OK
               ? latch.state
               : LATCH_CLEAR;
}

enum keystay_status latch_open(
    const CK_TOKEN_INFO *token, const char *state_dir, struct latch *ret_latch, struct keystay_error *err)
{
    CLEANUP(latch_close) struct latch latch = LATCH_NONE;
    char dir[STATE_DIR_SIZE];
    char lock_path[LATCH_PATH_SIZE + 8];

    TRY(state_dir_open(state_dir, dir, err));
    TRY(set_path(token, dir, &latch, err));
    (void)snprintf(lock_path, sizeof(lock_path), "%s.lock", latch.path);
    TRY(lock(lock_path, &latch, err));
    TRY(read_state(&latch, err));
    *ret_latch = latch;
    latch.lock_fd = -1;
    return KEYSTAY_OK;
}

void latch_close(struct latch *latch)
{
    file_closep(&latch->lock_fd); /* gives the lock up */
}

enum keystay_status latch_is_same_pin(
    const struct latch *latch, const struct secret *pin, bool *ret_same, struct keystay_error *err)
{
    uint8_t byte = 0;

    TRY(kdf_scrypt_byte(pin, (struct slice){ latch->salt, LATCH_SALT_LEN }, &byte, err));
    *ret_same = byte == latch->pin_byte;
    return KEYSTAY_OK;
}

static enum keystay_status write_failed(const struct latch *latch, struct keystay_error *err)
{
    return err_set_hint(
        err, KEYSTAY_E_CONFIG, "is the disk full? --state-dir names another folder",
        "the PIN latch '%s' cannot be written: %s", latch->path, file_errno_text(errno));
}

static enum keystay_status replace(const struct latch *latch, const char *text, struct keystay_error *err)
{
    char fresh[LATCH_PATH_SIZE + 8];

    (void)snprintf(fresh, sizeof(fresh), "%s.new", latch->path);
    CLEANUP(file_closep) int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || file_write_all(fd, slice_of_str(text), NULL) != KEYSTAY_OK ||
        rename(fresh, latch->path) != 0) {
        return write_failed(latch, err);
    }
    return KEYSTAY_OK;
}

enum keystay_status latch_set_trying(struct latch *latch, struct keystay_error *err)
{
    latch->state = LATCH_TRYING;
    return replace(latch, text_trying, err);
}

enum keystay_status latch_set_rejected(
    struct latch *latch, const struct secret *pin, struct keystay_error *err)
{
    char text[CONTENT_MAX];
    int len = snprintf(text, sizeof(text), "%s", text_rejected);

    TRY(random_bytes(latch->salt, LATCH_SALT_LEN, err));
    TRY(kdf_scrypt_byte(pin, (struct slice){ latch->salt, LATCH_SALT_LEN }, &latch->pin_byte, err));
    for (size_t i = 0; i < LATCH_SALT_LEN; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%02x", latch->salt[i]);
    }
    (void)snprintf(text + len, sizeof(text) - (size_t)len, " %02x\n", latch->pin_byte);
    latch->state = LATCH_REJECTED;
    return replace(latch, text, err);
}

enum keystay_status latch_erase(struct latch *latch, struct keystay_error *err)
{
    if (unlink(latch->path) != 0 && errno != ENOENT) {
        return write_failed(latch, err);
    }
    latch->state = LATCH_CLEAR;
    return KEYSTAY_OK;
}
