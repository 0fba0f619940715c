#include "core/events.h"

#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

static int open_file(int directory) {
    const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    int fd = openat(directory, EVENTS_FILE, flags, 0600);
    return fd < 0 ? -errno : fd;
}

/* One of those that find it too large begins a new one; the others still append to this. */
static bool begin_another(int directory, int fd, const struct stat *size) {
    struct stat now;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 ||
        fstatat(directory, EVENTS_FILE, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
        now.st_ino != size->st_ino)
        return false;
    return renameat(directory, EVENTS_FILE, directory, EVENTS_PAST) == 0;
}

int lctr_events_add(int directory, const char *line, size_t length) {
    struct stat size;
    cleanup_fd fd = open_file(directory);
    cleanup_fd next = -1;
    if (fd < 0)
        return fd;
    if (fstat(fd, &size) == 0 && size.st_size + (off_t)length > EVENTS_MAX &&
        begin_another(directory, fd, &size))
        next = open_file(directory);
    /* O_APPEND keeps the lines of several writers apart. */
    ssize_t written = write(next < 0 ? fd : next, line, length);
    if (written < 0)
        return -errno;
    return (size_t)written == length ? 0 : -ENOSPC;
}
