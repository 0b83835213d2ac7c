/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/x509_name.h"

#include <openssl/err.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "crypto/x509_write.h"

/* RFC 4514 §3 and §2.3; text is matched without case, OpenSSL's name is the one that it knows. */
static const struct {
    const char *text;
    const char *openssl;
} attribute_types[] = {
    { "CN", "CN" },         { "O", "O" },
    { "OU", "OU" },         { "C", "C" },
    { "ST", "ST" },         { "L", "L" },
    { "STREET", "street" }, { "DC", "DC" },
    { "UID", "UID" },       { "serialNumber", "serialNumber" },
};

static void name_freep(X509_NAME **name)
{
    X509_NAME_free(*name);
}

static enum keystay_status refuse(struct keystay_error *err, const char *why)
{
    return err_set_hint(
        err, KEYSTAY_E_USAGE, "such as --subject 'CN=backup,O=Contoso'; a comma in a value is written \\,",
        "bad subject: %s", why);
}

/* "CN=", without case; *at moves behind it. */
static enum keystay_status read_type(const char **at, const char **ret_type, struct keystay_error *err)
{
    const char *start = *at + strspn(*at, " ");
    size_t len = strcspn(start, "=,");

    if (start[len] != '=') {
        return refuse(err, "each part must be NAME=VALUE");
    }
    for (size_t i = 0; i < ARRAY_LEN(attribute_types); i++) {
        char text[16] = { 0 };

        if (len < sizeof(text)) {
            memcpy(text, start, len);
        }
        if (str_iequal(text, attribute_types[i].text)) {
            *ret_type = attribute_types[i].openssl;
            *at = start + len + 1;
            return KEYSTAY_OK;
        }
    }
    return refuse(err, "of the names CN, O, OU, C, ST, L, STREET, DC, UID and serialNumber are known");
}

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char lower = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    const char *at = lower == '\0' ? NULL : strchr(digits, lower);

    return at == NULL ? -1 : (int)(at - digits);
}

/* RFC 4514 §2.4: a backslash before a special character, or before two hexadecimal digits. */
static enum keystay_status read_escape(const char **at, struct buf *value, struct keystay_error *err)
{
    static const char special[] = " \"#+,;<=>\\";
    const char *c = *at + 1;

    if (*c != '\0' && strchr(special, *c) != NULL) {
        *at += 2;
        return buf_putc(value, *c, err);
    }
    const int high = digit_of(c[0]);
    const int low = high < 0 ? -1 : digit_of(c[1]);
    if (low < 0) {
        return refuse(err, "a backslash must stand before a special character or two hexadecimal digits");
    }
    *at += 3;
    return buf_putc(value, (char)(high * 16 + low), err);
}

/* Up to the comma or the end. Blanks at its ends must be escaped to count. */
static enum keystay_status read_value(const char **at, struct buf *value, struct keystay_error *err)
{
    size_t len_kept = 0;

    *at += strspn(*at, " ");
    if (**at == '#' || **at == '"') {
        return refuse(err, "values in quotes or in hexadecimal are not taken");
    }
    while (**at != '\0' && **at != ',') {
        if (**at == '\\') {
            TRY(read_escape(at, value, err));
            len_kept = value->len;
            continue;
        }
        if (strchr("\"+;<>", **at) != NULL) {
            return refuse(err, "one of \" + ; < > stands without a backslash before it");
        }
        TRY(buf_putc(value, **at, err));
        len_kept = **at == ' ' ? len_kept : value->len;
        (*at)++;
    }
    value->len = len_kept;
    return KEYSTAY_OK;
}

static bool is_fit(struct slice value)
{
    bool good = value.len > 0 && str_is_utf8(value);

    for (size_t at = 0; good && at < value.len;) {
        uint32_t code_point = 0;
        size_t n = str_first_code_point((struct slice){ value.data + at, value.len - at }, &code_point);
        good = n > 0 && code_point != '\n' && !str_steers_a_terminal(code_point);
        at += n;
    }
    return good;
}

static enum keystay_status add_part(const char **at, X509_NAME *name, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf value = BUF(X509_WRITE_SUBJECT_MAX);
    const char *type = NULL;

    TRY(read_type(at, &type, err));
    TRY(read_value(at, &value, err));
    if (!is_fit(buf_slice(&value))) {
        return refuse(err, "a value is empty, no UTF-8, or has control characters in it");
    }
    /* At the front: a certificate holds the parts in the other order (RFC 4514 §2.1). */
    if (X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, value.data, (int)value.len, 0, 0) != 1) {
        ERR_clear_error();
        return refuse(
            err, "a value is too long or too short for its name, or has characters that it must not have");
    }
    return KEYSTAY_OK;
}

enum keystay_status x509_name_parse(const char *text, X509_NAME **ret_name, struct keystay_error *err)
{
    CLEANUP(name_freep) X509_NAME *name = X509_NAME_new();
    const char *at = text;

    if (name == NULL) {
        return err_no_memory(err);
    }
    if (text[0] == '\0' || strlen(text) > X509_WRITE_SUBJECT_MAX) {
        return refuse(err, "it must be 1 to 1024 bytes");
    }
    TRY(add_part(&at, name, err));
    while (*at == ',') {
        at++;
        TRY(add_part(&at, name, err));
    }
    *ret_name = take_ptr(&name);
    return KEYSTAY_OK;
}

static void general_names_freep(GENERAL_NAMES **names)
{
    GENERAL_NAMES_free(*names);
}

static void general_name_freep(GENERAL_NAME **name)
{
    GENERAL_NAME_free(*name);
}

static void ia5_freep(ASN1_IA5STRING **text)
{
    ASN1_IA5STRING_free(*text);
}

/* RFC 5280 §4.2.1.6: preferred name syntax; a wildcard in the first label alone. */
static bool is_dns_name(struct slice text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t len_label = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.data[i];
        bool is_wildcard = c == '*' && i == 0 && text.len > 2 && text.data[1] == '.';

        if (c == '.') {
            if (len_label == 0 || i + 1 == text.len) {
                return false;
            }
            len_label = 0;
        } else if ((!is_wildcard && strchr(letters, c) == NULL) || ++len_label > 63) {
            return false;
        }
    }
    return text.len > 0 && text.len <= 253;
}

/* RFC 5280 §4.2.1.6: it must have a scheme and what follows. */
static bool is_uri(struct slice text)
{
    const uint8_t *colon = memchr(text.data, ':', text.len);

    return colon != NULL && colon > text.data && colon + 1 < text.data + text.len;
}

static bool is_email(struct slice text)
{
    const uint8_t *at = memchr(text.data, '@', text.len);

    return at != NULL && at > text.data &&
           is_dns_name((struct slice){ at + 1, (size_t)(text.data + text.len - at - 1) });
}

static const struct {
    const char *prefix;
    int type;
    bool (*is_fit)(struct slice text);
} san_types[] = {
    { "dns:", GEN_DNS, is_dns_name },
    { "uri:", GEN_URI, is_uri },
    { "email:", GEN_EMAIL, is_email },
};

static enum keystay_status push_name(
    GENERAL_NAMES *names, int type, struct slice text, struct keystay_error *err)
{
    CLEANUP(general_name_freep) GENERAL_NAME *name = GENERAL_NAME_new();
    CLEANUP(ia5_freep) ASN1_IA5STRING *value = ASN1_IA5STRING_new();

    if (name == NULL || value == NULL || ASN1_STRING_set(value, text.data, (int)text.len) != 1) {
        return err_no_memory(err);
    }
    GENERAL_NAME_set0_value(name, type, take_ptr(&value));
    if (sk_GENERAL_NAME_push(names, name) <= 0) {
        return err_no_memory(err);
    }
    (void)take_ptr(&name);
    return KEYSTAY_OK;
}

static enum keystay_status add_san(struct slice item, GENERAL_NAMES *names, struct keystay_error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(san_types); i++) {
        const char *prefix = san_types[i].prefix;
        size_t len = strlen(prefix);
        char start[8] = { 0 };

        if (item.len <= len) {
            continue;
        }
        memcpy(start, item.data, len);
        const struct slice rest = { item.data + len, item.len - len };
        if (str_iequal(start, prefix) && str_is_visible_ascii(rest) && san_types[i].is_fit(rest)) {
            return push_name(names, san_types[i].type, rest, err);
        }
    }
    return err_set_hint(
        err, KEYSTAY_E_USAGE, "such as --san dns:backup.contoso.example,email:ops@contoso.example",
        "bad --san: each part must be dns:NAME, uri:URI or email:ADDRESS, in ASCII");
}

enum keystay_status x509_san_parse(const char *text, GENERAL_NAMES **ret_names, struct keystay_error *err)
{
    CLEANUP(general_names_freep) GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    const char *at = text;

    if (names == NULL) {
        return err_no_memory(err);
    }
    if (strlen(text) > X509_WRITE_SAN_MAX) {
        return err_set(err, KEYSTAY_E_USAGE, "--san has more than %d bytes", X509_WRITE_SAN_MAX);
    }
    for (bool is_last = false; !is_last; at++) {
        size_t len = strcspn(at, ",");

        TRY(add_san((struct slice){ (const uint8_t *)at, len }, names, err));
        at += len;
        is_last = *at == '\0';
    }
    *ret_names = take_ptr(&names);
    return KEYSTAY_OK;
}
