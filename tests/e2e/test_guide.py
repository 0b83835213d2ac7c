# SPDX-License-Identifier: Apache-2.0
"""docs/guide-entra.md, followed by a new user: what it says about SoftHSM is run to the letter, with our server in the place
of Microsoft's. Its calls of Azure CLI are not run; what they would register is registered with that server.
"""

import pathlib
import re
import shutil
import subprocess
import time

import pytest
from cryptography import x509

import cli
import signed
from harness import AuthServer

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs/guide-entra.md"
TENANT_ID = "5a1f6d3e-0b7c-4c58-8a55-2f3f0a9d4b17"
DOMAIN, CLIENT_ID = "contoso.onmicrosoft.com", "11111111-2222-3333-4444-555555555555"
KINDS = {"softhsm", "both", "yubikey", "entra"}


def blocks():
    """(kind, commands) of each, in order."""
    found = re.findall(r"^```(?:sh )?(\S*)\n(.*?)^```$", GUIDE.read_text(), re.M | re.S)
    assert {kind for kind, _ in found} == KINDS
    return found


class Reader:
    """Somebody with a home of his own, who does what he reads."""

    def __init__(self, home, folder):
        self.home, self._folder = home, folder
        self.registered, self._server = [], None
        self.said = []

    def stop(self):
        if self._server is not None:
            self._server.stop()
        self._server = None

    def _environment(self):
        where = {} if self._server is None else {"KEYSTAY_AUTHORITY": self._server.url, "KEYSTAY_CACERT": self._server.cacert}
        path = f"{pathlib.Path(cli.PROGRAM).resolve().parent}:/usr/sbin:/usr/bin:/sbin:/bin"
        return cli.environment({"HOME": str(self.home), "KEYSTAY_CONFIG": None, "PATH": path} | where)

    def follow(self, commands):
        done = subprocess.run(["sh", "-eu"], input=commands, cwd=self.home, env=self._environment(), capture_output=True,
                              text=True, timeout=cli.PATIENCE_S)
        assert done.returncode == 0, (commands, done.stdout, done.stderr)
        self.said.append((commands, done.stdout, done.stderr))
        return done

    def at_the_portal(self, commands):
        """The server knows its clients from its start on."""
        added = re.findall(r"az ad app credential reset .*--append --cert @(\S+)", commands)
        is_removal = "az ad app credential delete" in commands
        if added or is_removal:
            self.registered = self.registered[1:] if is_removal else self.registered + added
            self.stop()
            certificates = [self.home / name for name in self.registered]
            self._server = AuthServer(self._folder, [f"{TENANT_ID}={DOMAIN}"], {CLIENT_ID: certificates})

    def saying(self, command):
        """What the blocks with this command had to say, on stdout."""
        found = [out for commands, out, _ in self.said if command in commands]
        assert found, command
        return found


@pytest.fixture
def reader(tmp_path):
    if shutil.which("softhsm2-util") is None:
        pytest.skip("needs softhsm2-util")
    (tmp_path / "home").mkdir()
    (tmp_path / "server").mkdir()
    reader = Reader(tmp_path / "home", tmp_path / "server")
    yield reader
    reader.stop()


def test_the_guide_on_softhsm(reader):
    for kind, commands in blocks():
        if kind == "entra":
            reader.at_the_portal(commands)
        elif kind != "yubikey":
            if "backup-2.pem" in commands and "cert create" in commands:
                time.sleep(1.1)  # a year, in the guide: the new one must end later than the old one
            reader.follow(commands)
    assert reader.registered == ["backup-2.pem"]
    assert "stays in the token, generated there" in reader.saying("keystay key show")[0]
    (doctor,) = reader.saying("keystay doctor")
    assert doctor and all(line.startswith("ok ") for line in doctor.splitlines()), doctor
    first, last = reader.saying("keystay cert status")
    assert [line.split()[0] for line in first.splitlines()] == ["valid"]
    assert [line.split()[0] for line in last.splitlines()[-2:]] == ["superseded", "valid"]
    newest = x509.load_pem_x509_certificate((reader.home / "backup-2.pem").read_bytes())
    header, claims = signed.read(reader.follow("keystay assertion backup").stdout.strip(), newest)
    assert header["x5t#S256"] == signed.sha256(newest) and claims["iss"] == claims["sub"] == CLIENT_ID


def test_what_is_not_registered_is_refused(reader):
    """The steps at the portal are no decoration: without the second one the second certificate is refused."""
    for kind, commands in blocks():
        if kind == "entra" and "backup-2.pem" in commands:
            break
        if kind == "entra":
            reader.at_the_portal(commands)
        elif kind != "yubikey":
            reader.follow(commands)
    ask = "keystay token backup --cache none"
    reader.follow(f"{ask} >token")
    done = subprocess.run(["sh", "-c", f"{ask} --certificate backup-2.pem"], cwd=reader.home, env=reader._environment(),
                          capture_output=True, text=True, timeout=cli.PATIENCE_S)
    assert done.returncode == 6 and "AADSTS700027" in done.stderr, done


def test_the_yubikeys_profile(reader):
    """A module that is not there is no trouble until it is wanted."""
    (profile,) = [commands for kind, commands in blocks() if kind == "yubikey" and "keystay.conf" in commands]
    reader.follow(profile)
    shown = reader.follow("keystay profile show backup").stdout
    assert "pkcs11:piv-slot=9a" in shown and "libykcs11.so.2" in shown and "tty" in shown


def test_every_command_of_the_guide_is_one():
    """With options that it has: those for a YubiKey and those in the text, too."""
    text = GUIDE.read_text()
    said = re.findall(r"keystay ((?:token|assertion|doctor|(?:key|cert|pin|cache|profile|jwt) [a-z]+))([^|`\n]*)", text)
    assert len(said) > 20
    for command, arguments in said:
        helped = cli.run("help", *command.split())
        assert helped.status == 0, command
        for option in re.findall(r"--[a-z-]+", arguments):
            assert f"{option} " in helped.out or f"{option}\n" in helped.out, (command, option)
