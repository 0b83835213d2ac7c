/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/piv.h"

#include <string.h>

#include "base/error.h"

enum { N_SLOTS = 25 };

/* In the order in which modules count them; the last, Yubico's attestation key, is not on every card. */
static const uint8_t slots[N_SLOTS] = { 0x9A, 0x9C, 0x9D, 0x9E, 0x82, 0x83, 0x84, 0x85, 0x86,
                                        0x87, 0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F,
                                        0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0xF9 };

/* OpenSC writes the number in decimal and reads it as hexadecimal. */
static const uint8_t opensc_ids[N_SLOTS - 1] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
                                                 0x09, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16,
                                                 0x17, 0x18, 0x19, 0x20, 0x21, 0x22, 0x23, 0x24 };
static const uint8_t yubico_ids[N_SLOTS] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
                                             0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12,
                                             0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19 };

/* Whose module it is, by what it says of its tokens: Yubico's makes HSMs, too. */
static const struct family {
    const char *manufacturer;
    const char *model;
    struct slice ids;
} families[] = {
    { "piv_II", "PKCS#15 emulated", { opensc_ids, sizeof(opensc_ids) } },
    { "Yubico (www.yubico.com)", "YubiKey ", { yubico_ids, sizeof(yubico_ids) } },
};

static bool begins(const CK_UTF8CHAR *field, const char *text)
{
    return memcmp(field, text, strlen(text)) == 0;
}

static const struct family *family_of(const CK_TOKEN_INFO *info)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        if (begins(info->manufacturerID, families[i].manufacturer) &&
            begins(info->model, families[i].model)) {
            return &families[i];
        }
    }
    return NULL;
}

bool piv_is_card(const CK_TOKEN_INFO *info)
{
    return family_of(info) != NULL;
}

static int digit_of(uint8_t c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)((at - digits) % 16);
}

uint8_t piv_slot_read(struct slice text)
{
    const int high = text.len == 2 ? digit_of(text.data[0]) : -1;
    const int low = text.len == 2 ? digit_of(text.data[1]) : -1;
    const int slot = high < 0 || low < 0 ? 0 : high << 4 | low;

    return memchr(slots, slot, sizeof(slots)) == NULL ? 0 : (uint8_t)slot;
}

struct slice piv_id_of_slot(const CK_TOKEN_INFO *info, uint8_t slot)
{
    const struct family *family = info == NULL ? NULL : family_of(info);

    for (size_t i = 0; family != NULL && i < family->ids.len; i++) {
        if (slots[i] == slot) {
            return (struct slice){ family->ids.data + i, 1 };
        }
    }
    return (struct slice){ 0 };
}

uint8_t piv_slot_of_id(const CK_TOKEN_INFO *info, struct slice id)
{
    const struct family *family = family_of(info);

    for (size_t i = 0; family != NULL && id.len == 1 && i < family->ids.len; i++) {
        if (family->ids.data[i] == id.data[0]) {
            return slots[i];
        }
    }
    return 0;
}

enum keystay_status piv_advise(
    const CK_TOKEN_INFO *info, CK_RV rv, const char *advice, enum keystay_status status,
    struct keystay_error *err)
{
    /* OpenSC's module does not do these things at all. */
    bool is_too_small = rv == CKR_FUNCTION_NOT_SUPPORTED && info != NULL && piv_is_card(info);

    return is_too_small || rv == CKR_USER_NOT_LOGGED_IN || rv == CKR_USER_TYPE_INVALID
               ? err_hint(err, status, "a PIV card does that for its management key only: %s", advice)
               : status;
}
