#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Runs a program under the system call filter that a unit describes, where there is no systemd to do it: SystemCallFilter=,
RestrictAddressFamilies=, MemoryDenyWriteExecute=, with EPERM for whatever is not in it. What systemd's groups stand for
is systemd's own word (systemd-analyze syscall-filter).

usage: confine.py UNIT PROGRAM [ARGUMENT...]
"""
import ctypes
import errno
import os
import re
import socket
import subprocess
import sys

ALLOW, EPERM = 0x7FFF0000, 0x00050000 | errno.EPERM
EQUAL, MASKED = 4, 7
PROT_WRITE, PROT_EXEC = 2, 4
PR_SET_NO_NEW_PRIVS = 38


class Comparison(ctypes.Structure):
    """struct scmp_arg_cmp"""
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def calls_of(word):
    if not word.startswith("@"):
        return {word}
    listed = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True)
    lines = [line.strip() for line in listed.stdout.splitlines()]
    found = set()
    for line in lines:
        if line and line != word and not line.startswith("#"):
            found |= calls_of(line)
    return found


def allowed(unit):
    """As systemd.exec(5) has it: @default is always there, a list with '~' takes away from those before."""
    calls = calls_of("@default")
    for words in re.findall(r"^SystemCallFilter=(.*)$", unit, re.MULTILINE):
        named = set().union(*(calls_of(word) for word in words.lstrip("~").split()))
        calls = calls - named | calls_of("@default") if words.startswith("~") else calls | named
    return calls


def conditions(unit, call):
    """Each is a list of comparisons that must hold together; one of them is enough."""
    if call == "socket":
        families = re.search(r"^RestrictAddressFamilies=(.*)$", unit, re.MULTILINE)[1].split()
        return [[(0, EQUAL, getattr(socket, name), 0)] for name in families]
    if "MemoryDenyWriteExecute=yes" in unit:
        if call == "mmap":
            both = PROT_WRITE | PROT_EXEC
            return [[(2, MASKED, both, value)] for value in (0, PROT_WRITE, PROT_EXEC)]
        if call in ("mprotect", "pkey_mprotect"):
            return [[(2, MASKED, PROT_EXEC, 0)]]
    return [[]]


def confine(unit):
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Comparison)]
    seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
    context = seccomp.seccomp_init(EPERM)
    for call in sorted(allowed(unit)):
        number = seccomp.seccomp_syscall_resolve_name(call.encode())
        for comparisons in conditions(unit, call) if number >= 0 else ():
            array = (Comparison * len(comparisons))(*(Comparison(*one) for one in comparisons))
            if seccomp.seccomp_rule_add_array(context, ALLOW, number, len(comparisons), array) != 0:
                raise OSError(f"no rule for {call}")
    ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if seccomp.seccomp_load(context) != 0:
        raise OSError("the filter cannot be loaded")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        confine(file.read())
    os.execv(sys.argv[2], sys.argv[2:])
