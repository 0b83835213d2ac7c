# SPDX-License-Identifier: Apache-2.0
"""As much of Azure's resource manager as az asks at a login: one subscription, for whoever has the right token."""

import http.server
import json
import ssl
import threading

SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"


class ResourceManager:
    """tls: the CA to trust, and key and certificate."""

    def __init__(self, tls, tenant):
        arm = self
        self.cacert, pem = tls
        self.authorizations = []
        subscription = {"id": f"/subscriptions/{SUBSCRIPTION}", "subscriptionId": SUBSCRIPTION, "tenantId": tenant,
                        "displayName": "keystay", "state": "Enabled", "managedByTenants": [],
                        "authorizationSource": "RoleBased", "subscriptionPolicies": {}}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                arm.authorizations.append(self.headers["Authorization"])
                found = {"value": [subscription] if self.path.startswith("/subscriptions?") else []}
                body = json.dumps(found).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
