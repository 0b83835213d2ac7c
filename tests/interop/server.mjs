// SPDX-License-Identifier: Apache-2.0
//
// node-oidc-provider as an authorization server on a loopback port: usage: node server.mjs MODULES CONFIG.json
//
// CONFIG has tls (path of a PEM with key and certificate, or null for plain http), clients (as the provider takes
// them), algs (what it takes for private_key_jwt) and is_bis: hold clients to RFC 7523bis, one audience that is the
// issuer and the typ of its own. Each line on stdout is an event: the first says where it listens, then one for each
// opaque token that was issued and each request that was refused. It ends when stdin ends.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, configPath] = process.argv.slice(2);
const config = JSON.parse(readFileSync(configPath, 'utf8'));
console.info = console.error; // stdout is for events
console.log = console.error;
const library = pathToFileURL(path.join(modules, 'oidc-provider/lib/index.js'));
const { default: Provider, errors } = await import(library);

function say(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

function listen() {
  const pem = config.tls && readFileSync(config.tls);
  const server = pem ? https.createServer({ key: pem, cert: pem }) : http.createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

function holdToBis(issuer, claims, header) {
  if (claims.aud !== issuer || header.typ !== 'client-authentication+jwt') {
    throw new errors.InvalidClientAuth(`not as RFC 7523bis wants it: aud ${claims.aud}, typ ${header.typ}`);
  }
}

function configuration(issuer) {
  return {
    clients: config.clients,
    scopes: ['read', 'write'],
    ttl: { ClientCredentials: 600 },
    clientAuthMethods: ['private_key_jwt'],
    enabledJWA: { clientAuthSigningAlgValues: config.algs },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, resource) => ({
          scope: 'read write', audience: resource, accessTokenTTL: 600, accessTokenFormat: 'jwt',
        }),
      },
    },
    assertJwtClientAuthClaimsAndHeader: (ctx, claims, header) => {
      if (config.is_bis) {
        holdToBis(issuer, claims, header);
      }
    },
  };
}

const server = await listen();
const issuer = `${config.tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, configuration(issuer));
provider.on('client_credentials.saved', (token) => say({
  issued: token.jti, client: token.clientId, scope: token.scope ?? null,
}));
provider.on('grant.error', (ctx, error) => say({ refused: error.message, detail: error.error_detail ?? null }));
server.on('request', provider.callback());
process.stdin.on('end', () => process.exit(0)).resume();
say({ issuer });
