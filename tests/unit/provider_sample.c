/* SPDX-License-Identifier: Apache-2.0 */
#include "provider_sample.h"

#include "base/str.h"
#include "unit.h"

struct provider_request provider_sample(const char *provider)
{
    static const struct provider_request rows[] = {
        { .provider = "entra", .tenant = "contoso.example", .client_id = "c", .scope = "api://x/.default" },
        { .provider = "adfs",
          .authority = "fs.example",
          .client_id = "c",
          .resource = "https://api.example/" },
        { .provider = "oidc",
          .issuer = "https://as.example/",
          .token_endpoint = "https://as.example/token",
          .client_id = "c" },
        { .provider = "keycloak", .issuer = "https://kc.example/realms/one", .client_id = "c" },
        { .provider = "okta",
          .issuer = "https://o.okta.com/oauth2/default",
          .client_id = "c",
          .scope = "a b" },
        { .provider = "auth0",
          .authority = "t.eu.auth0.com",
          .client_id = "c",
          .resource = "https://api.example/" },
        { .provider = "google-sa",
          .client_id = "sa@p.iam.gserviceaccount.com",
          .scope = "https://s/a https://s/b" },
        { .provider = "maskinporten", .client_id = "c", .scope = "ks:test" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (str_equal(rows[i].provider, provider)) {
            return rows[i];
        }
    }
    fail_msg("no sample of %s", provider);
    return rows[0];
}
