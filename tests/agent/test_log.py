# SPDX-License-Identifier: Apache-2.0
"""What the agent's log tells: each signature, each refusal, who was given what for the first time."""

import contextlib
import fcntl
import os
import re
import signal

SCOPE = "https://vault.example/.default"


def test_each_signature_is_told(start):
    agent = start(grants={"me": {"profile": "main", "user": str(os.geteuid()), "assertion": "yes"}})
    agent.token()
    for _ in range(2):
        agent.get("/v1/assertion?profile=main")
    assert len(re.findall(r"profile main: signed with key \S+ of token 'main' in \d+ ms", agent.log())) == 3


def test_who_was_given_what_for_the_first_time(start):
    agent = start(grants={"me": {"profile": "main", "user": str(os.geteuid()), "assertion": "yes"}})
    me = os.geteuid()
    for _ in range(3):
        agent.token()
        agent.token(scope=SCOPE)
    agent.get("/v1/assertion?profile=main")
    told = [line for line in agent.log().splitlines() if line.endswith(": the first")]
    assert len(told) == 3
    for what in (f"tokens for user {me}, its own scope", f"tokens for user {me}, scope {SCOPE}",
                 f"assertions for user {me}, its own scope"):
        # Between user and scope is the unit, where the tests run in one.
        pattern = what.replace(", ", "(, unit [^,]+)?, ", 1)
        assert any(re.search(pattern, line) for line in told), (pattern, told)
    agent.stop()
    assert re.search(r"scope " + re.escape(SCOPE) + ": 2 more", agent.log())


def test_a_refusal_that_comes_again_is_counted(start):
    agent = start()
    for _ in range(50):
        assert agent.get("/v1/assertion?profile=main").status == 403
    assert agent.log().count("refused: an assertion of profile main for user") == 1
    agent.stop()
    assert "49 more within a minute: refused: an assertion of profile main" in agent.log()


def test_a_token_that_nobody_gets_is_told_once_with_the_fix(start):
    """The story: the server was away, and the log told of a signature and of nothing else; what the module said it told
    twice."""
    agent = start(profiles={"main": {"authority": "https://127.0.0.1:1"}, "broken": {"key": "pkcs11:object=nothing"}},
                  grants={"me": {"profile": "broken", "user": str(os.geteuid())}}, verbose=False)
    for name, status in (("main", 503), ("broken", 400)):
        for _ in range(3):
            assert agent.get(f"/v1/token?profile={name}").status == status
    agent.stop()
    log = agent.log()
    assert re.search(r"warning: profile main: no token \(network\): https://127\.0\.0\.1:1/.*; try: check the name", log), log
    assert re.search(r"more within a minute: profile main: no token \(network\)\n", log), log
    assert log.count("no such private key") == log.count("profile broken: no token") - log.count("more within") + 1, log


def test_who_steers_and_where_it_listens_is_told(start):
    agent = start(verbose=False, agent={"listen": "127.0.0.1:0"})
    for path in ("/v1/lock?profile=main", "/v1/forget", "/v1/reload"):
        assert agent.post(path).status == 200
    assert re.search(rf"listening at {agent.socket}\n.*listening at 127\.0\.0\.1:[1-9]\d*\n.*serving\n", agent.log())
    by = f", by user {os.geteuid()} (process {os.getpid()})\n"
    assert all(f"keystay-agent: {what}{by}" in agent.log() for what in ("lock of profile main", "forget", "reload"))
    assert "was read anew: 1 profile\n" in agent.log()


def test_what_a_caller_writes_is_no_line_of_its_own(start):
    agent = start()
    for name, status in (("main%0akeystay-agent:%20forged", 400), ("x" * 2000, 404), ("%e2%80%ae", 404)):
        assert agent.get(f"/v1/token?profile={name}").status == status
        assert agent.get(f"/v1/assertion?profile={name}").status == (400 if status == 400 else 403)
    assert "forged" not in agent.log() and "x" * 100 not in agent.log() and "\u202e" not in agent.log()


def test_without_verbose_there_are_notes_and_no_steps(start):
    agent = start(verbose=False)
    agent.token()
    lines = agent.log().splitlines()
    assert any("signed with key" in line for line in lines) and any("the first" in line for line in lines)
    assert not any("POST https" in line for line in lines), lines


def test_the_journal_is_told_how_much_a_line_matters(start):
    agent = start(verbose=False, journal=True)
    agent.token()
    agent.get("/v1/assertion?profile=main")
    agent.process.send_signal(signal.SIGTERM)
    agent.process.wait(timeout=60)
    lines = agent.log().splitlines()
    assert all(re.match("<[46]>", line) for line in lines), lines
    assert any(line.startswith("<6>profile main: signed") for line in lines)
    assert any(line.startswith("<4>refused: an assertion") for line in lines)


def redirected(how):
    """A launcher: a shell that leads the log elsewhere. The tests' own log is then empty."""
    return lambda _: ["/bin/sh", "-c", f'exec "$@" 2>{how}', "sh"]


@contextlib.contextmanager
def log_pipe(path):
    """The end of a named pipe that a log's reader has: as little as fits in."""
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
    try:
        yield pipe
    finally:
        os.close(pipe)


def test_a_log_that_nobody_reads_stops_nothing(start, tmp_path):
    """The story: whatever read the agent's stderr had stopped, and with it every thread that had something to say."""
    with log_pipe(tmp_path / "log") as pipe:
        agent = start(launcher=redirected(tmp_path / "log"))
        agent.token()
        for i in range(20):
            assert agent.get(f"/v1/token?profile=main&scope=https://{i}.example/.default", timeout=10).status == 200
        there = os.read(pipe, 65536).decode()
        assert there.endswith("\n") and all(line.startswith("keystay-agent: ") for line in there.splitlines()), there
        agent.get("/v1/assertion?profile=main")
        told = ""
        while "refused: an assertion of profile main" not in told:  # its answer comes after it
            told += os.read(pipe, 65536).decode()
        assert re.match(r"keystay-agent: warning: \d+ lines are missing here", told), told
        agent.stop()


def test_a_log_whose_reader_is_gone_stops_nothing(start, tmp_path):
    with log_pipe(tmp_path / "log"):
        agent = start(launcher=redirected(tmp_path / "log"))
    agent.token()
    agent.get("/v1/assertion?profile=main")
    assert agent.token(scope=SCOPE)


def test_a_log_without_room_or_descriptor_stops_nothing(start):
    """What is opened next must not become stderr: the log would go to a caller, or into a file."""
    for how in ("/dev/full", "&-"):
        agent = start(launcher=redirected(how))
        assert os.readlink(f"/proc/{agent.process.pid}/fd/2") == ("/dev/full" if how == "/dev/full" else "/dev/null")
        agent.token()
        assert agent.get("/v1/assertion?profile=main").status == 403
        agent.stop()
