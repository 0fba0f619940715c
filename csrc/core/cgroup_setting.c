#include "core/cgroup_setting.h"

#include "core/cgroup_encode.h"
#include "core/device_rule.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PERIOD_US     100000      /* the kernel's default: short enough for smooth work */
#define PERIOD_MAX_US 1000000     /* sched/core.c: max_cfs_quota_period */
#define QUOTA_MIN_US  1000        /* sched/core.c: min_cfs_quota_period */
#define QUOTA_MAX_US  (1ll << 43) /* sched/core.c: max_bw, in its shifted units, is above this */

int lctr_cgroup_append(struct cgroup_writes *writes, bool instead, const char *file,
                       const char *format, ...) {
    if (writes->count == CGROUP_WRITES_MAX)
        return -ENOSPC;
    struct cgroup_write *write = &writes->write[writes->count];
    size_t room = sizeof writes->text - writes->used;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(writes->text + writes->used, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room || strlen(file) >= sizeof write->file)
        return -ENOSPC;
    strcpy(write->file, file);
    write->instead = instead;
    write->text = writes->used;
    writes->used += (size_t)length + 1;
    writes->count++;
    return 0;
}

/* ---- one value, one file */

static int encode_integer(const char *file, const struct cgroup_value *value,
                          struct cgroup_writes *writes) {
    return lctr_cgroup_append(writes, false, file, "%" PRId64, value->integer);
}

/* For files whose word for "no limit" is not -1. */
static int encode_limit(const char *file, const struct cgroup_value *value,
                        struct cgroup_writes *writes) {
    if (value->integer < 0)
        return lctr_cgroup_append(writes, false, file, "max");
    return encode_integer(file, value, writes);
}

static int encode_text(const char *file, const struct cgroup_value *value,
                       struct cgroup_writes *writes) {
    return lctr_cgroup_append(writes, false, file, "%s", value->text);
}

static int encode_microseconds(const char *file, const struct cgroup_value *value,
                               struct cgroup_writes *writes) {
    if (!(value->real >= 0 && value->real <= 1e6))
        return -ERANGE;
    return lctr_cgroup_append(writes, false, file, "%.0f", value->real * 1e6);
}

/* ---- cpu */

struct bandwidth {
    int64_t quota_us;
    int64_t period_us;
};

static int64_t whole(double value) {
    return (int64_t)(value + 0.5);
}

/* A quota below the kernel's minimum of 1 ms needs a longer period to be the same share. */
static int bandwidth(double cpus, struct bandwidth *result) {
    if (isinf(cpus) && cpus > 0) {
        *result = (struct bandwidth){.quota_us = -1, .period_us = PERIOD_US};
        return 0;
    }
    if (!(cpus > 0 && cpus <= (double)QUOTA_MAX_US / PERIOD_US))
        return -ERANGE;
    int64_t period = cpus * PERIOD_US < QUOTA_MIN_US ? PERIOD_MAX_US : PERIOD_US;
    int64_t quota = whole(cpus * (double)period);
    if (quota < QUOTA_MIN_US)
        return -ERANGE;
    *result = (struct bandwidth){.quota_us = quota, .period_us = period};
    return 0;
}

static int encode_quota(const char *file, const struct cgroup_value *value,
                        struct cgroup_writes *writes) {
    struct bandwidth share;
    int error = bandwidth(value->real, &share);
    if (!error)
        error = lctr_cgroup_append(writes, false, "cpu.cfs_period_us", "%" PRId64, share.period_us);
    return error ? error : lctr_cgroup_append(writes, false, file, "%" PRId64, share.quota_us);
}

static int encode_cpu_max(const char *file, const struct cgroup_value *value,
                          struct cgroup_writes *writes) {
    struct bandwidth share;
    int error = bandwidth(value->real, &share);
    if (error)
        return error;
    if (share.quota_us < 0)
        return lctr_cgroup_append(writes, false, file, "max %" PRId64, share.period_us);
    return lctr_cgroup_append(writes, false, file, "%" PRId64 " %" PRId64, share.quota_us,
                              share.period_us);
}

/* "50000 100000": quota and period in microseconds, for who says both; -1 is no quota. */
static int encode_quota_of_period(const char *file, const struct cgroup_value *value,
                                  struct cgroup_writes *writes) {
    const char *period = strchr(value->text, ' ');
    if (!period)
        return -EINVAL;
    int error = lctr_cgroup_append(writes, false, "cpu.cfs_period_us", "%s", period + 1);
    int length = (int)(period - value->text);
    return error ? error : lctr_cgroup_append(writes, false, file, "%.*s", length, value->text);
}

static int encode_cpu_max_of_period(const char *file, const struct cgroup_value *value,
                                    struct cgroup_writes *writes) {
    bool none = value->text[0] == '-';
    if (!strchr(value->text, ' '))
        return -EINVAL;
    return lctr_cgroup_append(writes, false, file, "%s%s", none ? "max" : "",
                              none ? strchr(value->text, ' ') : value->text);
}

int64_t lctr_cgroup_between(int64_t low, int64_t value, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

int64_t lctr_cgroup_shares(int64_t weight) {
    return lctr_cgroup_between(2, (lctr_cgroup_between(1, weight, 10000) * 1024 + 50) / 100,
                               262144);
}

int64_t lctr_cgroup_weight(int64_t shares) {
    return lctr_cgroup_between(1, (lctr_cgroup_between(2, shares, 262144) * 100 + 512) / 1024,
                               10000);
}

int lctr_cgroup_check_weight(int64_t weight) {
    return weight < 1 || weight > 10000 ? -ERANGE : 0;
}

static int encode_shares(const char *file, const struct cgroup_value *value,
                         struct cgroup_writes *writes) {
    int error = lctr_cgroup_check_weight(value->integer);
    if (error)
        return error;
    return lctr_cgroup_append(writes, false, file, "%" PRId64, lctr_cgroup_shares(value->integer));
}

static int encode_weight(const char *file, const struct cgroup_value *value,
                         struct cgroup_writes *writes) {
    int error = lctr_cgroup_check_weight(value->integer);
    return error ? error : encode_integer(file, value, writes);
}

/* ---- settings with a key */

/* The key stands where the file's name has a star: hugetlb.2MB.max. */
static int encode_keyed_file(const char *file, const struct cgroup_value *value,
                             struct cgroup_writes *writes) {
    char name[CGROUP_FILE_MAX];
    int before = (int)strcspn(file, "*");
    int length =
        snprintf(name, sizeof name, "%.*s%s%s", before, file, value->key, file + before + 1);
    if (length < 0 || (size_t)length >= sizeof name || strchr(value->key, '/'))
        return -EINVAL;
    if (value->integer < 0 && strcmp(file + strlen(file) - 4, ".max") == 0)
        return lctr_cgroup_append(writes, false, name, "max");
    return lctr_cgroup_append(writes, false, name, "%" PRId64, value->integer);
}

static int encode_interface(const char *file, const struct cgroup_value *value,
                            struct cgroup_writes *writes) {
    return lctr_cgroup_append(writes, false, file, "%s %" PRId64, value->key, value->integer);
}

/* "mlx5_1 hca_handle=3 hca_object=10" */
static int encode_keyed_line(const char *file, const struct cgroup_value *value,
                             struct cgroup_writes *writes) {
    if (strpbrk(value->key, " \n"))
        return -EINVAL;
    return lctr_cgroup_append(writes, false, file, "%s %s", value->key, value->text);
}

/* A file that is luactr's to write (cgroup.procs, cgroup.freeze) is not the recipe's. */
static int encode_raw(const char *file, const struct cgroup_value *value,
                      struct cgroup_writes *writes) {
    (void)file;
    bool ours = strncmp(value->key, "cgroup.", 7) == 0 &&
                strncmp(value->key, "cgroup.max.", 11) != 0 &&
                strcmp(value->key, "cgroup.pressure") != 0;
    if (ours || strchr(value->key, '/') || !strchr(value->key, '.') || value->key[0] == '.')
        return -EINVAL;
    return lctr_cgroup_append(writes, false, value->key, "%s", value->text);
}

/* ---- devices */

/* v1: each rule is a write. Its files know exceptions to a default only, so that a rule cannot
 * take back a part of an earlier, wider one. */
static int encode_devices_v1(const char *file, const struct cgroup_value *value,
                             struct cgroup_writes *writes) {
    (void)file;
    struct device_rules rules;
    int error = lctr_device_rules_parse(value->text, &rules);
    if (!error && !lctr_device_rules_are_exceptions(&rules))
        error = -EOPNOTSUPP;
    for (size_t i = 0; i < rules.count && !error; i++) {
        char text[DEVICE_RULE_MAX];
        lctr_device_rule_text(&rules.rule[i], text);
        error = lctr_cgroup_append(
            writes, false, rules.rule[i].allow ? "devices.allow" : "devices.deny", "%s", text);
    }
    return error;
}

static int encode_devices_v2(const char *file, const struct cgroup_value *value,
                             struct cgroup_writes *writes) {
    struct device_rules rules;
    int error = lctr_device_rules_parse(value->text, &rules);
    return error ? error : encode_text(file, value, writes);
}

/* ---- the rows */

#define REAL    CGROUP_VALUE_REAL
#define INTEGER CGROUP_VALUE_INTEGER
#define TEXT    CGROUP_VALUE_TEXT
#define NOWHERE                                                                                    \
    { NULL, NULL }

const struct cgroup_setting lctr_cgroup_settings[] = {
    {"cpu",
     CGROUP_CPU,
     REAL,
     false,
     {"cpu.cfs_quota_us", encode_quota},
     {"cpu.max", encode_cpu_max}},
    {"cpu_burst",
     CGROUP_CPU,
     REAL,
     false,
     {"cpu.cfs_burst_us", encode_microseconds},
     {"cpu.max.burst", encode_microseconds}},
    {"cpu_weight",
     CGROUP_CPU,
     INTEGER,
     false,
     {"cpu.shares", encode_shares},
     {"cpu.weight", encode_weight}},
    {"cpu_quota",
     CGROUP_CPU,
     TEXT,
     false,
     {"cpu.cfs_quota_us", encode_quota_of_period},
     {"cpu.max", encode_cpu_max_of_period}},
    /* for v2 the caller has the weight */
    {"cpu_shares", CGROUP_CPU, INTEGER, false, {"cpu.shares", encode_integer}, NOWHERE},
    {"cpu_idle",
     CGROUP_CPU,
     INTEGER,
     false,
     {"cpu.idle", encode_integer},
     {"cpu.idle", encode_integer}},
    {"cpu_realtime_period",
     CGROUP_CPU,
     INTEGER,
     false,
     {"cpu.rt_period_us", encode_integer},
     NOWHERE},
    {"cpu_realtime", CGROUP_CPU, INTEGER, false, {"cpu.rt_runtime_us", encode_integer}, NOWHERE},
    {"cpus",
     CGROUP_CPUSET,
     TEXT,
     false,
     {"cpuset.cpus", encode_text},
     {"cpuset.cpus", encode_text}},
    {"mems",
     CGROUP_CPUSET,
     TEXT,
     false,
     {"cpuset.mems", encode_text},
     {"cpuset.mems", encode_text}},
    {"memory",
     CGROUP_MEMORY,
     INTEGER,
     false,
     {"memory.limit_in_bytes", encode_integer},
     {"memory.max", encode_limit}},
    {"memory_high", CGROUP_MEMORY, INTEGER, false, NOWHERE, {"memory.high", encode_limit}},
    {"memory_low",
     CGROUP_MEMORY,
     INTEGER,
     false,
     {"memory.soft_limit_in_bytes", encode_integer},
     {"memory.low", encode_limit}},
    /* v1 counts memory and swap together: the caller adds the two */
    {"swap",
     CGROUP_MEMORY,
     INTEGER,
     false,
     {"memory.memsw.limit_in_bytes", encode_integer},
     {"memory.swap.max", encode_limit}},
    {"swappiness", CGROUP_MEMORY, INTEGER, false, {"memory.swappiness", encode_integer}, NOWHERE},
    {"oom_control", CGROUP_MEMORY, INTEGER, false, {"memory.oom_control", encode_integer}, NOWHERE},
    {"kernel_memory",
     CGROUP_MEMORY,
     INTEGER,
     false,
     {"memory.kmem.limit_in_bytes", encode_integer},
     NOWHERE},
    {"kernel_memory_tcp",
     CGROUP_MEMORY,
     INTEGER,
     false,
     {"memory.kmem.tcp.limit_in_bytes", encode_integer},
     NOWHERE},
    {"pids", CGROUP_PIDS, INTEGER, false, {"pids.max", encode_limit}, {"pids.max", encode_limit}},
    {"io.weight",
     CGROUP_IO,
     INTEGER,
     false,
     {"blkio.bfq.weight", lctr_cgroup_io_weight_v1},
     {"io.weight", lctr_cgroup_io_weight_v2}},
    {"io.weight_device",
     CGROUP_IO,
     INTEGER,
     true,
     {"blkio.bfq.weight_device", lctr_cgroup_io_device_weight_v1},
     {"io.weight", lctr_cgroup_io_device_weight_v2}},
    {"io.leaf_weight",
     CGROUP_IO,
     INTEGER,
     false,
     {"blkio.leaf_weight", lctr_cgroup_io_leaf_weight},
     NOWHERE},
    {"io.leaf_weight_device",
     CGROUP_IO,
     INTEGER,
     true,
     {"blkio.leaf_weight_device", lctr_cgroup_io_device_leaf_weight},
     NOWHERE},
    {"io.read_bps",
     CGROUP_IO,
     INTEGER,
     true,
     {"blkio.throttle.read_bps_device", lctr_cgroup_io_device_rate},
     {"io.max", lctr_cgroup_io_read_bps}},
    {"io.write_bps",
     CGROUP_IO,
     INTEGER,
     true,
     {"blkio.throttle.write_bps_device", lctr_cgroup_io_device_rate},
     {"io.max", lctr_cgroup_io_write_bps}},
    {"io.read_iops",
     CGROUP_IO,
     INTEGER,
     true,
     {"blkio.throttle.read_iops_device", lctr_cgroup_io_device_rate},
     {"io.max", lctr_cgroup_io_read_iops}},
    {"io.write_iops",
     CGROUP_IO,
     INTEGER,
     true,
     {"blkio.throttle.write_iops_device", lctr_cgroup_io_device_rate},
     {"io.max", lctr_cgroup_io_write_iops}},
    {"hugepages",
     CGROUP_HUGETLB,
     INTEGER,
     true,
     {"hugetlb.*.limit_in_bytes", encode_keyed_file},
     {"hugetlb.*.max", encode_keyed_file}},
    {"hugepages_reserved",
     CGROUP_HUGETLB,
     INTEGER,
     true,
     {"hugetlb.*.rsvd.limit_in_bytes", encode_keyed_file},
     {"hugetlb.*.rsvd.max", encode_keyed_file}},
    {"devices",
     CGROUP_DEVICES,
     TEXT,
     false,
     {"devices.allow", encode_devices_v1},
     {CGROUP_DEVICE_PROGRAM, encode_devices_v2}},
    {"net_class", CGROUP_NET_CLS, INTEGER, false, {"net_cls.classid", encode_integer}, NOWHERE},
    {"net_priority",
     CGROUP_NET_PRIO,
     INTEGER,
     true,
     {"net_prio.ifpriomap", encode_interface},
     NOWHERE},
    {"rdma",
     CGROUP_RDMA,
     TEXT,
     true,
     {"rdma.max", encode_keyed_line},
     {"rdma.max", encode_keyed_line}},
    {"unified", CGROUP_CORE, TEXT, true, NOWHERE, {"*", encode_raw}},
};
const size_t lctr_cgroup_setting_count =
    sizeof lctr_cgroup_settings / sizeof lctr_cgroup_settings[0];

const struct cgroup_setting *lctr_cgroup_setting(const char *name) {
    for (size_t i = 0; i < lctr_cgroup_setting_count; i++)
        if (strcmp(lctr_cgroup_settings[i].name, name) == 0)
            return &lctr_cgroup_settings[i];
    return NULL;
}

int lctr_cgroup_encode(const struct cgroup_setting *setting, const struct cgroup_value *value,
                       int version, struct cgroup_writes *writes) {
    const struct cgroup_form *form = version == 1 ? &setting->v1 : &setting->v2;
    if (!form->encode)
        return -EOPNOTSUPP;
    if (value->kind != setting->kind || setting->keyed != (value->key != NULL))
        return -EINVAL;
    return form->encode(form->file, value, writes);
}
