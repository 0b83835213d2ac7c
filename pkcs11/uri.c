/* SPDX-License-Identifier: Apache-2.0 */
/*
 * p11-kit decodes and matches; before it, the text is scanned here, because p11-kit lets unknown query
 * attributes pass, takes the last of two equal ones, and strips blanks. The scan also keeps a PIN out: RFC
 * 7512 §2.4 allows pin-value, but a URI stands in an argument list for everybody to read.
 */
#include "pkcs11/uri.h"

#include <p11-kit/uri.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "pkcs11/piv.h"

enum attribute {
    ATTRIBUTE_OBJECT_TOKEN, /* asks something of the token or the object: p11-kit matches it */
    ATTRIBUTE_ID,           /* bytes, which may be zero */
    ATTRIBUTE_PIV_SLOT,     /* nobody's but ours: p11-kit never sees it */
    ATTRIBUTE_SLOT_ID,
    ATTRIBUTE_SLOT_INFO,
    ATTRIBUTE_LIBRARY,
    ATTRIBUTE_QUERY,
    ATTRIBUTE_PIN_VALUE,
};

struct attribute_row {
    const char *name;
    enum attribute kind;
};

/* RFC 7512 §2.3 and §2.4. */
static const struct attribute_row path_rows[] = {
    { "token", ATTRIBUTE_OBJECT_TOKEN },
    { "manufacturer", ATTRIBUTE_OBJECT_TOKEN },
    { "serial", ATTRIBUTE_OBJECT_TOKEN },
    { "model", ATTRIBUTE_OBJECT_TOKEN },
    { "object", ATTRIBUTE_OBJECT_TOKEN },
    { "type", ATTRIBUTE_OBJECT_TOKEN },
    { "id", ATTRIBUTE_ID },
    { "piv-slot", ATTRIBUTE_PIV_SLOT },
    { "slot-id", ATTRIBUTE_SLOT_ID },
    { "slot-description", ATTRIBUTE_SLOT_INFO },
    { "slot-manufacturer", ATTRIBUTE_SLOT_INFO },
    { "library-manufacturer", ATTRIBUTE_LIBRARY },
    { "library-description", ATTRIBUTE_LIBRARY },
    { "library-version", ATTRIBUTE_LIBRARY },
};
static const struct attribute_row query_rows[] = {
    { "pin-source", ATTRIBUTE_QUERY },
    { "module-path", ATTRIBUTE_QUERY },
    { "module-name", ATTRIBUTE_QUERY },
    { "pin-value", ATTRIBUTE_PIN_VALUE },
};

enum { URI_MAX = 4096 };

static const char scheme[] = "pkcs11:";

struct p11_uri {
    P11KitUri *kit;
    unsigned int kinds; /* 1 << enum attribute of each that was given */
    uint8_t piv_slot;   /* 0: not asked for */
};

bool p11_uri_is_uri(const char *text)
{
    char start[sizeof(scheme)];

    (void)snprintf(start, sizeof(start), "%s", text);
    return str_iequal(start, scheme);
}

void p11_uri_free(struct p11_uri *uri)
{
    if (uri != NULL) {
        p11_kit_uri_free(uri->kit);
        free(uri);
    }
}

void p11_uri_freep(struct p11_uri **uri)
{
    p11_uri_free(*uri);
    *uri = NULL;
}

static enum keystay_status refuse(struct keystay_error *err, const char *why)
{
    return err_set_hint(
        err, KEYSTAY_E_CONFIG, "a PKCS#11 URI looks like this: pkcs11:token=LABEL;id=%01",
        "bad PKCS#11 URI: %s", why);
}

static enum keystay_status check_escapes(struct slice value, enum attribute kind, struct keystay_error *err)
{
    static const char hex[] = "0123456789abcdefABCDEF";

    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];
        if (c <= 0x20 || c >= 0x7F) {
            return refuse(err, "blanks and characters outside ASCII must be written as %XX");
        }
        if (c != '%') {
            continue;
        }
        if (i + 2 >= value.len || strchr(hex, value.data[i + 1]) == NULL ||
            strchr(hex, value.data[i + 2]) == NULL) {
            return refuse(err, "'%' must be followed by two hexadecimal digits");
        }
        /* p11-kit would end a text there, and take an empty one for "any". */
        if (kind != ATTRIBUTE_ID && value.data[i + 1] == '0' && value.data[i + 2] == '0') {
            return refuse(err, "only an id may hold a zero byte");
        }
    }
    return KEYSTAY_OK;
}

/* All ones is p11-kit's word for "any slot". */
static enum keystay_status check_slot_id(struct slice value, struct keystay_error *err)
{
    char text[24];
    uint64_t number = 0;

    (void)snprintf(
        text, sizeof(text), "%.*s", (int)(value.len < sizeof(text) ? value.len : sizeof(text)),
        (const char *)value.data);
    if (value.len >= sizeof(text) || str_parse_u64(text, 0, (CK_SLOT_ID)-2, &number, NULL) != KEYSTAY_OK) {
        return refuse(err, "slot-id is wrong: it must be a number");
    }
    return KEYSTAY_OK;
}

static enum keystay_status check_value(struct slice value, enum attribute kind, struct keystay_error *err)
{
    TRY(check_escapes(value, kind, err));
    if (kind == ATTRIBUTE_SLOT_ID) {
        return check_slot_id(value, err);
    }
    /* 255.255 is p11-kit's word for "any version". */
    if (kind == ATTRIBUTE_LIBRARY && slice_equal(value, slice_of_str("255.255"))) {
        return refuse(err, "library-version is not a version");
    }
    return KEYSTAY_OK;
}

static enum keystay_status note_piv_slot(struct slice value, struct p11_uri *uri, struct keystay_error *err)
{
    uri->piv_slot = piv_slot_read(value);
    return uri->piv_slot != 0 ? KEYSTAY_OK : refuse(err, "piv-slot must be 9a, 9c, 9d, 9e or 82 to 95");
}

/* One "name=value". *seen has a bit for each row that was used already. */
static enum keystay_status check_attribute(
    struct slice text, const struct attribute_row *rows, size_t n_rows, unsigned int *seen,
    struct p11_uri *uri, struct keystay_error *err)
{
    const uint8_t *equals = memchr(text.data, '=', text.len);
    size_t name_len = equals == NULL ? 0 : (size_t)(equals - text.data);

    for (size_t i = 0; equals != NULL && i < n_rows; i++) {
        if (!slice_equal((struct slice){ text.data, name_len }, slice_of_str(rows[i].name))) {
            continue;
        }
        if (*seen & 1U << i) {
            return refuse(err, "an attribute is given twice");
        }
        *seen |= 1U << i;
        uri->kinds |= 1U << rows[i].kind;
        const struct slice value = { equals + 1, text.len - name_len - 1 };
        return rows[i].kind == ATTRIBUTE_PIV_SLOT ? note_piv_slot(value, uri, err)
                                                  : check_value(value, rows[i].kind, err);
    }
    char name[40];
    str_quote_foreign((struct slice){ text.data, name_len }, name, sizeof(name));
    return err_set_hint(
        err, KEYSTAY_E_CONFIG,
        "RFC 7512 has token, serial, manufacturer, model, id, object, type, "
        "slot-id; keystay piv-slot; after '?' module-path and pin-source",
        "bad PKCS#11 URI: unknown attribute '%s'", name);
}

static enum keystay_status check_attributes(
    struct slice text, char separator, const struct attribute_row *rows, size_t n_rows, struct p11_uri *uri,
    struct keystay_error *err)
{
    unsigned int seen = 0;

    while (text.len > 0) {
        const uint8_t *end = memchr(text.data, separator, text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.data);

        TRY(check_attribute((struct slice){ text.data, len }, rows, n_rows, &seen, uri, err));
        if (end != NULL && len + 1 == text.len) {
            return refuse(err, "it ends with a separator");
        }
        text.data += end == NULL ? len : len + 1;
        text.len -= end == NULL ? len : len + 1;
    }
    return KEYSTAY_OK;
}

static enum keystay_status check_text(const char *text, struct p11_uri *uri, struct keystay_error *err)
{
    struct slice path = slice_of_str(text);
    struct slice query = { 0 };

    if (!p11_uri_is_uri(text)) {
        return refuse(err, "it does not begin with 'pkcs11:'");
    }
    if (path.len > URI_MAX) {
        return refuse(err, "it is too long");
    }
    path.data += sizeof(scheme) - 1;
    path.len -= sizeof(scheme) - 1;
    const uint8_t *question = memchr(path.data, '?', path.len);
    if (question != NULL) {
        query = (struct slice){ question + 1, path.len - (size_t)(question - path.data) - 1 };
        path.len = (size_t)(question - path.data);
    }
    TRY(check_attributes(path, ';', path_rows, ARRAY_LEN(path_rows), uri, err));
    return check_attributes(query, '&', query_rows, ARRAY_LEN(query_rows), uri, err);
}

static enum keystay_status check_kinds(const struct p11_uri *uri, struct keystay_error *err)
{
    if (uri->kinds & 1U << ATTRIBUTE_PIN_VALUE) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG,
            "use --pin-source file:PATH, and change the PIN if other people use this machine",
            "the PKCS#11 URI holds a PIN (pin-value): it can be read in the process list, so it is not used");
    }
    if (uri->piv_slot != 0 && (uri->kinds & 1U << ATTRIBUTE_ID) != 0) {
        return refuse(err, "id and piv-slot are two names for the same thing");
    }
    return KEYSTAY_OK;
}

/* The text without our own attribute. */
static enum keystay_status copy_for_kit(const char *text, struct buf *ret_copy, struct keystay_error *err)
{
    static const char name[] = "piv-slot=";
    const size_t path_len = strcspn(text, "?");
    size_t at = sizeof(scheme) - 1;
    size_t n = 0;

    TRY(buf_puts(ret_copy, scheme, err));
    while (at < path_len) {
        size_t len = strcspn(text + at, ";?");
        if (!str_has_prefix(text + at, name)) {
            TRY(n++ == 0 ? KEYSTAY_OK : buf_putc(ret_copy, ';', err));
            TRY(buf_put(ret_copy, (struct slice){ (const uint8_t *)text + at, len }, err));
        }
        at += len + (text[at + len] == ';' ? 1 : 0);
    }
    TRY(buf_puts(ret_copy, text + path_len, err));
    return buf_putc(ret_copy, '\0', err);
}

static enum keystay_status check_purpose(
    struct p11_uri *uri, enum p11_uri_purpose purpose, struct keystay_error *err)
{
    CK_OBJECT_CLASS wanted = purpose == P11_URI_KEY ? CKO_PRIVATE_KEY : CKO_CERTIFICATE;
    CK_ATTRIBUTE *object_class = p11_kit_uri_get_attribute(uri->kit, CKA_CLASS);

    if (object_class != NULL && (object_class->ulValueLen != sizeof(wanted) ||
                                 memcmp(object_class->pValue, &wanted, sizeof(wanted)) != 0)) {
        return refuse(
            err, purpose == P11_URI_KEY ? "its type must be 'private' for a key"
                                        : "its type must be 'cert' for a certificate");
    }
    const char *pin_source = p11_uri_pin_source(uri);
    if (pin_source != NULL && pin_source[0] == '|') {
        return refuse(err, "a command as pin-source is not run");
    }
    return KEYSTAY_OK;
}

enum keystay_status p11_uri_parse(
    const char *text, enum p11_uri_purpose purpose, struct p11_uri **ret_uri, struct keystay_error *err)
{
    CLEANUP(p11_uri_freep) struct p11_uri *uri = calloc(1, sizeof(*uri));
    CLEANUP(buf_clear) struct buf copy = BUF(URI_MAX + 1);

    if (uri == NULL) {
        return err_no_memory(err);
    }
    TRY(check_text(text, uri, err));
    TRY(check_kinds(uri, err));
    TRY(copy_for_kit(text, &copy, err));
    uri->kit = p11_kit_uri_new();
    if (uri->kit == NULL) {
        return err_no_memory(err);
    }
    int result = p11_kit_uri_parse((const char *)copy.data, P11_KIT_URI_FOR_ANY, uri->kit);
    if (result != P11_KIT_URI_OK || p11_kit_uri_any_unrecognized(uri->kit)) {
        return refuse(
            err, result == P11_KIT_URI_BAD_VERSION ? "library-version is not a version" : "a value is wrong");
    }
    TRY(check_purpose(uri, purpose, err));
    *ret_uri = take_ptr(&uri);
    return KEYSTAY_OK;
}

const char *p11_uri_module_path(const struct p11_uri *uri)
{
    return p11_kit_uri_get_module_path(uri->kit);
}

const char *p11_uri_module_name(const struct p11_uri *uri)
{
    return p11_kit_uri_get_module_name(uri->kit);
}

const char *p11_uri_pin_source(const struct p11_uri *uri)
{
    return p11_kit_uri_get_pin_source(uri->kit);
}

static bool attribute_bytes(const struct p11_uri *uri, CK_ATTRIBUTE_TYPE type, struct slice *ret_bytes)
{
    CK_ATTRIBUTE *attribute = p11_kit_uri_get_attribute(uri->kit, type);

    if (attribute == NULL) {
        return false;
    }
    *ret_bytes = (struct slice){ attribute->pValue, attribute->ulValueLen };
    return true;
}

bool p11_uri_id(const struct p11_uri *uri, const CK_TOKEN_INFO *info, struct slice *ret_id)
{
    if (uri->piv_slot != 0) {
        *ret_id = piv_id_of_slot(info, uri->piv_slot);
        return true;
    }
    return attribute_bytes(uri, CKA_ID, ret_id);
}

bool p11_uri_label(const struct p11_uri *uri, struct slice *ret_label)
{
    return attribute_bytes(uri, CKA_LABEL, ret_label);
}

bool p11_uri_names_object(const struct p11_uri *uri)
{
    struct slice value;

    return p11_uri_id(uri, NULL, &value) || p11_uri_label(uri, &value);
}

bool p11_uri_matches_token(const struct p11_uri *uri, CK_SLOT_ID slot, const CK_TOKEN_INFO *info)
{
    CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(uri->kit);

    return (wanted == (CK_SLOT_ID)-1 || wanted == slot) && (uri->piv_slot == 0 || piv_is_card(info)) &&
           p11_kit_uri_match_token_info(uri->kit, info);
}

bool p11_uri_wants_slot_info(const struct p11_uri *uri)
{
    return (uri->kinds & 1U << ATTRIBUTE_SLOT_INFO) != 0;
}

bool p11_uri_wants_library_info(const struct p11_uri *uri)
{
    return (uri->kinds & 1U << ATTRIBUTE_LIBRARY) != 0;
}

bool p11_uri_matches_slot(const struct p11_uri *uri, const CK_SLOT_INFO *info)
{
    return p11_kit_uri_match_slot_info(uri->kit, info);
}

bool p11_uri_matches_library(const struct p11_uri *uri, const CK_INFO *info)
{
    return p11_kit_uri_match_module_info(uri->kit, info);
}

void p11_uri_format_id(struct slice id, char ret_text[P11_URI_ID_TEXT_SIZE])
{
    size_t at = 0;

    ret_text[0] = '\0';
    for (size_t i = 0; i < id.len && at + 4 <= P11_URI_ID_TEXT_SIZE; i++) {
        at += (size_t)snprintf(ret_text + at, P11_URI_ID_TEXT_SIZE - at, "%%%02X", id.data[i]);
    }
}
