#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# rfc7515.sh TEST MAKE-TOKEN PYTHON SIGNER: puts the key of RFC 7515 A.2 on a SoftHSM token and runs the test on it.
set -eu

test_program=$1 make_token=$2 python=$3 RFC7515_SIGNER=$4
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$python" "$here/rfc7515_key.py" >"$folder/key.pem"
sh "$make_token" "$folder/token" --import-key "$folder/key.pem" --label rfc7515

SOFTHSM2_CONF=$folder/token/softhsm2.conf
RFC7515_MODULE=$(cat "$folder/token/module")
RFC7515_PIN_SOURCE=file:$folder/token/pin
RFC7515_CERTIFICATE=$folder/token/cert.pem
export SOFTHSM2_CONF RFC7515_MODULE RFC7515_PIN_SOURCE RFC7515_CERTIFICATE RFC7515_SIGNER
"$test_program"
