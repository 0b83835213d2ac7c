# SPDX-License-Identifier: Apache-2.0
"""The client credentials grant as Entra's two token endpoints serve it, and the documents that describe it.

From a Request to an Answer: tenant, form, grant, client, resource, and at last the assertion. Each step
either yields what the next one needs or raises a Refusal, in one place turned into the answer. No sockets,
no clock of its own, no leniency: a request that no careful client sends is refused and told why.
"""

import math
import re
import uuid
from typing import NamedTuple

import aadsts
import assertion
import tokens
import wire
from aadsts import Refusal

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DEFAULT_SCOPE = "/.default"
OIDC_SCOPES = frozenset(("openid", "profile", "offline_access"))  # MSAL adds them; they ask for nothing here
UNKNOWN_RESOURCE = "https://unknown.example"

_TOKEN_PATH = re.compile(r"/([^/]+)/oauth2/(v2\.0/)?token")
_KEYS_PATH = re.compile(r"/([^/]+)/discovery/v2\.0/keys")
_METADATA_PATH = re.compile(r"/([^/]+)/v2\.0/\.well-known/openid-configuration")
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


class Directory(NamedTuple):
    tenants: dict  # UUID or domain, in lower case -> UUID
    clients: dict  # client id -> its certificates

    def tenant_id(self, tenant):
        if tenant.lower() not in self.tenants:
            raise Refusal(90002, tenant=tenant)
        return self.tenants[tenant.lower()]

    def certificates(self, client_id, tenant):
        if client_id not in self.clients:
            raise Refusal(700016, client_id=client_id, tenant=tenant)
        return self.clients[client_id]


class Grant(NamedTuple):
    """What the checks found: enough to write the token."""

    version: int
    base_url: str
    tenant_id: str
    client_id: str
    resource: str
    assertion: assertion.Assertion


def is_token_path(path):
    return _TOKEN_PATH.fullmatch(path) is not None


def _client_request_id(request):
    asked = request.headers.get("client-request-id", "")
    return asked if _GUID.fullmatch(asked) else None


def _read_form(request):
    try:
        return wire.form_fields(request)
    except wire.BadForm as error:
        raise Refusal(9002313, detail=str(error)) from error


def _require(form, name):
    if not form.get(name):
        raise Refusal(900144, name=name)
    return form[name]


def _check_grant(form):
    if _require(form, "grant_type") != "client_credentials":
        raise Refusal(70003, grant_type=form["grant_type"])
    # RFC 6749 §2.3: the client MUST NOT use more than one authentication method in each request.
    if "client_secret" in form:
        raise Refusal(9002313, detail="a client_secret beside the assertion")


def _resource_of_v1(form):
    return _require(form, "resource")


def _resource_of_v2(form):
    if "resource" in form:
        raise Refusal(901002)
    scope = _require(form, "scope")
    wanted = [value for value in scope.split(" ") if value not in OIDC_SCOPES]
    if len(wanted) != 1 or wanted[0] in ("", DEFAULT_SCOPE):
        raise Refusal(70011, scope=scope)
    if not wanted[0].endswith(DEFAULT_SCOPE):
        raise Refusal(1002012, scope=scope)
    return wanted[0].removesuffix(DEFAULT_SCOPE)


def _assertion_text(form):
    if not form.get("client_assertion"):
        raise Refusal(7000216)
    if _require(form, "client_assertion_type") != ASSERTION_TYPE:
        raise Refusal(9002313, detail=f"client_assertion_type is not {ASSERTION_TYPE}")
    return form["client_assertion"]


def _check_resource(resource, tenant):
    if resource.rstrip("/") == UNKNOWN_RESOURCE:
        raise Refusal(500011, resource=resource, tenant=tenant)


class Entra:
    def __init__(self, directory, issuer, clock):
        self._directory = directory
        self._issuer = issuer
        self._clock = clock
        self._replay_guard = assertion.ReplayGuard()

    def token(self, request):
        """A request at a token endpoint: a token, or Entra's JSON that says why not."""
        try:
            answer = self._issuer.success(self._grant(request), math.floor(self._clock()))
        except Refusal as refusal:
            answer = self._error(refusal, request)
        return self._with_ids(answer, request)

    def document(self, request):
        """The key set or the metadata; None if the path names neither."""
        keys, described = (pattern.fullmatch(request.path) for pattern in (_KEYS_PATH, _METADATA_PATH))
        if not keys and not described:
            return None
        tenant = (keys or described)[1]
        try:
            tenant_id = self._directory.tenant_id(tenant)
        except Refusal as refusal:
            return self._error(refusal, request)
        if keys:
            return wire.json_answer(200, self._issuer.jwks())
        return wire.json_answer(200, tokens.metadata(request.base_url, tenant, tenant_id))

    def _grant(self, request):
        tenant, v2 = _TOKEN_PATH.fullmatch(request.path).groups()
        tenant_id = self._directory.tenant_id(tenant)
        if request.method != "POST":
            raise Refusal(900561, method=request.method)
        form = _read_form(request)
        _check_grant(form)
        client_id = _require(form, "client_id")
        certificates = self._directory.certificates(client_id, tenant)
        resource = _resource_of_v2(form) if v2 else _resource_of_v1(form)
        proof = self._proof(_assertion_text(form), client_id, request.base_url + request.path, certificates)
        _check_resource(resource, tenant)
        return Grant(2 if v2 else 1, request.base_url, tenant_id, client_id, resource, proof)

    def _proof(self, text, client_id, audience, certificates):
        now_s = self._clock()
        proof = assertion.verify(text, client_id, audience, certificates, now_s)
        self._replay_guard.admit(proof, now_s)
        return proof

    def _error(self, refusal, request):
        correlation_id = _client_request_id(request) or str(uuid.uuid4())
        body = aadsts.body(refusal, request.base_url, correlation_id, self._clock())
        log = {name: body[name] for name in ("error", "error_codes", "error_description", "correlation_id")}
        return wire.json_answer(refusal.row.status, body, error=log)

    def _with_ids(self, answer, request):
        headers = {"x-ms-request-id": str(uuid.uuid4())}
        if request.headers.get("return-client-request-id") == "true" and _client_request_id(request):
            headers["client-request-id"] = _client_request_id(request)
        return answer._replace(headers=answer.headers | headers)
