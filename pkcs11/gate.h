/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_GATE_H
#define PKCS11_GATE_H

#include <pthread.h>

/* The gate of a module: work passes it for reading, who puts things in order for writing, and gets in
 * although others keep coming, which glibc does not do unless told. Ended by pthread_rwlock_destroy. */
void gate_init(pthread_rwlock_t *gate);

#endif
