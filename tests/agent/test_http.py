# SPDX-License-Identifier: Apache-2.0
"""Requests that two programs might read in two ways: each is answered in one way, or with 400 and the end of the
connection, and who may what does not depend on how it is spelt."""

import re

import pytest

from endure import raw, raw_tcp

HOST = b"Host: localhost\r\n"
GET = b"GET /healthz HTTP/1.1\r\n"
POST = b"POST /nothing HTTP/1.1\r\n"
LAST = b"GET /last HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"  # 404
NEXT = GET + HOST + b"\r\n"
CHUNKED, LENGTH = b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n"

UNCLEAR = {
    "two ends": POST + HOST + LENGTH + CHUNKED + b"\r\n0\r\n\r\n" + NEXT,
    "two ends, the other way round": POST + HOST + CHUNKED + LENGTH + b"\r\n0\r\n\r\n" + NEXT,
    "two ends, in other letters": POST + HOST + b"transfer-ENCODING: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n" + NEXT,
    "an encoding that is none, and a length": POST + HOST + b"Transfer-Encoding: xchunked\r\n" + LENGTH + b"\r\n12345",
    "two encodings": POST + HOST + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n" + NEXT,
    "two lengths": GET + HOST + b"Content-Length: 0\r\n" + b"Content-Length: %d\r\n\r\n" % len(NEXT) + NEXT,
    "a length twice": POST + HOST + LENGTH + LENGTH + b"\r\n12345",
    "Host twice": GET + HOST + HOST + b"\r\n",
    "two hosts": GET + HOST + b"host: example\r\n\r\n",
    "a space behind a name": GET + HOST + b"Origin : http://x\r\n\r\n",
    "a tab behind a name": GET + HOST + b"Origin\t: http://x\r\n\r\n",
    "a name with a space": GET + HOST + b"x Origin: http://x\r\n\r\n",
    "a name with a slash": GET + HOST + b"Origin/: http://x\r\n\r\n",
    "a bare CR": GET + HOST + b"X: a\rOrigin: http://x\r\n\r\n",
    "a control character": GET + HOST + b"X: a\x01b\r\n\r\n",
}
# What libmicrohttpd refuses by itself.
REFUSED_BEFORE = {
    "a length that is none": POST + HOST + b"Content-Length: +5\r\n\r\n12345",
    "lengths in a list": POST + HOST + b"Content-Length: 5, 5\r\n\r\n12345",
    "a line without a colon": GET + HOST + b"Origin\r\n\r\n",
    "a folded line": GET + HOST + b"\tOrigin: http://x\r\n\r\n",
    "no Host": GET + b"\r\n",
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
}
# Status on the Unix socket and on TCP.
CLEAR = {
    "as usual": (NEXT, 200, 200),
    "other letters": (GET + b"hOST: LOCALHOST\r\nCONNECTION: keep-alive\r\n\r\n", 200, 200),
    "above ASCII": (GET + HOST + "X: ü\tx\r\n\r\n".encode(), 200, 200),
    "a NUL in the path": (b"GET /healthz%00 HTTP/1.1\r\n" + HOST + b"\r\n", 404, 404),
    "a NUL in the path, and more": (b"GET /healthz%00%00/x%2500 HTTP/1.1\r\n" + HOST + b"\r\n", 404, 404),
    "no NUL": (b"GET /%68ealthz HTTP/1.1\r\n" + HOST + b"\r\n", 200, 200),
    "a NUL in an argument": (b"GET /v1/token?profile=main%00 HTTP/1.1\r\n" + HOST + b"\r\n", 400, 404),
    "a whole URL": (b"GET http://localhost/healthz HTTP/1.1\r\n" + HOST + b"\r\n", 404, 404),
    "a URL of another host": (b"GET http://example/healthz HTTP/1.1\r\n" + HOST + b"\r\n", 404, 404),
    "a whole URL, and another Host": (b"GET http://localhost/healthz HTTP/1.1\r\nHost: example\r\n\r\n", 404, 403),
    "another Host": (GET + b"Host: example\r\n\r\n", 200, 403),
    "an empty Host": (GET + b"Host:\r\n\r\n", 200, 403),
    "a browser": (GET + HOST + b"oRiGiN: null\r\n\r\n", 200, 403),
    "a browser that says nothing": (GET + HOST + b"Origin:\r\n\r\n", 200, 403),
    "a browser behind many headers": (GET + HOST + b"X: y\r\n" * 500 + b"sec-FETCH-site: none\r\n\r\n", 200, 403),
    "a proxy": (GET + HOST + b"x-forwarded-HOST: localhost\r\n\r\n", 200, 403),
    "HEAD": (b"HEAD /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 200, 200),
    "a method that is none": (b"get /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 405, 405),
}


@pytest.fixture
def statuses(start):
    """statuses(connect, request): of all answers until the connection ends, as the last request asks for."""
    agent = start(agent={"listen": "127.0.0.1:0"})

    def talk(connect, request):
        with connect(agent) as connection:
            connection.sendall(request + LAST)
            text = b""
            while more := connection.recv(65536):
                text += more
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", text)]
    return talk


def test_what_is_not_clear_is_refused_and_nothing_behind_it_is_read(statuses):
    for name, request in (UNCLEAR | REFUSED_BEFORE).items():
        for connect in (raw, raw_tcp):
            assert set(statuses(connect, request)) == {400}, name


def test_who_may_what_does_not_depend_on_the_spelling(statuses):
    for name, (request, on_unix, on_tcp) in CLEAR.items():
        assert statuses(raw, request) == [on_unix, 404], name
        assert statuses(raw_tcp, request) == [on_tcp, 404], name


def test_each_request_of_a_connection_is_judged(statuses):
    odd = GET + HOST + b"Origin: http://x\r\n\r\n"
    assert statuses(raw_tcp, odd + NEXT + odd) == [403, 200, 403, 404]
    assert statuses(raw, UNCLEAR["Host twice"] + NEXT) == [400]
    assert statuses(raw, NEXT + UNCLEAR["Host twice"] + NEXT) == [200, 400]


def test_without_a_version_that_has_hosts(statuses):
    assert statuses(raw, b"GET /healthz HTTP/1.0\r\n\r\n") == [200]
    assert statuses(raw_tcp, b"GET /healthz HTTP/1.0\r\n\r\n") == [403]


def test_a_body_is_waited_for_as_its_sender_wants(statuses):
    request = POST + HOST + LENGTH + b"Expect: 100-continue\r\n\r\n12345"
    assert statuses(raw, request) == [100, 404, 404]
    assert statuses(raw, POST + HOST + HOST + LENGTH + b"Expect: 100-continue\r\n\r\n12345") == [400]
