/* Prints what a process is, as "name value" lines: what no file of procfs tells. With "rdtsc" as
 * argument it reads the time stamp counter; with "forbidden-rdtsc" after it has forbidden that to
 * itself. */
#define _GNU_SOURCE
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void clocks(void) {
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    printf("monotonic %ld\n", (long)now.tv_sec);
    syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &now);
    printf("boottime %ld\n", (long)now.tv_sec);
}

static void signals(void) {
    sigset_t blocked;
    int count = 0;
    int ignored = 0;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        count += sigismember(&blocked, number) == 1;
        ignored += sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
    }
    printf("blocked %d\nignored %d\n", count, ignored);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "forbidden-rdtsc") == 0)
        prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
    if (argc > 1 && strstr(argv[1], "rdtsc")) {
#if defined(__x86_64__)
        unsigned low;
        unsigned high;
        __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
#endif
        return 0;
    }
    struct itimerval timer;
    getitimer(ITIMER_REAL, &timer);
    printf("argv0 %s\n", argv[0]);
    printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
    printf("policy %d\n", sched_getscheduler(0));
    printf("io_priority %ld\n", syscall(SYS_ioprio_get, 1, 0));
    printf("personality %x\n", personality(0xffffffff));
    printf("securebits %d\n", prctl(PR_GET_SECUREBITS));
    printf("keyring %ld\n", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -3, 0));
    printf("timer %ld\n", (long)timer.it_value.tv_sec);
    clocks();
    signals();
    return 0;
}
