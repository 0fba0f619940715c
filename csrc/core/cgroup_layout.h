/* Where each cgroup controller lives on this host: a v1 hierarchy or v2, decided one by one.
 *
 * The parsers are pure and take text; lctr_cgroup_detect feeds them from /proc. */
#ifndef LUACTR_CORE_CGROUP_LAYOUT_H
#define LUACTR_CORE_CGROUP_LAYOUT_H

#include "core/mountinfo.h"

#include <stdbool.h>
#include <stddef.h>

/* ORDER CONTROLLER in cgroup_layout.c */
enum cgroup_controller {
    CGROUP_CPU,
    CGROUP_CPUACCT,
    CGROUP_CPUSET,
    CGROUP_MEMORY,
    CGROUP_PIDS,
    CGROUP_IO,
    CGROUP_HUGETLB,
    CGROUP_DEVICES,
    CGROUP_FREEZER,
    CGROUP_NET_CLS,
    CGROUP_NET_PRIO,
    CGROUP_RDMA,
    CGROUP_MISC,
    CGROUP_CORE, /* what cgroup v2 itself has: cgroup.* and the pressure files */
    CGROUP_CONTROLLERS
};

#define CGROUP_BIT(controller) (1u << (controller))

/* cgroup v2 has these in every directory, without a word in cgroup.controllers. */
#define CGROUP_IMPLICIT_V2                                                                         \
    (CGROUP_BIT(CGROUP_CPUACCT) | CGROUP_BIT(CGROUP_DEVICES) | CGROUP_BIT(CGROUP_FREEZER) |        \
     CGROUP_BIT(CGROUP_CORE))

#define CGROUP_TOP  "luactr" /* the directory that holds all containers' */
#define CGROUP_HOST ".host"  /* the one in it for luactr itself, where it must step aside */

#define CGROUP_HIERARCHIES 16
#define CGROUP_TEXT_MAX    16384

/* One mounted hierarchy. Paths are absolute for `mount`, relative to it for the others: "" is the
 * mount itself, all others start with a slash. */
struct cgroup_hierarchy {
    int version;
    unsigned int controllers; /* CGROUP_BITs */
    bool read_only;
    const char *mount;
    const char *root;     /* which cgroup the mount shows at its top */
    const char *own;      /* this process's cgroup; NULL when it lies outside the mount */
    const char *parent;   /* below which luactr may make cgroups; NULL: nowhere */
    unsigned int granted; /* what may be used below `parent`, of the controllers */
};

struct cgroup_layout {
    struct cgroup_hierarchy hierarchy[CGROUP_HIERARCHIES];
    size_t count;
    size_t used;
    char text[CGROUP_TEXT_MAX]; /* what the strings above point into */
};

/* The controller's name in luactr: v2's where there is one ("io" also for v1's blkio). */
const char *lctr_cgroup_controller_name(enum cgroup_controller controller);

/* The name that the hierarchy's own files use ("blkio"). */
const char *lctr_cgroup_kernel_name(enum cgroup_controller controller, int version);

/* The controller of luactr's name; -EINVAL if there is none. */
int lctr_cgroup_controller(const char *name);

/* The bits of a list of the kernel's names, between commas or blanks. Unknown ones are left out. */
unsigned int lctr_cgroup_controllers(const char *list, int version);

/* ---- pure: an empty layout is all zeros */

/* Take a mount into account. Of two mounts of one hierarchy the more useful one stays.
 * 0, also for a mount that is no cgroup hierarchy with controllers; -ENOSPC. */
int lctr_cgroup_layout_mount(struct cgroup_layout *layout, const struct mountinfo *mount);

/* The text of /proc/self/cgroup, after all mounts. Changes the text. 0 or -ENOSPC. */
int lctr_cgroup_layout_own(struct cgroup_layout *layout, char *text);

/* The text of cgroup.controllers at the top of the v2 hierarchy. */
void lctr_cgroup_layout_unified(struct cgroup_layout *layout, const char *text);

/* The hierarchy that is a controller's home; NULL: none is mounted. */
const struct cgroup_hierarchy *lctr_cgroup_home(const struct cgroup_layout *layout,
                                                enum cgroup_controller controller);

/* The v2 hierarchy, or NULL. */
const struct cgroup_hierarchy *lctr_cgroup_unified(const struct cgroup_layout *layout);

/* ---- effectful */

/* Read this host's layout, with `parent` found by what this process may write. 0 or -errno. */
int lctr_cgroup_detect(struct cgroup_layout *layout);

#endif
