/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "http/url.h"

static enum keystay_status origin(const char *text, struct buf *to, struct keystay_error *err)
{
    buf_clear(to);
    return url_origin(text, false, to, err);
}

TEST(an_empty_authority_is_refused)
{
    CLEANUP(buf_clear) struct buf out = BUF(URL_MAX);
    struct keystay_error err;

    assert_int_equal(origin("", &out, &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, "empty");
    assert_int_equal(origin("", &out, NULL), KEYSTAY_E_CONFIG);
    assert_int_equal(out.len, 0);
}

TEST(each_form_of_a_host_has_one_origin)
{
    static const struct {
        const char *text;
        const char *origin;
    } rows[] = {
        { "https://login.microsoftonline.com", "https://login.microsoftonline.com" },
        { "https://login.microsoftonline.com/", "https://login.microsoftonline.com" },
        { "login.microsoftonline.com", "https://login.microsoftonline.com" },
        { "login.microsoftonline.com/", "https://login.microsoftonline.com" },
        { "HTTPS://login.microsoftonline.us", "https://login.microsoftonline.us" },
        { "https://login.example:443", "https://login.example" },
        { "login.example:443/", "https://login.example" },
        { "https://login.example:8443/", "https://login.example:8443" },
        { "login.example:8443", "https://login.example:8443" },
        { "localhost", "https://localhost" },
        { "127.0.0.1:8443", "https://127.0.0.1:8443" },
        { "https://[::1]:8443", "https://[::1]:8443" },
        { "[::1]", "https://[::1]" },
    };
    CLEANUP(buf_clear) struct buf out = BUF(URL_MAX);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(origin(rows[i].text, &out, NULL) == KEYSTAY_OK, rows[i].text);
        assert_buf(&out, rows[i].origin);
    }
}

TEST(appends)
{
    CLEANUP(buf_clear) struct buf out = BUF(URL_MAX);

    assert_ok(buf_puts(&out, "at ", NULL));
    assert_ok(url_origin("login.example", false, &out, NULL));
    assert_buf(&out, "at https://login.example");
}

TEST(an_address_is_used_as_it_is_given)
{
    static const char *const texts[] = {
        "https://login.example",
        "https://login.example/",
        "https://login.example/realms/one",
        "https://LOGIN.example/realms/one/",
        "https://[2001:db8::1]:8443/x",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_row(url_check("issuer", texts[i], false, NULL) == KEYSTAY_OK, texts[i]);
    }
}

/* Nothing leaves the machine in the clear. */
TEST(plain_http_is_for_this_machine_and_only_when_allowed)
{
    static const struct {
        const char *text;
        bool is_this_machine;
    } rows[] = {
        { "http://127.0.0.1", true },
        { "http://127.0.0.1:8080/x", true },
        { "http://127.255.255.254/", true },
        { "http://[::1]:8080", true },
        { "http://localhost/", true },
        { "HTTP://LOCALHOST:80", true },
        { "http://127.1/", true },      /* the same address, as the C library reads it */
        { "http://0x7f000001/", true }, /* likewise */
        { "http://128.0.0.1/", false },
        { "http://0.0.0.0/", false },
        { "http://[::]/", false },
        { "http://[::ffff:127.0.0.1]/", false },
        { "http://localhost.example/", false },
        { "http://a.localhost/", false }, /* a name server may be asked for it */
        { "http://127.0.0.1.example/", false },
        { "http://localhost./", false },
        { "ftp://127.0.0.1/", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct keystay_error err;

        assert_row(url_check("issuer", rows[i].text, false, &err) == KEYSTAY_E_CONFIG, rows[i].text);
        assert_row(strstr(err.message, "must be https") != NULL, rows[i].text);
        assert_row(
            rows[i].is_this_machine == (url_check("issuer", rows[i].text, true, NULL) == KEYSTAY_OK),
            rows[i].text);
    }
}

TEST(the_fix_is_named_where_there_is_one)
{
    struct keystay_error err;

    assert_int_equal(url_check("issuer", "http://127.0.0.1/", false, &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, "issuer 'http://127.0.0.1/'");
    assert_contains(err.hint, "--allow-http-loopback");
    assert_int_equal(url_check("issuer", "http://login.example/", true, &err), KEYSTAY_E_CONFIG);
    assert_string_equal(err.hint, "");
}

TEST(an_origin_may_be_plain_http_when_allowed)
{
    CLEANUP(buf_clear) struct buf out = BUF(URL_MAX);

    assert_ok(url_origin("http://127.0.0.1:8080/", true, &out, NULL));
    assert_ok(url_origin("http://localhost:80", true, &out, NULL));
    assert_ok(url_origin("localhost:80", true, &out, NULL)); /* without a scheme it is https */
    assert_buf(&out, "http://127.0.0.1:8080http://localhosthttps://localhost:80");
}

TEST(knows_the_same_origin)
{
    static const struct {
        const char *a, *b;
        bool is_same;
    } rows[] = {
        { "https://h.example", "https://h.example/token", true },
        { "https://h.example:443/a", "https://H.example/b", true },
        { "https://h.example/", "https://h.example:8443/", false },
        { "https://h.example/", "https://h.example.evil/", false },
        { "https://h.example/", "https://a.h.example/", false },
        { "https://127.0.0.1/", "http://127.0.0.1/", false },
        { "https://h.example/", "not an address", false },
        { "https://h.example/", "", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(url_same_origin(rows[i].a, rows[i].b) == rows[i].is_same, rows[i].b);
        assert_row(url_same_origin(rows[i].b, rows[i].a) == rows[i].is_same, rows[i].b);
    }
}

TEST(an_address_has_a_cap)
{
    char text[URL_MAX + 1];

    memset(text, 'a', sizeof(text));
    memcpy(text, "https://h.example/", strlen("https://h.example/"));
    text[URL_MAX] = '\0';
    assert_int_equal(url_check("issuer", text, false, NULL), KEYSTAY_E_CONFIG);
    text[URL_MAX - 1] = '\0';
    assert_ok(url_check("issuer", text, false, NULL));
}

TEST(ports_go_to_65535)
{
    CLEANUP(buf_clear) struct buf out = BUF(URL_MAX);

    assert_ok(origin("h.example:65535", &out, NULL));
    assert_buf(&out, "https://h.example:65535");
    assert_int_equal(origin("h.example:65536", &out, NULL), KEYSTAY_E_CONFIG);
    assert_int_equal(origin("h.example:-1", &out, NULL), KEYSTAY_E_CONFIG);
    assert_int_equal(origin("h.example:x", &out, NULL), KEYSTAY_E_CONFIG);
}

TEST(a_text_over_the_cap_is_refused)
{
    CLEANUP(buf_clear) struct buf out = BUF(2 * URL_MAX);
    char text[URL_MAX + 2];

    memset(text, 'a', sizeof(text));
    text[URL_MAX + 1] = '\0';
    assert_int_not_equal(origin(text, &out, NULL), KEYSTAY_OK);
    assert_int_equal(out.len, 0);
}

TEST(what_is_more_than_a_host_is_refused)
{
    static const struct {
        const char *text;
        const char *part; /* of the message */
    } rows[] = {
        { "http://login.example", "must be https" },
        { "http://login.example:443", "must be https" },
        { "ftp://login.example", "must be https" },
        { "ldap://login.example", "must be https" },
        { "file:///etc/passwd", "authority" },
        { "https://", "not a URL" },
        { "https:///", "authority" },
        { "http://127.0.0.1:8080", "must be https" },
        { "://login.example", "authority" },
        { "https://login.example/contoso.example", "host only" },
        { "login.example/contoso.example", "host only" },
        { "https://login.example//", "host only" },
        { "https://login.example/v2.0/", "host only" },
        { "https://login.example/?a=b", "query" },
        { "https://login.example?a=b", "query" },
        { "https://login.example?", "query" },
        { "https://login.example#f", "fragment" },
        { "https://login.example/#f", "fragment" },
        { "javascript:alert(1)", "authority" },
        { "https:/login.example", "authority" },
    };
    CLEANUP(buf_clear) struct buf out = BUF(URL_MAX);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct keystay_error err;
        assert_row(origin(rows[i].text, &out, &err) == KEYSTAY_E_CONFIG, rows[i].text);
        assert_contains(err.message, rows[i].part);
        assert_int_equal(out.len, 0);
    }
}

TEST(characters_that_could_fool_a_reader_are_refused)
{
    static const char *const texts[] = {
        "https://login.example ",
        " https://login.example",
        "https://login.example\n",
        "https://login.example\r\nX: y",
        "https://login.exa\x01mple",
        "https://l\xC3\xB6gin.example",
        "https://login.example\\.evil",
        "https://login.example%2F.evil",
        "https://login.example%00.evil",
        "https://login.example%40.evil",
        "https://login.example,evil",
        "https://login\x7F.example",
        "https://[::1",
        "https://[zz]",
        "https://{tenant}.example",
        "https://login.example\"",
        "https://a:b:c",
    };
    CLEANUP(buf_clear) struct buf out = BUF(URL_MAX);

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct keystay_error err;
        assert_row(origin(texts[i], &out, &err) == KEYSTAY_E_CONFIG, texts[i]);
        assert_tame(err.message);
        assert_int_equal(out.len, 0);
    }
}

/* "https://login.example@evil" asks evil. */
TEST(a_user_name_is_refused)
{
    static const char *const texts[] = {
        "https://user@login.example",
        "user@login.example",
        "https://user:hunter2@login.example",
        "https://:hunter2@login.example",
        "https://login.microsoftonline.com@evil.example",
    };
    CLEANUP(buf_clear) struct buf out = BUF(URL_MAX);

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct keystay_error err;
        assert_row(origin(texts[i], &out, &err) == KEYSTAY_E_CONFIG, texts[i]);
        assert_contains(err.message, "user name or password");
        assert_lacks(err.message, "hunter2");
        assert_int_equal(out.len, 0);
    }
}

/* An error never holds a secret (keystay/error.h), whatever else is wrong with the text. */
TEST(a_password_is_not_quoted)
{
    static const char *const texts[] = {
        "http://user:hunter2@login.example",
        "https://user:hunter2@login.example:x",
        "https://user:hunter2@",
    };
    CLEANUP(buf_clear) struct buf out = BUF(URL_MAX);

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct keystay_error err;
        assert_row(origin(texts[i], &out, &err) == KEYSTAY_E_CONFIG, texts[i]);
        assert_lacks(err.message, "hunter2");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_authority_is_refused),
        cmocka_unit_test(each_form_of_a_host_has_one_origin),
        cmocka_unit_test(appends),
        cmocka_unit_test(an_address_is_used_as_it_is_given),
        cmocka_unit_test(plain_http_is_for_this_machine_and_only_when_allowed),
        cmocka_unit_test(the_fix_is_named_where_there_is_one),
        cmocka_unit_test(an_origin_may_be_plain_http_when_allowed),
        cmocka_unit_test(knows_the_same_origin),
        cmocka_unit_test(an_address_has_a_cap),
        cmocka_unit_test(ports_go_to_65535),
        cmocka_unit_test(a_text_over_the_cap_is_refused),
        cmocka_unit_test(what_is_more_than_a_host_is_refused),
        cmocka_unit_test(characters_that_could_fool_a_reader_are_refused),
        cmocka_unit_test(a_user_name_is_refused),
        cmocka_unit_test(a_password_is_not_quoted),
    };

    return RUN_TESTS(tests);
}
