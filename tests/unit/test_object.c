/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_module.h"

#include <stdlib.h>

static const struct fake_attribute object[] = {
    { CKA_LABEL, { (const uint8_t *)"label", 5 }, CKR_OK },
    { CKA_ID, { (const uint8_t *)"\0\1", 2 }, CKR_OK },
    { CKA_PRIVATE_EXPONENT, { NULL, 0 }, CKR_ATTRIBUTE_SENSITIVE },
    { CKA_MODULUS, { (const uint8_t *)"12345678", 8 }, CKR_OK },
    { CKA_APPLICATION, { NULL, 0 }, CKR_OK },
    /* A value that is the pattern with which buffers are filled. */
    { CKA_SUBJECT, { (const uint8_t *)"\xA5\xA5\xA5\xA5", 4 }, CKR_OK },
};

static struct p11_module fresh(enum fake_manner manner)
{
    struct p11_module module = fake_reset();

    fake.manner = manner;
    fake.attributes = object;
    fake.n_attributes = ARRAY_LEN(object);
    return module;
}

/* What is read, each with 16 bytes of room. */
enum { ROOM = 16, WANTED_MAX = 8 };
struct wanted {
    CK_ATTRIBUTE attributes[WANTED_MAX];
    uint8_t bytes[WANTED_MAX][ROOM];
};

static void want(struct wanted *wanted, const CK_ATTRIBUTE_TYPE *types, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        wanted->attributes[i] = (CK_ATTRIBUTE){ types[i], wanted->bytes[i], ROOM };
    }
}

static void assert_got(const CK_ATTRIBUTE *attribute, struct slice value)
{
    assert_int_equal(attribute->ulValueLen, value.len);
    assert_memory_equal(attribute->pValue, value.data, value.len);
}

#define assert_unavailable(attribute) assert_true((attribute).ulValueLen == CK_UNAVAILABLE_INFORMATION)

TEST(too_many_attributes_at_once_are_refused_before_the_call)
{
    struct p11_module module = fresh(FAKE_BY_THE_BOOK);
    struct p11_session session = fake_session(&module);
    CK_ATTRIBUTE attributes[17];
    uint8_t byte = 0;

    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        attributes[i] = (CK_ATTRIBUTE){ CKA_LABEL, &byte, 1 };
    }
    assert_int_equal(object_read(&session, 1, attributes, 17, NULL), KEYSTAY_E_INTERNAL);
    assert_int_equal(fake.n_reads, 0);
    assert_ok(object_read(&session, 1, attributes, 16, NULL));
}

TEST(a_real_failure_is_an_error_and_not_a_missing_value)
{
    struct p11_module module = fresh(FAKE_BY_THE_BOOK);
    struct p11_session session = fake_session(&module);
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_LABEL };
    struct wanted wanted;
    struct keystay_error err;

    want(&wanted, types, 1);
    fake.read_rv = CKR_DEVICE_REMOVED;
    assert_int_equal(object_read(&session, 1, wanted.attributes, 1, &err), KEYSTAY_E_MODULE);
    assert_int_equal(err.ck_rv, CKR_DEVICE_REMOVED);
    assert_string_equal(err.message, "token 'fake': C_GetAttributeValue failed: CKR_DEVICE_REMOVED (0x32)");
}

TEST(each_call_of_a_search_can_fail)
{
    static const struct {
        const char *call;
        size_t at; /* in struct fake_module */
        const char *trace;
    } rows[] = {
        { "C_FindObjectsInit", offsetof(struct fake_module, find_init_rv), "C_FindObjectsInit " },
        { "C_FindObjects", offsetof(struct fake_module, find_rv),
          "C_FindObjectsInit C_FindObjects C_FindObjectsFinal " },
        { "C_FindObjectsFinal", offsetof(struct fake_module, find_final_rv),
          "C_FindObjectsInit C_FindObjects C_FindObjectsFinal " },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct p11_module module = fresh(FAKE_BY_THE_BOOK);
        struct p11_session session = fake_session(&module);
        struct object_template search;
        CK_OBJECT_HANDLE objects[OBJECT_FOUND_MAX];
        CK_ULONG n = 77;
        struct keystay_error err;

        *(CK_RV *)(void *)((char *)&fake + rows[i].at) = CKR_SESSION_HANDLE_INVALID;
        object_template_init(&search, CKO_PRIVATE_KEY);
        assert_row(object_find(&session, &search, objects, &n, &err) == KEYSTAY_E_MODULE, rows[i].call);
        assert_row(n == 77, rows[i].call);
        assert_contains(err.message, rows[i].call);
        assert_int_equal(err.ck_rv, CKR_SESSION_HANDLE_INVALID);
        /* A search that was begun is ended: it would block the session's next one. */
        assert_string_equal(fake.trace, rows[i].trace);
    }
}

TEST(a_search_takes_three_calls)
{
    struct p11_module module = fresh(FAKE_BY_THE_BOOK);
    struct p11_session session = fake_session(&module);
    struct object_template search;
    CK_OBJECT_HANDLE objects[OBJECT_FOUND_MAX] = { 0 };
    CK_ULONG n = 0;

    fake.found[0] = 42;
    fake.found[1] = 7;
    fake.n_found = 2;
    object_template_init(&search, CKO_CERTIFICATE);
    assert_ok(object_find(&session, &search, objects, &n, NULL));
    assert_int_equal(n, 2);
    assert_int_equal(objects[0], 42);
    assert_int_equal(objects[1], 7);
    assert_string_equal(fake.trace, "C_FindObjectsInit C_FindObjects C_FindObjectsFinal ");
    assert_int_equal(fake.n_entered, fake.n_left);
}

struct visits {
    size_t n;
    CK_OBJECT_HANDLE sum;
    size_t stop_at;
};

/* An object_visit. */
static enum keystay_status visit(
    const struct p11_session *session, CK_OBJECT_HANDLE handle, void *context, struct keystay_error *err)
{
    struct visits *visits = context;

    (void)session;
    (void)err;
    visits->n++;
    visits->sum += handle;
    return visits->n == visits->stop_at ? KEYSTAY_E_INTERRUPTED : KEYSTAY_OK;
}

TEST(each_of_many_objects_is_visited_once)
{
    static const CK_ULONG counts[] = { 0, 1, 255, 256, 257, FAKE_FOUND_MAX };

    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        struct p11_module module = fresh(FAKE_BY_THE_BOOK);
        struct p11_session session = fake_session(&module);
        struct object_template search;
        struct visits visits = { 0 };

        for (CK_ULONG j = 0; j < counts[i]; j++) {
            fake.found[j] = j + 1;
        }
        fake.n_found = counts[i];
        object_template_init(&search, CKO_PRIVATE_KEY);
        assert_ok(object_each(&session, &search, visit, &visits, NULL));
        assert_int_equal(visits.n, counts[i]);
        assert_int_equal(visits.sum, counts[i] * (counts[i] + 1) / 2);
        assert_non_null(strstr(fake.trace, "C_FindObjectsFinal"));
    }
}

TEST(a_visit_that_fails_is_the_last)
{
    struct p11_module module = fresh(FAKE_BY_THE_BOOK);
    struct p11_session session = fake_session(&module);
    struct object_template search;
    struct visits visits = { .stop_at = 2 };

    fake.n_found = 5;
    object_template_init(&search, CKO_PRIVATE_KEY);
    assert_int_equal(object_each(&session, &search, visit, &visits, NULL), KEYSTAY_E_INTERRUPTED);
    assert_int_equal(visits.n, 2);
}

/* No handle is read that was not written, and a module that never comes to an end is left. */
TEST(a_search_for_all_that_lies_is_an_error)
{
    static const CK_ULONG claims[] = { 257, (CK_ULONG)-1, 1 };

    for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
        struct p11_module module = fresh(FAKE_BY_THE_BOOK);
        struct p11_session session = fake_session(&module);
        struct object_template search;
        struct visits visits = { 0 };

        module.watch = NULL; /* the endless one would only fill the trace */
        fake.n_found_claimed = claims[i];
        object_template_init(&search, CKO_PRIVATE_KEY);
        assert_int_not_equal(object_each(&session, &search, visit, &visits, NULL), KEYSTAY_OK);
        assert_int_equal(visits.n, 0);
    }
}

TEST(the_template_narrows_by_what_the_uri_says)
{
    static const struct {
        const char *uri;
        CK_ULONG n;
        CK_ATTRIBUTE_TYPE types[2];
        CK_ULONG lens[2];
    } rows[] = {
        { "pkcs11:token=x", 1, { 0 }, { 0 } },
        { "pkcs11:id=%00%01", 2, { CKA_ID }, { 2 } },
        { "pkcs11:object=name", 2, { CKA_LABEL }, { 4 } },
        { "pkcs11:object=name;id=%01;type=private", 3, { CKA_ID, CKA_LABEL }, { 1, 4 } },
        { "pkcs11:id=", 2, { CKA_ID }, { 0 } },
    };

    const struct p11_session session = { .where = "token 'fake'" };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(p11_uri_freep) struct p11_uri *uri = NULL;
        struct object_template search;

        assert_ok(p11_uri_parse(rows[i].uri, P11_URI_KEY, &uri, NULL));
        object_template_init(&search, CKO_PRIVATE_KEY);
        object_template_add_uri(&search, &session, uri);
        assert_row(search.n == rows[i].n, rows[i].uri);
        assert_row(search.attributes[0].type == CKA_CLASS, rows[i].uri);
        assert_row(*(CK_OBJECT_CLASS *)search.attributes[0].pValue == CKO_PRIVATE_KEY, rows[i].uri);
        for (CK_ULONG j = 1; j < search.n; j++) {
            assert_row(search.attributes[j].type == rows[i].types[j - 1], rows[i].uri);
            assert_row(search.attributes[j].ulValueLen == rows[i].lens[j - 1], rows[i].uri);
        }
    }
}

TEST(a_module_by_the_book_is_asked_once)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_LABEL, CKA_PRIVATE_EXPONENT, CKA_ID, CKA_VALUE,
                                               CKA_MODULUS };
    struct p11_module module = fresh(FAKE_BY_THE_BOOK);
    struct p11_session session = fake_session(&module);
    struct wanted wanted;

    want(&wanted, types, ARRAY_LEN(types));
    wanted.attributes[4].ulValueLen = 7; /* a byte too few */
    assert_ok(object_read(&session, 1, wanted.attributes, ARRAY_LEN(types), NULL));
    assert_got(&wanted.attributes[0], SLICE("label"));
    assert_unavailable(wanted.attributes[1]);
    assert_got(&wanted.attributes[2], SLICE("\0\1"));
    assert_unavailable(wanted.attributes[3]);
    assert_unavailable(wanted.attributes[4]);
    assert_int_equal(fake.n_reads, 1);
}

TEST(what_a_module_did_not_look_at_is_asked_for_again)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_LABEL, CKA_PRIVATE_EXPONENT, CKA_ID, CKA_MODULUS,
                                               CKA_VALUE, CKA_SUBJECT };
    static const enum fake_manner manners[] = { FAKE_STOPS_MARKING, FAKE_STOPS_SILENTLY };

    for (size_t i = 0; i < ARRAY_LEN(manners); i++) {
        struct p11_module module = fresh(manners[i]);
        struct p11_session session = fake_session(&module);
        struct wanted wanted;

        want(&wanted, types, ARRAY_LEN(types));
        assert_ok(object_read(&session, 1, wanted.attributes, ARRAY_LEN(types), NULL));
        assert_got(&wanted.attributes[0], SLICE("label"));
        assert_unavailable(wanted.attributes[1]);
        assert_got(&wanted.attributes[2], SLICE("\0\1"));
        assert_got(&wanted.attributes[3], SLICE("12345678"));
        assert_unavailable(wanted.attributes[4]);
        assert_got(&wanted.attributes[5], SLICE("\xA5\xA5\xA5\xA5"));
        assert_true(fake.n_reads <= 1 + (int)ARRAY_LEN(types));
    }
}

TEST(a_first_attribute_that_is_disliked_does_not_hide_the_rest)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_VALUE, CKA_LABEL };
    struct p11_module module = fresh(FAKE_STOPS_SILENTLY);
    struct p11_session session = fake_session(&module);
    struct wanted wanted;

    want(&wanted, types, 2);
    assert_ok(object_read(&session, 1, wanted.attributes, 2, NULL));
    assert_unavailable(wanted.attributes[0]);
    assert_got(&wanted.attributes[1], SLICE("label"));
}

TEST(an_empty_value_is_there)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_APPLICATION };
    struct p11_module module = fresh(FAKE_BY_THE_BOOK);
    struct p11_session session = fake_session(&module);
    struct wanted wanted;

    want(&wanted, types, 1);
    assert_ok(object_read(&session, 1, wanted.attributes, 1, NULL));
    assert_int_equal(wanted.attributes[0].ulValueLen, 0);
}

TEST(a_value_that_fills_its_room_fits)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_MODULUS, CKA_SUBJECT };
    struct p11_module module = fresh(FAKE_BY_THE_BOOK);
    struct p11_session session = fake_session(&module);
    struct wanted wanted;

    want(&wanted, types, 2);
    wanted.attributes[0].ulValueLen = 8;
    wanted.attributes[1].ulValueLen = 4; /* looks untouched, but the answer was whole */
    assert_ok(object_read(&session, 1, wanted.attributes, 2, NULL));
    assert_got(&wanted.attributes[0], SLICE("12345678"));
    assert_got(&wanted.attributes[1], SLICE("\xA5\xA5\xA5\xA5"));
    assert_int_equal(fake.n_reads, 1);
}

TEST(a_failure_while_the_rest_is_asked_for_is_an_error)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_VALUE, CKA_LABEL };
    static const struct fake_attribute broken[] = { { CKA_LABEL, { NULL, 0 }, CKR_DEVICE_ERROR } };
    struct p11_module module = fresh(FAKE_STOPS_MARKING);
    struct p11_session session = fake_session(&module);
    struct wanted wanted;
    struct keystay_error err;

    fake.attributes = broken;
    fake.n_attributes = 1;
    want(&wanted, types, 2);
    assert_int_equal(object_read(&session, 1, wanted.attributes, 2, &err), KEYSTAY_E_MODULE);
    assert_int_equal(err.ck_rv, CKR_DEVICE_ERROR);
}

/* The number that a module claims is not the number that it wrote. */
TEST(a_claim_of_more_objects_than_asked_for_is_cut)
{
    static const CK_ULONG claims[] = { OBJECT_FOUND_MAX, OBJECT_FOUND_MAX + 1, 1000000, (CK_ULONG)-1 };

    for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
        struct p11_module module = fresh(FAKE_BY_THE_BOOK);
        struct p11_session session = fake_session(&module);
        struct object_template search;
        CK_OBJECT_HANDLE objects[OBJECT_FOUND_MAX] = { 0 };
        CK_ULONG n = 0;

        fake.n_found = FAKE_FOUND_MAX;
        fake.n_found_claimed = claims[i];
        object_template_init(&search, CKO_PRIVATE_KEY);
        assert_ok(object_find(&session, &search, objects, &n, NULL));
        assert_int_equal(n, OBJECT_FOUND_MAX);
    }
}

TEST(a_length_beyond_the_room_is_no_length)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_LABEL, CKA_ID };
    static const CK_ULONG lens[] = { ROOM + 1, 100000, (CK_ULONG)-2, (CK_ULONG)-1 };

    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        struct p11_module module = fresh(FAKE_LIES_LONG);
        struct p11_session session = fake_session(&module);
        struct wanted wanted;

        fake.claimed_len = lens[i];
        want(&wanted, types, 2);
        assert_ok(object_read(&session, 1, wanted.attributes, 2, NULL));
        assert_unavailable(wanted.attributes[0]);
        assert_unavailable(wanted.attributes[1]);
    }
}

/* The rest of the buffer is the filling, never what lay in memory before. */
TEST(a_length_that_is_too_long_within_the_room_shows_no_old_memory)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_ID };
    struct p11_module module = fresh(FAKE_LIES_LONG);
    struct p11_session session = fake_session(&module);
    struct wanted wanted;

    fake.claimed_len = ROOM;
    memset(&wanted, 'S', sizeof(wanted));
    want(&wanted, types, 1);
    assert_ok(object_read(&session, 1, wanted.attributes, 1, NULL));
    assert_null(memchr(wanted.bytes[0], 'S', ROOM));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_many_attributes_at_once_are_refused_before_the_call),
        cmocka_unit_test(a_real_failure_is_an_error_and_not_a_missing_value),
        cmocka_unit_test(each_call_of_a_search_can_fail),
        cmocka_unit_test(a_search_takes_three_calls),
        cmocka_unit_test(each_of_many_objects_is_visited_once),
        cmocka_unit_test(a_visit_that_fails_is_the_last),
        cmocka_unit_test(a_search_for_all_that_lies_is_an_error),
        cmocka_unit_test(the_template_narrows_by_what_the_uri_says),
        cmocka_unit_test(a_module_by_the_book_is_asked_once),
        cmocka_unit_test(what_a_module_did_not_look_at_is_asked_for_again),
        cmocka_unit_test(a_first_attribute_that_is_disliked_does_not_hide_the_rest),
        cmocka_unit_test(an_empty_value_is_there),
        cmocka_unit_test(a_value_that_fills_its_room_fits),
        cmocka_unit_test(a_failure_while_the_rest_is_asked_for_is_an_error),
        cmocka_unit_test(a_claim_of_more_objects_than_asked_for_is_cut),
        cmocka_unit_test(a_length_beyond_the_room_is_no_length),
        cmocka_unit_test(a_length_that_is_too_long_within_the_room_shows_no_old_memory),
    };

    return RUN_TESTS(tests);
}
