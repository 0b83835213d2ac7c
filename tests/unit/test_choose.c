/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "pkcs11/choose.h"

/* PKCS #11 v3.0 §3.2: padded with blanks, no NUL. */
static void pad(unsigned char *field, size_t size, const char *text)
{
    memset(field, ' ', size);
    memcpy(field, text, strlen(text));
}

static struct p11_token token(CK_SLOT_ID slot, const char *label, const char *serial, CK_FLAGS flags)
{
    struct p11_token token = { .slot = slot, .fits_slot = true, .info.flags = flags };

    pad(token.info.label, sizeof(token.info.label), label);
    pad(token.info.serialNumber, sizeof(token.info.serialNumber), serial);
    pad(token.info.manufacturerID, sizeof(token.info.manufacturerID), "Maker");
    pad(token.info.model, sizeof(token.info.model), "v1");
    choose_name_token(&token);
    return token;
}

#define READY CKF_TOKEN_INITIALIZED

static enum keystay_status choose(
    const struct p11_token *tokens, size_t n, const char *text, const struct p11_token **ret_token,
    struct keystay_error *err)
{
    CLEANUP(p11_uri_freep) struct p11_uri *uri = NULL;

    assert_ok(p11_uri_parse(text, P11_URI_KEY, &uri, NULL));
    return choose_token(tokens, n, uri, ret_token, err);
}

static size_t n_lines(const char *text)
{
    size_t n = 1;

    for (; *text != '\0'; text++) {
        n += *text == '\n' ? 1 : 0;
    }
    return n;
}

/* The message is a list: each of its lines must be fit for a terminal. */
static void assert_tame_lines(const char *text)
{
    char line[KEYSTAY_ERROR_MESSAGE_SIZE];

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        memcpy(line, text, len);
        line[len] = '\0';
        assert_tame(line);
        text += text[len] == '\0' ? len : len + 1;
    }
}

TEST(without_a_token_there_is_nothing_to_choose)
{
    const struct p11_token *found = NULL;
    struct keystay_error err;

    assert_int_equal(choose(NULL, 0, "pkcs11:", &found, &err), KEYSTAY_E_TOKEN_NOT_FOUND);
    assert_null(found);
    assert_contains(err.message, "no initialised token");
    assert_contains(err.hint, "pcscd");
    assert_int_equal(choose(NULL, 0, "pkcs11:", &found, NULL), KEYSTAY_E_TOKEN_NOT_FOUND);
}

TEST(no_error_to_fill_is_fine)
{
    const struct p11_token tokens[] = { token(1, "a", "1", READY), token(2, "a", "2", READY) };
    const struct p11_token *found = NULL;

    assert_int_equal(choose(tokens, 2, "pkcs11:", &found, NULL), KEYSTAY_E_AMBIGUOUS);
    assert_int_equal(choose(tokens, 2, "pkcs11:token=b", &found, NULL), KEYSTAY_E_TOKEN_NOT_FOUND);
    assert_null(found);
}

TEST(names_are_without_their_padding)
{
    struct p11_token full = token(1, "12345678901234567890123456789012", "1234567890123456", READY);
    struct p11_token blank = token(1, "", "", READY);
    struct p11_token inner = token(1, " a  b ", "0 1", READY);
    struct p11_token with_nul = token(1, "x", "y", READY);

    assert_string_equal(full.label, "12345678901234567890123456789012");
    assert_string_equal(full.serial, "1234567890123456");
    assert_string_equal(blank.label, "");
    assert_string_equal(blank.serial, "");
    assert_string_equal(inner.label, " a  b");
    assert_string_equal(inner.serial, "0 1");
    memset(with_nul.info.label + 1, 0, sizeof(with_nul.info.label) - 1); /* some modules pad with NUL */
    choose_name_token(&with_nul);
    assert_string_equal(with_nul.label, "x");
}

/* Of these four, the one with the serial; -1: none; -2: several. */
TEST(the_uri_means_one_token_or_none_is_chosen)
{
    static const struct {
        const char *uri;
        int index;
    } rows[] = {
        { "pkcs11:token=backup;serial=01", 0 },
        { "pkcs11:serial=02", 1 },
        { "pkcs11:slot-id=7", 2 },
        { "pkcs11:token=prod", 2 },
        { "pkcs11:token=prod;manufacturer=Maker;model=v1;slot-id=7", 2 },
        { "pkcs11:token=backup", -2 },
        { "pkcs11:", -2 },
        { "pkcs11:manufacturer=Maker", -2 },
        { "pkcs11:token=prod;slot-id=5", -1 },
        { "pkcs11:token=other", -1 },
        { "pkcs11:token=blank", -1 }, /* not initialised */
        { "pkcs11:slot-id=8", -1 },
    };
    const struct p11_token tokens[] = {
        token(5, "backup", "01", READY),
        token(6, "backup", "02", READY),
        token(7, "prod", "03", READY),
        token(8, "blank", "04", 0),
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct p11_token *found = NULL;
        enum keystay_status status = choose(tokens, ARRAY_LEN(tokens), rows[i].uri, &found, NULL);
        enum keystay_status expected = rows[i].index == -1   ? KEYSTAY_E_TOKEN_NOT_FOUND
                                       : rows[i].index == -2 ? KEYSTAY_E_AMBIGUOUS
                                                             : KEYSTAY_OK;
        assert_row(status == expected, rows[i].uri);
        assert_row(found == (rows[i].index < 0 ? NULL : &tokens[rows[i].index]), rows[i].uri);
    }
}

TEST(the_only_initialised_token_needs_no_name)
{
    const struct p11_token tokens[] = { token(1, "", "", 0), token(2, "prod", "7", READY),
                                        token(3, "", "", 0) };
    const struct p11_token *found = NULL;

    assert_ok(choose(tokens, ARRAY_LEN(tokens), "pkcs11:", &found, NULL));
    assert_ptr_equal(found, &tokens[1]);
}

TEST(what_is_ambiguous_is_listed_with_serials_and_slots)
{
    const struct p11_token tokens[] = {
        token(5, "backup", "01", READY),
        token(66, "backup", "", READY),
        token(7, "other", "03", READY),
        token(8, "backup", "04", 0),
    };
    const struct p11_token *found = NULL;
    struct keystay_error err;

    assert_int_equal(choose(tokens, 4, "pkcs11:token=backup", &found, &err), KEYSTAY_E_AMBIGUOUS);
    assert_string_equal(
        err.message, "2 tokens fit the key URI, and keystay does not guess:\n"
                     "  token 'backup', serial 01, slot-id 5\n"
                     "  token 'backup', serial unknown, slot-id 66");
    assert_contains(err.hint, "serial=");
}

TEST(what_is_there_is_listed_when_nothing_fits)
{
    const struct p11_token tokens[] = {
        token(5, "backup", "01", READY),
        token(6, "empty", "02", 0),
        token(7, "prod", "03", READY),
    };
    const struct p11_token *found = NULL;
    struct keystay_error err;

    assert_int_equal(choose(tokens, 3, "pkcs11:token=bakcup", &found, &err), KEYSTAY_E_TOKEN_NOT_FOUND);
    assert_contains(err.message, "'backup', serial 01, slot-id 5");
    assert_contains(err.message, "'prod', serial 03, slot-id 7");
    assert_lacks(err.message, "empty");
    assert_int_equal(n_lines(err.message), 3);
}

TEST(a_token_in_the_wrong_slot_does_not_fit)
{
    struct p11_token tokens[] = { token(5, "backup", "01", READY), token(6, "backup", "02", READY) };
    const struct p11_token *found = NULL;

    tokens[0].fits_slot = false;
    assert_ok(choose(tokens, 2, "pkcs11:token=backup", &found, NULL));
    assert_ptr_equal(found, &tokens[1]);
    tokens[1].fits_slot = false;
    found = NULL;
    assert_int_equal(choose(tokens, 2, "pkcs11:token=backup", &found, NULL), KEYSTAY_E_TOKEN_NOT_FOUND);
    assert_null(found);
}

/* Nothing but the flag decides: a token that only says "user PIN set" is not ready. */
TEST(only_uninitialised_tokens_are_like_none)
{
    const struct p11_token tokens[] = { token(1, "a", "1", 0), token(2, "b", "2", ~READY) };
    const struct p11_token *found = NULL;
    struct keystay_error err;

    assert_int_equal(choose(tokens, 2, "pkcs11:token=a", &found, &err), KEYSTAY_E_TOKEN_NOT_FOUND);
    assert_contains(err.message, "no initialised token");
}

TEST(long_lists_are_cut)
{
    static const size_t counts[] = { 2, 12, 13, P11_TOKENS_MAX };
    struct p11_token tokens[P11_TOKENS_MAX];

    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        char serial[16];
        (void)snprintf(serial, sizeof(serial), "%04zu", i);
        tokens[i] = token(i, "backup", serial, READY);
    }
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        const struct p11_token *found = NULL;
        struct keystay_error err;
        size_t n_listed = counts[i] < 12 ? counts[i] : 12;

        assert_int_equal(choose(tokens, counts[i], "pkcs11:", &found, &err), KEYSTAY_E_AMBIGUOUS);
        assert_int_equal(n_lines(err.message), 1 + n_listed + (counts[i] > n_listed ? 1 : 0));
        assert_true((strstr(err.message, "\n  ...") != NULL) == (counts[i] > 12));
    }
}

TEST(hostile_names_cannot_steer_a_terminal_nor_forge_a_line)
{
    static const char *const labels[] = {
        "\x1B[2J\x1B[1;1Hroot",
        "a\n  token 'forged'",
        "a\rb\tc\bd",
        "\xC2\x9B"
        "31m",
        "\xFF\xFE\x80",
        "\xE2\x80\xAE"
        "desrever",
        "\x7F\x01\x1F",
    };
    struct p11_token tokens[ARRAY_LEN(labels)];
    const struct p11_token *found = NULL;
    struct keystay_error err;

    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        tokens[i] = token(i, labels[i], "\x1B]0;x\x07", READY);
        assert_tame(tokens[i].label);
        assert_tame(tokens[i].serial);
    }
    assert_int_equal(choose(tokens, ARRAY_LEN(tokens), "pkcs11:", &found, &err), KEYSTAY_E_AMBIGUOUS);
    assert_tame_lines(err.message);
    assert_int_equal(n_lines(err.message), 1 + ARRAY_LEN(labels));
    assert_lacks(err.message, "\xE2\x80\xAE");
}

TEST(format_directives_in_a_label_are_only_text)
{
    const struct p11_token tokens[] = { token(1, "%s%n%100x", "%s", READY),
                                        token(2, "%s%n%100x", "%n", READY) };
    const struct p11_token *found = NULL;
    struct keystay_error err;

    assert_int_equal(choose(tokens, 2, "pkcs11:", &found, &err), KEYSTAY_E_AMBIGUOUS);
    assert_contains(err.message, "token '%s%n%100x', serial %n, slot-id 2");
}

#define UNKNOWN P11_CLAIM_UNKNOWN
#define NO P11_CLAIM_FALSE
#define YES P11_CLAIM_TRUE

static const struct {
    const char *name;
    struct p11_key_claims claims;
    bool plain, extractable_allowed, generated_required; /* accepted under each policy */
    const char *reason;                                  /* of the refusal under the plain one */
} claims_rows[] = {
    { "made inside", { YES, NO, YES, YES, YES, YES }, true, true, true, NULL },
    { "imported", { YES, NO, YES, NO, NO, NO }, true, true, false, NULL },
    { "says nothing of its history", { YES, NO, YES, UNKNOWN, UNKNOWN, UNKNOWN }, true, true, false, NULL },
    { "not local", { YES, NO, YES, YES, YES, NO }, true, true, false, NULL },
    { "was once readable", { YES, NO, YES, NO, YES, YES }, true, true, false, NULL },
    { "was once extractable", { YES, NO, YES, YES, NO, YES }, true, true, false, NULL },
    { "local unknown", { YES, NO, YES, YES, YES, UNKNOWN }, true, true, false, NULL },
    { "sign unknown", { YES, NO, UNKNOWN, YES, YES, YES }, true, true, true, NULL },
    { "may not sign", { YES, NO, NO, YES, YES, YES }, false, false, false, "CKA_SIGN" },
    { "extractable", { YES, YES, YES, YES, YES, YES }, false, true, false, "CKA_EXTRACTABLE is true" },
    { "not sensitive", { NO, NO, YES, NO, NO, YES }, false, true, false, "CKA_SENSITIVE is false" },
    { "both", { NO, YES, YES, NO, NO, NO }, false, true, false, "CKA_SENSITIVE is false" },
    { "sensitive unknown", { UNKNOWN, NO, YES, YES, YES, YES }, false, true, false, "does not say" },
    { "extractable unknown", { YES, UNKNOWN, YES, YES, YES, YES }, false, true, false, "does not say" },
    { "all unknown", { 0 }, false, true, false, "does not say" },
};

TEST(keys_are_accepted_by_what_the_token_claims)
{
    static const struct p11_key_policy plain = { 0 }, allow = { .allow_extractable = true },
                                       require = { .require_generated = true };

    for (size_t i = 0; i < ARRAY_LEN(claims_rows); i++) {
        const struct p11_key_claims *claims = &claims_rows[i].claims;
        const char *name = claims_rows[i].name;
        struct keystay_error err = { 0 };
        enum keystay_status status = choose_check_claims(claims, &plain, "token 'x'", &err);

        assert_row(status == (claims_rows[i].plain ? KEYSTAY_OK : KEYSTAY_E_KEY_REFUSED), name);
        if (!claims_rows[i].plain) {
            assert_contains(err.message, claims_rows[i].reason);
            assert_contains(err.message, "token 'x'");
            assert_row(err.hint[0] != '\0', name);
        }
        status = choose_check_claims(claims, &allow, "token 'x'", NULL);
        assert_row((status == KEYSTAY_OK) == claims_rows[i].extractable_allowed, name);
        status = choose_check_claims(claims, &require, "token 'x'", NULL);
        assert_row((status == KEYSTAY_OK) == claims_rows[i].generated_required, name);
    }
}

/* To require more is not undone by allowing something else. */
TEST(allowing_extractable_keys_does_not_drop_what_is_required)
{
    static const struct p11_key_policy both = { true, true };
    static const struct p11_key_claims imported = { YES, YES, YES, NO, NO, NO };
    static const struct p11_key_claims made_inside = { YES, NO, YES, YES, YES, YES };
    struct keystay_error err;

    assert_int_equal(choose_check_claims(&imported, &both, "token 'x'", &err), KEYSTAY_E_KEY_REFUSED);
    assert_contains(err.message, "CKA_LOCAL");
    assert_contains(err.hint, "--require");
    assert_ok(choose_check_claims(&made_inside, &both, "token 'x'", NULL));
}

TEST(claims_are_said_in_a_few_words)
{
    static const struct {
        struct p11_key_claims claims;
        const char *words;
    } rows[] = {
        { { YES, NO, YES, YES, YES, YES }, "stays in the token, generated there" },
        { { YES, NO, YES, YES, YES, NO }, "stays in the token" },
        { { YES, NO, YES, YES, YES, UNKNOWN }, "stays in the token" },
        { { YES, YES, YES, YES, YES, YES }, "the token would hand it out" },
        { { UNKNOWN, NO, YES, YES, YES, YES }, "the token would hand it out" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(choose_claims_words(&rows[i].claims), rows[i].words);
    }
}

static struct p11_key_proof proven_by(uint32_t serial)
{
    return (struct p11_key_proof){ .verdict = ATTESTATION_PROVEN,
                                   .attestation = { .firmware = { 5, 4, 3 },
                                                    .tells_serial = true,
                                                    .serial = serial,
                                                    .pin = ATTESTATION_PIN_ONCE,
                                                    .touch = ATTESTATION_TOUCH_CACHED } };
}

/* Each reason has its own words, and its own fix. */
TEST(a_key_of_which_nothing_is_proven_is_refused_with_the_reason)
{
    char seen[ATTESTATION_N_VERDICTS][P11_PROOF_SIZE];

    for (enum attestation_verdict verdict = 0; verdict < ATTESTATION_PROVEN; verdict++) {
        const struct p11_key_proof proof = { .verdict = verdict };
        struct keystay_error err;

        choose_proof_words(&proof, seen[verdict]);
        assert_int_equal(choose_check_proof(&proof, "token 'x'", &err), KEYSTAY_E_KEY_REFUSED);
        assert_contains(err.message, "token 'x': nothing proves");
        assert_contains(err.message, seen[verdict] + strlen("nothing, "));
        assert_string_equal(err.hint, choose_verdict_hint(verdict));
        assert_row(err.hint[0] != '\0', seen[verdict]);
        for (enum attestation_verdict before = 0; before < verdict; before++) {
            assert_string_not_equal(seen[before], seen[verdict]);
            assert_string_not_equal(choose_verdict_word(before), choose_verdict_word(verdict));
        }
    }
}

TEST(what_is_proven_is_said_with_device_and_policies)
{
    struct p11_key_proof proof = proven_by(12345678);
    char words[P11_PROOF_SIZE];

    assert_ok(choose_check_proof(&proof, "token 'x'", NULL));
    choose_proof_words(&proof, words);
    assert_string_equal(words, "generated in YubiKey 12345678, firmware 5.4.3; PIN once, touch cached");
    proof.attestation.tells_serial = false;
    choose_proof_words(&proof, words);
    assert_string_equal(words, "generated in YubiKey, firmware 5.4.3; PIN once, touch cached");
    proof = proven_by(UINT32_MAX);
    proof.attestation.pin = ATTESTATION_PIN_MATCH_ALWAYS;
    memset(proof.attestation.firmware, 0xFF, sizeof(proof.attestation.firmware));
    proof.serial_differs = true;
    choose_proof_words(&proof, words);
    assert_contains(words, "; the token says to have another serial"); /* the longest, whole */
}

TEST(serials_are_compared_where_both_are_numbers)
{
    static const struct {
        const char *token_serial;
        bool differs;
    } rows[] = {
        { "12345678", false },  { "0012345678", false },
        { "12345679", true },   { "0", false },
        { "", false },          { "ff7e5d48acdab794", false },
        { "12345678x", false }, { "123456781234567812345678", false },
        { "4307312974", true }, /* the same in 32 bits */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct p11_key_proof proof = proven_by(12345678);

        choose_compare_serial(&proof, rows[i].token_serial);
        assert_row(proof.serial_differs == rows[i].differs, rows[i].token_serial);
        proof.attestation.tells_serial = false;
        choose_compare_serial(&proof, rows[i].token_serial);
        assert_row(!proof.serial_differs, rows[i].token_serial);
        proof = (struct p11_key_proof){ .verdict = ATTESTATION_NO_ROOT };
        choose_compare_serial(&proof, rows[i].token_serial);
        assert_row(!proof.serial_differs, rows[i].token_serial);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_token_there_is_nothing_to_choose),
        cmocka_unit_test(no_error_to_fill_is_fine),
        cmocka_unit_test(names_are_without_their_padding),
        cmocka_unit_test(the_uri_means_one_token_or_none_is_chosen),
        cmocka_unit_test(the_only_initialised_token_needs_no_name),
        cmocka_unit_test(what_is_ambiguous_is_listed_with_serials_and_slots),
        cmocka_unit_test(what_is_there_is_listed_when_nothing_fits),
        cmocka_unit_test(a_token_in_the_wrong_slot_does_not_fit),
        cmocka_unit_test(only_uninitialised_tokens_are_like_none),
        cmocka_unit_test(keys_are_accepted_by_what_the_token_claims),
        cmocka_unit_test(allowing_extractable_keys_does_not_drop_what_is_required),
        cmocka_unit_test(claims_are_said_in_a_few_words),
        cmocka_unit_test(a_key_of_which_nothing_is_proven_is_refused_with_the_reason),
        cmocka_unit_test(what_is_proven_is_said_with_device_and_policies),
        cmocka_unit_test(serials_are_compared_where_both_are_numbers),
        cmocka_unit_test(long_lists_are_cut),
        cmocka_unit_test(hostile_names_cannot_steer_a_terminal_nor_forge_a_line),
        cmocka_unit_test(format_directives_in_a_label_are_only_text),
    };

    return RUN_TESTS(tests);
}
