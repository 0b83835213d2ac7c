#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Each public header compiles alone, as C17 and as C++17, without a warning: a program may include any one of them
# first. Must not see anything of ours but include/.
#
# usage: headers.sh [TOP]     (CC and CXX choose the compilers)
set -eu
cd "${1:-$(dirname "$0")/../..}"

failed=0
compile()
{
    printf '#include <%s>\n' "$header" |
        "$@" -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only - || {
        printf '%s does not compile alone with %s\n' "$header" "$*"
        failed=1
    }
}

for path in include/keystay/*.h; do
    [ -e "$path" ] || continue
    header=${path#include/}
    compile "${CC:-cc}" -std=c17 -x c
    compile "${CXX:-c++}" -std=c++17 -x c++
done
exit $failed
