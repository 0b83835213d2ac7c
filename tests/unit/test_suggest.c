/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/base.h"
#include "base/suggest.h"

static const char *const names[] = { "token", "assertion", "help", "version", "key", "alg", NULL };

TEST(no_name_is_near_nothing)
{
    static const char *const none[] = { NULL };

    assert_null(suggest_nearest("token", none));
    assert_null(suggest_nearest("", none));
    assert_null(suggest_nearest("", names));
}

TEST(finds_what_was_meant)
{
    static const struct {
        const char *word;
        const char *name; /* NULL: none is near */
    } rows[] = {
        { "token", "token" },
        { "tokn", "token" },
        { "ttoken", "token" },
        { "tokem", "token" },
        { "toekn", "token" },
        { "tokens", "token" },
        { "assertoin", "assertion" },
        { "assertio", "assertion" },
        { "hlp", "help" },
        { "verison", "version" },
        { "kye", "key" },
        { "ke", "key" },
        { "Token", "token" },
        { "xyzzy", NULL },
        { "tenant", NULL },
        { "tok", "token" },
        { "to", NULL },
        { "t", NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *near = suggest_nearest(rows[i].word, names);
        assert_row((near == NULL) == (rows[i].name == NULL), rows[i].word);
        if (near != NULL) {
            assert_string_equal(near, rows[i].name);
        }
    }
}

TEST(the_nearest_wins_then_the_first)
{
    static const char *const list[] = { "abcdef", "abcdxx", "abcdey", NULL };

    assert_ptr_equal(suggest_nearest("abcdey", list), list[2]);
    assert_ptr_equal(suggest_nearest("abcdez", list), list[0]);
}

/* Else a word of three letters would be near everything as short. */
TEST(a_name_must_share_a_letter)
{
    static const char *const list[] = { "ab", "x", NULL };

    assert_null(suggest_nearest("cd", list));
    assert_null(suggest_nearest("y", list));
    assert_ptr_equal(suggest_nearest("ac", list), list[0]);
}

TEST(words_of_forty_letters_are_compared)
{
    static const char longest[] = "abcdefghijabcdefghijabcdefghijabcdefghij";
    static const char *const list[] = { longest, NULL };
    char word[48];

    assert_int_equal(strlen(longest), 40);
    assert_ptr_equal(suggest_nearest(longest, list), longest);
    memcpy(word, longest, 41);
    word[0] = 'x';
    assert_ptr_equal(suggest_nearest(word, list), longest);
}

TEST(longer_ones_are_not)
{
    static const char too_long[] = "abcdefghijabcdefghijabcdefghijabcdefghijk";
    static const char *const list[] = { too_long, NULL };
    char word[5000];

    assert_null(suggest_nearest(too_long, list));
    assert_null(suggest_nearest("abcdefghijabcdefghijabcdefghijabcdefghij", list));
    memset(word, 'a', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    assert_null(suggest_nearest(word, names));
    assert_null(suggest_nearest("\xFF\xFE\x01\x7F", names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_name_is_near_nothing),
        cmocka_unit_test(finds_what_was_meant),
        cmocka_unit_test(the_nearest_wins_then_the_first),
        cmocka_unit_test(a_name_must_share_a_letter),
        cmocka_unit_test(words_of_forty_letters_are_compared),
        cmocka_unit_test(longer_ones_are_not),
    };

    return RUN_TESTS(tests);
}
