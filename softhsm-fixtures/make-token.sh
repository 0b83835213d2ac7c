#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes one throw-away SoftHSM token in a directory: a key generated inside the token (sensitive, never extractable)
# and a self-signed certificate that the token signed. For the quickstart, the tests and manual play.
#
# Never for a key that matters: SoftHSM keeps keys in files. Must not touch the user's or the system's SoftHSM, must
# not put a PIN into an argument list (p11tool takes it from the environment), and must not overwrite a directory
# that it did not make. Each token is made under a configuration of its own, where no other token can be hit, and
# its folder is then moved in: a SoftHSM token is one folder below "tokens".
set -eu
umask 077

MARK='# made by keystay softhsm-fixtures/make-token.sh; safe to delete'
TOKEN='pkcs11:model=SoftHSM%20v2'

usage()
{
    cat <<'HELP'
usage: sh softhsm-fixtures/make-token.sh DIR [options]

  --label NAME        token label (keystay-fixture)
  --pin-file FILE     use the PIN in FILE (default: random digits, the same for all tokens in DIR)
  --key-type TYPE     rsa:1024|rsa:2048|rsa:3072|rsa:4096|ec:P-256|ec:P-384|ec:P-521 (rsa:2048)
  --key-id HEX        CKA_ID (01)
  --key-label NAME    CKA_LABEL (assertion)
  --import-key FILE   put this PKCS#8 PEM key on the token instead of generating one
  --extractable       generate a key that the token would hand out (needs pkcs11-tool): to see it refused
  --no-key            an empty token
  --no-cert           no certificate
  --cert NAME         name of the certificate file in DIR (cert.pem; with --add and --add-key cert-LABEL.pem)
  --cert-on-token     also store the certificate on the token, with the key's id and label
  --subject DN        certificate subject (CN=keystay fixture)
  --starts N          certificate is valid from N days from now; may be negative (-1; with --days past, 30 before it)
  --days N            certificate is valid until N days from now; negative: already expired (365)
  --add               add another token to DIR
  --add-key           add another key to the token --label in DIR

DIR gets softhsm2.conf (for SOFTHSM2_CONF), tokens/, pin, so-pin, module (path of the PKCS#11 module), cert.pem.
A directory that this script made before is made anew; any other that is not empty is refused.
HELP
}

die()
{
    printf 'make-token: %s\n' "$1" >&2
    exit "${2:-1}"
}

parse_options()
{
    label=keystay-fixture pin_file='' key_type=rsa:2048 key_id=01 key_label=assertion import_key='' extractable=no
    key=yes cert=yes cert_name='' cert_on_token=no subject='CN=keystay fixture' starts='' days=365 mode=new dir=''
    while [ $# -gt 0 ]; do
        case $1 in
            --label | --pin-file | --key-type | --key-id | --key-label | --import-key | --cert | --subject | --starts | --days)
                [ $# -ge 2 ] || die "$1 needs a value" 2
                set_value "$1" "$2"
                shift
                ;;
            --extractable) extractable=yes ;;
            --no-key) key=no cert=no ;;
            --no-cert) cert=no ;;
            --cert-on-token) cert_on_token=yes ;;
            --add) mode=add ;;
            --add-key) mode=add-key ;;
            -h | --help) usage && exit 0 ;;
            -*) die "unknown option $1 (see --help)" 2 ;;
            *)
                [ -z "$dir" ] || die "one DIR only: \"$dir\" or \"$1\"?" 2
                dir=$1
                ;;
        esac
        shift
    done
    check_options
}

set_value()
{
    case $1 in
        --label) label=$2 ;;
        --pin-file) pin_file=$2 ;;
        --key-type) key_type=$2 ;;
        --key-id) key_id=$2 ;;
        --key-label) key_label=$2 ;;
        --import-key) import_key=$2 ;;
        --cert) cert_name=$2 ;;
        --subject) subject=$2 ;;
        --starts) starts=$2 ;;
        --days) days=$2 ;;
    esac
}

check_options()
{
    [ -n "$dir" ] || die 'say where: make-token.sh DIR' 2
    case $(printf %s "$label" | wc -c | tr -d ' ') in [1-9] | [12][0-9] | 3[012]) ;; *) die '--label takes 1 to 32 bytes (PKCS#11)' 2 ;; esac
    printf %s "$key_id" | grep -Eqx '([0-9A-Fa-f]{2})+' || die '--key-id takes pairs of hex digits, such as 01' 2
    for number in "$days" "${starts:-0}"; do
        printf %s "$number" | grep -Eqx -- '-?[0-9]{1,5}' || die "a number of days, not \"$number\"" 2
    done
    case $key_type in
        rsa:1024 | rsa:2048 | rsa:3072 | rsa:4096) set_key_arguments rsa --bits "${key_type#rsa:}" ;;
        ec:P-256) set_key_arguments ecdsa --curve secp256r1 ;;
        ec:P-384) set_key_arguments ecdsa --curve secp384r1 ;;
        ec:P-521) set_key_arguments ecdsa --curve secp521r1 ;;
        *) die "--key-type \"$key_type\" is not one of those that --help names" 2 ;;
    esac
    case $subject in *\"* | *\\*) die '--subject must not hold quotes or backslashes' 2 ;; esac
    case $cert_name in */*) die '--cert is a name in DIR, not a path' 2 ;; esac
    [ "$cert$cert_on_token" != noyes ] || die '--cert-on-token needs a certificate' 2
    [ -z "$import_key" ] || [ -r "$import_key" ] || die "cannot read the key file $import_key"
    [ -z "$pin_file" ] || [ -r "$pin_file" ] || die "cannot read the PIN file $pin_file"
    # The certificate's first day: yesterday, for clocks that differ; a month before its end if that has passed.
    [ -n "$starts" ] || starts=$([ "$days" -gt -1 ] && echo -1 || echo $((days - 30)))
    [ "$starts" -lt "$days" ] || die '--starts must be before --days' 2
}

set_key_arguments()
{
    key_arguments=$*
}

find_module()
{
    for candidate in "${SOFTHSM_MODULE:-}" /usr/lib/softhsm/libsofthsm2.so /usr/lib64/softhsm/libsofthsm2.so \
        /usr/lib64/pkcs11/libsofthsm2.so /usr/lib/pkcs11/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so \
        /usr/local/lib/softhsm/libsofthsm2.so /opt/homebrew/lib/softhsm/libsofthsm2.so \
        "$(p11-kit list-modules 2>/dev/null | sed -n 's/.*\(\/.*libsofthsm2\.[a-z]*\).*/\1/p' | head -n 1)"; do
        if [ -n "$candidate" ] && [ -f "$candidate" ]; then
            module=$candidate
            return 0
        fi
    done
    die 'libsofthsm2.so not found. Install softhsm2, or set SOFTHSM_MODULE to its path.'
}

find_tools()
{
    for tool in p11tool certtool; do
        command -v "$tool" >/dev/null 2>&1 || die "$tool not found. Install gnutls-bin (gnutls-utils elsewhere)."
    done
    [ $extractable = no ] || command -v pkcs11-tool >/dev/null 2>&1 || die 'pkcs11-tool not found. Install opensc.'
    find_module
}

is_ours()
{
    [ -f "$dir/softhsm2.conf" ] && head -n 1 "$dir/softhsm2.conf" | grep -Fqx "$MARK"
}

prepare_dir()
{
    if [ "$mode" != new ]; then
        is_ours || die "$dir holds no fixture of this script; make one without --$mode first"
    elif [ -e "$dir" ] && ! is_ours && [ -n "$(ls -A "$dir")" ]; then
        die "$dir was not made by this script and is not empty; choose another directory"
    elif is_ours; then
        rm -rf "$dir/tokens" "$dir/pin" "$dir/so-pin" "$dir/module" "$dir"/*.pem
    fi
    mkdir -p "$dir"
    chmod 700 "$dir"
    dir=$(cd "$dir" && pwd)
    mkdir -p "$dir/tokens"
    write_conf "$dir/softhsm2.conf" "$dir/tokens"
    printf '%s\n' "$module" >"$dir/module"
}

write_conf()
{
    printf '%s\ndirectories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$MARK" "$2" >"$1"
}

random_digits()
{
    LC_ALL=C tr -dc 0-9 </dev/urandom | head -c 8
}

# The PINs reach the tools by these variables; GNUTLS_PIN for GnuTLS, KEYSTAY_FIXTURE_PIN for pkcs11-tool.
read_pins()
{
    [ -f "$dir/so-pin" ] || printf '%s\n' "$(random_digits)" >"$dir/so-pin"
    if [ ! -f "$dir/pin" ]; then
        if [ -n "$pin_file" ]; then head -n 1 "$pin_file"; else printf '%s\n' "$(random_digits)"; fi >"$dir/pin"
    fi
    GNUTLS_SO_PIN=$(cat "$dir/so-pin")
    GNUTLS_PIN=$(head -n 1 "${pin_file:-$dir/pin}")
    KEYSTAY_FIXTURE_PIN=$GNUTLS_PIN
    export GNUTLS_SO_PIN GNUTLS_PIN KEYSTAY_FIXTURE_PIN
    [ ${#GNUTLS_PIN} -ge 4 ] || die 'SoftHSM takes PINs of 4 to 255 characters'
}

# tool NAME...: runs a tool without a terminal; its output is shown only if it fails.
tool()
{
    "$@" </dev/null >"$work/log" 2>&1 || tool_failed "$1"
}

tool_failed()
{
    cat "$work/log" >&2
    die "$1 failed (its message is above)"
}

percent()
{
    printf %s "$1" | od -An -v -tx1 | tr -d '\n' | sed 's/ /%/g'
}

make_token()
{
    mkdir "$work/tokens"
    write_conf "$work/softhsm2.conf" "$work/tokens"
    SOFTHSM2_CONF=$work/softhsm2.conf
    export SOFTHSM2_CONF
    tool p11tool --provider "$module" --batch --initialize --label "$label" "$TOKEN"
    tool p11tool --provider "$module" --batch --initialize-pin "$TOKEN"
}

use_token()
{
    SOFTHSM2_CONF=$dir/softhsm2.conf
    export SOFTHSM2_CONF
    TOKEN="$TOKEN;token=$(percent "$label")"
    p11tool --provider "$module" --batch --login --list-privkeys "$TOKEN" </dev/null >"$work/log" 2>&1 ||
        die "no token \"$label\" in $dir, or its PIN is not the one given"
}

on_token()
{
    tool p11tool --provider "$module" --batch --login "$@" --id "$key_id" --label "$key_label" "$TOKEN"
}

make_key()
{
    if [ -n "$import_key" ]; then
        tool certtool --load-privkey "$import_key" --pubkey-info --outfile "$work/public.pem"
        on_token --write --load-privkey "$import_key" --mark-sign --mark-private
        on_token --write --load-pubkey "$work/public.pem"
    elif [ $extractable = yes ]; then
        tool pkcs11-tool --module "$module" --token-label "$label" --login --pin env:KEYSTAY_FIXTURE_PIN --keypairgen \
            --key-type "$(pkcs11_tool_type)" --id "$key_id" --label "$key_label" --extractable
        tool p11tool --provider "$module" --batch --login --export-pubkey --outfile "$work/public.pem" "$(key_url)"
    else
        # shellcheck disable=SC2086 # several arguments
        on_token --generate-privkey $key_arguments --mark-sign --outfile "$work/public.pem"
        check_key_stays
    fi
}

pkcs11_tool_type()
{
    printf %s "$key_type" | sed 's/^ec:P-256/EC:secp256r1/; s/^ec:P-384/EC:secp384r1/; s/^ec:P-521/EC:secp521r1/'
}

key_url()
{
    printf '%s;id=%s;object=%s;type=private' "$TOKEN" "$(printf %s "$key_id" | sed 's/../%&/g')" "$(percent "$key_label")"
}

check_key_stays()
{
    tool p11tool --provider "$module" --batch --login --info "$(key_url)"
    for flag in CKA_NEVER_EXTRACTABLE CKA_SENSITIVE; do
        grep -q "$flag" "$work/log" || die "the new key lacks $flag; this is not the SoftHSM that we know"
    done
}

make_cert()
{
    [ -n "$cert_name" ] || cert_name=$([ "$mode" = new ] && echo cert.pem || echo "cert-$label.pem")
    case $cert_name in */*) die '--label holds a slash; name the certificate file with --cert' 2 ;; esac
    [ ! -e "$dir/$cert_name" ] || die "$dir/$cert_name exists; name the new certificate with --cert" 2
    printf 'dn = "%s"\nactivation_date = "%s days"\nexpiration_date = "%s days"\nsigning_key\n' \
        "$subject" "$starts" "$days" >"$work/template"
    tool certtool --provider "$module" --generate-self-signed --hash SHA256 --load-privkey "$(key_url)" \
        --load-pubkey "$work/public.pem" --template "$work/template" --outfile "$work/cert.pem"
    [ $cert_on_token = no ] || on_token --write --load-certificate "$work/cert.pem"
    mv "$work/cert.pem" "$dir/$cert_name"
}

parse_options "$@"
find_tools
prepare_dir
work=$(mktemp -d "$dir/.new.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
read_pins
if [ "$mode" = add-key ]; then use_token; else make_token; fi
[ $key = no ] || make_key
[ $cert = no ] || make_cert
[ "$mode" = add-key ] || mv "$work"/tokens/* "$dir/tokens/"
