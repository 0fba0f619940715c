/* The new root: open it, enter it. */
#include "init.h"

/* A root without rights outside may have no directory of its own that it can reach; "/" there is
 * always. No walk from "/" ever meets a mount on top of it, but ".." does. */
static const char *const on_top = "/..";

static bool is_top(const char *path) {
    while (*path == '/')
        path++;
    return !*path;
}

static int take_root(struct init *in, int fd, const char *path) {
    if (fd < 0)
        return fd;
    fds_close(&in->root);
    in->root = fds_keep(in, fd);
    in->root_path = is_top(path) ? on_top : path;
    return in->root < 0 ? in->root : 0;
}

static int attach_detached(struct init *in, const union plan_arg *a) {
    int tree = tree_detached(in, a);
    if (tree < 0)
        return at(in, AUX_SOURCE, tree);
    int result = at(in, AUX_ATTACH, k_move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH));
    if (result >= 0)
        return take_root(in, tree, on_top);
    k_close(tree);
    return result;
}

/* Bind the directory on itself: pivot_root(2) wants a mount point. */
int step_root_bind(struct init *in, const union plan_arg *a) {
    const char *path = plan_text(in, &a[0]);
    if (a[2].u != PLAN_NONE)
        return attach_detached(in, &a[2]);
    int source = k_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (source < 0)
        return at(in, AUX_SOURCE, source);
    int tree = mount_clone(in, source, "", plan_u32(&a[1]) ? AT_RECURSIVE : 0);
    int result = at(in, AUX_SOURCE, tree);
    if (result >= 0)
        result = at(in, AUX_ATTACH, mount_put(in, tree, source));
    k_close(source);
    if (result >= 0)
        return take_root(in, tree, path);
    fds_close(&tree);
    return result;
}

int step_root_tmpfs(struct init *in, const union plan_arg *a) {
    const char *stage = plan_text(in, &a[0]);
    int result = k_mount("tmpfs", stage, "tmpfs", 0, plan_text(in, &a[1]));
    if (result < 0)
        return result;
    int fd =
        k_openat(AT_FDCWD, is_top(stage) ? on_top : stage, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    return at(in, AUX_TARGET, take_root(in, fd, stage));
}

/* A root file system in the initial ramfs can't be pivoted away from (pivot_root(2), NOTES). */
static bool on_initramfs(void) {
    struct statfs fs;
    return k_statfs("/", &fs) == 0 && (fs.f_type == RAMFS_MAGIC || fs.f_type == TMPFS_MAGIC);
}

static int cover_old_root(struct init *in) {
    int result = at(in, AUX_ATTACH, k_mount(".", "/", NULL, MS_MOVE, NULL));
    if (result >= 0)
        result = k_chroot(".");
    return result < 0 ? result : k_chdir("/");
}

/* Whether nothing is mounted on the new root. */
static int is_bare(int root) {
    struct statx top = {0}; /* static analysis does not see the kernel write */
    struct statx own = {0};
    int fd = k_openat(AT_FDCWD, on_top, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    int result = k_statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &top);
    if (result >= 0)
        result = k_statx(root, "", AT_EMPTY_PATH, STATX_MNT_ID, &own);
    k_close(fd);
    return result < 0 ? result : top.stx_mnt_id == own.stx_mnt_id;
}

/* The old root lies on the new one. What was mounted on it lies on top of that, and goes first:
 * else whoever joins the mount namespace would find the host's files. */
static int leave_old_root(const struct init *in, int root) {
    for (int left = 8; left > 0; left--) {
        int result = k_umount2(".", MNT_DETACH);
        if (result < 0 || in->root_path != on_top)
            return result;
        result = is_bare(root);
        if (result != 0)
            return result < 0 ? result : 0;
    }
    return -EBUSY;
}

/* With both arguments "." the old root ends up on top of the new one, and needs no directory. */
int step_pivot_root(struct init *in, const union plan_arg *a) {
    (void)a;
    int root = path_root(in);
    if (root < 0)
        return at(in, AUX_TARGET, root);
    int result = procfs_prepare(in);
    mount_uncover_root(in);
    in->entered = true;
    if (result >= 0)
        result = at(in, AUX_TARGET, k_fchdir(root));
    if (result < 0)
        return result;
    result = k_pivot_root(".", ".");
    if (result == -EINVAL && on_initramfs())
        return cover_old_root(in);
    if (result >= 0) {
        mount_leave_stage(in); /* it lies on the old root, and would be taken for it */
        result = at(in, AUX_SOURCE, leave_old_root(in, root));
    }
    return result < 0 ? result : k_chdir("/");
}

int step_chroot(struct init *in, const union plan_arg *a) {
    (void)a;
    int root = path_root(in);
    if (root < 0)
        return at(in, AUX_TARGET, root);
    mount_uncover_root(in);
    in->entered = true;
    int result = at(in, AUX_TARGET, k_fchdir(root));
    return result < 0 ? result : k_chroot(".");
}
