/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

/*
 * What the parts of keystay doctor share: findings, one line each. Each part looks at a stretch of the way of
 * a token and says what it found; what depends on something that failed is not tried, and says so too.
 */

#include "base/json_write.h"
#include "cli/session.h"

/* In the order in which they are looked at. */
enum doctor_step {
    DOCTOR_TIME,
    DOCTOR_MODULE,
    DOCTOR_TOKEN,
    DOCTOR_PIN,
    DOCTOR_ENGINE,
    DOCTOR_KEY,
    DOCTOR_TRUST,
    DOCTOR_CERTIFICATE,
    DOCTOR_ALGORITHMS,
    DOCTOR_SERVER,
    DOCTOR_PROXY,
    DOCTOR_DNS,
    DOCTOR_CONNECTION,
    DOCTOR_TLS,
    DOCTOR_CLOCK,
    DOCTOR_METADATA,
    DOCTOR_ASSERTION,
    DOCTOR_ACCESS_TOKEN,
    DOCTOR_STEP_N,
};

enum doctor_level {
    DOCTOR_OK,
    DOCTOR_WARN,
    DOCTOR_FAIL,
    DOCTOR_NOT_TRIED,
};

struct doctor {
    struct cli *cli;
    struct session *session;
    bool is_offline;
    bool is_json;
    enum keystay_status first;   /* of the findings that are failures; KEYSTAY_OK: none so far */
    enum keystay_status written; /* whether the findings could be written down */
    struct buf text;             /* of JSON, until the end */
    struct json_write out;
};

/* Each finding is out at once; in JSON at the end. */
void doctor_begin(struct doctor *doctor);
enum keystay_status doctor_end(struct doctor *doctor, struct keystay_error *err);

/* hint may be NULL or "". */
void doctor_tell(
    struct doctor *doctor, enum doctor_step step, enum doctor_level level, const char *hint,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

/* A failure, in the words of an error. */
void doctor_fail(struct doctor *doctor, enum doctor_step step, const struct keystay_error *error);

/* The steps from one to the other are not tried; why is one reason for them all. */
void doctor_skip(struct doctor *doctor, enum doctor_step from, enum doctor_step to, const char *why);

/*
 * The token's side, from the module to the key, without a server: the session's signer, when it could be
 * opened. It sends a PIN only when a source is configured.
 */
void doctor_look_at_token(struct doctor *doctor, const struct keystay_pkcs11_config *config);

/*
 * The server's side up to the trial: settings, and the way to it. Whether a token may be asked for; the
 * session's client, when the settings are in order.
 */
bool doctor_look_at_server(struct doctor *doctor);

/* An assertion, and with is_reachable the server's answer to it; both are thrown away. */
void doctor_try(struct doctor *doctor, bool is_reachable);

#endif
