/* The few functions of libc that the monitor and its files of core/ call. A static glibc would be
 * twenty times the rest of the program, and each monitor has a copy of its own in memory. One
 * thread, no locale, no buffers: each is its system call. */
#include "kernel/raw.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KERNEL_SIGSET 8

int *__errno_location(void) {
    static int error;
    return &error;
}

static long done(long result) {
    if (result >= 0 || result < -4095)
        return result;
    errno = (int)-result;
    return -1;
}

#define CALL(...)     done(k_call(__VA_ARGS__))
#define INT_CALL(...) (int)CALL(__VA_ARGS__)

/* ---- files */

int openat(int dir, const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    return INT_CALL(__NR_openat, dir, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    return openat(AT_FDCWD, path, flags, mode);
}

int fcntl(int fd, int command, ...) {
    va_list list;
    va_start(list, command);
    long value = va_arg(list, long);
    va_end(list);
    return INT_CALL(__NR_fcntl, fd, command, value);
}

int close(int fd) {
    return INT_CALL(__NR_close, fd);
}

int ioctl(int fd, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    return INT_CALL(__NR_ioctl, fd, request, argument);
}

ssize_t read(int fd, void *buffer, size_t size) {
    return CALL(__NR_read, fd, buffer, size);
}

ssize_t pread(int fd, void *buffer, size_t size, off_t at) {
    return CALL(__NR_pread64, fd, buffer, size, at);
}

ssize_t write(int fd, const void *buffer, size_t size) {
    return CALL(__NR_write, fd, buffer, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    return CALL(__NR_writev, fd, parts, count);
}

int fstat(int fd, struct stat *stat) {
    return INT_CALL(__NR_fstat, fd, stat);
}

int fstatat(int dir, const char *restrict path, struct stat *restrict stat, int flags) {
    return INT_CALL(__NR_newfstatat, dir, path, stat, flags);
}

int flock(int fd, int operation) {
    return INT_CALL(__NR_flock, fd, operation);
}

int eventfd(unsigned count, int flags) {
    return INT_CALL(__NR_eventfd2, count, flags);
}

ssize_t pwrite(int fd, const void *buffer, size_t size, off_t at) {
    return CALL(__NR_pwrite64, fd, buffer, size, at);
}

off_t lseek(int fd, off_t offset, int whence) {
    return CALL(__NR_lseek, fd, offset, whence);
}

int fchmod(int fd, mode_t mode) {
    return INT_CALL(__NR_fchmod, fd, mode);
}

int ftruncate(int fd, off_t size) {
    return INT_CALL(__NR_ftruncate, fd, size);
}

int fallocate(int fd, int mode, off_t from, off_t size) {
    return INT_CALL(__NR_fallocate, fd, mode, from, size);
}

int faccessat(int dir, const char *path, int mode, int flags) {
    (void)flags;
    return INT_CALL(__NR_faccessat, dir, path, mode);
}

int unlinkat(int dir, const char *path, int flags) {
    return INT_CALL(__NR_unlinkat, dir, path, flags);
}

int rmdir(const char *path) {
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    return INT_CALL(__NR_renameat, from_dir, from, to_dir, to);
}

ssize_t readlink(const char *path, char *buffer, size_t size) {
    return CALL(__NR_readlinkat, AT_FDCWD, path, buffer, size);
}

int chdir(const char *path) {
    return INT_CALL(__NR_chdir, path);
}

int fchdir(int fd) {
    return INT_CALL(__NR_fchdir, fd);
}

mode_t umask(mode_t mask) {
    return (mode_t)CALL(__NR_umask, mask);
}

int pipe2(int fds[2], int flags) {
    return INT_CALL(__NR_pipe2, fds, flags);
}

int memfd_create(const char *name, unsigned flags) {
    return INT_CALL(__NR_memfd_create, name, flags);
}

/* ---- directories: one stream at a time is open in each walk, from a small supply */

#define STREAMS 4

struct __dirstream {
    int fd;
    long at;
    long size;
    _Alignas(struct dirent) char buffer[1024];
};

static struct __dirstream streams[STREAMS];

DIR *fdopendir(int fd) {
    for (int i = 0; i < STREAMS; i++) {
        if (streams[i].fd > 0)
            continue;
        streams[i].fd = fd;
        streams[i].at = streams[i].size = 0;
        return &streams[i];
    }
    errno = EMFILE;
    return NULL;
}

/* The kernel's record has the layout of struct dirent. */
struct dirent *readdir(DIR *stream) {
    if (stream->at >= stream->size) {
        stream->at = 0;
        stream->size = CALL(__NR_getdents64, stream->fd, stream->buffer, sizeof stream->buffer);
        if (stream->size <= 0)
            return NULL;
    }
    struct dirent *entry = (struct dirent *)(void *)(stream->buffer + stream->at);
    stream->at += entry->d_reclen;
    return entry;
}

int closedir(DIR *stream) {
    int fd = stream->fd;
    stream->fd = 0;
    return close(fd);
}

/* ---- memory, time, processes */

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t from) {
    return (void *)CALL(__NR_mmap, at, size, protection, flags, fd, from);
}

int munmap(void *at, size_t size) {
    return INT_CALL(__NR_munmap, at, size);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    return INT_CALL(__NR_clock_gettime, clock, now);
}

int nanosleep(const struct timespec *span, struct timespec *left) {
    return INT_CALL(__NR_nanosleep, span, left);
}

pid_t fork(void) {
    return INT_CALL(__NR_clone, SIGCHLD);
}

void _exit(int status) {
    for (;;)
        k_call(__NR_exit_group, status);
}

pid_t getpid(void) {
    return INT_CALL(__NR_getpid);
}

uid_t geteuid(void) {
    return (uid_t)CALL(__NR_geteuid);
}

pid_t setsid(void) {
    return INT_CALL(__NR_setsid);
}

int kill(pid_t pid, int signal) {
    return INT_CALL(__NR_kill, pid, signal);
}

pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage) {
    return INT_CALL(__NR_wait4, pid, status, options, usage);
}

pid_t waitpid(pid_t pid, int *status, int options) {
    return wait4(pid, status, options, NULL);
}

int prctl(int option, ...) {
    va_list list;
    va_start(list, option);
    unsigned long value = va_arg(list, unsigned long);
    va_end(list);
    return INT_CALL(__NR_prctl, option, value);
}

long syscall(long number, ...) {
    long values[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        values[i] = va_arg(list, long);
    va_end(list);
    return done(k_call6(number, values[0], values[1], values[2], values[3], values[4], values[5]));
}

/* ---- sockets, poll, signals */

int socketpair(int domain, int type, int protocol, int fds[2]) {
    return INT_CALL(__NR_socketpair, domain, type, protocol, fds);
}

int socket(int domain, int type, int protocol) {
    return INT_CALL(__NR_socket, domain, type, protocol);
}

int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t size) {
    return INT_CALL(__NR_bind, fd, address.__sockaddr__, size);
}

int listen(int fd, int backlog) {
    return INT_CALL(__NR_listen, fd, backlog);
}

int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size) {
    return INT_CALL(__NR_connect, fd, address.__sockaddr__, size);
}

int accept4(int fd, __SOCKADDR_ARG address, socklen_t *restrict size, int flags) {
    return INT_CALL(__NR_accept4, fd, address.__sockaddr__, size, flags);
}

int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict size) {
    return INT_CALL(__NR_getsockopt, fd, level, option, value, size);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t size) {
    return INT_CALL(__NR_setsockopt, fd, level, option, value, size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    return CALL(__NR_sendmsg, fd, message, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    return CALL(__NR_recvmsg, fd, message, flags);
}

ssize_t send(int fd, const void *buffer, size_t size, int flags) {
    return CALL(__NR_sendto, fd, buffer, size, flags);
}

ssize_t recv(int fd, void *buffer, size_t size, int flags) {
    return CALL(__NR_recvfrom, fd, buffer, size, flags);
}

int poll(struct pollfd *fds, nfds_t count, int timeout) {
    const struct timespec span = {timeout / 1000, timeout % 1000 * 1000000l};
    return INT_CALL(__NR_ppoll, fds, count, timeout < 0 ? NULL : &span, NULL, 0);
}

int signalfd(int fd, const sigset_t *set, int flags) {
    return INT_CALL(__NR_signalfd4, fd, set, KERNEL_SIGSET, flags);
}

int sigemptyset(sigset_t *set) {
    set->__val[0] = 0;
    return 0;
}

int sigaddset(sigset_t *set, int signal) {
    set->__val[0] |= 1ul << (signal - 1);
    return 0;
}
