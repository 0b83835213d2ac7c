# SPDX-License-Identifier: Apache-2.0
"""What the server issues: access tokens that are real JWTs, their success answers, and the keys to check
them.

The signing key is made at start, lives in memory only and is worth nothing outside. The tokens carry the
claims of Entra's v1.0 and v2.0 application tokens, and `xms_test`, which tells a test how the client proved
itself.
"""

import hashlib
import json
import uuid

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

import jws
import wire

CERTIFICATE_WAS_USED = "2"  # appidacr, azpacr: 1 is a secret, 2 a certificate


def _b64url_uint(number):
    return jws.b64url_encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _b64url_json(value):
    return jws.b64url_encode(json.dumps(value, separators=(",", ":")).encode("utf-8"))


class Issuer:
    def __init__(self, lifetime_s):
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._lifetime_s = lifetime_s
        numbers = self._key.public_key().public_numbers()
        public = {"e": _b64url_uint(numbers.e), "kty": "RSA", "n": _b64url_uint(numbers.n)}
        # RFC 7638 §3: the members that make the key, in order and without white space.
        thumbprint = json.dumps(public, separators=(",", ":"), sort_keys=True).encode("ascii")
        self._kid = jws.b64url_encode(hashlib.sha256(thumbprint).digest())
        self._jwk = public | {"use": "sig", "alg": "RS256", "kid": self._kid}

    def jwks(self):
        return {"keys": [self._jwk]}

    def _sign(self, claims):
        header = {"typ": "JWT", "alg": "RS256", "kid": self._kid}
        signed = f"{_b64url_json(header)}.{_b64url_json(claims)}"
        signature = self._key.sign(signed.encode("ascii"), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{jws.b64url_encode(signature)}"

    def _claims(self, grant, now_s):
        service_principal = str(uuid.uuid5(uuid.UUID(grant.tenant_id), grant.client_id))
        party, proof = ("appid", "appidacr") if grant.version == 1 else ("azp", "azpacr")
        return {
            "aud": grant.resource,
            "iss": issuer_url(grant.base_url, grant.tenant_id, grant.version),
            "iat": now_s,
            "nbf": now_s,
            "exp": now_s + self._lifetime_s,
            party: grant.client_id,
            proof: CERTIFICATE_WAS_USED,
            "idtyp": "app",
            "oid": service_principal,
            "sub": service_principal,
            "tid": grant.tenant_id,
            "uti": str(uuid.uuid4()),
            "ver": f"{grant.version}.0",
            "xms_test": {"alg": grant.assertion.header["alg"],
                         "thumbprints": grant.assertion.thumbprint_names()},
        }

    def success(self, grant, now_s):
        access_token = self._sign(self._claims(grant, now_s))
        body = {"token_type": "Bearer", "expires_in": self._lifetime_s, "ext_expires_in": self._lifetime_s}
        if grant.version == 1:  # whose answer holds nothing but strings
            body |= {"expires_on": now_s + self._lifetime_s, "not_before": now_s, "resource": grant.resource}
            body = {name: str(value) for name, value in body.items()}
        return wire.json_answer(200, body | {"access_token": access_token})


def issuer_url(base_url, tenant_id, version):
    return f"{base_url}/{tenant_id}/" + ("v2.0" if version == 2 else "")


def metadata(base_url, tenant, tenant_id):
    return {
        "issuer": issuer_url(base_url, tenant_id, 2),
        # Nobody is served there, but MSAL takes metadata without it for none at all.
        "authorization_endpoint": f"{base_url}/{tenant}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base_url}/{tenant}/oauth2/v2.0/token",
        "jwks_uri": f"{base_url}/{tenant}/discovery/v2.0/keys",
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256"],
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
