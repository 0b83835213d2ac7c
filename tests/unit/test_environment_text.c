/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent writes into NAME.env, and what a later one takes back from it. */
#include "unit.h"

#include <string.h>

#include "agent/environment_text.h"

static const char header[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
static const char other_header[] = "_AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
static const struct environment_text web = { .agent = "/run/keystay/agent.sock",
                                             .grant = "web",
                                             .profile = "main",
                                             .url = "http://127.0.0.1:4141/MSI/token",
                                             .client_id = "11111111-2222-3333-4444-555555555555" };

static void write_as(const struct environment_text *text, const char *with, struct buf *to)
{
    *to = BUF(ENVIRONMENT_TEXT_MAX);
    assert_ok(environment_text_write(text, with, to, NULL));
}

static bool gives(const struct environment_text *text, struct slice content)
{
    char found[GRANT_HEADER_SIZE] = "what was there";
    const bool is_so = environment_text_read(text, content, found);

    assert_string_equal(found, is_so ? header : "");
    return is_so;
}

TEST(what_is_written)
{
    CLEANUP(buf_clear) struct buf content;

    write_as(&web, header, &content);
    assert_string_equal(
        buf_str(&content), "# keystay-agent /run/keystay/agent.sock, grant web, profile main\n"
                           "IDENTITY_ENDPOINT=http://127.0.0.1:4141/MSI/token\n"
                           "IDENTITY_HEADER=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"
                           "MSI_ENDPOINT=http://127.0.0.1:4141/MSI/token\n"
                           "MSI_SECRET=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"
                           "APPSETTING_WEBSITE_SITE_NAME=keystay\n"
                           "AZURE_CLIENT_ID=11111111-2222-3333-4444-555555555555\n");
    assert_true(gives(&web, buf_slice(&content)));
}

/* A line end, or the backslash before one, would be a variable more or one less. */
TEST(what_is_not_plain_is_not_written_and_gives_nothing_back)
{
    static const char *const names[] = { "", "a b", "a\nX=1", "a\\", "\"a\"", "$a", "caf\xc3\xa9" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct environment_text rows[] = { web, web, web };

        rows[0].agent = rows[1].grant = rows[2].profile = names[i];
        for (size_t j = 0; j < ARRAY_LEN(rows); j++) {
            CLEANUP(buf_clear) struct buf content;

            write_as(&rows[j], header, &content);
            assert_non_null(strstr(buf_str(&content), "# keystay-agent\nIDENTITY_ENDPOINT="));
            assert_row(!gives(&rows[j], buf_slice(&content)), names[i]);
        }
        rows[0] = web;
        rows[0].client_id = names[i];
        CLEANUP(buf_clear) struct buf content;
        write_as(&rows[0], header, &content);
        assert_null(strstr(buf_str(&content), "AZURE_CLIENT_ID"));
        assert_true(gives(&rows[0], buf_slice(&content)));
    }
}

TEST(what_was_written_for_something_else_gives_nothing)
{
    struct environment_text rows[] = { web, web, web, web, web, web };
    CLEANUP(buf_clear) struct buf content;

    rows[0].agent = "/run/keystay/other.sock";
    rows[1].grant = "wes";
    rows[2].profile = "mail";
    rows[3].url = "http://127.0.0.1:4142/MSI/token";
    rows[4].client_id = NULL;
    rows[5].client_id = "11111111-2222-3333-4444-555555555556";
    write_as(&web, header, &content);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_false(gives(&rows[i], buf_slice(&content)));
    }
}

/* Each byte, each length, and a byte more. */
TEST(what_was_touched_gives_nothing)
{
    CLEANUP(buf_clear) struct buf content;

    write_as(&web, header, &content);
    for (size_t i = 0; i < content.len; i++) {
        const struct slice cut = { content.data, i };

        assert_false(gives(&web, cut));
        content.data[i] ^= 1;
        assert_false(gives(&web, buf_slice(&content)));
        content.data[i] ^= 1;
    }
    assert_true(gives(&web, buf_slice(&content)));
    assert_ok(buf_putc(&content, '\n', NULL));
    assert_false(gives(&web, buf_slice(&content)));
}

TEST(what_is_no_header_is_none_wherever_it_stands)
{
    static const char *const wrong[] = {
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9", /* bits that 32 bytes do not have */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh=",  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh\n",
        "+AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A",
    };
    char found[GRANT_HEADER_SIZE];

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        CLEANUP(buf_clear) struct buf content;

        write_as(&web, wrong[i], &content);
        assert_row(!gives(&web, buf_slice(&content)), wrong[i]);
    }
    CLEANUP(buf_clear) struct buf content;
    write_as(&web, other_header, &content);
    assert_true(environment_text_read(&web, buf_slice(&content), found));
    assert_string_equal(found, other_header);
}

TEST(whose_it_is)
{
    CLEANUP(buf_clear) struct buf content;

    write_as(&web, header, &content);
    assert_true(environment_text_is_of(buf_slice(&content), web.agent, "web"));
    assert_false(environment_text_is_of(buf_slice(&content), web.agent, "we"));
    assert_false(environment_text_is_of(buf_slice(&content), web.agent, "webs"));
    assert_false(environment_text_is_of(buf_slice(&content), "/run/keystay/other.sock", "web"));
    assert_false(environment_text_is_of(slice_of_str(""), web.agent, "web"));
    assert_false(environment_text_is_of(slice_of_str("# keystay-agent\nA=1\n"), "", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written),
        cmocka_unit_test(what_is_not_plain_is_not_written_and_gives_nothing_back),
        cmocka_unit_test(what_was_written_for_something_else_gives_nothing),
        cmocka_unit_test(what_was_touched_gives_nothing),
        cmocka_unit_test(what_is_no_header_is_none_wherever_it_stands),
        cmocka_unit_test(whose_it_is),
    };

    return RUN_TESTS(tests);
}
