#include "spawn.h"

#include "fd.h"
#include "image.h"
#include "kernel/calls.h"
#include "kernel/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

void lctr_process_init(struct lctr_process *p) {
    *p = (struct lctr_process){.pidfd = -1, .sync = -1, .status = -1, .plan = -1};
}

/* ---- the child, which shares our memory until it has exec'ed */

#define FD_TEXT_SIZE ((PLAN_MAX_SLOTS + 4) * sizeof "4294967295")

struct child {
    const struct lctr_launch *launch;
    int image;
    int plan;
    int status;
    int sync;
    int cgroup_procs; /* to write itself into, where clone3 can't put it there; or -1 */
    char *argv[3];
    int error; /* -errno, when the exec has failed */
    char fd_text[FD_TEXT_SIZE];
};

static const char *const no_environment[] = {NULL};

/* In a new user namespace the child has all rights, but no user of it until the parent has written
 * the id maps, and exec takes the rights of everybody but root. As ambient ones they stay; the init
 * makes them ordinary again. */
__attribute__((no_sanitize("address", "undefined"))) static int keep_rights(void) {
    const struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {{0}};
    int result = k_capget(&header, sets);
    sets[0].inheritable = sets[0].permitted;
    sets[1].inheritable = sets[1].permitted;
    if (result >= 0)
        result = k_capset(&header, sets);
    for (unsigned long cap = 0; cap < 64 && result >= 0; cap++)
        if (sets[cap / 32].permitted >> cap % 32 & 1)
            result = k_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0);
    return result;
}

/* Raw calls only: libc's state is the parent's. The fd table is the child's own copy, so that the
 * parent's descriptors stay close-on-exec. */
__attribute__((noreturn, no_sanitize("address", "undefined"))) static void child_main(void *arg) {
    struct child *c = arg;
    int result = 0;
    if (c->cgroup_procs >= 0)
        result = (int)k_write(c->cgroup_procs, "0", 1);
    if (result >= 0 && c->launch->flags & CLONE_NEWUSER)
        result = keep_rights();
    k_fcntl(c->plan, F_SETFD, 0);
    k_fcntl(c->status, F_SETFD, 0);
    k_fcntl(c->sync, F_SETFD, 0);
    for (size_t i = 0; i < c->launch->fd_count; i++)
        k_fcntl(c->launch->fds[i], F_SETFD, 0);
    if (result >= 0)
        result = k_execveat(c->image, c->argv, (char *const *)no_environment, AT_EMPTY_PATH);
    c->error = result;
    k_exit(127);
}

static long clone_new(struct child *c, int *pidfd) {
    const struct lctr_launch *l = c->launch;
    struct clone_args args = {
        .flags = l->flags | (uint64_t)(CLONE_VM | CLONE_VFORK | CLONE_PIDFD),
        .pidfd = (uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
    };
    if (l->cgroup >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (unsigned)l->cgroup;
    }
    return k_clone_call(__NR_clone3, (long)&args, sizeof args, child_main, c);
}

/* For a kernel, or a filter of some container round us, that has no clone3. The child is not
 * reaped yet, so its number can't mean another process. */
static long clone_old(struct child *c, int *pidfd) {
    const struct lctr_launch *l = c->launch;
    cleanup_fd procs = -1;
    if (l->cgroup >= 0) {
        procs = openat(l->cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
        if (procs < 0)
            return -errno;
    }
    c->cgroup_procs = procs;
    long flags = (long)l->flags | CLONE_VM | CLONE_VFORK | SIGCHLD;
    long pid = k_clone_call(__NR_clone, flags, 0, child_main, c);
    if (pid > 0)
        *pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    if (pid > 0 && *pidfd < 0)
        c->error = -errno;
    return pid;
}

/* Linux 6.14 and later kill a process that is born in a cgroup whose processes were killed before
 * by cgroup.kill: it is compared with the cgroup of its parent, which was not. One that moves there
 * by itself lives. */
static bool may_be_born_there(const struct lctr_launch *l) {
    return l->cgroup < 0 || !l->used;
}

/* All signals stay blocked in the child and through its exec: the init wants them so, and no
 * handler of ours must run in the borrowed frame. */
static long clone_blocked(struct child *c, int *pidfd) {
    const uint64_t all = UINT64_MAX;
    uint64_t old;
    k_sigprocmask(SIG_SETMASK, &all, &old);
    long pid = may_be_born_there(c->launch) ? clone_new(c, pidfd) : -ENOSYS;
    if (pid == -ENOSYS || pid == -EPERM) /* older engines' filters answer so */
        pid = clone_old(c, pidfd);
    k_sigprocmask(SIG_SETMASK, &old, NULL);
    return pid;
}

/* ---- what the child is given */

static int make_plan_file(const struct lctr_launch *l) {
    cleanup_fd fd = memfd_create("luactr-plan", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct plan_header header = *(const struct plan_header *)l->plan;
    header.flags = (l->times ? PLAN_FLAG_TIMES : 0) |
                   (l->flags & CLONE_NEWUSER ? PLAN_FLAG_USERNS : 0) |
                   (l->flags & CLONE_NEWPID ? 0 : PLAN_FLAG_SEEN);
    header.fail_step = l->fail_step;
    header.fail_error = l->fail_error;
    const struct iovec parts[] = {
        {&header, sizeof header},
        {(char *)l->plan + sizeof header, l->plan_size - sizeof header},
    };
    ssize_t written = writev(fd, parts, 2);
    if (written < 0)
        return -errno;
    return (size_t)written == l->plan_size ? take_fd(&fd) : -ENOSPC;
}

/* "size plan status sync slot...": csrc/init/start.c reads it. */
static void write_fd_text(struct child *c) {
    char *text = c->fd_text;
    text += sprintf(text, "%zu %d %d %d", c->launch->plan_size, c->plan, c->status, c->sync);
    for (size_t i = 0; i < c->launch->fd_count; i++)
        text += sprintf(text, " %d", c->launch->fds[i]);
}

static void reap_failed(long pid, int *pidfd) {
    lctr_fd_cleanup(pidfd);
    kill((pid_t)pid, SIGKILL);
    while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

int lctr_spawn(struct lctr_process *p, const struct lctr_launch *launch) {
    int image = lctr_image_open_init();
    if (image < 0)
        return image;
    cleanup_fd plan = make_plan_file(launch);
    if (plan < 0)
        return plan;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    cleanup_fd sync = pair[0];
    cleanup_fd child_sync = pair[1];
    if (pipe2(pair, O_CLOEXEC) < 0)
        return -errno;
    cleanup_fd status = pair[0];
    cleanup_fd child_status = pair[1];

    struct child child = {.launch = launch,
                          .image = image,
                          .plan = plan,
                          .status = child_status,
                          .sync = child_sync,
                          .cgroup_procs = -1};
    child.argv[0] = (char *)"luactr-init";
    child.argv[1] = child.fd_text;
    write_fd_text(&child);
    int pidfd = -1;
    long pid = clone_blocked(&child, &pidfd);
    if (pid < 0)
        return (int)pid;
    if (child.error < 0) {
        reap_failed(pid, &pidfd);
        return child.error;
    }
    p->owner = getpid();
    p->pid = (pid_t)pid;
    p->pidfd = pidfd;
    p->sync = take_fd(&sync);
    p->status = take_fd(&status);
    p->plan = take_fd(&plan);
    p->steps = ((const struct plan_header *)launch->plan)->steps;
    return 0;
}

/* ---- following the launch */

/* One message that fits exactly, with at most one fd. */
static ssize_t receive(int sync, struct plan_exit *message, int *fd) {
    struct iovec part = {message, sizeof *message};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control};
    ssize_t length = recvmsg(sync, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0)
        return -errno;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        *fd = *(const int *)(const void *)CMSG_DATA(c);
    return length;
}

/* The init has made another child of ours, and has ended: that is the process now. */
static int take_successor(struct lctr_process *p, pid_t pid) {
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return -errno;
    reap_failed(p->pid, &p->pidfd);
    p->pid = pid;
    p->pidfd = pidfd;
    return 0;
}

/* 1 when there was an event, 0 when there is nothing (more) to read. */
static int next_message(struct lctr_process *p, struct lctr_event *event) {
    struct plan_exit message;
    for (;;) {
        cleanup_fd fd = -1;
        ssize_t length = receive(p->sync, &message, &fd);
        if (length == -EAGAIN || length == -ECONNRESET || length == 0)
            return 0;
        if (length < 0)
            return (int)length;
        if (length == sizeof message && message.head.number == MEET_EXIT) {
            if (p->told) /* who waits outside of the pid namespace knows less than PID 1 */
                continue;
            p->told = true;
            p->alone = message.alone;
            p->payload = (struct lctr_end){message.status, message.user_us, message.system_us,
                                           message.max_rss_kib};
            continue;
        }
        if (length != sizeof message.head || !event)
            return -EPROTO;
        if (message.head.number == MEET_SUCCESSOR) {
            int result = take_successor(p, (pid_t)message.head.pid);
            if (result < 0)
                return result;
            continue;
        }
        *event = (struct lctr_event){
            .kind = LCTR_RENDEZVOUS, .number = message.head.number, .fd = take_fd(&fd)};
        return 1;
    }
}

/* The status pipe has a record or is at its end. Its end alone does not mean success: an init that
 * was killed (by the memory limit, say) closes it as well, but has not begun every step. */
static int decide(struct lctr_process *p, struct lctr_event *event) {
    struct plan_status record;
    struct plan_header header;
    ssize_t length = read(p->status, &record, sizeof record);
    if (length < 0)
        return -errno;
    if (pread(p->plan, &header, sizeof header, 0) != sizeof header)
        return -EIO;
    if (length == 0 && header.begun < header.steps) {
        struct plan_step step = {0};
        record.step = header.begun ? header.begun - 1 : 0;
        off_t at = (off_t)(sizeof header + record.step * sizeof step);
        if (pread(p->plan, &step, sizeof step, at) != sizeof step)
            return -EIO;
        record = (struct plan_status){record.step, step.kind, EOWNERDEAD, AUX_KILLED};
    } else if (length != 0 && length != sizeof record) {
        return -EPROTO;
    }
    bool started = length == 0 && header.begun == header.steps;
    p->failed = !started;
    *event = (struct lctr_event){
        .kind = started ? LCTR_STARTED : LCTR_FAILED, .fd = -1, .record = record};
    close(p->status);
    p->status = -1;
    if (!(header.flags & (PLAN_FLAG_TIMES | PLAN_FLAG_SKIPPED))) { /* nobody will read it */
        close(p->plan);
        p->plan = -1;
    }
    return 0;
}

/* Messages were sent before the status was decided, so they are read first. */
int lctr_process_launch(struct lctr_process *p, struct lctr_event *event) {
    struct pollfd fds[] = {{.fd = p->status, .events = POLLIN}, {.fd = p->sync, .events = POLLIN}};
    if (p->status < 0)
        return -ESRCH;
    for (;;) {
        if (poll(fds, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        int result = next_message(p, event);
        if (result != 0)
            return result < 0 ? result : 0;
        if (fds[0].revents)
            return decide(p, event);
        if (fds[1].revents & POLLHUP)
            fds[1].fd = -1; /* the status pipe follows */
    }
}

int lctr_process_answer(struct lctr_process *p, uint32_t number) {
    const struct plan_message message = {.number = number};
    if (p->sync < 0)
        return -ESRCH;
    return send(p->sync, &message, sizeof message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int lctr_process_signal(struct lctr_process *p, int signal) {
    if (p->pidfd < 0 || p->reaped)
        return -ESRCH;
    return syscall(SYS_pidfd_send_signal, p->pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int lctr_process_at_exec(struct lctr_process *p) {
    struct plan_header header;
    if (p->plan < 0)
        return -ESRCH;
    if (pread(p->plan, &header, sizeof header, 0) != sizeof header)
        return -EIO;
    return header.begun == header.steps;
}

int lctr_process_step(struct lctr_process *p, uint32_t index, struct plan_step *step) {
    off_t at = (off_t)(sizeof(struct plan_header) + index * sizeof *step);
    if (p->plan < 0)
        return -ESRCH;
    if (index >= p->steps)
        return -ERANGE;
    return pread(p->plan, step, sizeof *step, at) == sizeof *step ? 0 : -EIO;
}

/* ---- the end */

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until one of the fds is readable or hung up; a negative one never is. */
static int await_either(int one, int other, int64_t timeout_ms) {
    struct pollfd fds[] = {{.fd = one, .events = POLLIN}, {.fd = other, .events = POLLIN}};
    int64_t deadline = timeout_ms < 0 ? 0 : now_ms() + timeout_ms;
    for (;;) {
        int64_t left = timeout_ms < 0 ? -1 : deadline - now_ms();
        if (timeout_ms >= 0 && left < 0)
            left = 0;
        int result = poll(fds, 2, left > INT32_MAX ? INT32_MAX : (int)left);
        if (result > 0)
            return 0;
        if (result < 0 && errno != EINTR)
            return -errno;
        if (result == 0 && now_ms() >= deadline)
            return -ETIMEDOUT;
    }
}

#define FAILED_PATIENCE_MS 1000

static uint64_t microseconds(struct timeval time) {
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

static int reap(struct lctr_process *p) {
    struct rusage usage;
    int status;
    while (wait4(p->pid, &status, 0, &usage) < 0)
        if (errno != EINTR)
            return -errno;
    p->init = (struct lctr_end){status, microseconds(usage.ru_utime), microseconds(usage.ru_stime),
                                (uint64_t)usage.ru_maxrss};
    p->reaped = true;
    return 0;
}

static int check_waitable(const struct lctr_process *p) {
    if (p->pid == 0)
        return -ESRCH;
    return p->owner == getpid() ? 0 : -ECHILD;
}

int lctr_process_settle(struct lctr_process *p, int64_t timeout_ms) {
    int result = check_waitable(p);
    if (result == 0 && !p->reaped && !p->told)
        result = await_either(p->pidfd, p->sync, timeout_ms);
    if (result == 0)
        result = next_message(p, NULL);
    return result < 0 ? result : p->told && p->alone;
}

int lctr_process_wait(struct lctr_process *p, int64_t timeout_ms) {
    if (p->reaped)
        return 0;
    int result = check_waitable(p);
    if (result == 0)
        result = await_either(p->pidfd, -1, timeout_ms);
    if (result == 0)
        result = next_message(p, NULL);
    return result < 0 ? result : reap(p);
}

/* One whose launch has failed is given the time to reap its own child: who would do that in its
 * place is somebody else's business, and might take long. */
void lctr_process_close(struct lctr_process *p) {
    if (p->pid && !p->reaped && p->owner == getpid()) {
        if (p->failed)
            await_either(p->pidfd, -1, FAILED_PATIENCE_MS);
        kill(p->pid, SIGKILL);
        reap(p);
    }
    lctr_fd_cleanup(&p->pidfd);
    lctr_fd_cleanup(&p->sync);
    lctr_fd_cleanup(&p->status);
    lctr_fd_cleanup(&p->plan);
    p->pid = 0;
    p->pidfd = p->sync = p->status = p->plan = -1;
}
