# SPDX-License-Identifier: Apache-2.0
"""Users of this machine who want more than theirs: all connections, an operator's view, somebody else's folder."""

import contextlib
import os
import subprocess
import time

import agent as agents
from endure import OTHER, as_user, is_under_sanitizer, public_folder, wait_for

HOLD = """
import socket, sys
held = []
for _ in range(int(sys.argv[2])):
    held.append(socket.socket(socket.AF_UNIX))
    held[-1].settimeout(2)
    try:
        held[-1].connect(sys.argv[1])
    except OSError:
        pass
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def connections_of(uids, path, n):
    """n connections of each of some users, on which nothing is said."""
    holders = [subprocess.Popen(["/usr/bin/python3", "-c", HOLD, path, str(n)], user=uid, group=uid, extra_groups=[],
                                cwd="/", env={}, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for uid in uids]
    try:
        for holder in holders:
            assert holder.stdout.readline() == b"held\n"
        yield
    finally:
        for holder in holders:
            holder.communicate()


def test_many_users_who_may_nothing_do_not_keep_others_out(start):
    """Whoever has subordinate ids (subuid(5)) is as many users as he likes."""
    with public_folder() as folder:
        agent = start(agent={"socket": f"{folder}/agent.sock", "max_connections": 64, "max_connections_per_user": 16},
                      grants={"other": {"profile": "main", "user": OTHER}})
        assert agent.token()
        with connections_of(range(5000, 5008), agent.socket, 16):
            assert as_user(OTHER, agent.socket, "/v1/token?profile=main")[0] == 200


def test_a_long_scope_does_not_fill_the_status(start):
    """Which the command line takes up to a mebibyte, and without which it unlocks nothing."""
    agent = start()
    for i in range(3):
        agent.token(scope=f"https://{i}{'x' * 2000}.example/.default")
    listed = [one["for"] for one in agent.profile()["valid_tokens"]]
    assert len(listed) == 3 and all(len(one) == 256 for one in listed), listed


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":", 1) for line in file)


def test_tokens_and_pin_are_in_locked_memory(start):
    agent = start()
    agent.token()
    for pid in (agent.process.pid, *agent.children()):
        locked_kb = int(status_of(pid)["VmLck"].split()[0])
        assert locked_kb > 0 or is_under_sanitizer(), pid  # sanitizers leave mlock out


def test_nobody_may_look_into_it():
    """Its files in /proc are root's although it is not: it cannot be dumped, and so not traced by its own user."""
    with public_folder() as folder:
        config, place = f"{folder}/keystay.conf", f"{folder}/run"
        os.mkdir(place)
        os.chown(place, OTHER, OTHER)
        with open(config, "w", encoding="ascii") as file:
            file.write(f"[agent]\nsocket = {place}/agent.sock\n")
        process = subprocess.Popen([agents.AGENT, "--config", config], user=OTHER, group=OTHER, extra_groups=[], cwd="/",
                                   env={}, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: os.path.exists(f"{place}/agent.sock"))
            assert os.stat(f"/proc/{process.pid}").st_uid == OTHER
            assert os.stat(f"/proc/{process.pid}/environ").st_uid == 0
            status = status_of(process.pid)
            assert status["Uid"].split() == 4 * [str(OTHER)] and status["NoNewPrivs"].strip() == "1"
            with open(f"/proc/{process.pid}/limits", encoding="ascii") as file:
                assert next(line for line in file if line.startswith("Max core file size")).split()[4:6] == ["0", "0"]
        finally:
            process.terminate()
            process.wait(30)


def few_descriptors(_):
    return ["/usr/bin/prlimit", "--nofile=256:256"]


def processor_s(agent):
    with open(f"/proc/{agent.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_nobody_takes_all_descriptors(start):
    """Each process that got a grant is one. Without any, libmicrohttpd accepts nobody, and tries all the time."""
    with public_folder() as folder:
        agent = start(agent={"socket": f"{folder}/agent.sock"}, launcher=few_descriptors,
                      grants={"other": {"profile": "main", "user": OTHER}})
        assert agent.token()
        held = agent.connection()
        while agents.ask(held, "/v1/grant?profile=main", method="POST").status == 200:
            pass
        before_s = processor_s(agent)
        assert as_user(OTHER, agent.socket, "/v1/token?profile=main")[0] == 200
        time.sleep(2)
        assert processor_s(agent) - before_s < 0.5


def test_more_connections_than_descriptors(start):
    with public_folder() as folder:
        agent = start(agent={"socket": f"{folder}/agent.sock"}, launcher=few_descriptors,
                      grants={str(uid): {"profile": "main", "user": uid} for uid in (5000, 5001)})
        with connections_of([5000, 5001], agent.socket, 200):
            wait_for(lambda: "are all that its limit of descriptors allows" in agent.log())
            before_s = processor_s(agent)
            time.sleep(2)
            assert processor_s(agent) - before_s < 0.5
        wait_for(agent.token)
