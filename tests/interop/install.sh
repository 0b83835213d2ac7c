#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Fetches the servers of tests/interop from the npm registry that the machine is set up for, at the versions and with
# the digests of package-lock.json, into build/interop. A second run finds them there. Nothing of theirs is run.
set -eu
cd "$(dirname "$0")/../.."

into=build/interop
mkdir -p "$into"
if [ -d "$into/node_modules/oidc-provider" ] && cmp -s tests/interop/package-lock.json "$into/package-lock.json"; then
    exit 0
fi
rm -rf "$into/node_modules"
cp tests/interop/package.json tests/interop/package-lock.json "$into/"
if ! npm ci --prefix "$into" --ignore-scripts --no-audit --no-fund; then
    rm -f "$into/package-lock.json" # the next run tries again
    exit 1
fi
