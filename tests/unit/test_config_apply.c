/* SPDX-License-Identifier: Apache-2.0 */
/* What files say together: which value wins in a profile, where it stands, and which profiles there are. */
#include "unit.h"

#include "core/config.h"
#include "scratch.h"

static const char saved[] = "[defaults]\n"
                            "tenant = contoso.example\n"
                            "\n"
                            "[profile backup]\n"
                            "client_id = the-client\n"
                            "key = pkcs11:token=a;id=%01\n"
                            "key = pkcs11:token=b;id=%02\n"
                            "[profile ci]\n";

static void config_put(
    const struct scratch *folder, const char *name, const char *text, enum config_place place,
    struct config *config)
{
    char path[SCRATCH_PATH_SIZE];

    scratch_put(folder, name, slice_of_str(text), 0600);
    assert_ok(config_read_file(scratch_path(folder, name, path), place, true, config, NULL));
}

static void assert_value(const struct keystay_profile *profile, const char *name, const char *value)
{
    const char *text = keystay_profile_get(profile, name);

    assert_non_null(text);
    assert_string_equal(text, value);
}

TEST(two_files_are_merged_key_by_key)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    CLEANUP(config_clear) struct config config = { 0 };
    CLEANUP(profile_freep) struct keystay_profile *profile = NULL;
    const char *names[CONFIG_NAMES_SIZE];

    config_put(
        &folder, "system",
        "[defaults]\ntenant = system\ntimeout = 11\n[profile a]\nscope = system\nalg = RS256\n"
        "key = system-1\nkey = system-2\n[profile b]\n",
        CONFIG_SYSTEM, &config);
    config_put(
        &folder, "user",
        "[profile c]\n[profile a]\nscope = user\nkey = user-1\n[defaults]\ntenant = user\nlifetime = 77\n",
        CONFIG_USER, &config);
    assert_ok(keystay_profile_new(&profile, NULL));
    assert_ok(config_apply(&config, "a", profile, NULL));
    assert_value(profile, "tenant", "user");
    assert_value(profile, "timeout", "11");
    assert_value(profile, "lifetime", "77");
    assert_value(profile, "scope", "user");
    assert_value(profile, "alg", "RS256");
    assert_int_equal(profile_count(profile, SETTING_KEY), 1);
    assert_value(profile, "key", "user-1");
    config_names(&config, names);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "b");
    assert_string_equal(names[2], "c");
    assert_null(names[3]);
}

TEST(a_value_knows_where_it_stands)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    CLEANUP(config_clear) struct config config = { 0 };
    CLEANUP(profile_freep) struct keystay_profile *profile = NULL;
    char path[SCRATCH_PATH_SIZE];

    config_put(&folder, "system", saved, CONFIG_SYSTEM, &config);
    config_put(&folder, "user", "[defaults]\ntimeout = 5\n", CONFIG_USER, &config);
    assert_ok(keystay_profile_new(&profile, NULL));
    assert_ok(config_apply(&config, "backup", profile, NULL));
    struct profile_source source = profile_source(profile, SETTING_KEY, 1);
    assert_int_equal(source.origin, PROFILE_SYSTEM_NAMED);
    assert_string_equal(source.path, scratch_path(&folder, "system", path));
    assert_int_equal(source.line, 7);
    assert_int_equal(profile_source(profile, SETTING_KEY, 0).line, 6);
    source = profile_source(profile, SETTING_TENANT, 0);
    assert_int_equal(source.origin, PROFILE_SYSTEM_DEFAULTS);
    assert_int_equal(source.line, 2);
    source = profile_source(profile, SETTING_TIMEOUT, 0);
    assert_int_equal(source.origin, PROFILE_USER_DEFAULTS);
    assert_string_equal(source.path, scratch_path(&folder, "user", path));
    source = profile_source(profile, SETTING_ALG, 0);
    assert_int_equal(source.origin, PROFILE_DEFAULT);
    assert_null(source.path);
    assert_int_equal(source.line, 0);
}

TEST(without_a_name_only_the_defaults_count)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    CLEANUP(config_clear) struct config config = { 0 };
    CLEANUP(profile_freep) struct keystay_profile *profile = NULL;

    config_put(&folder, "user", saved, CONFIG_USER, &config);
    assert_ok(keystay_profile_new(&profile, NULL));
    assert_ok(config_apply(&config, NULL, profile, NULL));
    assert_value(profile, "tenant", "contoso.example");
    assert_null(keystay_profile_get(profile, "client-id"));
}

TEST(an_unknown_profile_lists_those_that_exist_and_is_not_repeated)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    CLEANUP(config_clear) struct config config = { 0 };
    CLEANUP(config_clear) struct config empty = { 0 };
    CLEANUP(profile_freep) struct keystay_profile *profile = NULL;
    struct keystay_error err;

    config_put(&folder, "user", saved, CONFIG_USER, &config);
    config_put(&folder, "empty", "[defaults]\n", CONFIG_USER, &empty);
    assert_ok(keystay_profile_new(&profile, NULL));
    assert_int_equal(config_apply(&config, "bckup", profile, &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, "there: backup ci");
    assert_contains(err.hint, "did you mean backup?");
    assert_int_equal(config_apply(&config, "73914682", profile, &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, "there: backup ci");
    assert_lacks(err.message, "73914682");
    assert_lacks(err.hint, "73914682");
    assert_int_equal(config_apply(&config, "", profile, &err), KEYSTAY_E_CONFIG);
    assert_int_equal(config_apply(&config, "defaults", profile, &err), KEYSTAY_E_CONFIG);
    assert_int_equal(config_apply(&empty, "backup", profile, &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, "and no other: looked at /tmp/");
    assert_contains(err.hint, "[profile NAME]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_files_are_merged_key_by_key),
        cmocka_unit_test(a_value_knows_where_it_stands),
        cmocka_unit_test(without_a_name_only_the_defaults_count),
        cmocka_unit_test(an_unknown_profile_lists_those_that_exist_and_is_not_repeated),
    };

    return RUN_TESTS(tests);
}
