#include "monitor.h"

#include "core/cgroup_process.h"
#include "core/fd.h"
#include "kernel/calls.h"
#include "kernel/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* ---- to the caller and back */

static int say(const struct monitor *m, const struct monitor_event *event, int fd) {
    struct iovec part = {(void *)event, sizeof *event};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS,
                            .cmsg_len = CMSG_LEN(sizeof(int))}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    return sendmsg(m->caller, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int launch_refuse(const struct monitor *m, int error, const char *what) {
    struct monitor_event event = {.kind = MONITOR_REFUSED, .error = error};
    strncpy(event.what, what, sizeof event.what - 1);
    say(m, &event, -1);
    return error;
}

/* The next order; anything but this one, the caller's end above all, ends the start. */
static int expect(const struct monitor *m, uint32_t kind, uint32_t number) {
    struct monitor_order order = {0};
    ssize_t length;
    do
        length = recv(m->caller, &order, sizeof order, 0);
    while (length < 0 && errno == EINTR);
    bool fine = length == sizeof order && order.kind == kind && order.number == number;
    return fine ? 0 : -ECANCELED;
}

/* ---- the start */

/* A mount that the container gets is its own from then on: it gets copies. */
static int copy_slots(const struct monitor *m, int *fds) {
    int error = 0;
    for (size_t i = 0; i < m->job->slots; i++) {
        fds[i] = m->fds[i];
        if (m->again.policy && m->job->again.copied[i])
            fds[i] = k_open_tree(m->fds[i], "",
                                 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
                                     (unsigned)(AT_EMPTY_PATH | AT_RECURSIVE));
        if (fds[i] < 0 && !error)
            error = fds[i];
    }
    return error;
}

static void drop_copies(const struct monitor *m, const int *fds) {
    for (size_t i = 0; i < m->job->slots; i++)
        if (fds[i] >= 0 && fds[i] != m->fds[i])
            close(fds[i]);
}

static int spawn(struct monitor *m) {
    const struct monitor_job *job = m->job;
    int fds[PLAN_MAX_SLOTS];
    int error = copy_slots(m, fds);
    const struct lctr_launch launch = {
        .plan = job + 1,
        .plan_size = job->plan_size,
        .fds = fds,
        .fd_count = job->slots,
        .flags = job->flags,
        .cgroup = job->born_in >= 0 ? m->group.dir[job->born_in].fd : -1,
        .used = m->again.count > 0,
        .times = job->times,
        .fail_step = job->fail_step,
        .fail_error = job->fail_error,
    };
    if (!error)
        error = lctr_spawn(&m->process, &launch);
    drop_copies(m, fds);
    return error;
}

/* What only the clone needs, the working directory too. Of the outputs the container must be the
 * only writer, or their end would never come; with several lives nobody waits for it. */
static int shed(struct monitor *m) {
    for (size_t i = 0; i < m->job->slots && !m->again.policy; i++)
        close(m->fds[i]);
    if (!m->again.policy) {
        munmap((void *)m->job, m->job_size);
        m->job = NULL;
    }
    return chdir("/") < 0 ? -errno : 0;
}

static void take_console(struct monitor *m, int fd) {
    if (fd < 0)
        return;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    lctr_fd_cleanup(&m->sources[MONITOR_SOURCES - 1].fd);
    m->sources[MONITOR_SOURCES - 1] = (struct source){fd, "stdout"};
    attach_terminal(&m->attach, fd);
}

static int meet(struct monitor *m, const struct lctr_event *event) {
    if (event->number == MEET_CONSOLE) {
        take_console(m, event->fd);
        return 0;
    }
    const struct monitor_event said = {.kind = MONITOR_RENDEZVOUS, .number = event->number};
    cleanup_fd fd = event->fd;
    if (m->caller < 0)
        return restart_meet(m, event->number);
    int error = say(m, &said, fd);
    if (event->number == MEET_LISTENER) /* nobody answers */
        return error;
    if (!error)
        error = expect(m, MONITOR_ANSWER, event->number);
    return error ? error : lctr_process_answer(&m->process, event->number);
}

/* A step may take for ever (a file system that does not answer): then the caller's end counts, or
 * what somebody asks for once there is no caller. */
static int await_news(const struct monitor *m) {
    struct pollfd fds[] = {{.fd = m->process.status, .events = POLLIN},
                           {.fd = m->process.sync, .events = POLLIN},
                           {.fd = m->caller < 0 ? m->signals : m->caller, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            return -errno;
        if (fds[0].revents || fds[1].revents & POLLIN)
            return 0;
        if (fds[2].revents)
            return -ECANCELED;
        if (fds[1].revents)
            fds[1].fd = -1;
    }
}

static int follow(struct monitor *m) {
    for (;;) {
        struct lctr_event event;
        int error = await_news(m);
        if (!error)
            error = lctr_process_launch(&m->process, &event);
        if (error)
            return error;
        if (event.kind == LCTR_RENDEZVOUS) {
            error = meet(m, &event);
            if (error)
                return error;
            continue;
        }
        struct monitor_event said = {.kind = MONITOR_STARTED};
        if (event.kind == LCTR_STARTED)
            return m->caller < 0 ? 0 : say(m, &said, -1);
        said.kind = MONITOR_FAILED;
        said.record = event.record;
        lctr_process_close(&m->process); /* it is gone when the caller hears of it */
        m->again.failed = event.record;
        m->again.has_failed = true;
        if (m->caller >= 0)
            say(m, &said, -1);
        return -ECANCELED;
    }
}

/* What the container left is the caller's to remove, if there still is one. */
static int give_up(struct monitor *m, int error) {
    struct pollfd caller = {.fd = m->caller, .events = POLLIN};
    if (m->process.pid)
        kill_container(m);
    event_refused(m);
    lctr_process_close(&m->process);
    if (poll(&caller, 1, 0) > 0) {
        lctr_cgroup_destroy(&m->group);
        unlinkat(m->state, "state.json", 0); /* without these it is a leftover to be swept */
        unlinkat(m->state, "config.json", 0);
    }
    return error;
}

static int prepare(struct monitor *m) {
    int error = log_open(&m->log, m->state, (int64_t)m->job->log_size, m->job->log_files);
    if (error)
        return launch_refuse(m, error, "open the log");
    m->record = record_open(m->state);
    error = m->record < 0 ? m->record : restart_prepare(m);
    if (!error)
        error = attach_open(&m->attach, m->state);
    return error ? launch_refuse(m, error, "write the state directory") : 0;
}

static void note_start(struct monitor *m) {
    m->started_us = clock_us(CLOCK_MONOTONIC);
    m->started_at_us = clock_us(CLOCK_REALTIME);
}

int launch(struct monitor *m) {
    int error = prepare(m);
    if (error)
        return error;
    error = spawn(m);
    if (error)
        return launch_refuse(m, error,
                             error == -EINVAL && m->again.policy ? "keep mounts" : "clone");
    const struct monitor_event spawned = {
        .kind = MONITOR_SPAWNED, .pid = m->process.pid, .monitor = getpid()};
    event_tell(m, "create");
    error = shed(m);
    if (!error)
        error = say(m, &spawned, m->process.plan);
    if (!error)
        error = follow(m);
    note_start(m);
    if (!error)
        error = expect(m, MONITOR_COMMIT, 0);
    if (!error)
        error = attach_publish(m->state);
    if (error)
        return give_up(m, error);
    event_tell(m, "start"); /* before what the caller may do next */
    lctr_fd_cleanup(&m->caller);
    m->caller = -1;
    lctr_fd_cleanup(&m->process.plan); /* the caller has read the init's notes */
    m->process.plan = -1;
    return 0;
}

int launch_again(struct monitor *m) {
    int error = fchdir(m->again.cwd) < 0 ? -errno : spawn(m);
    if (chdir("/") < 0 && !error)
        error = -errno;
    if (!error) {
        restart_tell(m, 0);
        error = follow(m);
    }
    note_start(m);
    if (!error || m->again.has_failed)
        return error;
    take_signals(m);
    if (!m->last) { /* not a step's failure, and nobody's wish */
        m->again.failed = (struct plan_status){.step = NO_STEP, .error = -error};
        m->again.has_failed = true;
    }
    lctr_process_close(&m->process);
    return error;
}
