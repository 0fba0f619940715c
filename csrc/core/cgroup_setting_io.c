/* The encoders of the io controller, blkio of cgroup v1. */
#include "core/cgroup_encode.h"

#include <errno.h>
#include <inttypes.h>

/* BFQ's weights end at 1000 and have the same default, 100. */
static int64_t bfq_weight(int64_t weight) {
    return weight <= 100 ? weight : 100 + (weight - 100) * 900 / 9900;
}

/* v1: blkio.weight came with CFQ (before 5.0); BFQ brings its own file, when a disk uses it. */
int lctr_cgroup_io_weight_v1(const char *file, const struct cgroup_value *value,
                             struct cgroup_writes *writes) {
    int error = lctr_cgroup_check_weight(value->integer);
    int64_t weight = bfq_weight(value->integer);
    if (!error)
        error = lctr_cgroup_append(writes, false, file, "%" PRId64, weight);
    if (error)
        return error;
    return lctr_cgroup_append(writes, true, "blkio.weight", "%" PRId64,
                              lctr_cgroup_between(10, weight, 1000));
}

int lctr_cgroup_io_weight_v2(const char *file, const struct cgroup_value *value,
                             struct cgroup_writes *writes) {
    int error = lctr_cgroup_check_weight(value->integer);
    if (!error)
        error = lctr_cgroup_append(writes, false, file, "default %" PRId64, value->integer);
    if (error)
        return error;
    return lctr_cgroup_append(writes, true, "io.bfq.weight", "default %" PRId64,
                              bfq_weight(value->integer));
}

/* The same for one device, "8:0 100"; v2 has it in the file of the default. */
int lctr_cgroup_io_device_weight_v1(const char *file, const struct cgroup_value *value,
                                    struct cgroup_writes *writes) {
    int error = lctr_cgroup_check_weight(value->integer);
    int64_t weight = bfq_weight(value->integer);
    if (!error)
        error = lctr_cgroup_append(writes, false, file, "%s %" PRId64, value->key, weight);
    if (error)
        return error;
    return lctr_cgroup_append(writes, true, "blkio.weight_device", "%s %" PRId64, value->key,
                              lctr_cgroup_between(10, weight, 1000));
}

int lctr_cgroup_io_device_weight_v2(const char *file, const struct cgroup_value *value,
                                    struct cgroup_writes *writes) {
    int error = lctr_cgroup_check_weight(value->integer);
    if (!error)
        error = lctr_cgroup_append(writes, false, file, "%s %" PRId64, value->key, value->integer);
    if (error)
        return error;
    return lctr_cgroup_append(writes, true, "io.bfq.weight", "%s %" PRId64, value->key,
                              bfq_weight(value->integer));
}

/* v1 only, as CFQ had them: a share of those in the group itself against those below it. */
int lctr_cgroup_io_leaf_weight(const char *file, const struct cgroup_value *value,
                               struct cgroup_writes *writes) {
    int error = lctr_cgroup_check_weight(value->integer);
    return error ? error
                 : lctr_cgroup_append(writes, false, file, "%" PRId64,
                                      lctr_cgroup_between(10, bfq_weight(value->integer), 1000));
}

int lctr_cgroup_io_device_leaf_weight(const char *file, const struct cgroup_value *value,
                                      struct cgroup_writes *writes) {
    int error = lctr_cgroup_check_weight(value->integer);
    return error ? error
                 : lctr_cgroup_append(writes, false, file, "%s %" PRId64, value->key,
                                      lctr_cgroup_between(10, bfq_weight(value->integer), 1000));
}

/* "8:0 1048576"; 0 is no limit. */
int lctr_cgroup_io_device_rate(const char *file, const struct cgroup_value *value,
                               struct cgroup_writes *writes) {
    int64_t rate = value->integer < 0 ? 0 : value->integer;
    return lctr_cgroup_append(writes, false, file, "%s %" PRId64, value->key, rate);
}

/* io.max has one file for four limits. */
static int encode_io_max(const struct cgroup_value *value, const char *limit,
                         struct cgroup_writes *writes) {
    if (value->integer < 0)
        return lctr_cgroup_append(writes, false, "io.max", "%s %s=max", value->key, limit);
    return lctr_cgroup_append(writes, false, "io.max", "%s %s=%" PRId64, value->key, limit,
                              value->integer);
}

int lctr_cgroup_io_read_bps(const char *file, const struct cgroup_value *value,
                            struct cgroup_writes *writes) {
    (void)file;
    return encode_io_max(value, "rbps", writes);
}

int lctr_cgroup_io_write_bps(const char *file, const struct cgroup_value *value,
                             struct cgroup_writes *writes) {
    (void)file;
    return encode_io_max(value, "wbps", writes);
}

int lctr_cgroup_io_read_iops(const char *file, const struct cgroup_value *value,
                             struct cgroup_writes *writes) {
    (void)file;
    return encode_io_max(value, "riops", writes);
}

int lctr_cgroup_io_write_iops(const char *file, const struct cgroup_value *value,
                              struct cgroup_writes *writes) {
    (void)file;
    return encode_io_max(value, "wiops", writes);
}
