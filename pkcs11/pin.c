/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/pin.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "crypto/prompt.h"

enum { FD_MAX = 1 << 20 };

static const struct {
    const char *prefix;
    enum pin_source_kind kind;
} forms[] = {
    { "file:", PIN_SOURCE_FILE },
    { "fd:", PIN_SOURCE_FD },
    { "env:", PIN_SOURCE_ENV },
};

enum keystay_status pin_source_parse(
    const char *text, struct pin_source *ret_source, struct keystay_error *err)
{
    struct pin_source source = { .kind = PIN_SOURCE_TTY, .fd = -1 };
    uint64_t number = 0;

    if (str_equal(text, "tty")) {
        *ret_source = source;
        return KEYSTAY_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (!str_has_prefix(text, forms[i].prefix) || text[strlen(forms[i].prefix)] == '\0') {
            continue;
        }
        source.kind = forms[i].kind;
        source.argument = text + strlen(forms[i].prefix);
        if (source.kind == PIN_SOURCE_FD) {
            if (str_parse_u64(source.argument, 0, FD_MAX, &number, NULL) != KEYSTAY_OK) {
                return err_set(
                    err, KEYSTAY_E_CONFIG, "--pin-source fd:N wants the number of an open descriptor");
            }
            source.fd = (int)number;
        }
        *ret_source = source;
        return KEYSTAY_OK;
    }
    /* The text is not quoted: somebody may have given the PIN itself. */
    return err_set_hint(
        err, KEYSTAY_E_CONFIG, "put the PIN into a file that only you can read: file:PATH",
        "--pin-source must be file:PATH, fd:N, env:NAME or tty; it is never the PIN itself");
}

enum keystay_status pin_source_parse_uri(
    const char *text, struct pin_source *ret_source, struct keystay_error *err)
{
    if (text[0] == '/') {
        *ret_source = (struct pin_source){ .kind = PIN_SOURCE_FILE, .argument = text, .fd = -1 };
        return KEYSTAY_OK;
    }
    if (str_has_prefix(text, "file:") && text[strlen("file:")] != '\0') {
        return pin_source_parse(text, ret_source, err);
    }
    return err_set_hint(
        err, KEYSTAY_E_CONFIG, "leave it out of the URI and use --pin-source",
        "the pin-source of the PKCS#11 URI is neither a path nor file:PATH");
}

enum keystay_status pin_check_flags(
    CK_FLAGS flags, bool final_try, const char *where, struct keystay_error *err)
{
    if (flags & CKF_USER_PIN_LOCKED) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_LOCKED, "unlock it with its PUK or SO PIN, with the vendor's tool",
            "%s: the PIN is locked after too many wrong ones; it was not sent", where);
    }
    if ((flags & CKF_USER_PIN_FINAL_TRY) && !final_try) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_REFUSED,
            "make sure of the PIN, then run once with --pin-final-try; a right PIN resets the counter",
            "%s: one more wrong PIN locks it; the PIN was not sent", where);
    }
    return KEYSTAY_OK;
}

static void warn_if_others_can_read(int fd, const char *path, const struct keystay_log *log)
{
    struct stat info;

    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & (S_IRGRP | S_IROTH)) != 0) {
        log_warning(log, "the PIN file '%s' can be read by others: chmod 600 it", path);
    }
}

static enum keystay_status read_file(
    const char *path, const struct keystay_log *log, struct buf *ret_content, struct keystay_error *err)
{
    CLEANUP(file_closep) int fd = -1;

    TRY(file_open(path, "the PIN file", KEYSTAY_E_PIN_SOURCE, &fd, err));
    warn_if_others_can_read(fd, path, log);
    return file_read_fd(fd, "the PIN file", KEYSTAY_E_PIN_SOURCE, ret_content, err);
}

static enum keystay_status read_env(const char *name, struct buf *ret_content, struct keystay_error *err)
{
    const char *value = getenv(name);

    if (value == NULL) {
        return err_set(err, KEYSTAY_E_PIN_SOURCE, "the PIN's environment variable %s is not set", name);
    }
    if (buf_puts(ret_content, value, NULL) != KEYSTAY_OK) {
        return err_set(err, KEYSTAY_E_PIN_SOURCE, "the PIN in %s is longer than %d bytes", name, PIN_LEN_MAX);
    }
    return KEYSTAY_OK;
}

static void strip_line_end(struct secret *pin)
{
    if (pin->len > 0 && pin->data[pin->len - 1] == '\n') {
        secret_truncate(pin, pin->len - 1);
    }
    if (pin->len > 0 && pin->data[pin->len - 1] == '\r') {
        secret_truncate(pin, pin->len - 1);
    }
}

static enum keystay_status get(
    const struct pin_source *source, const char *where, const struct keystay_log *log, struct secret *ret_pin,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf content = BUF(PIN_LEN_MAX);
    char question[256];

    switch (source->kind) {
    case PIN_SOURCE_TTY:
        (void)snprintf(question, sizeof(question), "PIN for %s: ", where);
        return prompt_secret(question, PIN_LEN_MAX, ret_pin, err);
    case PIN_SOURCE_FILE:
        TRY(read_file(source->argument, log, &content, err));
        break;
    case PIN_SOURCE_FD:
        TRY(file_read_fd(source->fd, "the PIN's descriptor", KEYSTAY_E_PIN_SOURCE, &content, err));
        break;
    case PIN_SOURCE_ENV:
        TRY(read_env(source->argument, &content, err));
        break;
    }
    return secret_set(ret_pin, buf_slice(&content), err);
}

/* A PIN that the token cannot accept is not worth one of its tries. */
static enum keystay_status check_form(
    const struct secret *pin, const CK_TOKEN_INFO *token, const char *where, struct keystay_error *err)
{
    CK_ULONG least = token->ulMinPinLen;
    CK_ULONG most = token->ulMaxPinLen;

    if (pin->len == 0) {
        return err_set(err, KEYSTAY_E_PIN_SOURCE, "%s: the PIN is empty; it was not sent", where);
    }
    if (memchr(pin->data, '\n', pin->len) != NULL || memchr(pin->data, '\0', pin->len) != NULL) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_SOURCE, "the PIN must stand alone, on one line",
            "%s: what should be the PIN has more than one line; it was not sent", where);
    }
    /* Modules that do not know their limits answer 0 or nonsense. */
    if (most > 0 && least <= most && (pin->len < least || pin->len > most)) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_REFUSED, "is it the PIN of this token?",
            "%s: its PINs have %lu to %lu bytes, this one does not; it was not sent", where, least, most);
    }
    return KEYSTAY_OK;
}

enum keystay_status pin_read(
    const struct pin_source *source, const CK_TOKEN_INFO *token, const char *where,
    const struct keystay_log *log, struct secret *ret_pin, struct keystay_error *err)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };

    TRY(get(source, where, log, &pin, err));
    strip_line_end(&pin);
    TRY(check_form(&pin, token, where, err));
    secret_move(ret_pin, &pin);
    return KEYSTAY_OK;
}
