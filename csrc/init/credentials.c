/* Users, capabilities, no_new_privs. */
#include "init.h"

#define ALL_IDS UINT32_MAX /* setresuid(2): "leave unchanged", never what a plan means */

int credentials_take_over(void) {
    const struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2];
    int result = k_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0);
    if (result >= 0)
        result = k_capget(&header, sets);
    sets[0].inheritable = sets[1].inheritable = 0;
    return result < 0 ? result : k_capset(&header, sets);
}

/* Until the id maps exist we are nobody in the user namespace, and nobody can't own a new file.
 * EINVAL: the maps have no root, so everything stays as it is. */
int credentials_become_root(void) {
    int result = k_setresgid(0);
    if (result >= 0)
        result = k_setresuid(0);
    return result == -EINVAL ? 0 : result;
}

int step_setgroups(struct init *in, const union plan_arg *a) {
    return k_setgroups(a[0].data.length, plan_data(in, &a[0]));
}

int step_setresgid(struct init *in, const union plan_arg *a) {
    (void)in;
    return plan_u32(&a[0]) == ALL_IDS ? -EINVAL : k_setresgid(plan_u32(&a[0]));
}

/* Permitted capabilities survive the change of user, so that capset may stand behind it; exec ends
 * that. The parent-death signal does not survive: process_settle sets it again, unless a filter
 * that is in place already had it come earlier. */
int step_setresuid(struct init *in, const union plan_arg *a) {
    if (plan_u32(&a[0]) == ALL_IDS)
        return -EINVAL;
    int result = at(in, AUX_ATTRIBUTE, k_prctl(PR_SET_KEEPCAPS, 1, 0, 0));
    if (result >= 0)
        result = k_setresuid(plan_u32(&a[0]));
    if (result >= 0 && in->settled && !in->left && in->pid1 != 1)
        result = process_arm(in);
    return result;
}

int step_capbset_drop(struct init *in, const union plan_arg *a) {
    (void)in;
    for (unsigned long cap = 0; cap < 64; cap++) {
        if (a[0].u >> cap & 1)
            continue;
        int result = k_prctl(PR_CAPBSET_DROP, cap, 0, 0);
        if (result == -EINVAL) /* past the kernel's last capability */
            break;
        if (result < 0)
            return result;
    }
    return 0;
}

int step_capset(struct init *in, const union plan_arg *a) {
    (void)in;
    const struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct sets[2] = {
        {(uint32_t)a[0].u, (uint32_t)a[1].u, (uint32_t)a[2].u},
        {(uint32_t)(a[0].u >> 32), (uint32_t)(a[1].u >> 32), (uint32_t)(a[2].u >> 32)},
    };
    return k_capset(&header, sets);
}

int step_cap_ambient(struct init *in, const union plan_arg *a) {
    (void)in;
    int result = k_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0);
    for (unsigned long cap = 0; cap < 64 && result >= 0; cap++)
        if (a[0].u >> cap & 1)
            result = k_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0);
    return result;
}

int step_securebits(struct init *in, const union plan_arg *a) {
    (void)in;
    return k_prctl(PR_SET_SECUREBITS, plan_u32(&a[0]), 0, 0);
}

int step_no_new_privs(struct init *in, const union plan_arg *a) {
    (void)in;
    (void)a;
    return k_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0);
}
