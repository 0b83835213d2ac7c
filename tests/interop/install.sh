#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Fetches the servers and clients of tests/interop into build/interop: from the npm registry that the machine is set up
# for, at the versions and with the digests of package-lock.json; and Azure's command line, azure-identity for Python and
# promtool out of the distribution's packages. A second run finds them there. Nothing of theirs is run.
#
# azure-identity for JavaScript is the last version for Debian 12's Node 18, with its libraries as of its time: later
# ones want a later Node.
set -eu
cd "$(dirname "$0")/../.."

into=build/interop
lock=tests/interop/package-lock.json
. softhsm-fixtures/packages.sh

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

# Where there is no apt, they are the user's to install.
for_debian()
{
    ! is_debian_like || unpack_debs "$into/debian"
}

mkdir -p "$into"
for_node
for_debian
