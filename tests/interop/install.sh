#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Fetches the servers and clients of tests/interop from the npm registry that the machine is set up for, at the
# versions and with the digests of package-lock.json, into build/interop. A second run finds them there. Nothing of
# theirs is run.
#
# azure-identity is the last version for Debian 12's Node 18, with its libraries as of its time: later ones want a later
# Node.
set -eu
cd "$(dirname "$0")/../.."

into=build/interop
lock=tests/interop/package-lock.json
mkdir -p "$into"
if [ -f "$into/node_modules/.package-lock.json" ] && cmp -s "$lock" "$into/package-lock.json"; then
    exit 0
fi
rm -rf "$into/node_modules"
cp tests/interop/package.json "$lock" "$into/"
if ! npm ci --prefix "$into" --ignore-scripts --no-audit --no-fund; then
    rm -f "$into/package-lock.json" # the next run tries again
    exit 1
fi
