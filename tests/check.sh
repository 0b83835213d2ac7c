#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Everything that must hold before a change goes in: format, lint, and all tests under gcc, clang, the sanitizers,
# valgrind and the fuzzers. CI calls this and nothing else; a person types it too. Installs what is missing on Debian
# and Ubuntu. The last line is always "N passed, N failed, N skipped", and the exit status says the same.
#
# Must not hide a test: with CI=true a skip is a failure, elsewhere it is named.
set -eu
cd "$(dirname "$0")/.."

usage()
{
    cat <<'HELP'
usage: sh tests/check.sh [--quick]

  --quick   format, lint, and the tests of one gcc build: a minute or so before a commit
  --help    this text

FUZZ_SECONDS=N   seconds for each fuzz target (4)
CI=true          a skipped test is a failure
HELP
}

quick=no
for option in "$@"; do
    case $option in
        --quick) quick=yes ;;
        -h | --help) usage && exit 0 ;;
        *) printf 'check: unknown option %s (see --help)\n' "$option" >&2 && exit 2 ;;
    esac
done

. softhsm-fixtures/packages.sh
. tests/lib/steps.sh
. tests/lib/lint.sh
. tests/lib/builds.sh
. tests/lib/fuzz.sh

install_packages()
{
    # shellcheck disable=SC2086 # lists of names
    need_packages $BUILD_PACKAGES $RUN_PACKAGES $TEST_PACKAGES
    if is_debian_like; then # clang's run-time libraries (sanitizers, libFuzzer) are a package of clang's version
        need_packages "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
        # shellcheck disable=SC2046,SC2086 # lists of names
        need_packages $(known_debs $FORMAT_PACKAGES)
    fi
    need_node
    PYTHON=$(python_with cryptography pytest msal) || {
        printf 'check: no python3 here has cryptography, pytest and msal (looked at python3 and /usr/bin/python3)\n' >&2
        exit 1
    }
    export PYTHON
}

# What a person has configured must not reach the tests, and a proxy must not see loopback.
clean_environment()
{
    for name in $(env | sed -n 's/^\(KEYSTAY_[A-Za-z0-9_]*\)=.*/\1/p; s/^\(AZURE_[A-Za-z0-9_]*\)=.*/\1/p'); do
        unset "$name"
    done
    unset SOFTHSM2_CONF PKCS11_PROVIDER
    export no_proxy=127.0.0.1,localhost,::1 NO_PROXY=127.0.0.1,localhost,::1
}

# Some tests of root's run the programs as somebody else.
let_others_in()
{
    [ "$(id -u)" = 0 ] || return 0
    setpriv --reuid 65534 --regid 65534 --clear-groups test -r "$PWD/tests/check.sh" && return 0
    printf 'check: other users cannot get to %s, and some tests run programs as them.\n' "$PWD" >&2
    printf 'Take the tree elsewhere (/srv), or let them through: chmod o+x\n' >&2
    exit 1
}

finish()
{
    [ -z "$logs" ] || end_all
    [ -z "$logs" ] || rm -rf "$logs"
    [ "$summarized" = yes ] || { failed 'the run ended early' && summary; }
}

logs=''
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step 'packages'
let_others_in
install_packages
clean_environment
mkdir -p build
logs=$(mktemp -d build/check.XXXXXX)

begin others sh tests/interop/install.sh
step 'format and lint'
lint_step || true
if [ $quick = yes ]; then
    begin clang-tidy clang_tidy_all
else
    begin clang-tidy tidy_and_build_ahead
fi
step 'servers and clients of others, begun before the lints'
check 'tests/interop/install.sh' end others || true
if [ $quick = yes ]; then
    step 'gcc'
    gcc_step quickly
else
    step 'gcc, over every PKCS#11 module and a virtual PIV card too'
    gcc_step
fi
step 'clang-tidy, begun after the other lints'
check_14 clang-tidy end clang-tidy || true
[ ! -f "$logs/clang-tidy.pid" ] || end clang-tidy >/dev/null || true # there is none, but builds were made ahead
if [ $quick = no ]; then
    step 'clang'
    clang_step
    step 'gcc with address and undefined-behaviour sanitizers'
    begin builds ahead tsan_build fuzz_build
    asan_step
    end builds >/dev/null
    step 'a thousand threads with gcc and the thread sanitizer'
    tsan_step
    step 'unit tests and a faulty module under valgrind'
    valgrind_step
    step 'fuzzing'
    fuzz_step
fi
summary
