/* PID 1 of the container: start the payload, forward signals to it, reap everything, end with it.
 */
#include "init.h"

#define ALL_SIGNALS UINT64_MAX
#define PARENT_DIED 64

/* The payload carries out the rest of the plan. It shares our memory until it has exec'ed, while we
 * sleep; what it writes there is its own frames and the state of its steps. */
static void payload_main(void *state) {
    struct init *in = state;
    long result = in->procs >= 0 ? k_write(in->procs, "0", 1) : 0;
    if (result >= 0 && in->left)
        result = process_arm(in);
    fds_close(&in->procs); /* our copies: what leads to the host is not for inside */
    fds_close(&in->cgroup);
    if (result < 0)
        steps_fail(in, at(in, AUX_ATTACH, result));
    steps_run(in, in->index + 1);
}

static unsigned long flags_of_payload(const struct init *in) {
    return CLONE_VM | CLONE_VFORK | (in->left ? CLONE_PARENT : 0);
}

static int clone_payload(struct init *in) {
    long flags = (long)(flags_of_payload(in) | SIGCHLD);
    return (int)k_clone_call(__NR_clone, flags, 0, payload_main, in);
}

/* Born there, since to move there takes a lock over all processes of the host. Where a filter
 * round us has no clone3, it moves. */
static int clone_into_cgroup(struct init *in) {
    struct clone_args args = {
        .flags = flags_of_payload(in) | CLONE_INTO_CGROUP,
        .exit_signal = in->left ? 0 : SIGCHLD, /* CLONE_PARENT takes ours */
        .cgroup = (unsigned)in->cgroup,
    };
    int pid = (int)k_clone_call(__NR_clone3, (long)&args, sizeof args, payload_main, in);
    if (pid != -ENOSYS && pid != -EPERM)
        return at(in, AUX_ATTACH, pid);
    in->procs = fds_keep(in, k_openat(in->cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC, 0));
    return in->procs < 0 ? at(in, AUX_ATTACH, in->procs) : clone_payload(in);
}

/* Nobody needs to see or change anything here, and nothing needs rights but kill(2). The status
 * pipe closes last: who sees its end finds all of this done. */
static void shed(const struct init *in) {
    const struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct only_kill[2] = {
        {.effective = 1u << CAP_KILL, .permitted = 1u << CAP_KILL}};
    const struct __user_cap_data_struct none[2] = {0};
    k_prctl(PR_SET_DUMPABLE, 0, 0, 0); /* once more, for fs.suid_dumpable has a say in setuid */
    k_munmap(in->plan, in->plan->size);
    if (k_capset(&header, only_kill) < 0)
        k_capset(&header, none);
    k_prctl(PR_SET_NAME, (unsigned long)"luactr-init", 0, 0);
    fds_close_from(in, 0, &in->sync, 1);
}

static uint64_t microseconds(struct __kernel_old_timeval time) {
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

static void tell_end(int sync, int status, const struct rusage *usage, bool alone) {
    struct plan_exit message = {
        .head = {.number = MEET_EXIT},
        .status = status,
        .alone = alone,
        .user_us = microseconds(usage->ru_utime),
        .system_us = microseconds(usage->ru_stime),
        .max_rss_kib = (uint64_t)usage->ru_maxrss,
    };
    struct iovec vector = {.iov_base = &message, .iov_len = sizeof message};
    const struct k_msghdr header = {.iov = &vector, .iov_count = 1};
    k_sendmsg(sync, &header, MSG_NOSIGNAL);
}

/* wait(2): the low 7 bits are the signal that ended it, the next byte is its exit code. */
static int exit_code(int status) {
    int signal = status & 0x7f;
    return signal ? 128 + signal : status >> 8 & 0xff;
}

/* Reap what has ended. 0 while others live, -ECHILD when there are none. */
static int reap_all(void) {
    int pid;
    do
        pid = k_wait4(-1, NULL, WNOHANG | __WALL, NULL);
    while (pid > 0);
    return pid;
}

/* Children as procfs lists them, "12 13 ", each killed. How many there were. */
static int kill_children(void) {
    char text[1024];
    int fd = k_openat(AT_FDCWD, "/proc/thread-self/children", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    long length = k_read(fd, text, sizeof text);
    k_close(fd);
    int count = 0;
    uint32_t pid = 0;
    for (long i = 0; i < length; i++) {
        if (text[i] >= '0' && text[i] <= '9') {
            pid = pid * 10 + (uint32_t)(text[i] - '0');
            continue;
        }
        count += pid && pid <= INT32_MAX && k_kill((int)pid, SIGKILL) >= 0;
        pid = 0;
    }
    return count;
}

/* What a namespace does for its PID 1. Whoever loses its parent becomes our child, so in the end
 * none is left below us. */
static void end_others(void) {
    while (kill_children() > 0)
        if (k_wait4(-1, NULL, __WALL, NULL) < 0)
            return;
}

/* Ends the process when the payload has ended; PID 1's end takes all others in the namespace. */
static void reap(int payload, int sync, bool bare) {
    int status = 0;
    struct rusage usage = {0};
    for (;;) {
        int pid = k_wait4(-1, &status, WNOHANG | __WALL, &usage);
        if (pid <= 0)
            return;
        if (pid == payload) {
            if (bare)
                end_others();
            tell_end(sync, status, &usage, reap_all() == -ECHILD);
            k_exit(exit_code(status));
        }
    }
}

/* A payload in the pid namespace of others has to be reaped by us: PID 1 there cannot end before
 * that is done, and whoever adopts it when we are killed may take his time. So the parent's death
 * is told by a signal that leaves us alive. `parent` is 0 where a KILL will do. */
static int outlive_parent(const struct init *in, int parent) {
    if (!in->apart || !in->death_signal)
        return 0;
    return k_prctl(PR_SET_PDEATHSIG, PARENT_DIED, 0, 0) < 0 ? 0 : parent;
}

static bool is_orphaned(int parent) {
    return parent && k_getppid() != parent;
}

/* No timer wakes this loop. */
__attribute__((noreturn)) static void idle(int payload, int parent, int sync, bool bare) {
    const uint64_t all = ALL_SIGNALS;
    reap(payload, sync, bare);
    if (is_orphaned(parent))
        k_kill(payload, SIGKILL);
    for (;;) {
        int signal = k_sigwait(&all, NULL);
        if (signal == SIGCHLD)
            reap(payload, sync, bare);
        else if (signal == PARENT_DIED && is_orphaned(parent))
            k_kill(payload, SIGKILL);
        else if (signal > 0)
            k_kill(payload, signal);
    }
}

/* Signals are the parent's to pass on. In its session we would get those of its terminal as well,
 * and of two that wait the kernel keeps one. Who leads a session has left it. */
static void leave_session(void) {
    k_setsid();
}

/* Without a pid namespace of its own to end with it: adopt whoever loses its parent, and let the
 * payload, which may be in the namespace of others, see that we live. */
static int stay_outside(struct init *in, int pid) {
    int result = k_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0);
    if (result >= 0)
        result = in->life = fds_keep(in, k_pidfd_open(pid));
    return result < 0 ? result : 0;
}

/* Not dumpable before there is a payload: it could trace PID 1, read its memory and open what its
 * descriptors lead to, as long as that has not shed its rights. The payload's own process is so too
 * until its exec. */
int step_init(struct init *in, const union plan_arg *a) {
    in->cgroup = a[0].u == PLAN_NONE ? -1 : plan_take(in, &a[0]);
    int pid = k_getpid();
    int parent = k_getppid();
    int result = process_arm(in);
    if (result >= 0 && pid != 1)
        result = stay_outside(in, pid);
    if (result >= 0)
        result = k_prctl(PR_SET_DUMPABLE, 0, 0, 0);
    if (result < 0)
        return result;
    in->pid1 = pid;
    leave_session();
    /* only then is /proc the host's, and to be trusted */
    bool bare = pid != 1 && in->root < 0 && !in->entered;
    int payload = in->cgroup < 0 ? clone_payload(in) : clone_into_cgroup(in);
    if (payload < 0)
        return payload;
    if (in->failed) {
        k_wait4(payload, NULL, __WALL, NULL);
        k_exit(EXIT_SETUP);
    }
    shed(in);
    idle(payload, outlive_parent(in, parent), in->sync, bare);
}

/* The parent has a child more, which has joined what we have joined. It is told so by a pidfd, also
 * of one that has failed: it is the parent's to reap. What has failed is told after that. */
int step_leave(struct init *in, const union plan_arg *a) {
    if (in->left) /* each would tell of the one failure */
        return -EINVAL;
    in->cgroup = a[0].u == PLAN_NONE ? -1 : plan_take(in, &a[0]);
    in->pid1 = k_getppid();
    int result = process_arm(in);
    if (result >= 0)
        result = in->life = fds_keep(in, k_pidfd_open(in->pid1));
    if (result >= 0)
        result = k_prctl(PR_SET_DUMPABLE, 0, 0, 0);
    if (result < 0)
        return result;
    in->left = true;
    int payload = in->cgroup < 0 ? clone_payload(in) : clone_into_cgroup(in);
    if (payload < 0) {
        in->left = false;
        return payload;
    }
    int pidfd = k_pidfd_open(payload);
    result = pidfd < 0 ? pidfd : fds_send(in->sync, MEET_LEFT, pidfd);
    if (in->failed)
        steps_tell(in);
    k_exit(result < 0 || in->failed ? EXIT_SETUP : 0);
}

/* Whose parent has ended before the signal for that was armed. */
static bool has_ended(int pidfd) {
    struct {
        int fd;
        short events;
        short revents;
    } process = {.fd = pidfd, .events = 1 /* POLLIN */};
    const struct __kernel_timespec now = {0};
    return k_ppoll(&process, 1, &now) != 0;
}

struct fork {
    struct init *in;
    int outside; /* pidfd of the process that stays, unless that leaves */
    bool leaves;
};

/* In memory of its own, with descriptors of its own. */
static void inside_main(void *argument) {
    const struct fork *fork = argument;
    struct init *in = fork->in;
    fds_close(&in->proc); /* of the pid namespace outside */
    in->apart = false;
    if (process_arm(in) < 0 || (!fork->leaves && has_ended(fork->outside)))
        k_exit(EXIT_SETUP);
    k_close(fork->outside);
    steps_run(in, in->index + 1);
}

/* The parent has another child, which is all that it knows of from now on. */
__attribute__((noreturn)) static void succeed(const struct init *in, int child) {
    struct plan_message message = {.number = MEET_SUCCESSOR, .pid = (uint32_t)child};
    struct iovec vector = {.iov_base = &message, .iov_len = sizeof message};
    const struct k_msghdr header = {.iov = &vector, .iov_count = 1};
    k_sendmsg(in->sync, &header, MSG_NOSIGNAL);
    k_exit(0);
}

/* Who joins a pid namespace, or makes one with unshare, is in it with its children only. No vfork:
 * the child may be the one that stays. It is hidden as we are from those that it comes among. */
int step_fork(struct init *in, const union plan_arg *a) {
    int pid = k_getpid();
    int parent = k_getppid();
    struct fork fork = {.in = in, .outside = k_pidfd_open(pid), .leaves = plan_u32(&a[0])};
    leave_session();
    if (fork.outside < 0)
        return at(in, AUX_SOURCE, fork.outside);
    int result = k_prctl(PR_SET_DUMPABLE, 0, 0, 0);
    if (result >= 0)
        result = (int)k_clone_call(__NR_clone, (fork.leaves ? CLONE_PARENT : 0) | SIGCHLD, 0,
                                   inside_main, &fork);
    k_close(fork.outside);
    if (result < 0)
        return result;
    if (fork.leaves)
        succeed(in, result);
    shed(in);
    idle(result, outlive_parent(in, parent), in->sync, false);
}
