#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# softhsm.sh [--variant VARIANT] DIR -- COMMAND...: SoftHSM, and what tokens in the field have that a plain one has not.
#
#   plain             RSA-2048 (id 01) and P-256 (id 02)
#   no-raw-rsa        offers no CKM_RSA_X_509, as FIPS modules do
#   combined-only     offers CKM_SHA256_RSA_PKCS and CKM_SHA256_RSA_PKCS_PSS, but nothing without the hash
#   ed25519-beside    an Ed25519 key (id 03) beside: a key type that keystay does not use
#   utf8-pin          the PIN has letters outside ASCII
#   duplicate-labels  two tokens of one label; in the first, two more RSA keys (ids 11 and 12) of one label
#   thousand-keys     a thousand P-256 keys beside the two
#
# SoftHSM has no daemon: COMMAND takes this shell's place.
. "$(dirname "$0")/lib.sh"
. "$here/softhsm-token.sh"

variants='plain no-raw-rsa combined-only ed25519-beside utf8-pin duplicate-labels thousand-keys'
packages=$SOFTHSM_PACKAGES

bring_up()
{
    label=keystay
    if [ "$variant" = utf8-pin ]; then
        # U+00E4 and U+20AC, in UTF-8: 14 bytes, 11 characters
        printf 'geh\303\244im-\342\202\25442\n' >"$dir/utf8-pin"
        softhsm_token "$label" --pin-file "$dir/utf8-pin"
    else
        softhsm_token "$label"
    fi
    case $variant in
        no-raw-rsa) only_mechanisms "CKM_RSA_PKCS,CKM_RSA_PKCS_PSS,CKM_SHA256_RSA_PKCS,CKM_SHA256_RSA_PKCS_PSS" ;;
        combined-only) only_mechanisms "CKM_SHA256_RSA_PKCS,CKM_SHA256_RSA_PKCS_PSS" ;;
        ed25519-beside) add_ed25519 ;;
        duplicate-labels) add_duplicates ;;
        thousand-keys) add_thousand ;;
    esac
    P11_CAN='rs256 ps256 es256 sha256-rsa sha256-pss pin-flags'
    case $variant in
        combined-only) ;;
        no-raw-rsa) P11_CAN="$P11_CAN rsa-pkcs pss" ;;
        *) P11_CAN="$P11_CAN rsa-pkcs pss raw-rsa" ;;
    esac
}

# only_mechanisms NAMES: a whitelist; SoftHSM 2.6.1 takes no notice of a blacklist.
only_mechanisms()
{
    printf 'slots.mechanisms = %s,CKM_ECDSA,CKM_SHA256,CKM_RSA_PKCS_KEY_PAIR_GEN,CKM_EC_KEY_PAIR_GEN\n' "$1" \
        >>"$SOFTHSM2_CONF"
}

add_ed25519()
{
    KEYSTAY_FIXTURE_PIN=$(cat "$P11_PIN_FILE")
    export KEYSTAY_FIXTURE_PIN
    logged pkcs11-tool --module "$P11_MODULE" --token-label "$label" --login --pin env:KEYSTAY_FIXTURE_PIN \
        --keypairgen --key-type EC:edwards25519 --id 03 --label assertion
    unset KEYSTAY_FIXTURE_PIN
}

# The keys that the suite signs with are told apart by the token's serial number and the key's id.
add_duplicates()
{
    softhsm_fixture --add-key --label "$label" --key-id 11 --key-label twin --cert twin-11.pem
    softhsm_fixture --add-key --label "$label" --key-id 12 --key-label twin --cert twin-12.pem
    provision serial
    serial=$(cat "$dir/log")
    softhsm_fixture --add --label "$label" --cert other-token.pem
    P11_KEYS='' P11_STORED=''
    add_key RSA "pkcs11:token=$label;serial=$serial;id=%01;type=private" "$dir/token/rsa.pem"
    add_stored "pkcs11:token=$label;serial=$serial;id=%01;type=private"
    add_key RSA "pkcs11:token=$label;serial=$serial;id=%11;object=twin;type=private" "$dir/token/twin-11.pem"
    add_key RSA "pkcs11:token=$label;serial=$serial;id=%12;object=twin;type=private" "$dir/token/twin-12.pem"
    add_key EC "pkcs11:token=$label;serial=$serial;id=%02;type=private" "$dir/token/ec.pem"
    P11_AMBIGUOUS="pkcs11:token=$label;id=%01;type=private pkcs11:token=$label;serial=$serial;object=twin;type=private"
}

# SoftHSM rewrites files in place, which a disk's file system answers with a flush each time: 20 s for a thousand keys.
# In memory it is one.
add_thousand()
{
    quick=$(mktemp -d /dev/shm/keystay.XXXXXX) || die 'no folder in /dev/shm'
    trap 'rm -rf "$quick"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mv "$dir/token/tokens" "$quick/tokens"
    ln -s "$quick/tokens" "$dir/token/tokens"
    provision fill 1000
    rm "$dir/token/tokens"
    mv "$quick/tokens" "$dir/token/tokens"
    rm -rf "$quick"
    trap - EXIT INT TERM
}

launch "$@"
