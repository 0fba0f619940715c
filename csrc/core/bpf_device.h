/* cgroup v2 has no files for devices: a BPF program of type CGROUP_DEVICE decides. */
#ifndef LUACTR_CORE_BPF_DEVICE_H
#define LUACTR_CORE_BPF_DEVICE_H

#include "core/device_rule.h"

#include <linux/bpf.h>

/* Room for 8 instructions a rule, and the frame. */
#define BPF_DEVICE_MAX (8 * DEVICE_RULES_MAX + 8)

/* Compile rules into a program. Pure. Returns the number of instructions. */
size_t lctr_bpf_device_compile(const struct device_rules *rules,
                               struct bpf_insn program[BPF_DEVICE_MAX]);

/* Make these rules (text as in core/device_rule.h) the cgroup's, in place of those it had.
 * 0 or -errno. */
int lctr_bpf_device_set(int cgroup, const char *rules);

#endif
