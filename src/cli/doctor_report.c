/* SPDX-License-Identifier: Apache-2.0 */
/* How findings are told: a line each for people, one JSON object for programs. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/doctor.h"

enum { FINDING_SIZE = 1200, TEXT_MAX = 256 * 1024 };

static const char *const step_names[DOCTOR_STEP_N] = {
    [DOCTOR_TIME] = "time",
    [DOCTOR_MODULE] = "module",
    [DOCTOR_TOKEN] = "token",
    [DOCTOR_PIN] = "pin",
    [DOCTOR_ENGINE] = "engine",
    [DOCTOR_KEY] = "key",
    [DOCTOR_TRUST] = "trust",
    [DOCTOR_CERTIFICATE] = "certificate",
    [DOCTOR_ALGORITHMS] = "algorithms",
    [DOCTOR_SERVER] = "server",
    [DOCTOR_PROXY] = "proxy",
    [DOCTOR_DNS] = "dns",
    [DOCTOR_CONNECTION] = "connection",
    [DOCTOR_TLS] = "tls",
    [DOCTOR_CLOCK] = "clock",
    [DOCTOR_METADATA] = "metadata",
    [DOCTOR_ASSERTION] = "assertion",
    [DOCTOR_ACCESS_TOKEN] = "access-token",
};

static const struct {
    const char *text, *json;
} level_words[] = {
    [DOCTOR_OK] = { "ok", "ok" },
    [DOCTOR_WARN] = { "warn", "warn" },
    [DOCTOR_FAIL] = { "fail", "fail" },
    [DOCTOR_NOT_TRIED] = { "not tried", "not-tried" },
};

void doctor_begin(struct doctor *doctor)
{
    doctor->text = BUF(TEXT_MAX);
    doctor->out = JSON_WRITE(&doctor->text);
    if (doctor->is_json) {
        doctor->written = json_write_begin(&doctor->out, "findings", '[', NULL);
    }
}

/* What of an error a program may want beside its text. */
static enum keystay_status put_error(struct json_write *out, const struct keystay_error *error)
{
    TRY(json_write_str(out, "status", keystay_status_name(error->status), NULL));
    if (error->aadsts != 0) {
        TRY(json_write_i64(out, "aadsts", error->aadsts, NULL));
    }
    if (error->trace_id[0] != '\0') {
        TRY(json_write_str(out, "trace_id", error->trace_id, NULL));
    }
    return error->correlation_id[0] == '\0'
               ? KEYSTAY_OK
               : json_write_str(out, "correlation_id", error->correlation_id, NULL);
}

/* error is NULL where there is none. */
static enum keystay_status put_json(
    struct doctor *doctor, enum doctor_step step, enum doctor_level level, const char *text, const char *hint,
    const struct keystay_error *error)
{
    struct json_write *out = &doctor->out;

    TRY(doctor->written);
    TRY(json_write_begin(out, NULL, '{', NULL));
    TRY(json_write_str(out, "step", step_names[step], NULL));
    TRY(json_write_str(out, "level", level_words[level].json, NULL));
    TRY(json_write_str(out, "message", text, NULL));
    if (hint[0] != '\0') {
        TRY(json_write_str(out, "hint", hint, NULL));
    }
    if (error != NULL) {
        TRY(put_error(out, error));
    }
    return json_write_finish(out, '{', NULL);
}

static void put(
    struct doctor *doctor, enum doctor_step step, enum doctor_level level, const char *text, const char *hint,
    const struct keystay_error *error)
{
    if (doctor->is_json) {
        doctor->written = put_json(doctor, step, level, text, hint, error);
        return;
    }
    (void)printf("%-11s%-14s%s\n", level_words[level].text, step_names[step], text);
    if (hint[0] != '\0') {
        (void)printf("%-25stry: %s\n", "", hint);
    }
    if (error != NULL && error->trace_id[0] != '\0') {
        (void)printf("%-25strace id: %s, correlation id: %s\n", "", error->trace_id, error->correlation_id);
    }
    (void)fflush(
        stdout); /* the watchdog would lose it; whether all could be written is found out at the end */
}

void doctor_tell(
    struct doctor *doctor, enum doctor_step step, enum doctor_level level, const char *hint,
    const char *format, ...)
{
    char text[FINDING_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    str_tidy(text);
    put(doctor, step, level, text, hint == NULL ? "" : hint, NULL);
}

void doctor_fail(struct doctor *doctor, enum doctor_step step, const struct keystay_error *error)
{
    doctor->first = doctor->first == KEYSTAY_OK ? error->status : doctor->first;
    put(doctor, step, DOCTOR_FAIL, error->message, error->hint, error);
}

void doctor_skip(struct doctor *doctor, enum doctor_step from, enum doctor_step to, const char *why)
{
    for (enum doctor_step step = from; step <= to; step++) {
        put(doctor, step, DOCTOR_NOT_TRIED, why, "", NULL);
    }
}

static enum keystay_status finish_json(struct doctor *doctor, struct keystay_error *err)
{
    TRY(doctor->written);
    TRY(json_write_finish(&doctor->out, '[', err));
    TRY(json_write_i64(&doctor->out, "exit_status", keystay_status_exit(doctor->first), err));
    TRY(json_write_end(&doctor->out, err));
    TRY(buf_putc(&doctor->text, '\n', err));
    return file_write_all(STDOUT_FILENO, buf_slice(&doctor->text), err);
}

enum keystay_status doctor_end(struct doctor *doctor, struct keystay_error *err)
{
    enum keystay_status status = doctor->is_json ? finish_json(doctor, err) : KEYSTAY_OK;

    buf_clear(&doctor->text);
    if (status != KEYSTAY_OK) {
        return err_set(err, KEYSTAY_E_OUTPUT, "what was found cannot be written to stdout");
    }
    return doctor->first == KEYSTAY_OK ? KEYSTAY_OK
                                       : err_set(err, doctor->first, "something is wrong, see above");
}
