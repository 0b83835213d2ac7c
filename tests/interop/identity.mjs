// SPDX-License-Identifier: Apache-2.0
//
// Access tokens from a managed identity, through Microsoft's libraries: usage: node identity.mjs MODULES WAY SCOPE
//
// The environment says whose it is. WAY: "managed" is ManagedIdentityCredential, "default" DefaultAzureCredential, "file"
// WorkloadIdentityCredential. What comes out is a line on stdout: the token and its end, or the message of the error that
// the library threw.

import { createRequire } from 'node:module';
import path from 'node:path';

const [modules, way, scope] = process.argv.slice(2);
const load = createRequire(path.join(modules, 'identity.mjs'));
const identity = load('@azure/identity');

async function ask(credential) {
  const { token, expiresOnTimestamp } = await credential.getToken(scope);
  return { token, ends: Math.floor(expiresOnTimestamp / 1000) };
}

const ways = {
  managed: () => ask(new identity.ManagedIdentityCredential({ clientId: process.env.AZURE_CLIENT_ID })),
  default: () => ask(new identity.DefaultAzureCredential()),
  file: () => ask(new identity.WorkloadIdentityCredential({ disableInstanceDiscovery: true })),
};

const answer = await ways[way]().catch((error) => ({ error: error.message }));
process.stdout.write(`${JSON.stringify(answer)}\n`);
