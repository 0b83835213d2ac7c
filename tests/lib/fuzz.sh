#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # logs comes from tests/check.sh
#
# Fuzz step of tests/check.sh: each libFuzzer target for FUZZ_SECONDS (4), two at a time, on a copy of its corpus.
# Must not write into tests/fuzz/corpus: what a longer run finds is added there by a person.

fuzz_targets()
{
    for target in build/check-fuzz/tests/fuzz/fuzz_*; do
        [ ! -f "$target" ] || [ ! -x "$target" ] || printf '%s\n' "${target##*/}"
    done
}

# fuzz_one TARGET: what it prints goes to a log.
fuzz_one()
{
    fuzz_corpus=$logs/corpus/$1
    mkdir -p "$fuzz_corpus"
    cp "tests/fuzz/corpus/${1#fuzz_}"/* "$fuzz_corpus"/ 2>/dev/null || true
    "build/check-fuzz/tests/fuzz/$1" -max_total_time="${FUZZ_SECONDS:-4}" -timeout=10 -rss_limit_mb=1024 \
        -artifact_prefix="build/check-fuzz/$1-" "$fuzz_corpus" >"$logs/$1.log" 2>&1
}

fuzz_report()
{
    if [ "$2" = 0 ]; then
        passed "$1: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' "$logs/$1.log")"
    else
        tail -n 40 "$logs/$1.log" | sed 's/^/   | /'
        failed "$1 (run build/check-fuzz/tests/fuzz/$1 on the file named above)"
    fi
}

fuzz_pair()
{
    fuzz_one "$1" &
    first=$!
    if [ -n "${2:-}" ]; then
        second=0
        fuzz_one "$2" || second=1
        fuzz_report "$2" "$second"
    fi
    first_status=0
    wait $first || first_status=1
    fuzz_report "$1" "$first_status"
}

# The targets and what they need, not all the tests.
fuzz_build()
{
    configure check-fuzz clang -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false &&
        $nicely meson compile -j 2 -C build/check-fuzz fuzz-targets
}

fuzz_step()
{
    check 'build/check-fuzz' fuzz_build || return 0
    # shellcheck disable=SC2046 # names without spaces
    set -- $(fuzz_targets)
    [ $# -gt 0 ] || failed 'no fuzz target in build/check-fuzz/tests/fuzz'
    while [ $# -gt 0 ]; do
        fuzz_pair "$1" "${2:-}"
        shift
        [ $# -eq 0 ] || shift
    done
}
