/* Device nodes inside the root: made, or those of the host in their place. Either way what stands
 * there in the end is looked at: its type, its number, its file system. */
#include "init.h"

#define NODE_FLAGS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)
#define NODEV      0x4 /* statfs(2): ST_NODEV */

/* A type of 0 is any device. */
static bool is_device(const struct statx *st, uint32_t mode, uint32_t device) {
    uint32_t type = st->stx_mode & S_IFMT;
    if (!(mode & S_IFMT))
        return type == S_IFCHR || type == S_IFBLK;
    uint32_t major = (device >> 8) & 0xfff;
    uint32_t minor = (device & 0xff) | ((device >> 12) & 0xfff00);
    return type == (mode & S_IFMT) && st->stx_rdev_major == major && st->stx_rdev_minor == minor;
}

static int look(int dir, const char *name, struct statx *st) {
    return k_statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_TYPE, st);
}

/* What was made lies in its directory, on the same file system. */
static int verify(const struct place *place, uint32_t mode, uint32_t device, bool made) {
    struct statx node;
    struct statx dir;
    int result = look(place->dir, place->name, &node);
    if (result >= 0)
        result = look(place->dir, "", &dir);
    if (result < 0)
        return result;
    bool inside =
        node.stx_dev_major == dir.stx_dev_major && node.stx_dev_minor == dir.stx_dev_minor;
    return is_device(&node, mode, device) && (inside || !made) ? 0 : -ENODEV;
}

/* The node that is checked is the one that gets the owner: a name may mean another by now. */
static int set_owner(const struct place *place, uint32_t mode, uint32_t device,
                     const union plan_arg *owner) {
    struct statx st;
    if (!plan_u32(&owner[0]))
        return 0;
    int fd = k_openat(place->dir, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    int result = look(fd, "", &st);
    if (result >= 0)
        result = is_device(&st, mode, device) ? owner_set(fd, owner) : -ENODEV;
    k_close(fd);
    return result;
}

/* The host's node: the descriptor that is checked is the one that is bound. On a file system that
 * is mounted without devices it would be there and fail. */
static int open_of_host(struct init *in, const char *path, uint32_t mode, uint32_t device) {
    struct statx st;
    struct statfs fs;
    int fd = k_openat(AT_FDCWD, path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0)
        return at(in, AUX_SOURCE, fd);
    int result = look(fd, "", &st);
    if (result >= 0 && !is_device(&st, mode, device))
        result = -ENODEV;
    if (result >= 0)
        result = k_fstatfs(fd, &fs);
    if (result >= 0 && fs.f_flags & NODEV)
        result = -EACCES;
    if (result >= 0)
        return fd;
    k_close(fd);
    return at(in, AUX_VERIFY, result);
}

static int bind_node(struct init *in, const char *source, const union plan_arg *a) {
    const char *path = plan_text(in, &a[0]);
    int fd = open_of_host(in, source, plan_u32(&a[1]), plan_u32(&a[2]));
    if (fd < 0)
        return fd;
    int tree = at(in, AUX_SOURCE, mount_clone(in, fd, "", 0));
    k_close(fd);
    if (tree < 0)
        return tree;
    int target = path_make_file(in, path, 0);
    int result = at(in, AUX_TARGET, target);
    if (result >= 0)
        result = at(in, AUX_ATTRIBUTE, mount_restrict(in, tree, NODE_FLAGS));
    if (result >= 0)
        result = at(in, AUX_ATTACH, mount_put(in, tree, target));
    fds_close(&target);
    k_close(tree);
    return result;
}

int step_bind_node(struct init *in, const union plan_arg *a) {
    return bind_node(in, plan_text(in, &a[0]), a + 1);
}

/* Root of a user namespace that luactr was started in may make no node. What the host has at the
 * same path does as well, if it is the same device. */
int step_mknod(struct init *in, const union plan_arg *a) {
    struct place place;
    const char *path = plan_text(in, &a[0]);
    int result = at(in, AUX_TARGET, path_place(in, path, &place));
    if (result < 0)
        return result;
    uint32_t mode = plan_u32(&a[1]);
    uint32_t device = plan_u32(&a[2]);
    result = k_mknodat(place.dir, place.name, mode, device);
    if (result >= 0)
        result = at(in, AUX_VERIFY, verify(&place, mode, device, true));
    else if (result == -EEXIST && verify(&place, mode, device, false) >= 0)
        result = 0;
    bool refused = result == -EPERM;
    if (result >= 0)
        result = at(in, AUX_ATTRIBUTE, set_owner(&place, mode, device, &a[3]));
    k_close(place.dir);
    if (!refused || plan_u32(&a[3])) /* the host's node keeps the host's owner */
        return result;
    result = bind_node(in, path, a);
    return result == -ENOENT || result == -ENODEV ? at(in, AUX_CREATE, -EPERM) : result;
}
