# SPDX-License-Identifier: Apache-2.0
"""Callers that take their time: a byte a second, an answer that is never read. All at once, since each is cut off
half a minute after it began, and not before."""

import contextlib
import threading
import time

from endure import calm, raw

SECONDS = 31  # about, for parts that take equally long
CUT_OFF_S = (28, 50)  # the agent looks once a second, a busy one later
GIVE_UP_S = 60
REQUEST = b"GET /v1/token?profile=main HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /v1/unlock?profile=main HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n"

SLOW = {
    "nothing at all": (b"", b""),
    "the request line": (b"", b"GET /v1/token?profile=main" + b"&x=y" * 100),
    "the headers": (b"GET / HTTP/1.1\r\n", b"X: y\r\n" * 100),
    "the body": (POST, b"1" * 400),
    "empty lines": (b"", b"\r\n" * 100),
    "a second request": (REQUEST, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10),
}
ENDED_EARLY = ("empty lines",)  # libmicrohttpd 1.0 takes one before a request, and ends the connection at the second


def drip(agent, begin, rest, results, name):
    connection = raw(agent)
    began = time.monotonic()
    with contextlib.suppress(OSError):
        connection.sendall(begin)
        connection.settimeout(1)
        for i in range(GIVE_UP_S):
            if rest:
                connection.sendall(rest[i:i + 1])
            with contextlib.suppress(TimeoutError):
                while connection.recv(65536):
                    pass
                break
    results[name] = time.monotonic() - began
    connection.close()


def never_read(agent, results, name):
    connection = raw(agent)
    began = time.monotonic()
    connection.settimeout(GIVE_UP_S)
    with contextlib.suppress(OSError):
        while time.monotonic() - began < GIVE_UP_S:
            connection.sendall(REQUEST * 100)
    results[name] = time.monotonic() - began
    connection.close()


def is_in_time(name, seconds):
    return (name in ENDED_EARLY or seconds > CUT_OFF_S[0]) and seconds < CUT_OFF_S[1]


def test_slow_callers_are_cut_off_and_others_served(start):
    agent = start(profiles={"main": {}, "other": {"pin_source": "tty"}})
    first = agent.token()
    results = {}
    with calm(agent):
        threads = [threading.Thread(target=drip, args=(agent, *parts, results, name)) for name, parts in SLOW.items()]
        threads += [threading.Thread(target=never_read, args=(agent, results, "an answer that is not read"))]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert agent.token() == first
            time.sleep(0.05)
    assert {name: seconds for name, seconds in results.items() if not is_in_time(name, seconds)} == {}
