/* Attributes of this process that the payload inherits. */
#include "init.h"

struct poll_entry {
    int fd; /* a negative one is passed over */
    short events;
    short revents;
};

#define POLL_READABLE 1

/* The signal comes when the parent dies from now on; if it died before, the socket says so, or for
 * the payload its parent's number, or where its parent has none in its pid namespace, a pidfd. */
int process_arm(struct init *in) {
    int result = k_prctl(PR_SET_PDEATHSIG, in->death_signal, 0, 0);
    if (result < 0 || !in->death_signal)
        return result;
    struct poll_entry ends[] = {{.fd = in->sync}, {.fd = in->life, .events = POLL_READABLE}};
    const struct __kernel_timespec now = {0};
    result = k_ppoll(ends, 2, &now);
    int parent = k_getppid(); /* 0: a process outside our pid namespace */
    bool reparented = in->pid1 && parent && parent != in->pid1;
    if (reparented || (result > 0 && (ends[0].revents || ends[1].revents)))
        k_exit(EXIT_SETUP);
    return result < 0 && !in->settled ? result : 0; /* a filter may refuse to look once more */
}

int step_parent_death_signal(struct init *in, const union plan_arg *a) {
    in->death_signal = plan_u32(&a[0]);
    return process_arm(in);
}

static int keep_open(int number) {
    return k_fcntl(number, F_SETFD, 0);
}

/* The socket of a gate that comes after the step in hand. */
static int gate_ahead(const struct init *in) {
    for (uint32_t i = in->index + 1; i < in->plan->steps; i++)
        if (plan_steps(in)[i].kind == STEP_GATE)
            return plan_slot(in, &plan_steps(in)[i].arg[0]);
    return -1;
}

/* Of all descriptors only those survive exec that steps have put at their numbers. The others go
 * before it, but for those that tell how it went: the path of a program must not lead over a
 * directory that luactr had open. */
static int release_fds(struct init *in) {
    int result = 0;
    const int kept[] = {in->status, in->sync, gate_ahead(in)};
    fds_close_from(in, in->floor, kept, sizeof kept / sizeof kept[0]);
    in->root = in->proc = in->mask = in->ruleset = in->life = -1;
    for (size_t i = 0; i < COVERS; i++)
        in->cover[i] = -1;
    for (uint32_t i = 0; i < in->index && result >= 0; i++) {
        const struct plan_step *step = plan_steps(in) + i;
        if (step->kind == STEP_DUP)
            result = keep_open((int)plan_u32(&step->arg[1]));
        if (step->kind == STEP_CONTROLLING_TTY && in->tty >= 0)
            for (int number = 0; number < 3 && result >= 0; number++)
                result = keep_open(number);
    }
    in->tty = -1;
    return result;
}

/* The last things that are the same for every payload. They come before a seccomp filter, since a
 * filter need not allow them. A process whose reaper is PID 1 of its namespace dies with it; any
 * other needs the signal, which a change of user has disarmed; up to here at least. */
int process_settle(struct init *in) {
    if (in->settled)
        return 0;
    int result = in->pid1 == 1 ? 0 : process_arm(in);
    if (result >= 0 && in->left)
        result = k_prctl(PR_SET_PDEATHSIG, 0, 0, 0);
    in->settled = true;
    if (result >= 0)
        result = release_fds(in);
    if (!in->umask_set)
        k_umask(022);
    const uint64_t none = 0;
    return result < 0 ? result : k_sigprocmask(SIG_SETMASK, &none, NULL);
}

int step_setsid(struct init *in, const union plan_arg *a) {
    (void)in;
    (void)a;
    return k_setsid();
}

int step_dup(struct init *in, const union plan_arg *a) {
    int fd = plan_slot(in, &a[0]);
    return fd < 0 ? fd : k_dup3(fd, (int)plan_u32(&a[1]), O_CLOEXEC);
}

int step_setrlimit(struct init *in, const union plan_arg *a) {
    (void)in;
    const struct rlimit64 limit = {.rlim_cur = a[1].u, .rlim_max = a[2].u};
    return k_prlimit((int)plan_u32(&a[0]), &limit);
}

int step_umask(struct init *in, const union plan_arg *a) {
    in->umask_set = true;
    k_umask(plan_u32(&a[0]));
    return 0;
}

int step_personality(struct init *in, const union plan_arg *a) {
    (void)in;
    return k_personality(plan_u32(&a[0]));
}

/* Opened inside the root, and with the payload's own rights if this stands behind setresuid: a cwd
 * outside the container can't come out of it. */
int step_chdir(struct init *in, const union plan_arg *a) {
    int fd = path_open(in, plan_text(in, &a[0]), O_PATH | O_DIRECTORY);
    if (fd < 0)
        return fd;
    int result = k_fchdir(fd);
    k_close(fd);
    return result;
}
