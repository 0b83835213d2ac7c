/* SPDX-License-Identifier: Apache-2.0 */
/* What a URI fits: the other half of pkcs11/uri.c; test_uri.c has the reading. */
#include "unit.h"

#include "pkcs11/uri.h"

enum { TOKEN_TEXT = 32, SERIAL_TEXT = 16, SLOT_TEXT = 64 };

/* PKCS #11 v3.0 §3.2: padded with blanks, no NUL. */
static void pad(unsigned char *field, size_t size, const char *text)
{
    memset(field, ' ', size);
    memcpy(field, text, strlen(text));
}

static CK_TOKEN_INFO token_info(const char *label, const char *serial)
{
    CK_TOKEN_INFO info = { 0 };

    pad(info.label, TOKEN_TEXT, label);
    pad(info.serialNumber, SERIAL_TEXT, serial);
    pad(info.manufacturerID, TOKEN_TEXT, "Snake Oil, Inc.");
    pad(info.model, SERIAL_TEXT, "1.0");
    return info;
}

static struct p11_uri *parsed(const char *text)
{
    struct p11_uri *uri = NULL;
    struct keystay_error err = { 0 };

    if (p11_uri_parse(text, P11_URI_KEY, &uri, &err) != KEYSTAY_OK) {
        fail_msg("'%s' is refused: %s", text, err.message);
    }
    return uri;
}

static bool matches(const char *text, CK_SLOT_ID slot, const char *label, const char *serial)
{
    CLEANUP(p11_uri_freep) struct p11_uri *uri = parsed(text);
    CK_TOKEN_INFO info = token_info(label, serial);

    return p11_uri_matches_token(uri, slot, &info);
}

TEST(matches_tokens_by_all_that_is_asked)
{
    static const struct {
        const char *text;
        bool does;
    } rows[] = {
        { "pkcs11:", true },
        { "pkcs11:token=backup", true },
        { "pkcs11:token=backu", false },
        { "pkcs11:token=Backup", false },
        { "pkcs11:token=backup%20", true },
        { "pkcs11:serial=0123", true },
        { "pkcs11:serial=123", false },
        { "pkcs11:token=backup;serial=0123;manufacturer=Snake%20Oil,%20Inc.;model=1.0;slot-id=5", true },
        { "pkcs11:token=backup;serial=0123;manufacturer=Snake%20Oil;model=1.0;slot-id=5", false },
        { "pkcs11:token=backup;model=2.0", false },
        { "pkcs11:slot-id=5", true },
        { "pkcs11:slot-id=6", false },
        { "pkcs11:slot-id=0", false },
        { "pkcs11:token=backup;slot-id=55", false },
        { "pkcs11:id=%01;object=anything", true },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(matches(rows[i].text, 5, "backup", "0123") == rows[i].does, rows[i].text);
    }
}

TEST(matches_slots_and_libraries)
{
    static const struct {
        const char *text;
        bool slot, library;
    } rows[] = {
        { "pkcs11:slot-description=Sun%20Metaslot", true, true },
        { "pkcs11:slot-description=Sun", false, true },
        { "pkcs11:slot-manufacturer=Snake%20Oil;slot-description=Sun%20Metaslot", true, true },
        { "pkcs11:slot-manufacturer=Adder%20Oil", false, true },
        { "pkcs11:library-version=1.23", true, true },
        { "pkcs11:library-version=1.24", true, false },
        { "pkcs11:library-version=1", true, false },
        { "pkcs11:library-manufacturer=Snake%20Oil;library-description=Soft", true, true },
        { "pkcs11:library-description=Hard", true, false },
    };
    CK_SLOT_INFO slot = { 0 };
    CK_INFO library = { .libraryVersion = { 1, 23 } };

    pad(slot.slotDescription, SLOT_TEXT, "Sun Metaslot");
    pad(slot.manufacturerID, TOKEN_TEXT, "Snake Oil");
    pad(library.manufacturerID, TOKEN_TEXT, "Snake Oil");
    pad(library.libraryDescription, TOKEN_TEXT, "Soft");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(p11_uri_freep) struct p11_uri *uri = parsed(rows[i].text);
        assert_row(p11_uri_matches_slot(uri, &slot) == rows[i].slot, rows[i].text);
        assert_row(p11_uri_matches_library(uri, &library) == rows[i].library, rows[i].text);
    }
}

/* "serial=" asks for a token whose serial is empty (RFC 7512 §3 has one), not for any. */
TEST(an_empty_value_asks_for_what_is_empty)
{
    assert_false(matches("pkcs11:token=", 1, "backup", "0123"));
    assert_true(matches("pkcs11:token=", 1, "", "0123"));
    assert_false(matches("pkcs11:serial=", 1, "backup", "0123"));
    assert_true(matches("pkcs11:token=backup;serial=", 1, "backup", ""));
}

/* Refused, or asked for to the letter: a library's "not set" must not become "any token". */
TEST(no_value_means_any_token)
{
    static const char *const texts[] = {
        "pkcs11:token=%00",
        "pkcs11:token=%00x",
        "pkcs11:serial=%00",
        "pkcs11:model=%00",
        "pkcs11:manufacturer=%00",
        "pkcs11:slot-id=18446744073709551615",
        "pkcs11:slot-id=18446744073709551616",
        "pkcs11:slot-id=36893488147419103237",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(p11_uri_freep) struct p11_uri *uri = NULL;
        CK_TOKEN_INFO info = token_info("backup", "0123");

        if (p11_uri_parse(texts[i], P11_URI_KEY, &uri, NULL) == KEYSTAY_OK) {
            assert_row(!p11_uri_matches_token(uri, 5, &info), texts[i]);
        }
    }
}

TEST(no_slot_or_library_value_means_any)
{
    static const char *const texts[] = { "pkcs11:slot-description=%00", "pkcs11:slot-manufacturer=%00x",
                                         "pkcs11:library-manufacturer=%00", "pkcs11:library-description=%00",
                                         "pkcs11:library-version=255.255" };
    CK_SLOT_INFO slot = { 0 };
    CK_INFO library = { .libraryVersion = { 1, 23 } };

    pad(slot.slotDescription, SLOT_TEXT, "Sun Metaslot");
    pad(slot.manufacturerID, TOKEN_TEXT, "Snake Oil");
    pad(library.manufacturerID, TOKEN_TEXT, "Snake Oil");
    pad(library.libraryDescription, TOKEN_TEXT, "Soft");
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(p11_uri_freep) struct p11_uri *uri = NULL;

        if (p11_uri_parse(texts[i], P11_URI_KEY, &uri, NULL) == KEYSTAY_OK) {
            assert_row(
                !p11_uri_matches_slot(uri, &slot) || !p11_uri_matches_library(uri, &library), texts[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_tokens_by_all_that_is_asked),
        cmocka_unit_test(matches_slots_and_libraries),
        cmocka_unit_test(an_empty_value_asks_for_what_is_empty),
        cmocka_unit_test(no_value_means_any_token),
        cmocka_unit_test(no_slot_or_library_value_means_any),
    };

    return RUN_TESTS(tests);
}
