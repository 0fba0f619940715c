/* The seccomp filter, and the listener that answers for it. */
#include "init.h"

/* A filter may refuse, or hand to the listener, every system call that this process could send the
 * listener's descriptor with. So a thread of it that came before the filter, and has none, does:
 * the messenger. It is gone before the command is executed, without a trace for that to find. */

#define MESSENGER_MEMORY 8192
#define PENDING          (-1 - K_MAX_ERRNO)
#define K_MAX_ERRNO      4095

struct messenger {
    int tid;      /* 0 when it has ended */
    int sync;     /* where to */
    int listener; /* what: PENDING, then the descriptor or -errno */
    int result;
};

static void messenger_main(void *state) {
    struct messenger *m = state;
    const struct __kernel_timespec nap = {.tv_nsec = 20000};
    int listener;
    while ((listener = __atomic_load_n(&m->listener, __ATOMIC_ACQUIRE)) == PENDING)
        k_nanosleep(&nap);
    if (listener >= 0)
        m->result = fds_send(m->sync, MEET_LISTENER, listener);
    k_exit_thread();
}

static int hire(struct messenger *m) {
    const long flags = CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_PARENT_SETTID |
                       CLONE_CHILD_CLEARTID;
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
    int result = at(in, AUX_CREATE, hire(m));
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
