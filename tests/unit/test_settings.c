/* SPDX-License-Identifier: Apache-2.0 */
#include "rsa.h"
#include "unit.h"

#include <stdint.h>
#include <stdio.h>

#include "pkcs11/settings.h"

#define MODULE "/lib/a.so"
#define KEY "pkcs11:token=backup;id=%01"

static enum keystay_status read_it(
    const struct keystay_pkcs11_config *config, struct p11_settings *settings, struct keystay_error *err)
{
    *settings = (struct p11_settings){ 0 };
    return p11_settings_read(config, settings, err);
}

TEST(clearing_nothing_is_fine)
{
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };

    p11_settings_clear(&settings);
}

/* One thing is wrong in each. "4711" plays the PIN. */
static const struct {
    const char *name;
    struct keystay_pkcs11_config config;
    const char *reason;
} refused[] = {
    { "nothing at all", { 0 }, "no key is given" },
    { "no key", { .module = MODULE }, "no key is given" },
    { "a key that is no URI", { .module = MODULE, .key_uri = "backup" }, "pkcs11:" },
    { "an unknown attribute", { .module = MODULE, .key_uri = "pkcs11:tokn=a" }, "tokn" },
    { "a certificate for a key", { .module = MODULE, .key_uri = "pkcs11:type=cert" }, "private" },
    { "a PIN in the URI", { .module = MODULE, .key_uri = KEY "?pin-value=4711" }, "pin-value" },
    { "a path and a name", { .key_uri = KEY "?module-path=/lib/b.so&module-name=b" }, "more than one" },
    { "two modules", { .module = MODULE, .key_uri = KEY "?module-path=/lib/b.so" }, "more than one" },
    { "two PIN sources",
      { .module = MODULE, .key_uri = KEY "?pin-source=/run/pin", .pin_source = "tty" },
      "both given" },
    { "the same PIN source twice",
      { .module = MODULE, .key_uri = KEY "?pin-source=/run/pin", .pin_source = "file:/run/pin" },
      "both given" },
    { "a literal PIN", { .module = MODULE, .key_uri = KEY, .pin_source = "4711" }, "never the PIN itself" },
    { "an empty PIN source", { .module = MODULE, .key_uri = KEY, .pin_source = "" }, "--pin-source must be" },
    { "a literal PIN in the URI", { .module = MODULE, .key_uri = KEY "?pin-source=4711" }, "pin-source" },
    { "env: only outside the URI", { .module = MODULE, .key_uri = KEY "?pin-source=env:PIN" }, "pin-source" },
    { "login: yes", { .module = MODULE, .key_uri = KEY, .login = "yes" }, "auto, always or never" },
    { "login: empty", { .module = MODULE, .key_uri = KEY, .login = "" }, "auto, always or never" },
    { "login: capitals", { .module = MODULE, .key_uri = KEY, .login = "Auto" }, "auto, always or never" },
};

TEST(what_contradicts_or_is_missing_is_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        CLEANUP(p11_settings_clear) struct p11_settings settings;
        struct keystay_error err = { 0 };

        assert_row(read_it(&refused[i].config, &settings, &err) == KEYSTAY_E_CONFIG, refused[i].name);
        assert_contains(err.message, refused[i].reason);
        assert_lacks(err.message, "4711");
        assert_lacks(err.hint, "4711");
    }
}

TEST(certificates_that_make_no_sense_are_refused)
{
    static const char *const missing[] = { "/nonexistent/cert.pem" };
    static const char *const uri_beside_file[] = { "pkcs11:object=a", "pkcs11:object=b" };
    static const char *const key_as_certificate[] = { "pkcs11:type=private" };
    static const char *const many[P11_CERTIFICATES_MAX + 1] = { "/a" };
    static const struct {
        const char *name;
        const char *const *certificates;
        size_t n;
        enum keystay_status status;
        const char *reason;
    } rows[] = {
        { "missing", missing, 1, KEYSTAY_E_CERTIFICATE, "/nonexistent/cert.pem" },
        { "two URIs", uri_beside_file, 2, KEYSTAY_E_CONFIG, "alone" },
        { "a key's URI", key_as_certificate, 1, KEYSTAY_E_CONFIG, "cert" },
        { "too many", many, P11_CERTIFICATES_MAX + 1, KEYSTAY_E_CONFIG, "more than 16" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(p11_settings_clear) struct p11_settings settings;
        const struct keystay_pkcs11_config config = { .module = MODULE,
                                                      .key_uri = KEY,
                                                      .certificates = rows[i].certificates,
                                                      .n_certificates = rows[i].n };
        struct keystay_error err = { 0 };

        assert_row(read_it(&config, &settings, &err) == rows[i].status, rows[i].name);
        assert_contains(err.message, rows[i].reason);
    }
}

/* Then the engine looks through the system's registry. */
TEST(without_a_module_there_is_no_path)
{
    const struct keystay_pkcs11_config config = { .key_uri = KEY };
    CLEANUP(p11_settings_clear) struct p11_settings settings;

    assert_ok(read_it(&config, &settings, NULL));
    assert_null(settings.module_path);
}

/* Without a '/' it is a name in the registry, never a file that the linker would search for. */
TEST(a_name_that_the_registry_does_not_know_is_refused)
{
    static const struct keystay_pkcs11_config configs[] = {
        { .module = "libkeystay-unit.so", .key_uri = KEY },
        { .key_uri = KEY "?module-name=libkeystay-unit.so" },
        { .module = "", .key_uri = KEY },
    };

    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        CLEANUP(p11_settings_clear) struct p11_settings settings;
        struct keystay_error err = { 0 };

        assert_int_not_equal(read_it(&configs[i], &settings, &err), KEYSTAY_OK);
        assert_int_equal(keystay_status_exit(err.status), 3);
        assert_null(settings.module_path);
    }
}

TEST(the_least_that_is_needed_has_these_defaults)
{
    const struct keystay_pkcs11_config config = { .module = MODULE, .key_uri = KEY };
    CLEANUP(p11_settings_clear) struct p11_settings settings;

    assert_ok(read_it(&config, &settings, NULL));
    assert_string_equal(settings.module_path, MODULE);
    assert_null(settings.module_args);
    assert_non_null(settings.key);
    assert_null(settings.certificate_uri);
    assert_int_equal(settings.n_certificates, 0);
    assert_int_equal(settings.pin.source.kind, PIN_SOURCE_TTY);
    assert_false(settings.pin.is_configured);
    assert_int_equal(settings.pin.login, PIN_LOGIN_AUTO);
    assert_int_equal(settings.pin.timeout_ms, 60000);
    assert_null(settings.pin.state_dir);
    assert_int_equal(settings.sessions_max, 4);
    assert_false(settings.pin.final_try || settings.pin.count_low_try || settings.pin.reuse);
    assert_false(settings.allow_extractable || settings.require_generated);
}

TEST(every_setting_arrives_where_it_belongs)
{
    static const struct keystay_log log;
    static const struct keystay_call_watch watch;
    struct keystay_pkcs11_config config = {
        .module = MODULE,
        .module_args = "configDir=x",
        .key_uri = KEY,
        .pin_source = "file:/run/pin",
        .login = "never",
        .state_dir = "/run/state",
        .sessions = 9,
        .interaction_timeout_s = 7,
        .now_s = 1234,
        .log = &log,
        .watch = &watch,
    };
    CLEANUP(p11_settings_clear) struct p11_settings settings;

    assert_ok(read_it(&config, &settings, NULL));
    assert_string_equal(settings.module_args, "configDir=x");
    assert_int_equal(settings.pin.source.kind, PIN_SOURCE_FILE);
    assert_string_equal(settings.pin.source.argument, "/run/pin");
    assert_true(settings.pin.is_configured);
    assert_int_equal(settings.pin.login, PIN_LOGIN_NEVER);
    assert_string_equal(settings.pin.state_dir, "/run/state");
    assert_int_equal(settings.sessions_max, 9);
    assert_int_equal(settings.pin.timeout_ms, 7000);
    assert_int_equal(settings.now_s, 1234);
    assert_ptr_equal(settings.log, &log);
    assert_ptr_equal(settings.watch, &watch);
}

/* Each switch alone turns its own setting on, and no other. */
TEST(switches_are_not_mixed_up)
{
    for (int which = 0; which < 5; which++) {
        const struct keystay_pkcs11_config config = {
            .module = MODULE,
            .key_uri = KEY,
            .pin_final_try = which == 0 ? 2 : 0, /* any number that is not 0 */
            .pin_count_low_try = which == 1,
            .pin_reuse = which == 2,
            .allow_extractable = which == 3,
            .require_generated = which == 4,
        };
        CLEANUP(p11_settings_clear) struct p11_settings settings;

        assert_ok(read_it(&config, &settings, NULL));
        assert_int_equal(settings.pin.final_try, which == 0);
        assert_int_equal(settings.pin.count_low_try, which == 1);
        assert_int_equal(settings.pin.reuse, which == 2);
        assert_int_equal(settings.allow_extractable, which == 3);
        assert_int_equal(settings.require_generated, which == 4);
    }
}

TEST(login_has_three_words)
{
    static const struct {
        const char *word;
        enum pin_login_when when;
    } rows[] = { { "auto", PIN_LOGIN_AUTO }, { "always", PIN_LOGIN_ALWAYS }, { "never", PIN_LOGIN_NEVER } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct keystay_pkcs11_config config = { .module = MODULE,
                                                      .key_uri = KEY,
                                                      .login = rows[i].word };
        CLEANUP(p11_settings_clear) struct p11_settings settings;

        assert_ok(read_it(&config, &settings, NULL));
        assert_row(settings.pin.login == rows[i].when, rows[i].word);
    }
}

TEST(the_uri_can_name_module_and_pin_source)
{
    static const struct {
        const char *uri, *module, *argument;
    } rows[] = {
        { KEY "?module-path=/lib/b.so", NULL, NULL },
        { KEY "?module-path=/lib/b.so", "/lib/b.so", NULL }, /* twice the same is no contradiction */
        { KEY "?module-path=/lib/b.so&pin-source=/run/pin", NULL, "/run/pin" },
        { KEY "?module-path=/lib/b.so&pin-source=file:/run/p%20n", NULL, "/run/p n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct keystay_pkcs11_config config = { .module = rows[i].module, .key_uri = rows[i].uri };
        CLEANUP(p11_settings_clear) struct p11_settings settings;

        assert_ok(read_it(&config, &settings, NULL));
        assert_string_equal(settings.module_path, "/lib/b.so");
        assert_row(settings.pin.is_configured == (rows[i].argument != NULL), rows[i].uri);
        if (rows[i].argument != NULL) {
            assert_int_equal(settings.pin.source.kind, PIN_SOURCE_FILE);
            assert_string_equal(settings.pin.source.argument, rows[i].argument);
        }
    }
}

/* The public header: everything is borrowed until the call returns. */
TEST(nothing_of_the_config_is_needed_afterwards)
{
    char module[] = MODULE, args[] = "args", uri[] = KEY, pin_source[] = "file:/run/pin", dir[] = "/state";
    const struct keystay_pkcs11_config config = {
        .module = module, .module_args = args, .key_uri = uri, .pin_source = pin_source, .state_dir = dir
    };
    CLEANUP(p11_settings_clear) struct p11_settings settings;
    struct slice id;

    assert_ok(read_it(&config, &settings, NULL));
    memset(module, 'X', sizeof(module) - 1);
    memset(args, 'X', sizeof(args) - 1);
    memset(uri, 'X', sizeof(uri) - 1);
    memset(pin_source, 'X', sizeof(pin_source) - 1);
    memset(dir, 'X', sizeof(dir) - 1);
    assert_string_equal(settings.module_path, MODULE);
    assert_string_equal(settings.module_args, "args");
    assert_string_equal(settings.pin.source.argument, "/run/pin");
    assert_string_equal(settings.pin.state_dir, "/state");
    assert_true(p11_uri_id(settings.key, NULL, &id));
    assert_slice(id, "\x01");
}

static struct temp_file certificate_file(const struct cert_spec *spec)
{
    CLEANUP(buf_clear) struct buf pem = BUF(16 * 1024);

    cert_pem(spec, &pem);
    return temp_file(buf_slice(&pem));
}

TEST(files_are_read_and_a_uri_is_kept_for_the_token)
{
    CLEANUP(temp_file_remove) struct temp_file a = certificate_file(&(struct cert_spec){ .subject_cn = "a" });
    CLEANUP(temp_file_remove) struct temp_file b = certificate_file(&(struct cert_spec){ .subject_cn = "b" });
    const char *files[] = { a.path, b.path };
    const char *uri[] = { "pkcs11:object=c;type=cert" };
    struct keystay_pkcs11_config config = {
        .module = MODULE, .key_uri = KEY, .certificates = files, .n_certificates = 2, .now_s = CERT_NOW_S
    };
    CLEANUP(p11_settings_clear) struct p11_settings settings;
    CLEANUP(p11_settings_clear) struct p11_settings of_uri;

    assert_ok(read_it(&config, &settings, NULL));
    assert_int_equal(settings.n_certificates, 2);
    assert_string_equal(certificate_subject(settings.certificates[0]), "CN=a");
    assert_string_equal(certificate_subject(settings.certificates[1]), "CN=b");
    assert_null(settings.certificate_uri);
    config.certificates = uri;
    config.n_certificates = 1;
    assert_ok(read_it(&config, &of_uri, NULL));
    assert_non_null(of_uri.certificate_uri);
    assert_int_equal(of_uri.n_certificates, 0);
}

/* Before any PIN is read: a certificate that no server takes must cost no try. */
TEST(files_are_judged_at_once)
{
    CLEANUP(pkey_freep) EVP_PKEY *small = rsa_public_key_of_bits(1024);
    CLEANUP(temp_file_remove) struct temp_file good = certificate_file(&(struct cert_spec){ 0 });
    CLEANUP(temp_file_remove) struct temp_file weak = certificate_file(&(struct cert_spec){ .key = small });
    CLEANUP(temp_file_remove) struct temp_file rubbish = temp_file(SLICE("rubbish"));
    const struct {
        const char *name, *path;
        int64_t now_s;
        enum keystay_status status;
    } rows[] = {
        { "expired", good.path, INT64_C(4102444800), KEYSTAY_E_CERTIFICATE },
        { "not yet valid", good.path, 1, KEYSTAY_E_CERTIFICATE },
        { "rubbish", rubbish.path, CERT_NOW_S, KEYSTAY_E_CERTIFICATE },
        { "too small", weak.path, CERT_NOW_S, KEYSTAY_E_KEY_REFUSED },
        { "good", good.path, CERT_NOW_S, KEYSTAY_OK },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *files[] = { good.path, rows[i].path };
        const struct keystay_pkcs11_config config = { .module = MODULE,
                                                      .key_uri = KEY,
                                                      .certificates = files,
                                                      .n_certificates = 2,
                                                      .now_s = rows[i].now_s };
        CLEANUP(p11_settings_clear) struct p11_settings settings;

        assert_row(read_it(&config, &settings, NULL) == rows[i].status, rows[i].name);
    }
}

/* How they are renewed: one that is over, or is to come, stands beside the one that is used. */
TEST(of_several_files_one_has_to_be_valid)
{
    const struct cert_spec next = { .not_before_s = CERT_NOW_S + 43200, .not_after_s = CERT_NOW_S + 90000 };
    CLEANUP(temp_file_remove) struct temp_file old = certificate_file(&(struct cert_spec){ 0 });
    CLEANUP(temp_file_remove) struct temp_file new = certificate_file(&next);
    const char *files[] = { old.path, new.path };
    static const struct {
        const char *name, *words;
        int64_t now_s;
        enum keystay_status status;
    } rows[] = {
        { "too early for both", "not valid before 2023-11-14T10:13:20Z", CERT_NOW_S - 43201,
          KEYSTAY_E_CERTIFICATE },
        { "the first", NULL, CERT_NOW_S, KEYSTAY_OK },
        { "both", NULL, CERT_NOW_S + 43200, KEYSTAY_OK },
        { "the second", NULL, CERT_NOW_S + 43201, KEYSTAY_OK },
        { "too late for both", "expired at 2023-11-15T23:13:20Z", CERT_NOW_S + 90001, KEYSTAY_E_CERTIFICATE },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct keystay_pkcs11_config config = { .module = MODULE,
                                                      .key_uri = KEY,
                                                      .certificates = files,
                                                      .n_certificates = 2,
                                                      .now_s = rows[i].now_s };
        CLEANUP(p11_settings_clear) struct p11_settings settings;
        struct keystay_error err = { 0 };

        assert_row(read_it(&config, &settings, &err) == rows[i].status, rows[i].name);
        assert_contains(err.message, rows[i].words == NULL ? "" : rows[i].words);
    }
}

/* Before any PIN is read, too: what can prove nothing, and a file with nobody to believe in it. */
TEST(a_proof_is_asked_for_with_somebody_to_believe)
{
    CLEANUP(temp_file_remove) struct temp_file root = certificate_file(&(struct cert_spec){ 0 });
    CLEANUP(temp_file_remove) struct temp_file rubbish = temp_file(SLICE("rubbish"));
    const struct {
        const char *name, *path;
        int require_attested;
        enum keystay_status status;
    } rows[] = {
        { "nobody is believed, nothing is asked", NULL, 0, KEYSTAY_OK },
        { "nobody is believed", NULL, 1, KEYSTAY_E_KEY_REFUSED },
        { "a root", root.path, 1, KEYSTAY_OK },
        { "a root, for looking", root.path, 0, KEYSTAY_OK },
        { "rubbish", rubbish.path, 0, KEYSTAY_E_CONFIG },
        { "no file", "/nonexistent", 1, KEYSTAY_E_CONFIG },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct keystay_pkcs11_config config = { .module = MODULE,
                                                      .key_uri = KEY,
                                                      .require_attested = rows[i].require_attested,
                                                      .attestation_cas = &rows[i].path,
                                                      .n_attestation_cas = rows[i].path == NULL ? 0 : 1 };
        CLEANUP(p11_settings_clear) struct p11_settings settings;
        struct keystay_error err = { 0 };

        assert_row(read_it(&config, &settings, &err) == rows[i].status, rows[i].name);
        assert_row((settings.attestation_trust != NULL) == (rows[i].path == root.path), rows[i].name);
        assert_row(settings.require_attested == (rows[i].require_attested == 1), rows[i].name);
        assert_row(
            rows[i].status != KEYSTAY_E_KEY_REFUSED || strstr(err.hint, "--attestation-ca") != NULL,
            rows[i].name);
    }
}

TEST(the_longest_wait_does_not_overflow)
{
    const struct keystay_pkcs11_config config = { .module = MODULE,
                                                  .key_uri = KEY,
                                                  .interaction_timeout_s = UINT32_MAX };
    CLEANUP(p11_settings_clear) struct p11_settings settings;

    assert_ok(read_it(&config, &settings, NULL));
    assert_true(settings.pin.timeout_ms == (int64_t)UINT32_MAX * 1000);
}

TEST(sixteen_certificates_are_not_too_many)
{
    CLEANUP(temp_file_remove) struct temp_file good = certificate_file(&(struct cert_spec){ 0 });
    const char *files[P11_CERTIFICATES_MAX];
    const struct keystay_pkcs11_config config = { .module = MODULE,
                                                  .key_uri = KEY,
                                                  .certificates = files,
                                                  .n_certificates = P11_CERTIFICATES_MAX,
                                                  .now_s = CERT_NOW_S };
    CLEANUP(p11_settings_clear) struct p11_settings settings;

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        files[i] = good.path;
    }
    assert_ok(read_it(&config, &settings, NULL));
    assert_int_equal(settings.n_certificates, P11_CERTIFICATES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clearing_nothing_is_fine),
        cmocka_unit_test(what_contradicts_or_is_missing_is_refused),
        cmocka_unit_test(certificates_that_make_no_sense_are_refused),
        cmocka_unit_test(without_a_module_there_is_no_path),
        cmocka_unit_test(a_name_that_the_registry_does_not_know_is_refused),
        cmocka_unit_test(the_least_that_is_needed_has_these_defaults),
        cmocka_unit_test(every_setting_arrives_where_it_belongs),
        cmocka_unit_test(switches_are_not_mixed_up),
        cmocka_unit_test(login_has_three_words),
        cmocka_unit_test(the_uri_can_name_module_and_pin_source),
        cmocka_unit_test(nothing_of_the_config_is_needed_afterwards),
        cmocka_unit_test(files_are_read_and_a_uri_is_kept_for_the_token),
        cmocka_unit_test(files_are_judged_at_once),
        cmocka_unit_test(a_proof_is_asked_for_with_somebody_to_believe),
        cmocka_unit_test(the_longest_wait_does_not_overflow),
        cmocka_unit_test(of_several_files_one_has_to_be_valid),
        cmocka_unit_test(sixteen_certificates_are_not_too_many),
    };

    return RUN_TESTS(tests);
}
