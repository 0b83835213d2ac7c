/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/error.h"
#include "pkcs11/piv.h"
#include "pkcs11/uri.h"

static CK_TOKEN_INFO token(const char *manufacturer, const char *model)
{
    CK_TOKEN_INFO info = { 0 };

    memset(&info, ' ', sizeof(info.label) + sizeof(info.manufacturerID) + sizeof(info.model));
    memcpy(info.manufacturerID, manufacturer, strlen(manufacturer));
    memcpy(info.model, model, strlen(model));
    return info;
}

static CK_TOKEN_INFO of_opensc(void)
{
    return token("piv_II", "PKCS#15 emulated");
}

static CK_TOKEN_INFO of_yubico(void)
{
    return token("Yubico (www.yubico.com)", "YubiKey YK5");
}

TEST(what_is_no_slot)
{
    static const char *const texts[] = { "",   "9",  "9b",  "9f", "81", "96",  "00",  "0x9a", "9a ",
                                         " 9", "9g", "%9a", "F8", "fa", "9A9", "154", "-1" };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_row(piv_slot_read(slice_of_str(texts[i])) == 0, texts[i]);
    }
    assert_int_equal(piv_slot_read((struct slice){ (const uint8_t *)"9\0", 2 }), 0);
}

TEST(slots_by_name)
{
    static const struct {
        const char *text;
        uint8_t slot;
    } rows[] = { { "9a", 0x9A }, { "9C", 0x9C }, { "9d", 0x9D }, { "9E", 0x9E }, { "82", 0x82 },
                 { "8a", 0x8A }, { "8F", 0x8F }, { "90", 0x90 }, { "95", 0x95 }, { "f9", 0xF9 } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(piv_slot_read(slice_of_str(rows[i].text)) == rows[i].slot, rows[i].text);
    }
}

/* From 87 on the two count differently. */
TEST(each_module_has_ids_of_its_own)
{
    static const struct {
        uint8_t slot;
        uint8_t opensc;
        uint8_t yubico;
    } rows[] = { { 0x9A, 0x01, 0x01 }, { 0x9C, 0x02, 0x02 }, { 0x9D, 0x03, 0x03 },
                 { 0x9E, 0x04, 0x04 }, { 0x82, 0x05, 0x05 }, { 0x86, 0x09, 0x09 },
                 { 0x87, 0x10, 0x0A }, { 0x8C, 0x15, 0x0F }, { 0x95, 0x24, 0x18 } };
    const CK_TOKEN_INFO opensc = of_opensc();
    const CK_TOKEN_INFO yubico = of_yubico();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct slice theirs = { &rows[i].opensc, 1 };
        const struct slice others = { &rows[i].yubico, 1 };

        assert_true(slice_equal(piv_id_of_slot(&opensc, rows[i].slot), theirs));
        assert_true(slice_equal(piv_id_of_slot(&yubico, rows[i].slot), others));
        assert_int_equal(piv_slot_of_id(&opensc, theirs), rows[i].slot);
        assert_int_equal(piv_slot_of_id(&yubico, others), rows[i].slot);
    }
}

TEST(every_slot_there_and_back)
{
    const CK_TOKEN_INFO infos[] = { of_opensc(), of_yubico() };
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(infos); i++) {
        for (unsigned int slot = 0; slot <= UINT8_MAX; slot++) {
            struct slice id = piv_id_of_slot(&infos[i], (uint8_t)slot);
            if (id.len > 0) {
                assert_int_equal(piv_slot_of_id(&infos[i], id), slot);
                n++;
            }
        }
    }
    assert_int_equal(n, 24 + 25);
}

TEST(other_tokens_have_no_slots)
{
    const CK_TOKEN_INFO infos[] = { token("SoftHSM project", "SoftHSM v2"), token("piv_II", "PKCS#15"),
                                    token("Yubico (www.yubico.com)", "YubiHSM"), token("", "") };
    const uint8_t one = 1;

    for (size_t i = 0; i < ARRAY_LEN(infos); i++) {
        assert_false(piv_is_card(&infos[i]));
        assert_int_equal(piv_id_of_slot(&infos[i], 0x9A).len, 0);
        assert_int_equal(piv_slot_of_id(&infos[i], (struct slice){ &one, 1 }), 0);
    }
}

TEST(an_id_that_is_no_slots)
{
    const CK_TOKEN_INFO info = of_opensc();
    static const uint8_t ids[][2] = { { 0x00 }, { 0x0A }, { 0x25 }, { 0xFF } };

    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        assert_int_equal(piv_slot_of_id(&info, (struct slice){ ids[i], 1 }), 0);
    }
    assert_int_equal(piv_slot_of_id(&info, (struct slice){ (const uint8_t *)"\1\1", 2 }), 0);
    assert_int_equal(piv_slot_of_id(&info, (struct slice){ 0 }), 0);
}

TEST(a_uri_that_names_a_slot)
{
    const CK_TOKEN_INFO opensc = of_opensc();
    const CK_TOKEN_INFO yubico = of_yubico();
    const CK_TOKEN_INFO other = token("SoftHSM project", "SoftHSM v2");
    static const char *const texts[] = { "pkcs11:piv-slot=87", "PKCS11:piv-slot=87;slot-id=3",
                                         "pkcs11:type=private;piv-slot=87?pin-source=x",
                                         "pkcs11:slot-id=3;piv-slot=87;type=private" };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(p11_uri_freep) struct p11_uri *uri = NULL;
        struct slice id;

        assert_ok(p11_uri_parse(texts[i], P11_URI_KEY, &uri, NULL));
        assert_true(p11_uri_names_object(uri));
        assert_true(p11_uri_id(uri, &opensc, &id));
        assert_true(slice_equal(id, (struct slice){ (const uint8_t *)"\x10", 1 }));
        assert_true(p11_uri_id(uri, &yubico, &id));
        assert_true(slice_equal(id, (struct slice){ (const uint8_t *)"\x0A", 1 }));
        assert_true(p11_uri_id(uri, NULL, &id));
        assert_int_equal(id.len, 0);
        assert_true(p11_uri_matches_token(uri, 3, &opensc) && p11_uri_matches_token(uri, 3, &yubico));
        assert_false(p11_uri_matches_token(uri, 3, &other));
    }
}

TEST(a_uri_that_names_no_slot_of_a_card)
{
    static const struct {
        const char *text;
        const char *reason;
    } rows[] = { { "pkcs11:piv-slot=", "piv-slot must be" },
                 { "pkcs11:piv-slot=9b", "piv-slot must be" },
                 { "pkcs11:piv-slot=%39a", "piv-slot must be" },
                 { "pkcs11:piv-slot=9a;piv-slot=9a", "given twice" },
                 { "pkcs11:piv-slot=9a;id=%01", "two names for the same thing" },
                 { "pkcs11:id=;piv-slot=9a", "two names for the same thing" },
                 { "pkcs11:piv-slot=9a;", "ends with a separator" },
                 { "pkcs11:?piv-slot=9a", "unknown attribute" },
                 { "pkcs11:PIV-SLOT=9a", "unknown attribute" } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct p11_uri *uri = NULL;
        struct keystay_error err = { 0 };

        assert_row(p11_uri_parse(rows[i].text, P11_URI_KEY, &uri, &err) == KEYSTAY_E_CONFIG, rows[i].text);
        assert_contains(err.message, rows[i].reason);
    }
}

/* The status stays what it was, and so does advice about other things. */
TEST(a_refusal_for_want_of_the_management_key)
{
    const CK_TOKEN_INFO card = of_opensc();
    const CK_TOKEN_INFO other = token("SoftHSM project", "SoftHSM v2");
    const struct {
        const CK_TOKEN_INFO *info;
        CK_RV rv;
        bool is_it;
    } rows[] = { { &card, CKR_FUNCTION_NOT_SUPPORTED, true },
                 { &card, CKR_USER_TYPE_INVALID, true },
                 { &card, CKR_USER_NOT_LOGGED_IN, true },
                 { NULL, CKR_USER_TYPE_INVALID, true },
                 { &other, CKR_FUNCTION_NOT_SUPPORTED, false },
                 { NULL, CKR_FUNCTION_NOT_SUPPORTED, false },
                 { &card, CKR_DEVICE_ERROR, false } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct keystay_error err = { 0 };

        (void)err_set_hint(&err, KEYSTAY_E_MODULE, "of before", "it failed");
        assert_int_equal(
            piv_advise(rows[i].info, rows[i].rv, "use a tool", KEYSTAY_E_MODULE, &err), KEYSTAY_E_MODULE);
        assert_string_equal(err.message, "it failed");
        assert_contains(err.hint, rows[i].is_it ? "use a tool" : "of before");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_slot),
        cmocka_unit_test(slots_by_name),
        cmocka_unit_test(each_module_has_ids_of_its_own),
        cmocka_unit_test(every_slot_there_and_back),
        cmocka_unit_test(other_tokens_have_no_slots),
        cmocka_unit_test(an_id_that_is_no_slots),
        cmocka_unit_test(a_uri_that_names_a_slot),
        cmocka_unit_test(a_uri_that_names_no_slot_of_a_card),
        cmocka_unit_test(a_refusal_for_want_of_the_management_key),
    };

    return RUN_TESTS(tests);
}
