/* Lives of a container after its first: whether there is another one, when, and what it needs.
 *
 * A life that follows another waits before it: 100 ms, twice as long each time, a minute at most;
 * from the beginning again after a life of ten seconds. What the first one was given is kept for
 * it: plan, descriptors and cgroup. */
#include "monitor.h"

#include "core/cgroup_file.h"
#include "core/cgroup_process.h"
#include "core/fd.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MICROSECONDS     1000000
#define FIRST_DELAY_US   100000
#define LONGEST_DELAY_US (60 * (int64_t)MICROSECONDS)
#define LONG_LIFE_US     (10 * (int64_t)MICROSECONDS)
#define LIFE_FILE        "life.json"
#define LIFE_SIZE        256 /* always as long, so that it is written in place */
#define START_TIME_FIELD 20  /* of /proc/PID/stat, behind the name */

/* The file's room is taken at the start: a full disk shall not hide where the container is. */
int restart_prepare(struct monitor *m) {
    struct again *a = &m->again;
    a->policy = m->job->again.policy;
    if (!a->policy)
        return 0;
    a->cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (a->cwd < 0)
        return -errno;
    a->life = openat(m->state, LIFE_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (a->life < 0)
        return -errno;
    if (fallocate(a->life, 0, 0, LIFE_SIZE) < 0 && errno != EOPNOTSUPP && errno != ENOSYS)
        return -errno;
    return 0;
}

/* ---- what others find the container by */

static void proc_path(struct text *text, char *path, size_t size, pid_t pid, const char *file) {
    *text = (struct text){path, path + size - 1};
    text_string(text, "/proc/");
    text_number(text, pid);
    text_string(text, "/");
    text_string(text, file);
    *text->at = '\0';
}

/* In clock ticks since boot; 0: unknown. */
static int64_t start_time(pid_t pid) {
    char path[64];
    char stat[1024];
    struct text text;
    int64_t value = 0;
    proc_path(&text, path, sizeof path, pid, "stat");
    if (lctr_cgroup_read(AT_FDCWD, path, stat, sizeof stat) < 0)
        return 0;
    const char *at = stat;
    for (const char *next = at; *next; next++) /* the name may have a parenthesis, too */
        if (*next == ')')
            at = next;
    for (int field = 0; *at && field < START_TIME_FIELD; at++)
        field += *at == ' ';
    for (; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (*at - '0');
    return value;
}

static void number(struct text *text, const char *name, int64_t value) {
    text_string(text, ",\"");
    text_string(text, name);
    text_string(text, "\":");
    text_number(text, value);
}

/* A reader that finds different numbers at its ends reads again: it was just written. */
void restart_tell(const struct monitor *m, int64_t due_us) {
    char buffer[LIFE_SIZE];
    struct text text = {buffer, buffer + sizeof buffer};
    int64_t mark = clock_us(CLOCK_MONOTONIC);
    text_string(&text, "{\"begin\":");
    text_number(&text, mark);
    number(&text, "restarts", m->again.count);
    if (due_us) {
        text_string(&text, ",\"next_start\":");
        text_fraction(&text, due_us, MICROSECONDS);
    } else {
        number(&text, "pid", m->process.pid);
        number(&text, "start", start_time(m->process.pid));
    }
    number(&text, "end", mark);
    text_string(&text, "}");
    memset(text.at, ' ', (size_t)(text.end - text.at));
    buffer[LIFE_SIZE - 1] = '\n';
    if (pwrite(m->again.life, buffer, sizeof buffer, 0) < 0)
        return; /* its room was taken; the container runs all the same */
}

/* ---- what the caller did at the first start */

static int write_proc(const struct monitor *m, const char *file, const char *content) {
    char path[64];
    struct text text;
    if (!*content)
        return 0;
    proc_path(&text, path, sizeof path, m->process.pid, file);
    return lctr_cgroup_write(AT_FDCWD, path, content);
}

/* setgroups goes first: the kernel refuses an unprivileged gid_map before it. */
int restart_meet(struct monitor *m, uint32_t meeting) {
    const struct monitor_again *again = &m->job->again;
    if (meeting != MEET_ID_MAPS)
        return -ENOTSUP;
    int error = write_proc(m, "setgroups", again->setgroups);
    if (!error)
        error = write_proc(m, "uid_map", again->uid_map);
    if (!error)
        error = write_proc(m, "gid_map", again->gid_map);
    return error ? error : lctr_process_answer(&m->process, meeting);
}

/* ---- what it has used */

static bool is_peak(const char *name) {
    size_t length = strlen(name);
    return length > 5 && strcmp(name + length - 5, "_peak") == 0;
}

/* The cgroup stays, and counts on. Of its peaks it tells only the highest of all lives. */
void restart_measure(struct monitor *m) {
    const struct again *a = &m->again;
    for (size_t i = 0; i < m->meter_count; i++)
        for (size_t j = 0; j < a->spent_count; j++)
            if (strcmp(m->meters[i].name, a->spent[j].name) == 0 && !is_peak(a->spent[j].name))
                m->meters[i].count -= a->spent[j].count;
}

/* ---- one life after the other */

static bool failed(const struct monitor *m) {
    const struct lctr_process *p = &m->process;
    return m->again.has_failed || m->fired.reason ||
           (p->told ? p->payload.status : p->init.status) != 0;
}

static bool is_wanted(const struct monitor *m) {
    const struct again *a = &m->again;
    uint32_t most = a->policy ? m->job->again.most : 0;
    if (!a->policy || m->last || (!a->has_failed && ended_by_user(m)) || (most && a->count >= most))
        return false;
    return a->policy == RESTART_ALWAYS || failed(m);
}

/* False when somebody wants no more of it meanwhile. */
static bool wait_for_turn(struct monitor *m) {
    struct again *a = &m->again;
    struct pollfd signals = {.fd = m->signals, .events = POLLIN};
    bool lived = m->finished_us - m->started_us >= LONG_LIFE_US;
    a->delay_us = lived || !a->delay_us ? FIRST_DELAY_US : a->delay_us * 2;
    if (a->delay_us > LONGEST_DELAY_US)
        a->delay_us = LONGEST_DELAY_US;
    restart_tell(m, clock_us(CLOCK_REALTIME) + a->delay_us);
    int64_t due = clock_us(CLOCK_MONOTONIC) + a->delay_us;
    int64_t now;
    while (!m->last && (now = clock_us(CLOCK_MONOTONIC)) < due)
        if (poll(&signals, 1, (int)((due - now + 999) / 1000)) > 0)
            take_signals(m);
    return !m->last;
}

/* As at the first start. What was sent to the life before means nothing to this one. */
static void begin(struct monitor *m) {
    struct again *a = &m->again;
    lctr_process_close(&m->process);
    lctr_process_init(&m->process);
    a->spent_count = lctr_cgroup_meters(&m->group, false, a->spent);
    a->has_failed = false;
    a->is_told = false;
    a->count++;
    m->meter_count = 0;
    m->fired = (struct fired){0};
    m->written = 0;
    m->truncated = false;
    m->settled = false;
    m->cpu_due_us = 0;
    m->oom_looks = 0;
    unlinkat(m->state, "sent.json", 0);
    if (m->job->again.rewound >= 0)
        lseek(m->fds[m->job->again.rewound], 0, SEEK_SET);
}

static void end_unborn(struct monitor *m) {
    m->finished_us = clock_us(CLOCK_MONOTONIC);
    m->finished_at_us = clock_us(CLOCK_REALTIME);
    lctr_cgroup_empty(&m->group);
    event_refused(m);
}

bool restart(struct monitor *m) {
    while (is_wanted(m)) {
        record_keep(m);
        if (!wait_for_turn(m))
            break;
        begin(m);
        if (launch_again(m) == 0) {
            event_restart(m);
            take_signals(m);
            if (m->last) /* who wanted that may not have seen this life yet */
                kill_container(m);
            return true;
        }
        end_unborn(m);
    }
    if (m->again.policy)
        lctr_cgroup_destroy(&m->group);
    return false;
}
