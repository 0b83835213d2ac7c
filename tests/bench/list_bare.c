/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that a program must do to list a token's keys: load the module, log in, find certificates, public
 * and private keys, and read of each what a list says. `list` measures keystay key list against it.
 *
 * It checks return values, and that there are keys at all, so that a figure never comes from a run that
 * failed. What it has read it throws away: nothing is matched, nothing is printed but how many there are.
 * Never use it for real.
 */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MODULE = 1, LABEL, PIN_FILE, N_ARGUMENTS };
enum { SLOTS_MAX = 16, STEP = 256, OBJECTS_MAX = 8192, MECHANISMS_MAX = 512, VALUE_MAX = 16 * 1024 };

static const char usage[] = "usage: list_bare MODULE LABEL PIN-FILE\n";

static CK_FUNCTION_LIST *p11;

static _Noreturn void fail(const char *what, unsigned long code)
{
    (void)fprintf(stderr, "list_bare: %s: 0x%lx\n", what, code);
    _exit(1);
}

static void must(CK_RV rv, const char *call)
{
    if (rv != CKR_OK) {
        fail(call, rv);
    }
}

static void load(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = handle == NULL ? NULL : dlsym(handle, "C_GetFunctionList");
    CK_C_GetFunctionList entry = NULL;

    if (symbol == NULL) {
        fail("dlopen", 0);
    }
    memcpy(&entry, &symbol, sizeof(entry));
    must(entry(&p11), "C_GetFunctionList");
    must(p11->C_Initialize(NULL), "C_Initialize");
}

/* All are looked at, as keystay must: two may bear the label. */
static CK_SLOT_ID find_slot(const char *label)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_SLOT_ID found = (CK_SLOT_ID)-1;
    CK_ULONG n = SLOTS_MAX;
    CK_TOKEN_INFO info;

    must(p11->C_GetSlotList(CK_TRUE, slots, &n), "C_GetSlotList");
    for (CK_ULONG i = 0; i < n; i++) {
        must(p11->C_GetTokenInfo(slots[i], &info), "C_GetTokenInfo");
        if (memcmp(info.label, label, strlen(label)) == 0 && info.label[strlen(label)] == ' ') {
            found = slots[i];
        }
    }
    if (found == (CK_SLOT_ID)-1) {
        fail("no such token", 0);
    }
    return found;
}

static CK_SESSION_HANDLE log_in(CK_SLOT_ID slot, const char *pin_file)
{
    char pin[64];
    CK_SESSION_HANDLE session = 0;
    FILE *file = fopen(pin_file, "r");

    if (file == NULL || fgets(pin, sizeof(pin), file) == NULL) {
        fail("PIN file", 0);
    }
    (void)fclose(file);
    must(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession");
    must(p11->C_Login(session, CKU_USER, (CK_UTF8CHAR *)pin, strcspn(pin, "\n")), "C_Login");
    return session;
}

static CK_ULONG find(
    CK_SESSION_HANDLE session, CK_ATTRIBUTE *search, CK_ULONG n_search, CK_OBJECT_HANDLE *objects)
{
    CK_ULONG n = 0;
    CK_ULONG more = 1;

    must(p11->C_FindObjectsInit(session, search, n_search), "C_FindObjectsInit");
    while (more > 0 && n + STEP <= OBJECTS_MAX) {
        must(p11->C_FindObjects(session, objects + n, STEP, &more), "C_FindObjects");
        n += more;
    }
    must(p11->C_FindObjectsFinal(session), "C_FindObjectsFinal");
    return n;
}

/* What an object lacks is told by its length; that is no failure. */
static void read_all(
    CK_SESSION_HANDLE session, const CK_OBJECT_HANDLE *objects, CK_ULONG n, CK_ATTRIBUTE *wanted,
    CK_ULONG n_wanted)
{
    CK_ATTRIBUTE attributes[16];

    for (CK_ULONG i = 0; i < n; i++) {
        memcpy(attributes, wanted, n_wanted * sizeof(*attributes));
        CK_RV rv = p11->C_GetAttributeValue(session, objects[i], attributes, n_wanted);
        if (rv != CKR_OK && rv != CKR_ATTRIBUTE_TYPE_INVALID && rv != CKR_ATTRIBUTE_SENSITIVE) {
            fail("C_GetAttributeValue", rv);
        }
    }
}

static CK_ULONG list_certificates(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects)
{
    static uint8_t value[VALUE_MAX];
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    uint8_t id[256];
    CK_ATTRIBUTE search[] = { { CKA_CLASS, &class, sizeof(class) } };
    CK_ATTRIBUTE wanted[] = { { CKA_VALUE, value, sizeof(value) }, { CKA_ID, id, sizeof(id) } };
    CK_ULONG n = find(session, search, 1, objects);

    read_all(session, objects, n, wanted, 2);
    return n;
}

static CK_ULONG list_points(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects)
{
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_KEY_TYPE ec = CKK_EC;
    uint8_t id[256];
    uint8_t point[256];
    uint8_t params[64];
    CK_ATTRIBUTE search[] = { { CKA_CLASS, &class, sizeof(class) }, { CKA_KEY_TYPE, &ec, sizeof(ec) } };
    CK_ATTRIBUTE wanted[] = { { CKA_ID, id, sizeof(id) },
                              { CKA_EC_POINT, point, sizeof(point) },
                              { CKA_EC_PARAMS, params, sizeof(params) } };
    CK_ULONG n = find(session, search, 2, objects);

    read_all(session, objects, n, wanted, 3);
    return n;
}

static CK_ULONG list_keys(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE type = 0;
    CK_BBOOL flags[7];
    uint8_t id[256];
    uint8_t label[256];
    uint8_t modulus[1024];
    uint8_t params[64];
    CK_MECHANISM_TYPE allowed[64];
    CK_ATTRIBUTE search[] = { { CKA_CLASS, &class, sizeof(class) } };
    CK_ATTRIBUTE wanted[] = { { CKA_SENSITIVE, &flags[0], 1 },
                              { CKA_EXTRACTABLE, &flags[1], 1 },
                              { CKA_SIGN, &flags[2], 1 },
                              { CKA_ALWAYS_SENSITIVE, &flags[3], 1 },
                              { CKA_NEVER_EXTRACTABLE, &flags[4], 1 },
                              { CKA_LOCAL, &flags[5], 1 },
                              { CKA_ALWAYS_AUTHENTICATE, &flags[6], 1 },
                              { CKA_KEY_TYPE, &type, sizeof(type) },
                              { CKA_ID, id, sizeof(id) },
                              { CKA_LABEL, label, sizeof(label) },
                              { CKA_MODULUS, modulus, sizeof(modulus) },
                              { CKA_EC_PARAMS, params, sizeof(params) },
                              { CKA_ALLOWED_MECHANISMS, allowed, sizeof(allowed) } };
    CK_ULONG n = find(session, search, 1, objects);

    read_all(session, objects, n, wanted, sizeof(wanted) / sizeof(wanted[0]));
    return n;
}

int main(int argc, char **argv)
{
    static CK_OBJECT_HANDLE objects[OBJECTS_MAX];
    CK_MECHANISM_TYPE mechanisms[MECHANISMS_MAX];
    CK_ULONG n_mechanisms = MECHANISMS_MAX;

    if (argc != N_ARGUMENTS) {
        (void)fputs(usage, stderr);
        return 2;
    }
    load(argv[MODULE]);
    CK_SLOT_ID slot = find_slot(argv[LABEL]);
    CK_SESSION_HANDLE session = log_in(slot, argv[PIN_FILE]);
    must(p11->C_GetMechanismList(slot, mechanisms, &n_mechanisms), "C_GetMechanismList");
    CK_ULONG n_certificates = list_certificates(session, objects);
    CK_ULONG n_points = list_points(session, objects);
    CK_ULONG n_keys = list_keys(session, objects);
    must(p11->C_Finalize(NULL), "C_Finalize");
    (void)printf("%lu keys, %lu points, %lu certificates\n", n_keys, n_points, n_certificates);
    (void)fflush(stdout);
    _exit(n_keys > 0 ? 0 : 1); /* as keystay does: SoftHSM's exit handlers can crash beside OpenSSL 3 */
}
