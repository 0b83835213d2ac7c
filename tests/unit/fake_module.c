/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_module.h"

#include <pthread.h>

struct fake_module fake;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static CK_RV open_session(
    CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *ret_session)
{
    CK_RV rv = CKR_OK;

    (void)application;
    (void)notify;
    (void)pthread_mutex_lock(&lock);
    fake.slot = slot;
    fake.open_flags = flags;
    if (fake.n_opens_good == 0) {
        rv = fake.open_rv;
    } else if (fake.n_open >= fake.sessions_max) {
        rv = CKR_SESSION_COUNT;
    } else {
        fake.n_opens_good -= fake.n_opens_good > 0 ? 1 : 0;
        *ret_session = (CK_SESSION_HANDLE)++fake.n_opened; /* never the same twice */
        fake.is_open[*ret_session] = true;
        fake.n_open++;
        fake.n_open_most = fake.n_open > fake.n_open_most ? fake.n_open : fake.n_open_most;
    }
    (void)pthread_mutex_unlock(&lock);
    return rv;
}

static CK_RV close_session(CK_SESSION_HANDLE session)
{
    CK_RV rv = CKR_OK;

    (void)pthread_mutex_lock(&lock);
    if (session >= FAKE_SESSIONS_MAX || !fake.is_open[session]) {
        fake.n_bad_handles++;
        rv = CKR_SESSION_HANDLE_INVALID;
    } else {
        fake.is_open[session] = false;
        fake.n_open--;
        fake.n_closed++;
    }
    (void)pthread_mutex_unlock(&lock);
    return rv;
}

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG n)
{
    (void)session;
    assert_true(n <= ARRAY_LEN(fake.template));
    memcpy(fake.template, template, n * sizeof(*template));
    fake.n_template = n;
    fake.n_given = 0;
    return fake.find_init_rv;
}

static CK_RV find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *ret_objects, CK_ULONG max, CK_ULONG *ret_n)
{
    CK_ULONG left = fake.n_found - fake.n_given;
    CK_ULONG n = left < max ? left : max;

    (void)session;
    if (fake.find_rv != CKR_OK) {
        return fake.find_rv;
    }
    memcpy(ret_objects, fake.found + fake.n_given, n * sizeof(fake.found[0]));
    fake.n_given += n;
    *ret_n = fake.n_found_claimed != 0 ? fake.n_found_claimed : n;
    return CKR_OK;
}

static CK_RV find_final(CK_SESSION_HANDLE session)
{
    (void)session;
    return fake.find_final_rv;
}

static const struct fake_attribute *attribute_of(CK_ATTRIBUTE_TYPE type)
{
    for (size_t i = 0; i < fake.n_attributes; i++) {
        if (fake.attributes[i].type == type) {
            return &fake.attributes[i];
        }
    }
    return NULL;
}

/* One of them: CKR_OK, or why it cannot be given. */
static CK_RV give(CK_ATTRIBUTE *wanted)
{
    const struct fake_attribute *has = attribute_of(wanted->type);

    if (has == NULL) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    if (has->rv != CKR_OK) {
        return has->rv;
    }
    if (wanted->ulValueLen < has->value.len) {
        return CKR_BUFFER_TOO_SMALL;
    }
    if (has->value.len > 0) {
        memcpy(wanted->pValue, has->value.data, has->value.len);
    }
    wanted->ulValueLen = fake.manner == FAKE_LIES_LONG ? fake.claimed_len : has->value.len;
    return CKR_OK;
}

static CK_RV get_attribute_value(
    CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes, CK_ULONG n)
{
    CK_RV worst = CKR_OK;

    (void)session;
    (void)object;
    fake.n_reads++;
    if (fake.read_rv != CKR_OK) {
        return fake.read_rv;
    }
    for (CK_ULONG i = 0; i < n; i++) {
        CK_RV rv = give(&attributes[i]);

        if (rv == CKR_OK) {
            continue;
        }
        worst = rv;
        attributes[i].ulValueLen =
            fake.manner == FAKE_STOPS_SILENTLY ? attributes[i].ulValueLen : CK_UNAVAILABLE_INFORMATION;
        if (fake.manner == FAKE_STOPS_MARKING || fake.manner == FAKE_STOPS_SILENTLY) {
            break;
        }
    }
    return worst;
}

static CK_RV get_mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE *types, CK_ULONG *n)
{
    CK_ULONG room = *n;

    fake.slot = slot;
    *n = fake.n_mechanisms;
    if (fake.list_rv != CKR_OK || room < fake.n_mechanisms) {
        return fake.list_rv != CKR_OK ? fake.list_rv : CKR_BUFFER_TOO_SMALL;
    }
    memcpy(types, fake.mechanisms, fake.n_mechanisms * sizeof(*types));
    return CKR_OK;
}

static CK_RV generate_key_pair(
    CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public_key, CK_ULONG n_public,
    CK_ATTRIBUTE *private_key, CK_ULONG n_private, CK_OBJECT_HANDLE *ret_public,
    CK_OBJECT_HANDLE *ret_private)
{
    int nth = fake.n_made++;

    (void)session;
    (void)public_key;
    (void)n_public;
    assert_true(nth < FAKE_MADE_MAX && n_private <= ARRAY_LEN(fake.made_private[0]));
    fake.made_with = mechanism->mechanism;
    memcpy(fake.made_private[nth], private_key, n_private * sizeof(*private_key));
    fake.n_made_private[nth] = n_private;
    *ret_public = FAKE_PUBLIC;
    *ret_private = FAKE_PRIVATE;
    return fake.make_rvs[nth];
}

static CK_RV create_object(
    CK_SESSION_HANDLE session, CK_ATTRIBUTE *attributes, CK_ULONG n, CK_OBJECT_HANDLE *ret_object)
{
    int nth = fake.n_created++;

    (void)session;
    assert_true(nth < FAKE_CREATED_MAX && n <= ARRAY_LEN(fake.created[0]));
    memcpy(fake.created[nth], attributes, n * sizeof(*attributes));
    fake.n_created_attributes[nth] = n;
    assert_true(attributes[0].type == CKA_CLASS);
    fake.created_class[nth] = *(const CK_OBJECT_CLASS *)attributes[0].pValue;
    *ret_object = fake.created_class[nth] == CKO_PRIVATE_KEY  ? FAKE_PRIVATE
                  : fake.created_class[nth] == CKO_PUBLIC_KEY ? FAKE_PUBLIC
                                                              : FAKE_CERTIFICATE;
    return fake.create_rvs[nth];
}

static CK_RV destroy_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    (void)session;
    assert_true(fake.n_destroyed < (int)ARRAY_LEN(fake.destroyed));
    fake.destroyed[fake.n_destroyed++] = object;
    return fake.destroy_rv;
}

static CK_FUNCTION_LIST functions = {
    .version = { 2, 40 },
    .C_OpenSession = open_session,
    .C_CloseSession = close_session,
    .C_FindObjectsInit = find_init,
    .C_FindObjects = find,
    .C_FindObjectsFinal = find_final,
    .C_GetAttributeValue = get_attribute_value,
    .C_GetMechanismList = get_mechanism_list,
    .C_GenerateKeyPair = generate_key_pair,
    .C_CreateObject = create_object,
    .C_DestroyObject = destroy_object,
};

static void note_enter(void *context, const char *call)
{
    struct fake_module *to = context;
    size_t len;

    (void)pthread_mutex_lock(&lock);
    len = strlen(to->trace);
    if (len + strlen(call) + 2 < sizeof(to->trace)) {
        memcpy(to->trace + len, call, strlen(call));
        memcpy(to->trace + len + strlen(call), " ", 2);
    }
    to->n_entered++;
    (void)pthread_mutex_unlock(&lock);
}

static void note_leave(void *context)
{
    (void)pthread_mutex_lock(&lock);
    ((struct fake_module *)context)->n_left++;
    (void)pthread_mutex_unlock(&lock);
}

static const struct keystay_call_watch watch = { .enter = note_enter, .leave = note_leave, .context = &fake };

struct p11_module fake_reset(void)
{
    fake = (struct fake_module){ .sessions_max = FAKE_SESSIONS_MAX - 1, .n_opens_good = -1 };
    return (struct p11_module){ .list = &functions, .watch = &watch };
}

struct p11_session fake_session(struct p11_module *module)
{
    return (struct p11_session){ .module = module, .handle = 1, .where = "token 'fake'" };
}
