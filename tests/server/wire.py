# SPDX-License-Identifier: Apache-2.0
"""What crosses the wire, as plain values: a request, an answer, and the form that a request's body holds.

The form is read strictly (WHATWG application/x-www-form-urlencoded as clients must write it, RFC 6749 §3.2:
no parameter twice). Nothing here knows sockets or OAuth.
"""

import json
import re
from typing import NamedTuple
from urllib.parse import unquote_plus

FORM_TYPE = "application/x-www-form-urlencoded"
JSON_TYPE = "application/json; charset=utf-8"
_FORM_TEXT = re.compile(r"(?:[A-Za-z0-9*._~+-]|%[0-9A-Fa-f]{2})*", re.ASCII)


class BadForm(ValueError):
    """The body is not a form, or not one that a careful client would send."""


class Request(NamedTuple):
    method: str
    base_url: str  # scheme, host and port by which the client called
    path: str
    query: str
    headers: dict  # names in lower case
    body: bytes


class Answer(NamedTuple):
    status: int
    headers: dict
    body: bytes
    error: dict = {}  # the OAuth error that the body holds, for the log


def json_answer(status, value, headers=None, error=None):
    fields = {"Content-Type": JSON_TYPE, "Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}
    return Answer(status, fields | (headers or {}), json.dumps(value).encode("utf-8"), error or {})


def _decode(text):
    if not _FORM_TEXT.fullmatch(text):
        raise BadForm("a character that must be percent-encoded is not")
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise BadForm("a value is not UTF-8") from None


def form_pairs(request):
    """The form's fields in their order, decoded; duplicates are still there."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != FORM_TYPE:
        raise BadForm(f"the Content-Type is not {FORM_TYPE}")
    if not request.body:
        return []
    pairs = []
    for field in request.body.decode("latin-1").split("&"):
        name, equals, value = field.partition("=")
        if not name or not equals:
            raise BadForm("a field is not of the form name=value")
        pairs.append((_decode(name), _decode(value)))
    return pairs


def form_fields(request):
    pairs = form_pairs(request)
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadForm("a field occurs twice")
    return fields
