/* To be told when a cgroup's processes wait too much, or when its memory is short. */
#ifndef LUACTR_CORE_CGROUP_PRESSURE_H
#define LUACTR_CORE_CGROUP_PRESSURE_H

#include "core/cgroup_meter.h"

struct cgroup_trigger {
    enum cgroup_pressure_of what;
    bool full;      /* all processes waited, not some */
    long stall_us;  /* that long */
    long window_us; /* within this time */
};

/* cgroup v2: a descriptor that poll(2) reports as POLLPRI, at most once in a window, or -errno.
 * -ENOENT: this host has no such figures; -EINVAL: of a window that is no multiple of 2 s, who has
 * no CAP_SYS_RESOURCE. */
int lctr_cgroup_stall_open(struct cgroup *group, const struct cgroup_trigger *trigger);

/* cgroup v1: an eventfd that is written when the kernel has trouble to find memory of the group:
 * "low", "medium" or "critical". -ENODEV: its memory is not counted on v1. */
int lctr_cgroup_level_open(struct cgroup *group, const char *level);

#endif
