/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEER_UNIT_H
#define PEER_UNIT_H

/*
 * The systemd unit that a caller belongs to, by its control group (v2). A rule may ask for a unit in addition
 * to a user, never in its place: so wherever something is not as it should be the answer is "", no unit, and
 * that grants nothing. Nothing here is an error.
 */

#include "base/base.h"

enum { UNIT_SIZE = 256 }; /* systemd's longest name has 255 bytes */

/* By the path of a group below the root of all: "/system.slice/nginx.service" is "nginx.service". */
void unit_of_cgroup(const char *path, char ret_unit[UNIT_SIZE]);

/* By what /proc/PID/cgroup says. */
void unit_of_cgroup_file(struct slice content, char ret_unit[UNIT_SIZE]);

/* By the number of a group below the folder root; NULL: where the system has its groups. */
void unit_of_cgroup_id(const char *root, uint64_t id, char ret_unit[UNIT_SIZE]);

#endif
