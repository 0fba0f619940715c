/* Typed names for the system calls that luactr makes itself. Each returns its value or -errno.
 * Structures are void pointers where libc and the kernel name them differently. */
#ifndef LUACTR_KERNEL_CALLS_H
#define LUACTR_KERNEL_CALLS_H

#include "raw.h"

#include <stddef.h>
#include <stdint.h>

/* ---- descriptors */

static inline int k_openat(int dir, const char *path, int flags, unsigned mode) {
    return (int)k_call(__NR_openat, dir, path, flags, mode);
}

static inline int k_openat2(int dir, const char *path, const void *how, size_t size) {
    return (int)k_call(__NR_openat2, dir, path, how, size);
}

static inline int k_close(int fd) {
    return (int)k_call(__NR_close, fd);
}

static inline long k_getdents(int fd, void *entries, size_t size) {
    return k_call(__NR_getdents64, fd, entries, size);
}

static inline int k_close_range(unsigned first, unsigned last, unsigned flags) {
    return (int)k_call(__NR_close_range, first, last, flags);
}

static inline long k_read(int fd, void *data, size_t length) {
    return k_call(__NR_read, fd, data, length);
}

static inline long k_write(int fd, const void *data, size_t length) {
    return k_call(__NR_write, fd, data, length);
}

static inline long k_lseek(int fd, int64_t offset, int from) {
    return k_call(__NR_lseek, fd, offset, from);
}

/* From `in` at its offset to `out` at its own. */
static inline long k_sendfile(int out, int in, size_t length) {
    return k_call(__NR_sendfile, out, in, NULL, length);
}

static inline int k_ftruncate(int fd, int64_t length) {
    return (int)k_call(__NR_ftruncate, fd, length);
}

static inline int k_fcntl(int fd, int command, long value) {
    return (int)k_call(__NR_fcntl, fd, command, value);
}

static inline int k_dup3(int fd, int number, int flags) {
    return (int)k_call(__NR_dup3, fd, number, flags);
}

static inline int k_ioctl(int fd, unsigned long request, const void *value) {
    return (int)k_call(__NR_ioctl, fd, request, value);
}

/* For requests whose third argument is a number. */
static inline int k_ioctl_number(int fd, unsigned long request, long value) {
    return (int)k_call(__NR_ioctl, fd, request, value);
}

static inline int k_pidfd_open(int pid) {
    return (int)k_call(__NR_pidfd_open, pid, 0);
}

static inline int k_ppoll(void *fds, unsigned count, const void *timeout) {
    return (int)k_call(__NR_ppoll, fds, count, timeout, 0, 8);
}

static inline long k_recvmsg(int fd, void *message, int flags) {
    return k_call(__NR_recvmsg, fd, message, flags);
}

static inline long k_sendmsg(int fd, const void *message, int flags) {
    return k_call(__NR_sendmsg, fd, message, flags);
}

static inline int k_accept(int fd, int flags) {
    return (int)k_call(__NR_accept4, fd, NULL, NULL, flags);
}

static inline int k_socket(int family, int type, int protocol) {
    return (int)k_call(__NR_socket, family, type, protocol);
}

/* ---- files */

static inline int k_mkdirat(int dir, const char *path, unsigned mode) {
    return (int)k_call(__NR_mkdirat, dir, path, mode);
}

static inline int k_mknodat(int dir, const char *path, unsigned mode, unsigned device) {
    return (int)k_call(__NR_mknodat, dir, path, mode, device);
}

static inline int k_unlinkat(int dir, const char *path, int flags) {
    return (int)k_call(__NR_unlinkat, dir, path, flags);
}

static inline int k_symlinkat(const char *text, int dir, const char *path) {
    return (int)k_call(__NR_symlinkat, text, dir, path);
}

static inline long k_readlinkat(int dir, const char *path, char *buffer, size_t size) {
    return k_call(__NR_readlinkat, dir, path, buffer, size);
}

static inline int k_fchmod(int fd, unsigned mode) {
    return (int)k_call(__NR_fchmod, fd, mode);
}

static inline int k_fchown(int fd, unsigned uid, unsigned gid) {
    return (int)k_call(__NR_fchown, fd, uid, gid);
}

/* With AT_EMPTY_PATH or AT_SYMLINK_NOFOLLOW in flags. */
static inline int k_fchownat(int dir, const char *path, unsigned uid, unsigned gid, int flags) {
    return (int)k_call(__NR_fchownat, dir, path, uid, gid, flags);
}

/* Of the file `dir` itself without a path. */
static inline int k_utimensat(int dir, const char *path, const void *times, int flags) {
    return (int)k_call(__NR_utimensat, dir, path, times, flags);
}

static inline long k_getdents64(int dir, void *buffer, size_t size) {
    return k_call(__NR_getdents64, dir, buffer, size);
}

static inline long k_flistxattr(int fd, char *list, size_t size) {
    return k_call(__NR_flistxattr, fd, list, size);
}

static inline long k_fgetxattr(int fd, const char *name, void *value, size_t size) {
    return k_call(__NR_fgetxattr, fd, name, value, size);
}

static inline int k_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags) {
    return (int)k_call(__NR_fsetxattr, fd, name, value, size, flags);
}

static inline int k_statx(int dir, const char *path, int flags, unsigned mask, void *statx) {
    return (int)k_call(__NR_statx, dir, path, flags, mask, statx);
}

static inline int k_fstatfs(int fd, void *statfs) {
    return (int)k_call(__NR_fstatfs, fd, statfs);
}

static inline int k_statfs(const char *path, void *statfs) {
    return (int)k_call(__NR_statfs, path, statfs);
}

/* With the rights of the real user, which here is the effective one as well. */
static inline int k_faccessat(int dir, const char *path, int mode) {
    return (int)k_call(__NR_faccessat, dir, path, mode);
}

static inline int k_chdir(const char *path) {
    return (int)k_call(__NR_chdir, path);
}

static inline int k_fchdir(int fd) {
    return (int)k_call(__NR_fchdir, fd);
}

static inline int k_chroot(const char *path) {
    return (int)k_call(__NR_chroot, path);
}

static inline unsigned k_umask(unsigned mask) {
    return (unsigned)k_call(__NR_umask, mask);
}

/* ---- mounts */

static inline int k_mount(const char *source, const char *target, const char *type,
                          unsigned long flags, const char *data) {
    return (int)k_call(__NR_mount, source, target, type, flags, data);
}

static inline int k_umount2(const char *target, int flags) {
    return (int)k_call(__NR_umount2, target, flags);
}

static inline int k_pivot_root(const char *root, const char *put_old) {
    return (int)k_call(__NR_pivot_root, root, put_old);
}

static inline int k_open_tree(int dir, const char *path, unsigned flags) {
    return (int)k_call(__NR_open_tree, dir, path, flags);
}

static inline int k_move_mount(int from_dir, const char *from, int to_dir, const char *to,
                               unsigned flags) {
    return (int)k_call(__NR_move_mount, from_dir, from, to_dir, to, flags);
}

static inline int k_mount_setattr(int dir, const char *path, unsigned flags, const void *attributes,
                                  size_t size) {
    return (int)k_call(__NR_mount_setattr, dir, path, flags, attributes, size);
}

static inline int k_fsopen(const char *type, unsigned flags) {
    return (int)k_call(__NR_fsopen, type, flags);
}

static inline int k_fsconfig(int fd, unsigned command, const char *key, const void *value,
                             int number) {
    return (int)k_call(__NR_fsconfig, fd, command, key, value, number);
}

static inline int k_fsmount(int fd, unsigned flags, unsigned attributes) {
    return (int)k_call(__NR_fsmount, fd, flags, attributes);
}

/* ---- namespaces and names */

static inline int k_unshare(unsigned long flags) {
    return (int)k_call(__NR_unshare, flags);
}

static inline int k_setns(int fd, unsigned flags) {
    return (int)k_call(__NR_setns, fd, flags);
}

static inline int k_sethostname(const char *name, size_t length) {
    return (int)k_call(__NR_sethostname, name, length);
}

static inline int k_setdomainname(const char *name, size_t length) {
    return (int)k_call(__NR_setdomainname, name, length);
}

/* ---- the process */

static inline int k_prctl(int option, unsigned long a, unsigned long b, unsigned long c) {
    return (int)k_call(__NR_prctl, option, a, b, c);
}

static inline int k_setsid(void) {
    return (int)k_call(__NR_setsid);
}

static inline int k_prlimit(int resource, const void *limit) {
    return (int)k_call(__NR_prlimit64, 0, resource, limit, NULL);
}

static inline int k_setpriority(int which, int who, int nice) {
    return (int)k_call(__NR_setpriority, which, who, nice);
}

static inline int k_sched_setattr(const void *attributes) {
    return (int)k_call(__NR_sched_setattr, 0, attributes, 0);
}

static inline int k_sched_setaffinity(size_t size, const void *cpus) {
    return (int)k_call(__NR_sched_setaffinity, 0, size, cpus);
}

static inline int k_sched_getaffinity(size_t size, void *cpus) {
    return (int)k_call(__NR_sched_getaffinity, 0, size, cpus);
}

static inline int k_ioprio_set(int which, int who, unsigned priority) {
    return (int)k_call(__NR_ioprio_set, which, who, priority);
}

static inline int k_set_mempolicy(unsigned mode, const void *nodes, unsigned long count) {
    return (int)k_call(__NR_set_mempolicy, mode, nodes, count);
}

static inline long k_keyctl(int operation, unsigned long argument) {
    return k_call(__NR_keyctl, operation, argument);
}

static inline int k_personality(unsigned persona) {
    return (int)k_call(__NR_personality, persona);
}

static inline int k_setgroups(size_t count, const uint32_t *groups) {
    return (int)k_call(__NR_setgroups, count, groups);
}

static inline int k_setresgid(uint32_t gid) {
    return (int)k_call(__NR_setresgid, gid, gid, gid);
}

static inline int k_setresuid(uint32_t uid) {
    return (int)k_call(__NR_setresuid, uid, uid, uid);
}

static inline int k_capget(const void *header, void *data) {
    return (int)k_call(__NR_capget, header, data);
}

static inline int k_capset(const void *header, const void *data) {
    return (int)k_call(__NR_capset, header, data);
}

static inline int k_seccomp(unsigned operation, unsigned flags, const void *arguments) {
    return (int)k_call(__NR_seccomp, operation, flags, arguments);
}

static inline int k_execve(const char *path, char *const *argv, char *const *env) {
    return (int)k_call(__NR_execve, path, argv, env);
}

static inline int k_execveat(int fd, char *const *argv, char *const *env, int flags) {
    return (int)k_call(__NR_execveat, fd, "", argv, env, flags);
}

static inline int k_getpid(void) {
    return (int)k_call(__NR_getpid);
}

static inline int k_getppid(void) {
    return (int)k_call(__NR_getppid);
}

__attribute__((noreturn)) static inline void k_exit(int code) {
    for (;;)
        k_call(__NR_exit_group, code);
}

__attribute__((noreturn)) static inline void k_exit_thread(void) {
    for (;;)
        k_call(__NR_exit, 0);
}

/* ---- signals and children; a set is one 64-bit word */

static inline int k_sigaction(int signal, const void *action) {
    return (int)k_call(__NR_rt_sigaction, signal, action, NULL, 8);
}

static inline int k_sigprocmask(int how, const uint64_t *set, uint64_t *old) {
    return (int)k_call(__NR_rt_sigprocmask, how, set, old, 8);
}

static inline int k_sigwait(const uint64_t *set, void *siginfo) {
    return (int)k_call(__NR_rt_sigtimedwait, set, siginfo, NULL, 8);
}

static inline int k_kill(int pid, int signal) {
    return (int)k_call(__NR_kill, pid, signal);
}

static inline int k_wait4(int pid, int *status, int options, void *rusage) {
    return (int)k_call(__NR_wait4, pid, status, options, rusage);
}

/* ---- memory and time */

static inline void *k_mmap(size_t size, int protection, int flags, int fd) {
    return (void *)k_call(__NR_mmap, NULL, size, protection, flags, fd, 0);
}

static inline int k_munmap(void *address, size_t size) {
    return (int)k_call(__NR_munmap, address, size);
}

static inline int k_nanosleep(const void *timespec) {
    return (int)k_call(__NR_nanosleep, timespec, NULL);
}

static inline int k_clock_gettime(int clock, void *timespec) {
    return (int)k_call(__NR_clock_gettime, clock, timespec);
}

#endif
