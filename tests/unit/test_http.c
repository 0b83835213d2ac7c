/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/error.h"
#include "http/http.h"

struct fake {
    struct http_transport base; /* first: the seam casts */
    const struct http_request *seen;
    struct http_request copy;
    size_t body_max;
    int n_closed;
    enum keystay_status answer;
};

static enum keystay_status fake_exchange(
    struct http_transport *base, const struct http_request *request, struct http_response *ret_response,
    struct keystay_error *err)
{
    struct fake *fake = (struct fake *)base;

    fake->seen = request;
    fake->copy = *request;
    fake->body_max = ret_response->body.max;
    assert_int_equal(ret_response->status, 0);
    assert_int_equal(ret_response->body.len, 0);
    assert_string_equal(ret_response->date, "");
    assert_string_equal(ret_response->retry_after, "");
    assert_ok(buf_puts(&ret_response->body, "half an answ", err));
    ret_response->status = 200;
    return fake->answer == KEYSTAY_OK ? KEYSTAY_OK : err_set(err, fake->answer, "no more came");
}

static void fake_close(struct http_transport *base)
{
    ((struct fake *)base)->n_closed++;
}

static const struct http_ops fake_ops = { fake_exchange, fake_close };

TEST(freeing_nothing_is_fine)
{
    struct http_transport *transport = NULL;
    struct http_response response = { 0 };

    http_transport_freep(&transport);
    http_response_clear(&response);
    http_response_clear(&response);
}

TEST(hands_the_request_over_with_a_fresh_response)
{
    struct fake fake = { .base = { &fake_ops } };
    const struct http_request request = { .url = "https://login.example/token" };
    CLEANUP(http_response_clear)
    struct http_response response = { .status = 500, .date = "old", .retry_after = "old" };

    assert_ok(http_post(&fake.base, &request, &response, NULL));
    assert_ptr_equal(fake.seen, &request);
    assert_int_equal(response.status, 200);
    assert_buf(&response.body, "half an answ");
}

TEST(a_get_asks_for_json_and_sends_nothing)
{
    struct fake fake = { .base = { &fake_ops } };
    CLEANUP(http_response_clear)
    struct http_response response = { .status = 500, .date = "old", .retry_after = "old" };

    assert_ok(http_get(&fake.base, "https://login.example/metadata", 1500, &response, NULL));
    assert_true(fake.copy.is_get);
    assert_string_equal(fake.copy.url, "https://login.example/metadata");
    assert_int_equal(fake.copy.timeout_ms, 1500);
    assert_int_equal(fake.copy.form.len, 0);
    assert_int_equal(fake.copy.n_headers, 1);
    assert_string_equal(fake.copy.headers[0], "Accept: application/json");
    assert_int_equal(fake.body_max, HTTP_BODY_MAX);
    assert_int_equal(response.status, 200);
}

TEST(closes_once)
{
    struct fake fake = { .base = { &fake_ops } };
    struct http_transport *transport = &fake.base;

    http_transport_freep(&transport);
    assert_null(transport);
    http_transport_freep(&transport);
    assert_int_equal(fake.n_closed, 1);
}

TEST(a_body_has_a_cap)
{
    struct fake fake = { .base = { &fake_ops } };
    const struct http_request request = { 0 };
    CLEANUP(http_response_clear) struct http_response response = { 0 };

    assert_ok(http_post(&fake.base, &request, &response, NULL));
    assert_int_equal(fake.body_max, HTTP_BODY_MAX);
    http_response_clear(&response);
    assert_null(response.body.data);
    assert_int_equal(response.status, 0);
}

TEST(a_failure_is_passed_on)
{
    struct fake fake = { .base = { &fake_ops }, .answer = KEYSTAY_E_TLS };
    const struct http_request request = { 0 };
    CLEANUP(http_response_clear) struct http_response response = { 0 };
    struct keystay_error err;

    assert_int_equal(http_post(&fake.base, &request, &response, &err), KEYSTAY_E_TLS);
    assert_string_equal(err.message, "no more came");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(hands_the_request_over_with_a_fresh_response),
        cmocka_unit_test(a_get_asks_for_json_and_sends_nothing),
        cmocka_unit_test(closes_once),
        cmocka_unit_test(a_body_has_a_cap),
        cmocka_unit_test(a_failure_is_passed_on),
    };

    return RUN_TESTS(tests);
}
