/* Landlock for the payload: a rule set is begun, filled path by path and port by port, and entered.
 * landlock(7) */
#include "kernel/landlock.h"
#include "init.h"

int step_landlock_create_ruleset(struct init *in, const union plan_arg *a) {
    const struct k_landlock_ruleset denied = {
        .fs = plan_u32(&a[0]), .net = plan_u32(&a[1]), .scope = plan_u32(&a[2])};
    int fd = k_landlock_create_ruleset(&denied);
    if (fd < 0)
        return fd;
    fds_close(&in->ruleset);
    in->ruleset = fds_keep(in, fd);
    return in->ruleset < 0 ? in->ruleset : 0;
}

/* The kernel takes rights that only a directory has for a directory only. */
static int allow(struct init *in, int beneath, uint64_t access) {
    struct statx st;
    int type = at(in, AUX_TYPE, path_type(beneath, &st));
    if (type < 0)
        return type;
    if (type != S_IFDIR)
        access &= K_LANDLOCK_FILE_ACCESS;
    return access ? k_landlock_allow_path(in->ruleset, beneath, access) : 0;
}

int step_landlock_path(struct init *in, const union plan_arg *a) {
    int beneath = path_open(in, plan_text(in, &a[0]), O_PATH);
    if ((beneath == -ENOENT || beneath == -ENOTDIR) && plan_u32(&a[2]))
        return 0;
    if (beneath < 0)
        return at(in, AUX_TARGET, beneath);
    int result = allow(in, beneath, plan_u32(&a[1]));
    k_close(beneath);
    return result;
}

int step_landlock_port(struct init *in, const union plan_arg *a) {
    return k_landlock_allow_port(in->ruleset, plan_u32(&a[0]), plan_u32(&a[1]));
}

/* Needs no_new_privs or CAP_SYS_ADMIN. Of the init's own calls it stops only exec, where no rule
 * allows that. */
int step_landlock_restrict_self(struct init *in, const union plan_arg *a) {
    (void)a;
    int result = k_landlock_restrict_self(in->ruleset, 0);
    fds_close(&in->ruleset);
    return result;
}
