#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Fails on a call of a function that has no place in src/, pkcs11/ and include/, and names what to use instead.

Looks at calls only (a name followed by a parenthesis, not a member); comments and strings do not count. What it cannot
see, such as a secret that is not wiped, it must not pretend to check.

usage: banned.py [TOP]
"""
import pathlib
import re
import sys

import csource

# names: why, or what instead
EVERYWHERE = {
    "strcpy strcat strncpy strncat stpcpy sprintf vsprintf gets": "no bound, or one that truncates silently: base/buf, snprintf",
    "strtok": "hidden state: base/str",
    "atoi atol atoll atof scanf sscanf fscanf vsscanf": "no error on overflow or rubbish: the strict parsers of base/",
    "alloca": "no bound on the stack: base/buf",
    "system popen": "a shell: fork and exec with an argument vector",
    "mktemp tmpnam tempnam tmpfile": "a race for the name: mkstemp in a folder of ours",
    "rand srand random srandom drand48": "guessable: RAND_bytes through crypto/",
    "asctime ctime gmtime localtime strerror": "static storage, not thread safe: the _r form",
    "setenv putenv unsetenv clearenv": "not thread safe, and children would see it: an explicit environment for the child",
    "signal": "unportable semantics: sigaction",
    "bzero bcopy": "the compiler may drop it, or old: the wiping functions of base/, memcpy",
}

# Libraries never print and never end the process: names, then where they are allowed.
ONLY_IN = {
    "printf vprintf puts putchar perror exit": ["src/cli/"],
}


def rules_for(path):
    rules = {name: why for names, why in EVERYWHERE.items() for name in names.split()}
    for names, folders in ONLY_IN.items():
        if not any(str(path).startswith(folder) for folder in folders):
            rules.update({name: f"only {', '.join(folders)} prints or exits" for name in names.split()})
    return rules


def check_file(top, path):
    rules = rules_for(path)
    code = csource.code_only(csource.read(top, path))
    calls = re.compile(r"(?<![\w.>])(" + "|".join(rules) + r")\s*\(")
    for match in calls.finditer(code):
        line = code.count("\n", 0, match.start()) + 1
        yield f"{path}:{line}: {match.group(1)}: {rules[match.group(1)]}"


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    faults = [fault for path in csource.files(top, ["src", "pkcs11", "include"], {".c", ".h"})
              for fault in check_file(top, path)]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
