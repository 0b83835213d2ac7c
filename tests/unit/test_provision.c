/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_module.h"

#include "pkcs11/cryptoki/provision.h"

static const CK_KEY_TYPE rsa = CKK_RSA, ec = CKK_EC;
static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static const uint8_t p256[] = { 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07 };
static const uint8_t p384[] = { 0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22 };

#define VALUE(variable) ((struct slice){ (const uint8_t *)&(variable), sizeof(variable) })
#define BYTES(array) ((struct slice){ (const uint8_t *)(array), sizeof(array) })

/* What the fake says of the key that it made: as it should be. */
enum { TYPE, ID, SENSITIVE, EXTRACTABLE, ALWAYS, NEVER, LOCAL, SIGN, CURVE, N };
static struct fake_attribute made[N];
static struct p11_module module;
static struct p11_session session;

static void reset(void)
{
    module = fake_reset();
    session = fake_session(&module);
    made[TYPE] = (struct fake_attribute){ CKA_KEY_TYPE, VALUE(ec), CKR_OK };
    made[ID] = (struct fake_attribute){ CKA_ID, SLICE("\x02"), CKR_OK };
    made[SENSITIVE] = (struct fake_attribute){ CKA_SENSITIVE, VALUE(yes), CKR_OK };
    made[EXTRACTABLE] = (struct fake_attribute){ CKA_EXTRACTABLE, VALUE(no), CKR_OK };
    made[ALWAYS] = (struct fake_attribute){ CKA_ALWAYS_SENSITIVE, VALUE(yes), CKR_OK };
    made[NEVER] = (struct fake_attribute){ CKA_NEVER_EXTRACTABLE, VALUE(yes), CKR_OK };
    made[LOCAL] = (struct fake_attribute){ CKA_LOCAL, VALUE(yes), CKR_OK };
    made[SIGN] = (struct fake_attribute){ CKA_SIGN, VALUE(yes), CKR_OK };
    made[CURVE] = (struct fake_attribute){ CKA_EC_PARAMS, BYTES(p256), CKR_OK };
    fake.attributes = made;
    fake.n_attributes = N;
}

static enum keystay_status make(struct provision_wish wish, struct keystay_error *err)
{
    struct p11_key key;

    wish.kind = wish.kind == NULL ? provision_kind_by_name("ec:P-256") : wish.kind;
    return provision_make_key(&session, &wish, &key, err);
}

/* Of the nth template for a private key; NULL when it is not in it. */
static const CK_ATTRIBUTE *asked(int nth, CK_ATTRIBUTE_TYPE type)
{
    for (CK_ULONG i = 0; i < fake.n_made_private[nth]; i++) {
        if (fake.made_private[nth][i].type == type) {
            return &fake.made_private[nth][i];
        }
    }
    return NULL;
}

static bool is_asked(int nth, CK_ATTRIBUTE_TYPE type, CK_BBOOL value)
{
    const CK_ATTRIBUTE *attribute = asked(nth, type);

    return attribute != NULL && attribute->ulValueLen == 1 && *(const CK_BBOOL *)attribute->pValue == value;
}

TEST(there_are_no_other_kinds)
{
    static const char *const others[] = { "", "rsa", "rsa:1024", "RSA:2048", "ec:P-521", "ec:secp256k1" };

    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_null(provision_kind_by_name(others[i]));
    }
}

TEST(the_token_is_asked_for_a_key_that_stays)
{
    static const struct {
        const char *name;
        CK_MECHANISM_TYPE mechanism;
    } rows[] = { { "rsa:2048", CKM_RSA_PKCS_KEY_PAIR_GEN },
                 { "rsa:3072", CKM_RSA_PKCS_KEY_PAIR_GEN },
                 { "rsa:4096", CKM_RSA_PKCS_KEY_PAIR_GEN },
                 { "ec:P-256", CKM_EC_KEY_PAIR_GEN },
                 { "ec:P-384", CKM_EC_KEY_PAIR_GEN } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool is_rsa = rows[i].mechanism == CKM_RSA_PKCS_KEY_PAIR_GEN;

        reset();
        made[TYPE].value = is_rsa ? VALUE(rsa) : VALUE(ec);
        made[CURVE].value = strstr(rows[i].name, "384") != NULL ? BYTES(p384) : BYTES(p256);
        fake.n_attributes = is_rsa ? CURVE : N;
        assert_ok(make(
            (struct provision_wish){ .kind = provision_kind_by_name(rows[i].name), .id = SLICE("\x02") },
            NULL));
        assert_row(fake.made_with == rows[i].mechanism, rows[i].name);
        assert_row(is_asked(0, CKA_TOKEN, CK_TRUE) && is_asked(0, CKA_PRIVATE, CK_TRUE), rows[i].name);
        assert_row(is_asked(0, CKA_SENSITIVE, CK_TRUE), rows[i].name);
        assert_row(is_asked(0, CKA_EXTRACTABLE, CK_FALSE), rows[i].name);
        assert_row(is_asked(0, CKA_SIGN, CK_TRUE) && is_asked(0, CKA_DECRYPT, CK_FALSE), rows[i].name);
        assert_row(is_asked(0, CKA_UNWRAP, CK_FALSE) && fake.n_made == 1, rows[i].name);
        assert_row(fake.n_destroyed == 0, rows[i].name);
    }
}

TEST(an_id_is_chosen_where_none_is_given)
{
    reset();
    made[ID].value = SLICE("\x01");
    assert_ok(make((struct provision_wish){ .label = SLICE("x") }, NULL));
    assert_int_equal(asked(0, CKA_ID)->ulValueLen, 1);
    assert_non_null(asked(0, CKA_LABEL));

    reset();
    fake.n_found = 1; /* everything is taken */
    assert_int_equal(make((struct provision_wish){ .kind = NULL }, NULL), KEYSTAY_E_AMBIGUOUS);
    assert_int_equal(fake.n_made, 0);
}

/* First without the uses, then without CKA_EXTRACTABLE: what is not said must come out right all the same. */
TEST(a_module_that_will_not_be_told_is_asked_again_with_less)
{
    static const CK_RV rvs[] = { CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID,
                                 CKR_TEMPLATE_INCONSISTENT };

    for (size_t i = 0; i < ARRAY_LEN(rvs); i++) {
        reset();
        fake.make_rvs[0] = rvs[i];
        fake.make_rvs[1] = rvs[i];
        assert_ok(make((struct provision_wish){ .id = SLICE("\x02") }, NULL));
        assert_int_equal(fake.n_made, 3);
        assert_true(is_asked(1, CKA_EXTRACTABLE, CK_FALSE));
        assert_null(asked(2, CKA_EXTRACTABLE));
        for (int nth = 1; nth <= 2; nth++) {
            assert_null(asked(nth, CKA_DECRYPT));
            assert_null(asked(nth, CKA_UNWRAP));
            assert_true(is_asked(nth, CKA_SENSITIVE, CK_TRUE) && is_asked(nth, CKA_SIGN, CK_TRUE));
        }
    }
}

/* Which may also mean that the token is away: then the second answer is the last one. */
TEST(a_module_that_has_no_better_word_is_asked_once_more)
{
    reset();
    fake.make_rvs[0] = CKR_GENERAL_ERROR;
    assert_ok(make((struct provision_wish){ .id = SLICE("\x02") }, NULL));
    assert_int_equal(fake.n_made, 2);
    assert_true(is_asked(1, CKA_EXTRACTABLE, CK_FALSE));

    reset();
    fake.make_rvs[0] = CKR_GENERAL_ERROR;
    fake.make_rvs[1] = CKR_GENERAL_ERROR;
    assert_int_equal(make((struct provision_wish){ .id = SLICE("\x02") }, NULL), KEYSTAY_E_MODULE);
    assert_int_equal(fake.n_made, 2);
}

TEST(any_other_refusal_is_the_answer)
{
    struct keystay_error err;

    reset();
    fake.make_rvs[0] = CKR_DEVICE_MEMORY;
    assert_int_equal(make((struct provision_wish){ .id = SLICE("\x02") }, &err), KEYSTAY_E_MODULE);
    assert_int_equal(fake.n_made, 1);

    reset();
    fake.make_rvs[0] = CKR_MECHANISM_INVALID;
    (void)make((struct provision_wish){ .id = SLICE("\x02") }, &err);
    assert_contains(err.hint, "--type");

    reset();
    fake.make_rvs[0] = CKR_TEMPLATE_INCONSISTENT;
    fake.make_rvs[1] = CKR_USER_NOT_LOGGED_IN;
    (void)make((struct provision_wish){ .id = SLICE("\x02") }, &err);
    assert_contains(err.hint, "management key");
    assert_int_equal(fake.n_destroyed, 0);
}

TEST(a_key_that_is_not_what_was_asked_for_is_destroyed_again)
{
    static const struct {
        const char *name;
        int which;
        struct slice value;
        CK_RV rv;
    } rows[] = {
        { "CKA_SENSITIVE", SENSITIVE, { &no, 1 }, CKR_OK },
        { "CKA_EXTRACTABLE", EXTRACTABLE, { &yes, 1 }, CKR_OK },
        { "CKA_EXTRACTABLE", EXTRACTABLE, { NULL, 0 }, CKR_ATTRIBUTE_TYPE_INVALID },
        { "CKA_ALWAYS_SENSITIVE", ALWAYS, { &no, 1 }, CKR_OK },
        { "CKA_NEVER_EXTRACTABLE", NEVER, { &no, 1 }, CKR_OK },
        { "CKA_NEVER_EXTRACTABLE", NEVER, { NULL, 0 }, CKR_ATTRIBUTE_SENSITIVE },
        { "CKA_LOCAL", LOCAL, { &no, 1 }, CKR_OK },
        { "CKA_SIGN", SIGN, { &no, 1 }, CKR_OK },
        { "CKA_ID", ID, { &no, 1 }, CKR_OK },
        { "type or size", TYPE, { (const uint8_t *)&rsa, sizeof(rsa) }, CKR_OK },
        { "type or size", CURVE, { p384, sizeof(p384) }, CKR_OK },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct keystay_error err;

        reset();
        made[rows[i].which].value = rows[i].value;
        made[rows[i].which].rv = rows[i].rv;
        assert_row(
            make((struct provision_wish){ .id = SLICE("\x02") }, &err) == KEYSTAY_E_KEY_REFUSED,
            rows[i].name);
        assert_contains(err.message, rows[i].name);
        assert_contains(err.message, "destroyed again");
        assert_row(fake.n_destroyed == 2 && fake.destroyed[0] == FAKE_PRIVATE, rows[i].name);
        assert_row(fake.destroyed[1] == FAKE_PUBLIC, rows[i].name);
    }
}

TEST(what_cannot_be_looked_at_is_destroyed_too)
{
    struct keystay_error err;

    reset();
    fake.read_rv = CKR_DEVICE_ERROR;
    fake.destroy_rv = CKR_TOKEN_WRITE_PROTECTED;
    assert_int_equal(make((struct provision_wish){ .id = SLICE("\x02") }, &err), KEYSTAY_E_MODULE);
    assert_contains(err.message, "still there");
    assert_int_equal(fake.n_destroyed, 2);
}

TEST(a_name_that_is_taken_is_not_taken_again)
{
    struct keystay_error err;

    reset();
    fake.n_found = 1;
    fake.found[0] = 50;
    assert_int_equal(make((struct provision_wish){ .id = SLICE("\x02") }, &err), KEYSTAY_E_AMBIGUOUS);
    assert_contains(err.message, "id=%02");
    assert_contains(err.hint, "--replace");
    assert_int_equal(fake.n_made, 0);
}

TEST(the_old_key_goes_when_the_new_one_is_there)
{
    const struct provision_wish wish = { .id = SLICE("\x02"), .replaces = true };

    reset();
    fake.n_found = 1;
    fake.found[0] = 50;
    assert_ok(make(wish, NULL));
    assert_int_equal(fake.n_destroyed, 1);
    assert_int_equal(fake.destroyed[0], 50);

    reset(); /* the new one is none: the old one stays */
    fake.n_found = 1;
    fake.found[0] = 50;
    made[EXTRACTABLE].value = VALUE(yes);
    assert_int_equal(make(wish, NULL), KEYSTAY_E_KEY_REFUSED);
    assert_int_equal(fake.n_destroyed, 2);
    assert_int_equal(fake.destroyed[0], FAKE_PRIVATE);
    assert_int_equal(fake.destroyed[1], FAKE_PUBLIC);

    reset(); /* a token that has one key in a place */
    fake.n_found = 1;
    fake.found[0] = FAKE_PRIVATE;
    assert_ok(make(wish, NULL));
    assert_int_equal(fake.n_destroyed, 0);
}

TEST(two_keys_are_not_replaced_at_once)
{
    reset();
    fake.n_found = 2;
    fake.found[0] = 50;
    fake.found[1] = 51;
    assert_int_equal(
        make((struct provision_wish){ .id = SLICE("\x02"), .replaces = true }, NULL), KEYSTAY_E_AMBIGUOUS);
    assert_int_equal(fake.n_made, 0);
}

static struct provision_key key_on(const char *label, const char *serial)
{
    struct provision_key key = { .bits = 256 };
    CK_TOKEN_INFO *info = &key.token.info;

    memset(info->label, ' ', sizeof(info->label));
    memset(info->serialNumber, ' ', sizeof(info->serialNumber));
    memcpy(info->label, label, strlen(label));
    memcpy(info->serialNumber, serial, strlen(serial));
    memcpy(key.key.id_text, "%01", 4);
    return key;
}

TEST(a_uri_means_this_key)
{
    static const struct {
        const char *label, *serial, *uri;
    } rows[] = {
        { "a", "b", "pkcs11:token=a;serial=b;id=%01" },
        { "a b;c=\xC3\xA4", "0x1", "pkcs11:token=a%20b%3Bc%3D%C3%A4;serial=0x1;id=%01" },
        { "", "7", "pkcs11:serial=7;id=%01" },
        { "x", "", "pkcs11:token=x;id=%01" },
        { "", "", "pkcs11:id=%01" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf text = BUF(512);
        const struct provision_key key = key_on(rows[i].label, rows[i].serial);

        assert_ok(provision_put_uri(&key, &text, NULL));
        assert_buf(&text, rows[i].uri);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_no_other_kinds),
        cmocka_unit_test(the_token_is_asked_for_a_key_that_stays),
        cmocka_unit_test(an_id_is_chosen_where_none_is_given),
        cmocka_unit_test(a_module_that_will_not_be_told_is_asked_again_with_less),
        cmocka_unit_test(a_module_that_has_no_better_word_is_asked_once_more),
        cmocka_unit_test(any_other_refusal_is_the_answer),
        cmocka_unit_test(a_key_that_is_not_what_was_asked_for_is_destroyed_again),
        cmocka_unit_test(what_cannot_be_looked_at_is_destroyed_too),
        cmocka_unit_test(a_name_that_is_taken_is_not_taken_again),
        cmocka_unit_test(the_old_key_goes_when_the_new_one_is_there),
        cmocka_unit_test(two_keys_are_not_replaced_at_once),
        cmocka_unit_test(a_uri_means_this_key),
    };

    return RUN_TESTS(tests);
}
