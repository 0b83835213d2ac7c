#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034,SC2154 # shared with tests/check.sh
#
# Steps and their count, for tests/check.sh: headings with elapsed seconds, one line a check, the output of a check
# only when it fails, and the last line of the whole run. Must not know what is being checked.

n_passed=0 n_failed=0 n_skipped=0
step_started='' step_name='' summarized=no

now_s()
{
    date +%s
}

# step NAME: ends the step before it, says how long that took, begins this one.
step()
{
    end_step
    step_name=$1
    step_started=$(now_s)
    printf '\n== %s\n' "$step_name"
}

end_step()
{
    [ -z "$step_started" ] || printf '   %s: %s s\n' "$step_name" $(($(now_s) - step_started))
    step_started=
}

passed()
{
    n_passed=$((n_passed + 1))
    printf '   ok    %s\n' "$1"
}

failed()
{
    n_failed=$((n_failed + 1))
    printf '   FAIL  %s\n' "$1"
}

# skipped NAME WHY: with CI=true that is a failure.
skipped()
{
    if in_ci; then
        failed "$1: $2"
        return 0
    fi
    n_skipped=$((n_skipped + 1))
    printf '   skip  %s: %s\n' "$1" "$2"
}

# check NAME COMMAND...: counts as one; shows what the command printed only if it fails. Status as the command's.
check()
{
    check_name=$1
    shift
    if "$@" >"$logs/check.log" 2>&1; then
        passed "$check_name"
        return 0
    fi
    sed 's/^/   | /' "$logs/check.log"
    failed "$check_name"
    return 1
}

# begin KEY COMMAND...: runs beside what comes next, until `check NAME end KEY`.
begin()
{
    begun_key=$1
    shift
    "$@" >"$logs/$begun_key.begun" 2>&1 &
    printf '%s\n' $! >"$logs/$begun_key.pid"
}

# end KEY: waits for it; prints what it printed. Status as the command's.
end()
{
    ended_status=0
    wait "$(cat "$logs/$1.pid")" || ended_status=$?
    rm "$logs/$1.pid"
    cat "$logs/$1.begun"
    return $ended_status
}

# What still runs when the script stops.
end_all()
{
    for begun_pid in "$logs"/*.pid; do
        [ ! -f "$begun_pid" ] || kill "$(cat "$begun_pid")" 2>/dev/null || true
    done
}

# count PASSED FAILED SKIPPED: adds the results of a test runner.
count()
{
    n_passed=$((n_passed + $1)) n_failed=$((n_failed + $2)) n_skipped=$((n_skipped + $3))
}

in_ci()
{
    case ${CI:-} in '' | 0 | false | no) return 1 ;; esac
}

# The last line. Status 0 only if something passed and nothing failed.
summary()
{
    end_step
    summarized=yes
    printf '\n%s passed, %s failed, %s skipped\n' $n_passed $n_failed $n_skipped
    [ $n_failed -eq 0 ] && [ $n_passed -gt 0 ]
}
