# SPDX-License-Identifier: Apache-2.0
"""A certificate is replaced before it ends: for a while there are two, and the server may know one of them or both."""

import json
import os
import tempfile

import pytest

import cli
import signed
from cli import CLIENT, TENANT, Keystay, refused
from harness import AuthServer

TMPFS = "/dev/shm"
WARNED = "keystay: warning: the certificate 'CN="


def create(keystay, name, days, subject):
    """Another certificate of the key, as its owner would make it."""
    path = keystay.folder.file(name)
    if not os.path.exists(path):
        options = {key: keystay.defaults[key] for key in ("module", "key", "pin_source")}
        result = cli.run("cert", "create", *cli._flags(options | {"subject": subject, "days": days, "out": path}),
                         env=keystay.environment())
        assert result.status == 0, result
    return path


@pytest.fixture(scope="session")
def overlap_folder(make_folder):
    """cert.pem is over in 20 days, new.pem in 300; neither is on the token."""
    return make_folder("overlap", "--days", "20", "--subject", "CN=old")


@pytest.fixture
def overlap(at, overlap_folder):
    keystay = at(overlap_folder)
    create(keystay, "new.pem", 300, "CN=new")
    return keystay


@pytest.fixture
def knows(overlap, tmp_path):
    """The program with a server that knows these certificates of the client, and no others."""
    servers = []

    def start(*names):
        paths = [overlap.folder.file(name) for name in names]
        servers.append(AuthServer(str(tmp_path / f"server{len(servers)}"), [TENANT], {CLIENT: paths}))
        return Keystay(overlap.folder, servers[-1], tmp_path / "calls")

    yield start
    for server in servers:
        server.stop()


def both(keystay, command="token", order=("cert.pem", "new.pem"), **changes):
    extra = [word for name in order for word in ("--certificate", keystay.folder.file(name))]
    return keystay.token(command, certificate=None, extra=[*extra, *changes.pop("extra", [])], **changes)


def used(keystay, result):
    header, _ = signed.read(result.token, keystay.folder.certificate())
    names = {signed.sha256(keystay.folder.certificate(name)): name for name in ("cert.pem", "new.pem")}
    return names[header["x5t#S256"]]


@pytest.mark.parametrize("order", [("cert.pem", "new.pem"), ("new.pem", "cert.pem")])
def test_of_both_the_one_that_ends_last(overlap, order):
    result = both(overlap, "assertion", order)
    assert used(overlap, result) == "new.pem" and result.err == ""


def test_while_the_server_knows_both(knows):
    keystay = knows("cert.pem", "new.pem")
    assert both(keystay).token
    assert keystay.token().token  # and with the old one alone


def test_when_the_server_knows_the_new_one_alone(knows):
    keystay = knows("new.pem")
    assert both(keystay).token
    refused(keystay.token(extra=["--quiet"]), 6, "AADSTS700027", hint="certificate")


def test_before_the_server_knows_the_new_one(knows):
    """The error has the thumbprint that the server did not find."""
    keystay = knows("cert.pem")
    refused(both(keystay), 6, "AADSTS700027", "key was not found", hint="certificate")
    assert keystay.token().token


def test_on_the_token(at, make_folder):
    folder = make_folder("overlap-stored", "--days", "20", "--cert-on-token")
    keystay = at(folder)
    path = create(keystay, "new.pem", 300, "CN=new")
    folder.store_certificate(path, "new", "01")
    result = keystay.assertion(certificate=None)
    assert used(keystay, result) == "new.pem" and result.err == ""


def test_one_to_come_is_not_used_yet(at, make_folder):
    folder = make_folder("to come", "--starts", "5", "--days", "400", "--subject", "CN=to come")
    keystay = at(folder)
    create(keystay, "new.pem", 90, "CN=now")
    result = both(keystay, "assertion")
    assert used(keystay, result) == "new.pem"
    refused(keystay.token(), 3, "'CN=to come' is not valid before", hint="keep the old certificate")


def test_one_that_is_over_does_no_harm(at, make_folder):
    folder = make_folder("over", "--days", "-1", "--subject", "CN=over")
    keystay = at(folder)
    create(keystay, "new.pem", 90, "CN=now")
    assert used(keystay, both(keystay, "assertion")) == "new.pem"
    refused(keystay.token(), 3, "'CN=over' expired at", hint="make a new certificate")


def test_its_end_is_warned_about_once_a_day(overlap):
    first = overlap.assertion()
    assert first.token and first.err.startswith(f"{WARNED}old' ends in ") and "keystay cert" in first.err
    assert overlap.assertion().err == ""
    stamp, = (name for name in os.listdir(state_of(overlap)) if name.startswith("ending-"))
    yesterday = os.stat(os.path.join(state_of(overlap), stamp)).st_mtime - 86400
    os.utime(os.path.join(state_of(overlap), stamp), (yesterday, yesterday))
    assert overlap.assertion().err.startswith(WARNED)


def test_the_warning_of_the_day_is_not_used_up_unseen(overlap):
    quiet = overlap.assertion(extra=["--quiet"])
    assert quiet.token and quiet.err == ""
    as_json = overlap.assertion(error_format="json")
    assert "'CN=old' ends in" in json.loads(as_json.err)["warning"]


def state_of(keystay):
    return keystay.environment()["KEYSTAY_STATE_DIR"]


def test_another_certificate_costs_no_token_that_is_kept(knows):
    """Which one signed has no part in what a token is: the kept one is served, and the module is not loaded."""
    keystay = knows("cert.pem", "new.pem")
    with tempfile.TemporaryDirectory(dir=TMPFS) as runtime:
        env = {"XDG_RUNTIME_DIR": runtime}
        first = both(keystay, env=env)
        again = keystay.token(env=env, shim="")
    assert again.token == first.token and not again.calls and len(keystay.server.log()) == 1


def status(keystay, *names, **changes):
    options = {key: keystay.defaults[key] for key in ("module", "key")} | changes
    files = [word for name in names for word in ("--certificate", keystay.folder.file(name))]
    return cli.run("cert", "status", *cli._flags(options), *files, env=keystay.environment())


def test_the_status_lists_them_in_the_order_of_their_ends(overlap):
    result = status(overlap, "new.pem", "cert.pem", format="json")
    assert result.status == 0
    rows = json.loads(result.out)["certificates"]
    assert [(row["subject"], row["state"]) for row in rows] == [("CN=old", "superseded"), ("CN=new", "valid")]


def test_the_status_is_1_when_nothing_takes_its_place(overlap):
    result = status(overlap, "cert.pem")
    assert result.status == 1 and result.out.startswith("ending ") and "nothing has taken the place" in result.err
    assert status(overlap, "cert.pem", within=10).status == 0
    assert status(overlap, "cert.pem", "new.pem", within=400).status == 1
