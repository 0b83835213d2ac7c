#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh LAUNCHER VARIANT COMMAND...: COMMAND inside ../modules/LAUNCHER.sh, with a folder that is gone afterwards.
# Its status is COMMAND's, or the launcher's (77: it cannot run here).
set -eu

launcher=$1 variant=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d /tmp/keystay-backend.XXXXXX) # sockets want short names, whatever TMPDIR is
trap 'rm -rf "$folder"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
sh "$here/../modules/$launcher.sh" --variant "$variant" "$folder/m" -- "$@"
