/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "agent/reply.h"
#include "base/error.h"

/* What Azure's SDKs ask again for, some of them for minutes. */
static bool is_tried_again(unsigned int http_status)
{
    return http_status == 404 || http_status == 408 || http_status == 410 || http_status == 429 ||
           http_status >= 500;
}

TEST(what_no_time_heals_is_not_tried_again)
{
    static const int permanent[] = { 2, 3, 6, 8 }; /* usage, configuration, the server's no, the PIN */

    for (unsigned int status = KEYSTAY_OK + 1; status <= KEYSTAY_E_ANSWER_NO; status++) {
        const char *name = keystay_status_name((enum keystay_status)status);
        const int exit_status = keystay_status_exit((enum keystay_status)status);
        const unsigned int http_status = reply_http_status((enum keystay_status)status);
        bool is_permanent = false;

        for (size_t i = 0; i < ARRAY_LEN(permanent); i++) {
            is_permanent = is_permanent || exit_status == permanent[i];
        }
        assert_row(http_status >= 400 && http_status < 600, name);
        assert_row(is_tried_again(http_status) != is_permanent, name);
    }
}

TEST(what_each_is)
{
    static const struct {
        enum keystay_status status;
        unsigned int http_status;
    } rows[] = {
        { KEYSTAY_E_USAGE, 400 },           { KEYSTAY_E_CONFIG, 400 },
        { KEYSTAY_E_PIN_SOURCE, 400 },      { KEYSTAY_E_SERVER_REFUSED, 400 },
        { KEYSTAY_E_PIN_INCORRECT, 403 },   { KEYSTAY_E_PIN_LOCKED, 403 },
        { KEYSTAY_E_THROTTLED, 429 },       { KEYSTAY_E_INTERNAL, 500 },
        { KEYSTAY_E_NO_MEMORY, 500 },       { KEYSTAY_E_TLS, 502 },
        { KEYSTAY_E_TOKEN_NOT_FOUND, 503 }, { KEYSTAY_E_MODULE, 503 },
        { KEYSTAY_E_NETWORK, 503 },         { KEYSTAY_E_SERVER_DOWN, 503 },
        { KEYSTAY_E_TIMEOUT, 504 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(
            reply_http_status(rows[i].status) == rows[i].http_status, keystay_status_name(rows[i].status));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_time_heals_is_not_tried_again),
        cmocka_unit_test(what_each_is),
    };

    return RUN_TESTS(tests);
}
