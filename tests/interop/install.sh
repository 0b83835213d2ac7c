#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Fetches the servers and clients of tests/interop into build/interop: from the npm registry that the machine is set up
# for, at the versions and with the digests of package-lock.json; and azure-identity for Python out of Debian's package,
# of which it is the hundredth part. A second run finds them there. Nothing of theirs is run.
#
# azure-identity for JavaScript is the last version for Debian 12's Node 18, with its libraries as of its time: later
# ones want a later Node.
set -eu
cd "$(dirname "$0")/../.."

into=build/interop
lock=tests/interop/package-lock.json

for_node()
{
    if [ -f "$into/node_modules/.package-lock.json" ] && cmp -s "$lock" "$into/package-lock.json"; then
        return 0
    fi
    rm -rf "$into/node_modules"
    cp tests/interop/package.json "$lock" "$into/"
    if ! npm ci --prefix "$into" --ignore-scripts --no-audit --no-fund; then
        rm -f "$into/package-lock.json" # the next run tries again
        exit 1
    fi
}

# What it needs beside itself, MSAL among it, is installed (softhsm-fixtures/packages.sh). Where there is no such package
# it is the user's to install.
for_python()
{
    if [ -d "$into/python/azure/identity" ] || ! command -v apt-get >/dev/null; then
        return 0
    fi
    rm -rf "$into/debs"
    mkdir -p "$into/debs" "$into/python"
    (cd "$into/debs" && apt-get -qq download python3-azure)
    dpkg-deb --fsys-tarfile "$into"/debs/python3-azure_*.deb |
        tar -x -C "$into/python" --strip-components=5 --wildcards './usr/lib/python3/dist-packages/azure/__init__.py' \
            './usr/lib/python3/dist-packages/azure/core/*' './usr/lib/python3/dist-packages/azure/identity/*'
    rm -rf "$into/debs"
}

mkdir -p "$into"
for_node
for_python
