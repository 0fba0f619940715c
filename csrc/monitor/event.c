/* Lines of the log of events, see core/events.h and luactr.events. */
#include "monitor.h"

#include "core/cgroup_file.h"
#include "core/cgroup_oom.h"
#include "core/events.h"
#include "core/fd.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512
#define STATE_ABOVE    "../.." /* of the container's directory */
#define MICROSECONDS   1000000

struct line {
    char buffer[LINE_MAX_BYTES];
    struct text text;
};

/* No name or word of ours has a character that JSON escapes. */
static void string(struct line *line, const char *key, const char *value) {
    text_string(&line->text, ",\"");
    text_string(&line->text, key);
    text_string(&line->text, "\":\"");
    text_string(&line->text, value);
    text_string(&line->text, "\"");
}

static void number(struct line *line, const char *key, int64_t value) {
    text_string(&line->text, ",\"");
    text_string(&line->text, key);
    text_string(&line->text, "\":");
    text_number(&line->text, value);
}

/* The container's name is its directory's, which `luactr rename` changes while we run. */
static const char *current_name(const struct monitor *m, char link[PATH_MAX]) {
    char path[32] = "";
    struct text text = {path, path + sizeof path - 1};
    text_string(&text, "/proc/self/fd/");
    text_number(&text, m->state);
    ssize_t length = readlink(path, link, PATH_MAX - 1);
    link[length > 0 ? length : 0] = '\0';
    const char *name = m->name;
    for (const char *at = link; *at; at++)
        if (*at == '/')
            name = at + 1;
    return name;
}

static void begin(struct line *line, const struct monitor *m, const char *event) {
    char link[PATH_MAX];
    line->text = (struct text){line->buffer, line->buffer + sizeof line->buffer};
    text_string(&line->text, "{\"time\":");
    text_fraction(&line->text, clock_us(CLOCK_REALTIME), MICROSECONDS);
    string(line, "name", current_name(m, link));
    string(line, "event", event);
}

/* The pipe takes a line of up to PIPE_BUF whole or, if nobody has read for long, not at all. */
void news_tell(const struct monitor *m, const char *line, size_t length) {
    if (m->news >= 0 && write(m->news, line, length) < 0)
        return; /* who is to be told was killed, or does not listen: the container goes on */
}

/* An event that cannot be told is no reason to do anything else. */
static void tell(struct line *line, const struct monitor *m) {
    cleanup_fd directory = openat(m->state, STATE_ABOVE, O_PATH | O_DIRECTORY | O_CLOEXEC);
    text_string(&line->text, "}\n");
    size_t length = (size_t)(line->text.at - line->buffer);
    if (directory >= 0)
        lctr_events_add(directory, line->buffer, length);
    news_tell(m, line->buffer, length);
}

void event_tell(const struct monitor *m, const char *event) {
    struct line line;
    begin(&line, m, event);
    if (m->process.pid)
        number(&line, "pid", m->process.pid);
    tell(&line, m);
}

void event_refused(const struct monitor *m) {
    struct line line;
    begin(&line, m, "exit");
    string(&line, "reason", "start_failed");
    tell(&line, m);
}

/* ---- how it ended, in the words of luactr.result */

static int64_t metered(const struct monitor *m, const char *name) {
    for (size_t i = 0; i < m->meter_count; i++)
        if (strcmp(m->meters[i].name, name) == 0)
            return m->meters[i].count;
    return 0;
}

/* The signal that kill or stop sent last; 0: none. */
int64_t signal_sent(const struct monitor *m) {
    char text[64];
    int64_t value = 0;
    if (lctr_cgroup_read(m->state, "sent.json", text, sizeof text) < 0)
        return 0;
    const char *at = strchr(text, ':');
    for (at = at ? at + 1 : ""; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (*at - '0');
    return value;
}

static const char *reason(const struct monitor *m, int status) {
    bool signaled = WIFSIGNALED(status);
    bool killed = signaled ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 128 + SIGKILL;
    if (m->fired.reason)
        return m->fired.reason;
    if (signaled && signal_sent(m) == WTERMSIG(status))
        return "killed";
    if (killed && metered(m, "oom_kills") > 0)
        return "oom";
    if (status != 0 && metered(m, "pids_events") > 0)
        return "pids";
    return signaled ? "signal" : "exit";
}

static int status_of(const struct monitor *m) {
    const struct lctr_process *p = &m->process;
    return p->told ? p->payload.status : p->init.status;
}

bool ended_by_user(const struct monitor *m) {
    return strcmp(reason(m, status_of(m)), "killed") == 0;
}

void event_restart(const struct monitor *m) {
    struct line line;
    begin(&line, m, "restart");
    number(&line, "pid", m->process.pid);
    number(&line, "restarts", m->again.count);
    tell(&line, m);
}

void event_exit(const struct monitor *m) {
    struct line line;
    int status = status_of(m);
    begin(&line, m, "exit");
    string(&line, "reason", reason(m, status));
    if (WIFSIGNALED(status))
        number(&line, "signal", WTERMSIG(status));
    else
        number(&line, "exit_code", WEXITSTATUS(status));
    tell(&line, m);
}

/* ---- memory that ran out */

bool event_oom(struct monitor *m) {
    struct line line;
    int64_t kills = lctr_cgroup_oom_kills(&m->group, m->oom);
    if (kills <= m->oom_kills)
        return false;
    m->oom_kills = kills;
    begin(&line, m, "oom");
    number(&line, "kills", kills);
    tell(&line, m);
    return true;
}
