/* A container's cgroup: one directory in each hierarchy it needs, named <parent>/luactr/<id>. A
 * member of a pod has the id <pod>/<member>: its directories lie in those of the pod, which is
 * there before it, and gives them controllers as luactr's own directory does.
 *
 * Somebody else may have chosen the place: "/a/b" or "./a/b" is <parent>/a/b. Of the directories on
 * that way luactr removes those that it made, which bear its mark, a trusted attribute.
 *
 * The one who creates it holds a shared flock on each directory, which the kernel takes back when
 * the process dies: a directory without a lock is nobody's and may be swept. */
#ifndef LUACTR_CORE_CGROUP_H
#define LUACTR_CORE_CGROUP_H

#include "core/cgroup_layout.h"

#include <sys/types.h>

#define CGROUP_PATH_MAX 1024

/* A hierarchy in which a directory is wanted. */
struct cgroup_place {
    int version;
    const char *mount;
    const char *parent;
    unsigned int controllers; /* must be there */
    unsigned int meters;      /* may be missing: only read */
};

struct cgroup_dir {
    int fd;
    int version;
    unsigned int controllers;
    char path[CGROUP_PATH_MAX];
};

struct cgroup {
    struct cgroup_dir dir[CGROUP_HIERARCHIES];
    size_t count;
    bool owner;                       /* removes the directories when it is closed */
    bool chosen;                      /* luactr did not choose their place */
    bool nested;                      /* they are in those of a pod, */
    bool last_out;                    /* which it removes, too, if nothing else is in them */
    char where[CGROUP_PATH_MAX + 64]; /* the file that the last failed call was about */
};

/* An empty value, which may be destroyed. */
void lctr_cgroup_init(struct cgroup *group);

/* Make (owner) or find the container's directory in one more hierarchy. A directory that is found
 * missing is left out. 0 or -errno: -EEXIST: a living container has that id; -ENOTEMPTY: processes
 * are in a chosen place; -ENOENT on cgroup.subtree_control: no such controller; -EBUSY there:
 * processes live in that cgroup. */
int lctr_cgroup_add(struct cgroup *group, const struct cgroup_place *place, const char *id);

/* The same for a container that runs: its processes are moved in. */
int lctr_cgroup_extend(struct cgroup *group, const struct cgroup_place *place, const char *id);

/* The directory that has a controller, or NULL. v1's goes before what v2 has without a word. */
struct cgroup_dir *lctr_cgroup_dir(struct cgroup *group, enum cgroup_controller controller);

/* The directory by which the processes are counted: v2's, else the first. NULL if there is none. */
struct cgroup_dir *lctr_cgroup_main(struct cgroup *group);

/* Give a file of a controller a text; CGROUP_DEVICE_PROGRAM loads a program instead. 0 or -errno;
 * -ENODEV: the group has no directory with that controller. */
int lctr_cgroup_set(struct cgroup *group, enum cgroup_controller controller, const char *file,
                    const char *text);

/* Let go of the directories without removing them. */
void lctr_cgroup_release(struct cgroup *group);

/* Remember `dir`/`file` as the place of a failure; returns `error`. */
int lctr_cgroup_blame(struct cgroup *group, const char *dir, const char *file, int error);

/* Remove container `id` below the directories `tops` (<mount><parent>/luactr, <mount><parent> of a
 * chosen place, of which what luactr did not make is only emptied) if no living luactr
 * holds it in any of them. With `kill`, its processes go first.
 * 0; -EBUSY: held, or with processes; or -errno. */
int lctr_cgroup_sweep(const char *const *tops, size_t count, const char *id, bool kill);

#endif
