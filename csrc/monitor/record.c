/* exit.json: the facts that luactr.result makes the result record of; last.json: the same of the
 * life before. */
#include "monitor.h"

#include "core/fd.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define RECORD_MAX   4096
#define MICROSECONDS 1000000
#define TEMPORARY    "exit.json.new"
#define LAST_NEW     "last.json.new"

/* The blocks are taken at the start: a disk that has become full does not lose the record. */
int record_open(int state) {
    int fd = openat(state, TEMPORARY, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    if (fallocate(fd, 0, 0, RECORD_MAX) < 0 && errno != EOPNOTSUPP && errno != ENOSYS) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static void key(struct text *text, const char *name) {
    if (text->at[-1] != '{')
        text_string(text, ",");
    text_string(text, "\"");
    text_string(text, name);
    text_string(text, "\":");
}

static void number(struct text *text, const char *name, int64_t count, int64_t per) {
    key(text, name);
    text_fraction(text, count, per);
}

static void flag(struct text *text, const char *name, bool value) {
    key(text, name);
    text_string(text, value ? "true" : "false");
}

static void status(struct text *text, int value, const char *code, const char *signal) {
    if (WIFSIGNALED(value))
        number(text, signal, WTERMSIG(value), 1);
    else
        number(text, code, WEXITSTATUS(value), 1);
}

/* As process:wait() of the C module gives it. */
static void ending(struct text *text, const struct lctr_process *p) {
    const struct lctr_end *end = p->told ? &p->payload : &p->init;
    key(text, "ending");
    text_string(text, "{");
    status(text, end->status, "code", "signal");
    flag(text, "core_dumped", WIFSIGNALED(end->status) && WCOREDUMP(end->status));
    number(text, "user_seconds", (int64_t)end->user_us, MICROSECONDS);
    number(text, "system_seconds", (int64_t)end->system_us, MICROSECONDS);
    number(text, "max_rss", (int64_t)end->max_rss_kib * 1024, 1);
    status(text, p->init.status, "init_code", "init_signal");
    text_string(text, "}");
}

static void meters(struct text *text, const struct monitor *m) {
    key(text, "meters");
    text_string(text, "{");
    for (size_t i = 0; i < m->meter_count; i++)
        number(text, m->meters[i].name, m->meters[i].count, m->meters[i].per);
    text_string(text, "}");
}

static void fired(struct text *text, const struct fired *fired) {
    key(text, "fired");
    text_string(text, "{\"reason\":\"");
    text_string(text, fired->reason);
    text_string(text, "\"");
    number(text, "value", fired->value, fired->per);
    number(text, "limit", fired->limit, fired->per);
    text_string(text, "}");
}

/* As the event of a failed start has it. */
static void unborn(struct text *text, const struct plan_status *failed) {
    key(text, "failed");
    text_string(text, "{");
    number(text, "errno", failed->error, 1);
    if (failed->step != NO_STEP) {
        number(text, "step", failed->step + 1, 1);
        number(text, "kind", failed->kind, 1);
    }
    text_string(text, "}");
}

static void lives(struct text *text, const struct monitor *m) {
    number(text, "restarts", m->again.count, 1);
    if (m->again.has_failed)
        unborn(text, &m->again.failed);
    else if (signal_sent(m))
        number(text, "sent", signal_sent(m), 1);
}

static ssize_t compose(const struct monitor *m, char buffer[RECORD_MAX]) {
    struct text text = {buffer, buffer + RECORD_MAX};
    text_string(&text, "{");
    ending(&text, &m->process);
    if (m->again.policy)
        lives(&text, m);
    if (m->group.owner && m->meter_count)
        meters(&text, m);
    if (m->fired.reason)
        fired(&text, &m->fired);
    flag(&text, "truncated", m->truncated);
    number(&text, "log_lost", m->log.lost, 1);
    number(&text, "wall_seconds", m->finished_us - m->started_us, MICROSECONDS);
    number(&text, "started_at", m->started_at_us, MICROSECONDS);
    number(&text, "finished_at", m->finished_at_us, MICROSECONDS);
    text_string(&text, "}\n");
    return text.at - buffer;
}

/* The last life may have been kept before nobody wanted another one. */
static void tell_once(struct monitor *m, const char *record, ssize_t length) {
    if (!m->again.is_told)
        news_tell(m, record, (size_t)length);
    m->again.is_told = true;
}

void record_write(struct monitor *m) {
    char buffer[RECORD_MAX];
    ssize_t length = compose(m, buffer);
    if (write(m->record, buffer, (size_t)length) == length && ftruncate(m->record, length) == 0)
        renameat(m->state, TEMPORARY, m->state, "exit.json");
    tell_once(m, buffer, length);
}

void record_keep(struct monitor *m) {
    char buffer[RECORD_MAX];
    ssize_t length = compose(m, buffer);
    cleanup_fd fd = openat(m->state, LAST_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0 && write(fd, buffer, (size_t)length) == length)
        renameat(m->state, LAST_NEW, m->state, "last.json");
    tell_once(m, buffer, length);
}
