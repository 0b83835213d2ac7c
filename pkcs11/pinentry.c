/* SPDX-License-Identifier: Apache-2.0 */
/* The Assuan protocol as far as pinentry needs it: a line each way, "OK", "ERR code text", "D data" with %XX
 * escapes. */
#include "pkcs11/pinentry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "base/wipe.h"

enum { LINE_MAX_LEN = 4096 };

static enum keystay_status unavailable(struct keystay_error *err, const char *why)
{
    return err_set_hint(
        err, KEYSTAY_E_PIN_SOURCE, "install pinentry-curses or another pinentry, or use --pin-source tty",
        "pinentry cannot ask for the PIN: %s", why);
}

/* One whole line of its answer. Whatever else comes is no answer. */
static enum keystay_status read_answer(
    struct child *child, int64_t timeout_ms, struct buf *ret_line, struct keystay_error *err)
{
    enum keystay_status status = child_read_line(child, timeout_ms, ret_line, NULL);

    if (status == KEYSTAY_E_TIMEOUT) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_SOURCE, "--interaction-timeout allows more",
            "nobody gave the PIN to pinentry in time");
    }
    if (status != KEYSTAY_OK) {
        return unavailable(err, "its answer is too long");
    }
    return ret_line->len == 0 || ret_line->data[ret_line->len - 1] != '\n' ? unavailable(err, "it ended")
                                                                           : KEYSTAY_OK;
}

/* Sends a line and reads up to "OK". What "D" lines bring is appended to data, still escaped. */
static enum keystay_status talk(
    struct child *child, const char *line, int64_t timeout_ms, struct buf *data, struct keystay_error *err)
{
    if (line[0] != '\0' && (file_write_all(child->to_fd, slice_of_str(line), NULL) != KEYSTAY_OK ||
                            file_write_all(child->to_fd, slice_of_str("\n"), NULL) != KEYSTAY_OK)) {
        return unavailable(err, "it is not there");
    }
    for (;;) {
        CLEANUP(buf_clear) struct buf answer = BUF(LINE_MAX_LEN);

        TRY(read_answer(child, timeout_ms, &answer, err));
        const char *text = buf_str(&answer);
        if (str_has_prefix(text, "OK")) {
            return KEYSTAY_OK;
        }
        if (str_has_prefix(text, "ERR ")) {
            /* GPG_ERR_CANCELED is 99 in the low 16 bits of the code. */
            return (strtoul(text + 4, NULL, 10) & 0xFFFF) == 99
                       ? err_set(err, KEYSTAY_E_INTERRUPTED, "no PIN was given")
                       : unavailable(err, "it answered with an error");
        }
        if (str_has_prefix(text, "D ") &&
            buf_put(data, (struct slice){ answer.data + 2, answer.len - 3 }, NULL) != KEYSTAY_OK) {
            return unavailable(err, "its answer is too long");
        }
    }
}

/* Assuan: '%', CR and LF in an argument are escaped, so that a token's label is never a command. */
static enum keystay_status put_argument(struct buf *to, const char *text, struct keystay_error *err)
{
    for (; *text != '\0'; text++) {
        char escape[4];

        (void)snprintf(escape, sizeof(escape), "%%%02X", (unsigned int)(unsigned char)*text);
        if (*text == '%' || *text == '\r' || *text == '\n') {
            TRY(buf_puts(to, escape, err));
        } else {
            TRY(buf_putc(to, *text, err));
        }
    }
    return KEYSTAY_OK;
}

/* 0 to 15, or 16 for what is no digit. */
static unsigned int hex_value(uint8_t c)
{
    static const char digits[] = "0123456789ABCDEF";
    const char upper = (char)(c >= 'a' && c <= 'f' ? c - 'a' + 'A' : c);
    const char *found = c == '\0' ? NULL : strchr(digits, upper);

    return found == NULL ? 16 : (unsigned int)(found - digits);
}

static enum keystay_status unescape(const struct buf *data, struct secret *ret_pin, struct keystay_error *err)
{
    size_t len = 0;

    TRY(secret_alloc(ret_pin, data->len, err));
    for (size_t i = 0; i < data->len; i++) {
        uint8_t c = data->data[i];
        unsigned int high = i + 2 < data->len ? hex_value(data->data[i + 1]) : 16;
        unsigned int low = i + 2 < data->len ? hex_value(data->data[i + 2]) : 16;
        if (c == '%' && high < 16 && low < 16) {
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        ret_pin->data[len++] = (char)c;
    }
    secret_truncate(ret_pin, len);
    return KEYSTAY_OK;
}

/* The terminal for those pinentries that need one. */
static enum keystay_status tell_terminal(struct child *child, int64_t timeout_ms, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf nothing = BUF(LINE_MAX_LEN);
    const char *type = getenv("TERM");
    const char *tty = ttyname(STDERR_FILENO); /* NOLINT(concurrency-mt-unsafe): copied at once */
    char line[300];

    if (tty != NULL) {
        (void)snprintf(line, sizeof(line), "OPTION ttyname=%s", tty);
        TRY(talk(child, line, timeout_ms, &nothing, err));
    }
    if (type != NULL) {
        (void)snprintf(line, sizeof(line), "OPTION ttytype=%s", type);
        TRY(talk(child, line, timeout_ms, &nothing, err));
    }
    return KEYSTAY_OK;
}

enum keystay_status pinentry_ask(
    const char *description, size_t len_max, int64_t timeout_ms, struct secret *ret_pin,
    struct keystay_error *err)
{
    char program[] = "pinentry";
    char *const argv[] = { program, NULL };
    CLEANUP(child_clear) struct child child = CHILD_NONE;
    CLEANUP(buf_clear) struct buf data = BUF(3 * len_max);
    CLEANUP(buf_clear) struct buf line = BUF(LINE_MAX_LEN);
    CLEANUP(secret_clear) struct secret pin = { 0 };

    if (child_start(argv, &child, NULL) != KEYSTAY_OK) {
        return unavailable(err, "there is no such program");
    }
    TRY(talk(&child, "", timeout_ms, &data, err)); /* its greeting */
    TRY(tell_terminal(&child, timeout_ms, err));
    TRY(buf_puts(&line, "SETDESC ", err));
    TRY(put_argument(&line, description, err));
    TRY(talk(&child, buf_str(&line), timeout_ms, &data, err));
    TRY(talk(&child, "SETPROMPT PIN:", timeout_ms, &data, err));
    buf_clear(&data);
    TRY(talk(&child, "GETPIN", timeout_ms, &data, err));
    TRY(unescape(&data, &pin, err));
    if (pin.len > len_max) {
        return unavailable(err, "its answer is too long");
    }
    secret_move(ret_pin, &pin);
    return KEYSTAY_OK;
}
