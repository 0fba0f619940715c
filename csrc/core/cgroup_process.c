#include "core/cgroup_process.h"

#include "core/cgroup_file.h"
#include "core/cgroup_place.h"
#include "core/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define DEPTH_MAX          64 /* a container may nest cgroups; each level costs a descriptor */
#define FREEZE_PATIENCE_MS 10000
#define REMOVE_PATIENCE_MS 5000 /* a process in uninterruptible sleep dies later */

/* ---- time */

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits that grow from 0.1 ms: what we wait for is mostly done at once. */
static void pause_for(int *round) {
    long microseconds = 100l << (*round < 7 ? (*round)++ : 7);
    nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL);
}

/* ---- walking */

static void close_dir(DIR **directory) {
    if (*directory)
        closedir(*directory);
}

#define cleanup_dir __attribute__((cleanup(close_dir))) DIR *

/* A directory stream of its own, so that `dir` keeps its position. */
static DIR *open_stream(int dir) {
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !stream)
        close(fd);
    return stream;
}

/* The next subdirectory; NULL after the last. */
static const char *next_child(DIR *stream) {
    const struct dirent *entry;
    while ((entry = readdir(stream)))
        if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0)
            return entry->d_name;
    return NULL;
}

/* The numbers of cgroup.procs. One file may list more processes than any buffer holds, and the
 * kernel may cut a number between two reads. */
static int visit_file(int dir, cgroup_visitor *visit, void *context) {
    char buffer[4096];
    long number = 0;
    bool open_number = false;
    cleanup_fd fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    for (;;) {
        ssize_t length = read(fd, buffer, sizeof buffer);
        if (length <= 0)
            return length < 0 ? -errno : 0;
        for (ssize_t i = 0; i < length; i++) {
            if (buffer[i] >= '0' && buffer[i] <= '9') {
                number = number * 10 + (buffer[i] - '0');
                open_number = true;
                continue;
            }
            /* 0: a process of a pid namespace that we don't see */
            int result = open_number && number > 0 ? visit((pid_t)number, context) : 0;
            if (result)
                return result;
            number = 0;
            open_number = false;
        }
    }
}

static int visit_tree(int dir, int depth, cgroup_visitor *visit, void *context) {
    const char *name;
    int result = visit_file(dir, visit, context);
    if (result == -EOPNOTSUPP) /* a threaded cgroup lists its processes in its domain's file */
        result = 0;
    if (result)
        return result;
    if (depth == DEPTH_MAX)
        return -ELOOP;
    cleanup_dir stream = open_stream(dir);
    if (!stream)
        return -errno;
    while (!result && (name = next_child(stream))) {
        cleanup_fd child = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (child >= 0)
            result = visit_tree(child, depth + 1, visit, context);
        if (result == -ENODEV || result == -ENOENT) /* removed under us */
            result = 0;
    }
    return result;
}

int lctr_cgroup_visit(int dir, cgroup_visitor *visit, void *context) {
    int result = visit_tree(dir, 0, visit, context);
    return result == -ENODEV ? 0 : result;
}

/* ---- signals */

struct search {
    pid_t pid;
};

static int is_pid(pid_t pid, void *context) {
    return ((struct search *)context)->pid == pid;
}

struct sending {
    int dir;
    int signal;
    pid_t except;
};

/* The number could be another process's by now. So take hold of whoever has it, then look whether
 * the number is still listed: if it is, the one we hold is either that process or dead. */
static int send_one(pid_t pid, void *context) {
    const struct sending *sending = context;
    struct search search = {.pid = pid};
    if (pid == sending->except)
        return 0;
    cleanup_fd pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return errno == ESRCH ? 0 : -errno;
    int found = lctr_cgroup_visit(sending->dir, is_pid, &search);
    if (found <= 0)
        return found;
    long sent = syscall(SYS_pidfd_send_signal, pidfd, sending->signal, NULL, 0);
    return sent < 0 && errno != ESRCH ? -errno : 0;
}

int lctr_cgroup_signal(int dir, int signal, pid_t except) {
    struct sending sending = {.dir = dir, .signal = signal, .except = except};
    if (signal == SIGKILL && !except) {
        int error = lctr_cgroup_write(dir, "cgroup.kill", "1");
        if (error != -ENOENT) /* v1, or before 5.14 */
            return error;
    }
    return lctr_cgroup_visit(dir, send_one, &sending);
}

int lctr_cgroup_kill_each(int dir) {
    struct sending sending = {.dir = dir, .signal = SIGKILL};
    return lctr_cgroup_visit(dir, send_one, &sending);
}

static int is_anyone(pid_t pid, void *context) {
    (void)pid;
    (void)context;
    return 1;
}

int lctr_cgroup_is_used(int dir) {
    return lctr_cgroup_visit(dir, is_anyone, NULL);
}

/* ---- making room */

/* Whose processes a cgroup holds. */
struct occupants {
    pid_t self;
    bool self_seen;
};

static int look_at_occupant(pid_t pid, void *context) {
    struct occupants *occupants = context;
    occupants->self_seen |= pid == occupants->self;
    return pid == occupants->self ? 0 : -EBUSY;
}

int lctr_cgroup_step_aside(int base) {
    struct occupants occupants = {.self = getpid()};
    if (faccessat(base, "cgroup.type", F_OK, 0) <
        0) /* the root of all, which is free of the rule */
        return errno == ENOENT ? 0 : -errno;
    int error = visit_file(base, look_at_occupant, &occupants);
    if (error || !occupants.self_seen)
        return error;
    if (mkdirat(base, CGROUP_TOP, 0755) < 0 && errno != EEXIST)
        return -errno;
    if (mkdirat(base, CGROUP_TOP "/" CGROUP_HOST, 0755) < 0 && errno != EEXIST)
        return -errno;
    return lctr_cgroup_write(base, CGROUP_TOP "/" CGROUP_HOST "/cgroup.procs", "0");
}

/* ---- freezing */

static int wait_frozen_v2(int dir) {
    char text[256];
    int64_t deadline = now_ms() + FREEZE_PATIENCE_MS;
    cleanup_fd events = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
    if (events < 0)
        return -errno;
    for (;;) {
        int64_t frozen = 0;
        ssize_t length = pread(events, text, sizeof text - 1, 0);
        if (length < 0)
            return -errno;
        text[length] = '\0';
        int error = lctr_cgroup_flat(text, "frozen", &frozen);
        if (error || frozen)
            return error;
        int64_t left = deadline - now_ms();
        if (left <= 0)
            return -ETIMEDOUT;
        poll(&(struct pollfd){.fd = events, .events = POLLPRI}, 1, (int)left);
    }
}

static int freeze_v2(int dir) {
    int error = lctr_cgroup_write(dir, "cgroup.freeze", "1");
    return error ? error : wait_frozen_v2(dir);
}

/* A process that forks while v1 freezes can leave the state at FREEZING for good; writing FROZEN
 * again looks at all processes again (see the kernel's freezer-subsystem.rst). */
static int freeze_v1(int dir) {
    char text[32];
    int64_t deadline = now_ms() + FREEZE_PATIENCE_MS;
    for (int round = 0;; pause_for(&round)) {
        int error = lctr_cgroup_write(dir, "freezer.state", "FROZEN");
        if (!error)
            error = lctr_cgroup_read(dir, "freezer.state", text, sizeof text);
        if (error < 0 || strcmp(text, "FROZEN\n") == 0)
            return error < 0 ? error : 0;
        if (now_ms() > deadline)
            return -ETIMEDOUT;
    }
}

static int thaw_dir(const struct cgroup_dir *dir) {
    return dir->version == 2 ? lctr_cgroup_write(dir->fd, "cgroup.freeze", "0")
                             : lctr_cgroup_write(dir->fd, "freezer.state", "THAWED");
}

int lctr_cgroup_freeze(struct cgroup *group) {
    const struct cgroup_dir *dir = lctr_cgroup_dir(group, CGROUP_FREEZER);
    if (!dir)
        return lctr_cgroup_blame(group, "freezer", "", -ENODEV);
    int error = dir->version == 2 ? freeze_v2(dir->fd) : freeze_v1(dir->fd);
    if (!error)
        return 0;
    thaw_dir(dir); /* half frozen helps nobody */
    return lctr_cgroup_blame(group, dir->path,
                             dir->version == 2 ? "cgroup.freeze" : "freezer.state", error);
}

int lctr_cgroup_thaw(struct cgroup *group) {
    const struct cgroup_dir *dir = lctr_cgroup_dir(group, CGROUP_FREEZER);
    int error = dir ? thaw_dir(dir) : 0;
    return error ? lctr_cgroup_blame(group, dir->path, "", error) : 0;
}

/* ---- the end */

/* Go down to a directory without children and remove it: any depth with two descriptors.
 * 1 when a child was removed, 0 when there is none. */
static int remove_one_child(int dir) {
    char name[NAME_MAX + 1];
    cleanup_fd at = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_fd above = -1;
    for (;;) {
        cleanup_dir stream = at < 0 ? NULL : open_stream(at);
        if (!stream)
            return errno == ENOENT ? 1 : -errno;
        const char *child = next_child(stream);
        if (!child)
            break;
        strcpy(name, child);
        lctr_fd_cleanup(&above);
        above = take_fd(&at);
        at = openat(above, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (above < 0)
        return 0;
    return unlinkat(above, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 1;
}

int lctr_cgroup_remove_below(const char *path) {
    cleanup_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = 1;
    if (dir < 0)
        return errno == ENOENT ? 0 : -errno;
    while (result == 1)
        result = remove_one_child(dir);
    return result;
}

static int remove_dir(const char *path) {
    if (rmdir(path) == 0 || errno == ENOENT)
        return 0;
    if (errno != EBUSY)
        return -errno;
    int error = lctr_cgroup_remove_below(path);
    if (error)
        return error;
    return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int kill_all(const char *path) {
    cleanup_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return errno == ENOENT ? 0 : -errno;
    /* v1's freezer holds even SIGKILL back. */
    lctr_cgroup_write(dir, "freezer.state", "THAWED");
    return lctr_cgroup_signal(dir, SIGKILL, 0);
}

int lctr_cgroup_remove(const char *path, bool kill) {
    int64_t deadline = now_ms() + REMOVE_PATIENCE_MS;
    int round = 0;
    for (;;) {
        int error = remove_dir(path);
        if (error != -EBUSY || !kill || now_ms() > deadline)
            return error;
        kill_all(path);
        pause_for(&round);
    }
}

/* The kernel removes none that has another member's. */
void lctr_cgroup_leave(const char *path) {
    char above[CGROUP_PATH_MAX];
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] != '/')
        length--;
    if (length < 2 || length > sizeof above)
        return;
    memcpy(above, path, length);
    above[length - 1] = '\0';
    rmdir(above);
}

int lctr_cgroup_destroy(struct cgroup *group) {
    int result = 0;
    /* A frozen process cannot die on v1, whichever hierarchy its killer looks at. */
    const struct cgroup_dir *freezer = lctr_cgroup_dir(group, CGROUP_FREEZER);
    if (freezer && freezer->version == 1)
        thaw_dir(freezer);
    for (size_t i = 0; i < group->count; i++) {
        int error = group->chosen ? lctr_cgroup_give_back(group->dir[i].path, true)
                                  : lctr_cgroup_remove(group->dir[i].path, true);
        if (error && !result)
            result = lctr_cgroup_blame(group, group->dir[i].path, "", error);
        if (group->nested && group->last_out)
            lctr_cgroup_leave(group->dir[i].path);
    }
    lctr_cgroup_release(group);
    return result;
}

/* ---- emptied for other processes */

static int count_one(pid_t pid, void *context) {
    (void)pid;
    ++*(size_t *)context;
    return 0;
}

/* What was delegated inside: v2 takes no process where controllers go on to those below. */
static void take_back(int dir) {
    char text[256];
    char order[sizeof text + 1] = "-";
    size_t length = 1;
    if (lctr_cgroup_read(dir, "cgroup.subtree_control", text, sizeof text) <= 0)
        return;
    for (const char *at = text; *at; at++) {
        bool word = *at != ' ' && *at != '\n';
        order[length] = word ? *at : '\0';
        if (!word && length > 1)
            lctr_cgroup_write(dir, "cgroup.subtree_control", order);
        length = word ? length + 1 : 1;
    }
}

int lctr_cgroup_clear(int dir, const char *path) {
    int64_t deadline = now_ms() + REMOVE_PATIENCE_MS;
    for (int round = 0;; pause_for(&round)) {
        int left = lctr_cgroup_is_used(dir);
        int error = left > 0 ? -EBUSY : left ? left : lctr_cgroup_remove_below(path);
        if (!error || now_ms() > deadline)
            return error;
        lctr_cgroup_kill_each(dir);
    }
}

int lctr_cgroup_empty(struct cgroup *group) {
    int result = lctr_cgroup_thaw(group);
    for (size_t i = 0; i < group->count; i++) {
        int error = lctr_cgroup_clear(group->dir[i].fd, group->dir[i].path);
        if (!error && group->dir[i].version == 2)
            take_back(group->dir[i].fd);
        result = result ? result : error;
    }
    return result;
}

/* ---- a hierarchy more for processes that run */

struct moving {
    int to;
    size_t seen;
};

static int move_one(pid_t pid, void *context) {
    struct moving *moving = context;
    char text[16];
    moving->seen++;
    snprintf(text, sizeof text, "%d", pid);
    int error = lctr_cgroup_write(moving->to, "cgroup.procs", text);
    return error == -ESRCH ? 0 : error; /* it ended meanwhile */
}

/* A process may fork before it is moved. When all had arrived before a pass began, their children
 * are born there too. */
int lctr_cgroup_move(int from, int to) {
    int64_t deadline = now_ms() + FREEZE_PATIENCE_MS;
    for (int round = 0;; pause_for(&round)) {
        struct moving moving = {.to = to};
        size_t arrived = 0;
        int error = lctr_cgroup_visit(to, count_one, &arrived);
        if (!error)
            error = lctr_cgroup_visit(from, move_one, &moving);
        if (error || arrived >= moving.seen)
            return error;
        if (now_ms() > deadline)
            return -ETIMEDOUT;
    }
}
