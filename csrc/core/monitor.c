#include "core/monitor.h"

#include "core/fd.h"
#include "core/image.h"
#include "kernel/calls.h"
#include "kernel/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

extern const char lctr_monitor_image[];
extern const char lctr_monitor_image_end[];

static int open_image(void) {
    static struct lctr_image monitor = {.name = "luactr-monitor",
                                        .start = lctr_monitor_image,
                                        .end = lctr_monitor_image_end,
                                        .installed = LUACTR_MONITOR_PATH,
                                        .fd = -1};
    return lctr_image_open(&monitor);
}

void lctr_monitor_init(struct lctr_monitor *monitor) {
    monitor->socket = -1;
    monitor->pid = 0;
    lctr_process_init(&monitor->seen);
}

/* ---- the child, which shares our memory until it has exec'ed */

struct child {
    int image;
    int socket;
    char *argv[3];
    int error;
};

__attribute__((noreturn, no_sanitize("address", "undefined"))) static void child_main(void *arg) {
    struct child *c = arg;
    static char *const environment[] = {NULL};
    int result = c->socket == MONITOR_SOCKET ? k_fcntl(c->socket, F_SETFD, 0)
                                             : k_dup3(c->socket, MONITOR_SOCKET, 0);
    if (result >= 0)
        result = k_execveat(c->image, c->argv, environment, AT_EMPTY_PATH);
    c->error = result;
    k_exit(127);
}

/* All signals stay blocked in the monitor. */
static long clone_blocked(struct child *c) {
    const uint64_t all = UINT64_MAX;
    uint64_t old;
    k_sigprocmask(SIG_SETMASK, &all, &old);
    long pid = k_clone_call(__NR_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, child_main, c);
    k_sigprocmask(SIG_SETMASK, &old, NULL);
    return pid;
}

/* The image at the socket's number would be overwritten before it is executed. */
static int clear_of_socket(int image, int *copy) {
    if (image != MONITOR_SOCKET)
        return image;
    *copy = fcntl(image, F_DUPFD_CLOEXEC, MONITOR_SOCKET + 1);
    return *copy < 0 ? -errno : *copy;
}

static void reap(pid_t pid) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* ---- handing over */

static int make_job_file(const struct monitor_job *job, const void *plan) {
    cleanup_fd fd = memfd_create("luactr-job", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    const struct iovec parts[] = {{(void *)job, sizeof *job}, {(void *)plan, job->plan_size}};
    ssize_t written = writev(fd, parts, 2);
    if (written < 0)
        return -errno;
    return (size_t)written == sizeof *job + job->plan_size ? take_fd(&fd) : -ENOSPC;
}

static int send_fds(int socket, const int *fds, size_t count) {
    char byte = 0;
    struct iovec part = {&byte, 1};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(MONITOR_FDS_CHUNK * sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    memset(&control, 0, sizeof control);
    control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                                      .cmsg_type = SCM_RIGHTS,
                                      .cmsg_len = CMSG_LEN(count * sizeof(int))};
    memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
    return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The order of the descriptors is the protocol. */
static size_t list_fds(struct lctr_monitor_start *start, int *fds) {
    struct monitor_job *job = start->job;
    size_t count = 0;
    for (size_t i = 0; i < start->launch->fd_count; i++)
        fds[count++] = start->launch->fds[i];
    for (size_t i = 0; i < job->group.count; i++)
        fds[count++] = job->group.dir[i].fd;
    fds[count++] = start->state;
    job->logged = 0;
    for (int i = 0; i < MONITOR_STREAMS; i++) {
        if (start->streams[i] < 0)
            continue;
        job->logged |= 1u << i;
        fds[count++] = start->streams[i];
    }
    for (size_t i = 0; i < start->held_count; i++)
        fds[count++] = start->held[i];
    return count;
}

static void fill_job(const struct lctr_monitor_start *start) {
    struct monitor_job *job = start->job;
    const struct lctr_launch *launch = start->launch;
    job->magic = MONITOR_MAGIC;
    job->plan_size = launch->plan_size;
    job->flags = launch->flags;
    job->times = launch->times;
    job->fail_step = launch->fail_step;
    job->fail_error = launch->fail_error;
    job->slots = (uint32_t)launch->fd_count;
    job->cpus = sysconf(_SC_NPROCESSORS_ONLN);
    job->born_in = -1;
    strncpy(job->name, start->name, sizeof job->name - 1);
    for (size_t i = 0; i < job->group.count; i++)
        if (launch->cgroup >= 0 && job->group.dir[i].fd == launch->cgroup)
            job->born_in = (int32_t)i;
}

static int hand_over(int socket, struct lctr_monitor_start *start) {
    int fds[MONITOR_FDS_MAX];
    if (start->launch->fd_count + start->job->group.count + MONITOR_STREAMS + 1 +
            start->held_count >
        MONITOR_FDS_MAX)
        return -E2BIG;
    size_t count = list_fds(start, fds);
    start->job->fds = (uint32_t)count;
    cleanup_fd file = make_job_file(start->job, start->launch->plan);
    int error = file < 0 ? file : send_fds(socket, &file, 1);
    for (size_t i = 0; !error && i < count; i += MONITOR_FDS_CHUNK) {
        size_t chunk = count - i < MONITOR_FDS_CHUNK ? count - i : MONITOR_FDS_CHUNK;
        error = send_fds(socket, fds + i, chunk);
    }
    return error;
}

/* ---- what it says */

static int receive(int socket, struct monitor_event *event, int *fd) {
    struct iovec part = {event, sizeof *event};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t length;
    bool reset = false; /* it has left something unread: what it said before comes after that */
    do {
        length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        if (length < 0 && errno == ECONNRESET && !reset) {
            reset = true;
            errno = EINTR;
        }
    } while (length < 0 && errno == EINTR);
    if (length < 0)
        return -errno;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        *fd = *(const int *)(const void *)CMSG_DATA(c);
    if (length == 0)
        return -EOWNERDEAD; /* it was killed */
    return length == sizeof *event ? 0 : -EPROTO;
}

static int await_spawned(struct lctr_monitor *monitor, const struct lctr_monitor_start *start,
                         char what[32]) {
    struct monitor_event event = {0};
    cleanup_fd plan = -1;
    int error = receive(monitor->socket, &event, &plan);
    if (!error && event.kind == MONITOR_REFUSED) {
        memcpy(what, event.what, sizeof event.what);
        return event.error;
    }
    if (error || event.kind != MONITOR_SPAWNED)
        return error ? error : -EPROTO;
    monitor->pid = event.monitor;
    monitor->seen.pid = event.pid;
    monitor->seen.plan = take_fd(&plan);
    monitor->seen.steps = ((const struct plan_header *)start->launch->plan)->steps;
    return 0;
}

int lctr_monitor_run(const char *name, const char *of, pid_t *first) {
    cleanup_fd copy = -1;
    int image = open_image();
    if (image >= 0)
        image = clear_of_socket(image, &copy);
    if (image < 0)
        return image;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    cleanup_fd ours = pair[0];
    cleanup_fd theirs = pair[1];
    struct child child = {.image = image, .socket = theirs, .argv = {(char *)name, (char *)of}};
    long pid = clone_blocked(&child);
    if (pid < 0)
        return (int)pid;
    if (child.error < 0 || !first)
        reap((pid_t)pid);
    else
        *first = (pid_t)pid;
    return child.error < 0 ? child.error : take_fd(&ours);
}

int lctr_monitor_start(struct lctr_monitor *monitor, struct lctr_monitor_start *start,
                       char what[32]) {
    strcpy(what, "start the monitor");
    pid_t first = 0;
    int socket = lctr_monitor_run("luactr-monitor", start->name, &first);
    if (socket < 0)
        return socket;
    monitor->socket = socket;
    fill_job(start);
    int error = hand_over(monitor->socket, start);
    if (!error || error == -EPIPE || error == -ECONNRESET) /* it may have said why */
        error = await_spawned(monitor, start, what);
    if (error)
        lctr_monitor_close(monitor);
    reap(first); /* the monitor is its child */
    return error;
}

int lctr_monitor_launch(struct lctr_monitor *monitor, struct lctr_event *event) {
    struct monitor_event said = {0};
    cleanup_fd fd = -1;
    if (monitor->socket < 0)
        return -ESRCH;
    int error = receive(monitor->socket, &said, &fd);
    if (error)
        return error;
    static const enum lctr_event_kind kinds[] = {[MONITOR_RENDEZVOUS] = LCTR_RENDEZVOUS,
                                                 [MONITOR_STARTED] = LCTR_STARTED,
                                                 [MONITOR_FAILED] = LCTR_FAILED};
    if (said.kind == MONITOR_REFUSED)
        return said.error;
    if (said.kind < MONITOR_RENDEZVOUS || said.kind > MONITOR_FAILED)
        return -EPROTO;
    *event = (struct lctr_event){
        .kind = kinds[said.kind], .number = said.number, .fd = take_fd(&fd), .record = said.record};
    return 0;
}

static int send_order(const struct lctr_monitor *monitor, uint32_t kind, uint32_t number) {
    const struct monitor_order order = {kind, number};
    if (monitor->socket < 0)
        return -ESRCH;
    if (send(monitor->socket, &order, sizeof order, MSG_NOSIGNAL) >= 0)
        return 0;
    return errno == EPIPE || errno == ECONNRESET ? -EOWNERDEAD : -errno;
}

int lctr_monitor_answer(struct lctr_monitor *monitor, uint32_t number) {
    return send_order(monitor, MONITOR_ANSWER, number);
}

int lctr_monitor_commit(struct lctr_monitor *monitor) {
    int error = send_order(monitor, MONITOR_COMMIT, 0);
    if (!error)
        lctr_monitor_close(monitor);
    return error;
}

/* The monitor closes its end when it has ended the container, or has taken it over. */
void lctr_monitor_close(struct lctr_monitor *monitor) {
    char rest[sizeof(struct monitor_event)];
    if (monitor->socket >= 0) {
        shutdown(monitor->socket, SHUT_WR);
        ssize_t length;
        do
            length = recv(monitor->socket, rest, sizeof rest, 0);
        while (length > 0 || (length < 0 && errno == EINTR));
        lctr_fd_cleanup(&monitor->socket);
    }
    monitor->socket = -1;
    lctr_fd_cleanup(&monitor->seen.plan);
    lctr_process_init(&monitor->seen);
}
