/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /metrics: OpenMetrics 1.0 for who asks for it, as Prometheus does, else the text format of before, which
 * calls a counter by another name. A table of families, each with what writes its samples.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/allow.h"
#include "agent/endpoints.h"
#include "agent/handouts.h"
#include "agent/meter.h"
#include "base/clock.h"

enum { METRICS_MAX = 4 * 1024 * 1024, SAMPLE_MAX = 256, LABEL_MAX = 512 };

static const char open_type[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";
static const char plain_type[] = "text/plain; version=0.0.4; charset=utf-8";

/* What is being written, and how it has gone so far. */
struct sheet {
    struct agent *agent;
    const struct world *world;
    struct buf *to;
    bool is_open; /* OpenMetrics */
    enum keystay_status status;
    const char *name; /* of the family */
};

static void put(struct sheet *sheet, const char *text)
{
    if (sheet->status == KEYSTAY_OK) {
        sheet->status = buf_puts(sheet->to, text, NULL);
    }
}

__attribute__((format(printf, 2, 3))) static void putf(struct sheet *sheet, const char *format, ...)
{
    char text[SAMPLE_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    put(sheet, text);
}

/* {profile="NAME"} and one more label, written as it is, where more is not "". */
static void put_labels(struct sheet *sheet, const char *profile, const char *more)
{
    char text[LABEL_MAX];
    size_t n = 0;

    for (; *profile != '\0' && n < sizeof(text) - 3; profile++) {
        if (*profile == '"' || *profile == '\\') {
            text[n++] = '\\';
        }
        text[n++] = *profile;
    }
    text[n] = '\0';
    put(sheet, "{profile=\"");
    put(sheet, text);
    put(sheet, more[0] == '\0' ? "\"" : "\",");
    put(sheet, more);
    put(sheet, "}");
}

static void write_version(struct sheet *sheet)
{
    putf(sheet, "%s{version=\"%s\"} 1\n", sheet->name, KEYSTAY_VERSION);
}

static void write_start(struct sheet *sheet)
{
    putf(sheet, "%s %lld\n", sheet->name, (long long)sheet->agent->started_s);
}

static void write_connections(struct sheet *sheet)
{
    putf(sheet, "%s %zu\n", sheet->name, httpd_count(sheet->agent->httpd));
}

static void write_callers(struct sheet *sheet)
{
    putf(sheet, "%s %zu\n", sheet->name, handouts_known(sheet->agent->handouts));
}

static void write_requests(struct sheet *sheet)
{
    const struct agent_counts *counts = &sheet->agent->counts;

    putf(sheet, "%s_total{result=\"held\"} %llu\n", sheet->name, (unsigned long long)counts->served_held);
    putf(sheet, "%s_total{result=\"new\"} %llu\n", sheet->name, (unsigned long long)counts->served_new);
    putf(sheet, "%s_total{result=\"failed\"} %llu\n", sheet->name, (unsigned long long)counts->failed);
    putf(sheet, "%s_total{result=\"refused\"} %llu\n", sheet->name, (unsigned long long)counts->refused);
}

/* "0.05", "1.0": OpenMetrics has one way to write each. */
static void format_bound(unsigned int ms, char *ret_text, size_t size)
{
    int len = snprintf(ret_text, size, "%u.%03u", ms / 1000, ms % 1000);

    while (len > 1 && ret_text[len - 1] == '0' && ret_text[len - 2] != '.') {
        ret_text[--len] = '\0';
    }
}

static void write_histogram(struct sheet *sheet, const char *profile, const struct duration *duration)
{
    unsigned long long n = 0;
    char bound[16];
    char label[32];

    for (size_t i = 0; i < METER_BUCKETS; i++) {
        n += atomic_load(&duration->counts[i]);
        if (i < METER_BUCKETS - 1) {
            format_bound(meter_bounds_ms[i], bound, sizeof(bound));
        } else {
            (void)snprintf(bound, sizeof(bound), "+Inf");
        }
        (void)snprintf(label, sizeof(label), "le=\"%s\"", bound);
        putf(sheet, "%s_bucket", sheet->name);
        put_labels(sheet, profile, label);
        putf(sheet, " %llu\n", n);
    }
    const unsigned long long sum_us = atomic_load(&duration->sum_us);
    putf(sheet, "%s_sum", sheet->name);
    put_labels(sheet, profile, "");
    putf(sheet, " %llu.%06llu\n%s_count", sum_us / 1000000, sum_us % 1000000, sheet->name);
    put_labels(sheet, profile, "");
    putf(sheet, " %llu\n", n);
}

typedef const struct duration *(*duration_of)(const struct meter *meter);

static void write_histograms(struct sheet *sheet, duration_of get)
{
    for (size_t i = 0; i < sheet->world->n; i++) {
        const struct holder *holder = sheet->world->holders[i];

        write_histogram(sheet, holder_name(holder), get(holder_meter(holder)));
    }
}

static const struct duration *signed_of(const struct meter *meter)
{
    return &meter->signed_;
}

static void write_signatures(struct sheet *sheet)
{
    write_histograms(sheet, signed_of);
}

static const struct duration *opened_of(const struct meter *meter)
{
    return &meter->opened;
}

static void write_openings(struct sheet *sheet)
{
    write_histograms(sheet, opened_of);
}

static const struct duration *exchanged_of(const struct meter *meter)
{
    return &meter->exchanged;
}

static void write_exchanges(struct sheet *sheet)
{
    write_histograms(sheet, exchanged_of);
}

/* One sample of a profile. */
static void write_sample(
    struct sheet *sheet, const struct holder *holder, const char *suffix, const char *label, long long value)
{
    putf(sheet, "%s%s", sheet->name, suffix);
    put_labels(sheet, holder_name(holder), label);
    putf(sheet, " %lld\n", value);
}

static void write_key_failures(struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->world->n; i++) {
        const struct holder *holder = sheet->world->holders[i];

        write_sample(sheet, holder, "_total", "", (long long)holder_meter(holder)->n_failed);
    }
}

static void write_exchange_failures(struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->world->n; i++) {
        const struct holder *holder = sheet->world->holders[i];

        write_sample(sheet, holder, "_total", "", (long long)holder_meter(holder)->n_not_exchanged);
    }
}

static void write_renewals(struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->world->n; i++) {
        struct holder *holder = sheet->world->holders[i];
        uint64_t n_done = 0;
        uint64_t n_failed = 0;

        pace_counts(holder_pace(holder), &n_done, &n_failed);
        write_sample(sheet, holder, "_total", "result=\"done\"", (long long)n_done);
        write_sample(sheet, holder, "_total", "result=\"failed\"", (long long)n_failed);
    }
}

static void write_states(struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->world->n; i++) {
        struct holder_status status;

        holder_get_status(sheet->world->holders[i], &status);
        for (int state = KEY_IDLE; state <= KEY_FAILING; state++) {
            char label[32];

            (void)snprintf(label, sizeof(label), "state=\"%s\"", key_state_name((enum key_state)state));
            write_sample(
                sheet, sheet->world->holders[i], "", label, (enum key_state)state == status.key.state);
        }
    }
}

static void write_certificates(struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->world->n; i++) {
        const struct holder *holder = sheet->world->holders[i];
        const int64_t ends_s = holder_meter(holder)->certificate_ends_s;

        if (ends_s != 0) {
            write_sample(sheet, holder, "", "", ends_s - clock_now_s());
        }
    }
}

/* Of the tokens that are still good. */
struct tally {
    int64_t now_s;
    int64_t least_s;
    unsigned int n;
};

/* A token_viewer. */
static void count_one(void *context, struct slice target, int64_t expires_at_s)
{
    struct tally *tally = context;
    const int64_t left_s = expires_at_s - tally->now_s;

    (void)target;
    if (left_s > 0) {
        tally->least_s = tally->n == 0 || left_s < tally->least_s ? left_s : tally->least_s;
        tally->n++;
    }
}

static struct tally tally_of(struct holder *holder)
{
    struct tally tally = { .now_s = clock_now_s() };

    holder_walk_tokens(holder, count_one, &tally);
    return tally;
}

static void write_tokens(struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->world->n; i++) {
        write_sample(sheet, sheet->world->holders[i], "", "", tally_of(sheet->world->holders[i]).n);
    }
}

static void write_least(struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->world->n; i++) {
        const struct tally tally = tally_of(sheet->world->holders[i]);

        if (tally.n > 0) {
            write_sample(sheet, sheet->world->holders[i], "", "", tally.least_s);
        }
    }
}

static const struct family {
    const char *name;
    const char *type;
    const char *unit; /* NULL: none */
    const char *help;
    void (*write)(struct sheet *sheet);
} families[] = {
    { "keystay_build_info", "gauge", NULL, "The agent's version.", write_version },
    { "process_start_time_seconds", "gauge", "seconds", "When the agent was started.", write_start },
    { "keystay_connections", "gauge", NULL, "Callers that are connected.", write_connections },
    { "keystay_callers", "gauge", NULL, "Different users, units, profiles and scopes that were given tokens.",
      write_callers },
    { "keystay_requests", "counter", NULL, "Requests for tokens, by what became of them.", write_requests },
    { "keystay_signature_seconds", "histogram", "seconds", "How long signatures took.", write_signatures },
    { "keystay_open_seconds", "histogram", "seconds", "How long it took to load the module and log in.",
      write_openings },
    { "keystay_exchange_seconds", "histogram", "seconds", "How long the authorization server took to answer.",
      write_exchanges },
    { "keystay_key_failures", "counter", NULL, "Signatures and logins that failed.", write_key_failures },
    { "keystay_exchange_failures", "counter", NULL, "Requests that the authorization server did not answer.",
      write_exchange_failures },
    { "keystay_renewals", "counter", NULL, "Tokens that were renewed ahead of need, without a request.",
      write_renewals },
    { "keystay_tokens", "gauge", NULL, "Tokens in memory that are still good.", write_tokens },
    { "keystay_token_expiry_seconds", "gauge", "seconds", "How long the first of these to end lives on.",
      write_least },
    { "keystay_certificate_expiry_seconds", "gauge", "seconds", "How long the certificate is valid yet.",
      write_certificates },
    { "keystay_key_state", "gauge", NULL, "1 for the state that key and PIN are in.", write_states },
};

static void write_family(struct sheet *sheet, const struct family *family)
{
    /* OpenMetrics has the name of a counter without its "_total". */
    const char *suffix = !sheet->is_open && strcmp(family->type, "counter") == 0 ? "_total" : "";

    sheet->name = family->name;
    putf(sheet, "# TYPE %s%s %s\n", family->name, suffix, family->type);
    if (sheet->is_open && family->unit != NULL) {
        putf(sheet, "# UNIT %s %s\n", family->name, family->unit);
    }
    putf(sheet, "# HELP %s%s %s\n", family->name, suffix, family->help);
    family->write(sheet);
}

static bool wants_open(const struct request *request)
{
    const char *accept = NULL;

    return request_header(request, "Accept", &accept, NULL) == KEYSTAY_OK && accept != NULL &&
           strstr(accept, "application/openmetrics-text") != NULL;
}

void endpoint_metrics(struct agent *agent, struct request *request)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    const struct claimant claimant = { agent, request, DIALECT_OAUTH, world, request_peer(request) };
    CLEANUP(buf_clear) struct buf body = BUF(METRICS_MAX);
    struct sheet sheet = { agent, world, &body, wants_open(request), KEYSTAY_OK, NULL };

    if (!allow_steering(&claimant, POLICY_METRICS)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        write_family(&sheet, &families[i]);
    }
    put(&sheet, sheet.is_open ? "# EOF\n" : "");
    if (sheet.status == KEYSTAY_OK) {
        reply_text(request, 200, sheet.is_open ? open_type : plain_type, &body);
    } else {
        reply_refusal(request, DIALECT_OAUTH, 500, KEYSTAY_E_NO_MEMORY, "the metrics are too long");
    }
}
