/* The mounts over /proc and /sys, kept by descriptor. What hides or protects a part of them belongs
 * to them: by their path it could miss them, when the image says that /proc is a link and somebody
 * moves what the link leads through. */
#include "init.h"

#define ATTEMPTS 100

static const struct {
    const char *path;
    const char *type;
    uint32_t magic;
} places[] = {
    {"/proc", "proc", PROC_SUPER_MAGIC},
    {"/sys", "sysfs", SYSFS_MAGIC},
};
_Static_assert(sizeof places / sizeof places[0] == COVERS, "places and struct init");

static bool is_same(const char *a, const char *b) {
    return text_starts(a, b) && text_length(a) == text_length(b);
}

/* A walk never steps from its starting point to a mount above it, but ".." does, which at the root
 * of the walk is that root. -EAGAIN: somebody somewhere renamed or mounted something meanwhile. */
static int above(int target) {
    const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                                 .resolve = RESOLVE_IN_ROOT};
    int fd = -EAGAIN;
    for (int i = 0; i < ATTEMPTS && fd == -EAGAIN; i++)
        fd = k_openat2(target, "..", &how, sizeof how);
    return fd;
}

/* Without that only the path leads there, so what it leads to is looked at. */
static int again(struct init *in, size_t place, const char *type) {
    struct statfs fs;
    int fd = path_open(in, places[place].path, O_PATH | O_DIRECTORY);
    if (fd < 0 || !type || !is_same(type, places[place].type))
        return fd;
    int result = k_fstatfs(fd, &fs);
    if (result >= 0 && (uint32_t)fs.f_type == places[place].magic)
        return fd;
    k_close(fd);
    return result < 0 ? result : -EXDEV;
}

int cover_note(struct init *in, const char *path, int target, const char *type) {
    for (size_t i = 0; i < COVERS; i++) {
        if (!is_same(path, places[i].path))
            continue;
        int fd = in->walks ? -ENOSYS : above(target);
        if (fd == -ENOSYS || fd == -EPERM || fd == -EAGAIN)
            fd = again(in, i, type);
        fds_close(&in->cover[i]);
        in->cover[i] = fds_keep(in, fd);
        if (in->cover[i] < 0)
            return at(in, AUX_VERIFY, in->cover[i]);
    }
    return 0;
}

static bool goes_up(const char *path) {
    for (; *path; path++)
        if (text_starts(path, "/../") || is_same(path, "/.."))
            return true;
    return false;
}

int cover_open(struct init *in, const char *path) {
    for (size_t i = 0; i < COVERS; i++) {
        const char *rest = path + text_length(places[i].path);
        bool below = text_starts(path, places[i].path) && *rest == '/';
        if (below && in->cover[i] >= 0 && !goes_up(path))
            return path_walk(in, in->cover[i], rest, O_PATH, 0);
    }
    return path_open(in, path, O_PATH);
}
