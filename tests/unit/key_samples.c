/* SPDX-License-Identifier: Apache-2.0 */
#include "key_samples.h"

#include <openssl/pem.h>
#include <stdbool.h>

void sample_put(struct buf *to, const char *text)
{
    assert_ok(buf_puts(to, text, NULL));
}

static void put_char(struct buf *to, char c)
{
    assert_ok(buf_putc(to, c, NULL));
}

void sample_pem(EVP_PKEY *key, enum sample_form form, struct buf *to)
{
    static char password[] = SAMPLE_PASSWORD;
    const EVP_CIPHER *cipher = EVP_aes_256_cbc();
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL; /* belongs to bio */
    int len = (int)strlen(password);
    int done = 0;

    switch (form) {
    case SAMPLE_PKCS8:
        done = PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
        break;
    case SAMPLE_PKCS8_ENCRYPTED:
        done = PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, password, len, NULL, NULL);
        break;
    case SAMPLE_TRADITIONAL:
        done = PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL);
        break;
    default:
        done = PEM_write_bio_PrivateKey_traditional(
            bio, key, cipher, (unsigned char *)password, len, NULL, NULL);
        break;
    }
    assert_int_equal(done, 1);
    long size = BIO_get_mem_data(bio, &text);
    assert_ok(buf_put(to, (struct slice){ (const uint8_t *)text, (size_t)size }, NULL));
    BIO_free(bio);
}

void sample_der(const struct buf *pem, struct buf *to)
{
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    unsigned char *der = NULL;
    char *name = NULL;
    char *header = NULL;
    long len = 0;

    assert_int_equal(PEM_read_bio(bio, &name, &header, &der, &len), 1);
    assert_ok(buf_put(to, (struct slice){ der, (size_t)len }, NULL));
    OPENSSL_free(der);
    OPENSSL_free(name);
    OPENSSL_free(header);
    BIO_free(bio);
}

/* Each line end becomes something else. */
static void with_line_ends(struct slice pem, const char *end, struct buf *to)
{
    for (size_t i = 0; i < pem.len; i++) {
        if (pem.data[i] == '\n') {
            sample_put(to, end);
        } else {
            put_char(to, (char)pem.data[i]);
        }
    }
}

static void with_zeros(struct slice pem, bool is_before, struct buf *to)
{
    for (size_t i = 0; i < pem.len; i++) {
        if (is_before) {
            put_char(to, '\0');
        }
        put_char(to, (char)pem.data[i]);
        if (!is_before) {
            put_char(to, '\0');
        }
    }
}

/* The first `from` becomes `with`, or each. */
static void with_other(struct slice pem, const char *from, const char *with, bool is_each, struct buf *to)
{
    size_t len = strlen(from);
    bool is_done = false;

    for (size_t i = 0; i < pem.len;) {
        if (!is_done && pem.len - i >= len && memcmp(pem.data + i, from, len) == 0) {
            sample_put(to, with);
            is_done = !is_each;
            i += len;
        } else {
            put_char(to, (char)pem.data[i++]);
        }
    }
}

static void mark(struct slice pem, struct buf *to)
{
    sample_put(to, "\xEF\xBB\xBF");
    assert_ok(buf_put(to, pem, NULL));
}

static void utf16_marked(struct slice pem, struct buf *to)
{
    sample_put(to, "\xFF\xFE");
    with_zeros(pem, false, to);
}

static void utf16_big_marked(struct slice pem, struct buf *to)
{
    sample_put(to, "\xFE\xFF");
    with_zeros(pem, true, to);
}

static void utf16(struct slice pem, struct buf *to)
{
    with_zeros(pem, false, to);
}

static void utf16_big(struct slice pem, struct buf *to)
{
    with_zeros(pem, true, to);
}

static void crlf(struct slice pem, struct buf *to)
{
    with_line_ends(pem, "\r\n", to);
}

static void cr(struct slice pem, struct buf *to)
{
    with_line_ends(pem, "\r", to);
}

static void literals(struct slice pem, struct buf *to)
{
    with_line_ends(pem, "\\n", to);
}

static void literals_quoted(struct slice pem, struct buf *to)
{
    put_char(to, '"');
    with_line_ends(pem, "\\r\\n", to);
    put_char(to, '"');
}

static void one_line(struct slice pem, struct buf *to)
{
    with_line_ends(pem, " ", to);
}

static void indented(struct slice pem, struct buf *to)
{
    sample_put(to, "key: |\n    ");
    with_line_ends(pem, "\n    ", to);
}

static void trailing(struct slice pem, struct buf *to)
{
    with_line_ends(pem, " \t\n", to);
}

static void empty_lines(struct slice pem, struct buf *to)
{
    with_line_ends(pem, "\n\n", to);
}

static void hard_blanks(struct slice pem, struct buf *to)
{
    with_line_ends(pem, "\xC2\xA0\n", to);
}

static void four_dashes(struct slice pem, struct buf *to)
{
    with_other(pem, "-----", "----", true, to);
}

static void dashes_apart(struct slice pem, struct buf *to)
{
    with_other(pem, "-----BEGIN", "----- BEGIN", true, to);
}

static void other_end(struct slice pem, struct buf *to)
{
    with_other(pem, "-----END ", "-----END SOME ", true, to);
}

static void text_around(struct slice pem, struct buf *to)
{
    sample_put(
        to,
        "Bag Attributes\n    localKeyID: 01 02 \n    friendlyName: BEGIN here\nKey Attributes: <No Attributes>\n");
    assert_ok(buf_put(to, pem, NULL));
    sample_put(to, "that was it - END -\n");
}

static void no_last_line_end(struct slice pem, struct buf *to)
{
    assert_ok(buf_put(to, (struct slice){ pem.data, pem.len - 1 }, NULL));
}

static void dos_end(struct slice pem, struct buf *to)
{
    assert_ok(buf_put(to, pem, NULL));
    put_char(to, 0x1A);
}

const struct sample_damage sample_damages[] = {
    { "text around", "", text_around },
    { "no last line end", "", no_last_line_end },
    { "Ctrl-Z", "", dos_end },
    { "empty lines", "", empty_lines },
    { "mark", "byte order mark", mark },
    { "UTF-16LE, marked", "UTF-16", utf16_marked },
    { "UTF-16BE, marked", "UTF-16", utf16_big_marked },
    { "UTF-16LE", "UTF-16", utf16 },
    { "UTF-16BE", "UTF-16", utf16_big },
    { "CR LF", "CR LF", crlf },
    { "CR", "CR LF", cr },
    { "\\n", "written out", literals },
    { "\"\\r\\n\"", "written out", literals_quoted },
    { "one line", "blanks", one_line },
    { "indented", "blanks", indented },
    { "trailing blanks", "blanks", trailing },
    { "hard blanks", "blanks", hard_blanks },
    { "four dashes", "five dashes", four_dashes },
    { "dashes apart", "five dashes", dashes_apart },
    { "other END", "END that is not", other_end },
};
const size_t sample_n_damages = ARRAY_LEN(sample_damages);

void sample_base64(struct slice bytes, size_t line, struct buf *to)
{
    unsigned char text[2 * 4096];
    size_t n = (size_t)EVP_EncodeBlock(text, bytes.data, (int)bytes.len);

    for (size_t i = 0; i < n; i += line) {
        assert_ok(buf_put(to, (struct slice){ text + i, n - i < line ? n - i : line }, NULL));
        sample_put(to, "\n");
    }
}
