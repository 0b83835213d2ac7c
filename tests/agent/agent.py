# SPDX-License-Identifier: Apache-2.0
"""A running keystay-agent, and callers of it.

    agent = start(profiles={"main": {}}, agent={"listen": "127.0.0.1:0"}, grants={"ci": {...}})
    agent.get("/v1/token?profile=main").json["access_token"]        over the Unix socket
    agent.tcp("/MSI/token?...", {"X-IDENTITY-HEADER": header})      over TCP

Ending one checks that it ended well, that no secret was in its log, and that no process of it is left.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from typing import NamedTuple

import cli

AGENT = os.environ.get("AGENT", "")
SIGNER = os.environ.get("SIGNER", "")
SANITIZER_STATUS = 99


class Answer(NamedTuple):
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def token(self):
        assert self.status == 200, self
        return self.json["access_token"]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def answer(connection):
    """To what was asked on it."""
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        cli.hear(body.decode("utf-8", "replace"))
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def ask(connection, path, headers=None, method="GET", body=None):
    connection.request(method, path, body=body, headers=headers or {})
    return answer(connection)


def _section(title, values):
    lines = [f"[{title}]"]
    for name, value in values.items():
        lines += [f"{name} = {one}" for one in (value if isinstance(value, list) else [value]) if one is not None]
    return "\n".join(lines) + "\n\n"


class Agent:
    """profiles: settings besides those of the main folder and server, by name. launcher: agent -> the words that start
    it in the place of a service manager, who may keep its socket (socket_stays). journal: as if its log were systemd's.
    {folder} in a value of the configuration is the agent's."""

    def __init__(self, keystay, folder, profiles=None, agent=None, grants=None, env=None, shim=None, user=None,
                 launcher=None, socket_stays=False, verbose=True, journal=False):
        self.keystay, self.folder = keystay, str(folder)
        self.socket = (agent or {}).get("socket", os.path.join(self.folder, "agent.sock"))
        self.config_path = os.path.join(self.folder, "keystay.conf")
        self._shim, self._user, self._launcher = shim, user, launcher
        self._socket_stays = socket_stays
        self._options, self._has_journal = ["--verbose"] if verbose else [], journal
        self.write_config(profiles or {"main": {}}, agent, grants)
        self._log_path = os.path.join(self.folder, "log")
        self._env = keystay.environment({"KEYSTAY_STATE_DIR": None, "KEYSTAY_PIN_COUNT_LOW": None} | (env or {}), shim)
        if shim is not None:
            open(self._env["SHIM_COUNT"], "w", encoding="ascii").close()
        self._start()

    def write_config(self, profiles, agent=None, grants=None):
        state = os.path.join(self.folder, "state")
        defaults = {name: value for name, value in self.keystay.defaults.items() if value is not None}
        defaults |= {"signer_program": SIGNER, "state_dir": state, "pin_count_low": "try"}
        if self._shim is not None:
            defaults["module"] = cli.SHIM
        text = _section("agent", {"socket": self.socket} | (agent or {}))
        for name, changes in profiles.items():
            text += _section(f"profile {name}", defaults | changes)
        for name, values in (grants or {}).items():
            text += _section(f"grant {name}", values)
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(text.replace("{folder}", self.folder))

    def _start(self):
        self._log = open(self._log_path, "ab")
        if self._has_journal:
            about = os.fstat(self._log.fileno())
            self._env["JOURNAL_STREAM"] = f"{about.st_dev}:{about.st_ino}"
        self.process = subprocess.Popen(
            [*self._before(), AGENT, "--config", self.config_path, *self._options], env=self.environment(),
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True)
        deadline = time.monotonic() + 60
        while not self.is_answering():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def _before(self):
        return [] if self._launcher is None else self._launcher(self)

    def is_answering(self):
        try:
            return self.get("/healthz").status == 200
        except OSError:
            return False

    def log(self):
        with open(self._log_path, encoding="utf-8") as file:
            return file.read()

    def connection(self, timeout=60):
        return UnixConnection(self.socket, timeout)

    def get(self, path, headers=None, method="GET", body=None, timeout=60):
        connection = self.connection(timeout)
        try:
            return ask(connection, path, headers, method, body)
        finally:
            connection.close()

    def post(self, path, body=None):
        return self.get(path, method="POST", body=body)

    def status(self):
        answer = self.get("/v1/status")
        assert answer.status == 200, answer
        return answer.json

    def profile(self, name="main"):
        return next(profile for profile in self.status()["profiles"] if profile["name"] == name)

    def address(self):
        """Of TCP, as (host, port)."""
        return next(tuple(one.rsplit(":", 1)) for one in self.status()["listening"] if not one.startswith("/"))

    def tcp(self, path, headers=None, method="GET", host=None):
        name, port = self.address()
        connection = http.client.HTTPConnection(name.strip("[]"), int(port), timeout=60)
        try:
            connection.putrequest(method, path, skip_host=host is not None)
            for header, value in ({"Host": host} if host else {} | (headers or {})).items():
                connection.putheader(header, value)
            for header, value in (headers or {}).items() if host else ():
                connection.putheader(header, value)
            connection.endheaders()
            response = connection.getresponse()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()},
                          response.read())
        finally:
            connection.close()

    def token(self, profile="main", **arguments):
        query = "".join(f"&{name}={value}" for name, value in arguments.items())
        return self.get(f"/v1/token?profile={profile}{query}").token

    def environment(self):
        return cli.environment(self._env)

    def calls(self):
        """Of the module, when it is the shim."""
        with open(self._env["SHIM_COUNT"], encoding="utf-8") as file:
            return file.read().split()

    def children(self):
        """By the parent that each process names: lists of children are a thread's, and go to another one when it ends."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):  # it has ended
                continue
            if parent == self.process.pid:
                found.append(int(pid))
        return found

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self._log.close()
        log = self.log()
        assert status == 0, (status, log)
        assert os.path.exists(self.socket) == self._socket_stays, log
        assert self.folder and self.keystay.folder.pin not in log and "eyJ" not in log, log
        assert "Sanitizer" not in log, log


def caller(agent, changes=None):
    """What a caller of the program has around it who goes by the agent's configuration."""
    return {"KEYSTAY_CONFIG": agent.config_path, "KEYSTAY_AGENT_PROGRAM": AGENT,
            "SOFTHSM2_CONF": agent.keystay.folder.conf} | (changes or {})


def token(agent, *arguments, env=None):
    return cli.run("token", *arguments, env=caller(agent, env))


def steer(agent, *arguments, env=None):
    return cli.run("agent", *arguments, env=caller(agent, env))
