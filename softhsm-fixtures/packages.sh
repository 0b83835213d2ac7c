#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034 # the lists are for the scripts that source this file
#
# What building, trying and testing keystay needs from the system, and how to get it. Sourced by quickstart.sh and
# tests/check.sh, so that each package name stands once.
#
# On Debian and Ubuntu the missing packages, and only these, are installed: a second run makes no apt call.
# Elsewhere nothing is installed: the missing commands and libraries are named and the script stops with status 1.
# Must not install quietly, add a package source, upgrade what is there, or touch anything but packages.

# dpkg-dev: meson asks it which folder Debian has libraries in.
BUILD_PACKAGES='gcc libc6-dev dpkg-dev pkg-config meson ninja-build libssl-dev libcurl4-openssl-dev libcjson-dev
    libini-config-dev libmicrohttpd-dev libp11-dev libp11-kit-dev libseccomp-dev libsystemd-dev scdoc'
RUN_PACKAGES='softhsm2 gnutls-bin python3 python3-cryptography'
# The formatter and clang-tidy are of one version: each version formats, and complains, differently. Debian 13 has it
# no more; there tests/check.sh does without them, and says so.
FORMAT_PACKAGES='clang-format-14 clang-tidy-14'
TEST_PACKAGES='clang cppcheck shellcheck valgrind libc6-dbg g++ libcmocka-dev
    python3-pytest python3-msal opensc openssl git curl zsh fish
    pcscd vsmartcard-vpcd opensc-pkcs11 ykcs11 yubico-piv-tool libpcsclite1
    swtpm swtpm-tools tpm2-abrmd libtss2-tcti-tabrmd0 dbus libtpm2-pkcs11-1 opencryptoki libnss3 libnss3-tools
    p11-kit p11-kit-modules nginx python3-prometheus-client systemd libfaketime python3-dbusmock'

# For tests/interop. Not in a list above: where node is not Debian's, it brings an npm that is no package of its own.
NODE_COMMANDS='node:nodejs npm:npm'

# For tests/interop too: clients that would be 700 MB and minutes to install. Unpacked they are as Debian packaged them; what
# the first ones need beside them comes along, and what nobody asks them for is left out.
UNPACKED_WITH_NEEDS='azure-cli python3-azure'
UNPACKED_ALONE='prometheus'
UNPACKED_WITHOUT='./usr/share/* ./usr/bin/prometheus */aio */azure/ai */azure/mgmt/compute */azure/mgmt/containerservice
    */azure/mgmt/network */azure/mgmt/storage */azure/mgmt/web'

# need_node: node and npm, from wherever they are.
need_node()
{
    for node_command in $NODE_COMMANDS; do
        command -v "${node_command%%:*}" >/dev/null 2>&1 || need_packages "${node_command#*:}"
    done
}

# What to look for where there is no dpkg: package, then cmd:NAME or pc:MODULE (pkg-config) or py:MODULE (python3).
package_probes()
{
    cat <<'TABLE'
gcc cmd:cc
pkg-config cmd:pkg-config
meson cmd:meson
ninja-build cmd:ninja
libssl-dev pc:libcrypto
libcurl4-openssl-dev pc:libcurl
libcjson-dev pc:libcjson
libini-config-dev pc:ini_config
libp11-dev pc:libp11
libp11-kit-dev pc:p11-kit-1
scdoc cmd:scdoc
softhsm2 cmd:softhsm2-util
gnutls-bin cmd:p11tool
python3 cmd:python3
python3-cryptography py:cryptography
clang cmd:clang
cppcheck cmd:cppcheck
shellcheck cmd:shellcheck
valgrind cmd:valgrind
g++ cmd:c++
libcmocka-dev pc:cmocka
python3-pytest py:pytest
python3-msal py:msal
opensc cmd:pkcs11-tool
openssl cmd:openssl
git cmd:git
curl cmd:curl
nginx cmd:nginx
python3-prometheus-client py:prometheus_client
systemd cmd:systemd-analyze
zsh cmd:zsh
fish cmd:fish
nodejs cmd:node
npm cmd:npm
TABLE
}

# python_with MODULE...: prints the first python3 that can import all of them; status 1 if there is none.
python_with()
{
    python_imports=$(printf 'import %s;' "$@")
    for python_candidate in "${PYTHON:-python3}" python3 /usr/bin/python3; do
        if "$python_candidate" -c "$python_imports" >/dev/null 2>&1; then
            command -v "$python_candidate"
            return 0
        fi
    done
    return 1
}

# need_packages NAME...: returns when all are there, else installs them or stops the script.
need_packages()
{
    if is_debian_like; then
        need_debs "$@"
    else
        need_probes "$@"
    fi
}

is_debian_like()
{
    command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 &&
        grep -Eq '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release 2>/dev/null
}

# missing_debs NAME...: prints those that are not installed.
missing_debs()
{
    deb_states=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    for deb in "$@"; do
        printf '%s\n' "$deb_states" | grep -Fqx "installed $deb" || printf '%s ' "$deb"
    done
}

# known_debs NAME...: prints those that this release has.
known_debs()
{
    for deb in "$@"; do
        ! apt-cache show "$deb" >/dev/null 2>&1 || printf '%s ' "$deb"
    done
}

need_debs()
{
    debs=$(missing_debs "$@")
    [ -n "$debs" ] || return 0
    become_root
    printf 'installing packages: %s\n' "$debs"
    update_lists
    # shellcheck disable=SC2086 # a list of package names
    apt_get install -y --no-install-recommends $debs
}

# become_root: how apt is called, in as_root; stops the script where there is no way.
become_root()
{
    as_root=
    [ "$(id -u)" != 0 ] || return 0
    as_root=sudo
    command -v sudo >/dev/null 2>&1 && return 0
    printf 'These packages are missing. As root, run this, then try again:\n' >&2
    printf '  apt-get update && apt-get install %s\n' "$debs" >&2
    exit 1
}

# update_lists: what the distribution has by now, once.
update_lists()
{
    [ -z "${apt_updated:-}" ] || return 0
    apt_get update
    apt_updated=yes
}

# apt_get ARGUMENT...: what it says is shown only if it fails; then the script stops.
apt_get()
{
    apt_output=$($as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 \
        -o Dpkg::Use-Pty=0 "$@" </dev/null 2>&1) && return 0
    printf '%s\n\napt-get %s failed (its message is above). Install these by hand, then try again:\n  %s\n' \
        "$apt_output" "$1" "$debs" >&2
    exit 1
}

need_probes()
{
    absent=
    for package in "$@"; do
        probe=$(package_probes | sed -n "s/^$package //p")
        case $probe in
            cmd:*) command -v "${probe#cmd:}" >/dev/null 2>&1 || absent="$absent${probe#cmd:} (command)
" ;;
            pc:*) pkg-config --exists "${probe#pc:}" 2>/dev/null || absent="$absent${probe#pc:} (library, by pkg-config)
" ;;
            py:*) python_with "${probe#py:}" >/dev/null || absent="$absent${probe#py:} (python3 module)
" ;;
        esac
    done
    [ -n "$absent" ] || return 0
    printf 'This system is not Debian or Ubuntu, so nothing is installed for you. Missing:\n%s' "$absent" >&2
    printf 'Install these with your package manager, then try again.\n' >&2
    exit 1
}

# unpack_debs FOLDER: the UNPACKED_ packages of the distribution, as a tree with ./usr in it. A second run finds it there.
# Only where lists of packages are too old for what the distribution has by now it takes root, to renew them. What a
# release does not have is left out: the tests that need it skip.
unpack_debs()
{
    unpacked=$1
    unpacked_what="$UNPACKED_WITH_NEEDS $UNPACKED_ALONE $UNPACKED_WITHOUT"
    [ "$(cat "$unpacked/what" 2>/dev/null)" != "$unpacked_what" ] || return 0
    rm -rf "$unpacked"
    mkdir -p "$unpacked/debs"
    debs="$UNPACKED_WITH_NEEDS $UNPACKED_ALONE"
    # shellcheck disable=SC2086 # a list of package names
    if [ "$(known_debs $debs | wc -w)" != "$(printf '%s' "$debs" | wc -w)" ] || ! download_debs "$unpacked/debs"; then
        become_root
        update_lists
        download_debs "$unpacked/debs" || return 1
    fi
    for unpacked_deb in "$unpacked"/debs/*.deb; do
        [ ! -f "$unpacked_deb" ] || unpack_deb "$unpacked_deb" "$unpacked" || return 1
    done
    rm -rf "$unpacked/debs"
    printf '%s\n' "$unpacked_what" >"$unpacked/what"
}

# download_debs FOLDER: those that apt would install for UNPACKED_WITH_NEEDS, and those of UNPACKED_ALONE.
download_debs()
{
    # shellcheck disable=SC2046,SC2086 # lists of package names
    unpacked_plan=$(apt-get -s install --no-install-recommends $(known_debs $UNPACKED_WITH_NEEDS)) || return 1
    unpacked_needs=$(printf '%s\n' "$unpacked_plan" | sed -n 's/^Inst \([^ ]*\) (.*/\1/p')
    # shellcheck disable=SC2046,SC2086 # as above
    (cd "$1" && apt-get -qq download $unpacked_needs $(known_debs $UNPACKED_ALONE))
}

# unpack_deb FILE FOLDER
unpack_deb()
{
    set -f # the patterns are tar's
    # shellcheck disable=SC2086,SC2046 # as above
    dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" $(printf -- '--exclude=%s ' $UNPACKED_WITHOUT)
    unpack_status=$?
    set +f
    return $unpack_status
}
