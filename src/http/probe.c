/* SPDX-License-Identifier: Apache-2.0 */
#include "http/probe.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"
#include "http/libcurl.h"
#include "http/probe_impl.h"
#include "http/url.h"

/* In the order in which libcurl looks at them (libcurl-env(3)) for https. */
static const char *const proxy_variables[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };
static const char *const no_proxy_variables[] = { "no_proxy", "NO_PROXY" };

static const char certificate_start[] = "Cert:";

void probe_clear(struct probe *probe)
{
    buf_clear(&probe->certificate);
}

static void quote(const char *text, char *ret_text, size_t size)
{
    str_quote_foreign(slice_of_str(text), ret_text, size);
}

/* The first that is set, and its value; an empty one counts as unset. */
static const char *read_variable(const char *const *names, size_t n, const char **ret_name)
{
    for (size_t i = 0; i < n; i++) {
        const char *value = getenv(names[i]); /* NOLINT(concurrency-mt-unsafe): nobody changes it */
        if (value != NULL && value[0] != '\0') {
            *ret_name = names[i];
            return value;
        }
    }
    return NULL;
}

/* One part of a URL; "" when there is none. */
static void copy_part(CURLU *url, CURLUPart part, char *ret_text, size_t size)
{
    char *text = NULL;

    if (curl_url_get(url, part, &text, 0) == CURLUE_OK) {
        quote(text, ret_text, size);
        curl_free(text);
    }
}

/* Whoever set it may have put a password into it. */
static void copy_proxy(const char *value, struct probe *probe)
{
    CURLU *url = curl_url();

    quote("that cannot be read", probe->proxy_url, sizeof(probe->proxy_url));
    if (url != NULL &&
        curl_url_set(url, CURLUPART_URL, value, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK) {
        copy_part(url, CURLUPART_URL, probe->proxy_url, sizeof(probe->proxy_url));
    }
    curl_url_cleanup(url);
}

void probe_begin(const char *url, struct probe *probe)
{
    CURLU *parsed = curl_url();
    const char *unused = NULL;

    *probe = (struct probe){ .certificate = BUF(PROBE_CERTIFICATE_MAX), .is_plain = url_is_http(url) };
    if (parsed != NULL && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK) {
        copy_part(parsed, CURLUPART_HOST, probe->host, sizeof(probe->host));
    }
    curl_url_cleanup(parsed);
    const char *proxy = read_variable(proxy_variables, ARRAY_LEN(proxy_variables), &probe->proxy_variable);
    const char *without = read_variable(no_proxy_variables, ARRAY_LEN(no_proxy_variables), &unused);
    if (probe->is_plain || proxy == NULL) {
        probe->proxy_variable = NULL; /* in the clear nothing goes through one */
        return;
    }
    probe->proxy = PROBE_PROXY_UNKNOWN;
    copy_proxy(proxy, probe);
    quote(without == NULL ? "" : without, probe->no_proxy, sizeof(probe->no_proxy));
}

/* The address is there as soon as the connection is; a proxy that does not let it through has been reached,
 * the server has not. */
static bool is_connected(CURL *easy, CURLcode code, const struct probe *probe)
{
    long connect_status = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
    return probe->address[0] != '\0' && code != CURLE_COULDNT_CONNECT && connect_status < 300;
}

static enum probe_stage stage_of(CURL *easy, CURLcode code, const struct probe *probe)
{
    curl_off_t secure_at_us = 0; /* 0: never */

    if (code == CURLE_OK) {
        return PROBE_ANSWERED;
    }
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY) {
        return PROBE_NOWHERE;
    }
    if (!is_connected(easy, code, probe)) {
        return PROBE_NAMED;
    }
    (void)curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &secure_at_us);
    return probe->is_plain || secure_at_us > 0 ? PROBE_SECURE : PROBE_CONNECTED;
}

/* A proxy of the SOCKS kind leaves no trace. */
static enum probe_proxy proxy_of(CURL *easy, CURLcode code, const struct probe *probe)
{
    long connect_status = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
    if (probe->proxy == PROBE_PROXY_NONE) {
        return PROBE_PROXY_NONE;
    }
    if (connect_status > 0 || code == CURLE_COULDNT_RESOLVE_PROXY) {
        return PROBE_PROXY_USED;
    }
    return probe->stage >= PROBE_CONNECTED && !str_has_prefix(probe->proxy_url, "socks")
               ? PROBE_PROXY_PASSED_BY
               : PROBE_PROXY_UNKNOWN;
}

/* The first of the chain is the server's own. */
static void copy_certificate(CURL *easy, struct probe *probe)
{
    const struct curl_certinfo *chain = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == NULL ||
        chain->num_of_certs < 1) {
        return;
    }
    for (const struct curl_slist *row = chain->certinfo[0]; row != NULL; row = row->next) {
        if (str_has_prefix(row->data, certificate_start)) {
            (void)buf_puts(&probe->certificate, row->data + sizeof(certificate_start) - 1, NULL);
        }
    }
}

/*
 * Without a check whose it is, so nothing may be sent here: libcurl only connects, and the connection is
 * closed.
 */
static void look_at_certificate(const char *url, long timeout_ms, struct probe *probe)
{
    CURL *easy = curl_easy_init();

    if (easy == NULL) {
        return;
    }
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, url);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (code == CURLE_OK && curl_easy_perform(easy) == CURLE_OK) {
        copy_certificate(easy, probe);
    }
    curl_easy_cleanup(easy);
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct probe *probe = context;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

    (void)purpose;
    if (fd < 0) {
        return CURL_SOCKET_BAD;
    }
    probe->sockets[probe->n_sockets % PROBE_SOCKETS_MAX] = fd;
    probe->n_sockets++;
    return fd;
}

static void note_peer(const struct sockaddr_storage *peer, struct probe *probe)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
    bool is_v6 = peer->ss_family == AF_INET6;
    const void *address = is_v6 ? (const void *)&v6->sin6_addr : &v4->sin_addr;

    if (inet_ntop(peer->ss_family, address, probe->address, sizeof(probe->address)) != NULL) {
        probe->port = ntohs(is_v6 ? v6->sin6_port : v4->sin_port);
    }
}

/*
 * TLS begins, so one of the sockets is connected. libcurl 8 does not say where to before TLS is up, and never
 * when it fails.
 */
static CURLcode on_tls(CURL *easy, void *ssl_context, void *context)
{
    struct probe *probe = context;

    (void)easy;
    (void)ssl_context;
    for (size_t i = 0; i < probe->n_sockets && i < PROBE_SOCKETS_MAX; i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);
        if (getpeername(probe->sockets[i], (struct sockaddr *)&peer, &len) == 0) {
            note_peer(&peer, probe);
        }
    }
    return CURLE_OK;
}

CURLcode probe_prepare(CURL *easy, struct probe *probe)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);

    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, probe);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
    return code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, probe);
}

void probe_end(CURL *easy, CURLcode code, const char *url, int64_t timeout_ms, struct probe *probe)
{
    const char *address = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address) == CURLE_OK && address != NULL &&
        address[0] != '\0') {
        quote(address, probe->address, sizeof(probe->address));
        (void)curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &probe->port);
    }
    probe->stage = stage_of(easy, code, probe);
    probe->proxy = proxy_of(easy, code, probe);
    copy_certificate(easy, probe);
    if (code == CURLE_PEER_FAILED_VERIFICATION && probe->certificate.len == 0) {
        look_at_certificate(url, (long)timeout_ms, probe);
    }
}
