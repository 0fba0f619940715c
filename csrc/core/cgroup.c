#include "core/cgroup.h"

#include "core/bpf_device.h"
#include "core/cgroup_file.h"
#include "core/cgroup_place.h"
#include "core/cgroup_process.h"
#include "core/cgroup_setting.h"
#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define TRIES 16 /* against other luactr processes that remove what we make */

void lctr_cgroup_init(struct cgroup *group) {
    group->count = 0;
    group->owner = false;
    group->chosen = false;
    group->nested = false;
    group->last_out = false;
    group->where[0] = '\0';
}

int lctr_cgroup_blame(struct cgroup *group, const char *dir, const char *file, int error) {
    bool slash = *file && *dir && dir[strlen(dir) - 1] != '/';
    snprintf(group->where, sizeof group->where, "%s%s%s", dir, slash ? "/" : "", file);
    return error;
}

struct cgroup_dir *lctr_cgroup_dir(struct cgroup *group, enum cgroup_controller controller) {
    struct cgroup_dir *found = NULL;
    for (size_t i = 0; i < group->count; i++)
        if (group->dir[i].controllers & CGROUP_BIT(controller) &&
            (!found || group->dir[i].version == 1))
            found = &group->dir[i];
    return found;
}

struct cgroup_dir *lctr_cgroup_main(struct cgroup *group) {
    for (size_t i = 0; i < group->count; i++)
        if (group->dir[i].version == 2)
            return &group->dir[i];
    return group->count ? &group->dir[0] : NULL;
}

/* ---- controllers of v2: a directory has what its parent's subtree_control says */

#define SUBTREE_CONTROL "cgroup.subtree_control"

static int enabled(int dir, unsigned int *bits) {
    char text[256];
    int length = lctr_cgroup_read(dir, SUBTREE_CONTROL, text, sizeof text);
    if (length >= 0)
        *bits = lctr_cgroup_controllers(text, 2);
    return length < 0 ? length : 0;
}

/* "+cpu +memory" in one write: each write walks the whole tree below. */
static int enable_all(int dir, unsigned int bits) {
    char text[256] = "";
    for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
        const char *name = lctr_cgroup_kernel_name((enum cgroup_controller)i, 2);
        if (!(bits & CGROUP_BIT(i)) || !name)
            continue;
        strcat(text, *text ? " +" : "+");
        strcat(text, name);
    }
    return *text ? lctr_cgroup_write(dir, SUBTREE_CONTROL, text) : 0;
}

/* One that is missing fails the whole write: then one by one, and only `needed` ones may fail it.
 */
static int enable(int dir, unsigned int bits, unsigned int needed) {
    unsigned int have;
    int error = enabled(dir, &have);
    if (error)
        return error;
    bits &= ~have;
    error = enable_all(dir, bits);
    for (int i = 0; error && i < CGROUP_CONTROLLERS; i++) {
        if (!(bits & CGROUP_BIT(i)))
            continue;
        int one = enable_all(dir, CGROUP_BIT(i));
        if (one < 0 && needed & CGROUP_BIT(i))
            return one;
    }
    return 0;
}

/* ---- cpuset of v1: a directory without CPUs or nodes takes no process */

static int inherit(int parent, int dir, const char *file) {
    char text[4096];
    int length = lctr_cgroup_read(dir, file, text, sizeof text);
    if (length < 0 || (length > 0 && text[0] != '\n'))
        return length < 0 ? length : 0;
    length = lctr_cgroup_read(parent, file, text, sizeof text);
    return length < 0 ? length : lctr_cgroup_write(dir, file, text);
}

static int inherit_cpuset(int parent, int dir) {
    int error = inherit(parent, dir, "cpuset.cpus");
    return error ? error : inherit(parent, dir, "cpuset.mems");
}

/* ---- making the directories */

/* What making one needs on the way. */
struct making {
    struct cgroup *group;
    const struct cgroup_place *place;
    bool chosen;  /* a place of somebody else's choice */
    size_t start; /* how much of `path` was there before luactr */
    size_t top;   /* and how much of it is the directory above */
    char path[CGROUP_PATH_MAX];
};

/* The first bytes of a path; "/" where there is nothing before it. */
static void copy_path(char to[CGROUP_PATH_MAX], const char *path, size_t length) {
    memcpy(to, path, length);
    to[length] = '\0';
    if (!length)
        strcpy(to, "/");
}

static int name_paths(struct making *making, const char *id) {
    making->chosen = lctr_cgroup_is_chosen(id);
    int length = snprintf(making->path, sizeof making->path, "%s%s", making->place->mount,
                          making->place->parent);
    if (length < 0 || (size_t)length >= sizeof making->path)
        return -ENAMETOOLONG;
    making->start = (size_t)length;
    size_t room = sizeof making->path - making->start;
    length = making->chosen
                 ? snprintf(making->path + making->start, room, "%s", strchr(id, '/'))
                 : snprintf(making->path + making->start, room, "/" CGROUP_TOP "/%s", id);
    if (length < 0 || (size_t)length >= room)
        return -ENAMETOOLONG;
    making->top = (size_t)(strrchr(making->path, '/') - making->path);
    return 0;
}

static int open_dir(const char *path, int flags) {
    int fd = open(path, flags | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

static bool is_cpuset_v1(const struct cgroup_place *place) {
    return place->version == 1 && place->controllers & CGROUP_BIT(CGROUP_CPUSET);
}

/* The controllers that v2's directories above have to give. */
static unsigned int wanted(const struct cgroup_place *place) {
    return place->version == 2 ? (place->controllers | place->meters) & ~CGROUP_IMPLICIT_V2 : 0;
}

/* Meters alone may be gone without. */
static int give_controllers(const struct making *making, const char *path, int dir, bool first) {
    unsigned int bits = wanted(making->place);
    int error = bits && first ? lctr_cgroup_step_aside(dir) : 0;
    if (error && !making->place->controllers)
        return 0;
    if (!error && bits)
        error = enable(dir, bits, making->place->controllers);
    return error ? lctr_cgroup_blame(making->group, path, SUBTREE_CONTROL, error) : 0;
}

/* Mostly an earlier container has brought the directory above to what this one needs of it. */
static bool is_prepared(const struct making *making) {
    unsigned int bits = wanted(making->place);
    unsigned int have;
    char path[CGROUP_PATH_MAX];
    if (is_cpuset_v1(making->place))
        return false;
    if (!bits) /* mkdir tells if the directory is there */
        return true;
    copy_path(path, making->path, making->top);
    cleanup_fd top = open_dir(path, O_PATH);
    return top >= 0 && enabled(top, &have) == 0 && !(bits & ~have);
}

static int make_dir(const struct making *making, const char *path) {
    if (mkdir(path, 0755) < 0)
        return -errno;
    if (making->chosen)
        lctr_cgroup_mark(path);
    return 0;
}

/* Make the next directory on the way down, and go on from it. */
static int descend(const struct making *making, const char *path, int *dir) {
    int error = make_dir(making, path);
    if (error && error != -EEXIST)
        return lctr_cgroup_blame(making->group, path, "", error);
    cleanup_fd child = open_dir(path, O_PATH);
    if (child < 0)
        return lctr_cgroup_blame(making->group, path, "", child);
    error = is_cpuset_v1(making->place) ? inherit_cpuset(*dir, child) : 0;
    if (!error)
        error = give_controllers(making, path, child, false);
    lctr_fd_cleanup(dir);
    *dir = take_fd(&child);
    return error;
}

/* Make the directories above and give them what this container needs. */
static int prepare(const struct making *making) {
    char path[CGROUP_PATH_MAX];
    size_t done = making->start;
    copy_path(path, making->path, done);
    cleanup_fd dir = open_dir(path, O_PATH);
    int error = dir < 0 ? lctr_cgroup_blame(making->group, path, "", dir)
                        : give_controllers(making, path, dir, true);
    while (!error && done < making->top) {
        done += 1 + strcspn(making->path + done + 1, "/");
        copy_path(path, making->path, done);
        error = descend(making, path, &dir);
    }
    return error;
}

/* Lock the directory, and see that nobody removed it before the lock was ours: who sweeps it holds
 * it alone, and soon lets go. */
static int hold(int fd) {
    if (flock(fd, LOCK_SH) < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    if (faccessat(fd, "cgroup.procs", F_OK, 0) < 0)
        return errno == ENOENT ? -EAGAIN : -errno;
    return 0;
}

/* Somebody has a directory of that name: a living owner, or a luactr that sweeps. */
static int look_at_holder(const struct making *making) {
    cleanup_fd fd = open_dir(making->path, O_RDONLY);
    int error = fd < 0 ? fd : hold(fd);
    return error == -ENOENT ? -EAGAIN : error ? error : -EEXIST;
}

/* One that luactr has not made is used as it is, while nobody is in it. */
static int look_at_foreign(const struct making *making) {
    cleanup_fd fd = open_dir(making->path, O_RDONLY);
    int found = fd < 0 ? fd : lctr_cgroup_is_used(fd);
    return found == -ENOENT ? -EAGAIN : found == 1 ? -ENOTEMPTY : found;
}

/* An empty directory that nobody holds is what a killed luactr left. */
static int make_leaf(const struct making *making) {
    char path[CGROUP_PATH_MAX];
    const char *top = path;
    int error = make_dir(making, making->path);
    if (error != -EEXIST)
        return error;
    if (making->chosen && !lctr_cgroup_is_marked(making->path))
        return look_at_foreign(making);
    copy_path(path, making->path, making->top);
    error = lctr_cgroup_sweep(&top, 1, making->path + making->top + 1, false);
    if (error)
        return error == -EBUSY ? look_at_holder(making) : error;
    return -EAGAIN;
}

static int open_leaf(const struct making *making, int *result) {
    char path[CGROUP_PATH_MAX];
    cleanup_fd fd = open_dir(making->path, O_RDONLY);
    if (fd < 0)
        return fd == -ENOENT ? -EAGAIN : fd;
    int error = hold(fd);
    if (!error && is_cpuset_v1(making->place)) {
        copy_path(path, making->path, making->top);
        cleanup_fd top = open_dir(path, O_PATH);
        error = top < 0 ? top : inherit_cpuset(top, fd);
    }
    if (!error)
        *result = take_fd(&fd);
    return error;
}

/* One try: -EAGAIN when another luactr removed a directory under us. Mostly the directory above is
 * there and as it should be. */
static int try_make(const struct making *making, int *result) {
    int error = is_prepared(making) ? 0 : prepare(making);
    if (error)
        return error;
    error = make_leaf(making);
    if (error == -ENOENT) { /* the directory above is not there: only that can be missing */
        error = prepare(making);
        return error ? error : -EAGAIN;
    }
    if (!error)
        error = open_leaf(making, result);
    return error ? lctr_cgroup_blame(making->group, making->path, "", error) : 0;
}

static int make(const struct making *making, int *result) {
    int error = -EAGAIN;
    for (int i = 0; i < TRIES && (error == -EAGAIN || error == -ENODEV); i++)
        error = try_make(making, result);
    return error;
}

int lctr_cgroup_add(struct cgroup *group, const struct cgroup_place *place, const char *id) {
    struct making making = {.group = group, .place = place};
    struct cgroup_dir *dir = &group->dir[group->count];
    if (group->count == CGROUP_HIERARCHIES)
        return -ENOSPC;
    int error = name_paths(&making, id);
    if (error)
        return lctr_cgroup_blame(group, place->mount, "", error);
    int fd = -1;
    if (group->owner)
        error = make(&making, &fd);
    else if ((fd = open_dir(making.path, O_RDONLY)) < 0)
        return fd == -ENOENT ? 0 : lctr_cgroup_blame(group, making.path, "", fd);
    if (error)
        return error;
    dir->fd = fd;
    dir->version = place->version;
    dir->controllers = place->controllers | place->meters;
    if (place->version == 2)
        dir->controllers |= CGROUP_IMPLICIT_V2;
    strcpy(dir->path, making.path);
    group->chosen = making.chosen;
    group->nested = !making.chosen && strchr(id, '/');
    group->count++;
    return 0;
}

/* On v2 the container's one directory gets one more controller. */
static int extend_unified(struct cgroup *group, struct cgroup_dir *dir,
                          const struct cgroup_place *place, const char *id) {
    struct making making = {.group = group, .place = place};
    int error = name_paths(&making, id);
    if (!error)
        error = prepare(&making);
    if (!error)
        dir->controllers |= place->controllers;
    return error;
}

/* Also one that was opened by another luactr than its maker may make directories. */
static int extend_v1(struct cgroup *group, const struct cgroup_place *place, const char *id) {
    const struct cgroup_dir *from = lctr_cgroup_main(group);
    bool owner = group->owner;
    group->owner = true;
    int error = lctr_cgroup_add(group, place, id);
    group->owner = owner;
    if (error || !from)
        return error;
    const struct cgroup_dir *to = &group->dir[group->count - 1];
    error = lctr_cgroup_move(from->fd, to->fd);
    return error ? lctr_cgroup_blame(group, to->path, "cgroup.procs", error) : 0;
}

int lctr_cgroup_extend(struct cgroup *group, const struct cgroup_place *place, const char *id) {
    struct cgroup_dir *main_dir = lctr_cgroup_main(group);
    if (place->version == 2 && main_dir && main_dir->version == 2)
        return extend_unified(group, main_dir, place, id);
    return extend_v1(group, place, id);
}

int lctr_cgroup_set(struct cgroup *group, enum cgroup_controller controller, const char *file,
                    const char *text) {
    struct cgroup_dir *dir = lctr_cgroup_dir(group, controller);
    int error = -ENODEV;
    if (dir)
        error = strcmp(file, CGROUP_DEVICE_PROGRAM) == 0 ? lctr_bpf_device_set(dir->fd, text)
                                                         : lctr_cgroup_write(dir->fd, file, text);
    return error ? lctr_cgroup_blame(group, dir ? dir->path : "", file, error) : 0;
}

void lctr_cgroup_release(struct cgroup *group) {
    for (size_t i = 0; i < group->count; i++)
        close(group->dir[i].fd);
    group->count = 0;
}

/* Take the lock that only a dead owner leaves free. 0 also if there is no such directory. */
static int seize(const char *path, int *held) {
    cleanup_fd fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    *held = take_fd(&fd);
    return 0;
}

int lctr_cgroup_sweep(const char *const *tops, size_t count, const char *id, bool kill) {
    char path[CGROUP_HIERARCHIES][CGROUP_PATH_MAX];
    int held[CGROUP_HIERARCHIES];
    size_t taken = 0;
    bool chosen = lctr_cgroup_is_chosen(id);
    int error = count > CGROUP_HIERARCHIES ? -ENOSPC : 0;
    while (!error && taken < count) {
        int length = snprintf(path[taken], CGROUP_PATH_MAX, "%s/%s", tops[taken],
                              chosen ? strchr(id, '/') + 1 : id);
        held[taken] = -1;
        error = length < 0 || length >= CGROUP_PATH_MAX ? -ENAMETOOLONG
                                                        : seize(path[taken], &held[taken]);
        taken++;
    }
    for (size_t i = 0; i < taken; i++) {
        if (!error && held[i] >= 0)
            error =
                chosen ? lctr_cgroup_give_back(path[i], kill) : lctr_cgroup_remove(path[i], kill);
        lctr_fd_cleanup(&held[i]);
    }
    return error;
}
