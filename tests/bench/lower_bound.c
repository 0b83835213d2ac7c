/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that a program must do to get an access token with a key on a PKCS#11 token: load the module, log
 * in, find the key, sign, send one form. `cold` measures keystay against it.
 *
 * It checks return values, so that a figure never comes from a run that failed, and nothing else: no key that
 * could be extracted is refused, no signature verified, no answer read with care, no memory wiped. What it is
 * told is believed: the thumbprint of the certificate was computed beforehand, the scope percent-encoded.
 * Never use it for real.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { MODULE = 1, LABEL, KEY_ID, PIN_FILE, X5T_S256, URL, CLIENT_ID, SCOPE, CA_KIND, CA_PATH, N_ARGUMENTS };
enum {
    SLOTS_MAX = 16,
    FORM_MAX = 8192,
    JWS_MAX = 4096,
    PART_MAX = 1024,
    BODY_MAX = 65536,
    SIGNATURE_MAX = 512
};

static const char usage[] =
    "usage: lower_bound MODULE LABEL KEY-ID-HEX PIN-FILE X5T-S256 URL CLIENT-ID SCOPE cafile|capath PATH\n";

struct body {
    char bytes[BODY_MAX];
    size_t len;
};

static _Noreturn void fail(const char *what, unsigned long code)
{
    (void)fprintf(stderr, "lower_bound: %s: 0x%lx\n", what, code);
    _exit(1);
}

static void must(CK_RV rv, const char *call)
{
    if (rv != CKR_OK) {
        fail(call, rv);
    }
}

static size_t put_base64url(char *to, const void *from, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint8_t *bytes = from;
    size_t n = 0;

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t group = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                         (left > 2 ? bytes[i + 2] : 0U);

        for (size_t digit = 0; digit <= (left > 2 ? 3 : left); digit++) {
            to[n++] = digits[group >> (18 - 6 * digit) & 63];
        }
    }
    return n;
}

static size_t put_header_and_claims(char *jws, char **argv)
{
    char part[PART_MAX];
    uint8_t jti[16];
    char jti_text[24] = "";
    long long now_s = (long long)time(NULL);

    if (getrandom(jti, sizeof(jti), 0) != (ssize_t)sizeof(jti)) {
        fail("getrandom", 0);
    }
    (void)put_base64url(jti_text, jti, sizeof(jti));
    int len = snprintf(
        part, sizeof(part), "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"x5t#S256\":\"%s\"}", argv[X5T_S256]);
    size_t at = put_base64url(jws, part, (size_t)len);
    jws[at++] = '.';
    len = snprintf(
        part, sizeof(part),
        "{\"aud\":\"%s\",\"iss\":\"%s\",\"sub\":\"%s\",\"jti\":\"%s\","
        "\"nbf\":%lld,\"iat\":%lld,\"exp\":%lld}",
        argv[URL], argv[CLIENT_ID], argv[CLIENT_ID], jti_text, now_s, now_s, now_s + 600);
    if (len < 0 || len >= PART_MAX) {
        fail("claims are too long", 0);
    }
    return at + put_base64url(jws + at, part, (size_t)len);
}

static CK_FUNCTION_LIST *load(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = handle == NULL ? NULL : dlsym(handle, "C_GetFunctionList");
    CK_C_GetFunctionList entry = NULL;
    CK_FUNCTION_LIST *p11 = NULL;

    if (symbol == NULL) {
        fail("dlopen", 0);
    }
    memcpy(&entry, &symbol, sizeof(entry));
    must(entry(&p11), "C_GetFunctionList");
    return p11;
}

/* The first that bears the label; the others are not looked at. */
static CK_SLOT_ID find_slot(CK_FUNCTION_LIST *p11, const char *label)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG n = SLOTS_MAX;
    CK_TOKEN_INFO info;

    must(p11->C_GetSlotList(CK_TRUE, slots, &n), "C_GetSlotList");
    for (CK_ULONG i = 0; i < n; i++) {
        must(p11->C_GetTokenInfo(slots[i], &info), "C_GetTokenInfo");
        if (memcmp(info.label, label, strlen(label)) == 0 &&
            (strlen(label) == sizeof(info.label) || info.label[strlen(label)] == ' ')) {
            return slots[i];
        }
    }
    fail("no such token", 0);
}

static void login(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, const char *pin_file)
{
    char pin[64];
    FILE *file = fopen(pin_file, "r");

    if (file == NULL || fgets(pin, sizeof(pin), file) == NULL) {
        fail("PIN file", 0);
    }
    (void)fclose(file);
    must(p11->C_Login(session, CKU_USER, (CK_UTF8CHAR *)pin, strcspn(pin, "\n")), "C_Login");
}

static CK_OBJECT_HANDLE find_key(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, const char *hex)
{
    CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY;
    uint8_t id[32];
    CK_ULONG id_len = 0;
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG n = 0;

    for (; hex[0] != '\0' && hex[1] != '\0' && id_len < sizeof(id); hex += 2) {
        const char digits[] = { hex[0], hex[1], '\0' };
        id[id_len++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    CK_ATTRIBUTE search[] = { { CKA_CLASS, &private_key, sizeof(private_key) }, { CKA_ID, id, id_len } };
    must(p11->C_FindObjectsInit(session, search, 2), "C_FindObjectsInit");
    must(p11->C_FindObjects(session, &key, 1, &n), "C_FindObjects");
    must(p11->C_FindObjectsFinal(session), "C_FindObjectsFinal");
    if (n != 1) {
        fail("no such key", n);
    }
    return key;
}

static size_t sign(char **argv, const char *input, size_t len, uint8_t *ret_signature)
{
    CK_FUNCTION_LIST *p11 = load(argv[MODULE]);
    CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };
    CK_SESSION_HANDLE session = 0;
    CK_ULONG signature_len = SIGNATURE_MAX;

    must(p11->C_Initialize(NULL), "C_Initialize");
    CK_SLOT_ID slot = find_slot(p11, argv[LABEL]);
    must(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession");
    login(p11, session, argv[PIN_FILE]);
    must(p11->C_SignInit(session, &mechanism, find_key(p11, session, argv[KEY_ID])), "C_SignInit");
    must(p11->C_Sign(session, (CK_BYTE *)(uintptr_t)input, len, ret_signature, &signature_len), "C_Sign");
    must(p11->C_Finalize(NULL), "C_Finalize");
    return signature_len;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *context)
{
    struct body *body = context;

    if (size * n >= sizeof(body->bytes) - body->len) {
        return 0;
    }
    memcpy(body->bytes + body->len, bytes, size * n);
    body->len += size * n;
    return size * n;
}

static void post(char **argv, const char *form, struct body *body)
{
    CURL *easy = curl_easy_init();
    int is_file = strcmp(argv[CA_KIND], "cafile") == 0;
    long status = 0;

    (void)curl_easy_setopt(easy, CURLOPT_CAINFO, is_file ? argv[CA_PATH] : NULL);
    (void)curl_easy_setopt(easy, CURLOPT_CAPATH, is_file ? NULL : argv[CA_PATH]);
    (void)curl_easy_setopt(easy, CURLOPT_URL, argv[URL]);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, form);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
    /* curl would wait for "100 Continue" before it sends a long form; keystay does not either. */
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, curl_slist_append(NULL, "Expect:"));
    CURLcode code = curl_easy_perform(easy);
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK || status != 200) {
        (void)fprintf(stderr, "%.*s\n", (int)body->len, body->bytes);
        fail("POST", code != CURLE_OK ? (unsigned long)code : (unsigned long)status);
    }
}

static void print_token(const struct body *body)
{
    static const char member[] = "\"access_token\":";
    const char *start = strstr(body->bytes, member);

    start = start == NULL ? NULL : strchr(start + sizeof(member) - 1, '"');
    if (start == NULL) {
        fail("no access_token", 0);
    }
    (void)printf("%.*s\n", (int)strcspn(start + 1, "\""), start + 1);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct body body;
    static char jws[JWS_MAX];
    static char form[FORM_MAX];
    uint8_t signature[SIGNATURE_MAX];

    if (argc != N_ARGUMENTS) {
        (void)fputs(usage, stderr);
        return 2;
    }
    size_t len = put_header_and_claims(jws, argv);
    size_t signature_len = sign(argv, jws, len, signature);
    jws[len++] = '.';
    (void)put_base64url(jws + len, signature, signature_len);
    (void)snprintf(
        form, sizeof(form),
        "grant_type=client_credentials&client_id=%s&scope=%s&client_assertion_type="
        "urn%%3Aietf%%3Aparams%%3Aoauth%%3Aclient-assertion-type%%3Ajwt-bearer&client_assertion=%s",
        argv[CLIENT_ID], argv[SCOPE], jws);
    post(argv, form, &body);
    print_token(&body);
    _exit(0); /* as keystay does: SoftHSM's exit handlers can crash beside OpenSSL 3 */
}
