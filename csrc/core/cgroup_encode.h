/* Between the files that have the encoders of settings (core/cgroup_setting.h), and for them alone.
 * Pure. */
#ifndef LUACTR_CORE_CGROUP_ENCODE_H
#define LUACTR_CORE_CGROUP_ENCODE_H

#include "core/cgroup_setting.h"

/* One write more; `instead`: only if the kernel lacks the file of the one before. 0 or -ENOSPC. */
__attribute__((format(printf, 4, 5))) int lctr_cgroup_append(struct cgroup_writes *writes,
                                                             bool instead, const char *file,
                                                             const char *format, ...);

int64_t lctr_cgroup_between(int64_t low, int64_t value, int64_t high);

/* 0, or -ERANGE for one that is not from 1 to 10000. */
int lctr_cgroup_check_weight(int64_t weight);

/* ---- of the io controller */

cgroup_encoder lctr_cgroup_io_weight_v1;
cgroup_encoder lctr_cgroup_io_weight_v2;
cgroup_encoder lctr_cgroup_io_device_weight_v1;
cgroup_encoder lctr_cgroup_io_device_weight_v2;
cgroup_encoder lctr_cgroup_io_leaf_weight;
cgroup_encoder lctr_cgroup_io_device_leaf_weight;
cgroup_encoder lctr_cgroup_io_device_rate;
cgroup_encoder lctr_cgroup_io_read_bps;
cgroup_encoder lctr_cgroup_io_write_bps;
cgroup_encoder lctr_cgroup_io_read_iops;
cgroup_encoder lctr_cgroup_io_write_iops;

#endif
