/* Entry point: take over what the parent passed, then carry out the plan.
 *
 * argv[1] is "size plan status sync slot...": the plan's size, then fd numbers. All signals are
 * blocked from the start, because the parent blocks them round its clone. */
#include "init.h"

/* The kernel enters with the stack pointer at argc and no return address. */
#if defined(__x86_64__)
__asm__(".globl _start\n"
        "_start:\n\t"
        "xor %ebp, %ebp\n\t"
        "mov %rsp, %rdi\n\t"
        "and $-16, %rsp\n\t"
        "call init_main\n\t"
        "ud2\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n"
        "_start:\n\t"
        "mov x29, xzr\n\t"
        "mov x30, xzr\n\t"
        "mov x0, sp\n\t"
        "bl init_main\n\t"
        "brk 0\n");
#endif

/* exec has reset handlers, but a signal that the caller ignores stays ignored, and the payload
 * would inherit that. Numbers that can't be set (KILL, STOP) are refused by the kernel. */
static void reset_dispositions(void) {
    const struct k_sigaction standard = {0};
    for (int signal = 1; signal <= K_SIGNALS; signal++)
        k_sigaction(signal, &standard);
}

/* Shared, so that the parent sees `begun`; private to this launch. */
static int map_plan(struct init *in, int fd, size_t size) {
    void *address = k_mmap(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    if ((unsigned long)address > -4096UL)
        return (int)(long)address;
    in->plan = address;
    k_close(fd);
    bool ours = in->plan->magic == PLAN_MAGIC && in->plan->version == PLAN_VERSION &&
                in->plan->size == size && in->plan->slots == in->slot_count;
    return ours ? 0 : -EINVAL;
}

static int take_over(struct init *in, const char *fds) {
    int plan_fd;
    size_t size;
    int result = fds_parse(in, fds, &plan_fd, &size);
    if (result < 0)
        return result;
    result = process_arm(in);
    if (result < 0)
        return result;
    result = fds_close_undeclared(in, plan_fd);
    if (result < 0)
        return result;
    result = map_plan(in, plan_fd, size);
    if (result < 0)
        return result;
    if (in->plan->flags & PLAN_FLAG_USERNS) {
        result = credentials_take_over();
        if (result < 0)
            return result;
    }
    if (in->plan->flags & PLAN_FLAG_SEEN && !(in->plan->flags & PLAN_FLAG_USERNS))
        k_prctl(PR_SET_DUMPABLE, 0, 0, 0);
    reset_dispositions();
    k_umask(0); /* modes in the plan are meant as written */
    return fds_raise_all(in);
}

__attribute__((noreturn, used)) void init_main(const long *stack);

void init_main(const long *stack) {
    struct init in = {.root = -1,
                      .proc = -1,
                      .mask = -1,
                      .stage = -1,
                      .tty = -1,
                      .life = -1,
                      .cgroup = -1,
                      .procs = -1,
                      .ruleset = -1,
                      .cover = {-1, -1},
                      .death_signal = SIGKILL};
    const char *const *argv = (const char *const *)(stack + 1);
    if (stack[0] < 2 || take_over(&in, argv[1]) < 0)
        k_exit(EXIT_SETUP);
    steps_run(&in, 0);
}
