/* SPDX-License-Identifier: Apache-2.0 */
/* Which chains prove something: those that real devices have, and the ones that somebody would like to pass.
 */
#include "chain_family.h"

#include <stdio.h>

#define FIRMWARE                                              \
    {                                                         \
        "1.3.6.1.4.1.41482.3.3", SLICE("\x05\x04\x03"), false \
    }
#define POLICIES                                          \
    {                                                     \
        "1.3.6.1.4.1.41482.3.8", SLICE("\x02\x01"), false \
    }

enum { DAY_S = 86400 };

static const struct chain_spec a_device = { .subject = "Yubico PIV Attestation",
                                            .issuer = "Root",
                                            .basic_constraints = "critical,CA:TRUE,pathlen:0",
                                            .extensions = { FIRMWARE } };
static const struct chain_spec an_attestation = { .subject = "YubiKey PIV Attestation 9a",
                                                  .issuer = "Yubico PIV Attestation",
                                                  .extensions = { FIRMWARE, POLICIES } };

/* The CAs of one file. */
static struct attestation_trust *trust_in(struct certificate *const *taken, size_t n)
{
    CLEANUP(buf_clear) struct buf pem = BUF(CERTIFICATE_FILE_MAX);
    struct attestation_trust *trust = NULL;

    for (size_t i = 0; i < n; i++) {
        chain_put_pem(taken[i], &pem);
        certificate_free(taken[i]);
    }
    CLEANUP(temp_file_remove) struct temp_file file = temp_file(buf_slice(&pem));
    const char *path = file.path;
    assert_ok(attestation_trust_load(&path, 1, &trust, NULL));
    return trust;
}

#define TRUST(...)                                    \
    trust_in(                                         \
        (struct certificate *const[]){ __VA_ARGS__ }, \
        sizeof((struct certificate *const[]){ __VA_ARGS__ }) / sizeof(struct certificate *))

static struct attestation_trust *plain_trust(void)
{
    return TRUST(signed_by(a_root, ROOT, ROOT));
}

/* Takes the two certificates. */
static enum attestation_verdict judge_at(
    const struct attestation_trust *trust, struct certificate *attestation, struct certificate *device,
    int64_t now_s)
{
    CLEANUP(certificate_freep) struct certificate *taken = attestation;
    CLEANUP(certificate_freep) struct certificate *taken_too = device;
    const struct certificate *const devices[] = { taken, taken_too }; /* a token shows both in one list */
    struct attestation said = { .serial = 99 };
    enum attestation_verdict verdict =
        attestation_verify(trust, taken, devices, ARRAY_LEN(devices), now_s, &said);

    assert_int_equal(said.serial, verdict == ATTESTATION_PROVEN ? 0 : 99);
    return verdict;
}

static enum attestation_verdict judge(
    const struct attestation_trust *trust, struct certificate *attestation, struct certificate *device)
{
    return judge_at(trust, attestation, device, CHAIN_NOW_S);
}

static struct certificate *good_attestation(void)
{
    return signed_by(an_attestation, SLOT, DEVICE);
}

TEST(nobody_is_believed_unasked)
{
    assert_int_equal(judge(NULL, good_attestation(), signed_by(a_device, DEVICE, ROOT)), ATTESTATION_NO_CA);
}

TEST(a_chain_to_a_given_root_is_a_proof)
{
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = plain_trust();

    assert_int_equal(judge(trust, good_attestation(), signed_by(a_device, DEVICE, ROOT)), ATTESTATION_PROVEN);
}

/* As YubiKeys have it from firmware 5.7.4 on. Text between the certificates is what Yubico's files have. */
TEST(intermediates_may_lie_in_another_file_in_any_order)
{
    struct chain_spec top = a_root, middle_one = a_middle, lower = a_middle, device = a_device;
    CLEANUP(buf_clear) struct buf roots = BUF(CERTIFICATE_FILE_MAX), between = BUF(CERTIFICATE_FILE_MAX);
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = NULL;

    top.basic_constraints = "critical,CA:TRUE,pathlen:3";
    middle_one.basic_constraints = "critical,CA:TRUE,pathlen:2";
    lower.subject = "Lower";
    lower.issuer = "Middle";
    device.issuer = "Lower";
    CLEANUP(certificate_freep) struct certificate *root = signed_by(top, ROOT, ROOT);
    CLEANUP(certificate_freep) struct certificate *middle = signed_by(middle_one, MIDDLE, ROOT);
    CLEANUP(certificate_freep) struct certificate *low = signed_by(lower, STRANGER, MIDDLE);
    assert_ok(buf_puts(&roots, "Yubico's roots\n\n", NULL));
    chain_put_pem(root, &roots);
    chain_put_pem(low, &between);
    assert_ok(buf_puts(&between, "\n# the other one\n", NULL));
    chain_put_pem(middle, &between);
    CLEANUP(temp_file_remove) struct temp_file one = temp_file(buf_slice(&roots));
    CLEANUP(temp_file_remove) struct temp_file two = temp_file(buf_slice(&between));
    const char *const paths[] = { two.path, one.path };
    assert_ok(attestation_trust_load(paths, 2, &trust, NULL));
    assert_int_equal(
        judge(trust, good_attestation(), signed_by(device, DEVICE, STRANGER)), ATTESTATION_PROVEN);
}

/* What devices say of themselves, by their age. */
TEST(a_device_that_does_not_say_whether_it_is_a_ca_is_taken)
{
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = plain_trust();
    struct chain_spec silent = a_device;

    silent.basic_constraints = NULL;
    assert_int_equal(judge(trust, good_attestation(), signed_by(silent, DEVICE, ROOT)), ATTESTATION_PROVEN);
}

TEST(a_root_that_allows_no_ca_below_it_may_have_made_a_device)
{
    struct chain_spec narrow = a_root;

    narrow.basic_constraints = "CA:TRUE,pathlen:0";
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = TRUST(signed_by(narrow, ROOT, ROOT));
    assert_int_equal(judge(trust, good_attestation(), signed_by(a_device, DEVICE, ROOT)), ATTESTATION_PROVEN);
}

/* Slot F9 overwritten, the new certificate trusted as it is. */
TEST(a_device_of_which_the_owner_is_the_root)
{
    struct chain_spec own = a_device;
    struct certificate *same = NULL;

    own.issuer = own.subject;
    struct certificate *device = signed_by(own, DEVICE, DEVICE);
    assert_ok(certificate_parse(certificate_der(device), &same, NULL));
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = TRUST(device);
    assert_int_equal(judge(trust, good_attestation(), same), ATTESTATION_PROVEN);
}

TEST(dates_are_checked_on_every_step)
{
    static const struct {
        const char *name;
        int64_t ends[3]; /* of root, device, attestation; 0: later */
    } rows[] = {
        { "root", { CHAIN_NOW_S, 0, 0 } },
        { "device", { 0, CHAIN_NOW_S, 0 } },
        { "attestation", { 0, 0, CHAIN_NOW_S } },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct chain_spec root = a_root, device = a_device, attestation = an_attestation;

        root.not_after_s = rows[i].ends[0];
        device.not_after_s = rows[i].ends[1];
        attestation.not_after_s = rows[i].ends[2];
        CLEANUP(attestation_trust_freep) struct attestation_trust *trust = TRUST(signed_by(root, ROOT, ROOT));
        for (int late_s = 0; late_s < 2; late_s++) {
            enum attestation_verdict verdict = judge_at(
                trust, signed_by(attestation, SLOT, DEVICE), signed_by(device, DEVICE, ROOT),
                CHAIN_NOW_S - DAY_S + late_s * (DAY_S + 1));
            assert_row(verdict == (late_s ? ATTESTATION_OUT_OF_TIME : ATTESTATION_PROVEN), rows[i].name);
        }
    }
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = plain_trust();
    assert_int_equal(
        judge_at(trust, good_attestation(), signed_by(a_device, DEVICE, ROOT), 1), ATTESTATION_OUT_OF_TIME);
}

TEST(a_root_that_nobody_gave_proves_nothing)
{
    struct chain_spec other = a_root;

    other.subject = other.issuer = "Another root";
    CLEANUP(attestation_trust_freep)
    struct attestation_trust *trust = TRUST(signed_by(other, STRANGER, STRANGER));
    assert_int_equal(
        judge(trust, good_attestation(), signed_by(a_device, DEVICE, ROOT)), ATTESTATION_NO_ROOT);
}

TEST(an_intermediate_that_is_missing_is_missed)
{
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = plain_trust();
    struct chain_spec device = a_device;

    device.issuer = "Middle";
    assert_int_equal(
        judge(trust, good_attestation(), signed_by(device, DEVICE, MIDDLE)), ATTESTATION_NO_ROOT);
}

TEST(without_the_devices_certificate_there_is_no_chain)
{
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = plain_trust();
    struct chain_spec other = a_device;

    other.subject = "Something else";
    assert_int_equal(judge(trust, good_attestation(), signed_by(other, DEVICE, ROOT)), ATTESTATION_NO_DEVICE);
}

TEST(each_signature_counts)
{
    struct chain_spec device = a_device, attestation = an_attestation;
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = plain_trust();

    device.is_spoiled = attestation.is_spoiled = true;
    assert_int_equal(
        judge(trust, signed_by(attestation, SLOT, DEVICE), signed_by(a_device, DEVICE, ROOT)),
        ATTESTATION_BROKEN);
    assert_int_equal(judge(trust, good_attestation(), signed_by(device, DEVICE, ROOT)), ATTESTATION_BROKEN);
    /* the names are right, the keys are not */
    assert_int_equal(
        judge(trust, signed_by(an_attestation, SLOT, STRANGER), signed_by(a_device, DEVICE, ROOT)),
        ATTESTATION_BROKEN);
    assert_int_equal(
        judge(trust, good_attestation(), signed_by(a_device, DEVICE, STRANGER)), ATTESTATION_BROKEN);
}

TEST(several_devices_of_one_name_are_all_tried)
{
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = plain_trust();
    CLEANUP(certificate_freep) struct certificate *attestation = good_attestation();
    CLEANUP(certificate_freep) struct certificate *wrong = signed_by(a_device, STRANGER, ROOT);
    CLEANUP(certificate_freep) struct certificate *right = signed_by(a_device, DEVICE, ROOT);
    const struct certificate *const devices[] = { wrong, right, wrong };
    struct attestation said;

    assert_int_equal(
        attestation_verify(trust, attestation, devices, 3, CHAIN_NOW_S, &said), ATTESTATION_PROVEN);
    assert_int_equal(
        attestation_verify(trust, attestation, devices, 1, CHAIN_NOW_S, &said), ATTESTATION_BROKEN);
    assert_int_equal(
        attestation_verify(trust, attestation, devices, 0, CHAIN_NOW_S, &said), ATTESTATION_NO_DEVICE);
}

/*
 * The key of slot 9C signs whatever its owner likes, so also a certificate that looks like an attestation.
 * Its own attestation, which is genuine, must not pass for a device's certificate: not as a link that the
 * token shows, nor when somebody has put the device's certificate among the CAs.
 */
TEST(an_attested_key_cannot_attest)
{
    struct chain_spec forged = an_attestation;
    struct chain_spec ambitious = an_attestation;

    forged.issuer = an_attestation.subject;
    ambitious.basic_constraints = "critical,CA:TRUE";
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = plain_trust();
    CLEANUP(attestation_trust_freep)
    struct attestation_trust *generous =
        TRUST(signed_by(a_root, ROOT, ROOT), signed_by(a_device, DEVICE, ROOT));
    for (int i = 0; i < 2; i++) {
        const struct attestation_trust *in = i == 0 ? trust : generous;
        assert_int_equal(
            judge(in, signed_by(forged, STRANGER, SLOT), signed_by(an_attestation, SLOT, DEVICE)),
            ATTESTATION_NOT_DEVICE);
        assert_int_equal(
            judge(in, signed_by(forged, STRANGER, SLOT), signed_by(ambitious, SLOT, DEVICE)),
            ATTESTATION_NOT_DEVICE);
    }
}

/* Everything on the token is a link at most once: what signed the device's certificate is never taken from
 * there. */
TEST(the_token_cannot_bring_a_ca_along)
{
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = plain_trust();
    struct chain_spec device = a_device;

    device.issuer = "Middle";
    CLEANUP(certificate_freep) struct certificate *attestation = good_attestation();
    CLEANUP(certificate_freep) struct certificate *below = signed_by(device, DEVICE, MIDDLE);
    CLEANUP(certificate_freep) struct certificate *middle = signed_by(a_middle, MIDDLE, ROOT);
    const struct certificate *const shown[] = { below, middle, attestation };
    struct attestation said;

    assert_int_equal(
        attestation_verify(trust, attestation, shown, 3, CHAIN_NOW_S, &said), ATTESTATION_NO_ROOT);
}

TEST(a_device_that_says_it_may_not_certify_is_believed)
{
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = plain_trust();
    struct chain_spec no_ca = a_device, other_usage = a_device;

    no_ca.basic_constraints = "critical,CA:FALSE";
    other_usage.basic_constraints = NULL;
    other_usage.key_usage = "critical,digitalSignature";
    assert_int_equal(
        judge(trust, good_attestation(), signed_by(no_ca, DEVICE, ROOT)), ATTESTATION_NOT_DEVICE);
    assert_int_equal(
        judge(trust, good_attestation(), signed_by(other_usage, DEVICE, ROOT)), ATTESTATION_NOT_DEVICE);
}

TEST(a_ca_above_the_device_must_be_one)
{
    static const struct {
        const char *name, *basic_constraints, *key_usage;
    } rows[] = {
        { "does not say", NULL, NULL },
        { "is none", "critical,CA:FALSE", NULL },
        { "may not sign certificates", "critical,CA:TRUE", "critical,digitalSignature" },
    };
    struct chain_spec device = a_device;

    device.issuer = "Middle";
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct chain_spec middle = a_middle;

        middle.basic_constraints = rows[i].basic_constraints;
        middle.key_usage = rows[i].key_usage;
        CLEANUP(attestation_trust_freep)
        struct attestation_trust *trust =
            TRUST(signed_by(a_root, ROOT, ROOT), signed_by(middle, MIDDLE, ROOT));
        enum attestation_verdict verdict =
            judge(trust, good_attestation(), signed_by(device, DEVICE, MIDDLE));
        assert_row(verdict == ATTESTATION_UNFIT || verdict == ATTESTATION_NO_ROOT, rows[i].name);
    }
}

TEST(weak_keys_and_digests_prove_nothing)
{
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = plain_trust();
    struct chain_spec sha1 = an_attestation, sha1_device = a_device;

    sha1.digest = sha1_device.digest = "SHA1";
    assert_int_not_equal(
        judge(trust, signed_by(sha1, SLOT, DEVICE), signed_by(a_device, DEVICE, ROOT)), ATTESTATION_PROVEN);
    assert_int_not_equal(
        judge(trust, good_attestation(), signed_by(sha1_device, DEVICE, ROOT)), ATTESTATION_PROVEN);
    assert_int_not_equal(
        judge(trust, signed_by(an_attestation, SLOT, WEAK), signed_by(a_device, WEAK, ROOT)),
        ATTESTATION_PROVEN);
}

TEST(a_good_chain_does_not_make_up_for_what_cannot_be_read)
{
    CLEANUP(attestation_trust_freep) struct attestation_trust *trust = plain_trust();
    struct chain_spec mute = an_attestation;

    mute.extensions[0].oid = NULL; /* neither firmware nor policies */
    assert_int_equal(
        judge(trust, signed_by(mute, SLOT, DEVICE), signed_by(a_device, DEVICE, ROOT)),
        ATTESTATION_UNREADABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_believed_unasked),
        cmocka_unit_test(a_chain_to_a_given_root_is_a_proof),
        cmocka_unit_test(intermediates_may_lie_in_another_file_in_any_order),
        cmocka_unit_test(a_device_that_does_not_say_whether_it_is_a_ca_is_taken),
        cmocka_unit_test(a_root_that_allows_no_ca_below_it_may_have_made_a_device),
        cmocka_unit_test(a_device_of_which_the_owner_is_the_root),
        cmocka_unit_test(dates_are_checked_on_every_step),
        cmocka_unit_test(a_root_that_nobody_gave_proves_nothing),
        cmocka_unit_test(an_intermediate_that_is_missing_is_missed),
        cmocka_unit_test(without_the_devices_certificate_there_is_no_chain),
        cmocka_unit_test(each_signature_counts),
        cmocka_unit_test(several_devices_of_one_name_are_all_tried),
        cmocka_unit_test(an_attested_key_cannot_attest),
        cmocka_unit_test(the_token_cannot_bring_a_ca_along),
        cmocka_unit_test(a_device_that_says_it_may_not_certify_is_believed),
        cmocka_unit_test(a_ca_above_the_device_must_be_one),
        cmocka_unit_test(weak_keys_and_digests_prove_nothing),
        cmocka_unit_test(a_good_chain_does_not_make_up_for_what_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
