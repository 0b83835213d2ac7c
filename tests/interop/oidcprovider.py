# SPDX-License-Identifier: Apache-2.0
"""Starts node-oidc-provider (server.mjs), reads its events, ends it; and the public keys of its clients as JWK."""

import hashlib
import json
import os
import selectors
import subprocess
import time

from cryptography.hazmat.primitives.asymmetric import ec

import jws

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "server.mjs")
PATIENCE_S = 60
ALGORITHMS = ("RS256", "PS256", "ES256")


def _number(value, width=None):
    return jws.b64url_encode(value.to_bytes(width or (value.bit_length() + 7) // 8, "big"))


def jwk(folder, **members):
    """The key of a folder's certificate, as a client registers it."""
    key = folder.certificate().public_key()
    numbers = key.public_numbers()
    if isinstance(key, ec.EllipticCurvePublicKey):
        made = {"kty": "EC", "crv": "P-256", "x": _number(numbers.x, 32), "y": _number(numbers.y, 32)}
    else:
        made = {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    return made | {"use": "sig"} | members


def thumbprint(key):
    """RFC 7638."""
    names = ("crv", "kty", "x", "y") if key["kty"] == "EC" else ("e", "kty", "n")
    text = json.dumps({name: key[name] for name in names}, separators=(",", ":"))
    return jws.b64url_encode(hashlib.sha256(text.encode("ascii")).digest())


def client(client_id, *keys, **members):
    """A client of the client credentials grant that authenticates with its own key."""
    return {
        "client_id": client_id,
        "grant_types": ["client_credentials"],
        "response_types": [],
        "redirect_uris": [],
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": "read write",
        "jwks": {"keys": list(keys)},
    } | members


class OidcProvider:
    def __init__(self, modules, folder, tls, clients, algs=ALGORITHMS, is_bis=False, is_plain=False):
        self.cacert, pem = tls
        config = {"tls": None if is_plain else pem, "clients": clients, "algs": algs, "is_bis": is_bis}
        path = folder / "config.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        self._log = open(folder / "stderr", "wb")
        self._process = subprocess.Popen(["node", SERVER, modules, path], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=self._log)
        self._rest = b""
        self.issuer = self.event()["issuer"]

    def event(self):
        """The next thing that happened."""
        deadline = time.monotonic() + PATIENCE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise TimeoutError("no word from node-oidc-provider")
                data = os.read(self._process.stdout.fileno(), 65536)
                if not data:
                    raise RuntimeError(f"node-oidc-provider ended: see {self._log.name}")
                self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def stop(self):
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE_S)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._log.close()
