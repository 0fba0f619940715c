#include "core/cgroup_layout.h"

#include "core/cgroup_file.h"
#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ORDER CONTROLLER. A name that is NULL: that version has no such controller. */
static const struct {
    const char *name;
    const char *v1;
    const char *v2;
} controllers[] = {
    {"cpu", "cpu", "cpu"},
    {"cpuacct", "cpuacct", NULL},
    {"cpuset", "cpuset", "cpuset"},
    {"memory", "memory", "memory"},
    {"pids", "pids", "pids"},
    {"io", "blkio", "io"},
    {"hugetlb", "hugetlb", "hugetlb"},
    {"devices", "devices", NULL},
    {"freezer", "freezer", NULL},
    {"net_cls", "net_cls", NULL},
    {"net_prio", "net_prio", NULL},
    {"rdma", "rdma", "rdma"},
    {"misc", "misc", "misc"},
    {"core", NULL, NULL},
};
_Static_assert(sizeof controllers / sizeof controllers[0] == CGROUP_CONTROLLERS,
               "ORDER CONTROLLER");

const char *lctr_cgroup_controller_name(enum cgroup_controller controller) {
    return controllers[controller].name;
}

const char *lctr_cgroup_kernel_name(enum cgroup_controller controller, int version) {
    return version == 1 ? controllers[controller].v1 : controllers[controller].v2;
}

int lctr_cgroup_controller(const char *name) {
    for (int i = 0; i < CGROUP_CONTROLLERS; i++)
        if (strcmp(controllers[i].name, name) == 0)
            return i;
    return -EINVAL;
}

static unsigned int controller_bit(const char *name, size_t length, int version) {
    for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
        const char *known = lctr_cgroup_kernel_name((enum cgroup_controller)i, version);
        if (known && strlen(known) == length && memcmp(known, name, length) == 0)
            return CGROUP_BIT(i);
    }
    return 0;
}

unsigned int lctr_cgroup_controllers(const char *list, int version) {
    unsigned int found = 0;
    while (*list) {
        size_t length = strcspn(list, ", \n");
        found |= controller_bit(list, length, version);
        list += length;
        list += strspn(list, ", \n");
    }
    return found;
}

/* Keep a copy; NULL when the layout is full. */
static const char *keep(struct cgroup_layout *layout, const char *text) {
    size_t size = strlen(text) + 1;
    if (size > sizeof layout->text - layout->used)
        return NULL;
    char *copy = layout->text + layout->used;
    memcpy(copy, text, size);
    layout->used += size;
    return copy;
}

/* "" for the root, so that paths can be put behind one another. */
static const char *without_lone_slash(const char *path) {
    return strcmp(path, "/") == 0 ? "" : path;
}

static int fill(struct cgroup_layout *layout, struct cgroup_hierarchy *hierarchy,
                const struct mountinfo *mount) {
    const char *target = keep(layout, without_lone_slash(mount->target));
    const char *root = keep(layout, without_lone_slash(mount->root));
    if (!target || !root)
        return -ENOSPC;
    hierarchy->mount = target;
    hierarchy->root = root;
    hierarchy->read_only = lctr_mountinfo_has_option(mount->options, "ro") ||
                           lctr_mountinfo_has_option(mount->super_options, "ro");
    return 0;
}

static struct cgroup_hierarchy *known_hierarchy(struct cgroup_layout *layout, int version,
                                                unsigned int bits) {
    for (size_t i = 0; i < layout->count; i++) {
        struct cgroup_hierarchy *hierarchy = &layout->hierarchy[i];
        if (hierarchy->version == version && (version == 2 || hierarchy->controllers == bits))
            return hierarchy;
    }
    return NULL;
}

/* A writable mount is worth more than a read-only one; then one that shows the whole tree. */
static bool is_better(const struct mountinfo *mount, const struct cgroup_hierarchy *than) {
    bool writable = !lctr_mountinfo_has_option(mount->options, "ro");
    if (writable == than->read_only)
        return writable;
    return than->root[0] && strcmp(mount->root, "/") == 0;
}

int lctr_cgroup_layout_mount(struct cgroup_layout *layout, const struct mountinfo *mount) {
    int version = strcmp(mount->type, "cgroup2") == 0 ? 2 : 1;
    if (version == 1 && strcmp(mount->type, "cgroup") != 0)
        return 0;
    unsigned int bits =
        version == 1 ? lctr_cgroup_controllers(mount->super_options, 1) : CGROUP_IMPLICIT_V2;
    if (!bits)
        return 0;
    struct cgroup_hierarchy *hierarchy = known_hierarchy(layout, version, bits);
    if (hierarchy)
        return is_better(mount, hierarchy) ? fill(layout, hierarchy, mount) : 0;
    if (layout->count == CGROUP_HIERARCHIES)
        return -ENOSPC;
    hierarchy = &layout->hierarchy[layout->count];
    *hierarchy = (struct cgroup_hierarchy){.version = version, .controllers = bits};
    int error = fill(layout, hierarchy, mount);
    if (!error)
        layout->count++;
    return error;
}

/* What is left of `path` below `root`; NULL if it is not below. */
static const char *below(const char *path, const char *root) {
    size_t length = strlen(root);
    if (strncmp(path, root, length) != 0)
        return NULL;
    return path[length] == '/' || path[length] == '\0' ? path + length : NULL;
}

/* "4:memory:/path" or "0::/path". */
static int own_line(struct cgroup_layout *layout, char *line) {
    char *list = strchr(line, ':');
    char *path = list ? strchr(list + 1, ':') : NULL;
    if (!path)
        return 0;
    *path++ = '\0';
    list++;
    int version = *list ? 1 : 2;
    unsigned int bits = version == 1 ? lctr_cgroup_controllers(list, 1) : CGROUP_IMPLICIT_V2;
    struct cgroup_hierarchy *hierarchy = bits ? known_hierarchy(layout, version, bits) : NULL;
    /* "/../x": another part of the tree than our cgroup namespace shows. */
    const char *own = hierarchy ? below(without_lone_slash(path), hierarchy->root) : NULL;
    if (!own || strstr(own, ".."))
        return 0;
    hierarchy->own = keep(layout, own);
    return hierarchy->own ? 0 : -ENOSPC;
}

int lctr_cgroup_layout_own(struct cgroup_layout *layout, char *text) {
    while (text) {
        char *line = strsep(&text, "\n");
        int error = own_line(layout, line);
        if (error)
            return error;
    }
    return 0;
}

void lctr_cgroup_layout_unified(struct cgroup_layout *layout, const char *text) {
    struct cgroup_hierarchy *unified = known_hierarchy(layout, 2, 0);
    if (unified)
        unified->controllers |= lctr_cgroup_controllers(text, 2);
}

const struct cgroup_hierarchy *lctr_cgroup_unified(const struct cgroup_layout *layout) {
    for (size_t i = 0; i < layout->count; i++)
        if (layout->hierarchy[i].version == 2)
            return &layout->hierarchy[i];
    return NULL;
}

/* On a hybrid host CPU time and freezing are to be had from v2 without any controller: one
 * directory there does the work of two v1 hierarchies. Devices stay with v1's files. */
static bool prefers_unified(enum cgroup_controller controller) {
    return controller == CGROUP_CPUACCT || controller == CGROUP_FREEZER;
}

const struct cgroup_hierarchy *lctr_cgroup_home(const struct cgroup_layout *layout,
                                                enum cgroup_controller controller) {
    const struct cgroup_hierarchy *home = NULL;
    const struct cgroup_hierarchy *unified = lctr_cgroup_unified(layout);
    bool unified_has_it = unified && unified->controllers & CGROUP_BIT(controller);
    if (unified_has_it && unified->parent && prefers_unified(controller))
        return unified;
    for (size_t i = 0; i < layout->count && !home; i++)
        if (layout->hierarchy[i].version == 1 &&
            layout->hierarchy[i].controllers & CGROUP_BIT(controller))
            home = &layout->hierarchy[i];
    return home || !unified_has_it ? home : unified;
}

/* ---- this host
 *
 * mountinfo costs the kernel 2 us a line, and a host with many containers has thousands. So look
 * where every distribution has the hierarchies first, and read it only if one is not there. */

#define CGROUPS "/sys/fs/cgroup"

static bool is_mount_of(const char *path, long type, struct mountinfo *mount) {
    struct statfs status;
    if (statfs(path, &status) < 0 || status.f_type != type)
        return false;
    mount->target = path;
    mount->options = status.f_flags & ST_RDONLY ? "ro" : "rw";
    return true;
}

/* Whether our own cgroup is there: the mount may show only a part of the tree. */
static bool shows(const char *target, const char *cgroup) {
    char path[PATH_MAX];
    if (strcmp(cgroup, "/") == 0)
        return true;
    int length = snprintf(path, sizeof path, "%s%s", target, cgroup);
    return length > 0 && (size_t)length < sizeof path && access(path, F_OK) == 0;
}

/* A line of /proc/self/cgroup names a hierarchy. 0; -ENOENT: it is not at its usual place. */
static int usual_place(struct cgroup_layout *layout, const char *list, const char *own) {
    char path[sizeof CGROUPS + 256];
    struct mountinfo mount = {.root = "/", .super_options = list};
    bool unified = !*list;
    bool found = false;
    if (strncmp(list, "name=", 5) == 0)
        return 0;
    mount.type = unified ? "cgroup2" : "cgroup";
    int length = snprintf(path, sizeof path, CGROUPS "/%s", unified ? "unified" : list);
    if (length > 0 && (size_t)length < sizeof path)
        found = is_mount_of(path, unified ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC, &mount);
    if (!found && unified)
        found = is_mount_of(CGROUPS, CGROUP2_SUPER_MAGIC, &mount);
    return found && shows(mount.target, own) ? lctr_cgroup_layout_mount(layout, &mount) : -ENOENT;
}

static int usual_places(struct cgroup_layout *layout, char *text) {
    while (text && *text) {
        char *line = strsep(&text, "\n");
        char *list = strchr(line, ':');
        char *own = list ? strchr(list + 1, ':') : NULL;
        if (!own)
            continue;
        *own++ = '\0';
        int error = usual_place(layout, list + 1, own);
        own[-1] = ':';
        if (error)
            return error;
        if (text)
            text[-1] = '\n';
    }
    return layout->count ? 0 : -ENOENT;
}

/* Something may be mounted over it: mountinfo lists hidden mounts too. */
static bool is_visible(const struct mountinfo *mount) {
    struct stat status;
    return stat(mount->target, &status) == 0 && major(status.st_dev) == mount->major &&
           minor(status.st_dev) == mount->minor;
}

static int take_line(struct cgroup_layout *layout, char *line) {
    struct mountinfo mount;
    /* A cheap look first: a host may have thousands of other mounts. */
    if (!strstr(line, " - cgroup") || lctr_mountinfo_parse(line, &mount) < 0)
        return 0;
    return is_visible(&mount) ? lctr_cgroup_layout_mount(layout, &mount) : 0;
}

/* Take all whole lines of the text; returns the length of the rest, or -errno. */
static long take_lines(struct cgroup_layout *layout, char *text, size_t length) {
    char *end;
    char *line = text;
    while ((end = memchr(line, '\n', length - (size_t)(line - text)))) {
        *end = '\0';
        int error = take_line(layout, line);
        if (error)
            return error;
        line = end + 1;
    }
    return (long)length - (line - text);
}

static int read_mounts(struct cgroup_layout *layout) {
    char buffer[32768];
    size_t kept = 0;
    cleanup_fd fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    for (;;) {
        ssize_t got = read(fd, buffer + kept, sizeof buffer - kept);
        if (got < 0)
            return -errno;
        if (got == 0)
            return 0;
        size_t length = kept + (size_t)got;
        long rest = take_lines(layout, buffer, length);
        if (rest < 0)
            return (int)rest;
        kept = (size_t)rest;
        if (kept == sizeof buffer)
            return -ENAMETOOLONG; /* one line alone fills it: paths are at most 3 x PATH_MAX */
        memmove(buffer, buffer + length - kept, kept);
    }
}

/* May this process make cgroups below, and move its own processes into them? */
static bool may_use(const struct cgroup_hierarchy *hierarchy, const char *cgroup) {
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s%s", hierarchy->mount, cgroup);
    if (hierarchy->read_only || length < 0 || (size_t)length + sizeof "/cgroup.procs" > sizeof path)
        return false;
    if (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0)
        return false;
    strcpy(path + length, "/cgroup.procs");
    return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

/* Our own cgroup; or, if that is the leaf to which luactr stepped aside, the one above. */
static const char *delegated(struct cgroup_layout *layout, const char *own) {
    static const char leaf[] = "/" CGROUP_TOP "/" CGROUP_HOST;
    size_t length = strlen(own);
    if (length < sizeof leaf - 1 || strcmp(own + length - (sizeof leaf - 1), leaf) != 0)
        return own;
    char *copy = (char *)keep(layout, own);
    if (copy)
        copy[length - (sizeof leaf - 1)] = '\0';
    return copy;
}

/* The cgroup that somebody has delegated to us, where the top of the tree is not ours. */
static int find_parent(struct cgroup_layout *layout, struct cgroup_hierarchy *hierarchy) {
    if (may_use(hierarchy, "")) {
        hierarchy->parent = "";
        return 0;
    }
    if (!hierarchy->own || !hierarchy->own[0])
        return 0;
    const char *parent = delegated(layout, hierarchy->own);
    if (!parent)
        return -ENOSPC;
    if (may_use(hierarchy, parent))
        hierarchy->parent = parent;
    return 0;
}

/* Root may use the top of all hierarchies or, in a user namespace, of none: one look tells. */
static int find_parents(struct cgroup_layout *layout) {
    bool all = geteuid() == 0 && layout->count && may_use(&layout->hierarchy[0], "");
    int error = 0;
    for (size_t i = 0; i < layout->count && !error; i++) {
        if (all && !layout->hierarchy[i].read_only)
            layout->hierarchy[i].parent = "";
        else
            error = find_parent(layout, &layout->hierarchy[i]);
    }
    return error;
}

/* The controllers that a v2 directory may give to those below it. */
static int read_controllers(const struct cgroup_hierarchy *unified, const char *cgroup, char *text,
                            size_t size) {
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s%s/cgroup.controllers", unified->mount, cgroup);
    if (length < 0 || (size_t)length >= sizeof path)
        return -ENAMETOOLONG;
    length = lctr_cgroup_read(AT_FDCWD, path, text, size);
    return length < 0 ? length : 0;
}

static int find_granted(struct cgroup_layout *layout, struct cgroup_hierarchy *hierarchy) {
    char text[1024];
    if (hierarchy->version == 1) {
        hierarchy->granted = hierarchy->parent ? hierarchy->controllers : 0;
        return 0;
    }
    int error = read_controllers(hierarchy, "", text, sizeof text);
    if (error)
        return error;
    lctr_cgroup_layout_unified(layout, text);
    if (hierarchy->parent && hierarchy->parent[0])
        error = read_controllers(hierarchy, hierarchy->parent, text, sizeof text);
    if (!error && hierarchy->parent)
        hierarchy->granted = CGROUP_IMPLICIT_V2 | lctr_cgroup_controllers(text, 2);
    return error;
}

static void clear(struct cgroup_layout *layout) {
    layout->count = 0;
    layout->used = 0;
}

int lctr_cgroup_detect(struct cgroup_layout *layout) {
    char text[16384];
    int error = lctr_cgroup_read(AT_FDCWD, "/proc/self/cgroup", text, sizeof text);
    if (error < 0)
        return error;
    clear(layout);
    if (usual_places(layout, text) < 0) {
        clear(layout);
        error = read_mounts(layout);
        if (error)
            return error;
    }
    error = lctr_cgroup_layout_own(layout, text);
    if (!error)
        error = find_parents(layout);
    for (size_t i = 0; i < layout->count && !error; i++)
        error = find_granted(layout, &layout->hierarchy[i]);
    return error;
}
