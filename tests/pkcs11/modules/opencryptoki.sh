#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# opencryptoki.sh DIR -- COMMAND...: openCryptoki's software token, with its slot daemon.
#
# Its paths are compiled in: folders of DIR are mounted over its configuration, its store and its locks, and a memory
# file system over /run (whose other entries stay visible), where the daemon has its socket. Its shared memory and its
# semaphores are in a private IPC namespace and a private /dev/shm. The system's openCryptoki sees none of it.
#
# P11_KILL_CMD kills the daemon, P11_RESTART_CMD does that and starts it anew.
. "$(dirname "$0")/lib.sh"

namespaces=--ipc root_only=yes
packages=opencryptoki

bring_up()
{
    need_commands pkcsslotd setsid mount
    set_module pkcs11/libopencryptoki.so opencryptoki/libopencryptoki.so
    for folder in /etc/opencryptoki /var/lib/opencryptoki; do
        [ -d $folder ] || die "$folder is not there; packages: $packages" 77
    done
    getent group pkcs11 >/dev/null || die 'no group pkcs11' 77
    mount_state
    write_control
    P11_KILL_CMD="sh $dir/control kill"
    P11_RESTART_CMD="sh $dir/control restart"
    sh "$dir/control" restart || die "pkcsslotd did not come up; see $dir/pkcsslotd.log"

    new_pin "$dir/pin"
    set_token keystay "$dir/pin"
    provision init-token --so-pin 87654321
    provision make --store RSA 01 "$dir/rsa.pem"
    add_key RSA 'pkcs11:token=keystay;id=%01;type=private' "$dir/rsa.pem"
    add_stored 'pkcs11:token=keystay;id=%01;type=private'
    provision make --loose RSA 03 "$dir/loose.pem"
    add_loose_key RSA 'pkcs11:token=keystay;id=%03;type=private' "$dir/loose.pem"
    P11_CAN='rs256 ps256 sha256-pss rsa-pkcs pss raw-rsa pins-lock pin-flags loose-keys leaks restart'
    add_curve
}

# Its newer versions have them.
add_curve()
{
    provision lists EC_KEY_PAIR_GEN
    case $(cat "$dir/log") in
        no) return 0 ;;
        yes) ;;
        *) die 'it does not tell whether it has curves' ;;
    esac
    provision make --store EC 02 "$dir/ec.pem"
    add_key EC 'pkcs11:token=keystay;id=%02;type=private' "$dir/ec.pem"
    add_stored 'pkcs11:token=keystay;id=%02;type=private'
    P11_CAN="$P11_CAN es256"
}

mount_state()
{
    mkdir -p "$dir/etc" "$dir/store/swtok/TOK_OBJ" "$dir/host-run"
    [ ! -f /etc/opencryptoki/strength.conf ] || cp /etc/opencryptoki/strength.conf "$dir/etc/"
    printf 'version opencryptoki-3.1\nslot 0\n{\nstdll = libpkcs11_sw.so\n}\n' >"$dir/etc/opencryptoki.conf"
    chmod 755 "$dir/etc"
    chmod 640 "$dir/etc"/*
    chgrp -R pkcs11 "$dir/etc" "$dir/store"
    chmod -R 770 "$dir/store"
    mount --bind "$dir/etc" /etc/opencryptoki
    mount --bind "$dir/store" /var/lib/opencryptoki
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    mount_run
}

mount_run()
{
    mount --rbind /run "$dir/host-run"
    mount -t tmpfs -o mode=755 tmpfs /run
    for entry in "$dir"/host-run/*; do
        target=/run/${entry##*/}
        case $target in /run/pkcsslotd.* | /run/opencryptoki | /run/lock) continue ;; esac
        if [ -L "$entry" ]; then
            cp -P "$entry" "$target"
        elif [ -d "$entry" ]; then
            mkdir -p "$target" && mount --rbind "$entry" "$target"
        else
            : >"$target" && mount --bind "$entry" "$target"
        fi
    done
    mkdir -p /run/lock/opencryptoki/swtok /run/opencryptoki
    ! getent passwd pkcsslotd >/dev/null || chown pkcsslotd:pkcs11 /run/opencryptoki # whom newer versions become
    chmod 1777 /run/lock
    chgrp -R pkcs11 /run/lock/opencryptoki
    chmod -R 770 /run/lock/opencryptoki
}

write_control()
{
    sed "s|@DIR@|$dir|g" >"$dir/control" <<'SCRIPT'
kill_daemon()
{
    [ -f @DIR@/pkcsslotd.pid ] || return 0
    while kill -s KILL "$(cat @DIR@/pkcsslotd.pid)" 2>/dev/null; do
        sleep 0.01
    done
    rm -f @DIR@/pkcsslotd.pid /run/pkcsslotd.socket /run/pkcsslotd.pid /run/opencryptoki/*
}

start_daemon()
{
    setsid pkcsslotd -f -l @DIR@/pkcsslotd.log </dev/null >>@DIR@/pkcsslotd.out 2>&1 &
    echo $! >@DIR@/pkcsslotd.pid
    for _ in $(seq 500); do
        ! grep -q ' 00010000 .*/pkcsslotd.socket$' /proc/net/unix || return 0 # it listens
        sleep 0.01
    done
    return 1
}

kill_daemon
[ "$1" = kill ] || start_daemon
SCRIPT
}

launch "$@"
