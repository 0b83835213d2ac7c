#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Called by mmdebstrap (run.sh) with the new root: puts it into the initramfs $BASE and its kernel into $KERNEL. The kernel
# comes without what its package would install beside it, and what nobody reads there stays out.
set -eu
cd "$1"
# shellcheck disable=SC2016 # for the shell inside
chroot . sh -c 'cd /tmp && apt-get -qq download "$(apt-cache depends linux-image-cloud-amd64 | sed -n "s/.*Depends: //p")"'
# Not dpkg -x: /lib is a link here.
dpkg-deb --fsys-tarfile tmp/linux-image-*.deb | tar -x --keep-directory-symlink
rm tmp/linux-image-*.deb
cp boot/vmlinuz-* "$KERNEL"
# Those of sockets are left: sock_diag's are loaded when they are asked for.
find usr/lib/modules/*/kernel -type f ! -path '*/net/*' -delete
chroot . /sbin/depmod "$(ls usr/lib/modules)"
rm -rf boot usr/share/doc usr/share/man usr/share/locale usr/share/perl usr/share/zoneinfo var/lib/apt/lists var/cache/apt
find . -xdev | cpio --quiet -o -H newc >"$BASE"
