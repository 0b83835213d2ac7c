/* SPDX-License-Identifier: Apache-2.0 */
/* The public way in: in this process or in one of its own, with one engine or the other. */
#include "base/error.h"
#include "base/str.h"
#include "keystay/pkcs11.h"
#include "pkcs11/engine.h"
#include "pkcs11/isolated/signer.h"

enum keystay_status keystay_pkcs11_open(
    const struct keystay_pkcs11_config *config, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    CLEANUP(p11_settings_clear) struct p11_settings settings = { 0 };
    const char *engine = config->engine == NULL ? cryptoki_engine.name : config->engine;
    bool is_ours = str_equal(engine, cryptoki_engine.name);

    if (!is_ours && !str_equal(engine, "libp11")) {
        return err_set(err, KEYSTAY_E_CONFIG, "engine must be cryptoki or libp11");
    }
    /* libp11 hangs for ever when a session cannot be opened: it is let near a module only where it can be
     * ended. */
    if (!is_ours || config->isolate != 0) {
        return isolated_open(config, ret_signer, err);
    }
    TRY(p11_settings_read(config, &settings, err));
    return cryptoki_engine.open(&settings, ret_signer, err);
}
