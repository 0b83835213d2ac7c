# SPDX-License-Identifier: Apache-2.0
"""An access token from a managed identity, through azure-identity for Python: usage: identity.py WAY SCOPE

As identity.mjs: what comes out is a line on stdout.
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


def ask(way, scope):
    try:
        answer = WAYS[way]().get_token(scope)
        return {"token": answer.token, "ends": answer.expires_on}
    except Exception as error:  # whatever the library throws
        return {"error": str(error)}


print(json.dumps(ask(*sys.argv[1:])))
