#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The process with the card in it: it keeps pcscd running, holds the card in the virtual reader, and listens on
a Unix socket for what a test wants to happen.

The control protocol is one JSON object a line, {"do": NAME, ...}, each answered by one line, {"ok": true, ...} or
{"ok": false, "error": TEXT}; control.py is the client and lists the names. pivcard.py starts this inside namespaces
of its own: it must not run outside of them, since the reader listens on all addresses.
"""

import argparse
import functools
import json
import os
import socketserver
import subprocess
import threading

from cryptography.hazmat.primitives.serialization import Encoding

import attest
import faults
import fixture
import keys
import pcsc
import pins
from card import Card
from vpcd import Reader

PORT = 35963
READER_CONF = """FRIENDLYNAME "Yubico YubiKey CCID"
DEVICENAME /dev/null:{port:#x}
LIBPATH {driver}
CHANNELID {port:#x}
"""
NOTICE_S = 30


@functools.cache
def _pcscd():
    """Newer versions ask polkit about root, too; polkit is the system's, which is not to be asked."""
    told = subprocess.run(["pcscd", "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return ["pcscd"] + (["--disable-polkit"] if "--disable-polkit" in told.stdout + told.stderr else [])


class Pcscd:
    """The daemon, with a reader configuration of its own; tests stop and start it."""

    def __init__(self, folder, driver):
        self._folder, self._process = folder, None
        self._config = os.path.join(folder, "reader.conf.d")
        os.makedirs(self._config, exist_ok=True)
        with open(os.path.join(self._config, "piv"), "w", encoding="ascii") as file:
            file.write(READER_CONF.format(port=PORT, driver=driver))

    def start(self):
        if self._process is None:
            with open(os.path.join(self._folder, "pcscd.log"), "ab") as log:
                self._process = subprocess.Popen([*_pcscd(), "--foreground", "--config", self._config],
                                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
        self._process = None


class Control:
    """What a test may ask for; each `do_` takes the request's members and returns those of the answer."""

    def __init__(self, card, reader, pcscd):
        self._card, self._reader, self._pcscd = card, reader, pcscd
        self._one_at_a_time = threading.Lock()

    def answer(self, line):
        try:
            request = json.loads(line)
            do = getattr(self, f"do_{request.pop('do')}", None)
            if do is None:
                raise ValueError("there is no such request")
            with self._one_at_a_time:
                return {"ok": True, **(do(**request) or {})}
        except (ValueError, TypeError, KeyError, pcsc.PcscError) as error:
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}

    def _wait_until(self, is_wanted):
        if not pcsc.wait_until(is_wanted, NOTICE_S):
            raise pcsc.PcscError("pcscd did not notice in time")

    def do_status(self):
        card = self._card
        with card.lock:
            left = {name: card.pins.secret(reference).left for name, reference in
                    (("pin_left", pins.PIN), ("puk_left", pins.PUK))}
            return {**left, "inserted": self._reader.is_inserted, "verified": card.pins.is_verified,
                    "serial": attest.SERIAL, "firmware": ".".join(map(str, attest.FIRMWARE))}

    def do_counters(self, reset=False):
        card = self._card
        with card.lock:
            found = {**card.counters, "verifies": card.pins.n_verified, "failed_verifies": card.pins.n_failed}
            if reset:
                card.counters.update({name: -value for name, value in card.counters.items()})
                card.pins.n_verified = card.pins.n_failed = 0
            return found

    def do_renew(self):
        """A fresh card in a running reader: what one test did, the next one does not see."""
        self._pcscd.start()
        with self._card.lock:
            self._card.renew()
        self.do_insert()

    def do_insert(self):
        if not self._reader.insert(NOTICE_S):
            raise pcsc.PcscError("pcscd did not notice in time")
        self._wait_until(True)

    def do_remove(self):
        self._reader.remove()
        self._wait_until(False)

    def do_intrude(self, how="reset"):
        if how not in ("reset", "select"):
            raise ValueError("how: reset or select")
        pcsc.intrude(how == "reset")

    def do_pcscd(self, state):
        """stop leaves the programs without a daemon; start and restart return when the card is there again."""
        if state not in ("stop", "start", "restart"):
            raise ValueError("state: stop, start or restart")
        if state != "start":
            self._pcscd.stop()
        if state != "stop":
            self._pcscd.start()
            self._wait_until(self._reader.is_inserted)

    def do_pin_tries(self, left, which="pin", tells_block_at_once=False):
        with self._card.lock:
            secret = self._card.pins.secret({"pin": pins.PIN, "puk": pins.PUK}[which])
            secret.left, secret.tells_block_at_once = int(left), bool(tells_block_at_once)

    def do_touch(self, slot, when, after_ms=0, timeout_ms=None):
        """when: "off" (none is asked for), "after" after_ms, or "never"."""
        number, known = int(slot, 16), self._card.faults
        with self._card.lock:
            if timeout_ms is not None:
                known.touch_timeout_ms = int(timeout_ms)
            if when == "off":
                known.clear_touch(number)
            elif when in ("after", "never"):
                known.set_touch(number, int(after_ms) if when == "after" else faults.NEVER)
            else:
                raise ValueError("when: off, after or never")

    def do_yank(self):
        with self._card.lock:
            self._card.faults.yanks_next_signature = True

    def do_next_status(self, sw, ins=None):
        with self._card.lock:
            self._card.faults.status_words.append((int(sw, 16), int(ins, 16) if ins else None))

    def do_attestation(self, on):
        with self._card.lock:
            self._card.faults.has_attestation = bool(on)

    def do_attest_other(self, slot, other):
        with self._card.lock:
            self._card.faults.attests_other[int(slot, 16)] = int(other, 16)

    def do_attest_serial(self, serial):
        with self._card.lock:
            self._card.faults.attested_serial = int(serial)


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(json.dumps(self.server.control.answer(line)).encode("ascii") + b"\n")


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def _slots(texts):
    """9a=p256 and the like, over what a fresh card has."""
    slots = dict(fixture.SLOTS)
    for text in texts:
        slot, _, algorithm = text.partition("=")
        if algorithm not in keys.ALGORITHMS:
            raise SystemExit(f"--slot {text}: the algorithm is one of {', '.join(keys.ALGORITHMS)}")
        slots[int(slot, 16)] = algorithm
    return slots


def _write_certificates(folder, identities):
    for name, identity in identities.items():
        with open(os.path.join(folder, f"{name}.pem"), "wb") as file:
            file.write(identity.certificate.public_bytes(Encoding.PEM))


def _parse_arguments():
    parser = argparse.ArgumentParser(description="A virtual PIV card; pivcard.py starts it.")
    parser.add_argument("--dir", required=True, help="folder for the socket, the logs and the certificates")
    parser.add_argument("--driver", required=True, help="vpcd's driver, libifdvpcd.so")
    parser.add_argument("--keys", required=True, help="file with the card's keys; made if it is not there")
    parser.add_argument("--slot", action="append", default=[], metavar="SLOT=ALGORITHM")
    return parser.parse_args()


def main():
    options = _parse_arguments()
    pcscd = Pcscd(options.dir, options.driver)
    pcscd.start()
    slots = _slots(options.slot)
    identities = fixture.load(options.keys, slots)
    _write_certificates(options.dir, identities)
    card = Card(identities, slots)
    path = os.path.join(options.dir, "control.sock")
    with _Server(path, _Handler) as server:
        server.control = Control(card, Reader(card, PORT), pcscd)
        server.serve_forever()


if __name__ == "__main__":
    main()
