# SPDX-License-Identifier: Apache-2.0
"""A server whose tokens live for seconds, and which may be away for a while."""

import pytest

from cli import DOMAIN, TENANT
from harness import AuthServer
from ports import free_port


class Server:
    """Begins again at the same address."""

    def __init__(self, folder, clients, life_s):
        self._arguments = (folder, [f"{TENANT}={DOMAIN}"], clients)
        self._options = ["--token-lifetime", str(life_s), "--listen", f"127.0.0.1:{free_port()}"]
        self.begin()

    def begin(self):
        self.real = AuthServer(*self._arguments, options=self._options)

    def settings(self, **changes):
        """Of a profile whose tokens are fresh until a second before they end."""
        return {"authority": self.real.url, "cacert": self.real.cacert, "min_valid": 1, "timeout": 5} | changes

    def count(self, status=200):
        return len([entry for entry in self.real.log() if entry["outcome"]["status"] == status])


@pytest.fixture
def serve(tmp_path, registered):
    """serve(life_s): a server whose tokens live so long. They are due when half of that is over, and a tenth more."""
    servers = []

    def begin(life_s):
        servers.append(Server(tmp_path, registered, life_s))
        return servers[-1]
    yield begin
    for server in servers:
        server.real.stop()


def renewals(agent):
    found = agent.profile()["renewals"]
    return found["done"], found["failed"]
