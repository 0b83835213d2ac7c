// SPDX-License-Identifier: Apache-2.0
//
// One access token through Microsoft's libraries: usage: node azure.mjs MODULES CONFIG.json
//
// AZURE_AUTHORITY_HOST, AZURE_TENANT_ID and AZURE_CLIENT_ID say where and as whom, as in a pod. CONFIG has scope and
// way: "file" is WorkloadIdentityCredential, with an assertion in AZURE_FEDERATED_TOKEN_FILE; "command" is
// ClientAssertionCredential, with one that CONFIG's command (an array) prints; "certificate" is MSAL with one that it
// signs itself, with CONFIG's certificate (as MSAL takes it: a thumbprint and the private key). What comes out is a
// line on stdout: the token, or the message of the error that the library threw.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';

const [modules, configPath] = process.argv.slice(2);
const config = JSON.parse(readFileSync(configPath, 'utf8'));
const load = createRequire(path.join(modules, 'azure.mjs'));
const { AZURE_AUTHORITY_HOST: host, AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: client } = process.env;
const options = { disableInstanceDiscovery: true }; // the real service knows nothing of this host

async function assertionOfCommand() {
  const [program, ...args] = config.command;
  return (await promisify(execFile)(program, args)).stdout.trim();
}

async function askAzureIdentity(credential) {
  return (await credential.getToken(config.scope)).token;
}

async function askMsal() {
  const { ConfidentialClientApplication } = load('@azure/msal-node');
  const application = new ConfidentialClientApplication({
    auth: {
      clientId: client,
      authority: `${host}/${tenant}`,
      knownAuthorities: [new URL(host).host],
      clientCertificate: config.certificate,
    },
  });
  return (await application.acquireTokenByClientCredential({ scopes: [config.scope] })).accessToken;
}

const ways = {
  file: () => askAzureIdentity(new (load('@azure/identity').WorkloadIdentityCredential)(options)),
  command: () => askAzureIdentity(new (load('@azure/identity').ClientAssertionCredential)(
    tenant, client, assertionOfCommand, options)),
  certificate: askMsal,
};

const answer = await ways[config.way]().then((token) => ({ token }), (error) => ({ error: error.message }));
process.stdout.write(`${JSON.stringify(answer)}\n`);
