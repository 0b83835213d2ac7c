#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034,SC2154 # shared with lib.sh and the launchers
#
# One SoftHSM token for the launchers that stand on one (softhsm.sh, p11kit.sh): RSA-2048 with id 01, P-256 with id 02.
# softhsm-fixtures/make-token.sh does the work. Must not start anything.

SOFTHSM_PACKAGES='softhsm2 gnutls-bin opensc'

# softhsm_fixture OPTION...: make-token.sh on DIR/token.
softhsm_fixture()
{
    logged sh "$fixtures/make-token.sh" "$dir/token" "$@"
}

# softhsm_token LABEL [OPTION...]
softhsm_token()
{
    token_label=$1
    shift
    need_commands p11tool certtool
    set_module softhsm/libsofthsm2.so pkcs11/libsofthsm2.so
    SOFTHSM_MODULE=$P11_MODULE
    export SOFTHSM_MODULE
    softhsm_fixture --label "$token_label" --cert rsa.pem --cert-on-token "$@"
    softhsm_fixture --add-key --label "$token_label" --key-type ec:P-256 --key-id 02 --cert ec.pem
    SOFTHSM2_CONF=$dir/token/softhsm2.conf
    export SOFTHSM2_CONF
    set_token "$token_label" "$dir/token/pin"
    add_key RSA "pkcs11:token=$token_label;id=%01;type=private" "$dir/token/rsa.pem"
    add_stored "pkcs11:token=$token_label;id=%01;type=private"
    add_key EC "pkcs11:token=$token_label;id=%02;type=private" "$dir/token/ec.pem"
}
