#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# p11kit.sh DIR -- COMMAND...: p11-kit's remoting. COMMAND talks to p11-kit-client.so, that to a p11-kit server over a
# Unix socket, that to SoftHSM: a module whose far side can die, as network HSMs and smart card daemons do.
#
# P11_KILL_CMD kills the server and all that it serves with SIGKILL; P11_RESTART_CMD does that and starts it anew on
# the same socket, and returns when it listens: the socket's file is there before. Both stand for `sh -c`. The server
# forks for each client, hence the process group.
. "$(dirname "$0")/lib.sh"
. "$here/softhsm-token.sh"

namespaces=--ipc
packages="p11-kit p11-kit-modules $SOFTHSM_PACKAGES"

bring_up()
{
    softhsm_token keystay
    need_commands p11-kit setsid
    backend=$P11_MODULE
    set_module pkcs11/p11-kit-client.so
    write_control
    P11_KILL_CMD="sh $dir/control kill"
    P11_RESTART_CMD="sh $dir/control restart"
    P11_KIT_SERVER_ADDRESS=unix:path=$dir/socket
    export P11_KIT_SERVER_ADDRESS
    sh "$dir/control" restart || die "the server did not come up; see $dir/server.log"
    P11_CAN='rs256 ps256 es256 sha256-rsa rsa-pkcs pss raw-rsa pin-flags restart threads-hang'
}

write_control()
{
    sed "s|@DIR@|$dir|g; s|@BACKEND@|$backend|g" >"$dir/control" <<'SCRIPT'
kill_server()
{
    [ -f @DIR@/server.pid ] || return 0
    group=-$(cat @DIR@/server.pid)
    while kill -s KILL -- "$group" 2>/dev/null; do
        sleep 0.01
    done
    rm -f @DIR@/server.pid @DIR@/socket
}

start_server()
{
    SOFTHSM2_CONF=@DIR@/token/softhsm2.conf setsid p11-kit server --foreground --provider @BACKEND@ -n @DIR@/socket \
        'pkcs11:' </dev/null >>@DIR@/server.log 2>&1 &
    echo $! >@DIR@/server.pid
    for _ in $(seq 500); do
        ! grep -q ' 00010000 .* @DIR@/socket$' /proc/net/unix || return 0
        sleep 0.01
    done
    return 1
}

kill_server
[ "$1" = kill ] || start_server
SCRIPT
}

launch "$@"
