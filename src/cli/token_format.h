/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TOKEN_FORMAT_H
#define CLI_TOKEN_FORMAT_H

/* The forms that `keystay token --format` prints a token in, each quoted for the program that reads it. */

#include "base/buf.h"
#include "keystay/token.h"

enum { TOKEN_FORMAT_SIZE = 40 };

struct token_format {
    enum keystay_status (*write)(
        const struct token_format *format, const struct keystay_token *token, int64_t now_s, struct buf *to,
        struct keystay_error *err);
    char api_version[TOKEN_FORMAT_SIZE]; /* of exec-credential */
};

/*
 * Finds the form by its name; NULL is raw. exec_info is what KUBERNETES_EXEC_INFO holds, or NULL: which
 * version of its own protocol kubectl expects of exec-credential. KEYSTAY_E_CONFIG when it is one that is not
 * known.
 */
enum keystay_status token_format_choose(
    const char *name, const char *exec_info, struct token_format *ret_format, struct keystay_error *err);

/* Appends the token in its form, with a line end. */
enum keystay_status token_format_write(
    const struct token_format *format, const struct keystay_token *token, int64_t now_s, struct buf *to,
    struct keystay_error *err);

#endif
