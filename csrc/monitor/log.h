/* The log of a container: a file of lines, rotated by size.
 *
 * A line is "TIME STREAM TAG TEXT": the time in UTC when it was read, stdout or stderr (luactr for
 * what the monitor itself has to say), F for a full line or P for a part, which the next record of
 * the stream goes on with. The newline at the end of a record is the text's own only with F.
 *
 * log is the newest file, then log.1 and so on. When the disk takes no more, output is thrown away
 * and counted, so that the container goes on; the count is told when there is room again, and at
 * the latest at the container's end. */
#ifndef LUACTR_MONITOR_LOG_H
#define LUACTR_MONITOR_LOG_H

#include <stddef.h>
#include <stdint.h>

#define LOG_BUFFER 32768

struct log {
    int dir;
    int fd;
    int64_t size; /* of the file */
    int64_t max;
    unsigned files;
    int64_t lost;     /* bytes of output, in all */
    int64_t untold;   /* of them those that the log does not tell of yet */
    int64_t buffered; /* bytes of output in the buffer */
    int error;        /* why the last write failed */
    size_t used;
    char buffer[LOG_BUFFER];
};

/* Begin the log in a directory. 0 or -errno. */
int log_open(struct log *log, int dir, int64_t max, unsigned files);

/* Note what came from a stream at a time, at most LOG_BUFFER / 2 bytes. */
void log_add(struct log *log, const char *stream, int64_t time_us, const char *data, size_t size);

/* Bring what was noted to the file. */
void log_flush(struct log *log, int64_t time_us);

/* The same, and whatever room there is for a last word on what is missing. */
void log_end(struct log *log, int64_t time_us);

#endif
