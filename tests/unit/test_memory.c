/* SPDX-License-Identifier: Apache-2.0 */
/* In this order: the first test must find OpenSSL untouched. */
#include "unit.h"

#include <openssl/crypto.h>

#include "crypto/digest.h"
#include "crypto/memory.h"

TEST(openssl_takes_the_wiping_allocator_before_its_first_use)
{
    assert_true(crypto_use_wiping_memory());

    char *text = OPENSSL_malloc(8);
    assert_non_null(text);
    memcpy(text, "canary!", 8);
    text = OPENSSL_realloc(text, 100000);
    assert_string_equal(text, "canary!");
    OPENSSL_free(text);
    assert_null(OPENSSL_malloc(0));
}

TEST(and_works_with_it)
{
    uint8_t digest[32];

    assert_ok(digest_of("SHA256", SLICE("abc"), digest, sizeof(digest), NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssl_takes_the_wiping_allocator_before_its_first_use),
        cmocka_unit_test(and_works_with_it),
    };

    return RUN_TESTS(tests);
}
