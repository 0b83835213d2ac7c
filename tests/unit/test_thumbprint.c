/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/base64url.h"
#include "jose/thumbprint.h"
#include "rsa.h"

/* Microsoft publishes this certificate and its thumbprint: microsoftgraph/microsoft-graph-docs-contrib,
 * concepts/applications-how-to-add-certificate.md. */
static const char published_pem[] = "-----BEGIN CERTIFICATE-----\n"
                                    "MIIDADCCAeigAwIBAgIQHfy9G83A5Y5MrBXtWXhCKzANBgkqhkiG9w0BAQsFADAT\n"
                                    "MREwDwYDVQQDDAgyMDIyMTIyMDAeFw0yMjEyMjAxNTI3MjBaFw0yMzEyMjAxNTQ3\n"
                                    "MjBaMBMxETAPBgNVBAMMCDIwMjIxMjIwMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n"
                                    "MIIBCgKCAQEAt0dTLXoTqv4RLFE0AQtqkPXDSEMZWifaS+0qL67EDbtLg6wXLsF0\n"
                                    "vW7k8+gi9CxGq7TIlD431mQ2G6jpeM5GHtG0QaIE/cYrWHH4t9ZHI986LX4nWPt7\n"
                                    "FhgzQE4AJMG7QGYJVww9qaJAVxFwiCFA2E/ILKT9fz0aVKh6Ld59J+J80VJYSvj1\n"
                                    "TGqBlwOSSix45L1ZgbdNSfe2UT4po2fTKEGLjMatcHFE4ztQUsBD4bMtBzA8ly+e\n"
                                    "+Tmu0jk7jrm7bg389usvbp2Oz2+M9SFNubN3aIRvZifY5Rjg6JG6xH897g9cKksK\n"
                                    "FUScD7QvjCCkEspEcDdbsNa+ZdIYFkL8aQIDAQABo1AwTjAOBgNVHQ8BAf8EBAMC\n"
                                    "BaAwHQYDVR0lBBYwFAYIKwYBBQUHAwIGCCsGAQUFBwMBMB0GA1UdDgQWBBQH5Kck\n"
                                    "LC72C29DEylsuV+E/f9WqTANBgkqhkiG9w0BAQsFAAOCAQEAG6E1HmGGhamFE/dY\n"
                                    "Zox88+OjRRZkYPADZR+6LScY6cWKOSMzgH79pqeftci/QwYV1Nv5/d0LNCH/D6c1\n"
                                    "Kb0V6PlNZB+oP5bsfJ/mDrtPjNq17Rdv7P4bNqcvCAa50fQ5kATHHniLhA99wZxf\n"
                                    "uuKjxVuuUZUfd9BOtxBTT1p1tw5Z+ULKxYzbRPlMgUpZnmeQfevi3Qwz0I4zbcfB\n"
                                    "VmK6LEMPVDsKjYNENNRqersS1OK+zUnjs4yJzqcWf+jgx8EPUoagAlNR+q91tzVp\n"
                                    "h3Mch92M1Hr6Fy7DHCUxQyhimUZhvxsraf+u8DGV2dUsHat5H3diXN1GMj3iNqHW\n"
                                    "hN4G6Q==\n"
                                    "-----END CERTIFICATE-----\n";

/* The thumbprint as the same page shows it: the portal's form, in hexadecimal. */
static const char published_sha1[] =
    "\xBB\x5D\x10\x64\x43\x7D\x87\x20\xA5\xC5\x30\x78\x18\x5E\x6A\x36\x1A\x78\xB1\x0A";

static struct certificate *published(void)
{
    struct certificate *certificate = NULL;

    assert_ok(certificate_parse(slice_of_str(published_pem), &certificate, NULL));
    return certificate;
}

TEST(a_full_buffer_is_refused)
{
    static const struct {
        enum thumbprint which;
        size_t room;
    } rows[] = { { THUMBPRINT_SHA1, 26 }, { THUMBPRINT_SHA256, 42 } };
    CLEANUP(certificate_freep) struct certificate *certificate = published();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf text = BUF(rows[i].room);
        assert_int_equal(thumbprint_encode(certificate, rows[i].which, &text, NULL), KEYSTAY_E_NO_MEMORY);
    }
}

TEST(makes_the_published_thumbprints)
{
    static const struct {
        enum thumbprint which;
        const char *text;
    } rows[] = {
        { THUMBPRINT_SHA1, "u10QZEN9hyClxTB4GF5qNhp4sQo" },
        { THUMBPRINT_SHA256, "2sO9B3J1TbNIqVzWomkVSxcv9mu2HT4KpxCNwIAabdk" },
    };
    CLEANUP(certificate_freep) struct certificate *certificate = published();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf text = BUF(64);
        assert_ok(thumbprint_encode(certificate, rows[i].which, &text, NULL));
        assert_buf(&text, rows[i].text);
    }
}

/* RFC 7515 §4.1.7: the digest itself is encoded, not its hexadecimal form. */
TEST(it_is_the_digest_that_is_encoded)
{
    CLEANUP(certificate_freep) struct certificate *certificate = published();
    CLEANUP(buf_clear) struct buf text = BUF(64);
    CLEANUP(buf_clear) struct buf digest = BUF(64);

    assert_ok(thumbprint_encode(certificate, THUMBPRINT_SHA1, &text, NULL));
    assert_ok(base64url_decode(buf_slice(&text), &digest, NULL));
    assert_true(slice_equal(buf_slice(&digest), SLICE(published_sha1)));
}

TEST(appends_and_needs_no_more_room_than_its_text)
{
    CLEANUP(certificate_freep) struct certificate *certificate = published();
    CLEANUP(buf_clear) struct buf text = BUF(2 + 27);

    assert_ok(buf_puts(&text, "a:", NULL));
    assert_ok(thumbprint_encode(certificate, THUMBPRINT_SHA1, &text, NULL));
    assert_buf(&text, "a:u10QZEN9hyClxTB4GF5qNhp4sQo");
}

TEST(another_certificate_of_the_same_key_has_another_thumbprint)
{
    static const struct cert_spec one = { .subject_cn = "one" };
    static const struct cert_spec two = { .subject_cn = "two" };
    CLEANUP(certificate_freep) struct certificate *first = cert_new(&one);
    CLEANUP(certificate_freep) struct certificate *second = cert_new(&two);
    CLEANUP(buf_clear) struct buf first_text = BUF(64);
    CLEANUP(buf_clear) struct buf second_text = BUF(64);

    assert_ok(thumbprint_encode(first, THUMBPRINT_SHA256, &first_text, NULL));
    assert_ok(thumbprint_encode(second, THUMBPRINT_SHA256, &second_text, NULL));
    assert_int_equal(first_text.len, 43);
    assert_false(slice_equal(buf_slice(&first_text), buf_slice(&second_text)));
}

TEST(spells_it_in_digits_as_the_portal_does)
{
    CLEANUP(certificate_freep) struct certificate *certificate = published();
    CLEANUP(buf_clear) struct buf sha1 = BUF(40);
    CLEANUP(buf_clear) struct buf sha256 = BUF(64);

    assert_ok(thumbprint_encode_hex(certificate, THUMBPRINT_SHA1, &sha1, NULL));
    assert_buf(&sha1, "BB5D1064437D8720A5C53078185E6A361A78B10A");
    assert_ok(thumbprint_encode_hex(certificate, THUMBPRINT_SHA256, &sha256, NULL));
    assert_int_equal(sha256.len, 64);
    assert_int_equal(thumbprint_encode_hex(certificate, THUMBPRINT_SHA1, &sha1, NULL), KEYSTAY_E_NO_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_buffer_is_refused),
        cmocka_unit_test(makes_the_published_thumbprints),
        cmocka_unit_test(it_is_the_digest_that_is_encoded),
        cmocka_unit_test(appends_and_needs_no_more_room_than_its_text),
        cmocka_unit_test(another_certificate_of_the_same_key_has_another_thumbprint),
        cmocka_unit_test(spells_it_in_digits_as_the_portal_does),
    };

    return RUN_TESTS(tests);
}
