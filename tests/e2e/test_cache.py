# SPDX-License-Identifier: Apache-2.0
"""Tokens that are kept between calls: what a hit costs, what is trusted, who gets a new one."""

import base64
import json
import os
import pathlib
import random
import shutil
import signal
import stat
import subprocess
import tempfile
import time

import pytest

import cli
from cli import CLIENT, RESOURCE, TENANT, refused
from terminal import Terminal

TMPFS = "/dev/shm"
NOBODY = 65534


@pytest.fixture
def runtime():
    """A user's runtime folder, on a tmpfs."""
    path = tempfile.mkdtemp(dir=TMPFS, prefix="keystay-e2e-")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def kept(keystay, runtime):
    """The program with a cache."""
    return Kept(keystay, runtime)


class Kept:
    def __init__(self, keystay, runtime):
        self.keystay, self.runtime = keystay, runtime
        self.env = {"XDG_RUNTIME_DIR": runtime}

    def token(self, env=None, **changes):
        return self.keystay.token(env=self.env | (env or {}), **changes)

    def run(self, *arguments):
        return cli.run(*arguments, env=self.env)

    def files(self, suffix=".token"):
        folder = os.path.join(self.runtime, "keystay")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return sorted(os.path.join(folder, name) for name in names if name.endswith(suffix))

    def file(self):
        (path,) = self.files()
        return path

    def read(self):
        with open(self.file(), encoding="ascii") as file:
            return json.load(file)

    def change(self, **members):
        """Another text in the file, as a process of the same user would write it."""
        record = self.read() | members
        with open(self.file(), "w", encoding="ascii") as file:
            json.dump(record, file)

    def let_end_in(self, seconds):
        now = int(time.time())
        self.change(obtained_at=now + seconds - 3600, expires_at=now + seconds)


def test_a_hit_needs_no_module_and_no_server(kept, server):
    first = kept.token()
    again = kept.token(shim="")
    assert again.token == first.token
    assert not again.calls and again.err == ""
    assert len(server.log()) == 1


def test_a_hit_needs_no_key_no_pin_and_no_ca(kept, main_folder):
    first = kept.token()
    away = kept.token(module="/nonexistent.so", pin_source="file:/nonexistent", cacert="/nonexistent.pem")
    assert away.token == first.token


def test_what_lies_there_is_for_this_user_only(kept):
    kept.token()
    assert stat.S_IMODE(os.stat(os.path.join(kept.runtime, "keystay")).st_mode) == 0o700
    for path in kept.files(""):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, path


def test_no_assertion_is_kept(kept, server):
    kept.token()
    sent = dict(server.log()[0]["form"])["client_assertion"]
    for path in kept.files(""):
        with open(path, encoding="ascii") as file:
            assert sent not in file.read(), path


@pytest.mark.parametrize("changes", [
    {"scope": None, "resource": RESOURCE},
    {"scope": "https://other.example/.default"},
    {"tenant": cli.DOMAIN},
    {"client_id": cli.OTHER_CLIENT},
    {"client_id": "c7b1f0d2-6f0e-4d6e-9a44-1d2b7c9e8f3"},
    {"authority": "https://127.0.0.1:1", "timeout": 1},
], ids=lambda value: next(iter(value)))
def test_no_token_of_another_request_is_served(kept, changes):
    first = kept.token()
    other = kept.token(**changes)
    assert other.status != 0 or other.token != first.token
    assert kept.token().token == first.token


def test_without_a_cache_each_call_gets_a_new_one(kept, server):
    assert kept.token(cache="none").token != kept.token(cache="none").token
    assert kept.files("") == [] and len(server.log()) == 2


@pytest.mark.parametrize("place, word", [
    ("unset", "XDG_RUNTIME_DIR is not set"),
    ("relative", "XDG_RUNTIME_DIR is not set"),
    ("absent", "No such file"),
    ("disk", "no tmpfs"),
    ("foreign", "not this user's own"),
    ("open", "not this user's own"),
])
def test_where_there_is_no_place_nothing_is_kept(keystay, runtime, tmp_path, place, word):
    """Nothing but a word to whoever asks, and the token."""
    if place == "open":
        os.chmod(runtime, 0o777)
    if place == "foreign" and os.geteuid() == 0:
        os.chown(runtime, NOBODY, NOBODY)
    path = {"unset": None, "relative": "run", "absent": "/nonexistent", "disk": str(tmp_path), "open": runtime,
            "foreign": runtime if os.geteuid() == 0 else TMPFS}[place]
    loud = keystay.token(env={"XDG_RUNTIME_DIR": path}, extra=["--verbose"])
    assert word in loud.err and loud.token
    quiet = keystay.token(env={"XDG_RUNTIME_DIR": path})
    assert quiet.err == "" and quiet.token != loud.token.splitlines()[0]
    assert not (tmp_path / "keystay").exists() and os.listdir(runtime) == []


@pytest.mark.parametrize("spoil", ["open", "link", "file"])
def test_a_folder_that_is_not_ours_alone_is_not_used(kept, tmp_path, spoil):
    path = os.path.join(kept.runtime, "keystay")
    if spoil == "open":
        os.mkdir(path)
        os.chmod(path, 0o755)
    elif spoil == "link":
        os.symlink(tmp_path, path)
    else:
        open(path, "wb").close()
    assert "warning: no cache" in kept.token().err
    assert not list(tmp_path.glob("*.token"))


def spoil_mode(path):
    os.chmod(path, 0o640)


def spoil_link(path):
    os.rename(path, path + ".moved")
    os.symlink(path + ".moved", path)


def spoil_owner(path):
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    else:
        os.chmod(path, 0o606)  # only root can give a file away


def spoil_folder(path):
    os.remove(path)
    os.mkdir(path, 0o700)
    open(os.path.join(path, "full"), "wb").close()


def spoil_fifo(path):
    os.remove(path)
    os.mkfifo(path, 0o600)


def spoil_cut(path):
    os.truncate(path, os.path.getsize(path) - 1)


def spoil_empty(path):
    os.truncate(path, 0)


def spoil_long(path):
    os.truncate(path, 1 << 20)


@pytest.mark.parametrize("spoil, word", [
    (spoil_mode, "others may read"), (spoil_link, "symbolic link"), (spoil_owner, "user" if os.geteuid() == 0 else "others"),
    (spoil_fifo, "no plain file"), (spoil_cut, "JSON"), (spoil_empty, "empty"), (spoil_long, "too long"),
])
def test_a_file_that_cannot_be_trusted_is_refused_and_replaced(kept, server, spoil, word):
    first = kept.token()
    spoil(kept.file())
    second = kept.token()
    assert second.token != first.token
    assert second.err.count("warning: the cache file") == 1 and word in second.err and "cache clear" in second.err
    assert kept.token().token == second.token  # the new file has taken its place
    assert len(server.log()) == 2


def test_what_cannot_be_replaced_is_no_error(kept):
    kept.token()
    spoil_folder(kept.file())
    result = kept.token()
    assert result.token and "not used" in result.err and "not kept" in result.err


@pytest.mark.parametrize("members, word", [
    ({"key": "9:something,"}, "another request"),
    ({"keystay": 3}, "another version"),
    ({"access_token": "two\nlines"}, "header"),
    ({"access_token": ""}, "0 bytes"),
    ({"access_token": 5}, "access_token"),
    ({"expires_at": "soon"}, "expires_at"),
    ({"expires_at": 1 << 50}, "no sense"),
    ({"expires_at": 0}, "no sense"),
    ({"obtained_at": 4000000000, "expires_at": 4000003600}, "clock"),
    ({"wait_until": 1 << 50}, "no sense"),
])
def test_a_record_that_makes_no_sense_is_refused(kept, members, word):
    first = kept.token()
    kept.change(**members)
    second = kept.token()
    assert second.token != first.token and word in second.err, second
    assert kept.token().token == second.token


def test_what_is_about_to_end_is_renewed(kept, server):
    first = kept.token()
    kept.let_end_in(200)
    second = kept.token()
    assert second.token != first.token and len(server.log()) == 2
    kept.let_end_in(200)
    assert kept.token(min_valid=100).token == second.token


def test_the_program_does_not_renew_ahead(kept, server):
    first = kept.token()
    kept.change(refresh_at=int(time.time()) - 10)
    assert kept.token().token == first.token and len(server.log()) == 1


def test_a_life_that_is_shorter_than_asked_for_is_used_for_its_half(kept):
    first = kept.token()
    assert kept.token(min_valid=86400).token == first.token
    now = int(time.time())
    kept.change(obtained_at=now - 1900, expires_at=now + 1700)
    assert kept.token(min_valid=86400).token != first.token


@pytest.mark.parametrize("changes", [
    {"authority": None}, {"shim": "C_Sign=0x30"}, {"shim": "C_Initialize=0x30"}, {"pin_source": "file:/nonexistent"},
], ids=["network", "signature", "module", "pin"])
def test_a_token_that_lives_is_served_when_no_new_one_can_be_had(kept, server, changes):
    first = kept.token()
    kept.let_end_in(100)
    if "authority" in changes:
        server.script([{"status": 503, "repeat": 4}])
        changes = {}
    result = kept.token(**changes)
    if changes.get("pin_source"):  # a setting that is wrong is not an HSM that is away
        refused(result, 3, "/nonexistent")
        return
    assert result.token == first.token
    assert "warning: no new token, so the one that ends in" in result.err


def test_what_the_server_refuses_is_not_papered_over(kept, server):
    kept.token()
    kept.let_end_in(100)
    server.script([{"status": 400, "body": '{"error": "unauthorized_client"}'}])
    refused(kept.token(), 6, "unauthorized_client")


def start(kept, **changes):
    env = kept.keystay.environment(kept.env)
    return subprocess.Popen([cli.PROGRAM, *kept.keystay.arguments(**changes)], env=cli.environment(env),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for_request(process, server):
    while not server.log():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.parametrize("where", ["setting", "URI"])
def test_many_processes_cause_one_signature_and_one_request(kept, server, main_folder, where):
    """The shim counts the calls of all processes in one file."""
    changes = {"module": cli.SHIM}
    if where == "URI":
        path = main_folder.pin_source.removeprefix("file:")
        changes |= {"pin_source": None, "key": f"pkcs11:object=assertion?pin-source={path}"}
    env = kept.keystay.environment(kept.env, shim="")
    open(env["SHIM_COUNT"], "w", encoding="ascii").close()
    server.script([{"delay_ms": 300}])
    arguments = kept.keystay.arguments(**changes)
    processes = [subprocess.Popen([cli.PROGRAM, *arguments], env=cli.environment(env), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(12)]
    outcomes = [process.communicate(timeout=cli.PATIENCE_S) for process in processes]
    assert {process.returncode for process in processes} == {0}
    assert len({out for out, _ in outcomes}) == 1
    assert len(server.log()) == 1
    assert kept.keystay.module_saw().split().count("C_Sign") == 1


def test_a_process_that_is_killed_leaves_a_usable_cache(kept, server, main_folder):
    """At any moment: what is there afterwards is nothing, or whole; and nobody waits for the dead. SoftHSM writes its
    token's file at a login, and leaves it empty when it is killed then: that is put back."""
    chance = random.Random(7)
    state, = pathlib.Path(main_folder.path).glob("tokens/*/token.object")
    before = state.read_bytes()
    for _ in range(25):
        process = start(kept)
        time.sleep(chance.uniform(0, 0.12))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        state.write_bytes(before)
        if chance.random() < 0.5:
            kept.run("cache", "clear")
    result = kept.token()
    assert result.token and "cache file" not in result.err and "waiting longer" not in result.err
    assert kept.token().token == result.token


def test_a_process_that_is_killed_while_it_asks_does_not_hold_up_the_next(kept, server):
    server.script([{"delay_ms": 60000}])
    process = start(kept)
    wait_for_request(process, server)
    assert kept.files(".lock")
    process.kill()
    process.communicate()
    result = kept.token()
    assert result.token and "waiting longer" not in result.err


def test_nobody_is_waited_for_longer_than_the_timeout(kept, server):
    server.script([{"delay_ms": 10000}])
    process = start(kept)
    wait_for_request(process, server)
    result = kept.token(timeout=3)
    assert result.token and "not waiting longer" in result.err
    out, _ = process.communicate(timeout=cli.PATIENCE_S)
    assert process.returncode == 0 and out


def test_no_lock_is_held_while_a_person_is_asked(kept, server, main_folder):
    """Somebody sits before a prompt; the others go on, and whoever types last gets the token that is there."""
    arguments = kept.keystay.arguments(pin_source="tty")
    with Terminal(arguments, kept.keystay.environment(kept.env)) as person:
        person.wait_for_question()
        result = kept.token()
        assert result.token and "waiting longer" not in result.err
        person.type(main_folder.pin + "\n")
        status, out, _ = person.finish()
        assert (status, out) == (0, result.out)
    assert len(server.log()) == 1


def test_clear_removes_everything(kept):
    first = kept.token()
    kept.token(scope="https://vault.example/.default")
    result = kept.run("cache", "clear")
    assert (result.status, result.out) == (0, "2 files removed\n")
    assert kept.files("") == []
    assert kept.token().token != first.token


def test_clear_of_one_client_leaves_the_others(kept):
    first = kept.token()
    other = ("cache", "clear", "--tenant", TENANT, "--client-id", cli.OTHER_CLIENT)
    assert kept.run(*other).out == "0 files removed\n"
    assert kept.token().token == first.token
    mine = [word for word in kept.keystay.arguments("cache", scope=None)][1:]
    result = cli.run("cache", "clear", *mine, env=kept.env)
    assert result.out == "1 file removed\n"
    assert kept.token().token != first.token


def test_clear_without_a_cache_is_no_error():
    result = cli.run("cache", "clear")
    assert result.status == 0 and "no cache" in result.out


def test_a_cached_token_in_json_has_its_end(kept):
    kept.token()
    body = kept.token(extra=["--format", "json"]).json
    assert 3500 < body["expires_in"] <= 3600 and body["expires_on"] > time.time()


CLAIMS = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}
CHALLENGE = ('Bearer realm="", authorization_uri="https://login.example/authorize", error="insufficient_claims", '
             f'claims="{base64.b64encode(json.dumps(CLAIMS).encode()).decode()}"')
CAPABILITY = {"xms_cc": {"values": ["cp1"]}}


@pytest.mark.parametrize("options", [
    ["--claims", json.dumps(CLAIMS)], ["--claims-challenge", CHALLENGE],
    ["--claims-challenge", f"Negotiate, {CHALLENGE}"],
], ids=["claims", "challenge", "two challenges"])
def test_a_challenge_brings_a_new_token_in_place_of_the_old_one(kept, server, options):
    first = kept.token()
    second = kept.token(extra=options)
    assert second.token != first.token
    assert kept.token().token == second.token
    sent = [dict(entry["form"]).get("claims") for entry in server.log()]
    assert sent[0] is None and len(sent) == 2
    assert json.loads(sent[1]) == {"access_token": CLAIMS["access_token"] | CAPABILITY}


def test_a_token_that_was_refused_is_not_served_when_no_new_one_can_be_had(kept, server):
    kept.token()
    server.script([{"status": 503, "repeat": 4}])
    refused(kept.token(extra=["--claims-challenge", CHALLENGE]), 5, "HTTP 503")


@pytest.mark.parametrize("options, status, words", [
    (["--claims", "{"], 3, ["the claims request"]),
    (["--claims", "[]"], 3, ["the claims request"]),
    (["--claims-challenge", "Bearer"], 3, ["insufficient_claims"]),
    (["--claims-challenge", 'Bearer error="insufficient_claims", claims="'], 3, ["malformed"]),
    (["--claims", "{}", "--claims-challenge", CHALLENGE], 2, ["both"]),
])
def test_what_is_no_challenge_is_said_before_anything_is_signed(kept, server, options, status, words):
    result = kept.token(extra=options, shim="")
    refused(result, status, *words)
    assert not result.calls and server.log() == []


def test_whoever_understands_challenges_says_so_each_time(kept, server):
    first = kept.token(cae=True)
    assert kept.token(cae=True).token == first.token
    assert kept.token().token != first.token  # another kind of token: kept beside it
    assert json.loads(dict(server.log()[0]["form"])["claims"]) == {"access_token": CAPABILITY}
    assert "claims" not in dict(server.log()[1]["form"])
