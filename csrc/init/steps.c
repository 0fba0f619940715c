/* The table of steps, and the walk over the plan. */
#include "init.h"

/* ORDER STEP */
static step_function *const functions[] = {
    [STEP_RENDEZVOUS] = step_rendezvous,
    [STEP_CGROUP_ATTACH] = step_cgroup_attach,
    [STEP_UNSHARE] = step_unshare,
    [STEP_SETNS] = step_setns,
    [STEP_TIME_NAMESPACE] = step_time_namespace,
    [STEP_FORK] = step_fork,
    [STEP_PARENT_DEATH_SIGNAL] = step_parent_death_signal,
    [STEP_OOM_SCORE_ADJ] = step_oom_score_adj,
    [STEP_SETHOSTNAME] = step_sethostname,
    [STEP_SETDOMAINNAME] = step_setdomainname,
    [STEP_LOOPBACK_UP] = step_loopback_up,
    [STEP_SYSCTL] = step_sysctl,
    [STEP_OPEN_TREE] = step_open_tree,
    [STEP_PROPAGATION] = step_propagation,
    [STEP_ROOT_BIND] = step_root_bind,
    [STEP_ROOT_TMPFS] = step_root_tmpfs,
    [STEP_MKDIR] = step_mkdir,
    [STEP_FILE] = step_file,
    [STEP_WRITE] = step_write,
    [STEP_SYMLINK] = step_symlink,
    [STEP_MKNOD] = step_mknod,
    [STEP_BIND_NODE] = step_bind_node,
    [STEP_MOUNT] = step_mount,
    [STEP_FSMOUNT] = step_fsmount,
    [STEP_FUSE] = step_fuse,
    [STEP_TMPCOPYUP] = step_tmpcopyup,
    [STEP_BIND] = step_bind,
    [STEP_SETATTR] = step_mount_setattr,
    [STEP_MASK] = step_mask,
    [STEP_READONLY] = step_readonly,
    [STEP_UNMOUNT] = step_unmount,
    [STEP_CONSOLE] = step_console,
    [STEP_PIVOT_ROOT] = step_pivot_root,
    [STEP_CHROOT] = step_chroot,
    [STEP_INIT] = step_init,
    [STEP_LEAVE] = step_leave,
    [STEP_SETSID] = step_setsid,
    [STEP_CONTROLLING_TTY] = step_controlling_tty,
    [STEP_DUP] = step_dup,
    [STEP_RLIMIT] = step_setrlimit,
    [STEP_UMASK] = step_umask,
    [STEP_AFFINITY] = step_sched_setaffinity,
    [STEP_MEMPOLICY] = step_set_mempolicy,
    [STEP_NICE] = step_setpriority,
    [STEP_SCHEDULER] = step_sched_setattr,
    [STEP_IO_PRIORITY] = step_ioprio_set,
    [STEP_CORE_SCHEDULING] = step_core_scheduling,
    [STEP_TSC] = step_tsc,
    [STEP_PERSONALITY] = step_personality,
    [STEP_KEYRING] = step_session_keyring,
    [STEP_EXEC_LABEL] = step_exec_label,
    [STEP_SETGROUPS] = step_setgroups,
    [STEP_SETGID] = step_setresgid,
    [STEP_SETUID] = step_setresuid,
    [STEP_BOUNDING] = step_capbset_drop,
    [STEP_CAPSET] = step_capset,
    [STEP_AMBIENT] = step_cap_ambient,
    [STEP_SECUREBITS] = step_securebits,
    [STEP_NO_NEW_PRIVS] = step_no_new_privs,
    [STEP_LANDLOCK] = step_landlock_create_ruleset,
    [STEP_LANDLOCK_PATH] = step_landlock_path,
    [STEP_LANDLOCK_PORT] = step_landlock_port,
    [STEP_LANDLOCK_RESTRICT] = step_landlock_restrict_self,
    [STEP_CHDIR] = step_chdir,
    [STEP_GUARD_TERMINAL] = step_guard_terminal,
    [STEP_SECCOMP] = step_seccomp,
    [STEP_GATE] = step_gate,
    [STEP_EXEC] = step_exec,
};
_Static_assert(sizeof functions / sizeof functions[0] == STEP_COUNT, "ORDER STEP");

#define CLOCK_MONOTONIC 1

static uint64_t now_ns(void) {
    struct __kernel_timespec now = {0};
    k_clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void steps_tell(const struct init *in) {
    const struct plan_status record = {.step = in->index,
                                       .kind = plan_steps(in)[in->index].kind,
                                       .error = in->error,
                                       .aux = in->aux};
    k_write(in->status, &record, sizeof record);
}

void steps_fail(struct init *in, int result) {
    in->failed = true;
    in->error = -result;
    if (!in->left)
        steps_tell(in);
    k_exit(EXIT_SETUP);
}

static int perform(struct init *in) {
    struct plan_step *step = plan_steps(in) + in->index;
    in->aux = AUX_NONE;
    in->plan->begun = in->index + 1;
    if (in->plan->flags & PLAN_FLAG_TIMES)
        step->began_ns = now_ns();
    if (in->plan->fail_step == in->index + 1)
        return -in->plan->fail_error;
    return functions[step->kind](in, step->arg);
}

/* A plan that ends without exec ends the process: its steps were all it was for. */
void steps_run(struct init *in, uint32_t from) {
    for (in->index = from; in->index < in->plan->steps; in->index++) {
        int result = perform(in);
        if (result < 0)
            steps_fail(in, result);
    }
    k_exit(0);
}
