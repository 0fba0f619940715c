/* To be told when the kernel kills in a cgroup for want of memory. */
#ifndef LUACTR_CORE_CGROUP_OOM_H
#define LUACTR_CORE_CGROUP_OOM_H

#include "core/cgroup.h"

/* A descriptor that poll(2) reports when the group has run out of memory, or -errno; -ENODEV: its
 * memory is not counted. */
int lctr_cgroup_oom_open(struct cgroup *group);

/* What to poll it for: POLLIN of an eventfd, POLLPRI of a file of v2, which can always be read. */
short lctr_cgroup_oom_events(struct cgroup *group);

/* v1: an eventfd that the kernel writes to for `name`, or -errno. */
int lctr_cgroup_event_open(int dir, const char *name, const char *argument);

/* How many were killed so far, or -errno; makes `fd` wait for the next time. */
int64_t lctr_cgroup_oom_kills(struct cgroup *group, int fd);

#endif
