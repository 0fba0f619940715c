/* The system call instruction, for x86-64 and aarch64. Every call returns its value or -errno.
 *
 * Owns: the two instructions and the frame-borrowing clone. Used by init (which has no libc) and
 * by core (for calls that libc must not see). Includes nothing of ours and nothing of libc. */
#ifndef LUACTR_KERNEL_RAW_H
#define LUACTR_KERNEL_RAW_H

#include <asm/unistd.h>

/* k_call(number, up to six arguments): arguments that are not given are 0. */
#define k_call(...) k_call_pad(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define k_call_pad(n, a, b, c, d, e, f, ...)                                                       \
    k_call6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* What the child of k_clone_call runs. It must not return. */
typedef void k_child(void *arg);

#if defined(__x86_64__)

static inline long k_call6(long n, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* clone or clone3 with CLONE_VM | CLONE_VFORK and no stack of its own: the child borrows this
 * frame while the parent sleeps. It leaves the frame at once, below the red zone, and calls `child`
 * from within the same asm statement, so that the compiler can put nothing of the child's into a
 * slot that the parent still needs. */
static inline long k_clone_call(long n, long a, long b, k_child *child, void *arg) {
    register k_child *r12 __asm__("r12") = child;
    register void *r13 __asm__("r13") = arg;
    register long r10 __asm__("r10") = 0;
    register long r8 __asm__("r8") = 0;
    long result;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "lea -256(%%rsp), %%rsp\n\t"
                     "and $-16, %%rsp\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r13, %%rdi\n\t"
                     "call *%%r12\n\t"
                     "ud2\n"
                     "1:"
                     : "=a"(result)
                     : "a"(n), "D"(a), "S"(b), "d"(0L), "r"(r10), "r"(r8), "r"(r12), "r"(r13)
                     : "rcx", "r11", "memory");
    return result;
}

/* clone with a stack of its own for the child, which runs beside the parent. *tid is its number
 * until the kernel clears it, when the child has ended, however that was. */
static inline long k_clone_beside(long flags, void *stack_top, int *tid, k_child *child,
                                  void *arg) {
    register k_child *r12 __asm__("r12") = child;
    register void *r13 __asm__("r13") = arg;
    register int *r10 __asm__("r10") = tid;
    register long r8 __asm__("r8") = 0;
    long result;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r13, %%rdi\n\t"
                     "call *%%r12\n\t"
                     "ud2\n"
                     "1:"
                     : "=a"(result)
                     : "a"(__NR_clone), "D"(flags), "S"(stack_top), "d"(tid), "r"(r10), "r"(r8),
                       "r"(r12), "r"(r13)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)

static inline long k_call6(long n, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = n;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

/* See the x86-64 version. */
static inline long k_clone_call(long n, long a, long b, k_child *child, void *arg) {
    register long x8 __asm__("x8") = n;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = 0;
    register long x3 __asm__("x3") = 0;
    register long x4 __asm__("x4") = 0;
    register k_child *x19 __asm__("x19") = child;
    register void *x20 __asm__("x20") = arg;
    __asm__ volatile("svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, xzr\n\t"
                     "mov x0, x20\n\t"
                     "blr x19\n\t"
                     "brk 0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x19), "r"(x20)
                     : "memory");
    return x0;
}

/* See the x86-64 version; clone's last two arguments stand the other way round here. */
static inline long k_clone_beside(long flags, void *stack_top, int *tid, k_child *child,
                                  void *arg) {
    register long x8 __asm__("x8") = __NR_clone;
    register long x0 __asm__("x0") = flags;
    register void *x1 __asm__("x1") = stack_top;
    register int *x2 __asm__("x2") = tid;
    register long x3 __asm__("x3") = 0;
    register int *x4 __asm__("x4") = tid;
    register k_child *x19 __asm__("x19") = child;
    register void *x20 __asm__("x20") = arg;
    __asm__ volatile("svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, xzr\n\t"
                     "mov x0, x20\n\t"
                     "blr x19\n\t"
                     "brk 0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x19), "r"(x20)
                     : "memory");
    return x0;
}

#else
#error "luactr knows the system call instruction of x86-64 and aarch64"
#endif

#endif
