#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A signer process that has been taken over: it greets as the real one and then does what the environment's LIE says.
Written from the wire's specification, not with keystay's code."""

import os
import socket
import struct
import sys
import time

PROTOCOL = 2
OPEN, SIGN, PIN = 1, 2, 16
HELLO, OPENED, SIGNED, DONE, FAILED, ASK_PIN, SLOW, LOG = 32, 33, 34, 35, 36, 37, 38, 39
CERTIFICATE = os.environ["LIE_CERTIFICATE"]  # DER
wire = socket.socket(fileno=3)


def number(value):
    return struct.pack(">I", value)


def text(value):
    return number(len(value)) + value.encode("utf-8")


def send(kind, exchange, body=b""):
    wire.send(struct.pack(">BI", kind, exchange) + body)  # a message is a frame


def receive():
    message = wire.recv(5 + 64 * 1024)
    if not message:
        sys.exit(0)
    return *struct.unpack(">BI", message[:5]), message[5:]


def opened(certificate=None):
    if certificate is None:
        with open(CERTIFICATE, "rb") as file:
            certificate = file.read()
    return (number(1) + number(0xFFFFFFFF) + number(2048) + number(len(certificate)) + certificate +
            b"".join(text(word) for word in ("module", "label", "serial", "key", "%01", "", "", "")) + b"\0")


def for_ever(kind, exchange, body):
    while True:
        send(kind, exchange, body)


def ask_again(exchange):
    while True:
        send(ASK_PIN, exchange, text("token 'liar'") + text("") + number(0))
        receive()


# What it does with a request: of the exchange.
LIES = {
    "silence": lambda exchange: time.sleep(60),
    "log for ever": lambda exchange: for_ever(LOG, exchange, b"\0" + text("still at it")),
    "slow for ever": lambda exchange: for_ever(SLOW, exchange, text("C_Sign")),
    "ask for ever": ask_again,
    "another exchange": lambda exchange: [send(DONE, exchange + 1), time.sleep(60)],
    "too long": lambda exchange: [send(SIGNED, exchange, b"x" * (64 * 1024 + 1)), time.sleep(60)],
    "half a frame": lambda exchange: [wire.send(b"\x22\0\0"), time.sleep(60)],
    "no type": lambda exchange: send(200, exchange),
    "the wrong answer": lambda exchange: send(DONE, exchange),
    "a request": lambda exchange: [send(SIGN, exchange), time.sleep(60)],
    "a length beyond the body": lambda exchange: send(SIGNED, exchange, number(4096) + b"x"),
    "an endless signature": lambda exchange: send(SIGNED, exchange, number(4096) + 4096 * b"x"),
    "no certificate": lambda exchange: send(OPENED, exchange, opened(b"\x30\x00")),
    "a failure that is none": lambda exchange: send(FAILED, exchange, bytes(20) + 5 * text("")),
    "a bad signature": lambda exchange: send(SIGNED, exchange, number(256) + 256 * b"x"),
}


def main():
    send(HELLO, 0, text("keystay-signer") + number(PROTOCOL) + text(os.environ["LIE_VERSION"]))
    at, _, lie = os.environ["LIE"].partition(": ")
    while True:
        kind, exchange, _ = receive()
        if (kind, at) in ((OPEN, "open"), (SIGN, "sign")):
            LIES[lie](exchange)
        elif kind == OPEN:
            send(OPENED, exchange, opened())
        else:
            send(DONE, exchange)


main()
