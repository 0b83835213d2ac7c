#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Reads a meson test log (JSON lines) and prints the tests that failed or skipped, by name; counts go to a file.

Also sees what a test runner inside a test skipped (pytest's "SKIPPED" lines, cmocka's "[  SKIPPED ]"), since meson
calls such a test passed. With --ci a skip counts as a failure. A missing or empty log is one failure: a run that
tested nothing must not look like one that passed.

usage: tally.py [--ci] TESTLOG COUNTS-FILE
"""
import json
import re
import sys

PASSED = {"OK", "EXPECTEDFAIL"}
INNER_SKIPS = [re.compile(r"^SKIPPED (?:\[\d+\] )?(.*)$", re.MULTILINE), re.compile(r"^\[  SKIPPED \] (\w+)$", re.MULTILINE)]


def skips_inside(test):
    text = test.get("stdout") or ""
    return sorted({name for pattern in INNER_SKIPS for name in pattern.findall(text)})


def tally(tests):
    """Lists of names: passed, failed, skipped."""
    passed, failed, skipped = [], [], []
    for test in tests:
        name, result = test["name"], test["result"]
        if result == "SKIP":
            skipped.append(name)
        elif result in PASSED:
            passed.append(name)
        else:
            failed.append(f"{name} ({result.lower()})")
        skipped += [f"{name}: {inner}" for inner in skips_inside(test)]
    return passed, failed, skipped


def load(path):
    try:
        with open(path, encoding="utf-8") as log:
            return [json.loads(line) for line in log if line.strip()]
    except OSError:
        return []


def main():
    in_ci = sys.argv[1] == "--ci"
    log, counts = sys.argv[-2:]
    passed, failed, skipped = tally(load(log))
    if not (passed or failed or skipped):
        failed = [f"no test ran ({log})"]
    if in_ci:
        failed += [f"{name} (skipped, and CI allows no skip)" for name in skipped]
        skipped = []
    for name in failed:
        print(f"   FAIL  {name}")
    for name in skipped:
        print(f"   skip  {name}")
    with open(counts, "w", encoding="utf-8") as out:
        out.write(f"{len(passed)} {len(failed)} {len(skipped)}\n")


if __name__ == "__main__":
    main()
