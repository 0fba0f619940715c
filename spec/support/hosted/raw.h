/* In place of csrc/kernel/raw.h when the init is built with libc: every system call goes to a
 * kernel that main.c makes up, so that a fuzzer runs the init as a function of this process. */
#ifndef LUACTR_KERNEL_RAW_H
#define LUACTR_KERNEL_RAW_H

#include <asm/unistd.h>

#define k_call(...) k_call_pad(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define k_call_pad(n, a, b, c, d, e, f, ...)                                                       \
    hosted_call(n, (const long[]){(long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)})

typedef void k_child(void *arg);

long hosted_call(long number, const long *a);
long hosted_clone(k_child *child, void *arg);

static inline long k_clone_call(long n, long a, long b, k_child *child, void *arg) {
    (void)n;
    (void)a;
    (void)b;
    return hosted_clone(child, arg);
}

/* A thread that has come and gone, or could not be had. */
static inline long k_clone_beside(long flags, void *stack_top, int *tid, k_child *child,
                                  void *arg) {
    const long arguments[6] = {flags, (long)stack_top};
    (void)child;
    (void)arg;
    *tid = 0;
    return hosted_call(__NR_clone, arguments);
}

#endif
