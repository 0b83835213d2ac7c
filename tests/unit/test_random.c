/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/str.h"
#include "crypto/random.h"

TEST(makes_version_4_uuids)
{
    for (int i = 0; i < 64; i++) {
        char text[RANDOM_UUID_SIZE];

        assert_ok(random_uuid(text, NULL));
        assert_true(str_is_guid(text));
        assert_int_equal(strspn(text, "0123456789abcdef-"), 36);
        assert_int_equal(text[14], '4');           /* RFC 9562 §5.4: version */
        assert_non_null(strchr("89ab", text[19])); /* and variant */
    }
}

TEST(no_two_are_the_same)
{
    enum { N = 200 };
    static char texts[N][RANDOM_UUID_SIZE];

    for (int i = 0; i < N; i++) {
        assert_ok(random_uuid(texts[i], NULL));
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(texts[i], texts[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_version_4_uuids),
        cmocka_unit_test(no_two_are_the_same),
    };

    return RUN_TESTS(tests);
}
