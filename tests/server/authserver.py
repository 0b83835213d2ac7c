#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A strict OAuth 2.0 authorization server for tests: Entra's token endpoints on a loopback port.

It verifies client assertions with code that is not keystay's (python3-cryptography) and can be told to
misbehave. This file is the command line and the life of the process: make what is needed in --dir, listen,
write ready.json, wait for a signal. It must never listen on anything but loopback, and never print a
secret.
"""

import argparse
import ctypes
import json
import os
import signal
import sys
import threading
import time
import uuid

from cryptography import x509

import pki
from entra import Directory, Entra
from misbehave import Script
from record import Log
from service import Server, Services, tls_context
from tokens import Issuer

PR_SET_PDEATHSIG = 1
POLL_S = 0.02  # how long a shutdown may wait
END_SIGNALS = {signal.SIGTERM, signal.SIGINT}


def _listen(text):
    host, _, port = text.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _tenant(text):
    tenant_id, _, domain = text.partition("=")
    return str(uuid.UUID(tenant_id)), domain.lower()


def _client(text):
    client_id, equals, path = text.partition("=")
    if not client_id or not equals:
        raise argparse.ArgumentTypeError(f"{text}: not of the form CLIENT_ID=CERT.pem")
    try:
        with open(path, "rb") as file:
            return client_id, x509.load_pem_x509_certificate(file.read())
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from error


def _parse_arguments(arguments):
    parser = argparse.ArgumentParser(description="A strict local OAuth 2.0 authorization server for tests.")
    parser.add_argument("--dir", required=True, help="folder for ca.pem, server.pem and ready.json")
    parser.add_argument("--listen", type=_listen, default="127.0.0.1:0", metavar="ADDRESS:PORT",
                        help="loopback address and port; port 0 takes a free one (%(default)s)")
    parser.add_argument("--tenant", type=_tenant, action="append", default=[], metavar="UUID[=DOMAIN]",
                        help="a tenant; may be repeated; without it every tenant is unknown")
    parser.add_argument("--client", type=_client, action="append", default=[], metavar="CLIENT_ID=CERT.pem",
                        help="a client of all tenants; may be repeated, for one client as well")
    parser.add_argument("--token-lifetime", type=int, default=3600, metavar="SECONDS",
                        help="lifetime of access tokens (%(default)s)")
    parser.add_argument("--clock-offset", type=float, default=0, metavar="SECONDS",
                        help="let the server's clock be fast, or, if negative, slow (%(default)s)")
    parser.add_argument("--control", action="store_true", help="serve /__script, /__log and /__healthz")
    parser.add_argument("--die-with-parent", action="store_true", help="end when the starting process ends")
    parser.add_argument("--verbose", action="store_true", help="a line on stderr for each request")
    return parser, parser.parse_args(arguments)


def _directory(options):
    tenants, clients = {}, {}
    for tenant_id, domain in options.tenant:
        tenants[tenant_id] = tenant_id
        if domain:
            tenants[domain] = tenant_id
    for client_id, certificate in options.client:
        clients.setdefault(client_id, []).append(certificate)
    return Directory(tenants, clients)


def _die_with_parent():
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    except (OSError, AttributeError):
        pass  # not Linux: whoever started the server ends it


def _write_ready(path, server, ca_path):
    ready = {"url": server.url, "port": server.server_port, "pid": os.getpid(), "cacert": ca_path}
    pki.write_atomically(path, json.dumps(ready).encode("utf-8"))


def _make_server(options, folder):
    ca_path, server_path = pki.prepare(folder)

    def clock():
        return time.time() + options.clock_offset

    endpoints = Entra(_directory(options), Issuer(options.token_lifetime), clock)
    services = Services(endpoints, Script(), Log(), options.control)
    host, port = options.listen
    return Server(host, port, tls_context(server_path), services, clock, options.verbose), ca_path


def _serve_until_signal(server):
    threading.Thread(target=server.serve_forever, args=[POLL_S], daemon=True).start()
    signal.sigwait(END_SIGNALS)
    server.shutdown()
    server.server_close()


def main(arguments):
    parser, options = _parse_arguments(arguments)
    if options.die_with_parent:
        _die_with_parent()
    signal.pthread_sigmask(signal.SIG_BLOCK, END_SIGNALS)  # in all threads; sigwait takes them
    folder = os.path.abspath(options.dir)
    ready_path = os.path.join(folder, "ready.json")
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        if os.path.exists(ready_path):
            os.unlink(ready_path)
        server, ca_path = _make_server(options, folder)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    _write_ready(ready_path, server, ca_path)
    _serve_until_signal(server)
    os.unlink(ready_path)


if __name__ == "__main__":
    main(sys.argv[1:])
