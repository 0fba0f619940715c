/* What a cgroup has used: one row for each figure and place where a kernel shows it. */
#ifndef LUACTR_CORE_CGROUP_METER_H
#define LUACTR_CORE_CGROUP_METER_H

#include "core/cgroup.h"

#define CGROUP_METERS_MAX 32

/* A figure in its base unit: seconds, bytes, or a count. */
struct cgroup_meter {
    const char *name;
    int64_t count; /* in units of 1 / `per` */
    int64_t per;   /* 1: a whole number */
};

/* Read the figures that this host has for the group: with `now` all, without it the totals and
 * peaks alone, which are what is left to know at the end. Returns how many. */
size_t lctr_cgroup_meters(struct cgroup *group, bool now,
                          struct cgroup_meter meters[CGROUP_METERS_MAX]);

enum cgroup_pressure_of { CGROUP_PRESSURE_CPU, CGROUP_PRESSURE_MEMORY, CGROUP_PRESSURE_IO };

/* Percent of the time in which some or all processes waited, and seconds in all. */
struct cgroup_stall {
    double avg10;
    double avg60;
    double avg300;
    double total;
};

struct cgroup_pressure {
    struct cgroup_stall some;
    struct cgroup_stall full;
};

/* Pure: the text of a pressure file. 0 or -EINVAL. */
int lctr_cgroup_pressure_parse(const char *text, struct cgroup_pressure *pressure);

/* 0, or -ENOENT where the host has no such figures (no cgroup v2, PSI off). */
int lctr_cgroup_pressure(struct cgroup *group, enum cgroup_pressure_of what,
                         struct cgroup_pressure *pressure);

#endif
