/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/gate.h"

void gate_init(pthread_rwlock_t *gate)
{
    pthread_rwlockattr_t attributes;

    (void)pthread_rwlockattr_init(&attributes);
#ifdef __GLIBC__
    (void)pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    (void)pthread_rwlock_init(gate, &attributes);
    (void)pthread_rwlockattr_destroy(&attributes);
}
