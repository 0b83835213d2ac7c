/* SPDX-License-Identifier: Apache-2.0 */
/* The public way in: what was configured is read and checked, then an engine opens the signer. */
#include "base/error.h"
#include "keystay/pkcs11.h"
#include "pkcs11/engine.h"

enum keystay_status keystay_pkcs11_open(
    const struct keystay_pkcs11_config *config, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };

    TRY(p11_settings_read(config, &settings, err));
    return cryptoki_engine.open(&settings, ret_signer, err);
}
