/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "crypto/x509_name.h"
#include "crypto/x509_write.h"

/* As openssl prints it: in the order of the certificate, with its own names. */
static void print(X509_NAME *name, char *ret_text, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;

    assert_true(X509_NAME_print_ex(bio, name, 0, XN_FLAG_SEP_COMMA_PLUS | ASN1_STRFLGS_UTF8_CONVERT) >= 0);
    long len = BIO_get_mem_data(bio, &text);
    assert_true(len >= 0 && (size_t)len < size);
    memcpy(ret_text, text, (size_t)len);
    ret_text[len] = '\0';
    BIO_free(bio);
}

TEST(what_is_no_subject_is_refused)
{
    static const char *const texts[] = {
        "",          "backup",     "=backup", "CN",        "CN=",       "CN= ",     "CN=a,",
        ",CN=a",     "CN=a,,O=b",  "XX=a",    "2.5.4.3=a", "CN=a+O=b",  "CN=\"a\"", "CN=#0c0161",
        "CN=a;O=b",  "CN=<a>",     "CN=a\\",  "CN=a\\x",   "CN=a\\0",   "CN=a\\00", "CN=a\nb",
        "CN=a\\0Ab", "CN=\x1B[2J", "CN=\xFF", "CN=\\FF",   "C=Germany", "C=D",
    };
    char longest[X509_WRITE_SUBJECT_MAX + 2] = "CN=";

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct keystay_error err;
        X509_NAME *name = NULL;

        assert_row(x509_name_parse(texts[i], &name, &err) == KEYSTAY_E_USAGE && name == NULL, texts[i]);
        assert_row(strstr(err.hint, "--subject") != NULL, texts[i]);
        assert_tame(err.message);
    }
    memset(longest + 3, 'a', sizeof(longest) - 4);
    X509_NAME *name = NULL;
    assert_int_equal(x509_name_parse(longest, &name, NULL), KEYSTAY_E_USAGE);
}

TEST(subjects_are_read_by_the_letter)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {
        { "CN=backup", "CN=backup" },
        { "cn=backup,o=Contoso", "O=Contoso,CN=backup" },
        { "CN=a, O=b , C=DE", "C=DE,O=b,CN=a" },
        { "CN=a,OU=x,OU=y", "OU=y,OU=x,CN=a" },
        { "CN=a b", "CN=a b" },
        { "CN=a\\,b\\+c\\;d\\\\e\\=", "CN=a,b+c;d\\e=" },
        { "CN=a=b", "CN=a=b" },
        { "CN=\\ a\\ ", "CN= a " },
        { "CN=\\C3\\A4", "CN=\xC3\xA4" },
        { "CN=\xC3\xA4", "CN=\xC3\xA4" },
        { "DC=example,DC=contoso,UID=7,serialNumber=1,ST=s,L=l,STREET=t",
          "street=t,L=l,ST=s,serialNumber=1,UID=7,DC=contoso,DC=example" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        X509_NAME *name = NULL;
        char shown[512];

        assert_row(x509_name_parse(rows[i].text, &name, NULL) == KEYSTAY_OK, rows[i].text);
        print(name, shown, sizeof(shown));
        assert_string_equal(shown, rows[i].shown);
        X509_NAME_free(name);
    }
}

TEST(further_names)
{
    GENERAL_NAMES *names = NULL;
    int type = 0;

    assert_ok(x509_san_parse("dns:*.a.example,URI:https://x.example/?a=b,email:a@b.example", &names, NULL));
    assert_int_equal(sk_GENERAL_NAME_num(names), 3);
    const ASN1_IA5STRING *uri = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, 1), &type);
    assert_int_equal(type, GEN_URI);
    assert_memory_equal(ASN1_STRING_get0_data(uri), "https://x.example/?a=b", 22);
    GENERAL_NAMES_free(names);
}

TEST(what_is_no_name_is_refused)
{
    static const char *const texts[] = {
        "",
        "a.example",
        "dns:",
        "dns:a..b",
        "dns:.a",
        "dns:a.",
        "dns:a b",
        "dns:*",
        "dns:a.*.b",
        "dns:\xC3\xA4.example",
        "dns:a.example,",
        ",dns:a.example",
        "ip:127.0.0.1",
        "uri:",
        "uri:x",
        "uri:x:",
        "uri::x",
        "email:",
        "email:a",
        "email:@b",
        "email:a@",
        "email:a@b c",
        "dns:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        GENERAL_NAMES *names = NULL;

        assert_row(x509_san_parse(texts[i], &names, NULL) == KEYSTAY_E_USAGE && names == NULL, texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_subject_is_refused),
        cmocka_unit_test(subjects_are_read_by_the_letter),
        cmocka_unit_test(further_names),
        cmocka_unit_test(what_is_no_name_is_refused),
    };

    return RUN_TESTS(tests);
}
