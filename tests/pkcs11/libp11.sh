#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# libp11.sh TEST MAKE-TOKEN: makes a SoftHSM token with an RSA and an EC key, which refuses raw RSA, and runs the test on
# it.
set -eu

test_program=$1 make_token=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

sh "$make_token" "$folder/token" --label two
sh "$make_token" "$folder/token" --add-key --label two --key-type ec:P-256 --key-id 02 --cert ec.pem
echo 'slots.mechanisms = -CKM_RSA_X_509' >>"$folder/token/softhsm2.conf"

SOFTHSM2_CONF=$folder/token/softhsm2.conf
TEST_MODULE=$(cat "$folder/token/module")
TEST_FOLDER=$folder/token
export SOFTHSM2_CONF TEST_MODULE TEST_FOLDER
"$test_program"
