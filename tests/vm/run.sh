#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The agent's units under a real systemd: boots this Debian's release, with what the tree builds, in a virtual machine
# whose processor is emulated, and has scenario.sh run in it. For Debian on x86-64. The machine has no network and no
# disk: all is in one initramfs. The last line is "N passed, N failed", and the exit status says the same.
#
# No part of tests/check.sh: it takes minutes (docs/ARCHITECTURE.md).
set -eu
cd "$(dirname "$0")/../.."
[ $# = 0 ] || { printf 'usage: sh tests/vm/run.sh\n' >&2 && exit 2; }

. softhsm-fixtures/packages.sh
. tests/lib/builds.sh

SECONDS_MOST=900 MEMORY_MIB=1200 CORES=2
INSIDE=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,kmod,procps,curl,python3-minimal,python3-cryptography,softhsm2
INSIDE=$INSIDE,libcurl4,libcjson1,libini-config5,libmicrohttpd12,libp11-3,libp11-kit0,libseccomp2,libsystemd0
place=$PWD/build/vm
export BASE="$place/base.cpio" KERNEL="$place/vmlinuz"

# Debian, from its archive; made anew when pack.sh or this file is newer.
make_base()
{
    [ -z "$(find "$BASE" -newer tests/vm/pack.sh -newer tests/vm/run.sh 2>/dev/null)" ] || return 0
    # shellcheck disable=SC2016 # mmdebstrap's argument
    mmdebstrap --quiet --variant=minbase --format=null --include=$INSIDE --customize-hook='sh tests/vm/pack.sh "$1"' \
        "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" - || { rm -f "$BASE" && return 1; }
}

# What comes on top: the program where "meson install" puts it, the tests' server, a token, and the scenario, after which
# the machine is switched off.
make_top()
{
    top=$place/top
    rm -rf "$top"
    mkdir -p "$top/srv" "$top/etc/systemd/system/graphical.target.wants"
    DESTDIR=$top meson install --quiet --no-rebuild -C build/check-gcc
    cp -R tests/server tests/vm/scenario.sh "$top/srv/"
    sh softhsm-fixtures/make-token.sh "$top/srv/token" --label backup --cert-on-token
    cp tests/vm/scenario.service "$top/etc/systemd/system/"
    ln -s ../scenario.service "$top/etc/systemd/system/graphical.target.wants/"
    for unit in serial-getty@ttyS0.service getty@tty1.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer; do
        ln -s /dev/null "$top/etc/systemd/system/$unit"
    done
    (cd "$top" && find . | cpio --quiet -o -H newc -R 0:0) >"$top.cpio"
    cat "$BASE" "$top.cpio" >"$place/image.cpio"
}

boot()
{
    rm -f "$place/console" "$place/results"
    timeout $SECONDS_MOST qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp $CORES -m $MEMORY_MIB -nodefaults \
        -no-user-config -display none -no-reboot -kernel "$KERNEL" -initrd "$place/image.cpio" \
        -append 'rdinit=/lib/systemd/systemd console=ttyS0 quiet panic=-1 mitigations=off systemd.show_status=no' \
        -serial "file:$place/console" -serial "file:$place/results"
}

[ "$(uname -m)" = x86_64 ] || { printf 'tests/vm is for x86-64\n' >&2 && exit 2; }
# shellcheck disable=SC2086 # lists of names
need_packages $BUILD_PACKAGES $RUN_PACKAGES libcmocka-dev mmdebstrap cpio qemu-system-x86
mkdir -p "$place"
build check-gcc gcc >"$place/build.log" 2>&1 || { tail -n 30 "$place/build.log" && exit 1; }
make_base
make_top
printf 'booting: build/vm/results has how far it is, build/vm/console what the machine says\n'
boot || printf 'the machine was ended after %s s, or did not start\n' $SECONDS_MOST
tr -d '\r' <"$place/results"
# Nothing but the scenario's own last line counts.
tail -n 1 "$place/results" | tr -d '\r' | grep -qx '[1-9][0-9]* passed, 0 failed' && exit 0
printf 'failed\n'
exit 1
