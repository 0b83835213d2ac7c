# SPDX-License-Identifier: Apache-2.0
"""A server whose tokens live for seconds, and which may be away for a while."""

import pytest

from cli import DOMAIN, TENANT
from harness import AuthServer


class Server:
    """Begins again at the same address."""

    def __init__(self, folder, clients, life_s):
        self._arguments, self._life_s, self._address = (folder, [f"{TENANT}={DOMAIN}"], clients), life_s, "127.0.0.1:0"
        self.begin()

    def begin(self):
        self.real = AuthServer(*self._arguments,
                               options=["--token-lifetime", str(self._life_s), "--listen", self._address])
        self._address = f"127.0.0.1:{self.real.port}"

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
