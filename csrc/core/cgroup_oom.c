#include "core/cgroup_oom.h"

#include "core/cgroup_file.h"
#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>

/* v2 lets the file itself be polled. */
static int open_v2(int dir) {
    int fd = openat(dir, "memory.events", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int lctr_cgroup_event_open(int dir, const char *name, const char *argument) {
    char order[64];
    cleanup_fd file = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    cleanup_fd event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0)
        return -errno;
    snprintf(order, sizeof order, "%d %d %s", event, file, argument);
    int error = lctr_cgroup_write(dir, "cgroup.event_control", order);
    return error ? error : take_fd(&event);
}

int lctr_cgroup_oom_open(struct cgroup *group) {
    const struct cgroup_dir *dir = lctr_cgroup_dir(group, CGROUP_MEMORY);
    if (!dir)
        return -ENODEV;
    return dir->version == 2 ? open_v2(dir->fd)
                             : lctr_cgroup_event_open(dir->fd, "memory.oom_control", "");
}

short lctr_cgroup_oom_events(struct cgroup *group) {
    const struct cgroup_dir *dir = lctr_cgroup_dir(group, CGROUP_MEMORY);
    return dir && dir->version == 2 ? POLLPRI : POLLIN;
}

int64_t lctr_cgroup_oom_kills(struct cgroup *group, int fd) {
    char text[512];
    int64_t kills = 0;
    const struct cgroup_dir *dir = lctr_cgroup_dir(group, CGROUP_MEMORY);
    if (!dir || fd < 0)
        return -ENODEV;
    ssize_t length =
        dir->version == 2 ? pread(fd, text, sizeof text - 1, 0) : read(fd, text, sizeof(uint64_t));
    if (dir->version == 1)
        length = lctr_cgroup_read(dir->fd, "memory.oom_control", text, sizeof text);
    if (length < 0)
        return -EIO;
    text[length] = '\0';
    int error = lctr_cgroup_flat(text, "oom_kill", &kills);
    return error ? error : kills;
}
