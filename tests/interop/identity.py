# SPDX-License-Identifier: Apache-2.0
"""An access token from a managed identity, through azure-identity for Python: usage: identity.py WAY SCOPE

As identity.mjs: what comes out is a line on stdout. For each line on stdin the same credential is asked once more.
"""

import json
import os
import sys

from azure.identity import DefaultAzureCredential, ManagedIdentityCredential


def managed():
    return ManagedIdentityCredential(client_id=os.environ.get("AZURE_CLIENT_ID"))


WAYS = {
    "managed": managed,
    "default": lambda: DefaultAzureCredential(exclude_cli_credential=True, exclude_powershell_credential=True),
    "file": managed,  # that is where this version reads AZURE_FEDERATED_TOKEN_FILE
}


def ask(credential, scope):
    try:
        answer = credential.get_token(scope)
        return {"token": answer.token, "ends": answer.expires_on}
    except Exception as error:  # whatever the library throws
        return {"error": str(error)}


def main(way, scope):
    credential = WAYS[way]()
    print(json.dumps(ask(credential, scope)), flush=True)
    for _ in sys.stdin:
        print(json.dumps(ask(credential, scope)), flush=True)


main(*sys.argv[1:])
