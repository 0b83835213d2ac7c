# SPDX-License-Identifier: Apache-2.0
"""Misbehaviour on demand: scripted answers for the next requests at the token endpoints.

A script is a JSON array of steps, used up in order, each by one request (or `repeat` many):

    status         the status to answer with; without it the normal answer is given, bent by what else is said
    headers        an object that is laid over the answer's headers; null removes one, an array repeats it
    body           the body as text, or body_base64
    verify         true: the request is verified first, and an error goes out instead of the scripted answer
    delay_ms       to wait before anything is sent
    stall_body_ms  to wait when half of the body was sent
    chunk_endless  true: the body again and again in chunks, until the client closes
    close          before_headers: close without an answer; mid_body: when half of the body was sent;
                   after: when all of it was, without a word of warning
    repeat         how many requests the step serves (1)

A step says how to answer, never how to verify: no script makes the server sign a token for a wrong request.
"""

import base64
import threading
import time
from collections import deque
from typing import NamedTuple, Optional

import wire

CHUNK_LEN = 16384
CLOSES = ("before_headers", "mid_body", "after")


class BadScript(ValueError):
    """The script is not one."""


class Step(NamedTuple):
    status: Optional[int] = None
    headers: dict = {}
    body: Optional[bytes] = None
    verify: bool = False
    delay_ms: int = 0
    stall_body_ms: int = 0
    chunk_endless: bool = False
    close: Optional[str] = None
    repeat: int = 1

    def needs_normal_answer(self):
        return self.verify or self.status is None


NORMAL = Step()


def _is_count(value):
    return type(value) is int and value >= 0


def _is_header_value(value):
    return value is None or isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value))


_CHECKS = {
    "status": lambda value: type(value) is int and 200 <= value <= 999,
    "headers": lambda value: isinstance(value, dict) and all(map(_is_header_value, value.values())),
    "body": lambda value: isinstance(value, str),
    "body_base64": lambda value: isinstance(value, str),
    "verify": lambda value: isinstance(value, bool),
    "delay_ms": _is_count,
    "stall_body_ms": _is_count,
    "chunk_endless": lambda value: isinstance(value, bool),
    "close": lambda value: value in CLOSES,
    "repeat": lambda value: _is_count(value) and value > 0,
}


def _step(element):
    if not isinstance(element, dict):
        raise BadScript("a step is an object")
    for name, value in element.items():
        if name not in _CHECKS or not _CHECKS[name](value):
            raise BadScript(f"{name}: unknown, or not a value for it")
    fields = dict(element)
    if "body" in fields and "body_base64" in fields:
        raise BadScript("body and body_base64 exclude each other")
    if "body" in fields:
        fields["body"] = fields["body"].encode("utf-8")
    if "body_base64" in fields:
        fields["body"] = _decode_base64(fields.pop("body_base64"))
    return Step(**fields)


def _decode_base64(text):
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise BadScript(f"body_base64: {error}") from error


class Script:
    def __init__(self):
        self._lock = threading.Lock()
        self._steps = deque()

    def extend(self, elements):
        """All of the script, or, if any step is wrong, none of it."""
        if not isinstance(elements, list):
            raise BadScript("a script is an array of steps")
        steps = [_step(element) for element in elements]
        with self._lock:
            self._steps.extend(step for step in steps for _ in range(step.repeat))

    def next(self):
        with self._lock:
            return self._steps.popleft() if self._steps else NORMAL


def _overlay(headers, changes):
    changed = {name.lower() for name in changes}
    return {name: value for name, value in headers.items() if name.lower() not in changed} | changes


def bend(step, normal):
    """The answer that a step makes of the normal one, which is None unless the step needs it."""
    if step.verify and normal.status >= 400:
        return normal
    if step.status is not None:
        headers = _overlay({"Content-Type": wire.JSON_TYPE}, step.headers)
        return wire.Answer(step.status, headers, step.body or b"")
    body = normal.body if step.body is None else step.body
    return normal._replace(headers=_overlay(normal.headers, step.headers), body=body)


def _items(value):
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _send_head(handler, answer, framing):
    handler.send_response_only(answer.status)
    handler.log_request(answer.status)
    general = {"Date": handler.date_time_string(), "Server": handler.server_version}
    for name, value in _overlay(general | framing, answer.headers).items():
        for item in _items(value):
            handler.send_header(name, item)
    handler.end_headers()


def _send_for_ever(handler, answer):
    """Ends when the client closes, or when it has not read for as long as the connection's timeout."""
    body = answer.body or b" "
    data = body * (CHUNK_LEN // len(body) + 1)
    chunk = b"%x\r\n%b\r\n" % (len(data), data)
    _send_head(handler, answer, {"Transfer-Encoding": "chunked"})
    while True:
        handler.wfile.write(chunk)


def deliver(handler, step, answer):
    """Sends an answer the way the step wants it; NORMAL is the way of a good server."""
    time.sleep(step.delay_ms / 1000)
    handler.close_connection |= step.close is not None
    if step.close == "before_headers":
        return
    if step.chunk_endless:
        _send_for_ever(handler, answer)
    _send_head(handler, answer, {"Content-Length": str(len(answer.body))})
    half = len(answer.body) // 2
    handler.wfile.write(answer.body[:half])
    if step.stall_body_ms:
        handler.wfile.flush()
        time.sleep(step.stall_body_ms / 1000)
    if step.close != "mid_body":
        handler.wfile.write(answer.body[half:])
    handler.wfile.flush()
