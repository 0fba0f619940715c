#include "monitor.h"

#include "core/cgroup_process.h"
#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
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

static int refuse(const struct monitor *m, int error, const char *what) {
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

static int spawn(struct monitor *m) {
    const struct monitor_job *job = m->job;
    const struct lctr_launch launch = {
        .plan = job + 1,
        .plan_size = job->plan_size,
        .fds = m->fds,
        .fd_count = job->slots,
        .flags = job->flags,
        .cgroup = job->born_in >= 0 ? m->group.dir[job->born_in].fd : -1,
        .times = job->times,
        .fail_step = job->fail_step,
        .fail_error = job->fail_error,
    };
    return lctr_spawn(&m->process, &launch);
}

/* What only the clone needs, the working directory too. Of the outputs the container must be the
 * only writer, or their end would never come. */
static int shed(struct monitor *m) {
    for (size_t i = 0; i < m->job->slots; i++)
        close(m->fds[i]);
    munmap((void *)m->job, m->job_size);
    m->job = NULL;
    return chdir("/") < 0 ? -errno : 0;
}

static void take_console(struct monitor *m, int fd) {
    if (fd < 0)
        return;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    m->sources[MONITOR_SOURCES - 1] = (struct source){fd, "stdout"};
}

static int meet(struct monitor *m, const struct lctr_event *event) {
    if (event->number == MEET_CONSOLE) {
        take_console(m, event->fd);
        return 0;
    }
    const struct monitor_event said = {.kind = MONITOR_RENDEZVOUS, .number = event->number};
    cleanup_fd fd = event->fd;
    int error = say(m, &said, fd);
    if (event->number == MEET_LISTENER) /* nobody answers */
        return error;
    if (!error)
        error = expect(m, MONITOR_ANSWER, event->number);
    return error ? error : lctr_process_answer(&m->process, event->number);
}

/* A step may take for ever (a file system that does not answer): then the caller's end counts. */
static int await_news(const struct monitor *m) {
    struct pollfd fds[] = {{.fd = m->process.status, .events = POLLIN},
                           {.fd = m->process.sync, .events = POLLIN},
                           {.fd = m->caller, .events = POLLIN}};
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
            return say(m, &said, -1);
        said.kind = MONITOR_FAILED;
        said.record = event.record;
        lctr_process_close(&m->process); /* it is gone when the caller hears of it */
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
        return refuse(m, error, "open the log");
    m->record = record_open(m->state);
    return m->record < 0 ? refuse(m, m->record, "write the state directory") : 0;
}

int launch(struct monitor *m) {
    int error = prepare(m);
    if (error)
        return error;
    error = spawn(m);
    if (error)
        return refuse(m, error, "clone");
    const struct monitor_event spawned = {
        .kind = MONITOR_SPAWNED, .pid = m->process.pid, .monitor = getpid()};
    event_tell(m, "create");
    error = shed(m);
    if (!error)
        error = say(m, &spawned, m->process.plan);
    if (!error)
        error = follow(m);
    m->started_us = clock_us(CLOCK_MONOTONIC);
    m->started_at_us = clock_us(CLOCK_REALTIME);
    if (!error)
        error = expect(m, MONITOR_COMMIT, 0);
    if (error)
        return give_up(m, error);
    lctr_fd_cleanup(&m->caller);
    m->caller = -1;
    lctr_fd_cleanup(&m->process.plan); /* the caller has read the init's notes */
    m->process.plan = -1;
    event_tell(m, "start");
    return 0;
}
