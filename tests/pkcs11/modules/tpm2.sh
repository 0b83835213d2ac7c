#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# tpm2.sh DIR -- COMMAND...: tpm2-pkcs11 on an emulated TPM 2.0: swtpm, tpm2-abrmd (without a resource manager the TPM
# runs out of memory for objects) and the D-Bus that the two talk over, all private and all on Unix sockets in DIR.
#
# The token and its keys are made through PKCS#11 itself, which takes a second where tpm2_ptool takes twenty.
# Three wrong PINs lock the whole TPM, and no token flag tells of it (unlisted-pss: PSS works, but is not listed).
# P11_KILL_CMD kills the resource manager, as a crash or an upgrade of it would; P11_RESTART_CMD does that and starts
# it anew.
. "$(dirname "$0")/lib.sh"

namespaces=--ipc
packages='swtpm swtpm-tools tpm2-abrmd libtss2-tcti-tabrmd0 dbus libtpm2-pkcs11-1'

bring_up()
{
    need_commands swtpm swtpm_setup tpm2-abrmd dbus-daemon dbus-send setsid
    set_module pkcs11/libtpm2_pkcs11.so libtpm2_pkcs11.so.1
    start_tpm
    start_bus
    write_control
    P11_KILL_CMD="sh $dir/control kill"
    P11_RESTART_CMD="sh $dir/control restart"
    sh "$dir/control" restart || die "tpm2-abrmd did not come up; see $dir/abrmd.log"

    TPM2_PKCS11_STORE=$dir/store
    TPM2_PKCS11_TCTI=tabrmd:bus_type=session
    export TPM2_PKCS11_STORE TPM2_PKCS11_TCTI
    mkdir "$TPM2_PKCS11_STORE"
    new_pin "$dir/pin"
    set_token keystay "$dir/pin"
    provision init-token
    provision make --store RSA 01 "$dir/rsa.pem"
    provision make EC 02 "$dir/ec.pem"
    add_key RSA 'pkcs11:token=keystay;id=%01;type=private' "$dir/rsa.pem"
    add_stored 'pkcs11:token=keystay;id=%01;type=private'
    add_key EC 'pkcs11:token=keystay;id=%02;type=private' "$dir/ec.pem"
    P11_CAN='rs256 ps256 es256 sha256-rsa rsa-pkcs raw-rsa unlisted-pss pins-lock noisy restart leaks'
}

start_tpm()
{
    mkdir "$dir/tpm"
    logged swtpm_setup --tpm2 --tpmstate "$dir/tpm" --overwrite
    swtpm socket --tpm2 --tpmstate dir="$dir/tpm" --server type=unixio,path="$dir/tpm.sock" \
        --ctrl type=unixio,path="$dir/tpm.sock.ctrl" --flags startup-clear </dev/null >"$dir/swtpm.log" 2>&1 &
    wait_until swtpm test -S "$dir/tpm.sock"
}

start_bus()
{
    cat >"$dir/bus.conf" <<CONF
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=$dir/bus.sock</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
CONF
    DBUS_SESSION_BUS_ADDRESS=unix:path=$dir/bus.sock
    export DBUS_SESSION_BUS_ADDRESS
    dbus-daemon --config-file="$dir/bus.conf" --nofork </dev/null >"$dir/bus.log" 2>&1 &
    wait_until dbus-daemon test -S "$dir/bus.sock"
}

write_control()
{
    sed "s|@DIR@|$dir|g" >"$dir/control" <<'SCRIPT'
kill_manager()
{
    [ -f @DIR@/abrmd.pid ] || return 0
    while kill -s KILL "$(cat @DIR@/abrmd.pid)" 2>/dev/null; do
        sleep 0.01
    done
    rm -f @DIR@/abrmd.pid
}

start_manager()
{
    DBUS_SESSION_BUS_ADDRESS=unix:path=@DIR@/bus.sock
    export DBUS_SESSION_BUS_ADDRESS
    G_MESSAGES_DEBUG='' setsid tpm2-abrmd --session --allow-root --flush-all --tcti=swtpm:path=@DIR@/tpm.sock \
        </dev/null >>@DIR@/abrmd.log 2>&1 &
    echo $! >@DIR@/abrmd.pid
    for _ in $(seq 500); do
        dbus-send --session --print-reply --dest=org.freedesktop.DBus /org/freedesktop/DBus \
            org.freedesktop.DBus.NameHasOwner string:com.intel.tss2.Tabrmd 2>/dev/null | grep -q true && return 0
        sleep 0.01
    done
    return 1
}

kill_manager
[ "$1" = kill ] || start_manager
SCRIPT
}

launch "$@"
