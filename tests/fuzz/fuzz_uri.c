/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A URI that is accepted holds no PIN, no unknown attribute and none twice; a refusal never repeats the text,
 * because that may hold a PIN.
 */
#include "fuzz.h"

#include <string.h>

#include "base/str.h"
#include "pkcs11/uri.h"

static void check_accepted(const struct p11_uri *uri, const char *text)
{
    char id_text[P11_URI_ID_TEXT_SIZE];
    struct slice id = { 0 };
    struct slice label = { 0 };
    const CK_TOKEN_INFO token = { 0 };
    const CK_SLOT_INFO slot = { 0 };
    const CK_INFO library = { 0 };

    /* After the first '?' attributes are parted by '&'; another '?' belongs to a value. */
    const char *query = strchr(text, '?');
    MUST(query == NULL || (!str_has_prefix(query, "?pin-value=") && strstr(query, "&pin-value=") == NULL));
    if (p11_uri_id(uri, NULL, &id)) {
        p11_uri_format_id(id, id_text);
        MUST(strlen(id_text) % 3 == 0);
    }
    (void)p11_uri_label(uri, &label);
    (void)p11_uri_matches_token(uri, 0, &token);
    (void)p11_uri_matches_slot(uri, &slot);
    (void)p11_uri_matches_library(uri, &library);
    const char *pin_source = p11_uri_pin_source(uri);
    MUST(pin_source == NULL || pin_source[0] != '|');
}

static void check(const char *text, enum p11_uri_purpose purpose)
{
    struct p11_uri *uri = NULL;
    struct keystay_error err = { 0 };

    if (p11_uri_parse(text, purpose, &uri, &err) == KEYSTAY_OK) {
        check_accepted(uri, text);
        p11_uri_free(uri);
        return;
    }
    MUST(uri == NULL);
    MUST(err.status == KEYSTAY_E_CONFIG);
    const char *pin = strstr(text, "pin-value=");
    const char *value = pin == NULL ? NULL : pin + strlen("pin-value=");
    /* A value that stands elsewhere too may be told from there, as the name of an attribute. */
    if (value != NULL && strlen(value) > 8 && strstr(text, value) == value) {
        MUST(strstr(err.message, value) == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    MUST(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    check(text, P11_URI_KEY);
    check(text, P11_URI_CERTIFICATE);
    free(text);
    return 0;
}
