/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/environment_text.h"

#include <string.h>

#include "base/base64url.h"
#include "base/wipe.h"

enum { HEADER_BYTES = 32 };

/*
 * What means the same to systemd, to a shell and to a container's --env-file. For comments too: a backslash
 * at the end of one hides the next line from some versions of systemd.
 */
static bool is_plain(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@";

    return text != NULL && text[0] != '\0' && text[strspn(text, plain)] == '\0';
}

/* What is not plain is not told, and then no later agent knows whose the header is. */
static bool is_told(const struct environment_text *text)
{
    return is_plain(text->agent) && is_plain(text->grant) && is_plain(text->profile);
}

/* Up to the profile. */
static enum keystay_status write_owner(
    const struct environment_text *text, struct buf *to, struct keystay_error *err)
{
    TRY(buf_puts(to, "# keystay-agent ", err));
    TRY(buf_puts(to, text->agent, err));
    TRY(buf_puts(to, ", grant ", err));
    TRY(buf_puts(to, text->grant, err));
    return buf_puts(to, ", profile ", err);
}

static enum keystay_status write_first_line(
    const struct environment_text *text, struct buf *to, struct keystay_error *err)
{
    if (!is_told(text)) {
        return buf_puts(to, "# keystay-agent\n", err);
    }
    TRY(write_owner(text, to, err));
    TRY(buf_puts(to, text->profile, err));
    return buf_puts(to, "\n", err);
}

/* In the order in which SDKs look: App Service as it is now, as it was (az), who is meant. */
enum keystay_status environment_text_write(
    const struct environment_text *text, const char *header, struct buf *to, struct keystay_error *err)
{
    const struct {
        const char *name, *value;
    } lines[] = {
        { "IDENTITY_ENDPOINT", text->url },
        { "IDENTITY_HEADER", header },
        { "MSI_ENDPOINT", text->url },
        { "MSI_SECRET", header },
        { "APPSETTING_WEBSITE_SITE_NAME", "keystay" },
        { "AZURE_CLIENT_ID", is_plain(text->client_id) ? text->client_id : NULL },
    };

    TRY(write_first_line(text, to, err));
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        if (lines[i].value != NULL) {
            TRY(buf_puts(to, lines[i].name, err));
            TRY(buf_puts(to, "=", err));
            TRY(buf_puts(to, lines[i].value, err));
            TRY(buf_puts(to, "\n", err));
        }
    }
    return KEYSTAY_OK;
}

static bool is_header(struct slice value)
{
    CLEANUP(buf_clear) struct buf bytes = BUF(HEADER_BYTES);

    return base64url_decode(value, &bytes, NULL) == KEYSTAY_OK && bytes.len == HEADER_BYTES;
}

/* Whatever stands where the header should. */
static bool find_header(
    const struct environment_text *text, struct slice content, char ret_header[GRANT_HEADER_SIZE])
{
    static const char any[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static const char name[] = "\nIDENTITY_HEADER=";
    CLEANUP(buf_clear) struct buf like = BUF(ENVIRONMENT_TEXT_MAX);

    if (environment_text_write(text, any, &like, NULL) != KEYSTAY_OK || content.len != like.len) {
        return false;
    }
    const char *start = buf_str(&like);
    const size_t at = (size_t)(strstr(start, name) - start) + sizeof(name) - 1;
    memcpy(ret_header, content.data + at, GRANT_HEADER_SIZE - 1);
    ret_header[GRANT_HEADER_SIZE - 1] = '\0';
    return is_header((struct slice){ (const uint8_t *)ret_header, GRANT_HEADER_SIZE - 1 });
}

bool environment_text_read(
    const struct environment_text *text, struct slice content, char ret_header[GRANT_HEADER_SIZE])
{
    CLEANUP(buf_clear) struct buf again = BUF(ENVIRONMENT_TEXT_MAX);
    const bool is_so = is_told(text) && find_header(text, content, ret_header) &&
                       environment_text_write(text, ret_header, &again, NULL) == KEYSTAY_OK &&
                       slice_equal(buf_slice(&again), content);

    if (!is_so) {
        wipe(ret_header, GRANT_HEADER_SIZE);
    }
    return is_so;
}

bool environment_text_is_of(struct slice content, const char *agent, const char *grant)
{
    const struct environment_text text = { .agent = agent, .grant = grant };
    CLEANUP(buf_clear) struct buf like = BUF(ENVIRONMENT_TEXT_MAX);

    return is_plain(agent) && is_plain(grant) && write_owner(&text, &like, NULL) == KEYSTAY_OK &&
           content.len > like.len && slice_equal((struct slice){ content.data, like.len }, buf_slice(&like));
}
