/* The seccomp filter, and the listener that answers for it. */
#include "init.h"

/* A filter may refuse, or hand to the listener, every system call that this process could send the
 * listener's descriptor with. So a messenger, which came before the filter and shares memory and
 * descriptors, sends it. It is no child of the command: below PID 1 it is its sibling, reaped as
 * such; without a PID 1 of ours nobody has to wait for it. */

#define MESSENGER_MEMORY 8192
#define PENDING          (-1 - K_MAX_ERRNO)
#define K_MAX_ERRNO      4095
#define PATIENCE         100000 /* naps: some seconds, for a command that was killed meanwhile */

struct messenger {
    int tid;      /* 0 when it has ended */
    int sync;     /* where to */
    int listener; /* what: PENDING, then the descriptor or -errno */
    int result;
};

static void messenger_main(void *state) {
    struct messenger *m = state;
    const struct __kernel_timespec nap = {.tv_nsec = 20000};
    int listener = PENDING;
    for (int naps = 0; listener == PENDING && naps < PATIENCE; naps++) {
        listener = __atomic_load_n(&m->listener, __ATOMIC_ACQUIRE);
        if (listener == PENDING)
            k_nanosleep(&nap);
    }
    if (listener >= 0)
        m->result = fds_send(m->sync, MEET_LISTENER, listener);
    k_exit(0);
}

/* Without a PID 1 of ours it is a child of the command's process, which must not find it: the
 * kernel reaps for who says that it will not wait. exec makes that ordinary again. */
static int hire(const struct init *in, struct messenger *m) {
    const struct k_sigaction no_wait = {.flags = SA_NOCLDWAIT};
    long flags = CLONE_VM | CLONE_FILES | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
    if (in->pid1)
        flags |= CLONE_PARENT;
    else
        k_sigaction(SIGCHLD, &no_wait);
    void *stack_top = (char *)m + MESSENGER_MEMORY;
    return (int)k_clone_beside(flags, stack_top, &m->tid, messenger_main, m);
}

/* No system call from here on is sure to be made, so the wait is a busy one. */
static int hand_over(struct messenger *m, int listener) {
    __atomic_store_n(&m->listener, listener, __ATOMIC_RELEASE);
    while (__atomic_load_n(&m->tid, __ATOMIC_ACQUIRE))
        ;
    return listener < 0 ? listener : m->result;
}

static int install_with_listener(struct init *in, uint32_t flags,
                                 const struct sock_fprog *program) {
    struct messenger *m =
        k_mmap(MESSENGER_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if ((unsigned long)m > -4096UL)
        return at(in, AUX_CREATE, (int)(long)m);
    m->sync = in->sync;
    m->listener = PENDING;
    int result = at(in, AUX_CREATE, hire(in, m));
    if (result < 0)
        return result;
    return hand_over(m, k_seccomp(SECCOMP_SET_MODE_FILTER, flags, program));
}

int step_seccomp(struct init *in, const union plan_arg *a) {
    size_t count = a[0].data.length / sizeof(struct sock_filter);
    uint32_t flags = plan_u32(&a[1]);
    if (!count || count > BPF_MAXINSNS || a[0].data.length % sizeof(struct sock_filter))
        return at(in, AUX_CONFIGURE, -EINVAL);
    const struct sock_fprog program = {.len = (unsigned short)count,
                                       .filter = (struct sock_filter *)plan_data(in, &a[0])};
    int result = process_settle(in);
    if (result < 0)
        return result;
    if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
        return install_with_listener(in, flags, &program);
    return k_seccomp(SECCOMP_SET_MODE_FILTER, flags, &program);
}
