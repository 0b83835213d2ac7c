/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which request is answered by what, and what must be true of every request before anything looks at it. Over
 * TCP a browser's page could ask in its user's name, through a name that leads to this machine: so the host
 * must be this machine's by its own name, and whatever only browsers and proxies send is refused.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/agent.h"
#include "agent/endpoints.h"
#include "agent/journal.h"
#include "agent/reply.h"
#include "base/str.h"

enum { BAD_REQUEST = 400, FORBIDDEN = 403, NOT_FOUND = 404, METHOD_NOT_ALLOWED = 405 };

enum { ON_UNIX = 1, ON_TCP = 2 };

static const struct endpoint {
    const char *path;
    const char *method;
    unsigned int on; /* ON_... */
    enum dialect dialect;
    void (*answer)(struct agent *agent, struct request *request);
} endpoints[] = {
    { "/v1/token", "GET", ON_UNIX, DIALECT_NATIVE, endpoint_token },
    { "/v1/assertion", "GET", ON_UNIX, DIALECT_NATIVE, endpoint_assertion },
    { "/v1/inject", "GET", ON_UNIX, DIALECT_NATIVE, endpoint_inject },
    { "/v1/grant", "POST", ON_UNIX, DIALECT_NATIVE, endpoint_grant },
    { "/v1/status", "GET", ON_UNIX, DIALECT_NATIVE, endpoint_status },
    { "/v1/reload", "POST", ON_UNIX, DIALECT_NATIVE, endpoint_reload },
    { "/v1/forget", "POST", ON_UNIX, DIALECT_NATIVE, endpoint_forget },
    { "/v1/lock", "POST", ON_UNIX, DIALECT_NATIVE, endpoint_lock },
    { "/v1/pin", "POST", ON_UNIX, DIALECT_NATIVE, endpoint_pin },
    { "/v1/unlock", "POST", ON_UNIX, DIALECT_NATIVE, endpoint_unlock },
    { "/MSI/token", "GET", ON_UNIX | ON_TCP, DIALECT_APP_SERVICE, endpoint_app_service },
    { "/MSI/token/", "GET", ON_UNIX | ON_TCP, DIALECT_APP_SERVICE, endpoint_app_service }, /* so asks az */
    { "/metadata/identity/oauth2/token", "GET", ON_UNIX | ON_TCP, DIALECT_OAUTH, endpoint_imds },
    /* So asks MSAL for node, and so Java's SDK. */
    { "/metadata/identity/oauth2/token/", "GET", ON_UNIX | ON_TCP, DIALECT_OAUTH, endpoint_imds },
    { "//metadata/identity/oauth2/token", "GET", ON_UNIX | ON_TCP, DIALECT_OAUTH, endpoint_imds },
    { "/metrics", "GET", ON_UNIX | ON_TCP, DIALECT_OAUTH, endpoint_metrics },
    { "/healthz", "GET", ON_UNIX | ON_TCP, DIALECT_NATIVE, endpoint_healthz },
    { "/readyz", "GET", ON_UNIX | ON_TCP, DIALECT_NATIVE, endpoint_readyz },
};

static bool is_all_digits(const char *text)
{
    return text[strspn(text, "0123456789")] == '\0';
}

/* RFC 9110 §7.2: a name, and perhaps a port. */
static bool is_this_machine(const char *host)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t len = strlen(names[i]);
        char name[16] = "";

        if (strlen(host) < len) {
            continue;
        }
        memcpy(name, host, len);
        if (str_iequal(name, names[i]) &&
            (host[len] == '\0' || (host[len] == ':' && is_all_digits(host + len + 1)))) {
            return true;
        }
    }
    return false;
}

/* A name_pick. RFC 9110 §7.6.3: a proxy MUST send Via. */
static bool is_of_a_browser_or_proxy(const char *name)
{
    static const char *const names[] = { "Origin", "Forwarded", "X-Real-IP", "Via" };
    static const char *const starts[] = { "Sec-Fetch-", "X-Forwarded-" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_iequal(name, names[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        if (strncasecmp(name, starts[i], strlen(starts[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Over TCP. False: it was answered. */
static bool pass_guard(struct agent *agent, struct request *request)
{
    const char *host = NULL;
    const char *odd = request_find_header(request, is_of_a_browser_or_proxy);
    const char *why = NULL;

    if (odd != NULL) {
        why = "a browser or a proxy asks: there is such a header";
    } else if (
        request_header(request, "Host", &host, NULL) != KEYSTAY_OK || host == NULL ||
        !is_this_machine(host)) {
        why = "the Host is not localhost, 127.0.0.1 or [::1]";
    }
    if (why == NULL) {
        return true;
    }
    (void)atomic_fetch_add(&agent->counts.refused, 1);
    journal_warn(
        agent->log, "", "a request of user %u was refused: %s", (unsigned int)request_peer(request)->uid,
        why);
    reply_refusal(request, DIALECT_OAUTH, FORBIDDEN, KEYSTAY_E_USAGE, "%s", why);
    return false;
}

/* HEAD is what a health check may send. */
static bool has_method(const struct endpoint *endpoint, const char *method)
{
    return str_equal(method, endpoint->method) ||
           (str_equal(method, "HEAD") && str_equal(endpoint->method, "GET"));
}

static void refuse_method(struct request *request, const struct endpoint *endpoint)
{
    const struct answer answer = { .status = METHOD_NOT_ALLOWED, .allow = endpoint->method };

    request_answer(request, &answer);
}

void agent_handle(void *context, struct request *request)
{
    struct agent *agent = context;
    const bool is_tcp = request_peer(request)->kind == PEER_TCP;

    if (is_tcp && !pass_guard(agent, request)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        const struct endpoint *endpoint = &endpoints[i];

        if ((endpoint->on & (is_tcp ? ON_TCP : ON_UNIX)) != 0 &&
            str_equal(request_path(request), endpoint->path)) {
            if (has_method(endpoint, request_method(request))) {
                endpoint->answer(agent, request);
            } else {
                refuse_method(request, endpoint);
            }
            return;
        }
    }
    reply_refusal(request, DIALECT_OAUTH, NOT_FOUND, KEYSTAY_E_USAGE, "there is nothing here");
}
