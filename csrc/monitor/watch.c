#include "monitor.h"

#include "core/cgroup_file.h"
#include "core/cgroup_oom.h"
#include "core/cgroup_process.h"
#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define CHUNK                16384
#define SHORTEST_INTERVAL_US 5000
#define MICROSECONDS         1000000
#define OOM_LOOKS            20
#define OOM_INTERVAL_MS      10

/* ---- the end of all processes */

static void thaw_later(const char *freezer) {
    if (!*freezer)
        return;
    cleanup_fd dir = open(freezer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0)
        lctr_cgroup_write(dir, "freezer.state", "THAWED");
}

/* Nothing in the container survives this, frozen or not, with a pid namespace or without. */
void kill_container(struct monitor *m) {
    const struct cgroup_dir *dir = lctr_cgroup_main(&m->group);
    lctr_process_signal(&m->process, SIGKILL);
    if (dir && m->again.policy)
        lctr_cgroup_kill_each(dir->fd);
    else if (dir)
        lctr_cgroup_signal(dir->fd, SIGKILL, 0);
    lctr_cgroup_thaw(&m->group);
    thaw_later(m->freezer);
}

/* ---- limits */

static void fire(struct monitor *m, const char *reason, int64_t value, int64_t limit, int64_t per) {
    if (m->fired.reason)
        return;
    m->fired = (struct fired){reason, value, limit, per};
    kill_container(m);
}

/* Each returns when it wants to be asked again, or -1. */
static int64_t enforce_wall(struct monitor *m, int64_t now) {
    int64_t spent = now - m->started_us;
    if (m->wall_us >= 0 && spent >= m->wall_us)
        fire(m, "wall_time", spent, m->wall_us, MICROSECONDS);
    return m->wall_us < 0 ? -1 : m->started_us + m->wall_us;
}

static int64_t cpu_time_us(const struct cgroup_meter *meters, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(meters[i].name, "cpu_seconds") == 0)
            return meters[i].count / (meters[i].per / MICROSECONDS);
    return 0;
}

static int64_t cpu_used_us(struct monitor *m) {
    struct cgroup_meter meters[CGROUP_METERS_MAX];
    size_t count = lctr_cgroup_meters(&m->group, false, meters);
    return cpu_time_us(meters, count) - cpu_time_us(m->again.spent, m->again.spent_count);
}

/* The meter is read again when the limit could be reached at the earliest, with all CPUs busy. */
static int64_t enforce_cpu(struct monitor *m, int64_t now) {
    if (m->cpu_us < 0 || now < m->cpu_due_us)
        return m->cpu_us < 0 ? -1 : m->cpu_due_us;
    int64_t used = cpu_used_us(m);
    if (used >= m->cpu_us)
        fire(m, "cpu_time", used, m->cpu_us, MICROSECONDS);
    int64_t wait = (m->cpu_us - used) / m->cpus;
    m->cpu_due_us = now + (wait > SHORTEST_INTERVAL_US ? wait : SHORTEST_INTERVAL_US);
    return m->cpu_due_us;
}

/* Milliseconds until the next look, rounded up; -1: nothing is due. */
static int enforce(struct monitor *m) {
    if (m->fired.reason || m->settled)
        return -1;
    int64_t now = clock_us(CLOCK_MONOTONIC);
    int64_t wall = enforce_wall(m, now);
    int64_t cpu = enforce_cpu(m, now);
    if (m->fired.reason || (wall < 0 && cpu < 0))
        return -1;
    int64_t due = wall < 0 || (cpu >= 0 && cpu < wall) ? cpu : wall;
    int64_t wait = due > now ? (due - now + 999) / 1000 : 0;
    return wait < INT_MAX ? (int)wait : INT_MAX;
}

/* ---- output */

/* What still may be written of `size` bytes. */
static size_t room_for(struct monitor *m, size_t size) {
    int64_t before = m->written;
    m->written += (int64_t)size;
    if (m->output < 0 || m->written <= m->output)
        return size;
    m->truncated = true;
    fire(m, "output", m->written, m->output, 1);
    return before < m->output ? (size_t)(m->output - before) : 0;
}

/* Read once. False when there is no more for now. */
static bool take_output(struct monitor *m, struct source *source) {
    static char chunk[CHUNK];
    ssize_t length = read(source->fd, chunk, sizeof chunk);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (length <= 0) { /* a terminal ends with EIO */
        if (source->fd == m->attach.terminal)
            m->attach.terminal = -1;
        lctr_fd_cleanup(&source->fd);
        source->fd = -1;
        return false;
    }
    int64_t now = clock_us(CLOCK_REALTIME);
    size_t size = room_for(m, (size_t)length);
    log_add(&m->log, source->name, now, chunk, size);
    log_flush(&m->log, now);
    attach_output(&m->attach, source->name, chunk, size);
    return true;
}

static void drain(struct monitor *m) {
    for (int i = 0; i < MONITOR_SOURCES; i++)
        while (m->sources[i].fd >= 0 && take_output(m, &m->sources[i]))
            ;
}

/* ---- the loop */

/* The command has ended. With PID 1 alone the meters are final, and are read while the kernel takes
 * that apart. */
static void settle(struct monitor *m) {
    m->settled = true;
    if (lctr_process_settle(&m->process, 0) == 1)
        m->meter_count = lctr_cgroup_meters(&m->group, false, m->meters);
}

/* Either wants no other life of it. A host that shuts down asks all processes to end: the container
 * shall hear that too. */
void take_signals(struct monitor *m) {
    struct signalfd_siginfo info;
    while (read(m->signals, &info, sizeof info) == sizeof info) {
        m->last = true;
        if (info.ssi_signo == SIGTERM)
            lctr_process_signal(&m->process, SIGTERM);
    }
}

int open_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, MONITOR_LAST_LIFE);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* v1 tells before it kills. */
static void look_for_oom(struct monitor *m, bool told) {
    if (told)
        m->oom_looks = OOM_LOOKS;
    if (m->oom_looks)
        m->oom_looks = event_oom(m) ? 0 : m->oom_looks - 1;
}

static int sooner(int a, int b) {
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

enum {
    EXIT,
    NEWS,
    SIGNALS,
    OOM,
    FIRST_SOURCE,
    ATTACH = FIRST_SOURCE + MONITOR_SOURCES,
    POLLED = ATTACH + ATTACH_POLLED
};

static void fill(const struct monitor *m, struct pollfd *fds) {
    fds[EXIT] = (struct pollfd){.fd = m->process.pidfd, .events = POLLIN};
    fds[NEWS] = (struct pollfd){.fd = m->settled ? -1 : m->process.sync, .events = POLLIN};
    fds[SIGNALS] = (struct pollfd){.fd = m->signals, .events = POLLIN};
    fds[OOM] = (struct pollfd){.fd = m->oom, .events = m->oom_events};
    for (int i = 0; i < MONITOR_SOURCES; i++)
        fds[FIRST_SOURCE + i] = (struct pollfd){.fd = m->sources[i].fd, .events = POLLIN};
    attach_fill(&m->attach, fds + ATTACH);
}

static void finish(struct monitor *m) {
    lctr_process_wait(&m->process, -1);
    if (!m->meter_count)
        m->meter_count = lctr_cgroup_meters(&m->group, false, m->meters);
    restart_measure(m);
    m->finished_us = clock_us(CLOCK_MONOTONIC);
    m->finished_at_us = clock_us(CLOCK_REALTIME);
    event_oom(m);
    if (m->again.policy)
        lctr_cgroup_empty(&m->group);
    else
        lctr_cgroup_destroy(&m->group);
    if (*m->freezer)
        lctr_cgroup_remove(m->freezer, true);
    if (*m->freezer && m->group.nested)
        lctr_cgroup_leave(m->freezer);
    attach_wait(&m->attach, true);
    drain(m); /* nothing can write any more */
    attach_wait(&m->attach, false);
    log_end(&m->log, m->finished_at_us);
    event_exit(m);
}

void watch(struct monitor *m) {
    struct pollfd fds[POLLED];
    if (m->oom < 0)
        m->oom = lctr_cgroup_oom_open(&m->group);
    m->oom_events = lctr_cgroup_oom_events(&m->group);
    do {
        int timeout = sooner(enforce(m), m->oom_looks ? OOM_INTERVAL_MS : -1);
        fill(m, fds);
        if (poll(fds, POLLED, timeout) <= 0)
            fds[EXIT].revents = 0;
        else if (fds[SIGNALS].revents)
            take_signals(m);
        if (fds[NEWS].revents)
            settle(m);
        look_for_oom(m, fds[OOM].revents != 0);
        for (int i = 0; i < MONITOR_SOURCES; i++)
            if (fds[FIRST_SOURCE + i].revents)
                take_output(m, &m->sources[i]);
        attach_serve(&m->attach, fds + ATTACH);
    } while (!fds[EXIT].revents);
    finish(m);
}
