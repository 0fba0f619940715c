/* Mounts inside the new root: file systems, binds, masks, attributes. */
#include "init.h"

#define RECURSIVE(flag) ((flag) ? AT_RECURSIVE : 0)

static int set_attributes(struct init *in, int mount, uint32_t set, uint32_t clear,
                          uint32_t propagation, bool recursive) {
    struct mount_attr attributes = {.attr_set = set, .attr_clr = clear, .propagation = propagation};
    /* The access-time modes are one field: the kernel wants it cleared as a whole. */
    if (set & MOUNT_ATTR__ATIME)
        attributes.attr_clr |= MOUNT_ATTR__ATIME;
    return mount_change(in, mount, &attributes, recursive);
}

int step_propagation(struct init *in, const union plan_arg *a) {
    uint32_t flags = plan_u32(&a[0]);
    in->private = flags & MS_REC && flags & (MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE);
    return k_mount(NULL, "/", NULL, flags, NULL);
}

/* What is mounted over the root is the root from now on. A walk never steps from its starting point
 * to a mount above it, but ".." does, which at the root is the root. */
static int reopen_root(struct init *in, int target) {
    const struct open_how up = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                                .resolve = RESOLVE_IN_ROOT};
    if (!in->root_path || !path_is_same(in->root, target))
        return 0;
    int above = in->walks ? -ENOSYS : k_openat2(in->root, "..", &up, sizeof up);
    if (above == -ENOSYS || above == -EPERM)
        above = k_openat(AT_FDCWD, in->root_path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    fds_close(&in->root);
    in->root = fds_keep(in, above);
    return in->root < 0 ? in->root : 0;
}

int mount_target(struct init *in, const char *path, int type, uint32_t policy) {
    if (policy & BIND_TARGET_NOFOLLOW) {
        int target = path_open(in, path, O_PATH | O_NOFOLLOW);
        if (target != -ENOENT)
            return target;
    }
    if (policy & BIND_CREATE_NEVER)
        return path_open(in, path, O_PATH);
    if (policy & BIND_CREATE_DIR || (type == S_IFDIR && !(policy & BIND_CREATE_FILE)))
        return path_make_dir(in, path, 0755);
    return path_make_file(in, path, 0644);
}

/* The parent learns that an optional source is missing. */
static void note_skipped(struct init *in) {
    plan_steps(in)[in->index].skipped = 1;
    in->plan->flags |= PLAN_FLAG_SKIPPED;
}

/* mount(2) on "." needs neither /proc nor a kernel with fsopen, and no path is walked twice. */
int step_mount(struct init *in, const union plan_arg *a) {
    int target = mount_target(in, plan_text(in, &a[1]), S_IFDIR, plan_u32(&a[6]));
    if (target < 0)
        return at(in, AUX_TARGET, target);
    if (in->stage >= 0 && path_is_same(in->root, target))
        mount_uncover_root(in);
    int result = at(in, AUX_TARGET, k_fchdir(target));
    if (result >= 0)
        result = k_mount(plan_text(in, &a[0]), ".", plan_text(in, &a[2]), plan_u32(&a[3]),
                         plan_text(in, &a[4]));
    k_chdir("/");
    if (result == -ENOENT && plan_u32(&a[5])) {
        note_skipped(in);
        result = 0;
    } else if (result >= 0) {
        result = cover_note(in, plan_text(in, &a[1]), target, plan_text(in, &a[2]));
        if (result >= 0)
            result = at(in, AUX_TARGET, reopen_root(in, target));
    }
    k_close(target);
    return result;
}

static int attach(struct init *in, int tree, const char *path, int type, uint32_t policy) {
    int target = mount_target(in, path, type, policy);
    if (target < 0)
        return at(in, AUX_TARGET, target);
    bool covered = in->stage >= 0 && in->covered;
    int result = covered && path_is_same(in->root, target) ? -EBUSY : mount_put(in, tree, target);
    if (result < 0)
        in->aux = AUX_ATTACH;
    else if (type == S_IFDIR)
        result = cover_note(in, path, target, NULL);
    if (result >= 0 && type == S_IFDIR)
        result = at(in, AUX_TARGET, reopen_root(in, target));
    k_close(target);
    return result;
}

int mount_attach(struct init *in, int tree, int target) {
    int result = at(in, AUX_ATTACH, mount_put(in, tree, target));
    return result < 0 ? result : at(in, AUX_TARGET, reopen_root(in, target));
}

int mount_restrict(struct init *in, int mount, uint32_t attributes) {
    return set_attributes(in, mount, attributes, 0, 0, false);
}

/* A target that is to be made is made without its source as well. */
static int skip_bind(struct init *in, const char *path, uint32_t policy) {
    note_skipped(in);
    if (!(policy & (BIND_CREATE_DIR | BIND_CREATE_FILE)))
        return 0;
    int target = mount_target(in, path, 0, policy);
    if (target < 0)
        return at(in, AUX_TARGET, target);
    k_close(target);
    return 0;
}

/* Restrictions are for the whole tree; what is taken away from them is so from the mount itself,
 * and from those below it by `clear_all` alone: a submount keeps what its owner wanted. */
static int restrict_tree(struct init *in, int tree, const union plan_arg *a, bool recursive) {
    uint32_t set = plan_u32(&a[3]);
    uint32_t clear = plan_u32(&a[4]);
    uint32_t clear_all = plan_u32(&a[6]);
    int result = 0;
    if (set || clear_all)
        result = set_attributes(in, tree, set, clear_all, 0, recursive);
    if (result >= 0 && clear)
        result = set_attributes(in, tree, 0, clear, 0, false);
    return result;
}

static int bind_tree(struct init *in, int tree, const union plan_arg *a) {
    struct statx st;
    int result = at(in, AUX_SOURCE, path_type(tree, &st));
    if (result >= 0)
        result = at(in, AUX_ATTRIBUTE, restrict_tree(in, tree, a, plan_u32(&a[2])));
    if (result >= 0)
        result = attach(in, tree, plan_text(in, &a[1]), st.stx_mode & S_IFMT, plan_u32(&a[7]));
    return result;
}

static int copy_symlink(struct init *in, const char *source, const char *path) {
    char text[PLAN_MAX_PATH + 1];
    long length = k_readlinkat(AT_FDCWD, source, text, sizeof text - 1);
    if (length < 0)
        return (int)length;
    text[length] = '\0';
    return file_symlink(in, text, path);
}

int step_bind(struct init *in, const union plan_arg *a) {
    const char *source = plan_text(in, &a[0]);
    bool optional = plan_u32(&a[5]);
    uint32_t policy = plan_u32(&a[7]);
    if (policy & BIND_COPY_SYMLINK) {
        int copied = copy_symlink(in, source, plan_text(in, &a[1]));
        if (copied >= 0 || in->aux != AUX_NONE)
            return copied;
    }
    unsigned nofollow = policy & BIND_SOURCE_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
    uint32_t kept = plan_u32(&a[8]);
    int tree = a[9].u != PLAN_NONE ? tree_detached(in, &a[9])
               : kept              ? tree_kept(in, kept)
                      : mount_clone(in, AT_FDCWD, source, RECURSIVE(plan_u32(&a[2])) | nofollow);
    if (tree == -ENOENT && optional)
        return skip_bind(in, plan_text(in, &a[1]), policy);
    if (tree < 0)
        return at(in, AUX_SOURCE, tree);
    int result = bind_tree(in, tree, a);
    k_close(tree);
    return result;
}

int step_mount_setattr(struct init *in, const union plan_arg *a) {
    int target = path_open(in, plan_text(in, &a[0]), O_PATH);
    if (target < 0)
        return at(in, AUX_TARGET, target);
    int result = set_attributes(in, target, plan_u32(&a[1]), plan_u32(&a[2]), plan_u32(&a[3]),
                                plan_u32(&a[4]));
    k_close(target);
    return result;
}

/* A bind of the path on itself keeps the flags it has (nosuid, nodev, noexec), and hides no
 * submount. */
int step_readonly(struct init *in, const union plan_arg *a) {
    int target = cover_open(in, plan_text(in, &a[0]));
    if (target == -ENOENT)
        return 0;
    if (target < 0)
        return at(in, AUX_TARGET, target);
    int tree = mount_clone(in, target, "", AT_RECURSIVE);
    int result = at(in, AUX_SOURCE, tree);
    if (result >= 0)
        result = at(in, AUX_ATTRIBUTE, set_attributes(in, tree, MOUNT_ATTR_RDONLY, 0, 0, true));
    if (result >= 0)
        result = at(in, AUX_ATTACH, mount_put(in, tree, target));
    fds_close(&tree);
    k_close(target);
    return result;
}

/* ---- masks */

/* The host's null device, not the image's, and only if it is the real one. */
static int null_tree(struct init *in) {
    struct statx st;
    int fd = k_openat(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0)
        return at(in, AUX_SOURCE, fd);
    int type = path_type(fd, &st);
    bool real = type == S_IFCHR && st.stx_rdev_major == 1 && st.stx_rdev_minor == 3;
    int tree = real ? at(in, AUX_SOURCE, mount_clone(in, fd, "", 0)) : at(in, AUX_VERIFY, -ENODEV);
    k_close(fd);
    return tree;
}

/* One empty file system serves all masked directories: the first mask attaches it, the others
 * attach clones (which older kernels make of an attached mount only). */
static int empty_tree(struct init *in) {
    if (in->mask >= 0)
        return mount_clone(in, in->mask, "", 0);
    int tree = mount_detached(
        in, "tmpfs", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (tree >= 0) {
        in->mask = k_fcntl(tree, F_DUPFD_CLOEXEC, in->floor);
        if (in->mask < 0)
            fds_close(&tree);
    }
    return tree < 0 && in->mask < 0 ? at(in, AUX_SOURCE, tree) : tree;
}

int step_mask(struct init *in, const union plan_arg *a) {
    struct statx st;
    int target = cover_open(in, plan_text(in, &a[0]));
    if (target == -ENOENT || target == -ENOTDIR)
        return 0;
    if (target < 0)
        return at(in, AUX_TARGET, target);
    int type = path_type(target, &st);
    int tree = type == S_IFDIR ? empty_tree(in) : null_tree(in);
    int result = tree;
    if (result >= 0)
        result = at(in, AUX_ATTACH, mount_put(in, tree, target));
    fds_close(&tree);
    k_close(target);
    return result;
}

/* ---- inline files */

/* A clone of the one file of a new file system. Older kernels (before Linux 6.15) clone only what
 * is attached, so for that moment it is mounted over the host's root in this view, where no walk
 * meets it: walks begin below. */
static int new_file_tree(struct init *in, const union plan_arg *a) {
    int fs = mount_detached(in, "tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (fs < 0)
        return fs;
    int fd = k_openat(fs, "file", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, plan_u32(&a[2]));
    int result = fd < 0 ? fd : file_write(fd, plan_data(in, &a[1]), a[1].data.length);
    if (result >= 0)
        result = owner_set(fd, &a[4]);
    if (result >= 0)
        result = k_fchmod(fd, plan_u32(&a[2]));
    fds_close(&fd);
    if (result >= 0)
        result = mount_expose(in, fs);
    if (result >= 0) {
        result = mount_clone(in, fs, "file", 0);
        mount_remove(fs);
    }
    k_close(fs);
    return result;
}

int mount_file(struct init *in, const union plan_arg *a) {
    int tree = new_file_tree(in, a);
    if (tree < 0)
        return at(in, AUX_CREATE, tree);
    int result = attach(in, tree, plan_text(in, &a[0]), S_IFREG, 0);
    k_close(tree);
    return result;
}
