/* SPDX-License-Identifier: Apache-2.0 */
#include "latches.h"

#include "base/file.h"

CK_TOKEN_INFO latch_token(const char *label, const char *serial)
{
    CK_TOKEN_INFO info;

    memset(&info, ' ', sizeof(info));
    memcpy(info.label, label, strlen(label));
    memcpy(info.serialNumber, serial, strlen(serial));
    return info;
}

struct latch latch_opened(const char *dir)
{
    const CK_TOKEN_INFO token = latch_token("backup", "0123");
    struct latch latch = LATCH_NONE;
    struct keystay_error err = { 0 };

    if (latch_open(&token, dir, &latch, &err) != KEYSTAY_OK) {
        fail_msg("%s", err.message);
    }
    return latch;
}

enum latch_state latch_state_in(const char *dir)
{
    CLEANUP(latch_close) struct latch latch = latch_opened(dir);

    return latch.state;
}

void latch_reject(const char *dir, const char *pin)
{
    CLEANUP(latch_close) struct latch latch = latch_opened(dir);
    CLEANUP(secret_clear) struct secret secret = { 0 };

    assert_ok(secret_set(&secret, slice_of_str(pin), NULL));
    assert_ok(latch_set_rejected(&latch, &secret, NULL));
    assert_int_equal(latch.state, LATCH_REJECTED);
}

void latch_content(const char *path, struct buf *content)
{
    assert_ok(file_read(path, "the latch", KEYSTAY_E_CONFIG, content, NULL));
}
