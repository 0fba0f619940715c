/* When and where the payload runs, and what it may know of it: priorities, CPUs, memory nodes. */
#include "init.h"

#include <linux/sched/types.h>

#define PRIO_PROCESS       0
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_CLASS_SHIFT 13

int step_setpriority(struct init *in, const union plan_arg *a) {
    (void)in;
    return k_setpriority(PRIO_PROCESS, 0, (int)a[0].u);
}

int step_sched_setattr(struct init *in, const union plan_arg *a) {
    (void)in;
    const struct sched_attr attributes = {
        .size = sizeof attributes,
        .sched_policy = plan_u32(&a[0]),
        .sched_flags = plan_u32(&a[1]),
        .sched_nice = (int32_t)a[2].u,
        .sched_priority = plan_u32(&a[3]),
        .sched_runtime = a[4].u,
        .sched_deadline = a[5].u,
        .sched_period = a[6].u,
    };
    return k_sched_setattr(&attributes);
}

int step_ioprio_set(struct init *in, const union plan_arg *a) {
    (void)in;
    uint32_t priority = plan_u32(&a[0]) << IOPRIO_CLASS_SHIFT | plan_u32(&a[1]);
    return k_ioprio_set(IOPRIO_WHO_PROCESS, 0, priority);
}

#define CPU_BYTES 1024 /* for 8192 CPUs, the most that Linux is built for */

/* The kernel takes what it can of a mask and says nothing of the rest: other CPUs are not there, or
 * outside of the cpuset. With `exact` that is an error. */
int step_sched_setaffinity(struct init *in, const union plan_arg *a) {
    const unsigned char *wanted = plan_data(in, &a[0]);
    unsigned char got[CPU_BYTES] = {0};
    if (a[0].data.length > CPU_BYTES)
        return -EINVAL;
    int result = k_sched_setaffinity(a[0].data.length, wanted);
    if (result >= 0 && plan_u32(&a[1]))
        result = k_sched_getaffinity(sizeof got, got);
    if (result < 0 || !plan_u32(&a[1]))
        return result < 0 ? result : 0;
    for (uint32_t i = 0; i < a[0].data.length; i++)
        if (wanted[i] & ~got[i])
            return at(in, AUX_VERIFY, -EINVAL);
    return 0;
}

/* A mask of nodes is read in words; set_mempolicy(2) counts bits, and one more than it looks at. */
int step_set_mempolicy(struct init *in, const union plan_arg *a) {
    uint64_t nodes[16] = {0};
    if (a[1].data.length > sizeof nodes)
        return -EINVAL;
    memcpy(nodes, plan_data(in, &a[1]), a[1].data.length);
    bool any = a[1].data.length > 0;
    return k_set_mempolicy(plan_u32(&a[0]), any ? nodes : NULL, any ? 8 * sizeof nodes : 0);
}

/* A cookie that no other container has: threads of different cookies never share a core at the same
 * time. All that the process starts has it, too. */
int step_core_scheduling(struct init *in, const union plan_arg *a) {
    (void)in;
    (void)a;
    return k_prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, PR_SCHED_CORE_SCOPE_THREAD);
}

int step_tsc(struct init *in, const union plan_arg *a) {
    (void)in;
    return k_prctl(PR_SET_TSC, plan_u32(&a[0]), 0, 0);
}

/* Without a name: one of that name might be somebody's already, who would then share our keys. */
int step_session_keyring(struct init *in, const union plan_arg *a) {
    (void)in;
    (void)a;
    long result = k_keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0);
    return result < 0 ? (int)result : 0;
}
