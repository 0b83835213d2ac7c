/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures per second: keystay's engine beside C_Sign alone, on one token. `sign` reads what it prints.
 *
 *     sign_threads MODULE LABEL ALG KEY-ID-HEX CERTIFICATE PIN-FILE THREADS SECONDS ROUNDS ENGINE
 *
 * ALG is RS256 or ES256, ENGINE cryptoki or libp11. In each round each way to sign has SECONDS, in an order
 * that changes from round to round, and a line: "signer 1234.5 0.801", signatures per second and milliseconds
 * of CPU for each.
 *
 *     raw      what any program must do: a session for each thread, the key found once, C_SignInit, C_Sign
 *     signer   signer_sign: a session from the pool, the mechanism chosen, each signature verified
 *     jws      jws_sign: the same, with the text of a whole assertion, in memory that is kept from swap
 *
 * All are in one process, with one login; the pool has as many sessions as there are threads.
 *
 * Any failure ends it with status 1: no figure comes from a run that failed. Never use the raw part for real.
 */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/str.h"
#include "jose/jws.h"
#include "keystay/pkcs11.h"
#include "pkcs11/engine.h"
#include "pkcs11/libp11/libp11.h"
#include "rates.h"
#include "signer/signer.h"

enum { MODULE = 1, LABEL, ALG, KEY_ID, CERTIFICATE, PIN_FILE, THREADS, SECONDS, ROUNDS, ENGINE, N_ARGUMENTS };
enum { SLOTS_MAX = 16, SIGNATURE_MAX = 512, TEXT_MAX = 512 };

static const char header[] = "{\"typ\":\"JWT\"}"; /* nobody reads it */
static const char payload[] = "{\"iss\":\"c7b1f0d2-6f0e-4d6e-9a44-1d2b7c9e8f30\",\"jti\":\"a1b2c3d4e5f6\"}";

static void must(CK_RV rv, const char *call)
{
    char code[32];

    if (rv != CKR_OK) {
        (void)snprintf(code, sizeof(code), "0x%lx", rv);
        rates_fail(call, code);
    }
}

struct keystay_way {
    struct keystay_signer *signer;
    enum keystay_alg alg;
};

static void sign_with_signer(void *context)
{
    CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);
    const struct keystay_way *way = context;
    const char input[(sizeof(header) + sizeof(payload)) * 4 / 3] = { 1 };
    const struct tbs tbs = { TBS_ASSERTION, way->alg, { (const uint8_t *)input, sizeof(input) }, NULL };
    struct keystay_error error = { 0 };

    if (signer_sign(way->signer, &tbs, &signature, &error) != KEYSTAY_OK) {
        rates_fail("signer_sign", error.message);
    }
}

static void sign_jws(void *context)
{
    CLEANUP(secret_clear) struct secret jws = { 0 };
    const struct keystay_way *way = context;
    struct keystay_error error = { 0 };

    if (jws_sign(
            way->signer, TBS_ASSERTION, NULL, way->alg, slice_of_str(header), slice_of_str(payload), &jws,
            &error) != KEYSTAY_OK) {
        rates_fail("jws_sign", error.message);
    }
}

static struct keystay_signer *open_signer(char **argv)
{
    char key_uri[TEXT_MAX];
    char pin_source[TEXT_MAX];
    const char *certificate = argv[CERTIFICATE];
    const struct p11_engine *engine = str_equal(argv[ENGINE], "libp11") ? &libp11_engine : &cryptoki_engine;
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };
    struct keystay_signer *signer = NULL;
    struct keystay_error error = { 0 };

    (void)snprintf(key_uri, sizeof(key_uri), "pkcs11:token=%s;id=%%%s", argv[LABEL], argv[KEY_ID]);
    (void)snprintf(pin_source, sizeof(pin_source), "file:%s", argv[PIN_FILE]);
    const struct keystay_pkcs11_config config = {
        .module = argv[MODULE],
        .key_uri = key_uri,
        .certificates = &certificate,
        .n_certificates = 1,
        .pin_source = pin_source,
        .sessions = (unsigned int)strtoul(argv[THREADS], NULL, 10),
        .now_s = time(NULL),
    };
    if (p11_settings_read(&config, &settings, &error) != KEYSTAY_OK ||
        engine->open(&settings, &signer, &error) != KEYSTAY_OK) {
        rates_fail(engine->name, error.message);
    }
    return signer;
}

/* The raw way, in the login of the signer above: PKCS #11 v3.0 §5.6.8, it is one for all sessions. */

struct raw {
    CK_FUNCTION_LIST *list;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    CK_MECHANISM_TYPE mechanism;
    CK_ULONG input_len;
};

static void sign_raw(void *context)
{
    const struct raw *raw = context;
    CK_MECHANISM mechanism = { raw->mechanism, NULL, 0 };
    CK_BYTE input[TEXT_MAX] = { 1 };
    CK_BYTE signature[SIGNATURE_MAX];
    CK_ULONG len = sizeof(signature);

    must(raw->list->C_SignInit(raw->session, &mechanism, raw->key), "C_SignInit");
    must(raw->list->C_Sign(raw->session, input, raw->input_len, signature, &len), "C_Sign");
}

static CK_FUNCTION_LIST *function_list(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = handle == NULL ? NULL : dlsym(handle, "C_GetFunctionList");
    CK_C_GetFunctionList entry = NULL;
    CK_FUNCTION_LIST *list = NULL;

    if (symbol == NULL) {
        rates_fail(path, "no module");
    }
    memcpy(&entry, &symbol, sizeof(entry));
    must(entry(&list), "C_GetFunctionList");
    return list;
}

static CK_SLOT_ID find_slot(CK_FUNCTION_LIST *list, const char *label)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG n = SLOTS_MAX;
    CK_TOKEN_INFO info;

    must(list->C_GetSlotList(CK_TRUE, slots, &n), "C_GetSlotList");
    for (CK_ULONG i = 0; i < n; i++) {
        must(list->C_GetTokenInfo(slots[i], &info), "C_GetTokenInfo");
        if (memcmp(info.label, label, strlen(label)) == 0) {
            return slots[i];
        }
    }
    rates_fail(label, "no such token");
}

static struct raw *open_raw(CK_FUNCTION_LIST *list, CK_SLOT_ID slot, const char *id_hex, bool is_rsa)
{
    const CK_ULONG digest_len =
        32; /* CKM_ECDSA takes a digest; the message is as long as what keystay signs */
    struct raw *raw = calloc(1, sizeof(*raw));
    CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY;
    CK_BYTE id = (CK_BYTE)strtoul(id_hex, NULL, 16);
    CK_ATTRIBUTE search[] = { { CKA_CLASS, &private_key, sizeof(private_key) }, { CKA_ID, &id, 1 } };
    CK_ULONG n = 0;

    if (raw == NULL) {
        rates_fail("calloc", "no memory");
    }
    raw->list = list;
    raw->mechanism = is_rsa ? CKM_SHA256_RSA_PKCS : CKM_ECDSA;
    raw->input_len = is_rsa ? (sizeof(header) + sizeof(payload)) * 4 / 3 : digest_len;
    must(list->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &raw->session), "C_OpenSession");
    must(list->C_FindObjectsInit(raw->session, search, 2), "C_FindObjectsInit");
    must(list->C_FindObjects(raw->session, &raw->key, 1, &n), "C_FindObjects");
    must(list->C_FindObjectsFinal(raw->session), "C_FindObjectsFinal");
    if (n != 1) {
        rates_fail(id_hex, "no such key");
    }
    return raw;
}

int main(int argc, char **argv)
{
    struct rates_way ways[] = { { .name = "raw", .work = sign_raw },
                                { .name = "signer", .work = sign_with_signer },
                                { .name = "jws", .work = sign_jws } };

    if (argc != N_ARGUMENTS) {
        rates_fail("usage", "see the head of sign_threads.c");
    }
    size_t n_threads = strtoul(argv[THREADS], NULL, 10);
    double seconds = strtod(argv[SECONDS], NULL);
    size_t rounds = strtoul(argv[ROUNDS], NULL, 10);
    struct keystay_signer *signer = open_signer(argv);
    CK_FUNCTION_LIST *list = function_list(argv[MODULE]);
    CK_SLOT_ID slot = find_slot(list, argv[LABEL]);
    bool is_rsa = strcmp(argv[ALG], "RS256") == 0;
    struct keystay_way shared = { signer, is_rsa ? KEYSTAY_ALG_RS256 : KEYSTAY_ALG_ES256 };

    if (n_threads > RATES_THREADS_MAX) {
        rates_fail(argv[THREADS], "too many threads");
    }
    for (size_t i = 0; i < n_threads; i++) {
        ways[0].contexts[i] = open_raw(list, slot, argv[KEY_ID], is_rsa);
        ways[1].contexts[i] = &shared;
        ways[2].contexts[i] = &shared;
    }
    rates_measure(ways, ARRAY_LEN(ways), n_threads, seconds, rounds);
    for (size_t i = 0; i < n_threads; i++) {
        free(ways[0].contexts[i]);
    }
    keystay_signer_free(signer);
    (void)fflush(stdout);
    _exit(0); /* as keystay does: SoftHSM's exit handlers can crash beside OpenSSL 3 */
}
