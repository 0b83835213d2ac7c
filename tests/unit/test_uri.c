/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "pkcs11/uri.h"

static struct p11_uri *parsed(const char *text)
{
    struct p11_uri *uri = NULL;
    struct keystay_error err = { 0 };

    if (p11_uri_parse(text, P11_URI_KEY, &uri, &err) != KEYSTAY_OK) {
        fail_msg("'%s' is refused: %s", text, err.message);
    }
    return uri;
}

struct refused_row {
    const char *text;
    enum p11_uri_purpose purpose;
    const char *reason;
};

/* Each refusal: the kind, a reason, advice, nothing written, and no word of the text that could be a PIN. */
static void assert_refused(const struct refused_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct p11_uri *uri = NULL;
        struct keystay_error err = { 0 };

        if (p11_uri_parse(rows[i].text, rows[i].purpose, &uri, &err) != KEYSTAY_E_CONFIG) {
            p11_uri_free(uri);
            fail_msg("'%s' is not refused as it should be: %s", rows[i].text, err.message);
        }
        assert_null(uri);
        assert_contains(err.message, rows[i].reason);
        assert_true(err.hint[0] != '\0');
        assert_lacks(err.message, "4711");
        assert_lacks(err.hint, "4711");
        assert_tame(err.message);
    }
}

TEST(freeing_nothing_is_fine)
{
    struct p11_uri *uri = NULL;

    p11_uri_free(NULL);
    p11_uri_freep(&uri);
}

TEST(what_is_no_uri_is_refused)
{
    static const struct refused_row rows[] = {
        { "", P11_URI_KEY, "does not begin with 'pkcs11:'" },
        { "pkcs11", P11_URI_KEY, "does not begin" },
        { "pkcs12:token=x", P11_URI_KEY, "does not begin" },
        { " pkcs11:token=x", P11_URI_KEY, "does not begin" },
        { "4711", P11_URI_KEY, "does not begin" },
        { "/usr/lib/token4711", P11_URI_CERTIFICATE, "does not begin" },
    };

    assert_refused(rows, ARRAY_LEN(rows));
}

TEST(an_unknown_attribute_is_an_error_and_not_everything)
{
    static const struct refused_row rows[] = {
        { "pkcs11:tokn=x", P11_URI_KEY, "unknown attribute 'tokn'" },
        { "pkcs11:token=x;foo=4711", P11_URI_KEY, "unknown attribute 'foo'" },
        { "pkcs11:Token=x", P11_URI_KEY, "unknown attribute 'Token'" },
        { "pkcs11:x-vendor=1", P11_URI_KEY, "unknown attribute 'x-vendor'" },
        { "pkcs11:object-type=private", P11_URI_KEY, "unknown attribute 'object-type'" },
        { "pkcs11:tok%65n=x", P11_URI_KEY, "unknown attribute" },
        { "pkcs11:token", P11_URI_KEY, "unknown attribute ''" },
        { "pkcs11:=x", P11_URI_KEY, "unknown attribute ''" },
        { "pkcs11:;token=x", P11_URI_KEY, "unknown attribute ''" },
        { "pkcs11:token=x;;id=%01", P11_URI_KEY, "unknown attribute ''" },
        { "pkcs11:token=x&id=%01?foo=1", P11_URI_KEY, "unknown attribute 'foo'" },
        { "pkcs11:token=x?id=%01", P11_URI_KEY, "unknown attribute 'id'" },
        { "pkcs11:module-path=/lib/x.so", P11_URI_KEY, "unknown attribute 'module-path'" },
        { "pkcs11:pin-value=4711", P11_URI_KEY, "unknown attribute 'pin-value'" },
        { "pkcs11:?pin-valu=4711", P11_URI_KEY, "unknown attribute 'pin-valu'" },
        { "pkcs11:?max-pin-len=8", P11_URI_KEY, "unknown attribute" },
        { "pkcs11:token=x??pin-source=/a", P11_URI_KEY, "unknown attribute" },
    };

    assert_refused(rows, ARRAY_LEN(rows));
}

TEST(no_attribute_may_come_twice)
{
    static const char *const values[] = {
        "token=a",
        "manufacturer=a",
        "serial=a",
        "model=a",
        "object=a",
        "type=private",
        "id=%01",
        "slot-id=1",
        "slot-description=a",
        "slot-manufacturer=a",
        "library-manufacturer=a",
        "library-description=a",
        "library-version=1",
    };
    static const char *const queries[] = { "pin-source=/a", "module-path=/a", "pin-value=1",
                                           "module-name=a" };
    char text[200];

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        (void)snprintf(text, sizeof(text), "pkcs11:%s;%s", values[i], values[i]);
        assert_refused(&(struct refused_row){ text, P11_URI_KEY, "given twice" }, 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        (void)snprintf(text, sizeof(text), "pkcs11:token=x?%s&%s", queries[i], queries[i]);
        assert_refused(&(struct refused_row){ text, P11_URI_KEY, "given twice" }, 1);
    }
}

/* RFC 7512 §2.4 has pin-value; §6 says why it should not be used. */
TEST(a_pin_in_the_uri_is_refused_and_never_repeated)
{
    static const struct refused_row rows[] = {
        { "pkcs11:token=x?pin-value=4711", P11_URI_KEY, "pin-value" },
        { "pkcs11:?pin-value=4711", P11_URI_CERTIFICATE, "pin-value" },
        { "pkcs11:?pin-value=", P11_URI_KEY, "pin-value" },
        { "pkcs11:?module-path=/a&pin-value=4711", P11_URI_KEY, "pin-value" },
        { "pkcs11:?pin-value=4711%", P11_URI_KEY, "'%'" },
        { "pkcs11:?pin-value=4711 ", P11_URI_KEY, "blanks" },
        { "pkcs11:?pin-value=4711&pin-value=4711", P11_URI_KEY, "twice" },
    };

    assert_refused(rows, ARRAY_LEN(rows));
}

TEST(a_command_as_pin_source_is_refused)
{
    static const struct refused_row rows[] = {
        { "pkcs11:token=x?pin-source=|/usr/lib/pinomatic", P11_URI_KEY, "command" },
        { "pkcs11:token=x?pin-source=%7C/usr/lib/pinomatic", P11_URI_KEY, "command" },
    };

    assert_refused(rows, ARRAY_LEN(rows));
}

TEST(a_module_by_name_is_not_taken_for_a_path)
{
    CLEANUP(p11_uri_freep)
    struct p11_uri *uri = parsed("pkcs11:object=my-sign-key;type=private?module-name=mypkcs11");

    assert_string_equal(p11_uri_module_name(uri), "mypkcs11");
    assert_null(p11_uri_module_path(uri));
}

TEST(the_type_must_be_that_of_the_purpose)
{
    static const struct refused_row rows[] = {
        { "pkcs11:type=cert", P11_URI_KEY, "must be 'private'" },
        { "pkcs11:type=public", P11_URI_KEY, "must be 'private'" },
        { "pkcs11:type=secret-key", P11_URI_KEY, "must be 'private'" },
        { "pkcs11:type=data", P11_URI_KEY, "must be 'private'" },
        { "pkcs11:type=private", P11_URI_CERTIFICATE, "must be 'cert'" },
        { "pkcs11:type=public", P11_URI_CERTIFICATE, "must be 'cert'" },
        { "pkcs11:type=nonsense", P11_URI_KEY, "bad PKCS#11 URI" },
        { "pkcs11:type=", P11_URI_KEY, "bad PKCS#11 URI" },
        { "pkcs11:type=Private", P11_URI_KEY, "bad PKCS#11 URI" },
    };
    CLEANUP(p11_uri_freep) struct p11_uri *certificate = NULL;
    CLEANUP(p11_uri_freep) struct p11_uri *key = NULL;

    assert_refused(rows, ARRAY_LEN(rows));
    assert_ok(p11_uri_parse("pkcs11:type=private", P11_URI_KEY, &key, NULL));
    assert_ok(p11_uri_parse("pkcs11:type=cert", P11_URI_CERTIFICATE, &certificate, NULL));
}

TEST(knows_a_uri_when_it_sees_one)
{
    static const struct {
        const char *text;
        bool is;
    } rows[] = {
        { "pkcs11:", true },
        { "pkcs11:token=x", true },
        { "PKCS11:token=x", true },
        { "pkcs11", false },
        { "", false },
        { "pkcs11/x", false },
        { "./pkcs11:x", false },
        { "/etc/x.pem", false },
        { "pkcs111:", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(p11_uri_is_uri(rows[i].text) == rows[i].is, rows[i].text);
    }
}

/* The examples of RFC 7512 §3, for the purpose that they serve; the last one without its label's 34 bytes,
 * which no token can have. */
TEST(reads_the_examples_of_the_rfc)
{
    static const struct {
        const char *text;
        enum p11_uri_purpose purpose;
        const char *label, *pin_source, *module_path;
    } rows[] = {
        { "pkcs11:", P11_URI_KEY, NULL, NULL, NULL },
        { "pkcs11:object=my-sign-key;type=private?pin-source=file:/etc/token", P11_URI_KEY, "my-sign-key",
          "file:/etc/token", NULL },
        { "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;"
          "object=my-certificate;type=cert;id=%69%95%3E%5C%F4%BD%EC%91;serial=?pin-source=file:/etc/token_pin",
          P11_URI_CERTIFICATE, "my-certificate", "file:/etc/token_pin", NULL },
        { "pkcs11:object=my-sign-key;type=private?module-path=/mnt/libmypkcs11.so.1", P11_URI_KEY,
          "my-sign-key", NULL, "/mnt/libmypkcs11.so.1" },
        { "pkcs11:library-manufacturer=Snake%20Oil,%20Inc.;library-description=Soft%20Token%20Library;"
          "library-version=1.23",
          P11_URI_KEY, NULL, NULL, NULL },
        { "pkcs11:slot-description=Sun%20Metaslot", P11_URI_KEY, NULL, NULL, NULL },
        { "pkcs11:token=My%20token%25%20created%20by%20Joe;library-version=3;id=%01%02%03%Ba%dd%Ca%fe%04%05%06",
          P11_URI_KEY, NULL, NULL, NULL },
        { "pkcs11:token=A%20name%20with%20a%20substring%20%25%3B;object=my-certificate;type=cert",
          P11_URI_CERTIFICATE, "my-certificate", NULL, NULL },
        { "pkcs11:token=%C3%A1;object=my-certificate;type=cert", P11_URI_CERTIFICATE, "my-certificate", NULL,
          NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(p11_uri_freep) struct p11_uri *uri = NULL;
        struct keystay_error err = { 0 };
        struct slice label = { 0 };

        if (p11_uri_parse(rows[i].text, rows[i].purpose, &uri, &err) != KEYSTAY_OK) {
            fail_msg("'%s' is refused: %s", rows[i].text, err.message);
        }
        assert_row(p11_uri_label(uri, &label) == (rows[i].label != NULL), rows[i].text);
        assert_slice(label, rows[i].label == NULL ? "" : rows[i].label);
        assert_row((p11_uri_pin_source(uri) != NULL) == (rows[i].pin_source != NULL), rows[i].text);
        assert_row((p11_uri_module_path(uri) != NULL) == (rows[i].module_path != NULL), rows[i].text);
        if (rows[i].pin_source != NULL) {
            assert_string_equal(p11_uri_pin_source(uri), rows[i].pin_source);
        }
        if (rows[i].module_path != NULL) {
            assert_string_equal(p11_uri_module_path(uri), rows[i].module_path);
        }
    }
}

TEST(percent_forms_are_decoded_once)
{
    CLEANUP(p11_uri_freep)
    struct p11_uri *uri = parsed("pkcs11:id=%01%fF%Ff%25%32%35a;object=%2525%20%3B?module-path=/a%20b%26c");
    struct slice id, label;

    assert_true(p11_uri_id(uri, NULL, &id));
    assert_true(slice_equal(id, SLICE("\x01\xFF\xFF%25a")));
    assert_true(p11_uri_label(uri, &label));
    assert_slice(label, "%25 ;");
    assert_string_equal(p11_uri_module_path(uri), "/a b&c");
}

TEST(slot_and_library_are_asked_for_only_when_the_uri_does)
{
    static const struct {
        const char *text;
        bool slot, library;
    } rows[] = {
        { "pkcs11:token=x;serial=1;slot-id=3;id=%01", false, false },
        { "pkcs11:slot-description=Sun%20Metaslot", true, false },
        { "pkcs11:slot-manufacturer=Snake%20Oil", true, false },
        { "pkcs11:library-manufacturer=Snake%20Oil", false, true },
        { "pkcs11:library-description=Soft", false, true },
        { "pkcs11:library-version=3", false, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(p11_uri_freep) struct p11_uri *uri = parsed(rows[i].text);
        assert_row(p11_uri_wants_slot_info(uri) == rows[i].slot, rows[i].text);
        assert_row(p11_uri_wants_library_info(uri) == rows[i].library, rows[i].text);
    }
}

TEST(an_id_may_hold_nul_bytes)
{
    CLEANUP(p11_uri_freep) struct p11_uri *uri = parsed("pkcs11:id=%00%01%00");
    struct slice id;

    assert_true(p11_uri_id(uri, NULL, &id));
    assert_true(slice_equal(id, SLICE("\0\1\0")));
    assert_false(p11_uri_label(uri, &id));
}

TEST(an_empty_id_is_still_asked_for)
{
    CLEANUP(p11_uri_freep) struct p11_uri *uri = parsed("pkcs11:id=;object=");
    struct slice value = SLICE("x");

    assert_true(p11_uri_id(uri, NULL, &value));
    assert_int_equal(value.len, 0);
    value = SLICE("x");
    assert_true(p11_uri_label(uri, &value));
    assert_int_equal(value.len, 0);
}

TEST(values_may_be_as_long_as_their_field_and_no_longer)
{
    static const char exact[] = "12345678901234567890123456789012"; /* 32 */
    char text[64];

    (void)snprintf(text, sizeof(text), "pkcs11:token=%s", exact);
    p11_uri_free(parsed(text));
    (void)snprintf(text, sizeof(text), "pkcs11:token=%s3", exact);
    assert_refused(&(struct refused_row){ text, P11_URI_KEY, "a value is wrong" }, 1);
    assert_refused(&(struct refused_row){ "pkcs11:serial=12345678901234567", P11_URI_KEY, "wrong" }, 1);
}

/* 4096 bytes in all. */
TEST(a_uri_has_a_longest_length)
{
    enum { MAX = 4096, PREFIX = sizeof("pkcs11:object=") - 1 };
    CLEANUP(freep) char *text = calloc(1, MAX + 2);
    CLEANUP(p11_uri_freep) struct p11_uri *uri = NULL;

    assert_non_null(text);
    memcpy(text, "pkcs11:object=", PREFIX);
    memset(text + PREFIX, 'a', MAX - PREFIX);
    assert_ok(p11_uri_parse(text, P11_URI_KEY, &uri, NULL));
    text[MAX] = 'a';
    assert_refused(&(struct refused_row){ text, P11_URI_KEY, "too long" }, 1);
}

TEST(ids_are_shown_as_a_uri_takes_them)
{
    static const uint8_t long_id[100] = { 0 };
    char text[P11_URI_ID_TEXT_SIZE] = "old";

    p11_uri_format_id((struct slice){ 0 }, text);
    assert_string_equal(text, "");
    p11_uri_format_id(SLICE("\0\1\xAFz"), text);
    assert_string_equal(text, "%00%01%AF%7A");
    p11_uri_format_id((struct slice){ long_id, 85 }, text);
    assert_int_equal(strlen(text), 255);
    p11_uri_format_id((struct slice){ long_id, sizeof(long_id) }, text);
    assert_int_equal(strlen(text), 255);
}

TEST(bad_values_are_refused)
{
    static const struct refused_row rows[] = {
        { "pkcs11:token=a b", P11_URI_KEY, "blanks" },
        { "pkcs11:token=a\tb", P11_URI_KEY, "blanks" },
        { "pkcs11:token=a\n", P11_URI_KEY, "blanks" },
        { "pkcs11:token=\xC3\xA1", P11_URI_KEY, "outside ASCII" },
        { "pkcs11:token=a\x7F", P11_URI_KEY, "outside ASCII" },
        { "pkcs11:token=a%", P11_URI_KEY, "'%'" },
        { "pkcs11:token=a%4", P11_URI_KEY, "'%'" },
        { "pkcs11:token=a%4;id=%01", P11_URI_KEY, "'%'" },
        { "pkcs11:token=%zz", P11_URI_KEY, "'%'" },
        { "pkcs11:id=%0g", P11_URI_KEY, "'%'" },
        { "pkcs11:id=% 1", P11_URI_KEY, "'%'" },
        { "pkcs11:?module-path=/a%2", P11_URI_KEY, "'%'" },
        { "pkcs11:token=a;", P11_URI_KEY, "ends with a separator" },
        { "pkcs11:token=a;?pin-source=/x", P11_URI_KEY, "ends with a separator" },
        { "pkcs11:token=a?pin-source=/x&", P11_URI_KEY, "ends with a separator" },
        { "pkcs11:slot-id=x", P11_URI_KEY, "wrong" },
        { "pkcs11:slot-id=", P11_URI_KEY, "wrong" },
        { "pkcs11:slot-id=-1", P11_URI_KEY, "wrong" },
        { "pkcs11:slot-id=1x", P11_URI_KEY, "wrong" },
        { "pkcs11:library-version=x", P11_URI_KEY, "version" },
        { "pkcs11:library-version=", P11_URI_KEY, "version" },
        { "pkcs11:library-version=1.2.3", P11_URI_KEY, "version" },
        { "pkcs11:library-version=999", P11_URI_KEY, "version" },
        { "pkcs11:token=\x1B[2J", P11_URI_KEY, "blanks" },
        { "pkcs11:\x1B[2J=1", P11_URI_KEY, "unknown attribute" },
    };

    assert_refused(rows, ARRAY_LEN(rows));
}

/* A C string ends at a NUL: the file that is opened would be another than the one that was given. */
TEST(a_path_is_not_cut_at_a_nul)
{
    static const char *const texts[] = { "pkcs11:?module-path=/lib/a.so%00b",
                                         "pkcs11:?pin-source=/run/pin%00b" };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(p11_uri_freep) struct p11_uri *uri = NULL;
        assert_row(p11_uri_parse(texts[i], P11_URI_KEY, &uri, NULL) == KEYSTAY_E_CONFIG, texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(what_is_no_uri_is_refused),
        cmocka_unit_test(an_unknown_attribute_is_an_error_and_not_everything),
        cmocka_unit_test(no_attribute_may_come_twice),
        cmocka_unit_test(a_pin_in_the_uri_is_refused_and_never_repeated),
        cmocka_unit_test(a_command_as_pin_source_is_refused),
        cmocka_unit_test(a_module_by_name_is_not_taken_for_a_path),
        cmocka_unit_test(the_type_must_be_that_of_the_purpose),
        cmocka_unit_test(knows_a_uri_when_it_sees_one),
        cmocka_unit_test(reads_the_examples_of_the_rfc),
        cmocka_unit_test(percent_forms_are_decoded_once),
        cmocka_unit_test(slot_and_library_are_asked_for_only_when_the_uri_does),
        cmocka_unit_test(an_id_may_hold_nul_bytes),
        cmocka_unit_test(an_empty_id_is_still_asked_for),
        cmocka_unit_test(values_may_be_as_long_as_their_field_and_no_longer),
        cmocka_unit_test(a_uri_has_a_longest_length),
        cmocka_unit_test(ids_are_shown_as_a_uri_takes_them),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(a_path_is_not_cut_at_a_nul),
    };

    return RUN_TESTS(tests);
}
