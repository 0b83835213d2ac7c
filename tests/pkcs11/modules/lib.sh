#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034 # some of these are for the launchers that source this file
#
# What the launchers of tests/pkcs11/modules share: sh NAME.sh [--variant VARIANT] DIR -- COMMAND...
#
# A launcher brings one PKCS#11 module up with all its state in DIR (new or empty; its caller removes it), runs COMMAND
# in an environment that describes it, and returns COMMAND's status. README.md beside this file lists the variables.
# Status 77: it cannot run here (a package is missing, or there is no right to make namespaces). 70: it did not come up.
# 2: wrong usage.
#
# The invariant: no process outlives the launcher, even one killed by SIGKILL. So what has daemons runs in a PID
# namespace: this shell's death kills unshare (setpriv --pdeathsig), its death kills the namespace's init
# (--kill-child), and the kernel kills the rest. Mounts and shared memory live in the same namespaces and go with them.
#
# A launcher sets `variants`, `packages` and, if it has daemons, `namespaces` (options of unshare), defines bring_up and
# calls `launch "$@"`. bring_up calls set_module, set_token and add_key, and may export what COMMAND needs besides.
# Must not put a PIN into an argument list, nor touch a configuration of the user or of the system.

variants=plain namespaces='' packages='' root_only=no
here=$(cd "$(dirname "$0")" && pwd)
fixtures=$here/../../../softhsm-fixtures
name=$(basename "$0" .sh)

die()
{
    printf '%s: %s\n' "$name" "$1" >&2
    exit "${2:-70}"
}

usage()
{
    printf 'usage: sh %s.sh [--variant VARIANT] DIR -- COMMAND...\nvariants: %s\npackages: %s\n' \
        "$name" "$variants" "$packages"
}

launch()
{
    inside=no variant=${variants%% *} dir=''
    case ${1:-} in
        --contained) inside=yes && shift ;;
        -h | --help) usage && exit 0 ;;
        --variants) printf '%s\n' "$variants" && exit 0 ;;
        *) [ -z "$namespaces" ] || contain "$@" ;;
    esac
    [ "${1:-}" != --variant ] || { variant=${2:-} && shift 2; }
    if [ $# -lt 3 ] || [ "$2" != -- ]; then
        usage >&2
        exit 2
    fi
    case " $variants " in *" $variant "*) ;; *) die "no variant \"$variant\" (there are: $variants)" 2 ;; esac
    make_dir "$1"
    shift 2

    find_python
    P11_NAME=$name P11_MODULE_ARGS='' P11_KEYS='' P11_CAN='' P11_LOOSE_KEYS='' P11_STORED='' P11_AMBIGUOUS=''
    P11_RESTART_CMD='' P11_KILL_CMD=''
    [ "$variant" = "${variants%% *}" ] || P11_NAME=$name-$variant
    export P11_NAME P11_MODULE_ARGS P11_KEYS P11_CAN P11_LOOSE_KEYS P11_STORED P11_AMBIGUOUS
    export P11_RESTART_CMD P11_KILL_CMD
    bring_up
    if [ $inside = no ]; then
        exec "$@"
    fi
    status=0
    "$@" || status=$?
    exit $status
}

# contain ARGUMENT...: runs this launcher again inside its namespaces; ends with its status.
contain()
{
    need_commands setpriv unshare
    [ "$(id -u)" = 0 ] || [ $root_only = no ] || die 'must be run by root' 77
    [ "$(id -u)" = 0 ] || namespaces="$namespaces --map-root-user"
    # shellcheck disable=SC2086 # several options
    unshare --pid --fork --mount --mount-proc $namespaces true 2>/dev/null || die 'no right to make namespaces here' 77

    # A shell hides its stdin from what it starts in the background, and has it ignore SIGINT: both are undone here.
    exec 3<&0
    trap 'stop 129' HUP
    trap 'stop 130' INT
    trap 'stop 143' TERM
    # shellcheck disable=SC2086
    setpriv --pdeathsig KILL unshare --pid --fork --kill-child --mount --mount-proc $namespaces \
        env --default-signal=INT,QUIT,TERM sh "$0" --contained "$@" <&3 3<&- &
    contained=$!
    exec 3<&-
    status=0
    wait "$contained" || status=$?
    exit $status
}

stop()
{
    trap '' HUP INT TERM
    kill -KILL "$contained" 2>/dev/null
    wait "$contained" 2>/dev/null
    exit "$1"
}

# Unix socket paths, the URIs and P11_KEYS set limits to what DIR may be called.
make_dir()
{
    mkdir -p "$1" || die "cannot make the folder $1" 2
    dir=$(cd "$1" && pwd)
    [ -z "$(ls -A "$dir")" ] || die "$dir is not empty" 2
    case $dir in *[!A-Za-z0-9/._+-]*) die "DIR may hold letters, digits and /._+- only: $dir" 2 ;; esac
    [ ${#dir} -le 80 ] || die "DIR is longer than 80 characters, which sockets in it could not have: $dir" 2
    chmod 700 "$dir"
    umask 077
}

need_commands()
{
    for command in "$@"; do
        command -v "$command" >/dev/null 2>&1 || PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null 2>&1 ||
            die "$command not found; packages: $packages" 77
    done
    PATH=$PATH:/usr/sbin:/sbin
}

find_python()
{
    # shellcheck source=/dev/null
    . "$fixtures/packages.sh"
    PYTHON=$(python_with cryptography) || die 'no python3 here has cryptography' 77
    export PYTHON
}

# set_module NAME...: P11_MODULE is the first of these (below a library folder) that exists.
set_module()
{
    for library in "$@"; do
        for file in /usr/lib/"$library" /usr/lib/*/"$library" /usr/lib64/"$library" /usr/local/lib/"$library"; do
            if [ -f "$file" ]; then
                P11_MODULE=$file
                export P11_MODULE
                return 0
            fi
        done
    done
    die "$1 not found; packages: $packages" 77
}

# set_token LABEL PIN-FILE
set_token()
{
    P11_TOKEN=$1 P11_PIN_FILE=$2
    export P11_TOKEN P11_PIN_FILE
}

# add_key ALG URI CERTIFICATE
add_key()
{
    P11_KEYS="$P11_KEYS${P11_KEYS:+ }$1|$2|$3"
}

# add_loose_key ALG URI CERTIFICATE: one that the token would hand out.
add_loose_key()
{
    P11_LOOSE_KEYS="$P11_LOOSE_KEYS${P11_LOOSE_KEYS:+ }$1|$2|$3"
}

# add_stored URI: the key's certificate is on the token, too.
add_stored()
{
    P11_STORED="$P11_STORED${P11_STORED:+ }$1"
}

# new_pin FILE: eight random digits, which every module here takes.
new_pin()
{
    LC_ALL=C tr -dc 0-9 </dev/urandom | head -c 8 >"$1"
    echo >>"$1"
}

# provision COMMAND...: see provision.py.
provision()
{
    logged "$PYTHON" -B "$here/provision.py" "$@"
}

# logged COMMAND...: what it says is shown only if it fails; then the launcher ends.
logged()
{
    "$@" </dev/null >"$dir/log" 2>&1 || {
        cat "$dir/log" >&2
        die "$(basename "$1") failed (its message is above)"
    }
}

# wait_until WHAT COMMAND...: for 20 seconds at the most.
wait_until()
{
    what=$1 tries=0
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 1000 ] || die "$what did not come up in 20 s; see $dir"
        sleep 0.02
    done
}
