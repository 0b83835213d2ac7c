# SPDX-License-Identifier: Apache-2.0
"""Under a service manager: its units, its sockets, what it is told, the PIN that it hands over."""

import http.client
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

import agent as agents
from ports import free_port

CONFINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "confine.py")
UNITS = os.path.join(os.path.dirname(agents.AGENT), "../../systemd")  # where the build makes them
# 0 is nothing to expose, 100 everything: what is left is the network, and that callers and their units are seen.
EXPOSURE_MOST = 20


@pytest.fixture(scope="module")
def units():
    """unit(kind, name): its text, with the agent that was built for the one that would be installed."""
    def read(kind, name):
        with open(os.path.join(UNITS, f"{kind}-{name}"), encoding="utf-8") as file:
            text = file.read()
        return re.sub(r"^(ExecStart=)\S+/keystay-agent", r"\g<1>" + agents.AGENT, text, flags=re.MULTILINE)
    return read


@pytest.fixture
def folder_of(units, tmp_path):
    def write(kind):
        for name in ("keystay-agent.service", "keystay-agent.socket"):
            (tmp_path / name).write_text(units(kind, name))
        return tmp_path
    return write


def analyze(*arguments, folder):
    return subprocess.run(
        ["systemd-analyze", *arguments], cwd=folder, env=os.environ | {"XDG_RUNTIME_DIR": str(folder), "LC_ALL": "C"},
        capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("kind", ["system", "user"])
def test_systemd_understands_the_units(folder_of, kind):
    result = analyze(f"--{kind}", "--man=no", "verify", "keystay-agent.service", "keystay-agent.socket",
                     folder=folder_of(kind))
    assert result.returncode == 0 and "keystay-agent" not in result.stderr, result


def test_a_unit_that_systemd_does_not_understand_is_seen(folder_of):
    folder = folder_of("system")
    with open(folder / "keystay-agent.service", "a", encoding="utf-8") as file:
        file.write("[Service]\nNoSuchSetting=yes\n")
    result = analyze("--man=no", "verify", "keystay-agent.service", folder=folder)
    assert "keystay-agent.service" in result.stderr and "NoSuchSetting" in result.stderr


def test_little_is_exposed(folder_of):
    folder = folder_of("system")
    result = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MOST}", "./keystay-agent.service",
                     folder=folder)
    assert result.returncode == 0, result.stdout


def test_every_place_in_the_units_is_filled_in(units):
    for kind in ("system", "user"):
        for name in ("keystay-agent.service", "keystay-agent.socket"):
            assert not re.search(r"@\w+@", units(kind, name))
        assert f"ExecStart={agents.AGENT}" in units(kind, "keystay-agent.service")


@pytest.mark.parametrize("kind", ["system", "user"])
def test_it_works_under_the_filter_of_its_unit(start, folder_of, kind):
    unit = folder_of(kind) / "keystay-agent.service"
    agent = start(launcher=lambda _: [sys.executable, CONFINE, str(unit)], agent={"listen": ["127.0.0.1:0", "[::1]:0"]})
    assert agent.token() and agent.tcp("/healthz").status == 200
    os.kill(agent.children()[0], signal.SIGKILL)
    assert agent.post("/v1/forget").status == 200 and agent.token()  # by another process


def test_the_filter_is_the_units(folder_of):
    unit = folder_of("system") / "keystay-agent.service"
    tries = """if True:
        import mmap, os, socket
        def is_denied(work):
            try:
                work()
            except PermissionError:
                return True
            return False
        assert not is_denied(lambda: socket.socket(socket.AF_INET6))
        assert is_denied(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        assert is_denied(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC))
        assert is_denied(lambda: os.chroot("/"))
    """
    done = subprocess.run([sys.executable, CONFINE, str(unit), sys.executable, "-c", tries], capture_output=True)
    assert done.returncode == 0, done


def has_libsystemd():
    with open(agents.AGENT, "rb") as file:
        return b"libsystemd.so" in file.read()


under_a_manager = pytest.mark.skipif(not has_libsystemd(), reason="the agent was built without libsystemd")


class Manager:
    """What hears the agent's messages in systemd's place."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(60)
        self.heard = []

    def hear(self, line):
        """Until a message has that line; says which message."""
        while True:
            message = self._socket.recv(4096).decode().splitlines()
            self.heard.append(message)
            if line in message:
                return message

    def close(self):
        self._socket.close()


@pytest.fixture
def manager():
    with tempfile.TemporaryDirectory(prefix="keystay-notify-") as folder:
        one = Manager(folder)
        yield one
        one.close()


@under_a_manager
def test_it_says_when_it_is_ready_reloading_and_stopping(start, manager):
    agent = start(env={"NOTIFY_SOCKET": manager.path})
    assert manager.hear("READY=1") and manager.heard[0][0] == "READY=1"
    agent.reload()
    said = manager.hear("RELOADING=1")
    assert any(line.startswith("MONOTONIC_USEC=") for line in said)
    manager.hear("READY=1")
    agent.write_config({"main": {"timeout": "soon"}})
    agent.reload()
    manager.hear("RELOADING=1")
    manager.hear("READY=1")  # with what it had
    agent.process.send_signal(signal.SIGTERM)
    manager.hear("STOPPING=1")


@under_a_manager
def test_the_watchdog_hears_of_it(start, manager):
    start(env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "3000000"})
    for _ in range(2):
        manager.hear("WATCHDOG=1")


@under_a_manager
def test_no_watchdog_no_message(start, manager):
    agent = start(env={"NOTIFY_SOCKET": manager.path})
    time.sleep(2.5)  # it would say so each second
    agent.process.send_signal(signal.SIGTERM)
    manager.hear("STOPPING=1")
    assert ["WATCHDOG=1"] not in manager.heard


def test_its_processes_cannot_speak_for_it(start, manager, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    agent = start(env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "3000000",
                       "CREDENTIALS_DIRECTORY": str(credentials)})
    agent.token()
    with open(f"/proc/{agent.children()[0]}/environ", "rb") as file:
        names = {line.split(b"=")[0] for line in file.read().split(b"\0")}
    assert not names & {b"NOTIFY_SOCKET", b"WATCHDOG_USEC", b"CREDENTIALS_DIRECTORY", b"LISTEN_FDS"}, names


def test_the_pin_is_a_credential(start, main_folder, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.mkdir(mode=0o700)
    pin = credentials / "pin"
    pin.write_text(main_folder.pin)
    pin.chmod(0o400)
    agent = start(profiles={"main": {"pin_source": "credential:pin"}}, env={"CREDENTIALS_DIRECTORY": str(credentials)})
    assert agent.token()


def test_a_credential_that_is_not_there(start, tmp_path):
    agent = start(profiles={"main": {"pin_source": "credential:pin"}}, env={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    answer = agent.get("/v1/token?profile=main")
    assert answer.status == 400 and "/pin' cannot be opened" in answer.json["message"], answer


def test_why_it_does_not_start_is_an_error_in_the_journal(tmp_path):
    with open(tmp_path / "log", "w+", encoding="utf-8") as log:
        about = os.fstat(log.fileno())
        subprocess.run([agents.AGENT, "--config", "/nonexistent"], stderr=log, timeout=60, check=False,
                       env=os.environ | {"JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}"})
        log.seek(0)
        lines = log.readlines()
    assert "/nonexistent" in lines[0] and all(line.startswith("<3>") for line in lines), lines


def activated(*more):
    """A launcher: systemd's own tool, which opens the sockets and starts the agent when somebody knocks."""
    def words(agent):
        passed = [f"--setenv={name}={value}" for name, value in agent.environment().items()]
        return ["systemd-socket-activate", f"--listen={agent.socket}", *[f"--listen={one}" for one in more], *passed]
    return words


@under_a_manager
def test_it_serves_the_sockets_that_it_is_handed(start):
    agent = start(launcher=activated(), socket_stays=True)
    assert agent.status()["listening"] == [agent.socket]
    assert agent.token() == agent.token()


@under_a_manager
def test_a_tcp_socket_of_this_machine_too(start):
    port = free_port()
    agent = start(launcher=activated(f"127.0.0.1:{port}"), socket_stays=True)
    assert agent.status()["listening"] == [agent.socket, f"127.0.0.1:{port}"]
    assert agent.tcp("/healthz").status == 200


@pytest.fixture(params=[socket.AF_UNIX, socket.AF_INET])
def theirs(request, tmp_path):
    """A socket as a service manager has it."""
    with socket.socket(request.param) as theirs_:
        theirs_.bind(str(tmp_path / "theirs.sock") if request.param == socket.AF_UNIX else ("127.0.0.1", 0))
        theirs_.listen()
        yield theirs_


@under_a_manager
def test_a_managers_socket_outlives_it(start, theirs):
    """Also one that has no descriptor left when it ends."""
    agent = start()
    serve_and_end(theirs, agent)
    serve_and_end(theirs, agent, take_descriptors)
    serve_and_end(theirs, agent)


@under_a_manager
def test_a_managers_socket_that_is_shut_down_is_its_end(start, theirs):
    """It would serve nobody, and libmicrohttpd would look for callers without a pause."""
    agent = start()
    process = serve(theirs, agent, stderr=subprocess.PIPE, text=True)
    theirs.shutdown(socket.SHUT_RDWR)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 70 and "was shut down by another program" in err and "try: " in err, err


def take_descriptors(process):
    """All but the one that was handed over."""
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (4, 4))


HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.execve(sys.argv[2], sys.argv[2:], os.environ | {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})
"""


def serve(theirs, agent, **options):
    process = subprocess.Popen(
        [sys.executable, "-c", HAND_OVER, str(theirs.fileno()), agents.AGENT, "--config", agent.config_path],
        env=agent.environment(), stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], **options)
    with socket.socket(theirs.family) as caller:
        caller.settimeout(60)
        caller.connect(theirs.getsockname())
        caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert caller.recv(100).startswith(b"HTTP/1.1 200 ")
    return process


def serve_and_end(theirs, agent, before_end=lambda process: None):
    process = serve(theirs, agent)
    before_end(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0


@under_a_manager
def test_a_socket_that_others_reach_is_refused(tmp_path, start):
    agent = start()
    port = free_port()
    process = subprocess.Popen(
        ["systemd-socket-activate", f"--listen=0.0.0.0:{port}", agents.AGENT, "--config", agent.config_path],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        knock(port)
        time.sleep(0.05)
    assert process.wait(timeout=60) == 3
    assert "of this machine alone" in process.communicate()[1]


def knock(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()
