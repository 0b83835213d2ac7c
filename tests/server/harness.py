# SPDX-License-Identifier: Apache-2.0
"""Starts the authorization server for a test suite, talks to its control paths, and ends it.

    with AuthServer(folder, tenants=[TENANT], clients={CLIENT: ["cert.pem"]}) as server:
        server.script([{"status": 503, "headers": {"Retry-After": "1"}}])
        run_the_client(server.url, server.cacert)
        assert server.log()[0]["outcome"]["status"] == 503

The server listens once the constructor has returned. It must not outlive the test: `stop` ends it, and so
does the death of the thread that started it.
"""

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "authserver.py")
START_S = 60  # a busy machine makes keys and loads Python slowly
STOP_S = 20
POLL_S = 0.01


class AuthServer:
    def __init__(self, folder, tenants=(), clients=None, control=True, options=()):
        self._ready_path = os.path.join(folder, "ready.json")
        command = [sys.executable, PROGRAM, "--dir", str(folder), "--die-with-parent", *options]
        command += ["--control"] if control else []
        command += [f"--tenant={tenant}" for tenant in tenants]
        for client, paths in (clients or {}).items():
            command += [f"--client={client}={path}" for path in paths]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            ready = self._wait_until_ready()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        self.url, self.port, self.cacert = ready["url"], ready["port"], ready["cacert"]
        self._tls = ssl.create_default_context(cafile=self.cacert)
        self.host = self.url.removeprefix("https://").rpartition(":")[0].strip("[]")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended with status {self._process.returncode}")
            ready = self._read_ready()
            if ready:
                return ready
            time.sleep(POLL_S)
        raise TimeoutError(f"the server was not ready after {START_S} s")

    def _read_ready(self):
        """ready.json, unless it is still that of an earlier server."""
        try:
            with open(self._ready_path, encoding="utf-8") as file:
                ready = json.load(file)
        except FileNotFoundError:
            return None
        return ready if ready["pid"] == self._process.pid else None

    def connect(self, timeout_s=60):
        """A connection of its own, verified with the server's CA."""
        return http.client.HTTPSConnection(self.host, self.port, context=self._tls, timeout=timeout_s)

    def _control(self, method, path, body=None):
        connection = self.connect()
        try:
            connection.request(method, path, body=body)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"{method} {path}: {response.status} {answer.decode('utf-8')}")
        return json.loads(answer)

    def script(self, steps):
        self._control("POST", "/__script", json.dumps(steps))

    def log(self):
        return self._control("GET", "/__log")

    def clear_log(self):
        self._control("DELETE", "/__log")

    def pause(self):
        """From now on it answers nobody, until go_on."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self._process.send_signal(signal.SIGCONT)

    def wait(self):
        """The exit status of a server that was told to end; it is killed if it does not."""
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def stop(self):
        """Ends the server and returns its exit status; safe to call twice."""
        self._process.terminate()
        return self.wait()
