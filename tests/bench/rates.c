/* SPDX-License-Identifier: Apache-2.0 */
#include "rates.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

_Noreturn void rates_fail(const char *what, const char *detail)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, detail);
    _exit(1);
}

struct worker {
    const struct rates_way *way;
    void *context;
    atomic_bool *is_over;
    unsigned long n; /* made so far */
};

static void *work(void *argument)
{
    struct worker *worker = argument;

    while (!atomic_load(worker->is_over)) {
        worker->way->work(worker->context);
        worker->n++;
    }
    return NULL;
}

static double clock_s(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void measure(const struct rates_way *way, size_t n_threads, double seconds)
{
    pthread_t threads[RATES_THREADS_MAX];
    struct worker workers[RATES_THREADS_MAX];
    atomic_bool is_over;
    unsigned long n = 0;
    const struct timespec time = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };

    atomic_init(&is_over, false);
    double start_s = clock_s(CLOCK_MONOTONIC);
    double start_cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < n_threads; i++) {
        workers[i] = (struct worker){ way, way->contexts[i], &is_over, 0 };
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) {
            rates_fail("pthread_create", "no thread");
        }
    }
    (void)nanosleep(&time, NULL);
    atomic_store(&is_over, true);
    for (size_t i = 0; i < n_threads; i++) {
        (void)pthread_join(threads[i], NULL);
        n += workers[i].n;
    }
    double wall_s = clock_s(CLOCK_MONOTONIC) - start_s;
    double cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID) - start_cpu_s;
    (void)printf("%s %.1f %.4f\n", way->name, (double)n / wall_s, cpu_s * 1000 / (double)(n > 0 ? n : 1));
}

/* keystay's way. */

double rates_now_s(void)
{
    return clock_s(CLOCK_MONOTONIC);
}

void rates_measure(const struct rates_way *ways, size_t n, size_t n_threads, double seconds, size_t rounds)
{
    for (size_t turn = 0; turn < rounds * n; turn++) {
        measure(&ways[(turn + turn / n) % n], n_threads, seconds);
    }
}
