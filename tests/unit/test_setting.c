/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "core/setting.h"
#include "pkcs11/pin_source.h"

static enum keystay_status check(const char *name, const char *value)
{
    enum setting_id id = setting_find(name);

    assert_row(id != SETTING_N, name);
    return setting_check(id, value, NULL);
}

TEST(an_unknown_name_is_no_setting)
{
    static const char *const names[] = { "", "tenants", "Tenant", "tenant ", "--tenant", "client_id", "pin" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_row(setting_find(names[i]) == SETTING_N, names[i]);
    }
}

TEST(each_setting_is_found_by_its_name)
{
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        assert_row(setting_find(setting_rows[id].name) == id, setting_rows[id].name);
    }
}

/* Help, the command line and the environment are made of this table. */
TEST(each_row_is_whole)
{
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        const struct setting *row = &setting_rows[id];

        assert_row(
            strspn(row->name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(row->name), row->name);
        assert_row(row->help != NULL && row->help[0] != '\0', row->name);
        assert_row((row->metavar == NULL) == (row->kind == SETTING_SWITCH), row->name);
        assert_row((row->choices != NULL) == (row->kind == SETTING_CHOICE), row->name);
        assert_row((row->maximum > row->minimum) == (row->kind == SETTING_NUMBER), row->name);
        assert_row(!row->is_list || (row->kind == SETTING_TEXT && row->fallback == NULL), row->name);
        if (row->fallback != NULL) {
            assert_row(setting_check(id, row->fallback, NULL) == KEYSTAY_OK, row->name);
        }
        /* Whoever reads one of these finds a value; but the provider has a lifetime of its own. */
        assert_row(row->fallback != NULL || row->kind == SETTING_TEXT || id == SETTING_LIFETIME, row->name);
    }
}

TEST(the_environment_has_a_name_for_each)
{
    static const struct {
        enum setting_id id;
        const char *name;
    } rows[] = {
        { SETTING_TENANT, "KEYSTAY_TENANT" },
        { SETTING_CLIENT_ID, "KEYSTAY_CLIENT_ID" },
        { SETTING_INTERACTION_TIMEOUT, "KEYSTAY_INTERACTION_TIMEOUT" },
        { SETTING_PIN_COUNT_LOW, "KEYSTAY_PIN_COUNT_LOW" },
    };
    char name[SETTING_ENV_SIZE];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        setting_env_name(rows[i].id, name);
        assert_string_equal(name, rows[i].name);
    }
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        setting_env_name(id, name);
        assert_row(strlen(name) == strlen("KEYSTAY_") + strlen(setting_rows[id].name), setting_rows[id].name);
        assert_row(
            strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(name), setting_rows[id].name);
    }
}

TEST(only_entras_settings_have_an_azure_name)
{
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        const char *wanted = id == SETTING_TENANT      ? "AZURE_TENANT_ID"
                             : id == SETTING_CLIENT_ID ? "AZURE_CLIENT_ID"
                             : id == SETTING_AUTHORITY ? "AZURE_AUTHORITY_HOST"
                                                       : NULL;
        assert_row((wanted == NULL) == (setting_rows[id].azure == NULL), setting_rows[id].name);
        if (wanted != NULL) {
            assert_string_equal(setting_rows[id].azure, wanted);
        }
    }
}

TEST(takes_each_choice_and_nothing_else)
{
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        const struct setting *row = &setting_rows[id];
        char longer[64];

        for (size_t i = 0; row->kind == SETTING_CHOICE && row->choices[i] != NULL; i++) {
            assert_row(setting_check(id, row->choices[i], NULL) == KEYSTAY_OK, row->choices[i]);
            (void)snprintf(longer, sizeof(longer), "%s ", row->choices[i]);
            assert_row(setting_check(id, longer, NULL) == KEYSTAY_E_CONFIG, row->choices[i]);
        }
        if (row->kind == SETTING_CHOICE) {
            assert_row(setting_check(id, "", NULL) == KEYSTAY_E_CONFIG, row->name);
            assert_row(setting_check(id, "no-such-choice", NULL) == KEYSTAY_E_CONFIG, row->name);
        }
    }
    assert_int_equal(check("alg", "rs256"), KEYSTAY_E_CONFIG);
    assert_int_equal(check("alg", "none"), KEYSTAY_E_CONFIG);
    assert_int_equal(check("alg", "HS256"), KEYSTAY_E_CONFIG);
}

TEST(a_switch_is_yes_or_no)
{
    static const char *const others[] = { "", "Yes", "YES", "true", "1", "0", "on", "yes ", "n" };

    for (enum setting_id id = 0; id < SETTING_N; id++) {
        if (setting_rows[id].kind == SETTING_SWITCH) {
            assert_int_equal(setting_check(id, "yes", NULL), KEYSTAY_OK);
            assert_int_equal(setting_check(id, "no", NULL), KEYSTAY_OK);
            assert_string_equal(setting_rows[id].fallback, "no"); /* each makes something weaker */
            for (size_t i = 0; i < ARRAY_LEN(others); i++) {
                assert_row(setting_check(id, others[i], NULL) == KEYSTAY_E_CONFIG, others[i]);
            }
        }
    }
}

TEST(a_number_stays_in_its_range)
{
    static const struct {
        const char *name, *value;
        enum keystay_status status;
    } rows[] = {
        { "lifetime", "60", KEYSTAY_OK },
        { "lifetime", "86400", KEYSTAY_OK },
        { "lifetime", "59", KEYSTAY_E_CONFIG },
        { "lifetime", "86401", KEYSTAY_E_CONFIG },
        { "timeout", "1", KEYSTAY_OK },
        { "timeout", "3600", KEYSTAY_OK },
        { "timeout", "0", KEYSTAY_E_CONFIG },
        { "timeout", "3601", KEYSTAY_E_CONFIG },
        { "interaction-timeout", "1", KEYSTAY_OK },
        { "interaction-timeout", "3601", KEYSTAY_E_CONFIG },
        { "timeout", "", KEYSTAY_E_CONFIG },
        { "timeout", "-1", KEYSTAY_E_CONFIG },
        { "timeout", "+1", KEYSTAY_E_CONFIG },
        { "timeout", "030", KEYSTAY_E_CONFIG },
        { "timeout", "30s", KEYSTAY_E_CONFIG },
        { "timeout", " 30", KEYSTAY_E_CONFIG },
        { "timeout", "3e1", KEYSTAY_E_CONFIG },
        { "timeout", "0x1E", KEYSTAY_E_CONFIG },
        { "timeout", "4294967297", KEYSTAY_E_CONFIG },           /* 1, were it cut to 32 bits */
        { "timeout", "18446744073709551617", KEYSTAY_E_CONFIG }, /* to 64 */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(check(rows[i].name, rows[i].value) == rows[i].status, rows[i].value);
    }
}

TEST(a_text_is_anything_but_empty)
{
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        if (setting_rows[id].kind == SETTING_TEXT) {
            assert_row(setting_check(id, " ", NULL) == KEYSTAY_OK, setting_rows[id].name);
            assert_row(setting_check(id, "", NULL) == KEYSTAY_E_CONFIG, setting_rows[id].name);
        }
    }
}

TEST(a_refusal_says_what_would_do)
{
    struct keystay_error err;

    assert_int_equal(setting_check(SETTING_LOGIN, "x", &err), KEYSTAY_E_CONFIG);
    assert_string_equal(err.message, "login must be one of: auto always never");
    assert_int_equal(setting_check(SETTING_TIMEOUT, "x", &err), KEYSTAY_E_CONFIG);
    assert_string_equal(err.message, "timeout must be a whole number from 1 to 3600");
    assert_int_equal(setting_check(SETTING_PIN_REUSE, "x", &err), KEYSTAY_E_CONFIG);
    assert_string_equal(err.message, "pin-reuse must be yes or no");
    assert_int_equal(setting_check(SETTING_KEY, "", &err), KEYSTAY_E_CONFIG);
    assert_string_equal(err.message, "key is empty");
}

/* Somebody may have typed it into the wrong place. */
TEST(a_refused_value_is_not_repeated)
{
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        struct keystay_error err = { 0 };
        if (setting_check(id, "hunter2", &err) != KEYSTAY_OK) {
            assert_lacks(err.message, "hunter2");
            assert_lacks(err.hint, "hunter2");
        }
    }
}

/* What a shell offers must not be refused when it is taken. */
TEST(words_that_are_offered_are_taken)
{
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        assert_row(
            setting_rows[id].words == NULL || setting_rows[id].kind == SETTING_TEXT, setting_rows[id].name);
        for (size_t i = 0; setting_rows[id].words != NULL && setting_rows[id].words[i] != NULL; i++) {
            struct pin_source source;
            char text[64];

            (void)snprintf(text, sizeof(text), "%s", setting_rows[id].words[i]);
            if (id == SETTING_PIN_SOURCE && text[strlen(text) - 1] == ':') {
                (void)snprintf(text, sizeof(text), "%s0", setting_rows[id].words[i]);
            }
            assert_row(setting_check(id, text, NULL) == KEYSTAY_OK, text);
            assert_row(id != SETTING_PIN_SOURCE || pin_source_parse(text, &source, NULL) == KEYSTAY_OK, text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_name_is_no_setting),
        cmocka_unit_test(each_setting_is_found_by_its_name),
        cmocka_unit_test(each_row_is_whole),
        cmocka_unit_test(the_environment_has_a_name_for_each),
        cmocka_unit_test(only_entras_settings_have_an_azure_name),
        cmocka_unit_test(takes_each_choice_and_nothing_else),
        cmocka_unit_test(a_switch_is_yes_or_no),
        cmocka_unit_test(a_number_stays_in_its_range),
        cmocka_unit_test(a_text_is_anything_but_empty),
        cmocka_unit_test(a_refusal_says_what_would_do),
        cmocka_unit_test(a_refused_value_is_not_repeated),
        cmocka_unit_test(words_that_are_offered_are_taken),
    };

    return RUN_TESTS(tests);
}
