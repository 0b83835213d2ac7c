# SPDX-License-Identifier: Apache-2.0
"""Posts to the server's token endpoints for its tests: well-formed requests, but for what a test changes."""

import json
from typing import NamedTuple
from urllib.parse import urlencode

from entra import ASSERTION_TYPE

TENANT = "0b1f4c7e-5d0a-4a5e-9d43-1a6a3e2f7c10"
DOMAIN = "contoso.example"
RESOURCE = "https://graph.example"
V1 = f"/{TENANT}/oauth2/token"
V2 = f"/{TENANT}/oauth2/v2.0/token"


class Response(NamedTuple):
    status: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


class Api:
    def __init__(self, server, client):
        self.server, self.client = server, client

    def url(self, path):
        return self.server.url + path

    def send(self, method, path, body=None, headers=None):
        connection = self.server.connect()
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Response(response.status, names, response.read())
        finally:
            connection.close()

    def fields(self, path=V2, assertion=None, client=None, **changes):
        client = client or self.client
        target = {"scope": f"{RESOURCE}/.default"} if "v2.0" in path else {"resource": RESOURCE}
        fields = {"grant_type": "client_credentials", "client_id": client.client_id, **target,
                  "client_assertion_type": ASSERTION_TYPE,
                  "client_assertion": assertion or client.assertion(self.url(path))}
        return {name: value for name, value in (fields | changes).items() if value is not None}

    def post(self, path=V2, headers=None, **changes):
        return self.post_raw(urlencode(self.fields(path, **changes)), path, headers)

    def post_raw(self, body, path=V2, headers=None):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.send("POST", path, body, form | (headers or {}))
