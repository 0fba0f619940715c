/* Paths inside the new root. The root is hostile: it may contain any symlink anywhere, and somebody
 * may change it while we work. So nothing is done by path: a path becomes a descriptor here, and
 * calls work on descriptors. */
#include "init.h"

#define ATTEMPTS  32
#define LINKS_MAX 40 /* as the kernel's MAXSYMLINKS */

/* Whether a failed openat2 is one that this kernel lacks. The filter of a container round us may
 * say EPERM for that, which the file itself says too (an immutable one): the root would not. */
static bool is_openat2_missing(struct init *in, int root, int error) {
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC};
    if (error == -EPERM) {
        error = k_openat2(root, ".", &how, sizeof how);
        fds_close(&error);
    }
    in->walks = error == -ENOSYS || error == -EPERM;
    return in->walks;
}

/* -EAGAIN: "..", while somebody somewhere renamed or mounted something. */
static int kernel_walk(int root, const char *path, uint64_t flags, uint32_t mode) {
    const struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .mode = mode,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    int fd = -EAGAIN;
    for (int i = 0; i < ATTEMPTS && fd == -EAGAIN; i++)
        fd = k_openat2(root, path, &how, sizeof how);
    return fd;
}

/* The one function that turns a path into a descriptor. The walk stays inside the root: "..",
 * absolute symlinks and relative ones included. */
int path_walk(struct init *in, int root, const char *path, uint64_t flags, uint32_t mode) {
    flags |= flags & O_PATH ? 0 : O_NOCTTY;
    if (!in->walks) {
        int fd = kernel_walk(root, path, flags, mode);
        bool decided = fd >= 0 || (fd != -EAGAIN && fd != -ENOSYS && fd != -EPERM);
        if (decided || (fd != -EAGAIN && !is_openat2_missing(in, root, fd)))
            return fd;
    }
    int fd = -EAGAIN;
    for (int i = 0; i < ATTEMPTS && fd == -EAGAIN; i++)
        fd = walk_open(root, path, flags, mode, LINKS_MAX);
    return fd;
}

static int resolve(struct init *in, const char *path, uint64_t flags, uint32_t mode) {
    int root = path_root(in);
    return root < 0 ? root : path_walk(in, root, path, flags, mode);
}

/* Without a root_* step the root is the one we run in. */
int path_root(struct init *in) {
    if (in->root < 0)
        in->root = fds_keep(in, k_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0));
    return in->root;
}

int path_open(struct init *in, const char *path, uint64_t flags) {
    return resolve(in, path, flags, 0);
}

/* Returns the S_IFMT bits. */
int path_type(int fd, struct statx *st) {
    int result = k_statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MODE | STATX_INO, st);
    return result < 0 ? result : st->stx_mode & S_IFMT;
}

bool path_is_same(int a, int b) {
    struct statx one;
    struct statx other;
    return path_type(a, &one) >= 0 && path_type(b, &other) >= 0 && one.stx_ino == other.stx_ino &&
           one.stx_dev_major == other.stx_dev_major && one.stx_dev_minor == other.stx_dev_minor;
}

/* Make one directory below an open one and open it. The name is a single component that did not
 * exist a moment ago; if a symlink stands there by now, the open refuses it. */
static int make_one(int parent, const char *name, uint32_t mode) {
    int result = k_mkdirat(parent, name, mode);
    if (result < 0 && result != -EEXIST)
        return result;
    return k_openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
}

/* Open directory after directory, each from the root by the path up to it, so that symlinks on the
 * way mean what they mean inside; make what is missing. Restores `path`. */
static int make_walk(struct init *in, char *path, uint32_t mode) {
    int current = resolve(in, "/", O_PATH | O_DIRECTORY, 0);
    char *name = path;
    while (current >= 0) {
        while (*name == '/')
            name++;
        if (!*name)
            break;
        char *end = name;
        while (*end && *end != '/')
            end++;
        char separator = *end;
        char *rest = end;
        while (*rest == '/')
            rest++;
        *end = '\0';
        int next = resolve(in, path, O_PATH | O_DIRECTORY, 0);
        if (next == -ENOENT)
            next = make_one(current, name, *rest ? 0755 : mode);
        *end = separator;
        k_close(current);
        current = next;
        name = rest;
    }
    return current;
}

int path_make_dir(struct init *in, const char *path, uint32_t mode) {
    int fd = resolve(in, path, O_PATH | O_DIRECTORY, 0);
    if (fd != -ENOENT)
        return fd;
    char buffer[PLAN_MAX_PATH + 1];
    if (text_append(buffer, sizeof buffer, 0, path) == sizeof buffer)
        return -ENAMETOOLONG;
    return make_walk(in, buffer, mode);
}

static bool is_plain_name(const char *name) {
    bool dots = name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
    return *name && !dots;
}

int path_place(struct init *in, const char *path, struct place *place) {
    place->dir = -1;
    size_t length = text_append(place->buffer, sizeof place->buffer, 0, path);
    if (length == sizeof place->buffer)
        return -ENAMETOOLONG;
    while (length > 1 && place->buffer[length - 1] == '/')
        place->buffer[--length] = '\0';
    while (length && place->buffer[length - 1] != '/')
        length--;
    place->name = place->buffer + length;
    if (!is_plain_name(place->name))
        return -EINVAL;
    if (length)
        place->buffer[length - 1] = '\0';
    const char *parent = length > 1 ? place->buffer : "/";
    place->dir = path_make_dir(in, parent, 0755);
    return place->dir < 0 ? place->dir : 0;
}

/* The plain open with O_CREAT follows a symlink at the end, inside the root: an image whose
 * resolv.conf dangles gets the file that the link names. */
int path_make_file(struct init *in, const char *path, uint32_t mode) {
    int fd = resolve(in, path, O_PATH, 0);
    if (fd != -ENOENT)
        return fd;
    struct place place;
    int result = path_place(in, path, &place);
    if (result < 0)
        return result;
    k_close(place.dir);
    fd = resolve(in, path, O_CREAT | O_WRONLY | O_NONBLOCK, mode);
    if (fd < 0)
        return fd;
    k_close(fd);
    return resolve(in, path, O_PATH, 0);
}
