/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_AGENT_STATUS_H
#define CLI_AGENT_STATUS_H

#include "base/buf.h"

/* Appends what an agent answers to /v1/status, for people. KEYSTAY_E_AGENT: it is no such answer. */
enum keystay_status agent_status_write(
    struct slice answer, int64_t now_s, struct buf *ret_text, struct keystay_error *err);

#endif
