/* Mounts that are nowhere yet: made, restricted, and attached by descriptor.
 *
 * fsopen, open_tree and move_mount came with Linux 5.2, mount_setattr with 5.12, and the filters of
 * some containers refuse them. mount(2) takes their place, on a stage: a tmpfs over the old root,
 * to which no path leads but "/..", so that nothing else meets it. mount(2) wants paths; what has
 * been opened is named by a procfs of our own, which is the working directory for that call. */
#include "init.h"

#define ONTO_FD        (MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)
#define STAGE_DIR      "tree"
#define STAGE_FILE     "file"
#define KEPT_FLAGS     (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC) /* the same bits in statfs(2) */
#define ST_NOATIME     0x0400
#define ST_NODIRATIME  0x0800
#define ST_RELATIME    0x1000
#define ST_NOSYMFOLLOW 0x2000

static bool is_missing(int result) {
    return result == -ENOSYS || result == -EPERM;
}

/* EPERM may mean what it says; then it says more than the failure of the older call, unless that
 * has found nothing there. */
static int either(int newer, int older) {
    return older < 0 && newer == -EPERM && older != -ENOENT ? newer : older;
}

static int mount_here(int dir, const char *source, const char *target, unsigned long flags) {
    int result = k_fchdir(dir);
    if (result >= 0)
        result = k_mount(source, target, NULL, flags, NULL);
    k_chdir("/");
    return result;
}

/* ---- the stage */

static int furnish(int stage) {
    struct statfs fs;
    int result = k_fstatfs(stage, &fs);
    if (result >= 0 && fs.f_type != TMPFS_MAGIC)
        result = -ENODEV;
    if (result >= 0) /* no copy of the old root takes it along */
        result = mount_here(stage, NULL, ".", MS_UNBINDABLE);
    if (result >= 0)
        result = k_mkdirat(stage, STAGE_DIR, 0700);
    if (result < 0)
        return result;
    int file = k_openat(stage, STAGE_FILE, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    return file < 0 ? file : k_close(file);
}

/* A new root that was itself mounted over the old one has the stage on top of it. */
static bool is_root_on_top(const struct init *in) {
    int top = k_openat(AT_FDCWD, "/..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    bool covers = in->root >= 0 && top >= 0 && path_is_same(in->root, top);
    fds_close(&top);
    return covers;
}

/* Only where mounts are private by now, or the host would see it. */
static int open_stage(struct init *in) {
    if (in->stage >= 0)
        return 0;
    if (!in->private)
        return -ENOSYS;
    in->covered = is_root_on_top(in);
    int result = k_mount("stage", "/", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700");
    if (result < 0)
        return result;
    in->stage = fds_keep(in, k_openat(AT_FDCWD, "/..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0));
    return in->stage < 0 ? in->stage : furnish(in->stage);
}

void mount_leave_stage(struct init *in) {
    if (in->stage < 0)
        return;
    mount_remove(in->stage);
    fds_close(&in->stage);
}

/* Where the new root was mounted over the old one after the stage, it stands on that, and the stage
 * has to stay until the pivot. */
void mount_uncover_root(struct init *in) {
    if (in->covered)
        mount_leave_stage(in);
}

static int open_place(const struct init *in, int type) {
    const char *place = type == S_IFDIR ? STAGE_DIR : STAGE_FILE;
    return k_openat(in->stage, place, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
}

/* mount(2) on things that are open. `source` may be -1. */
static int mount_open(struct init *in, int source, int target, unsigned long flags) {
    char from[32];
    char to[32];
    text_append_number(from, sizeof from, text_append(from, sizeof from, 0, "self/fd/"), source);
    text_append_number(to, sizeof to, text_append(to, sizeof to, 0, "self/fd/"), target);
    int result = procfs_open(in);
    if (result >= 0)
        result = k_fchdir(in->proc);
    if (result >= 0)
        result = k_mount(source < 0 ? NULL : from, to, NULL, flags, NULL);
    k_chdir("/");
    return result;
}

/* ---- new file systems */

static unsigned long old_flags(uint64_t attributes) {
    unsigned long flags = attributes & KEPT_FLAGS;
    uint64_t atime = attributes & MOUNT_ATTR__ATIME;
    flags |= atime == MOUNT_ATTR_NOATIME ? MS_NOATIME : 0;
    flags |= atime == MOUNT_ATTR_STRICTATIME ? MS_STRICTATIME : 0;
    flags |= attributes & MOUNT_ATTR_NODIRATIME ? MS_NODIRATIME : 0;
    return flags | (attributes & MOUNT_ATTR_NOSYMFOLLOW ? MS_NOSYMFOLLOW : 0);
}

int mount_staged(struct init *in, const char *type, unsigned attributes, const char *data) {
    int result = open_stage(in);
    if (result >= 0)
        result = k_fchdir(in->stage);
    if (result >= 0)
        result = k_mount(type, STAGE_DIR, type, old_flags(attributes), data);
    k_chdir("/");
    return result < 0 ? result : open_place(in, S_IFDIR);
}

int mount_detached(struct init *in, const char *type, unsigned attributes) {
    int context = k_fsopen(type, FSOPEN_CLOEXEC);
    int result = context;
    if (result >= 0)
        result = k_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    if (result >= 0)
        result = k_fsmount(context, FSMOUNT_CLOEXEC, attributes);
    fds_close(&context);
    return is_missing(result) ? either(result, mount_staged(in, type, attributes, NULL)) : result;
}

/* ---- copies */

static int stage_source(struct init *in, int source, bool recursive) {
    struct statx st;
    int type = path_type(source, &st);
    int place = type < 0 ? type : open_place(in, type);
    if (place < 0)
        return place;
    int result = mount_open(in, source, place, MS_BIND | (recursive ? MS_REC : 0));
    k_close(place);
    return result < 0 ? result : open_place(in, type);
}

static int stage_clone(struct init *in, int dir, const char *path, unsigned flags) {
    int result = open_stage(in);
    if (result < 0 || !*path)
        return result < 0 ? result : stage_source(in, dir, flags & AT_RECURSIVE);
    int nofollow = flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0;
    int source = k_openat(dir, path, O_PATH | O_CLOEXEC | nofollow, 0);
    if (source < 0)
        return source;
    result = stage_source(in, source, flags & AT_RECURSIVE);
    k_close(source);
    return result;
}

int mount_clone(struct init *in, int dir, const char *path, unsigned flags) {
    unsigned empty = *path ? 0 : AT_EMPTY_PATH;
    int tree = k_open_tree(dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags | empty);
    return is_missing(tree) ? either(tree, stage_clone(in, dir, path, flags)) : tree;
}

/* ---- places */

int mount_put(struct init *in, int tree, int target) {
    int result = k_move_mount(tree, "", target, "", ONTO_FD);
    return is_missing(result) ? either(result, mount_open(in, tree, target, MS_MOVE)) : result;
}

/* Kernels before Linux 6.15 clone only what is attached. A file system that mount(2) has made is.
 */
int mount_expose(struct init *in, int tree) {
    (void)in;
    int result = k_move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
    return is_missing(result) ? 0 : result;
}

int mount_remove(int mount) {
    int result = k_fchdir(mount);
    if (result >= 0)
        result = k_umount2(".", MNT_DETACH);
    k_chdir("/");
    return result;
}

/* ---- attributes */

static unsigned long changed_flags(const struct statfs *fs, const struct mount_attr *change) {
    unsigned long now = (unsigned long)fs->f_flags;
    uint64_t attributes = now & KEPT_FLAGS;
    attributes |= now & ST_NODIRATIME ? MOUNT_ATTR_NODIRATIME : 0;
    attributes |= now & ST_NOSYMFOLLOW ? MOUNT_ATTR_NOSYMFOLLOW : 0;
    attributes |= now & ST_NOATIME ? MOUNT_ATTR_NOATIME : 0;
    attributes |= now & (ST_NOATIME | ST_RELATIME) ? 0 : MOUNT_ATTR_STRICTATIME;
    attributes = (attributes & ~change->attr_clr) | change->attr_set;
    unsigned long flags = old_flags(attributes);
    return flags & (MS_NOATIME | MS_STRICTATIME) ? flags : flags | MS_RELATIME;
}

static int remount(struct init *in, int mount, const struct mount_attr *change) {
    struct statfs fs;
    int result = k_fstatfs(mount, &fs);
    if (result < 0)
        return result;
    unsigned long flags = changed_flags(&fs, change) | MS_REMOUNT | MS_BIND;
    /* a directory that may be entered needs no procfs, which after the pivot may be none */
    result = mount_here(mount, NULL, ".", flags);
    bool closed = result == -ENOTDIR || result == -EACCES;
    return closed ? mount_open(in, -1, mount, flags) : result;
}

/* mount(2) changes only what is attached. */
static int put_on_stage(struct init *in, int tree) {
    struct statx st;
    int type = path_type(tree, &st);
    int result = type < 0 ? type : open_stage(in);
    int place = result < 0 ? result : open_place(in, type);
    if (place < 0)
        return place;
    result = k_move_mount(tree, "", place, "", ONTO_FD);
    k_close(place);
    return result;
}

static int change_one(struct init *in, int mount, const void *change) {
    int result = remount(in, mount, change);
    if (result == -EINVAL && put_on_stage(in, mount) >= 0)
        result = remount(in, mount, change);
    return result;
}

static int change_by_mount(struct init *in, int mount, const struct mount_attr *change,
                           bool recursive) {
    int result = 0;
    if (change->attr_set & MOUNT_ATTR_IDMAP)
        return -ENOSYS;
    if (change->attr_set || change->attr_clr) {
        result = change_one(in, mount, change);
        if (result >= 0 && recursive)
            result = submounts_each(in, mount, change_one, change);
    }
    if (result >= 0 && change->propagation)
        result = mount_open(in, -1, mount, change->propagation | (recursive ? MS_REC : 0));
    return result;
}

int mount_change(struct init *in, int mount, const struct mount_attr *change, bool recursive) {
    unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
    int result = k_mount_setattr(mount, "", flags, change, sizeof *change);
    return is_missing(result) ? either(result, change_by_mount(in, mount, change, recursive))
                              : result;
}
