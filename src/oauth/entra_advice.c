/* SPDX-License-Identifier: Apache-2.0 */
#include "oauth/entra_advice.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base.h"
#include "base/str.h"

struct advice_row {
    int number;
    const char *with; /* the description must have it; NULL: any */
    const char *advice;
};

static const char advice_time[] =
    "this machine's clock and the server's differ: set the clock (timedatectl, chronyc tracking)";
static const char advice_upload[] =
    "upload this certificate to the app registration (Certificates & secrets) of this tenant and cloud";
static const char advice_tenant[] =
    "check --tenant: the directory's id or a domain of it, in the cloud of --authority";
static const char advice_app[] =
    "check --client-id and --tenant: the app needs a registration or service principal in that very tenant";
static const char advice_scope[] =
    "give one resource's App ID URI: --scope <URI>/.default (v1.0: --resource <URI>)";
static const char advice_resource[] =
    "check the resource's App ID URI; its service principal must exist in this tenant and be enabled";
static const char advice_admin[] =
    "an administrator of the tenant must grant consent to the app's permissions";
static const char advice_later[] = "a fault of the service that passes: try again in a minute";
static const char advice_policy[] =
    "a Conditional Access policy blocks it: see the tenant's service principal sign-in log";
static const char advice_federated[] =
    "compare issuer, subject and audience with the app's federated credential: they must be equal to the letter";
static const char advice_mapping[] =
    "see to the app's claims mapping policy: keys, inputs and expressions (Graph: claimsMappingPolicies)";
static const char advice_mapped_claims[] =
    "give the app a signing key of its own, or set api.acceptMappedClaims and ask for the app's own id or URI";
static const char advice_report[] =
    "the request was malformed on its way: is a proxy changing it? report it with the output of --verbose";
static const char advice_secret[] =
    "a client secret arrived, and keystay sends none: is a proxy changing the request?";
static const char advice_cloud[] =
    "the tenant lives in another cloud: give that cloud's host with --authority";
static const char advice_mtls[] =
    "this host wants a TLS client certificate: use the ordinary one, https://login.microsoftonline.com";
static const char advice_mismatch[] =
    "assertion and request disagree about who asks: report this, with the output of --verbose";

/* More telling rows first: the first that fits is used. */
static const struct advice_row rows[] = {
    { 700027, "Thumbprint of key used by client", advice_upload },
    { 700027, "Key was found",
      "the certificate is registered, but the key that signed is another one: check --key and --certificate" },
    { 700027, NULL, advice_upload },
    { 700024, NULL, advice_time },
    { 700023, NULL,
      "the assertion was made for another audience: check --authority, --tenant and --audience" },
    { 700021, NULL, advice_mismatch },
    { 700026, NULL, advice_upload },
    { 50048, NULL, advice_mismatch },
    { 50027, NULL,
      "check --alg and --thumbprint: Entra takes PS256 with sha256, the older form RS256 with sha1" },
    { 5002730, NULL, "Entra takes RSA keys of 2048 bits and more, with RS256 or PS256" },
    { 5002738, NULL, "Entra takes RSA keys only: use --alg RS256 or PS256" },
    { 50012, NULL, advice_upload },
    { 50013, NULL, advice_time },
    { 500131, NULL,
      "the assertion was made for another audience: check --authority, --tenant and --audience" },
    { 500133, NULL, advice_time },
    { 700030, NULL, advice_upload },
    { 7000215, NULL, advice_secret },
    { 7000222, NULL, advice_secret },
    { 90010, NULL, "Entra takes RSA keys of 2048 bits and more, with RS256 or PS256" },
    { 50017, NULL, "the certificate's chain or its revocation list could not be checked by the server" },
    { 50032, NULL, "Entra takes RSA keys of 2048 bits and more" },
    { 7000218, NULL, advice_mismatch },
    { 700025, NULL, "the app is registered as a public client: make it a confidential one (Authentication)" },
    { 700016, NULL, advice_app },
    { 700011, NULL, advice_app },
    { 7000112, NULL, "the application is disabled: enable its service principal" },
    { 70001, NULL, advice_app },
    { 90002, NULL, advice_tenant },
    { 50059, NULL, advice_tenant },
    { 50128, NULL, advice_tenant },
    { 90019, NULL, advice_tenant },
    { 50194, NULL, advice_tenant },
    { 9001023, NULL, advice_tenant },
    { 90124, NULL, advice_tenant },
    { 90130, NULL, advice_tenant },
    { 90038, NULL, advice_cloud },
    { 900382, NULL, advice_cloud },
    { 900432, NULL, advice_cloud },
    { 50050, NULL, "check --authority: the host is not one of the service's" },
    { 50049, NULL, "check --authority: the host is not one of the service's" },
    { 70011, NULL, advice_scope },
    { 1002012, NULL, advice_scope },
    { 28002, NULL, advice_scope },
    { 28003, NULL, advice_scope },
    { 700022, NULL, advice_scope },
    { 901002, NULL, advice_scope },
    { 900144, NULL, advice_scope },
    { 90014, NULL, advice_report },
    { 9002313, NULL, advice_report },
    { 90023, NULL, advice_report },
    { 90100, NULL, advice_report },
    { 900561, NULL, advice_report },
    { 50146, NULL, advice_mapped_claims },
    { 501461, NULL, advice_mapped_claims },
    { 50003, NULL, advice_mapping },
    { 50124, NULL, advice_mapping },
    { 501241, NULL, advice_mapping },
    { 501621, NULL, advice_later },
    { 90008, NULL, "for a token for itself the app asks with its own id: --scope <client id>/.default" },
    { 90009, NULL, "for a token for itself the app asks with its own id: --scope <client id>/.default" },
    { 500011, NULL, advice_resource },
    { 50001, NULL, advice_resource },
    { 650052, NULL, advice_resource },
    { 650057, NULL, advice_resource },
    { 65001, NULL, advice_admin },
    { 90094, NULL, advice_admin },
    { 650056, NULL, advice_admin },
    { 90099, NULL, advice_admin },
    { 7000114, NULL, "the application is not allowed to ask on behalf of others" },
    { 700229, NULL, "only a token that was issued to an application serves as a federated credential" },
    { 700211, NULL, advice_federated },
    { 700212, NULL, advice_federated },
    { 700213, NULL, advice_federated },
    { 51000, NULL, advice_mtls },
    { 392189, NULL, advice_mtls },
    { 500181, NULL, advice_mtls },
    { 100007, NULL, "regional hosts are for the service's own apps: use https://login.microsoftonline.com" },
    { 53003, NULL, advice_policy },
    { 530032, NULL, advice_policy },
    { 530035, NULL, advice_policy },
    { 50196, NULL,
      "the same request came too often: keep tokens until they end instead of asking each time" },
    { 90055, NULL, "the tenant sends too many requests: wait before the next one" },
    { 90033, NULL, advice_later },
    { 90006, NULL, advice_later },
    { 90012, NULL, advice_later },
    { 90024, NULL, advice_later },
    { 90090, NULL, advice_later },
    { 50033, NULL, advice_later },
    { 51005, NULL, advice_later },
};

int entra_error_number(int64_t first_code, const char *description)
{
    static const char prefix[] = "AADSTS";

    if (first_code > 0 && first_code <= INT_MAX) {
        return (int)first_code;
    }
    if (!str_has_prefix(description, prefix)) {
        return 0;
    }
    long number = strtol(description + sizeof(prefix) - 1, NULL, 10);
    return number > 0 && number <= INT_MAX ? (int)number : 0;
}

/* "2024-05-21T06:12:24.4367117Z": the fraction does not matter. */
static bool parse_time(const char *text, int64_t *ret_time_s)
{
    static const char form[] = "0000-00-00T00:00:00";
    struct tm time = { 0 };
    char copy[sizeof(form)] = { 0 };

    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        bool is_right = form[i] == '0' ? text[i] >= '0' && text[i] <= '9' : text[i] == form[i];
        if (!is_right) {
            return false;
        }
        copy[i] = text[i];
    }
    time.tm_year = (int)strtol(copy, NULL, 10) - 1900;
    time.tm_mon = (int)strtol(copy + 5, NULL, 10) - 1;
    time.tm_mday = (int)strtol(copy + 8, NULL, 10);
    time.tm_hour = (int)strtol(copy + 11, NULL, 10);
    time.tm_min = (int)strtol(copy + 14, NULL, 10);
    time.tm_sec = (int)strtol(copy + 17, NULL, 10);
    *ret_time_s = timegm(&time);
    return true;
}

bool entra_server_time(const char *description, int64_t *ret_time_s)
{
    static const char before[] = "Current time: ";
    const char *at = strstr(description, before);

    return at != NULL && parse_time(at + sizeof(before) - 1, ret_time_s);
}

const char *entra_advice(int number, const char *description)
{
    for (size_t i = 0; number != 0 && i < ARRAY_LEN(rows); i++) {
        if (rows[i].number == number && (rows[i].with == NULL || strstr(description, rows[i].with) != NULL)) {
            return rows[i].advice;
        }
    }
    return NULL;
}
