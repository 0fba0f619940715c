#include "core/cgroup_meter.h"

#include "core/cgroup_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NANOSECONDS  1000000000
#define MICROSECONDS 1000000

enum form {
    NUMBER,    /* the file is one number */
    LINE,      /* the number behind `key` in one line */
    SUM_EQUAL, /* all numbers behind "key=" */
    SUM_BLANK, /* all numbers behind "key " */
};

struct row {
    const char *name;
    enum cgroup_controller controller;
    int version;
    enum form form;
    const char *file;
    const char *key;
    int64_t per;
    bool now; /* of this moment */
};

/* Rows of one file stand together: it is read once. Of two rows with a name the first that the
 * host has counts. Children are counted in. */
static const struct row rows[] = {
    {"cpu_seconds", CGROUP_CPUACCT, 2, LINE, "cpu.stat", "usage_usec", MICROSECONDS, false},
    {"cpu_user_seconds", CGROUP_CPUACCT, 2, LINE, "cpu.stat", "user_usec", MICROSECONDS, false},
    {"cpu_system_seconds", CGROUP_CPUACCT, 2, LINE, "cpu.stat", "system_usec", MICROSECONDS, false},
    {"throttled_periods", CGROUP_CPU, 2, LINE, "cpu.stat", "nr_throttled", 1, false},
    {"throttled_seconds", CGROUP_CPU, 2, LINE, "cpu.stat", "throttled_usec", MICROSECONDS, false},
    {"memory", CGROUP_MEMORY, 2, NUMBER, "memory.current", NULL, 1, true},
    {"memory_peak", CGROUP_MEMORY, 2, NUMBER, "memory.peak", NULL, 1, false},
    {"memory_limit_hits", CGROUP_MEMORY, 2, LINE, "memory.events", "max", 1, false},
    {"oom_events", CGROUP_MEMORY, 2, LINE, "memory.events", "oom", 1, false},
    {"oom_kills", CGROUP_MEMORY, 2, LINE, "memory.events", "oom_kill", 1, false},
    {"pids", CGROUP_PIDS, 2, NUMBER, "pids.current", NULL, 1, true},
    {"pids_peak", CGROUP_PIDS, 2, NUMBER, "pids.peak", NULL, 1, false},
    {"pids_events", CGROUP_PIDS, 2, LINE, "pids.events", "max", 1, false},
    {"io_read_bytes", CGROUP_IO, 2, SUM_EQUAL, "io.stat", "rbytes", 1, false},
    {"io_write_bytes", CGROUP_IO, 2, SUM_EQUAL, "io.stat", "wbytes", 1, false},

    {"cpu_seconds", CGROUP_CPUACCT, 1, NUMBER, "cpuacct.usage", NULL, NANOSECONDS, false},
    {"cpu_user_seconds", CGROUP_CPUACCT, 1, NUMBER, "cpuacct.usage_user", NULL, NANOSECONDS, false},
    {"cpu_system_seconds", CGROUP_CPUACCT, 1, NUMBER, "cpuacct.usage_sys", NULL, NANOSECONDS,
     false},
    {"throttled_periods", CGROUP_CPU, 1, LINE, "cpu.stat", "nr_throttled", 1, false},
    {"throttled_seconds", CGROUP_CPU, 1, LINE, "cpu.stat", "throttled_time", NANOSECONDS, false},
    {"memory", CGROUP_MEMORY, 1, NUMBER, "memory.usage_in_bytes", NULL, 1, true},
    {"memory_peak", CGROUP_MEMORY, 1, NUMBER, "memory.max_usage_in_bytes", NULL, 1, false},
    {"memory_limit_hits", CGROUP_MEMORY, 1, NUMBER, "memory.failcnt", NULL, 1, true},
    {"oom_kills", CGROUP_MEMORY, 1, LINE, "memory.oom_control", "oom_kill", 1, false},
    {"pids", CGROUP_PIDS, 1, NUMBER, "pids.current", NULL, 1, true},
    {"pids_peak", CGROUP_PIDS, 1, NUMBER, "pids.peak", NULL, 1, false},
    {"pids_events", CGROUP_PIDS, 1, LINE, "pids.events", "max", 1, false},
    {"io_read_bytes", CGROUP_IO, 1, SUM_BLANK, "blkio.throttle.io_service_bytes_recursive", "Read",
     1, false},
    {"io_write_bytes", CGROUP_IO, 1, SUM_BLANK, "blkio.throttle.io_service_bytes_recursive",
     "Write", 1, false},
};

static int parse(const struct row *row, const char *text, int64_t *count) {
    switch (row->form) {
    case NUMBER:
        return lctr_cgroup_number(text, count);
    case LINE:
        return lctr_cgroup_flat(text, row->key, count);
    case SUM_EQUAL:
        *count = lctr_cgroup_sum(text, row->key, '=');
        return 0;
    case SUM_BLANK:
        *count = lctr_cgroup_sum(text, row->key, ' ');
        return 0;
    }
    return -EINVAL;
}

static struct cgroup_dir *find_dir(struct cgroup *group, const struct row *row) {
    for (size_t i = 0; i < group->count; i++)
        if (group->dir[i].version == row->version &&
            group->dir[i].controllers & CGROUP_BIT(row->controller))
            return &group->dir[i];
    return NULL;
}

static struct cgroup_meter *find_meter(struct cgroup_meter *meters, size_t count,
                                       const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(meters[i].name, name) == 0)
            return &meters[i];
    return NULL;
}

/* The text of the file that was read last, which the next row may want too. */
struct last_file {
    const struct cgroup_dir *dir;
    const char *file;
    int result;
    char text[8192];
};

static int read_file(struct last_file *last, const struct cgroup_dir *dir, const char *file) {
    if (last->dir == dir && strcmp(last->file, file) == 0)
        return last->result;
    last->dir = dir;
    last->file = file;
    last->result = lctr_cgroup_read(dir->fd, file, last->text, sizeof last->text);
    if (last->result == -EFBIG) /* io.stat of a host with hundreds of disks: what fits counts */
        last->result = (int)sizeof last->text - 1;
    return last->result;
}

/* v1 counts the total exactly and samples the split by ticks, which miss what is short. So share
 * out the total as the samples are, which is what the kernel does for v2 (cputime_adjust). */
static void share_out_total(struct cgroup_meter *meters, size_t count) {
    const struct cgroup_meter *total = find_meter(meters, count, "cpu_seconds");
    struct cgroup_meter *user = find_meter(meters, count, "cpu_user_seconds");
    struct cgroup_meter *system = find_meter(meters, count, "cpu_system_seconds");
    if (!total || !user || !system || user->per != NANOSECONDS)
        return;
    double sampled = (double)user->count + (double)system->count;
    double share = sampled > 0 ? (double)user->count / sampled : 1;
    user->count = (int64_t)((double)total->count * share);
    system->count = total->count - user->count;
}

size_t lctr_cgroup_meters(struct cgroup *group, bool now,
                          struct cgroup_meter meters[CGROUP_METERS_MAX]) {
    struct last_file last = {.dir = NULL};
    size_t count = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        const struct cgroup_dir *dir = find_dir(group, row);
        int64_t value;
        if (!dir || (row->now && !now) || find_meter(meters, count, row->name) ||
            read_file(&last, dir, row->file) < 0 || parse(row, last.text, &value) < 0)
            continue;
        meters[count++] = (struct cgroup_meter){row->name, value, row->per};
    }
    share_out_total(meters, count);
    return count;
}
_Static_assert(sizeof rows / sizeof rows[0] <= CGROUP_METERS_MAX, "room for every row");

/* ---- pressure */

static int parse_stall(const char *text, const char *which, struct cgroup_stall *stall) {
    long long total;
    const char *line = strstr(text, which);
    *stall = (struct cgroup_stall){0};
    if (!line)
        return -ENOENT;
    if (sscanf(line + strlen(which), " avg10=%lf avg60=%lf avg300=%lf total=%lld", &stall->avg10,
               &stall->avg60, &stall->avg300, &total) != 4)
        return -EINVAL;
    stall->total = (double)total / MICROSECONDS;
    return 0;
}

int lctr_cgroup_pressure_parse(const char *text, struct cgroup_pressure *pressure) {
    if (parse_stall(text, "some", &pressure->some) < 0)
        return -EINVAL;
    /* Before 5.13 cpu.pressure has no second line. */
    return parse_stall(text, "full", &pressure->full) == -EINVAL ? -EINVAL : 0;
}

/* ORDER PRESSURE */
static const char *const pressure_files[] = {"cpu.pressure", "memory.pressure", "io.pressure"};

int lctr_cgroup_pressure(struct cgroup *group, enum cgroup_pressure_of what,
                         struct cgroup_pressure *pressure) {
    char text[512];
    const struct cgroup_dir *dir = lctr_cgroup_dir(group, CGROUP_CORE);
    if (!dir || lctr_cgroup_read(dir->fd, pressure_files[what], text, sizeof text) < 0)
        return -ENOENT;
    return lctr_cgroup_pressure_parse(text, pressure);
}
