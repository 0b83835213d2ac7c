/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_SCRATCH_H
#define UNIT_SCRATCH_H

/* What tests leave no trace of: a folder, environment variables. And an ear for what is logged. */

#include <sys/types.h>

#include "keystay/log.h"
#include "unit.h"

enum { SCRATCH_PATH_SIZE = 256 };

struct scratch {
    char path[40];
};

struct scratch scratch_new(void);
void scratch_remove(struct scratch *folder); /* with all that is in it */

/* "/tmp/…/name", in the caller's text. */
const char *scratch_path(const struct scratch *folder, const char *name, char ret_path[SCRATCH_PATH_SIZE]);

/* A file in it, with exactly this mode. */
void scratch_put(const struct scratch *folder, const char *name, struct slice content, mode_t mode);

/* An environment variable that is put back when the variable leaves its scope. value may be NULL: not set. */
struct kept_env {
    const char *name;
    char *before;
};
struct kept_env env_set(const char *name, const char *value);
void env_restore(struct kept_env *kept);

/* KEPT_ENV path = env_set("PATH", "/bin"); */
#define KEPT_ENV CLEANUP(env_restore) __attribute__((unused)) struct kept_env

/* log.line notes the last line and counts. Use: struct ear ear; ear_init(&ear); f(&ear.log). */
struct ear {
    struct keystay_log log;
    int n_steps, n_warnings;
    char last[512];
};
void ear_init(struct ear *ear);

/* Tests that burn time do less of it under valgrind. */
int is_under_valgrind(void);

/* Waits up to ten seconds for condition to become true, looking every millisecond; then the test has failed.
 */
#define wait_for(condition)                                              \
    do {                                                                 \
        for (int i_ = 0; !(condition); i_++) {                           \
            if (i_ == 10000) {                                           \
                fail_msg("waited ten seconds for this: %s", #condition); \
            }                                                            \
            sleep_ms(1);                                                 \
        }                                                                \
    } while (0)
void sleep_ms(int ms);

#endif
