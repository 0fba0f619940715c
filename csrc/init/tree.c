/* Sources of binds that are opened before the mounts of the host become private here, or that came
 * as a descriptor: of a file, or of a tree that luactr has cloned already. They are kept by number
 * until the bind that names it. */
#include "init.h"

static bool same_file(const struct statx *a, const struct statx *b) {
    return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
           a->stx_dev_minor == b->stx_dev_minor && (a->stx_mode & S_IFMT) == (b->stx_mode & S_IFMT);
}

/* A descriptor that was opened outside belongs to a mount of the other namespace, which cannot be
 * cloned here. Its path leads to the copy of that mount; what is there must be the same file. */
static int open_again(int fd) {
    struct statx given;
    struct statx found;
    char link[32];
    char path[PLAN_MAX_PATH + 1];
    size_t end = text_append(link, sizeof link, 0, "/proc/self/fd/");
    text_append_number(link, sizeof link, end, fd);
    long length = k_readlinkat(AT_FDCWD, link, path, sizeof path - 1);
    if (length < 0)
        return (int)length;
    path[length] = '\0';
    int type = path_type(fd, &given);
    if (type < 0)
        return type;
    int here = k_openat(AT_FDCWD, path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    if (here == -ENOENT || here == -ENOTDIR)
        return -ESTALE;
    if (here < 0)
        return here;
    type = path_type(here, &found);
    if (type >= 0 && same_file(&given, &found))
        return here;
    k_close(here);
    return type < 0 ? type : -ESTALE;
}

static int clone_fd(struct init *in, int fd, unsigned recursive) {
    if (fd < 0)
        return at(in, AUX_SOURCE, fd);
    int here = open_again(fd);
    if (here < 0)
        return at(in, AUX_VERIFY, here);
    int tree = at(in, AUX_SOURCE, mount_clone(in, here, "", recursive));
    k_close(here);
    return tree;
}

static int clone_path(struct init *in, const union plan_arg *a, unsigned recursive) {
    unsigned nofollow = plan_u32(&a[3]) & BIND_SOURCE_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
    return at(in, AUX_SOURCE,
              mount_clone(in, AT_FDCWD, plan_text(in, &a[1]), recursive | nofollow));
}

int step_open_tree(struct init *in, const union plan_arg *a) {
    uint32_t number = plan_u32(&a[0]);
    bool by_fd = a[5].u != PLAN_NONE;
    bool optional = plan_u32(&a[4]);
    if (number < 1 || number > PLAN_MAX_TREES || (!by_fd && !plan_text(in, &a[1])))
        return -EINVAL;
    unsigned recursive = plan_u32(&a[2]) ? AT_RECURSIVE : 0;
    int tree = by_fd ? clone_fd(in, plan_slot(in, &a[5]), recursive) : clone_path(in, a, recursive);
    if (tree == -ENOENT && optional)
        return 0;
    tree = fds_keep(in, tree);
    if (tree < 0)
        return tree;
    in->tree[number - 1] = tree;
    return 0;
}

int tree_kept(struct init *in, uint32_t number) {
    if (number > PLAN_MAX_TREES)
        return -EINVAL;
    int tree = in->tree[number - 1];
    in->tree[number - 1] = 0;
    return tree ? tree : -ENOENT;
}

/* The slot stays: it may stand in a plan twice. */
int tree_detached(struct init *in, const union plan_arg *a) {
    int fd = plan_slot(in, a);
    return fd < 0 ? fd : k_fcntl(fd, F_DUPFD_CLOEXEC, in->floor);
}
