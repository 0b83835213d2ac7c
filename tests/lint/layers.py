#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Fails on an include against the arrows of docs/ARCHITECTURE.md.

A file may include headers of its own room and of the rooms below it, as "room/file.h"; and keystay/*.h always. Each
outside library is known by one room only. A new room or library gets its row here, in the same change that adds it.

usage: layers.py [TOP]
"""
import pathlib
import re
import sys

import csource

# room: what it may include, besides itself and keystay/*.h
ROOMS = {
    "base": "",
    "crypto": "base",
    "signer": "crypto base",
    "jose": "signer crypto base",
    "http": "base",
    "oauth": "http jose signer crypto base",
    "core": "oauth http jose signer crypto base",
    "pkcs11": "signer crypto base",
    "isolated": "pkcs11 jose signer crypto base",
    "signerd": "isolated pkcs11 jose signer crypto base",
    "peer": "base",
    "httpd": "peer base",
    "agent": "httpd peer core oauth http jose pkcs11 signer crypto base",
    "cli": "core oauth http jose pkcs11 signer crypto base",
}

# header of an outside library: who may include it (a room, or the start of a path)
LIBRARIES = [
    (r"curl/", ["src/http/"]),
    (r"(cjson/)?cJSON(_Utils)?\.h$", ["src/base/json"]),
    (r"(ini_|collection|simplebuffer|ref_array)\w*\.h$", ["src/core/config"]),
    (r"microhttpd\.h$", ["src/httpd/"]),
    (r"systemd/", ["src/agent/service", "src/agent/suspend"]),
    (r"libp11\.h$", ["pkcs11/libp11/"]),
    (r"p11-kit(-1)?/|pkcs11(t|f|x)?\.h$", ["pkcs11/"]),
    (r"openssl/crypto\.h$", ["src/crypto/", "src/base/"]),
    (r"openssl/", ["src/crypto/", "pkcs11/libp11/"]),
]

C_STANDARD = set(
    "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic "
    "stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype".split())

# made by the build, so in no room
GENERATED = {"config.h"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def room_of(path):
    """The room that a file lives in; "public" for include/keystay; None for a file in no room."""
    parts = path.parts
    if parts[:2] == ("include", "keystay"):
        return "public"
    if parts[0] == "pkcs11":
        return "isolated" if parts[1] == "isolated" else "pkcs11"
    if parts[0] == "src" and len(parts) > 2 and parts[1] in ROOMS:
        return parts[1]
    return None


def check_public(header):
    if header.startswith("keystay/") or (header.endswith(".h") and header[:-2] in C_STANDARD):
        return None
    return "a public header includes only keystay/*.h and the headers of standard C"


def check_library(path, header):
    for pattern, owners in LIBRARIES:
        if re.match(pattern, header):
            if any(str(path).startswith(owner) for owner in owners):
                return None
            return f"only {' and '.join(owners)} may know this library"
    return None


def check_own(room, header):
    if header.startswith("keystay/") or header in GENERATED:
        return None
    if "/" not in header or ".." in header:
        return 'write an include of ours as "room/file.h"'
    target = "isolated" if header.startswith("pkcs11/isolated/") else header.split("/")[0]
    if target not in ROOMS:
        return f'no room is called "{target}"'
    if target != room and target not in ROOMS[room].split():
        return f"{room} may include only: {ROOMS[room] or 'nothing above it'}, and keystay/*.h"
    return None


def check_include(path, room, quote, header):
    if room == "public":
        return check_public(header)
    if quote == "<" and not header.startswith("keystay/"):
        return check_library(path, header)
    return check_library(path, header) or check_own(room, header)


def check_file(top, path):
    room = room_of(path)
    if room is None:
        yield f"{path}: in no room; the rooms are {', '.join(ROOMS)} (tests/lint/layers.py)"
        return
    text = csource.without_comments(csource.read(top, path))
    for match in INCLUDE.finditer(text):
        fault = check_include(path, room, *match.groups())
        if fault:
            line = text.count("\n", 0, match.start()) + 1
            yield f"{path}:{line}: {match.group().strip()}: {fault}"


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    faults = [fault for path in csource.files(top, ["src", "pkcs11", "include"], {".c", ".h"})
              for fault in check_file(top, path)]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
