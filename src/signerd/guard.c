/* SPDX-License-Identifier: Apache-2.0 */
#include "signerd/guard.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif
#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

#include "base/error.h"
#include "base/file.h"
#include "crypto/memory.h"

#ifdef HAVE_SECCOMP
/* Looking into other processes, the kernel's own insides, other file systems, keys of others. Modules open
 * files and sockets, start threads and programs, wait: all that is left to them. */
static const int denied[] = {
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(kcmp),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(reboot),
    SCMP_SYS(acct),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(quotactl),
};

static enum keystay_status deny_system_calls(struct keystay_error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int result = filter == NULL ? -ENOMEM : 0;

    for (size_t i = 0; result == 0 && i < ARRAY_LEN(denied); i++) {
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
    }
    result = result == 0 ? seccomp_load(filter) : result;
    seccomp_release(filter);
    return result == 0
               ? KEYSTAY_OK
               : err_set(
                     err, KEYSTAY_E_INTERNAL, "system calls cannot be denied: %s", file_errno_text(-result));
}
#else
static enum keystay_status deny_system_calls(struct keystay_error *err)
{
    (void)err;
    return KEYSTAY_OK;
}
#endif

/* The program that started us decides what an interrupt from the terminal means; a module's socket may break.
 */
static void ignore_signals(void)
{
    static const int ignored[] = { SIGPIPE, SIGINT, SIGQUIT, SIGHUP };
    const struct sigaction ignore = { .sa_handler = SIG_IGN };

    for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
        (void)sigaction(ignored[i], &ignore, NULL);
    }
}

enum keystay_status guard_process(struct keystay_error *err)
{
    const struct rlimit none = { 0, 0 };

    ignore_signals();
    (void)umask(S_IRWXG | S_IRWXO);
    (void)setrlimit(RLIMIT_CORE, &none);
#ifdef __linux__
    /* exec has made the process dumpable again. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return err_set(err, KEYSTAY_E_INTERNAL, "the process cannot be guarded: %s", file_errno_text(errno));
    }
#endif
    if (!crypto_use_wiping_memory()) {
        return err_set(err, KEYSTAY_E_INTERNAL, "OpenSSL was in use too early to have it wipe its memory");
    }
    return deny_system_calls(err);
}
