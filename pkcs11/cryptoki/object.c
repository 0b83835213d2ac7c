/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/object.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pkcs11/rv.h"

void object_template_init(struct object_template *search, CK_OBJECT_CLASS object_class)
{
    *search = (struct object_template){ .object_class = object_class };
    object_template_add(
        search, CKA_CLASS,
        (struct slice){ (const uint8_t *)&search->object_class, sizeof(search->object_class) });
}

void object_template_add(struct object_template *search, CK_ATTRIBUTE_TYPE type, struct slice value)
{
    search->attributes[search->n++] =
        (CK_ATTRIBUTE){ .type = type, .pValue = drop_const(value.data), .ulValueLen = value.len };
}

void object_template_add_uri(
    struct object_template *search, const struct p11_session *session, const struct p11_uri *uri)
{
    struct slice value;

    if (p11_uri_id(uri, session->info, &value)) {
        object_template_add(search, CKA_ID, value);
    }
    if (p11_uri_label(uri, &value)) {
        object_template_add(search, CKA_LABEL, value);
    }
}

/* A search that could not be ended earlier is still there, and would stand in the way of all others. */
static CK_RV begin_search(const struct p11_session *session, struct object_template *search)
{
    CK_RV rv = P11(session->module, C_FindObjectsInit, session->handle, search->attributes, search->n);

    if (rv != CKR_OPERATION_ACTIVE || P11(session->module, C_FindObjectsFinal, session->handle) != CKR_OK) {
        return rv;
    }
    return P11(session->module, C_FindObjectsInit, session->handle, search->attributes, search->n);
}

enum keystay_status object_find(
    const struct p11_session *session, struct object_template *search,
    CK_OBJECT_HANDLE ret_objects[OBJECT_FOUND_MAX], CK_ULONG *ret_n, struct keystay_error *err)
{
    CK_ULONG n = 0;
    CK_RV rv = begin_search(session, search);

    if (rv != CKR_OK) {
        return rv_error(rv, "C_FindObjectsInit", session->where, err);
    }
    memset(ret_objects, 0, OBJECT_FOUND_MAX * sizeof(*ret_objects)); /* a count may be a lie */
    rv = P11(session->module, C_FindObjects, session->handle, ret_objects, OBJECT_FOUND_MAX, &n);
    CK_RV final_rv = P11(session->module, C_FindObjectsFinal, session->handle);
    if (rv != CKR_OK || final_rv != CKR_OK) {
        return rv_error(
            rv != CKR_OK ? rv : final_rv, rv != CKR_OK ? "C_FindObjects" : "C_FindObjectsFinal",
            session->where, err);
    }
    *ret_n = n < OBJECT_FOUND_MAX ? n : OBJECT_FOUND_MAX;
    return KEYSTAY_OK;
}

enum { EACH_STEP = 256, EACH_MAX = 100000 };

/* A growing list of handles. */
struct handles {
    CK_OBJECT_HANDLE *items;
    size_t n;
    size_t capacity;
};

static void handles_clear(struct handles *handles)
{
    free(handles->items);
}

/* Room for EACH_STEP more. A module that never comes to an end does so here. */
static enum keystay_status reserve(struct handles *handles, struct keystay_error *err)
{
    size_t capacity = handles->capacity == 0 ? EACH_STEP : 2 * handles->capacity;

    if (handles->n + EACH_STEP <= handles->capacity) {
        return KEYSTAY_OK;
    }
    if (handles->n > EACH_MAX) {
        return err_set_hint(
            err, KEYSTAY_E_MODULE, "name the object in the URI, or choose another token",
            "the token shows more than %d objects", EACH_MAX);
    }
    CK_OBJECT_HANDLE *grown = realloc(handles->items, capacity * sizeof(*grown));
    if (grown == NULL) {
        return err_no_memory(err);
    }
    handles->items = grown;
    handles->capacity = capacity;
    return KEYSTAY_OK;
}

static enum keystay_status more_handles(
    const struct p11_session *session, struct handles *handles, CK_ULONG *ret_n, struct keystay_error *err)
{
    TRY(reserve(handles, err));
    CK_RV rv =
        P11(session->module, C_FindObjects, session->handle, handles->items + handles->n, EACH_STEP, ret_n);
    if (rv != CKR_OK || *ret_n > EACH_STEP) {
        return rv_error(rv != CKR_OK ? rv : CKR_GENERAL_ERROR, "C_FindObjects", session->where, err);
    }
    handles->n += *ret_n;
    return KEYSTAY_OK;
}

static enum keystay_status collect(
    const struct p11_session *session, struct object_template *search, struct handles *handles,
    struct keystay_error *err)
{
    CK_ULONG n = 1;
    CK_RV rv = begin_search(session, search);
    enum keystay_status status = KEYSTAY_OK;

    if (rv != CKR_OK) {
        return rv_error(rv, "C_FindObjectsInit", session->where, err);
    }
    while (status == KEYSTAY_OK && n > 0) {
        status = more_handles(session, handles, &n, err);
    }
    (void)P11(session->module, C_FindObjectsFinal, session->handle);
    return status;
}

enum keystay_status object_each(
    const struct p11_session *session, struct object_template *search, object_visit visit, void *context,
    struct keystay_error *err)
{
    CLEANUP(handles_clear) struct handles handles = { 0 };

    TRY(collect(session, search, &handles, err));
    for (size_t i = 0; handles.items != NULL && i < handles.n; i++) {
        TRY(visit(session, handles.items[i], context, err));
    }
    return KEYSTAY_OK;
}

/* The codes with which C_GetAttributeValue says "some of them": PKCS #11 v3.0 §5.7.5. */
static bool is_partial(CK_RV rv)
{
    return rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_BUFFER_TOO_SMALL;
}

/* A module that gives up at the first attribute that it dislikes leaves the rest as it was: filled with this.
 */
enum { UNTOUCHED = 0xA5, READ_MAX = 16 };

static bool is_untouched(const CK_ATTRIBUTE *attribute, CK_ULONG size)
{
    const uint8_t *bytes = attribute->pValue;
    bool same = attribute->ulValueLen == size;

    for (CK_ULONG i = 0; same && i < size; i++) {
        same = bytes[i] == UNTOUCHED;
    }
    return same;
}

/* Asks again, each alone, for what a partial answer left out. */
static enum keystay_status read_rest(
    const struct p11_session *session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes, CK_ULONG n,
    const CK_ULONG *sizes, struct keystay_error *err)
{
    for (CK_ULONG i = 0; i < n; i++) {
        if (!is_untouched(&attributes[i], sizes[i])) {
            continue;
        }
        CK_RV rv = P11(session->module, C_GetAttributeValue, session->handle, object, &attributes[i], 1);
        if (is_partial(rv)) {
            attributes[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
        } else if (rv != CKR_OK) {
            return rv_error(rv, "C_GetAttributeValue", session->where, err);
        }
    }
    return KEYSTAY_OK;
}

enum keystay_status object_read(
    const struct p11_session *session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes, CK_ULONG n,
    struct keystay_error *err)
{
    CK_ULONG sizes[READ_MAX];

    if (n > READ_MAX) {
        return err_set(err, KEYSTAY_E_INTERNAL, "too many attributes at once");
    }
    for (CK_ULONG i = 0; i < n; i++) {
        sizes[i] = attributes[i].ulValueLen;
        memset(attributes[i].pValue, UNTOUCHED, sizes[i]);
    }
    CK_RV rv = P11(session->module, C_GetAttributeValue, session->handle, object, attributes, n);
    if (rv != CKR_OK && !is_partial(rv)) {
        return rv_error(rv, "C_GetAttributeValue", session->where, err);
    }
    if (rv != CKR_OK) {
        TRY(read_rest(session, object, attributes, n, sizes, err));
    }
    for (CK_ULONG i = 0; i < n; i++) {
        if (attributes[i].ulValueLen >
            sizes[i]) { /* unavailable, or a claim of more than there was room for */
            attributes[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
        }
    }
    return KEYSTAY_OK;
}
