/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key_file.h"

#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "crypto/key_decode.h"
#include "crypto/key_text.h"
#include "crypto/private_key_impl.h"

enum { PEM_LINE = 64, PEM_MAX = 2 * KEY_FILE_MAX };

static const char no_key_hint[] = "give the PFX, PEM or PKCS #8 file that has the private key in it";

void key_file_clear(struct key_file *file)
{
    private_key_freep(&file->key);
    certificate_freep(&file->certificate);
    *file = (struct key_file){ 0 };
}

/* What is no key file, by how it begins. */
static const struct {
    struct slice start;
    const char *what;
    const char *hint;
} strangers[] = {
#define START(literal)                                  \
    {                                                   \
        (const uint8_t *)(literal), sizeof(literal) - 1 \
    }
    { START("PuTTY-User-Key-File-"), "it is a key of PuTTY's (.ppk)",
      "convert a copy: puttygen KEY.ppk -O private-openssh -o COPY, then ssh-keygen -p -m PKCS8 -f COPY" },
    { START("\xFE\xED\xFE\xED"), "it is a Java key store (JKS)",
      "keytool -importkeystore -srckeystore OLD.jks -destkeystore NEW.p12 -deststoretype PKCS12" },
    { START("\xCE\xCE\xCE\xCE"), "it is a Java key store (JCEKS)",
      "keytool -importkeystore -srckeystore OLD.jks -destkeystore NEW.p12 -deststoretype PKCS12" },
    { START("{"), "it is JSON, perhaps a JWK", "convert the key to PKCS #8 first" },
    { START("<"), "it is XML, perhaps a key of .NET's", "export the key as PKCS #8 or PFX" },
    { START("ssh-"), "it is a public key of OpenSSH's", no_key_hint },
    { START("ecdsa-sha2-"), "it is a public key of OpenSSH's", no_key_hint },
#undef START
};

static bool begins(struct slice content, struct slice start)
{
    return content.len >= start.len && memcmp(content.data, start.data, start.len) == 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static enum keystay_status check_stranger(struct slice content, struct keystay_error *err)
{
    while (content.len > 0 && is_blank(content.data[0])) {
        content = (struct slice){ content.data + 1, content.len - 1 };
    }
    if (content.len == 0) {
        return err_set(err, KEYSTAY_E_KEY_FILE, "it is empty");
    }
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
        if (begins(content, strangers[i].start)) {
            return err_set_hint(err, KEYSTAY_E_KEY_FILE, strangers[i].hint, "%s", strangers[i].what);
        }
    }
    return KEYSTAY_OK;
}

/* What a PEM block is by its label. */
enum block_kind {
    BLOCK_KEY,
    BLOCK_CERTIFICATE,
    BLOCK_NOTHING, /* says nothing that the key does not */
    BLOCK_STRANGER,
};

static const struct {
    const char *label;
    enum block_kind kind;
    const char *what;
    const char *hint;
} labels[] = {
    { "PRIVATE KEY", BLOCK_KEY, NULL, NULL },
    { "ENCRYPTED PRIVATE KEY", BLOCK_KEY, NULL, NULL },
    { "RSA PRIVATE KEY", BLOCK_KEY, NULL, NULL },
    { "EC PRIVATE KEY", BLOCK_KEY, NULL, NULL },
    { "DSA PRIVATE KEY", BLOCK_KEY, NULL, NULL },
    { "CERTIFICATE", BLOCK_CERTIFICATE, "it holds certificates, and no private key", no_key_hint },
    { "X509 CERTIFICATE", BLOCK_CERTIFICATE, "it holds certificates, and no private key", no_key_hint },
    { "EC PARAMETERS", BLOCK_NOTHING, "it holds the parameters of a key, and no private key", no_key_hint },
    { "PUBLIC KEY", BLOCK_NOTHING, "it holds a public key, without the private one", no_key_hint },
    { "RSA PUBLIC KEY", BLOCK_NOTHING, "it holds a public key, without the private one", no_key_hint },
    { "CERTIFICATE REQUEST", BLOCK_NOTHING, "it holds a request for a certificate, and no private key",
      no_key_hint },
    { "NEW CERTIFICATE REQUEST", BLOCK_NOTHING, "it holds a request for a certificate, and no private key",
      no_key_hint },
    { "OPENSSH PRIVATE KEY", BLOCK_STRANGER, "it is a private key in OpenSSH's own format",
      "convert a copy: ssh-keygen -p -m PKCS8 -f COPY" },
    { "PGP PRIVATE KEY BLOCK", BLOCK_STRANGER, "it is a private key of OpenPGP's", no_key_hint },
    { NULL, BLOCK_STRANGER, "it holds no private key that is known here, but another block", no_key_hint },
};

static size_t label_row(const char *label)
{
    size_t i = 0;

    while (labels[i].label != NULL && !str_equal(labels[i].label, label)) {
        i++;
    }
    return i;
}

static enum keystay_status damaged(const char *what, struct keystay_error *err)
{
    return err_set_hint(
        err, KEYSTAY_E_KEY_FILE, "take another copy of the file, all of it",
        "the private key in it is damaged: %s", what);
}

/* One DER element from the start; what a transfer appended behind it is left. */
static enum keystay_status decode_element(
    struct key_found *found, struct slice der, struct keystay_error *err)
{
    size_t len = key_der_len(der);

    if (len == 0) {
        return err_set_hint(
            err, KEYSTAY_E_KEY_FILE, no_key_hint,
            "it is neither PEM nor DER: no private key can be seen in it");
    }
    if (len > der.len) {
        return err_set_hint(
            err, KEYSTAY_E_KEY_FILE, "take another copy of the file, all of it",
            "it is cut off: %zu of %zu bytes are there", der.len, len);
    }
    found->repairs |= len < der.len ? KEY_REPAIR_TAIL : 0U;
    return key_decode_der(found, (struct slice){ der.data, len }, err);
}

/* EVP_DecodeBlock counts what the '=' stand for. */
static enum keystay_status decode_base64(
    const struct secret *body, struct secret *ret_der, struct keystay_error *err)
{
    size_t n_equals = 0;

    while (n_equals < 2 && n_equals < body->len && body->data[body->len - 1 - n_equals] == '=') {
        n_equals++;
    }
    TRY(secret_alloc(ret_der, body->len / 4 * 3, err));
    int len =
        EVP_DecodeBlock((unsigned char *)ret_der->data, (const unsigned char *)body->data, (int)body->len);
    if (len < 0 || (size_t)len < n_equals) {
        return damaged("its base64 cannot be read", err);
    }
    secret_truncate(ret_der, (size_t)len - n_equals);
    return KEYSTAY_OK;
}

/* As OpenSSL's reader wants it, whatever it was like in the file. */
static enum keystay_status decode_headers(
    struct key_found *found, const struct key_block *block, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf pem = BUF(PEM_MAX);
    const struct slice body = secret_slice(&block->body);
    const char *const start[] = { "-----BEGIN ", block->label,
                                  "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: ", block->dek, "\n\n" };
    const char *const end[] = { "-----END ", block->label, "-----\n" };

    for (size_t i = 0; i < ARRAY_LEN(start); i++) {
        TRY(buf_puts(&pem, start[i], err));
    }
    for (size_t at = 0; at < body.len; at += PEM_LINE) {
        size_t n = body.len - at < PEM_LINE ? body.len - at : PEM_LINE;
        TRY(buf_put(&pem, (struct slice){ body.data + at, n }, err));
        TRY(buf_putc(&pem, '\n', err));
    }
    for (size_t i = 0; i < ARRAY_LEN(end); i++) {
        TRY(buf_puts(&pem, end[i], err));
    }
    return key_decode_pem(found, buf_slice(&pem), err);
}

static enum keystay_status decode_key_block(
    struct key_found *found, const struct key_block *block, struct keystay_error *err)
{
    CLEANUP(secret_clear) struct secret der = { 0 };

    if (found->n_keys > 0) {
        found->n_keys++;
        return KEYSTAY_OK;
    }
    if (block->fault != NULL) {
        return damaged(block->fault, err);
    }
    if (block->dek[0] != '\0') {
        return decode_headers(found, block, err);
    }
    TRY(decode_base64(&block->body, &der, err));
    return decode_element(found, secret_slice(&der), err);
}

static void take_certificate_block(struct key_found *found, const struct key_block *block)
{
    CLEANUP(secret_clear) struct secret der = { 0 };

    if (block->fault != NULL || decode_base64(&block->body, &der, NULL) != KEYSTAY_OK) {
        found->repairs |= KEY_REPAIR_CERTIFICATE;
        return;
    }
    key_found_add_certificate(found, secret_slice(&der));
}

/* *ret_row is that of the last block that is no key. */
static enum keystay_status decode_blocks(
    struct key_found *found, struct key_text *text, size_t *ret_row, struct keystay_error *err)
{
    bool is_there = false;

    for (;;) {
        CLEANUP(key_block_clear) struct key_block block = { .fault = NULL };

        TRY(key_text_next(text, &block, &is_there, err));
        if (!is_there) {
            return KEYSTAY_OK;
        }
        size_t row = label_row(block.label);
        switch (labels[row].kind) {
        case BLOCK_KEY:
            TRY(decode_key_block(found, &block, err));
            continue;
        case BLOCK_CERTIFICATE:
            take_certificate_block(found, &block);
            break;
        default:
            break;
        }
        *ret_row = row;
    }
}

static enum keystay_status decode_content(
    struct key_found *found, struct slice content, bool may_be_twice, struct keystay_error *err);

/* Base64 alone: of a DER file, or of a whole PEM as Kubernetes has it. */
static enum keystay_status decode_bare(
    struct key_found *found, struct key_text *text, bool may_be_twice, struct keystay_error *err)
{
    CLEANUP(key_block_clear) struct key_block block = { .fault = NULL };
    CLEANUP(secret_clear) struct secret inner = { 0 };

    TRY(key_text_bare(text, &block, err));
    if (!may_be_twice || block.fault != NULL || decode_base64(&block.body, &inner, NULL) != KEYSTAY_OK) {
        return err_set_hint(
            err, KEYSTAY_E_KEY_FILE, no_key_hint,
            "it is text, but there is no BEGIN line of a private key in it");
    }
    bool is_text = key_text_is_text(secret_slice(&inner));
    found->repairs |= is_text ? KEY_REPAIR_TWICE : KEY_REPAIR_BARE;
    return decode_content(found, secret_slice(&inner), false, err);
}

static enum keystay_status decode_text(
    struct key_found *found, struct slice content, bool may_be_twice, struct keystay_error *err)
{
    CLEANUP(key_text_clear) struct key_text text = { .at = 0 };
    size_t row = ARRAY_LEN(labels);

    TRY(key_text_init(&text, content, err));
    TRY(check_stranger(secret_slice(&text.text), err));
    TRY(decode_blocks(found, &text, &row, err));
    if (found->n_keys == 0 && row < ARRAY_LEN(labels)) {
        return err_set_hint(err, KEYSTAY_E_KEY_FILE, labels[row].hint, "%s", labels[row].what);
    }
    enum keystay_status status =
        found->n_keys > 0 ? KEYSTAY_OK : decode_bare(found, &text, may_be_twice, err);
    found->repairs |= text.repairs;
    return status;
}

static enum keystay_status decode_content(
    struct key_found *found, struct slice content, bool may_be_twice, struct keystay_error *err)
{
    if (key_text_is_text(content)) {
        return decode_text(found, content, may_be_twice, err);
    }
    TRY(check_stranger(content, err));
    return decode_element(found, content, err);
}

static struct certificate *take_own(struct key_found *found, const struct private_key *key)
{
    for (size_t i = 0; i < found->n_certificates; i++) {
        if (public_key_equal(certificate_public_key(found->certificates[i]), private_key_public(key))) {
            return take_ptr(&found->certificates[i]);
        }
    }
    return NULL;
}

static enum keystay_status check_count(const struct key_found *found, struct keystay_error *err)
{
    if (found->n_keys == 1) {
        return KEYSTAY_OK;
    }
    return found->n_keys == 0
               ? err_set_hint(
                     err, KEYSTAY_E_KEY_FILE, no_key_hint, "it holds no private key, only %zu certificates",
                     found->n_certificates)
               : err_set_hint(
                     err, KEYSTAY_E_KEY_FILE, "leave the one that is meant in a copy of the file",
                     "it holds %zu private keys, and one is taken", found->n_keys);
}

enum keystay_status key_file_parse(
    struct slice content, const struct key_file_password *password, struct key_file *ret_file,
    struct keystay_error *err)
{
    CLEANUP(key_found_clear) struct key_found found = { .source = password };
    CLEANUP(buf_clear) struct buf repaired = BUF(KEY_FILE_NOTE_SIZE - 1);

    if (content.len > KEY_FILE_MAX) {
        return err_set(
            err, KEYSTAY_E_KEY_FILE, "it has %zu bytes; a key file has %d at the most", content.len,
            KEY_FILE_MAX);
    }
    TRY(decode_content(&found, content, true, err));
    TRY(check_count(&found, err));
    TRY(private_key_new(take_ptr(&found.pkey), &ret_file->key, err));
    ret_file->certificate = take_own(&found, ret_file->key);
    TRY(key_repair_put_words(found.repairs, &repaired, err));
    memcpy(ret_file->repaired, buf_str(&repaired), repaired.len + 1);
    return KEYSTAY_OK;
}
