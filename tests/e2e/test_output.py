# SPDX-License-Identifier: Apache-2.0
"""stdout, stderr and the exit status: what a script that calls the program relies on."""

import json
import os

import pytest

import cli
from cli import refused

JSON = ["--error-format", "json"]


def error_of(result):
    """The one JSON object on stderr."""
    assert result.out == ""
    assert result.err.endswith("\n") and result.err.count("\n") == 1
    error = json.loads(result.err)
    assert error["exit_status"] == result.status
    return error


def without(descriptor, keystay, **options):
    """A run with one of the standard descriptors closed, as a careless parent leaves it."""
    return keystay.token(popen={"preexec_fn": lambda: os.close(descriptor)}, **options)


def test_json_of_a_usage_error_wherever_the_option_stands():
    for arguments in (["--error-format", "json", "token", "--frob"], ["token", "--frob", *JSON]):
        error = error_of(cli.run(*arguments))
        assert (error["status"], error["exit_status"]) == ("usage", 2)
        assert "--frob" in error["message"] and error["hint"]


def test_json_of_a_module_error(keystay):
    error = error_of(keystay.token(shim="C_Login=0xA4", extra=JSON))
    assert (error["status"], error["exit_status"], error["ck_rv"]) == ("pin_locked", 8, 0xA4)
    assert "http_status" not in error and "oauth_error" not in error


def test_json_of_a_vendors_code_is_exact(keystay):
    error = error_of(keystay.token(shim="C_OpenSession=0x80000123", extra=JSON))
    assert (error["status"], error["ck_rv"]) == ("module", 0x80000123)


def test_json_of_a_refusal(keystay, server):
    error = error_of(keystay.token(tenant="nobody.example", extra=JSON))
    assert (error["status"], error["exit_status"], error["http_status"]) == ("server_refused", 6, 400)
    assert (error["oauth_error"], error["aadsts"]) == ("invalid_request", 90002)
    assert error["correlation_id"] == server.log()[0]["headers"]["client-request-id"]
    assert len(error["trace_id"]) == 36 and "--tenant" in error["hint"]


@pytest.mark.parametrize("options, status, exit_status", [
    ({"key": "pkcs11:token=nobody"}, "token_not_found", 4),
    ({"key": "pkcs11:id=%99"}, "key_not_found", 3),
    ({"module": "/nonexistent.so"}, "module_load", 3),
    ({"cacert": None}, "tls", 5),
    ({"scope": "x"}, "config", 3),
    ({"shim": "C_Sign:flip"}, "key_mismatch", 3),
    ({"shim": "CKA_EXTRACTABLE=true"}, "key_refused", 3),
    ({"shim": "flags+=0x20000"}, "pin_refused", 8),
    ({"shim": "C_Login=0xA3"}, "pin_expired", 8),
    ({"shim": "mechanisms=-0x43,-0xD,-0x3", "alg": "PS256"}, "algorithm", 3),
    ({"pin_source": "env:NOT_SET"}, "pin_source", 3),
    ({"certificate": "/dev/null"}, "certificate", 3),
], ids=lambda value: str(value))
def test_json_names_the_status(keystay, options, status, exit_status):
    error = error_of(keystay.token(extra=JSON, **options))
    assert (error["status"], error["exit_status"]) == (status, exit_status)


@pytest.mark.parametrize("step, status", [({"status": 429}, "throttled"), ({"status": 500}, "server_down"),
                                          ({"status": 200}, "server_response")])
def test_json_names_the_servers_status(keystay, server, step, status):
    server.script([step | {"repeat": 1 if step["status"] == 200 else 4}])
    error = error_of(keystay.token(extra=JSON))
    assert (error["status"], error["http_status"]) == (status, step["status"])


def test_a_list_in_a_message_stays_one_line_of_json(at, keys_folder):
    error = error_of(at(keys_folder).token(key="pkcs11:id=%99", extra=JSON))
    assert error["message"].count("\n") == 2


@pytest.mark.parametrize("command", ["token", "assertion"])
def test_a_full_disk(keystay, command):
    with open("/dev/full", "wb") as full:
        result = keystay.token(command, popen={"stdout": full})
    refused(result, 70, "cannot write", "No space left")


@pytest.mark.parametrize("arguments", [["help"], ["version"], ["help", "token"]])
def test_a_full_disk_for_help(arguments):
    with open("/dev/full", "wb") as full:
        refused(cli.run(*arguments, stdout=full), 70, "cannot write")


def test_a_reader_that_went_away(keystay):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        refused(keystay.token(popen={"stdout": writer}), 70, "cannot write", "Broken pipe")
    finally:
        os.close(writer)


def test_a_closed_stdout(keystay):
    refused(without(1, keystay), 70, "cannot write")


def test_a_closed_stdout_does_not_become_a_file_of_the_module(keystay):
    """What is opened next gets the number 1; here the shim keeps a file open, as modules keep sockets."""
    result = without(1, keystay, shim="")
    refused(result, 70, "cannot write")
    assert "C_Sign" in keystay.module_saw()
    assert "eyJ" not in keystay.module_saw()


def test_a_closed_stderr_does_not_become_a_file_of_the_module(keystay):
    result = without(2, keystay, shim="C_Login=0xA4")
    assert (result.status, result.out, result.err) == (8, "", "")
    assert "keystay:" not in keystay.module_saw()


def test_a_closed_stdin_or_stderr_changes_nothing(keystay):
    assert without(0, keystay).token
    assert without(2, keystay).token


def test_quiet_says_errors_still(keystay):
    refused(keystay.token(key="pkcs11:id=%99", extra=["--quiet"]), 3, "no such private key")


def test_success_says_nothing_but_the_token(keystay):
    result = keystay.token()
    assert result.token and result.err == ""


def test_no_core_file_is_left(keystay, server):
    server.script([{"delay_ms": 400}])
    process = keystay.start()
    while not server.log():
        assert process.poll() is None
    with open(f"/proc/{process.pid}/limits", encoding="ascii") as limits:
        core = next(line for line in limits if line.startswith("Max core file size"))
    process.communicate()
    assert core.split()[4:6] == ["0", "0"]
