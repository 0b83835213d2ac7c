/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_METER_H
#define AGENT_METER_H

/* How often a profile's keys were opened and signed with, how long that took, and one line in the log for
 * each. */

#include <stdatomic.h>

#include "base/log.h"
#include "http/http.h"
#include "keystay/pkcs11.h"

enum { METER_BUCKETS = 10 };

/* Upper ends of the buckets in milliseconds; the last one has none. */
extern const unsigned int meter_bounds_ms[METER_BUCKETS - 1];

struct duration {
    atomic_uint_fast64_t counts[METER_BUCKETS]; /* each bucket's own */
    atomic_uint_fast64_t sum_us;
};

void duration_add(struct duration *duration, int64_t us);

struct meter {
    const char *name; /* of the profile; borrowed, as log */
    const struct keystay_log *log;
    struct duration opened; /* module, login, key */
    struct duration signed_;
    struct duration exchanged;            /* requests to the server that were answered */
    atomic_uint_fast64_t n_failed;        /* signatures, and openings */
    atomic_uint_fast64_t n_not_exchanged; /* requests that were not answered */
    atomic_uint n_signers;                /* that are open, or being opened or closed */
    _Atomic int64_t certificate_ends_s;   /* of the key that was opened last; 0: none was */
    _Atomic unsigned int pin_tries; /* enum keystay_pin_tries, of all tokens that wanted a PIN since 0 was
                                       written here */
    atomic_uint_fast64_t n_pins_wanted;
    atomic_uint n_slow_signatures;   /* that take their time now: a person may have to touch the token */
    struct keystay_call_watch watch; /* for the configurations that are opened */
};

void meter_init(struct meter *meter, const char *name, const struct keystay_log *log);

/* A signer_opener of a struct keystay_pkcs11_config whose watch is a meter's; the meter outlives the signer.
 */
enum keystay_status meter_open(
    const void *config, struct keystay_signer **ret_signer, struct keystay_error *err);

/* A client_wrapper whose context is a meter, which outlives the transport. */
enum keystay_status meter_transport(
    struct http_transport *inner, void *context, struct http_transport **ret_transport,
    struct keystay_error *err);

#endif
