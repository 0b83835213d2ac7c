#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # logs comes from tests/check.sh
#
# Format and lint steps of tests/check.sh. Each check is one command over all files and fails on any finding. These
# must not change a file: the message says how to, a person does.

all_files()
{
    git ls-files -co --exclude-standard -- "$@" 2>/dev/null | while IFS= read -r file; do
        [ ! -f "$file" ] || printf '%s\n' "$file"
    done
}

# clang-format and clang-tidy in version 14, by whichever name: each version formats differently.
version_14()
{
    for candidate in "$1-14" "$1"; do
        if "$candidate" --version 2>/dev/null | grep -q 'version 14\.'; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

# check_14 TOOL COMMAND...: skipped where there is no version 14 of the tool.
check_14()
{
    if version_14 "$1" >/dev/null; then
        check "$@"
    else
        skipped "$1" "version 14 is not here (package $1-14 of Debian 12 and Ubuntu 24.04)"
    fi
}

format_check()
{
    clang_format=$(version_14 clang-format) || return 1
    all_files '*.c' '*.h' | xargs -r "$clang_format" --dry-run -Werror && return 0
    printf '\nto format everything: git ls-files -co --exclude-standard %s | xargs %s -i\n' "'*.c' '*.h'" "$clang_format"
    return 1
}

shellcheck_all()
{
    { all_files '*.sh'; printf '.ci/run\n'; } | xargs shellcheck -x -P SCRIPTDIR
}

# Its leak checks do not know the cleanup attribute; the sanitizers and valgrind look for leaks instead. From 2.11 on it
# stops at a macro that it does not know; --force has it look at what is behind each #ifdef although one is given.
cppcheck_all()
{
    cppcheck '-DKEYSTAY_VERSION="0"' --force \
        --enable=warning,performance,portability --inline-suppr --error-exitcode=1 --std=c11 --quiet -j2 \
        --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches --suppress=memleak \
        --suppress=resourceLeak -Iinclude -Isrc -I. src pkcs11
}

# One file an invocation (see .clang-tidy); a file that no build compiles has no flags to be checked with.
clang_tidy_all()
{
    clang_tidy=$(version_14 clang-tidy) || return 1
    configure check-clang clang || return 1
    all_files 'src/*.c' 'pkcs11/*.c' | xargs -r -P2 -n1 nice -n 19 "$clang_tidy" --quiet -p build/check-clang
}

lint_step()
{
    check_14 clang-format format_check
    check 'the lints find planted faults' "$PYTHON" tests/lint/selftest.py
    check 'includes follow the layers' "$PYTHON" tests/lint/layers.py
    check 'no banned function' "$PYTHON" tests/lint/banned.py
    check 'no long function or file' "$PYTHON" tests/lint/size.py
    check 'public headers compile alone' sh tests/lint/headers.sh
    check 'shellcheck' shellcheck_all
    check 'cppcheck' cppcheck_all
}
