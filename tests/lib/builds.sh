#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # logs comes from tests/check.sh
#
# Builds and test runs of tests/check.sh. Build folders live in build/check-*; one whose options have changed is made
# anew. A build that fails counts as one failure, and its tests are not run. Must not touch another build folder.

# Before each command that compiles or configures; set by ahead.
nicely=

# configure FOLDER COMPILER [MESON-OPTION...]: quiet unless it fails.
configure()
{
    folder=build/$1 compiler=$2
    shift 2
    wanted="$compiler $*"
    if [ -f "$folder/build.ninja" ] && [ "$(cat "$folder/.check-options" 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    rm -rf "$folder"
    CC=$compiler $nicely meson setup -Dwerror=true "$@" "$folder" || return 1
    printf '%s\n' "$wanted" >"$folder/.check-options"
}

build()
{
    configure "$@" && $nicely meson compile -j 2 -C "build/$1"
}

# ahead BUILD...: to be begun beside tests that wait. What fails here, fails again in its own step, which says so.
ahead()
{
    nicely='nice -n 19'
    for ahead_build in "$@"; do
        "$ahead_build" || true
    done
}

# clang-tidy takes longest of all lints, and the builds of later steps follow it: both have the time that others leave.
tidy_and_build_ahead()
{
    tidy_status=0
    clang_tidy_all || tidy_status=$?
    ahead clang_build asan_build >/dev/null 2>&1
    return $tidy_status
}

# Programs that wait for a token, a server or a deadline leave two cores idle: the agent's tests compute for a tenth of
# their time. What only computes, as everything does under valgrind, gains nothing by more than there are cores.
PROCESSES_WAITING=6 PROCESSES_COMPUTING=2

# meson_tests FOLDER LOG PROCESSES [MESON-TEST-ARGUMENT...]: runs tests, shows them as they end, counts them.
meson_tests()
{
    test_folder=build/$1 test_log=build/$1/meson-logs/$2 test_processes=$3
    shift 3
    rm -f "$test_log.json"
    meson test -C "$test_folder" --no-rebuild --num-processes "$test_processes" --print-errorlogs "$@" || true
    if in_ci; then set -- --ci; else set --; fi
    "$PYTHON" tests/lib/tally.py "$@" "$test_log.json" "$logs/counts"
    # shellcheck disable=SC2046 # three numbers
    count $(cat "$logs/counts")
}

# As users get it, but for the names of variables, which only a debugger wants.
gcc_build()
{
    build check-gcc gcc -Dc_args=-g1
}

# Each suite runs where it says most, and mostly once: those over every module, what is about servers of others, and the
# test server itself, with gcc; the program end to end, the agent, and the faulty module's whole table, under the
# sanitizers. What measures the agent's memory runs with both: a sanitizer keeps what was freed. With gcc_step quickly it
# is end to end with gcc, and no modules.
gcc_step()
{
    check 'build/check-gcc' gcc_build || return 0
    if [ "${1:-}" = quickly ]; then
        set -- --no-suite backend --no-suite piv
    else
        set -- --no-suite e2e --no-suite agent
    fi
    meson_tests check-gcc testlog $PROCESSES_WAITING --no-suite faults "$@"
}

# Its warnings and its view of the tests are what is wanted; without optimization they take half the time.
clang_build()
{
    build check-clang clang -Doptimization=0 -Ddebug=false
}

clang_step()
{
    check 'build/check-clang' clang_build || return 0
    meson_tests check-clang testlog $PROCESSES_COMPUTING --suite unit --suite corpus
}

# Exit status 99 is none that keystay has, so no test that expects a failure takes a sanitizer's report for it.
export ASAN_OPTIONS=detect_leaks=1:halt_on_error=1:exitcode=99
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:exitcode=99
export TSAN_OPTIONS=halt_on_error=1:exitcode=99

# With -O1 and line numbers alone the sanitizers see the same, and the compiler has half the work.
asan_build()
{
    build check-asan gcc -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 -Dc_args=-g1
}

asan_step()
{
    check 'build/check-asan' asan_build || return 0
    meson_tests check-asan testlog $PROCESSES_WAITING --no-suite backend --no-suite piv --no-suite server --no-suite interop
}

# Only the program that is about threads: under this sanitizer others wait for minutes.
tsan_build()
{
    configure check-tsan gcc -Db_sanitize=thread -Db_lundef=false &&
        $nicely meson compile -j 2 -C build/check-tsan test_callers
}

tsan_step()
{
    check 'build/check-tsan' tsan_build || return 0
    meson_tests check-tsan testlog $PROCESSES_COMPUTING --timeout-multiplier 5 callers
}

# What only valgrind sees is what is read before it was written: everything else the sanitizers have seen. Every unit runs
# under it all the same, since none can be known to be free of that, and half a second of each is valgrind's start; those
# that compute most do so once, or less of it (is_under_valgrind): RSA keys are checked, tables have a few rows.
valgrind_step()
{
    check 'build/check-gcc' gcc_build || return 0
    meson_tests check-gcc testlog-valgrind $PROCESSES_COMPUTING --suite unit --suite faults --timeout-multiplier 10 \
        --wrap='valgrind -q --leak-check=full --errors-for-leak-kinds=definite,indirect --error-exitcode=99'
}
