# SPDX-License-Identifier: Apache-2.0
"""Refusals in the words and the shape of Microsoft Entra ID.

A check that fails raises Refusal with a code of the table and the values that its text needs; `body` turns
it into the JSON that Entra sends. Nothing here decides anything. The texts follow what the service is known
to answer; a detail in parentheses is ours and says exactly what the strict reader did not like.
"""

import uuid
from datetime import datetime, timezone
from typing import NamedTuple


class Row(NamedTuple):
    status: int
    error: str
    text: str


def _request(text):
    return Row(400, "invalid_request", text)


def _client(text):
    return Row(401, "invalid_client", text)


TABLE = {
    50027: _request("JWT token is invalid or malformed. ({detail})"),
    50032: _request("Weak RSA key. ({detail})"),
    50048: _client("Subject must match the issuer claim in the client assertion."),
    70003: Row(400, "unsupported_grant_type",
               "The app requested an unsupported grant type '{grant_type}'."),
    70011: Row(400, "invalid_scope",
               "The provided request must include a 'scope' input parameter. The provided value for the "
               "input parameter 'scope' is not valid. The scope {scope} is not valid."),
    90002: _request("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are "
                    "signing into the correct cloud."),
    500011: Row(400, "invalid_resource",
                "The resource principal named {resource} was not found in the tenant named {tenant}."),
    700016: Row(400, "unauthorized_client",
                "Application with identifier '{client_id}' was not found in the directory '{tenant}'."),
    700021: _client("Client assertion application identifier doesn't match 'client_id' parameter."),
    700023: _client("Client assertion audience claim does not match Realm issuer. (expected '{expected}')"),
    700024: _client("Client assertion is not within its valid time range. Current time: {now}, assertion "
                    "valid from {valid_from}, expiry time of assertion {expiry}."),
    700027: _client("Client assertion contains an invalid signature. [Reason - {reason}]"),
    900144: _request("The request body must contain the following parameter: '{name}'."),
    900561: _request("The endpoint only accepts POST requests. Received a {method} request."),
    901002: _request("The 'resource' request parameter is not supported."),
    1002012: Row(400, "invalid_scope",
                 "The provided value for scope {scope} is not valid. Client credential flows must have a "
                 "scope value with /.default suffixed to the resource identifier (application ID URI)."),
    5002730: _request("Invalid JWT token. Unsupported key for the signing algorithm."),
    5002738: _request("Invalid JWT token. '{alg}' is not a supported signature algorithm."),
    7000216: _client("'client_assertion', 'client_secret' or 'request' is required for the "
                     "'client_credentials' grant type."),
    9002313: _request("Invalid request. Request is malformed or invalid. ({detail})"),
}


class Refusal(Exception):
    def __init__(self, code, **fields):
        self.code = code
        self.row = TABLE[code]
        self.text = self.row.text.format(**fields)
        super().__init__(f"AADSTS{code}: {self.text}")


def body(refusal, base_url, correlation_id, now_s):
    trace_id = str(uuid.uuid4())
    timestamp = datetime.fromtimestamp(now_s, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
    return {
        "error": refusal.row.error,
        "error_description": f"{refusal} Trace ID: {trace_id} Correlation ID: {correlation_id} "
                             f"Timestamp: {timestamp}",
        "error_codes": [refusal.code],
        "timestamp": timestamp,
        "trace_id": trace_id,
        "correlation_id": correlation_id,
        "error_uri": f"{base_url}/error?code={refusal.code}",
    }
