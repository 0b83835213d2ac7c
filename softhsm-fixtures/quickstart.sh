#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# From nothing to an access token on a bare Debian 12 or 13 or Ubuntu 24.04: installs the packages that are missing, builds
# keystay, makes a SoftHSM token with a key generated in it, starts the local authorization server of the tests,
# runs `keystay token` against it and shows what came back. Then it takes away token and server; the build stays.
#
# Everything but the packages happens below build/. Must not touch the system's SoftHSM, open a port beyond loopback,
# or show a whole access token: this is the habit that we want to teach.
set -eu
cd "$(dirname "$0")/.."

TENANT=6f1d2c3b-0a49-4e58-9b67-8c7d6e5f4a30
CLIENT=2b7e9a10-5c44-4d1f-8e23-90ab12cd34ef
BUILD=build/quickstart

. softhsm-fixtures/packages.sh

say()
{
    printf '%s\n' "$1"
}

die()
{
    printf 'quickstart: %s\n' "$1" >&2
    exit 1
}

# quietly LOG COMMAND...: the log is shown only if the command fails.
quietly()
{
    quiet_log=$1
    shift
    "$@" >"$quiet_log" 2>&1 || {
        tail -n 40 "$quiet_log" >&2
        die "failed: $*"
    }
}

clean_up()
{
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    [ -z "$state" ] || rm -rf "$state"
}

build()
{
    if [ ! -f $BUILD/build.ninja ]; then
        say '2/5 building keystay (the first time, about half a minute) …'
        quietly "$state/setup.log" meson setup -Dtests=false $BUILD
    else
        say '2/5 building keystay …'
    fi
    quietly "$state/build.log" meson compile -C $BUILD
    keystay=$BUILD/src/cli/keystay
    [ -x $keystay ] || die "the build made no $keystay"
}

start_server()
{
    "$python" tests/server/authserver.py --dir "$state/server" --tenant $TENANT \
        --client "$CLIENT=$state/token/cert.pem" --die-with-parent >"$state/server.log" 2>&1 </dev/null &
    server=$!
    tries=0
    until [ -s "$state/server/ready.json" ]; do
        tries=$((tries + 1))
        if ! kill -0 $server 2>/dev/null || [ $tries -gt 100 ]; then
            tail -n 40 "$state/server.log" >&2
            die 'the authorization server did not start (its log is above)'
        fi
        sleep 0.1
    done
    url=$(ready url)
    cacert=$(ready cacert)
}

# ready NAME: a member of what the server says about itself.
ready()
{
    "$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$state/server/ready.json" "$1"
}

show_command()
{
    cat <<COMMAND
    SOFTHSM2_CONF=$SOFTHSM2_CONF \\
    $keystay token --provider entra --authority $url \\
        --tenant $TENANT --client-id $CLIENT \\
        --scope https://graph.microsoft.com/.default \\
        --module $(cat "$state/token/module") --key 'pkcs11:token=keystay-fixture;id=%01' \\
        --certificate $state/token/cert.pem --pin-source file:$state/token/pin \\
        --cacert '$cacert'
COMMAND
}

# The command that is shown is the command that runs: one text.
get_token()
{
    show_command >"$state/command"
    access_token=$(sh "$state/command") || die 'keystay token failed (its message is above)'
}

# Reads the token from stdin: an argument would be in the process list.
show_token()
{
    printf '%s' "$access_token" | "$python" -c '
import base64, json, sys

token = sys.stdin.read()
print(f"    {token[:24]}…{token[-8:]}   (shortened here; {len(token)} characters)")
parts = token.split(".")
if len(parts) != 3:
    sys.exit("    (not a JWT, so there is nothing to decode)")
for title, part in ("header", parts[0]), ("claims", parts[1]):
    text = json.dumps(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))), indent=2)
    print(f"  its {title}:")
    print("\n".join("    " + line for line in text.splitlines()))
'
}

hold=no
for option in "$@"; do
    case $option in
        --hold) hold=yes ;;
        -h | --help)
            say 'usage: sh softhsm-fixtures/quickstart.sh [--hold]'
            say '  --hold   keep token and server until you press Enter, to try the command yourself'
            exit 0
            ;;
        *) die "unknown option $option (see --help)" ;;
    esac
done

server='' state=''
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say '1/5 packages …'
# shellcheck disable=SC2086 # lists of names
need_packages $BUILD_PACKAGES $RUN_PACKAGES
python=$(python_with cryptography) || die 'no python3 here has the module cryptography. Install python3-cryptography.'
mkdir -p build
state=$(mktemp -d build/quickstart-run.XXXXXX)
build

say '3/5 making a SoftHSM token with a key generated in it, and a certificate that it signed …'
sh softhsm-fixtures/make-token.sh "$state/token"
export SOFTHSM2_CONF="$state/token/softhsm2.conf"
export no_proxy=127.0.0.1,localhost,::1 NO_PROXY=127.0.0.1,localhost,::1 # a proxy has no business on loopback

say '4/5 starting the local authorization server …'
start_server

say '5/5 asking it for a token:'
get_token
cat "$state/command"
say '  the access token:'
show_token
if [ $hold = yes ]; then
    say "Token and server stay until you press Enter; paste the command in another terminal, in $(pwd)."
    read -r _ || true
fi
say 'That was a token for a key that never left the (soft) HSM. Token and server are gone again. For Entra: see README.md.'
