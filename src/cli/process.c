/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/process.h"

#include <signal.h>
#include <sys/resource.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/error.h"
#include "crypto/memory.h"
#include "http/curl.h"

static struct {
    bool is_there;
    struct rlimit core;
    struct sigaction pipe;
} before;

/* The hard limit stays where somebody comes after us, who could not raise it again. A sanitizer's leak check
 * traces its own process and needs it to be dumpable. */
static void leave_no_core_file(bool is_followed)
{
    (void)getrlimit(RLIMIT_CORE, &before.core);
    const struct rlimit none = { 0, is_followed ? before.core.rlim_max : 0 };
    (void)setrlimit(RLIMIT_CORE, &none);
#if defined(__linux__) && !defined(HAS_LEAK_CHECK)
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

enum keystay_status process_prepare(bool is_followed, struct keystay_error *err)
{
    const struct sigaction ignore = { .sa_handler = SIG_IGN };

    leave_no_core_file(is_followed);
    /* Modules that talk over a socket would end the process when their peer goes; so would a closed stdout.
     */
    (void)sigaction(SIGPIPE, &ignore, &before.pipe);
    before.is_there = true;
    if (!crypto_use_wiping_memory() || !http_curl_use_wiping_memory()) {
        return err_set(
            err, KEYSTAY_E_INTERNAL, "OpenSSL or libcurl was in use too early to have it wipe its memory");
    }
    return KEYSTAY_OK;
}

void process_restore(void)
{
    if (before.is_there) {
        (void)setrlimit(RLIMIT_CORE, &before.core);
        (void)sigaction(SIGPIPE, &before.pipe, NULL);
    }
}
