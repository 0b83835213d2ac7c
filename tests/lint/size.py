#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Fails on the tail: a C function over 100 lines or a file over 500.

The limit of a function is for the worst case; most stay under 45 lines. It is counted from the first line of its head to
its closing brace, comments and blank lines included.

usage: size.py [TOP]
"""
import pathlib
import re
import sys

import csource

FUNCTION_LINES_MAX = 100
FILE_LINES_MAX = 500
FOLDERS = ["src", "pkcs11", "include", "tests", "softhsm-fixtures"]


def _is_function_head(head):
    return "(" in head and "=" not in head and head.rstrip().endswith(")")


def functions(code):
    """(name, first line, number of lines) of each function. Takes code without comments, strings and preprocessor."""
    depth, head_start, found = 0, 0, None
    for match in re.finditer(r"[{};]", code):
        at, char = match.start(), match.group()
        if char == "{":
            head = code[head_start:at]
            if depth == 0 and _is_function_head(head):
                name = re.search(r"(\w+)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)", "", head))
                first = head_start + len(head) - len(head.lstrip())
                found = (name.group(1) if name else "?", code.count("\n", 0, first) + 1)
            depth += 1
        elif char == "}":
            depth = max(0, depth - 1)
            if depth == 0 and found:
                yield found[0], found[1], code.count("\n", 0, at) + 2 - found[1]
                found = None
        if depth == 0:
            head_start = at + 1


def check_file(top, path):
    text = csource.read(top, path)
    lines = text.count("\n")
    if lines > FILE_LINES_MAX:
        yield f"{path}: {lines} lines; the limit is {FILE_LINES_MAX}: split it by topic"
    if path.suffix in {".c", ".h"}:
        for name, first, n_lines in functions(csource.without_preprocessor(csource.code_only(text))):
            if n_lines > FUNCTION_LINES_MAX:
                yield f"{path}:{first}: {name} has {n_lines} lines; the limit is {FUNCTION_LINES_MAX}"


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    faults = [fault for path in csource.files(top, FOLDERS, {".c", ".h", ".py", ".sh"})
              for fault in check_file(top, path)]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
