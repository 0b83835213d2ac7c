# SPDX-License-Identifier: Apache-2.0
"""Files that are named on the command line and are not there, or not what they should be: the file is named, and what
to do is said, before anything is sent to a token or a server."""

import os
import shutil
import subprocess
import tempfile

import pytest

import cli
from cli import refused

NOBODY = 65534

AIM = ["--audience", "x", "--issuer", "https://login.example"]
# {"alg":"RS256"} {"iss":"https://login.example","aud":"x","exp":4000000000}, and no signature worth the name
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUiLCJhdWQiOiJ4IiwiZXhwIjo0MDAwMDAwMDAwfQ.c2lnbmF0dXJl"

# What stands before the file's name; the status.
READ = {
    "configuration": (["profile", "list", "--config"], 3),
    "configuration of token": (["token", "--config"], 3),
    "key to import": (["key", "import", "--in"], 3),
    "certificate to import": (["cert", "import", "--in"], 3),
    "certificate to show": (["cert", "show", "--certificate"], 3),
    "certificate to judge": (["cert", "status", "--certificate"], 3),
    "certificate to export": (["cert", "export", "--certificate"], 3),
    "certificate": (["token", *"--tenant a.example --client-id b --scope c/.default --module /m --key pkcs11:id=%01".split(),
                     "--certificate"], 3),
    "CAs": (["jwt", "verify", *AIM, "{jwt}", "--cacert"], 3),
    "token": (["jwt", "decode"], 2),
    "token to verify": (["jwt", "verify", *AIM], 2),
    "keys": (["jwt", "verify", *AIM, "{jwt}", "--jwks"], 3),
    "certificate of an issuer": (["jwt", "verify", *AIM, "{jwt}", "--certificate"], 3),
}


def run(tmp_path, words, path):
    jwt = tmp_path / "jwt"
    jwt.write_text(JWT, encoding="ascii")
    return cli.run(*(word.format(jwt=jwt) for word in words), str(path))


@pytest.mark.parametrize("words, status", READ.values(), ids=READ)
def test_a_file_that_is_not_there(words, status, tmp_path):
    path = f"{tmp_path}/no-such-file"
    result = refused(run(tmp_path, words, path), status, f"'{path}'")
    assert result.hint, result


@pytest.mark.parametrize("words, status", [row for name, row in READ.items() if name != "CAs"],
                         ids=[name for name in READ if name != "CAs"])
def test_a_folder_is_no_file(words, status, tmp_path):
    refused(run(tmp_path, words, tmp_path), status, f"'{tmp_path}' is a folder", hint="name a file in it")


def test_a_relative_name_begins_in_the_current_folder(tmp_path):
    refused(cli.run("key", "import", "--in", "key.pem", cwd=tmp_path), 3, "'key.pem' cannot be opened: No such file",
            hint="current folder")


def test_a_file_that_is_not_ours(tmp_path):
    assert os.getuid() == 0, "to be another user takes root"
    secret = tmp_path / "key.pem"
    secret.touch(0o600)
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are for its user alone
        os.chmod(folder, 0o755)
        copy = shutil.copy(cli.PROGRAM, folder)
        done = subprocess.run([copy, "key", "import", "--in", secret], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/",
                              env=cli.environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3 and f"'{secret}' cannot be opened: Permission denied" in done.stderr, done
    assert "\n  try: may this user do that there?" in done.stderr, done


def test_a_result_that_cannot_be_written(keystay, tmp_path):
    certificate = keystay.folder.file("cert.pem")
    for out, words, hint in ((f"{tmp_path}/no-such-folder/x", "No such file", "is the path right?"),
                             (str(tmp_path), "exists already", "name another file")):
        result = cli.run("cert", "export", "--certificate", certificate, "--out", out)
        assert result.status != 0 and result.out == "" and words in result.err and out in result.err, result
        assert hint in result.hint, result
