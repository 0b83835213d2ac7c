#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# nss.sh DIR -- COMMAND...: NSS softokn on a key database in DIR, as Firefox and its kin keep them.
#
# The module wants its folder in the initialisation arguments (P11_MODULE_ARGS). The keys in P11_KEYS are made through
# PKCS#11 with a strict template. P11_LOOSE_KEYS has what certutil makes: no label, an id of 20 bytes, extractable, and
# a certificate on the token. NSS has no daemon: COMMAND takes this shell's place.
. "$(dirname "$0")/lib.sh"

packages='libnss3 libnss3-tools'

bring_up()
{
    need_commands certutil
    set_module libsoftokn3.so nss/libsoftokn3.so
    new_pin "$dir/pin"
    set_token 'NSS Certificate DB' "$dir/pin"
    logged certutil -N -d "sql:$dir" -f "$dir/pin"
    P11_MODULE_ARGS="configDir='sql:$dir' certPrefix='' keyPrefix='' secmod='secmod.db' flags="
    add_certutil_key
    provision make --store RSA 01 "$dir/rsa.pem"
    provision make EC 02 "$dir/ec.pem"
    add_key RSA 'pkcs11:token=NSS%20Certificate%20DB;id=%01;type=private' "$dir/rsa.pem"
    add_stored 'pkcs11:token=NSS%20Certificate%20DB;id=%01;type=private'
    add_key EC 'pkcs11:token=NSS%20Certificate%20DB;id=%02;type=private' "$dir/ec.pem"
    P11_CAN='rs256 ps256 es256 sha256-rsa sha256-pss rsa-pkcs pss raw-rsa needs-args loose-keys'
}

add_certutil_key()
{
    head -c 64 /dev/urandom >"$dir/noise"
    logged certutil -S -x -d "sql:$dir" -f "$dir/pin" -n loose -s 'CN=keystay nss loose' -t ,, -k rsa -g 2048 \
        -Z SHA256 -v 12 -z "$dir/noise"
    certutil -L -d "sql:$dir" -n loose -a >"$dir/loose.pem"
    provision ids
    uri="pkcs11:token=NSS%20Certificate%20DB;id=$(cat "$dir/log");type=private"
    add_loose_key RSA "$uri" "$dir/loose.pem"
    add_stored "$uri"
}

launch "$@"
