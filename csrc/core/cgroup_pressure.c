#include "core/cgroup_pressure.h"

#include "core/cgroup_oom.h"
#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* ORDER PRESSURE */
static const char *const files[] = {"cpu.pressure", "memory.pressure", "io.pressure"};

int lctr_cgroup_stall_open(struct cgroup *group, const struct cgroup_trigger *trigger) {
    char order[64];
    const struct cgroup_dir *dir = lctr_cgroup_dir(group, CGROUP_CORE);
    if (!dir)
        return -ENOENT;
    cleanup_fd file = openat(dir->fd, files[trigger->what], O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return -errno;
    int length = snprintf(order, sizeof order, "%s %ld %ld", trigger->full ? "full" : "some",
                          trigger->stall_us, trigger->window_us);
    if (write(file, order, (size_t)length + 1) < 0)
        return -errno;
    return take_fd(&file);
}

int lctr_cgroup_level_open(struct cgroup *group, const char *level) {
    const struct cgroup_dir *dir = lctr_cgroup_dir(group, CGROUP_MEMORY);
    if (!dir || dir->version != 1)
        return -ENODEV;
    return lctr_cgroup_event_open(dir->fd, "memory.pressure_level", level);
}
