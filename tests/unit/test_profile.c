/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/profile.h"

/* A new profile, and an environment without anything of ours. */
static struct keystay_profile *fresh(void)
{
    struct keystay_profile *profile = NULL;

    for (enum setting_id id = 0; id < SETTING_N; id++) {
        char name[SETTING_ENV_SIZE];
        setting_env_name(id, name);
        assert_int_equal(unsetenv(name), 0);
        assert_true(setting_rows[id].azure == NULL || unsetenv(setting_rows[id].azure) == 0);
    }
    assert_ok(keystay_profile_new(&profile, NULL));
    return profile;
}

static void put_env(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

static void set(struct keystay_profile *profile, const char *name, const char *value)
{
    assert_ok(keystay_profile_set(profile, name, value, NULL));
}

TEST(freeing_nothing_is_fine)
{
    struct keystay_profile *profile = NULL;

    keystay_profile_free(NULL);
    profile_freep(&profile);
}

TEST(an_unknown_setting_is_named)
{
    CLEANUP(profile_freep) struct keystay_profile *profile = fresh();
    struct keystay_error err;

    assert_int_equal(keystay_profile_set(profile, "tenants", "x", &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, "'tenants'");
    assert_int_equal(keystay_profile_set(profile, "", "x", NULL), KEYSTAY_E_CONFIG);
    assert_null(keystay_profile_get(profile, "tenants"));
}

TEST(a_new_profile_has_the_defaults)
{
    CLEANUP(profile_freep) struct keystay_profile *profile = fresh();

    for (enum setting_id id = 0; id < SETTING_N; id++) {
        assert_int_equal(profile_count(profile, id), 0);
        assert_ptr_equal(profile_text(profile, id), setting_rows[id].fallback);
        assert_ptr_equal(keystay_profile_get(profile, setting_rows[id].name), setting_rows[id].fallback);
    }
    assert_null(keystay_profile_get(profile, "tenant"));
    assert_int_equal(profile_number(profile, SETTING_TIMEOUT), 30);
    assert_int_equal(profile_number(profile, SETTING_TIMEOUT), 30);
    assert_false(profile_switch(profile, SETTING_ALLOW_EXTRACTABLE));
}

TEST(keeps_a_copy_of_each_kind_of_value)
{
    CLEANUP(profile_freep) struct keystay_profile *profile = fresh();
    char text[] = "contoso.example";

    set(profile, "tenant", text);
    set(profile, "timeout", "3600");
    set(profile, "alg", "PS256");
    set(profile, "allow-extractable", "yes");
    memset(text, 'x', sizeof(text) - 1);
    assert_string_equal(keystay_profile_get(profile, "tenant"), "contoso.example");
    assert_int_equal(profile_number(profile, SETTING_TIMEOUT), 3600);
    assert_string_equal(profile_text(profile, SETTING_ALG), "PS256");
    assert_true(profile_switch(profile, SETTING_ALLOW_EXTRACTABLE));
    set(profile, "tenant", "fabrikam.example");
    set(profile, "allow-extractable", "no");
    assert_string_equal(keystay_profile_get(profile, "tenant"), "fabrikam.example");
    assert_false(profile_switch(profile, SETTING_ALLOW_EXTRACTABLE));
}

TEST(a_list_keeps_its_values_in_order)
{
    CLEANUP(profile_freep) struct keystay_profile *profile = fresh();

    set(profile, "key", "pkcs11:id=%01");
    set(profile, "key", "pkcs11:id=%02");
    set(profile, "key", "pkcs11:id=%01");
    assert_int_equal(profile_count(profile, SETTING_KEY), 3);
    assert_string_equal(profile_item(profile, SETTING_KEY, 0), "pkcs11:id=%01");
    assert_string_equal(profile_item(profile, SETTING_KEY, 1), "pkcs11:id=%02");
    assert_string_equal(profile_item(profile, SETTING_KEY, 2), "pkcs11:id=%01");
    assert_string_equal(profile_text(profile, SETTING_KEY), "pkcs11:id=%01");
    assert_int_equal(profile_count(profile, SETTING_CERTIFICATE), 0);
    assert_string_equal(keystay_profile_item(profile, "key", 0), "pkcs11:id=%01");
    assert_string_equal(keystay_profile_item(profile, "key", 1), "pkcs11:id=%02");
    assert_null(keystay_profile_item(profile, "key", 3));
    assert_null(keystay_profile_item(profile, "key", UINT32_MAX));
    assert_null(keystay_profile_item(profile, "certificate", 0));
    assert_string_equal(keystay_profile_item(profile, "timeout", 0), "30");
    assert_null(keystay_profile_item(profile, "timeout", 1));
    assert_null(keystay_profile_item(profile, "keys", 0));
    assert_null(keystay_profile_item(profile, "keys", 1));
}

/* A flag; what the named profile sets; KEYSTAY_*; [defaults]; AZURE_*. The user's file before the system's.
 */
static const enum profile_origin strongest_first[] = {
    PROFILE_FLAG,          PROFILE_USER_NAMED,      PROFILE_SYSTEM_NAMED, PROFILE_ENV,
    PROFILE_USER_DEFAULTS, PROFILE_SYSTEM_DEFAULTS, PROFILE_AZURE,
};

static void set_from(struct keystay_profile *profile, enum profile_origin origin)
{
    static const char *const values[] = {
        [PROFILE_AZURE] = "of AZURE_*",
        [PROFILE_SYSTEM_DEFAULTS] = "of the system's defaults",
        [PROFILE_USER_DEFAULTS] = "of the user's defaults",
        [PROFILE_ENV] = "of KEYSTAY_*",
        [PROFILE_SYSTEM_NAMED] = "of the system's profile",
        [PROFILE_USER_NAMED] = "of the user's profile",
        [PROFILE_FLAG] = "of a flag",
    };

    assert_ok(profile_set(profile, SETTING_TENANT, values[origin], origin, NULL));
    assert_ok(profile_set(profile, SETTING_KEY, values[origin], origin, NULL));
    assert_ok(profile_set(profile, SETTING_KEY, values[origin], origin, NULL));
}

TEST(of_each_pair_of_origins_the_stronger_wins_in_any_order)
{
    for (size_t strong = 0; strong < ARRAY_LEN(strongest_first); strong++) {
        for (size_t weak = strong + 1; weak < ARRAY_LEN(strongest_first); weak++) {
            for (int is_strong_first = 0; is_strong_first < 2; is_strong_first++) {
                CLEANUP(profile_freep) struct keystay_profile *alone = fresh();
                CLEANUP(profile_freep) struct keystay_profile *profile = fresh();

                set_from(alone, strongest_first[strong]);
                set_from(profile, strongest_first[is_strong_first ? strong : weak]);
                set_from(profile, strongest_first[is_strong_first ? weak : strong]);
                assert_string_equal(
                    profile_text(profile, SETTING_TENANT), profile_text(alone, SETTING_TENANT));
                assert_string_equal(profile_text(profile, SETTING_KEY), profile_text(alone, SETTING_KEY));
                assert_int_equal(profile_count(profile, SETTING_KEY), 2); /* two lists do not mix */
                assert_int_equal(profile_source(profile, SETTING_KEY, 0).origin, strongest_first[strong]);
            }
        }
    }
}

/* A scope on the command line with a resource in the profile is no contradiction: the flag wins. */
TEST(with_entra_the_stronger_of_scope_and_resource_counts)
{
    for (size_t strong = 0; strong < ARRAY_LEN(strongest_first); strong++) {
        for (size_t weak = 0; weak < ARRAY_LEN(strongest_first); weak++) {
            CLEANUP(profile_freep) struct keystay_profile *profile = fresh();
            const enum profile_origin scope = strongest_first[strong];
            const enum profile_origin resource = strongest_first[weak];

            assert_ok(profile_set(profile, SETTING_SCOPE, "s", scope, NULL));
            assert_ok(profile_set(profile, SETTING_RESOURCE, "r", resource, NULL));
            assert_int_equal(profile_count(profile, SETTING_SCOPE), strong <= weak);
            assert_int_equal(profile_text(profile, SETTING_SCOPE) != NULL, strong <= weak);
            assert_int_equal(profile_count(profile, SETTING_RESOURCE), weak <= strong);
            assert_ok(profile_set(profile, SETTING_PROVIDER, "maskinporten", PROFILE_FLAG, NULL));
            assert_string_equal(profile_text(profile, SETTING_SCOPE), "s");
            assert_string_equal(profile_text(profile, SETTING_RESOURCE), "r");
        }
    }
}

TEST(a_bad_value_of_a_file_is_told_with_its_place)
{
    CLEANUP(profile_freep) struct keystay_profile *profile = fresh();
    const struct profile_source source = { PROFILE_USER_NAMED, "/etc/k.conf", 12 };
    struct keystay_error err;

    assert_int_equal(profile_set_from(profile, SETTING_TIMEOUT, "0", &source, &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, "/etc/k.conf:12: timeout must be");
    assert_ok(profile_set_from(profile, SETTING_TIMEOUT, "7", &source, &err));
    assert_string_equal(profile_source(profile, SETTING_TIMEOUT, 0).path, "/etc/k.conf");
    assert_int_equal(profile_source(profile, SETTING_TIMEOUT, 0).line, 12);
    set(profile, "timeout", "8");
    assert_null(profile_source(profile, SETTING_TIMEOUT, 0).path);
}

TEST(each_setting_is_read_from_its_variable)
{
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        CLEANUP(profile_freep) struct keystay_profile *profile = fresh();
        const struct setting *row = &setting_rows[id];
        const char *value = row->kind == SETTING_CHOICE   ? row->choices[0]
                            : row->kind == SETTING_SWITCH ? "yes"
                            : row->kind == SETTING_NUMBER ? "60"
                                                          : "some text";
        char name[SETTING_ENV_SIZE];

        setting_env_name(id, name);
        put_env(name, value);
        assert_ok(keystay_profile_read_environment(profile, NULL));
        assert_string_equal(profile_text(profile, id), value);
        assert_int_equal(profile_count(profile, id), 1);
    }
}

TEST(a_flag_overrules_the_environment_before_and_after)
{
    CLEANUP(profile_freep) struct keystay_profile *profile = fresh();

    put_env("KEYSTAY_TENANT", "of.the.environment");
    put_env("KEYSTAY_CLIENT_ID", "of.the.environment");
    set(profile, "tenant", "of.the.flag");
    assert_ok(keystay_profile_read_environment(profile, NULL));
    set(profile, "client-id", "of.the.flag");
    assert_string_equal(keystay_profile_get(profile, "tenant"), "of.the.flag");
    assert_string_equal(keystay_profile_get(profile, "client-id"), "of.the.flag");
}

TEST(azure_names_come_last)
{
    CLEANUP(profile_freep) struct keystay_profile *profile = fresh();

    put_env("AZURE_TENANT_ID", "azure.example");
    put_env("AZURE_CLIENT_ID", "azure-client");
    put_env("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/");
    put_env("KEYSTAY_CLIENT_ID", "keystay-client");
    assert_ok(keystay_profile_read_environment(profile, NULL));
    assert_string_equal(keystay_profile_get(profile, "tenant"), "azure.example");
    assert_string_equal(keystay_profile_get(profile, "authority"), "https://login.microsoftonline.us/");
    assert_string_equal(keystay_profile_get(profile, "client-id"), "keystay-client");
}

TEST(azure_names_are_read_for_entra_alone_however_it_was_chosen)
{
    static const enum profile_origin origins[] = { PROFILE_FLAG, PROFILE_USER_NAMED,
                                                   PROFILE_SYSTEM_DEFAULTS };

    for (size_t i = 0; i < ARRAY_LEN(origins); i++) {
        CLEANUP(profile_freep) struct keystay_profile *entra = fresh();
        CLEANUP(profile_freep) struct keystay_profile *other = fresh();

        put_env("AZURE_TENANT_ID", "azure.example");
        assert_ok(profile_set(entra, SETTING_PROVIDER, "entra", origins[i], NULL));
        assert_ok(profile_set(other, SETTING_PROVIDER, "oidc", origins[i], NULL));
        assert_ok(keystay_profile_read_environment(entra, NULL));
        assert_ok(keystay_profile_read_environment(other, NULL));
        assert_string_equal(keystay_profile_get(entra, "tenant"), "azure.example");
        assert_null(keystay_profile_get(other, "tenant"));
    }
}

TEST(the_variable_says_which_provider_it_is_too)
{
    CLEANUP(profile_freep) struct keystay_profile *profile = fresh();

    put_env("KEYSTAY_PROVIDER", "oidc");
    put_env("AZURE_TENANT_ID", "azure.example");
    assert_ok(keystay_profile_read_environment(profile, NULL));
    assert_null(keystay_profile_get(profile, "tenant"));
}

TEST(an_empty_variable_counts_as_unset)
{
    CLEANUP(profile_freep) struct keystay_profile *profile = fresh();

    for (enum setting_id id = 0; id < SETTING_N; id++) {
        char name[SETTING_ENV_SIZE];
        setting_env_name(id, name);
        put_env(name, "");
    }
    put_env("AZURE_TENANT_ID", "azure.example");
    put_env("AZURE_CLIENT_ID", "");
    assert_ok(keystay_profile_read_environment(profile, NULL));
    assert_string_equal(keystay_profile_get(profile, "tenant"), "azure.example");
    assert_null(keystay_profile_get(profile, "client-id"));
    assert_string_equal(keystay_profile_get(profile, "timeout"), "30");
}

TEST(a_list_has_a_cap)
{
    CLEANUP(profile_freep) struct keystay_profile *profile = fresh();
    struct keystay_error err;
    char uri[32];

    for (int i = 0; i < PROFILE_LIST_MAX; i++) {
        (void)snprintf(uri, sizeof(uri), "pkcs11:id=%%%02d", i);
        set(profile, "key", uri);
    }
    assert_int_equal(keystay_profile_set(profile, "key", "pkcs11:id=%99", &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, "8 times");
    assert_int_equal(profile_count(profile, SETTING_KEY), PROFILE_LIST_MAX);
    assert_string_equal(profile_item(profile, SETTING_KEY, PROFILE_LIST_MAX - 1), "pkcs11:id=%07");
}

/* "The profile is then as before." */
TEST(a_refused_value_changes_nothing)
{
    CLEANUP(profile_freep) struct keystay_profile *profile = fresh();

    set(profile, "timeout", "60");
    set(profile, "key", "pkcs11:id=%01");
    assert_int_equal(keystay_profile_set(profile, "timeout", "0", NULL), KEYSTAY_E_CONFIG);
    assert_int_equal(keystay_profile_set(profile, "key", "", NULL), KEYSTAY_E_CONFIG);
    assert_int_equal(profile_number(profile, SETTING_TIMEOUT), 60);
    assert_int_equal(profile_count(profile, SETTING_KEY), 1);
}

TEST(a_bad_variable_is_named_and_its_value_is_not)
{
    static const char *const names[] = { "KEYSTAY_TIMEOUT", "KEYSTAY_ALG", "KEYSTAY_PIN_REUSE" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(profile_freep) struct keystay_profile *profile = fresh();
        struct keystay_error err;

        put_env(names[i], "hunter2");
        assert_int_equal(keystay_profile_read_environment(profile, &err), KEYSTAY_E_CONFIG);
        assert_contains(err.message, "environment variable");
        assert_contains(err.message, names[i]);
        assert_lacks(err.message, "hunter2");
        assert_int_equal(keystay_profile_read_environment(profile, NULL), KEYSTAY_E_CONFIG);
    }
    keystay_profile_free(fresh());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(an_unknown_setting_is_named),
        cmocka_unit_test(a_new_profile_has_the_defaults),
        cmocka_unit_test(keeps_a_copy_of_each_kind_of_value),
        cmocka_unit_test(a_list_keeps_its_values_in_order),
        cmocka_unit_test(of_each_pair_of_origins_the_stronger_wins_in_any_order),
        cmocka_unit_test(with_entra_the_stronger_of_scope_and_resource_counts),
        cmocka_unit_test(a_bad_value_of_a_file_is_told_with_its_place),
        cmocka_unit_test(each_setting_is_read_from_its_variable),
        cmocka_unit_test(a_flag_overrules_the_environment_before_and_after),
        cmocka_unit_test(azure_names_come_last),
        cmocka_unit_test(azure_names_are_read_for_entra_alone_however_it_was_chosen),
        cmocka_unit_test(the_variable_says_which_provider_it_is_too),
        cmocka_unit_test(an_empty_variable_counts_as_unset),
        cmocka_unit_test(a_list_has_a_cap),
        cmocka_unit_test(a_refused_value_changes_nothing),
        cmocka_unit_test(a_bad_variable_is_named_and_its_value_is_not),
    };

    return RUN_TESTS(tests);
}
