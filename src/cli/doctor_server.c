/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to the server, and the server itself as far as it shows without a credential: name, connection,
 * TLS, clock, and what it says of itself.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/doctor.h"
#include "core/client.h"
#include "crypto/certificate.h"
#include "http/date.h"
#include "http/probe.h"
#include "http/url.h"

enum {
    SKEW_WARNING_S = 60,
    SERVER_END_WARNING_S =
        7 * 24 * 60 * 60, /* certificates that are renewed by a program are renewed before */
};

/* Whether the profile names one; a look at the token alone needs none. */
static bool names_a_server(const struct keystay_profile *profile)
{
    static const enum setting_id settings[] = { SETTING_AUTHORITY, SETTING_TENANT, SETTING_ISSUER,
                                                SETTING_TOKEN_ENDPOINT, SETTING_CLIENT_ID };

    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        if (profile_text(profile, settings[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static bool check_settings(struct doctor *doctor)
{
    struct session *session = doctor->session;
    const struct keystay_profile *profile = doctor->cli->profile;
    struct keystay_error error = { 0 };

    if (!names_a_server(profile)) {
        doctor_tell(
            doctor, DOCTOR_SERVER, DOCTOR_WARN, "give --tenant and --client-id, or a profile that has them",
            "no server is configured: no signature was tried");
        return false;
    }
    if (session_prepare(doctor->cli, session, &error) != KEYSTAY_OK) {
        doctor_fail(doctor, DOCTOR_SERVER, &error);
        return false;
    }
    const struct provider_plan *plan = &session->client->plan;
    doctor_tell(
        doctor, DOCTOR_SERVER, DOCTOR_OK, NULL, "provider %s: %s %s", profile_text(profile, SETTING_PROVIDER),
        plan->needs_discovery ? "what the issuer says of itself is asked of" : "tokens are asked from",
        plan->needs_discovery ? plan->issuer : plan->token_endpoint);
    return true;
}

static void tell_proxy(struct doctor *doctor, const struct probe *probe)
{
    switch (probe->proxy) {
    case PROBE_PROXY_NONE:
        doctor_tell(
            doctor, DOCTOR_PROXY, DOCTOR_OK, NULL, "%s",
            probe->is_plain ? "none: what is not encrypted stays on this machine" : "none is configured");
        break;
    case PROBE_PROXY_PASSED_BY:
        doctor_tell(
            doctor, DOCTOR_PROXY, DOCTOR_OK, NULL, "none for '%s': NO_PROXY is '%s'", probe->host,
            probe->no_proxy);
        break;
    case PROBE_PROXY_USED:
        doctor_tell(
            doctor, DOCTOR_PROXY, DOCTOR_OK, NULL, "through %s, as %s says", probe->proxy_url,
            probe->proxy_variable);
        break;
    case PROBE_PROXY_UNKNOWN:
        doctor_tell(
            doctor, DOCTOR_PROXY, DOCTOR_OK, NULL, "%s names %s%s%s%s", probe->proxy_variable,
            probe->proxy_url, probe->no_proxy[0] == '\0' ? "" : ", NO_PROXY excepts '", probe->no_proxy,
            probe->no_proxy[0] == '\0' ? "" : "'");
        break;
    }
}

static void tell_address(struct doctor *doctor, const struct probe *probe)
{
    if (probe->proxy == PROBE_PROXY_USED) {
        doctor_tell(doctor, DOCTOR_DNS, DOCTOR_OK, NULL, "the proxy looks '%s' up", probe->host);
    } else if (probe->proxy == PROBE_PROXY_UNKNOWN) {
        doctor_tell(doctor, DOCTOR_DNS, DOCTOR_OK, NULL, "the proxy, or '%s', has an address", probe->host);
    } else if (probe->address[0] == '\0') {
        doctor_tell(doctor, DOCTOR_DNS, DOCTOR_OK, NULL, "'%s' has an address", probe->host);
    } else if (str_equal(probe->address, probe->host)) {
        doctor_tell(doctor, DOCTOR_DNS, DOCTOR_OK, NULL, "%s is an address: no look-up", probe->host);
    } else {
        doctor_tell(doctor, DOCTOR_DNS, DOCTOR_OK, NULL, "'%s' is %s", probe->host, probe->address);
    }
}

/* The server's certificate in words; false when it showed none that can be read. */
static bool describe_certificate(
    const struct probe *probe, char *ret_text, size_t size, int64_t *ret_from_s, int64_t *ret_to_s)
{
    CLEANUP(certificate_freep) struct certificate *certificate = NULL;
    char end[CLOCK_TEXT_SIZE];

    if (certificate_parse(buf_slice(&probe->certificate), &certificate, NULL) != KEYSTAY_OK) {
        return false;
    }
    *ret_from_s = certificate_not_before_s(certificate);
    *ret_to_s = certificate_not_after_s(certificate);
    clock_format_utc(*ret_to_s, end);
    (void)snprintf(
        ret_text, size, "certificate '%s', issued by '%s', until %s", certificate_subject(certificate),
        certificate_issuer(certificate), end);
    return true;
}

static void tell_tls(struct doctor *doctor, const struct probe *probe)
{
    char text[800];
    int64_t from_s = 0;
    int64_t to_s = 0;

    if (probe->is_plain) {
        doctor_tell(
            doctor, DOCTOR_TLS, DOCTOR_WARN, "it is for tests: --allow-http-loopback",
            "none: the server speaks plain http, on this machine");
    } else if (!describe_certificate(probe, text, sizeof(text), &from_s, &to_s)) {
        doctor_tell(doctor, DOCTOR_TLS, DOCTOR_OK, NULL, "the server is trusted");
    } else if (to_s - clock_now_s() < SERVER_END_WARNING_S) {
        doctor_tell(
            doctor, DOCTOR_TLS, DOCTOR_WARN, "whoever runs the server has to renew it in time",
            "the server is trusted, but its %s", text);
    } else {
        doctor_tell(doctor, DOCTOR_TLS, DOCTOR_OK, NULL, "the server is trusted: %s", text);
    }
}

/* What the server showed says more than what is wrong with it. */
static void explain_tls(const struct probe *probe, struct keystay_error *error)
{
    const int64_t now_s = clock_now_s();
    char text[800];
    int64_t from_s = 0;
    int64_t to_s = 0;

    if (!describe_certificate(probe, text, sizeof(text), &from_s, &to_s)) {
        return;
    }
    err_append(error, "; it shows the %s", text);
    if (now_s > to_s) {
        (void)err_hint(
            error, error->status,
            "whoever runs the server has to renew it; or is this machine's clock wrong?");
    } else if (now_s < from_s) {
        (void)err_hint(
            error, error->status, "is this machine's clock right? the certificate is not valid yet");
    }
}

/* An assertion has to be good at the moment when it arrives, by the server's clock. */
static bool check_clock(struct doctor *doctor, const struct probe *probe, int64_t lifetime_s)
{
    static const char hint[] = "set this machine's clock (timedatectl, chronyc tracking)";
    struct keystay_error error = { 0 };
    int64_t server_s = 0;

    if (!http_date_parse(probe->date, &server_s)) {
        doctor_tell(doctor, DOCTOR_CLOCK, DOCTOR_WARN, NULL, "the server does not tell its time (Date)");
        return true;
    }
    const int64_t behind_s = server_s - clock_now_s();
    const int64_t span_s = behind_s < 0 ? -behind_s : behind_s;
    const char *const side = behind_s < 0 ? "ahead of" : "behind";
    if (span_s > lifetime_s) {
        (void)err_set_hint(
            &error, KEYSTAY_E_SERVER_REFUSED, hint,
            "this machine's clock is %" PRId64 " s %s the server's: an assertion of %" PRId64 " s %s", span_s,
            side, lifetime_s,
            behind_s < 0 ? "is still to come when it arrives" : "is over before it arrives");
        doctor_fail(doctor, DOCTOR_CLOCK, &error);
        return false;
    }
    if (span_s <= 1) { /* Date has no more than seconds */
        doctor_tell(doctor, DOCTOR_CLOCK, DOCTOR_OK, NULL, "this machine's clock is the server's");
        return true;
    }
    doctor_tell(
        doctor, DOCTOR_CLOCK, span_s > SKEW_WARNING_S ? DOCTOR_WARN : DOCTOR_OK,
        span_s > SKEW_WARNING_S ? hint : NULL, "this machine's clock is %" PRId64 " s %s the server's",
        span_s, side);
    return true;
}

/* The step that a way ended in. */
static enum doctor_step step_of(enum probe_stage stage)
{
    static const enum doctor_step steps[] = {
        [PROBE_NOWHERE] = DOCTOR_DNS,  [PROBE_NAMED] = DOCTOR_CONNECTION, [PROBE_CONNECTED] = DOCTOR_TLS,
        [PROBE_SECURE] = DOCTOR_CLOCK, [PROBE_ANSWERED] = DOCTOR_CLOCK,
    };

    return steps[stage];
}

/* From the proxy to the clock. Whether the server was reached, and an assertion can arrive in its time. */
static bool check_way(struct doctor *doctor, const char *url)
{
    CLEANUP(probe_clear) struct probe probe = { 0 };
    const struct keystay_client *client = doctor->session->client;
    struct keystay_error error = { 0 };
    enum keystay_status status = http_curl_probe(client->transport, url, &probe, &error);

    tell_proxy(doctor, &probe);
    if (probe.stage >= PROBE_NAMED) {
        tell_address(doctor, &probe);
    }
    if (probe.stage >= PROBE_CONNECTED) {
        doctor_tell(
            doctor, DOCTOR_CONNECTION, DOCTOR_OK, NULL, "%s port %ld answers%s", probe.address, probe.port,
            probe.proxy == PROBE_PROXY_USED ? ", which is the proxy" : "");
    }
    if (probe.stage >= PROBE_SECURE) {
        tell_tls(doctor, &probe);
    }
    if (status != KEYSTAY_OK) {
        if (probe.stage == PROBE_CONNECTED) {
            explain_tls(&probe, &error);
        }
        doctor_fail(doctor, step_of(probe.stage), &error);
        doctor_skip(doctor, step_of(probe.stage) + 1, DOCTOR_CLOCK, "the server was not reached");
        return false;
    }
    return check_clock(doctor, &probe, client->plan.lifetime_s);
}

static bool check_metadata(struct doctor *doctor)
{
    CLEANUP(http_response_clear) struct http_response response = { 0 };
    struct keystay_client *client = doctor->session->client;
    const struct provider_request request = client_request(client);
    struct provider_plan plan = client->plan;
    struct keystay_error error = { 0 };

    if (!plan.needs_discovery) {
        doctor_tell(
            doctor, DOCTOR_METADATA, DOCTOR_OK, NULL,
            "not needed: the token endpoint follows from the settings");
        return true;
    }
    if (client_complete_plan(client, &request, 0, &response, &plan, &error) != KEYSTAY_OK) {
        doctor_fail(doctor, DOCTOR_METADATA, &error);
        return false;
    }
    doctor_tell(
        doctor, DOCTOR_METADATA, DOCTOR_OK, NULL,
        "the issuer is the one that was asked for; its token endpoint is %s", plan.token_endpoint);
    return true;
}

/* Its metadata may name an endpoint elsewhere. */
static bool check_servers(struct doctor *doctor)
{
    const struct keystay_client *client = doctor->session->client;
    const bool needs_discovery = client->plan.needs_discovery;

    if (!check_way(doctor, needs_discovery ? client->plan.issuer : client->plan.token_endpoint)) {
        doctor_skip(doctor, DOCTOR_METADATA, DOCTOR_METADATA, "see above");
        return false;
    }
    if (!check_metadata(doctor)) {
        return false;
    }
    const char *endpoint = client_token_endpoint(client);
    return !needs_discovery || url_same_origin(client->plan.issuer, endpoint) || check_way(doctor, endpoint);
}

bool doctor_look_at_server(struct doctor *doctor)
{
    if (!check_settings(doctor)) {
        doctor_skip(doctor, DOCTOR_PROXY, DOCTOR_METADATA, "the server's settings come first");
        return false;
    }
    if (doctor->is_offline) {
        doctor_skip(doctor, DOCTOR_PROXY, DOCTOR_METADATA, "--offline");
        return false;
    }
    return check_servers(doctor);
}
