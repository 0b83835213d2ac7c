/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */

#include "unit.h"

#include <cjson/cJSON.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/str.h"

static struct json *parse(const char *text)
{
    struct json *json = NULL;

    assert_ok(json_parse_object(slice_of_str(text), &json, NULL));
    assert_non_null(json);
    return json;
}

static void refuse(struct slice text, const char *why)
{
    struct json *json = NULL;
    struct keystay_error err;

    assert_row(json_parse_object(text, &json, &err) == KEYSTAY_E_SERVER_RESPONSE, (const char *)text.data);
    assert_null(json);
    assert_contains(err.message, why);
}

TEST(freeing_nothing_is_fine)
{
    struct json *json = NULL;

    json_free(NULL);
    json_freep(&json);
    assert_null(json);
}

TEST(a_member_that_is_not_there_or_of_another_type_is_named)
{
    CLEANUP(json_freep) struct json *json = parse("{\"n\":1,\"s\":\"x\",\"z\":null,\"b\":true}");
    CLEANUP(secret_clear) struct secret secret = { 0 };
    const char *text = "untouched";
    int64_t number = 77;
    struct keystay_error err;

    assert_int_equal(json_get_str(json, "absent", &text, &err), KEYSTAY_E_SERVER_RESPONSE);
    assert_contains(err.message, "\"absent\"");
    assert_int_equal(json_get_str(json, "n", &text, NULL), KEYSTAY_E_SERVER_RESPONSE);
    assert_int_equal(json_get_str(json, "z", &text, NULL), KEYSTAY_E_SERVER_RESPONSE);
    assert_int_equal(json_get_secret(json, "n", &secret, NULL), KEYSTAY_E_SERVER_RESPONSE);
    assert_int_equal(json_get_i64(json, "s", &number, &err), KEYSTAY_E_SERVER_RESPONSE);
    assert_contains(err.message, "\"s\"");
    assert_int_equal(json_get_i64(json, "b", &number, NULL), KEYSTAY_E_SERVER_RESPONSE);
    assert_int_equal(json_get_i64(json, "absent", &number, NULL), KEYSTAY_E_SERVER_RESPONSE);
    assert_string_equal(text, "untouched");
    assert_int_equal(number, 77);
    assert_null(secret.data);
    assert_null(json_str_or_null(json, "n"));
    assert_null(json_str_or_null(json, "absent"));
}

TEST(reads_members)
{
    CLEANUP(json_freep)
    struct json *json =
        parse("{\"s\":\"\\u00e9\\n\",\"n\":3600,\"q\":\"3599\",\"z\":null,\"codes\":[7000215,1]}");
    CLEANUP(secret_clear) struct secret secret = { 0 };
    const char *text = NULL;
    int64_t number = 0;

    assert_ok(json_get_str(json, "s", &text, NULL));
    assert_string_equal(text, "\xC3\xA9\n");
    assert_ok(json_get_secret(json, "s", &secret, NULL));
    assert_slice(secret_slice(&secret), "\xC3\xA9\n");
    assert_ok(json_get_i64(json, "n", &number, NULL));
    assert_int_equal(number, 3600);
    assert_ok(json_get_i64(json, "q", &number, NULL));
    assert_int_equal(number, 3599);
    assert_true(json_has(json, "z"));
    assert_false(json_has(json, "y"));
    assert_int_equal(json_first_number_or_0(json, "codes"), 7000215);
}

TEST(walks_what_is_inside)
{
    static const struct {
        const char *name;
        enum json_type type;
    } rows[] = {
        { "z", JSON_NULL },   { "b", JSON_BOOL },  { "n", JSON_NUMBER },
        { "s", JSON_STRING }, { "a", JSON_ARRAY }, { "o", JSON_OBJECT },
    };
    CLEANUP(json_freep)
    struct json *json =
        parse("{\"z\":null,\"b\":true,\"n\":1.5,\"s\":\"x\",\"a\":[7,\"y\",{}],\"o\":{\"i\":[]}}");
    const struct json *member = json_first(json);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(str_equal(json_name(member), rows[i].name), rows[i].name);
        assert_row(json_type(member) == rows[i].type, rows[i].name);
        assert_row(member == json_member(json, rows[i].name), rows[i].name);
        member = json_next(member);
    }
    assert_null(member);
    const struct json *item = json_first(json_member(json, "a"));
    assert_true(json_number(item) == 7);
    assert_string_equal(json_text(json_next(item)), "y");
    assert_null(json_first(json_next(json_next(item))));
    assert_null(json_next(json_next(json_next(item))));
    assert_non_null(json_member(json_member(json, "o"), "i"));
}

TEST(what_is_not_there_or_of_another_type_has_no_value)
{
    CLEANUP(json_freep) struct json *json = parse("{\"b\":false,\"s\":\"true\",\"n\":1,\"t\":true}");

    assert_null(json_member(json, "absent"));
    assert_null(json_member(json_member(json, "s"), "i"));
    assert_null(json_member(NULL, "i"));
    assert_null(json_first(NULL));
    assert_null(json_first(json_member(json, "s")));
    assert_null(json_text(json_member(json, "n")));
    assert_null(json_text(NULL));
    assert_true(json_number(json_member(json, "s")) == 0);
    assert_true(json_number(NULL) == 0);
    assert_false(json_is_true(json_member(json, "b")));
    assert_false(json_is_true(json_member(json, "s")));
    assert_false(json_is_true(json_member(json, "n")));
    assert_false(json_is_true(NULL));
    assert_true(json_is_true(json_member(json, "t")));
}

TEST(the_first_number_of_what_is_no_list_is_0)
{
    static const char *const rows[] = {
        "{}", "{\"c\":5}", "{\"c\":[]}", "{\"c\":[\"5\"]}", "{\"c\":{\"a\":5}}", "{\"c\":[1e300]}",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_freep) struct json *json = parse(rows[i]);
        assert_row(json_first_number_or_0(json, "c") == 0, rows[i]);
    }
}

TEST(only_whole_numbers_within_2_to_the_53_count)
{
    static const struct {
        const char *text;
        bool is_good;
        int64_t value;
    } rows[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "-5", true, -5 },
        { "1e3", true, 1000 },
        { "9007199254740991", true, 9007199254740991 },
        { "-9007199254740991", true, -9007199254740991 },
        { "\"0\"", true, 0 },
        { "\"9007199254740991\"", true, 9007199254740991 },
        { "1.5", false, 0 },
        { "1e999", false, 0 },
        { "-1e999", false, 0 },
        { "1e-1", false, 0 },
        { "18014398509481984", false, 0 },
        { "9223372036854775808", false, 0 },
        { "\"\"", false, 0 },
        { "\"9007199254740993\"", false, 0 },
        { "\"99999999999999999999999999\"", false, 0 },
        { "\"-5\"", false, 0 },
        { "\"+5\"", false, 0 },
        { "\"007\"", false, 0 },
        { "\" 7\"", false, 0 },
        { "\"7 \"", false, 0 },
        { "\"7.0\"", false, 0 },
        { "\"1e3\"", false, 0 },
        { "\"0x10\"", false, 0 },
        { "[1]", false, 0 },
        { "{}", false, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[64];
        int64_t value = 77;

        (void)snprintf(text, sizeof(text), "{\"n\":%s}", rows[i].text);
        CLEANUP(json_freep) struct json *json = parse(text);
        enum keystay_status status = json_get_i64(json, "n", &value, NULL);
        assert_row(status == (rows[i].is_good ? KEYSTAY_OK : KEYSTAY_E_SERVER_RESPONSE), rows[i].text);
        assert_row(value == (rows[i].is_good ? rows[i].value : 77), rows[i].text);
    }
}

static void put_members(struct buf *text, int n)
{
    assert_ok(buf_putc(text, '{', NULL));
    for (int i = 0; i < n; i++) {
        char member[32];
        (void)snprintf(member, sizeof(member), "%s\"m%d\":%d", i == 0 ? "" : ",", i, i);
        assert_ok(buf_puts(text, member, NULL));
    }
    assert_ok(buf_putc(text, '}', NULL));
}

TEST(takes_so_many_members_and_no_more)
{
    CLEANUP(buf_clear) struct buf most = BUF(1 << 16);
    CLEANUP(buf_clear) struct buf more = BUF(1 << 16);

    put_members(&most, JSON_MEMBERS_MAX);
    CLEANUP(json_freep) struct json *json = parse(buf_str(&most));
    assert_true(json_has(json, "m511"));
    put_members(&more, JSON_MEMBERS_MAX + 1);
    refuse(buf_slice(&more), "512 members");
}

TEST(takes_so_much_depth_and_no_more)
{
    CLEANUP(buf_clear) struct buf text = BUF(256);

    assert_ok(buf_puts(&text, "{\"a\":", NULL));
    for (int i = 1; i < JSON_DEPTH_MAX; i++) {
        assert_ok(buf_putc(&text, '[', NULL));
    }
    for (int i = 1; i < JSON_DEPTH_MAX; i++) {
        assert_ok(buf_putc(&text, ']', NULL));
    }
    assert_ok(buf_putc(&text, '}', NULL));
    CLEANUP(json_freep) struct json *json = parse(buf_str(&text));
    assert_true(json_has(json, "a"));
    refuse(SLICE("{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}"), "not JSON");
}

TEST(only_an_object_will_do)
{
    refuse(SLICE("[]"), "not an object");
    refuse(SLICE("\"x\""), "not an object");
    refuse(SLICE("null"), "not an object");
    refuse(SLICE(""), "empty");
    refuse(SLICE("{} {}"), "not JSON");
    refuse(SLICE("{}\0"), "not JSON");
    refuse(SLICE("\xEF\xBB\xBF{}"), "not JSON");
    refuse(SLICE("{\"a\":\"\xFF\"}"), "not UTF-8");
}

TEST(no_member_may_come_twice_at_any_depth)
{
    refuse(SLICE("{\"a\":1,\"a\":2}"), "twice");
    refuse(SLICE("{\"a\":1,\"b\":0,\"a\":1}"), "twice");
    refuse(SLICE("{\"access_token\":\"x\",\"access_\\u0074oken\":\"y\"}"), "twice");
    refuse(SLICE("{\"o\":{\"a\":1,\"a\":2}}"), "twice");
    refuse(SLICE("{\"o\":[0,{\"a\":1,\"a\":2}]}"), "twice");
    refuse(SLICE("{\"\":1,\"\":2}"), "twice");
    CLEANUP(json_freep) struct json *json = parse("{\"o\":{\"a\":1},\"a\":{\"a\":2}}");
    assert_true(json_has(json, "a"));
}

TEST(names_are_told_apart_by_case)
{
    CLEANUP(json_freep)
    struct json *json = parse("{\"Access_Token\":\"wrong\",\"ERROR\":\"x\",\"a\":1,\"A\":2}");
    int64_t number = 0;

    assert_false(json_has(json, "access_token"));
    assert_null(json_str_or_null(json, "error"));
    assert_ok(json_get_i64(json, "A", &number, NULL));
    assert_int_equal(number, 2);
}

TEST(an_error_quotes_nothing_of_the_text)
{
    static const char *const rows[] = {
        "{\"access_token\":\"canary\",\"access_token\":\"canary\"}",
        "{\"access_token\":\"canary\"",
        "[\"canary\"]",
        "canary",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json *json = NULL;
        struct keystay_error err;
        assert_int_equal(json_parse_object(slice_of_str(rows[i]), &json, &err), KEYSTAY_E_SERVER_RESPONSE);
        assert_lacks(err.message, "canary");
    }
}

static size_t n_frees;
static size_t n_leaks;

static void *zeroed_malloc(size_t size)
{
    return calloc(1, size);
}

static void watching_free(void *memory)
{
    if (memory != NULL) {
        n_frees++;
        n_leaks += memmem(memory, malloc_usable_size(memory), "canary", 6) != NULL;
    }
    free(memory);
}

/* cJSON gives its memory back as it is: what it held must be gone by then. */
TEST(strings_are_wiped_before_their_memory_is_given_back)
{
    cJSON_Hooks hooks = { zeroed_malloc, watching_free };

    n_frees = n_leaks = 0;
    cJSON_InitHooks(&hooks);
    struct json *json =
        parse("{\"t\":\"canary\",\"o\":{\"t\":\"canary\"},\"a\":[1,\"canary\",[\"canary\"]]}");
    json_free(json);
    struct json *none = NULL;
    assert_int_not_equal(
        json_parse_object(SLICE("{\"t\":\"canary\",\"t\":\"canary\"}"), &none, NULL), KEYSTAY_OK);
    cJSON_InitHooks(NULL);
    assert_true(n_frees >= 8);
    assert_int_equal(n_leaks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(a_member_that_is_not_there_or_of_another_type_is_named),
        cmocka_unit_test(reads_members),
        cmocka_unit_test(walks_what_is_inside),
        cmocka_unit_test(what_is_not_there_or_of_another_type_has_no_value),
        cmocka_unit_test(the_first_number_of_what_is_no_list_is_0),
        cmocka_unit_test(only_whole_numbers_within_2_to_the_53_count),
        cmocka_unit_test(takes_so_many_members_and_no_more),
        cmocka_unit_test(takes_so_much_depth_and_no_more),
        cmocka_unit_test(only_an_object_will_do),
        cmocka_unit_test(no_member_may_come_twice_at_any_depth),
        cmocka_unit_test(names_are_told_apart_by_case),
        cmocka_unit_test(an_error_quotes_nothing_of_the_text),
        cmocka_unit_test(strings_are_wiped_before_their_memory_is_given_back),
    };

    return RUN_TESTS(tests);
}
