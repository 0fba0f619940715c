#include "log.h"

#include "core/fd.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PREFIX_MAX 64 /* time, stream and tag */
#define FILE_NAME  24

#define ROOM_TO_GO_ON ((off_t)2 * LOG_BUFFER)

static int open_file(int dir, const char *name) {
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

int log_open(struct log *log, int dir, int64_t max, unsigned files) {
    int fd = open_file(dir, "log");
    if (fd < 0)
        return fd;
    *log = (struct log){.dir = dir, .fd = fd, .max = max, .files = files};
    return 0;
}

/* ---- rotation */

static void name_file(char name[FILE_NAME], unsigned number) {
    struct text text = {name, name + FILE_NAME - 1};
    text_string(&text, "log");
    if (number) {
        text_string(&text, ".");
        text_digits(&text, number, 1);
    }
    *text.at = '\0';
}

/* The new file first: without room for it the old one goes on growing. */
static void rotate(struct log *log) {
    char from[FILE_NAME];
    char to[FILE_NAME];
    cleanup_fd fd = open_file(log->dir, "log.new");
    if (fd < 0)
        return;
    for (unsigned number = log->files - 1; number > 0; number--) {
        name_file(from, number - 1);
        name_file(to, number);
        renameat(log->dir, from, log->dir, to);
    }
    if (renameat(log->dir, "log.new", log->dir, "log") < 0)
        return;
    close(log->fd);
    log->fd = take_fd(&fd);
    log->size = 0;
}

/* ---- writing */

/* All or nothing: a record that is cut in two would be no record. */
static int write_whole(struct log *log, const char *bytes, size_t count) {
    size_t done = 0;
    while (done < count) {
        ssize_t written = write(log->fd, bytes + done, count - done);
        if (written > 0) {
            done += (size_t)written;
            continue;
        }
        int error = written < 0 ? errno : ENOSPC;
        if (error == EINTR)
            continue;
        if (done && ftruncate(log->fd, log->size) < 0)
            log->size += (int64_t)done; /* cannot be: shrinking needs no room */
        return -error;
    }
    log->size += (int64_t)count;
    return 0;
}

static const char *words_of(int error) {
    switch (error) {
    case ENOSPC:
        return "no space left on the device";
    case EDQUOT:
        return "the disk quota is used up";
    case EFBIG:
        return "the file has become too large";
    default:
        return "the file cannot be written";
    }
}

static int tell_loss(struct log *log, int64_t time_us) {
    char line[PREFIX_MAX + 96];
    struct text text = {line, line + sizeof line};
    text_time(&text, time_us);
    text_string(&text, " luactr F ");
    text_number(&text, log->untold);
    text_string(&text, " bytes of output were lost: ");
    text_string(&text, words_of(log->error));
    text_string(&text, "\n");
    return write_whole(log, line, (size_t)(text.at - line));
}

/* What did not fit may be followed by something shorter that does, and the log would have hole
 * after hole: it goes on when there is room for much, or where the file system does not say. */
static int look_for_room(struct log *log) {
    if (fallocate(log->fd, FALLOC_FL_KEEP_SIZE, log->size, ROOM_TO_GO_ON) < 0)
        return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
    return ftruncate(log->fd, log->size) < 0 ? -errno : 0; /* only a look */
}

static int go_on(struct log *log, int64_t time_us) {
    int error = look_for_room(log);
    if (!error)
        error = tell_loss(log, time_us);
    if (error)
        return error;
    log->untold = 0;
    return write_whole(log, log->buffer, log->used);
}

void log_flush(struct log *log, int64_t time_us) {
    if (log->used == 0)
        return;
    if (log->size > 0 && log->size + (int64_t)log->used > log->max)
        rotate(log);
    int error = log->untold ? go_on(log, time_us) : write_whole(log, log->buffer, log->used);
    if (error) {
        log->lost += log->buffered;
        log->untold += log->buffered;
        log->error = -error;
    }
    log->used = 0;
    log->buffered = 0;
}

void log_end(struct log *log, int64_t time_us) {
    log_flush(log, time_us);
    if (log->untold && tell_loss(log, time_us) == 0)
        log->untold = 0;
}

static void add_record(struct log *log, const char *prefix, size_t length, const char *data,
                       size_t size) {
    struct text text = {log->buffer + log->used, log->buffer + LOG_BUFFER};
    bool full = size > 0 && data[size - 1] == '\n';
    text_bytes(&text, prefix, length);
    text_string(&text, full ? "F " : "P ");
    text_bytes(&text, data, size);
    if (!full)
        text_string(&text, "\n");
    log->used = (size_t)(text.at - log->buffer);
    log->buffered += (int64_t)size;
}

void log_add(struct log *log, const char *stream, int64_t time_us, const char *data, size_t size) {
    char prefix[PREFIX_MAX];
    struct text text = {prefix, prefix + sizeof prefix};
    text_time(&text, time_us);
    text_string(&text, " ");
    text_string(&text, stream);
    text_string(&text, " ");
    size_t length = (size_t)(text.at - prefix);
    while (size) {
        const char *end = memchr(data, '\n', size);
        size_t line = end ? (size_t)(end - data) + 1 : size;
        if (log->used + length + line + sizeof "P \n" > LOG_BUFFER)
            log_flush(log, time_us);
        add_record(log, prefix, length, data, line);
        data += line;
        size -= line;
    }
}
