# SPDX-License-Identifier: Apache-2.0
"""Settings: flag, then KEYSTAY_*, then AZURE_*; and what is refused before a module is loaded."""

import pytest

import signed
from cli import CLIENT, RESOURCE, SCOPE, TENANT, refused

ELSEWHERE = "https://login.elsewhere.example"


@pytest.fixture
def claims(keystay, main_folder):
    """The claims of an assertion, by settings from anywhere."""
    return lambda **options: signed.read(keystay.assertion(**options).token, main_folder.certificate())[1]


def test_everything_from_keystay_variables(keystay, server, main_folder):
    names = [name for name, value in keystay.defaults.items() if value is not None]
    env = {f"KEYSTAY_{name.upper()}": keystay.defaults[name] for name in names}
    assert keystay.token(env=env, **dict.fromkeys(names)).status == 0
    assert len(server.log()) == 1


def test_who_when_and_where_from_azure_variables(keystay, server):
    env = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_AUTHORITY_HOST": server.url}
    assert keystay.token(env=env, tenant=None, client_id=None, authority=None).status == 0
    assert server.log()[0]["assertion"]["claims"]["iss"] == CLIENT


def test_a_flag_wins_over_keystay_and_that_over_azure(claims):
    env = {"AZURE_CLIENT_ID": "from-azure"}
    assert claims(env=env, client_id=None)["iss"] == "from-azure"
    env["KEYSTAY_CLIENT_ID"] = "from-keystay"
    assert claims(env=env, client_id=None)["iss"] == "from-keystay"
    assert claims(env=env, client_id="from-flag")["iss"] == "from-flag"


def test_an_empty_variable_counts_as_none(claims):
    env = {"KEYSTAY_CLIENT_ID": "", "AZURE_CLIENT_ID": "from-azure"}
    assert claims(env=env, client_id=None)["iss"] == "from-azure"


def test_the_authority_from_azure_comes_last(claims):
    env = {"AZURE_AUTHORITY_HOST": ELSEWHERE + "/", "KEYSTAY_AUTHORITY": "https://login.keystay.example"}
    assert claims(env=env, authority=None)["aud"].startswith("https://login.keystay.example/")
    del env["KEYSTAY_AUTHORITY"]
    assert claims(env=env, authority=None)["aud"] == f"{ELSEWHERE}/{TENANT}/oauth2/v2.0/token"
    assert claims(authority=None)["aud"].startswith("https://login.microsoftonline.com/")


@pytest.mark.parametrize("authority", [
    "login.elsewhere.example", "https://login.elsewhere.example/", "HTTPS://LOGIN.elsewhere.example:443"])
def test_ways_to_write_an_authority(claims, authority):
    assert claims(authority=authority)["aud"].lower().startswith(f"{ELSEWHERE}/")


def test_a_switch_from_the_environment(keystay):
    env = {"KEYSTAY_PIN_FINAL_TRY": "yes"}
    assert keystay.token(shim="flags+=0x20000", env=env).status == 0
    env["KEYSTAY_PIN_FINAL_TRY"] = "no"
    refused(keystay.token(shim="flags+=0x20000", env=env), 8, "one more wrong PIN")


@pytest.mark.parametrize("env, words", [
    ({"KEYSTAY_LIFETIME": "soon"}, "KEYSTAY_LIFETIME"),
    ({"KEYSTAY_PIN_FINAL_TRY": "1"}, "KEYSTAY_PIN_FINAL_TRY"),
    ({"KEYSTAY_ALG": "none"}, "KEYSTAY_ALG"),
])
def test_a_bad_variable_is_named(keystay, env, words):
    result = keystay.token(env=env, shim="")
    refused(result, 3, "environment variable", words)
    assert not result.calls


@pytest.mark.parametrize("changes, words, hint", [
    ({"tenant": None}, ["no tenant"], "--tenant"),
    ({"client_id": None}, ["no client id"], "--client-id"),
    ({"key": None}, ["no key"], "--key"),
    ({"scope": None}, ["neither scope nor resource"], "/.default"),
    ({"resource": RESOURCE}, ["scope and resource"], "--resource"),
    ({"scope": RESOURCE}, [RESOURCE, "must end in /.default"], "--scope"),
    ({"scope": f"{SCOPE} openid"}, ["scope"], ""),
    ({"scope": "/.default"}, ["must end in /.default"], "--scope"),
    ({"tenant": "common"}, ["'common'"], "--tenant"),
    ({"tenant": "Organizations"}, ["one tenant"], "--tenant"),
    ({"tenant": "../evil"}, ["neither an id nor a domain"], ""),
    ({"tenant": "a/b"}, ["neither an id nor a domain"], ""),
    ({"client_id": "a b"}, ["client id"], ""),
    ({"provider": "entry"}, ["--provider", "entra"], ""),
    ({"alg": "HS256"}, ["--alg", "RS256", "PS256"], ""),
    ({"thumbprint": "md5"}, ["--thumbprint"], ""),
    ({"cache": "home"}, ["--cache", "none"], ""),
    ({"timeout": "0"}, ["--timeout", "1 to 3600"], ""),
    ({"authority": "http://127.0.0.1:1"}, ["must be https"], ""),
    ({"authority": "https://user:word@host.example"}, ["user name or password"], ""),
    ({"authority": "https://host.example/contoso"}, ["must be a host only"], "--tenant"),
    ({"authority": "https://host.example?x=1"}, ["must not have a query"], ""),
    ({"authority": "https://ho st.example"}, ["authority"], ""),
    ({"cacert": "/nonexistent/ca.pem"}, ["/nonexistent/ca.pem", "cannot be read"], "--cacert"),
])
def test_refused_before_the_module_is_loaded(keystay, server, changes, words, hint):
    result = keystay.token(**({"shim": ""} | changes))
    refused(result, 3, *words, hint=hint)
    assert not result.calls
    assert server.log() == []


def test_a_password_in_the_authority_is_not_quoted(keystay):
    assert "word@" not in keystay.token(authority="https://user:word@host.example").err


@pytest.mark.parametrize("uri, words", [
    ("pkcs11:token=main;foo=1", "unknown attribute 'foo'"),
    ("pkcs11:token=main?foo=1", "unknown attribute 'foo'"),
    ("pkcs11:token=main;pin-source=/x", "unknown attribute 'pin-source'"),
    ("pkcs11:token=main;token=other", "given twice"),
    ("pkcs11:token=main?pin-source=/x&pin-source=/y", "given twice"),
    ("pkcs11:token=main;", "separator"),
    ("pkcs11:token=%4", "hexadecimal"),
    ("pkcs11:token=a b", "blanks"),
    ("pkcs11:type=cert", "must be 'private'"),
    ("pkcs11:token", "unknown attribute"),
    ("token=main", "does not begin with 'pkcs11:'"),
    ("pkcs11:?module-name=softhsm", "module-name"),
    ("pkcs11:" + "token=" + "a" * 5000, "too long"),
], ids=lambda text: text[:30])
def test_a_bad_uri(keystay, uri, words):
    result = keystay.token(key=uri, shim="")
    refused(result, 3, words)
    assert not result.calls


def test_the_module_may_stand_in_the_uri(keystay, main_folder):
    uri = f"pkcs11:object=assertion?module-path={main_folder.module}"
    assert keystay.token(module=None, key=uri).status == 0
    refused(keystay.token(module="/other.so", key=uri), 3, "more than one is given")
