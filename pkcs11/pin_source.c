/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/pin_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "crypto/prompt.h"
#include "pkcs11/pinentry.h"

enum { FD_MAX = 1 << 20, COMMAND_WORDS_MAX = 32, PATH_SIZE = 512, QUESTION_SIZE = 1024 };

/* What takes an argument ends in ':'. */
static const struct {
    const char *text;
    enum pin_source_kind kind;
} forms[] = {
    { "file:", PIN_SOURCE_FILE }, { "fd:", PIN_SOURCE_FD },
    { "env:", PIN_SOURCE_ENV },   { "credential:", PIN_SOURCE_CREDENTIAL },
    { "exec:", PIN_SOURCE_EXEC }, { "pinentry", PIN_SOURCE_PINENTRY },
    { "tty", PIN_SOURCE_TTY },    { "none", PIN_SOURCE_NONE },
};

/* What a source gives, in messages. */
struct words {
    const char *noun;
    const char *option;
    const char *file;
    const char *descriptor;
};

static const struct words *words_of(const struct pin_source *source)
{
    static const struct words pin = { "PIN", "--pin-source", "the PIN file", "the PIN's descriptor" };
    static const struct words password = { "password", "--password-source", "the password file",
                                           "the password's descriptor" };

    return source->is_password ? &password : &pin;
}

static bool fits_form(const char *text, const char *form)
{
    size_t len = strlen(form);

    return form[len - 1] == ':' ? str_has_prefix(text, form) && text[len] != '\0' : str_equal(text, form);
}

/* A name is one file of the service's credential folder, not a path out of it. */
static enum keystay_status check_argument(struct pin_source *source, struct keystay_error *err)
{
    const char *option = words_of(source)->option;
    uint64_t number = 0;

    if (source->kind == PIN_SOURCE_FD) {
        if (str_parse_u64(source->argument, 0, FD_MAX, &number, NULL) != KEYSTAY_OK) {
            return err_set(err, KEYSTAY_E_CONFIG, "%s fd:N wants the number of an open descriptor", option);
        }
        source->fd = (int)number;
    }
    if (source->kind == PIN_SOURCE_CREDENTIAL && strchr(source->argument, '/') != NULL) {
        return err_set(err, KEYSTAY_E_CONFIG, "%s credential:NAME wants a name, not a path", option);
    }
    return KEYSTAY_OK;
}

static bool is_for(const struct pin_source *source)
{
    return !source->is_password || (source->kind != PIN_SOURCE_PINENTRY && source->kind != PIN_SOURCE_NONE);
}

/* KEYSTAY_E_USAGE, without words, when the text has no form of a source. */
static enum keystay_status parse(
    const char *text, bool is_password, struct pin_source *ret_source, struct keystay_error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct pin_source source = { .kind = forms[i].kind, .is_password = is_password, .fd = -1 };

        if (fits_form(text, forms[i].text) && is_for(&source)) {
            source.argument = text + strlen(forms[i].text);
            TRY(check_argument(&source, err));
            *ret_source = source;
            return KEYSTAY_OK;
        }
    }
    return KEYSTAY_E_USAGE;
}

/* The text is not quoted: somebody may have given the PIN itself. */
enum keystay_status pin_source_parse(
    const char *text, struct pin_source *ret_source, struct keystay_error *err)
{
    enum keystay_status status = parse(text, false, ret_source, err);

    return status != KEYSTAY_E_USAGE
               ? status
               : err_set_hint(
                     err, KEYSTAY_E_CONFIG, "put the PIN into a file that only you can read: file:PATH",
                     "--pin-source must be file:PATH, fd:N, env:NAME, credential:NAME, exec:COMMAND, pinentry, tty or none; it is "
                     "never the PIN itself");
}

enum keystay_status password_source_parse(
    const char *text, struct pin_source *ret_source, struct keystay_error *err)
{
    enum keystay_status status = parse(text, true, ret_source, err);

    return status != KEYSTAY_E_USAGE
               ? status
               : err_set_hint(
                     err, KEYSTAY_E_CONFIG, "put the password into a file that only you can read: file:PATH",
                     "--password-source must be file:PATH, fd:N, env:NAME, credential:NAME, exec:COMMAND or tty; it "
                     "is never the password itself");
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

bool pin_source_is_attended(const struct pin_source *source)
{
    return source->kind == PIN_SOURCE_TTY || source->kind == PIN_SOURCE_PINENTRY ||
           source->kind == PIN_SOURCE_NONE || (source->kind == PIN_SOURCE_PEER && source->peer.is_attended);
}

bool pin_source_is_repeatable(const struct pin_source *source)
{
    return source->kind == PIN_SOURCE_PEER ? source->peer.is_repeatable
                                           : !pin_source_is_attended(source) && source->kind != PIN_SOURCE_FD;
}

static void warn_if_others_can_read(int fd, const char *what, const char *path, const struct keystay_log *log)
{
    struct stat info;

    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & (S_IRGRP | S_IROTH)) != 0) {
        log_warning(log, "%s '%s' can be read by others: chmod 600 it", what, path);
    }
}

static enum keystay_status read_file(
    const char *path, const char *what, int64_t timeout_ms, const struct keystay_log *log,
    struct buf *ret_content, struct keystay_error *err)
{
    CLEANUP(file_closep) int fd = -1;

    TRY(file_open(path, what, KEYSTAY_E_PIN_SOURCE, &fd, err));
    warn_if_others_can_read(fd, what, path, log);
    return file_read_fd(fd, what, KEYSTAY_E_PIN_SOURCE, timeout_ms, ret_content, err);
}

static enum keystay_status read_env(
    const char *name, const char *noun, struct buf *ret_content, struct keystay_error *err)
{
    const char *value = getenv(name);

    if (value == NULL) {
        return err_set(err, KEYSTAY_E_PIN_SOURCE, "the %s's environment variable %s is not set", noun, name);
    }
    if (buf_puts(ret_content, value, NULL) != KEYSTAY_OK) {
        return err_set(
            err, KEYSTAY_E_PIN_SOURCE, "the %s in %s is longer than %d bytes", noun, name, PIN_LEN_MAX);
    }
    return KEYSTAY_OK;
}

static enum keystay_status read_credential(
    const char *name, const char *what, int64_t timeout_ms, const struct keystay_log *log,
    struct buf *ret_content, struct keystay_error *err)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char path[PATH_SIZE];

    if (folder == NULL || snprintf(path, sizeof(path), "%s/%s", folder, name) >= PATH_SIZE) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_SOURCE, "in the unit: LoadCredential=NAME:PATH",
            "there is no credential '%s': systemd has set no CREDENTIALS_DIRECTORY", name);
    }
    return read_file(path, what, timeout_ms, log, ret_content, err);
}

static enum keystay_status run_command(
    const char *command, const struct words *words, int64_t timeout_ms, struct buf *ret_content,
    struct keystay_error *err)
{
    CLEANUP(freep) char *copy = strdup(command);
    CLEANUP(child_clear) struct child child = CHILD_NONE;
    char *argv[COMMAND_WORDS_MAX + 1] = { NULL };
    char *rest = NULL;
    size_t n = 0;

    if (copy == NULL) {
        return err_no_memory(err);
    }
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        if (n == COMMAND_WORDS_MAX) {
            return err_set_hint(
                err, KEYSTAY_E_CONFIG, "put it into a script", "the %s's command has more than %d words",
                words->noun, COMMAND_WORDS_MAX);
        }
        argv[n++] = word;
    }
    if (n == 0) {
        return err_set(err, KEYSTAY_E_CONFIG, "%s exec: wants a command", words->option);
    }
    enum keystay_status status = child_start(argv, &child, err);
    status = status != KEYSTAY_OK ? status : child_finish(&child, timeout_ms, ret_content, err);
    if (status != KEYSTAY_OK) {
        (void)err_prefix(err, KEYSTAY_E_PIN_SOURCE, "the %s's command '%s'", words->noun, argv[0]);
        if (err != NULL) {
            err->status = KEYSTAY_E_PIN_SOURCE;
        }
        return KEYSTAY_E_PIN_SOURCE;
    }
    return KEYSTAY_OK;
}

static enum keystay_status ask_password(
    const char *path, struct secret *ret_password, struct keystay_error *err)
{
    char text[256];

    (void)snprintf(text, sizeof(text), "Password of %s: ", path);
    enum keystay_status status = prompt_secret(text, PIN_LEN_MAX, ret_password, err);
    if (status == KEYSTAY_E_PIN_SOURCE) {
        return err_set_hint(
            err, status, "give --password-source file:PATH, fd:N or env:NAME",
            "there is no terminal to ask for the password on");
    }
    return status == KEYSTAY_E_INTERRUPTED ? err_set(err, status, "no password was given") : status;
}

const char *pin_tries_words(unsigned int tries)
{
    if (tries & KEYSTAY_PIN_FINAL_TRY) {
        return "one more wrong PIN locks the token";
    }
    if (tries & KEYSTAY_PIN_WAS_REFUSED) {
        return "the last PIN was wrong, and the token does not say how many more lock it";
    }
    return tries & KEYSTAY_PIN_COUNT_LOW
               ? "the token has counted a wrong PIN, and does not say how many more lock it"
               : "";
}

/* For a window, which has room for it. */
static void describe(const struct pin_question *question, char *ret_text, size_t size)
{
    const char *warning = pin_tries_words(question->tries);

    (void)snprintf(
        ret_text, size, "keystay wants to use %s.%s%s%s%s\nIf it blinks then, touch it.", question->where,
        question->purpose, warning[0] == '\0' ? "" : "\nCareful: ", warning, warning[0] == '\0' ? "" : ".");
}

static enum keystay_status ask(
    const struct pin_source *source, const struct pin_question *question, struct secret *ret_pin,
    struct keystay_error *err)
{
    const char *warning = pin_tries_words(question->tries);
    char text[QUESTION_SIZE];

    if (source->is_password) {
        return ask_password(question->where, ret_pin, err);
    }
    if (source->kind == PIN_SOURCE_PINENTRY) {
        describe(question, text, sizeof(text));
        return pinentry_ask(text, PIN_LEN_MAX, question->timeout_ms, ret_pin, err);
    }
    (void)snprintf(
        text, sizeof(text), "%s%s%sPIN for %s%s: ", warning[0] == '\0' ? "" : "Careful: ", warning,
        warning[0] == '\0' ? "" : ".\n", question->where, question->purpose);
    return prompt_secret(text, PIN_LEN_MAX, ret_pin, err);
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

static enum keystay_status read_source(
    const struct pin_source *source, const struct pin_question *question, const struct keystay_log *log,
    struct buf *ret_content, struct keystay_error *err)
{
    const struct words *words = words_of(source);

    switch (source->kind) {
    case PIN_SOURCE_FILE:
        return read_file(source->argument, words->file, question->timeout_ms, log, ret_content, err);
    case PIN_SOURCE_FD:
        return file_read_fd(
            source->fd, words->descriptor, KEYSTAY_E_PIN_SOURCE, question->timeout_ms, ret_content, err);
    case PIN_SOURCE_ENV:
        return read_env(source->argument, words->noun, ret_content, err);
    case PIN_SOURCE_CREDENTIAL:
        return read_credential(source->argument, words->file, question->timeout_ms, log, ret_content, err);
    case PIN_SOURCE_EXEC:
        return run_command(source->argument, words, question->timeout_ms, ret_content, err);
    default:
        return err_set(err, KEYSTAY_E_INTERNAL, "a PIN source that cannot be read");
    }
}

enum keystay_status pin_source_get(
    const struct pin_source *source, const struct pin_question *question, const struct keystay_log *log,
    struct secret *ret_pin, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf content = BUF(PIN_LEN_MAX + 2); /* and a line end */

    if (source->kind == PIN_SOURCE_TTY || source->kind == PIN_SOURCE_PINENTRY) {
        TRY(ask(source, question, ret_pin, err));
    } else if (source->kind == PIN_SOURCE_PEER) {
        TRY(source->peer.ask(source->peer.context, question, ret_pin, err));
    } else {
        TRY(read_source(source, question, log, &content, err));
        TRY(secret_set(ret_pin, buf_slice(&content), err));
    }
    strip_line_end(ret_pin);
    if (ret_pin->len > PIN_LEN_MAX) {
        secret_clear(ret_pin);
        return err_set(
            err, KEYSTAY_E_PIN_SOURCE, "the %s is longer than %d bytes", words_of(source)->noun, PIN_LEN_MAX);
    }
    return KEYSTAY_OK;
}
