#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int64_t clock_us(int clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

#define STARTING "start the monitor" /* as the caller calls what comes before */

/* The caller reaps the first process at once; the second is nobody's child. */
static void leave_caller(const struct monitor *m) {
    pid_t pid = fork();
    if (pid < 0)
        launch_refuse(m, -errno, STARTING);
    if (pid != 0)
        _exit(0);
    setsid();
}

/* No descriptor or file mode of the caller's stays. */
static void clear(void) {
    syscall(SYS_close_range, MONITOR_SOCKET + 1, ~0u, 0);
    for (int number = 0; number < MONITOR_SOCKET; number++) {
        close(number);
        open("/dev/null", O_RDWR);
    }
    fcntl(MONITOR_SOCKET, F_SETFD, FD_CLOEXEC);
    prctl(PR_SET_NAME, "luactr-monitor", 0, 0, 0);
    umask(077);
}

/* The kernel enters without a return address. */
#if defined(__x86_64__)
__asm__(".globl _start\n"
        "_start:\n\t"
        "xor %ebp, %ebp\n\t"
        "and $-16, %rsp\n\t"
        "call monitor_main\n\t"
        "ud2\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n"
        "_start:\n\t"
        "mov x29, xzr\n\t"
        "mov x30, xzr\n\t"
        "bl monitor_main\n\t"
        "brk 0\n");
#endif

__attribute__((noreturn, used)) void monitor_main(void);

void monitor_main(void) {
    static struct monitor m; /* all zeros, so that the program's file has no copy of it */
    m.caller = MONITOR_SOCKET;
    m.oom = -1;
    m.news = -1;
    for (int i = 0; i < MONITOR_SOURCES; i++)
        m.sources[i].fd = -1;
    attach_init(&m.attach);
    lctr_process_init(&m.process);
    leave_caller(&m);
    clear();
    guard(m.caller);
    m.signals = open_signals();
    int error = job_receive(&m);
    if (error)
        launch_refuse(&m, error, STARTING);
    if (error || launch(&m) < 0)
        _exit(1);
    do
        watch(&m);
    while (restart(&m));
    attach_close(&m.attach, m.state);
    record_write(&m);
    _exit(0);
}
