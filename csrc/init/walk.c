/* The way to a path inside a root without openat2(2): component by component, no symlink followed
 * by the kernel. It answers as openat2 does with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS. */
#include "init.h"

#define DEPTH_MAX   2048 /* as deep as PLAN_MAX_PATH leads */
#define NAME_MAX    255
#define REST_SIZE   (4 * (PLAN_MAX_PATH + 1)) /* what links may make of a path */
#define ST_NOFOLLOW 0x2000                    /* statfs(2): ST_NOSYMFOLLOW */

struct identity {
    uint64_t inode;
    uint32_t major;
    uint32_t minor;
};

struct walk {
    int root;
    int dir; /* where we are: the root itself or an O_PATH fd of our own */
    uint32_t depth;
    uint32_t links;   /* that it may still follow */
    const char *rest; /* of the path; lies at the end of `text` */
    uint64_t flags;
    uint32_t mode;
    char name[NAME_MAX + 1];           /* of the component in hand */
    struct identity passed[DEPTH_MAX]; /* the directories on the way; the last is `dir` */
    char text[REST_SIZE];
};

static struct identity identity_of(const struct statx *st) {
    return (struct identity){st->stx_ino, st->stx_dev_major, st->stx_dev_minor};
}

static bool is_same(struct identity a, struct identity b) {
    return a.inode == b.inode && a.major == b.major && a.minor == b.minor;
}

/* Put text before the rest of the path. */
static int prepend(struct walk *w, const char *text, size_t length) {
    if ((size_t)(w->rest - w->text) < length)
        return -ENAMETOOLONG;
    w->rest -= length;
    memcpy((char *)w->rest, text, length);
    return 0;
}

static void stand_at(struct walk *w, int dir) {
    if (w->dir != w->root)
        k_close(w->dir);
    w->dir = dir;
}

static void back_to_root(struct walk *w) {
    stand_at(w, w->root);
    w->depth = 0;
}

/* The kernel's own step up, but only to where the walk came from: a directory that somebody has
 * moved meanwhile may have any other parent. */
static int go_up(struct walk *w) {
    struct statx st;
    if (!w->depth)
        return 0;
    int parent = k_openat(w->dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (parent < 0)
        return parent;
    int type = path_type(parent, &st);
    if (type < 0 || !is_same(identity_of(&st), w->passed[w->depth - 1])) {
        k_close(parent);
        return type < 0 ? type : -EAGAIN;
    }
    stand_at(w, parent);
    w->depth--;
    return 0;
}

static int go_down(struct walk *w, int fd, const struct statx *st) {
    if (w->depth + 1 == DEPTH_MAX) {
        k_close(fd);
        return -ENAMETOOLONG;
    }
    stand_at(w, fd);
    w->passed[++w->depth] = identity_of(st);
    return 0;
}

/* A link whose text is not where it leads. In procfs those are all but the few of its root, such as
 * `self`; in securityfs there is one. And a mount may forbid to follow any. */
static int check_link(const struct walk *w, int link) {
    struct statfs fs = {0};
    int result = k_fstatfs(link, &fs);
    if (result < 0)
        return result;
    bool magic = fs.f_type == SECURITYFS_MAGIC ||
                 (fs.f_type == PROC_SUPER_MAGIC && w->passed[w->depth].inode != PROC_ROOT_INODE);
    return magic || fs.f_flags & ST_NOFOLLOW ? -ELOOP : 0;
}

static int follow(struct walk *w, int link) {
    char text[PLAN_MAX_PATH + 1];
    int result = w->links-- ? check_link(w, link) : -ELOOP;
    if (result < 0)
        return result;
    text[0] = '\0';
    long length = k_readlinkat(link, "", text, sizeof text);
    if (length <= 0)
        return length < 0 ? (int)length : -ENOENT;
    result = prepend(w, text, (size_t)length);
    if (result >= 0 && text[0] == '/')
        back_to_root(w);
    return result;
}

/* Cut the next component off. Returns its length, 0 at the end of the path. */
static int next_name(struct walk *w) {
    size_t length = 0;
    while (*w->rest == '/')
        w->rest++;
    while (w->rest[length] && w->rest[length] != '/')
        length++;
    if (length > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(w->name, w->rest, length);
    w->name[length] = '\0';
    w->rest += length;
    return (int)length;
}

/* The thing at the end of the path, of which `fd` is an O_PATH fd. What the walk has looked at and
 * what it opens for use must be one file, though the name may lead to another by now. */
static int open_last(struct walk *w, int fd, const struct statx *st) {
    struct statx opened;
    if (w->flags & O_DIRECTORY && (st->stx_mode & S_IFMT) != S_IFDIR) {
        k_close(fd);
        return -ENOTDIR;
    }
    if (w->flags & O_PATH)
        return fd;
    k_close(fd);
    fd = k_openat(w->dir, w->name, (int)(w->flags & ~(uint64_t)O_CREAT) | O_NOFOLLOW, 0);
    if (fd == -ELOOP || fd == -ENOENT)
        return -EAGAIN;
    if (fd < 0)
        return fd;
    int type = path_type(fd, &opened);
    if (type >= 0 && is_same(identity_of(&opened), identity_of(st)))
        return fd;
    k_close(fd);
    return type < 0 ? type : -EAGAIN;
}

static int create_last(struct walk *w) {
    int flags = (int)w->flags | O_EXCL | O_NOFOLLOW;
    int fd = k_openat(w->dir, w->name, flags, w->mode);
    return fd == -EEXIST ? -EAGAIN : fd;
}

/* Nothing follows a name but perhaps a slash, which says that it is a directory. */
static bool is_last(const struct walk *w) {
    return !*w->rest;
}

/* Take one component: 0 to go on, 1 when *fd is the end of the walk, or -errno. */
static int take_name(struct walk *w, int *fd) {
    struct statx st;
    int found = k_openat(w->dir, w->name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    if (found == -ENOENT && is_last(w) && w->flags & O_CREAT) {
        *fd = create_last(w);
        return *fd < 0 ? *fd : 1;
    }
    if (found < 0)
        return found;
    int type = path_type(found, &st);
    bool stays = is_last(w) && w->flags & O_NOFOLLOW && w->flags & O_PATH;
    if (type == S_IFLNK && !stays) {
        bool refused = is_last(w) && w->flags & O_NOFOLLOW;
        int result = refused ? (w->flags & O_DIRECTORY ? -ENOTDIR : -ELOOP) : follow(w, found);
        k_close(found);
        return result;
    }
    if (type >= 0 && is_last(w)) {
        *fd = open_last(w, found, &st);
        return *fd < 0 ? *fd : 1;
    }
    if (type == S_IFDIR)
        return go_down(w, found, &st);
    k_close(found);
    return type < 0 ? type : -ENOTDIR;
}

static bool is_dots(const char *name, size_t count) {
    size_t dots = 0;
    while (name[dots] == '.')
        dots++;
    return dots == count && !name[dots];
}

static int take_next(struct walk *w, int *fd) {
    int length = next_name(w);
    if (length < 0)
        return length;
    if (!length) {
        *fd = k_openat(w->dir, ".", (int)(w->flags & ~(uint64_t)(O_CREAT | O_NOFOLLOW)), 0);
        return *fd < 0 ? *fd : 1;
    }
    if (is_dots(w->name, 1))
        return 0;
    return is_dots(w->name, 2) ? go_up(w) : take_name(w, fd);
}

int walk_open(int root, const char *path, uint64_t flags, uint32_t mode, uint32_t links) {
    struct walk w; /* large, so that nothing of it is touched before it is needed */
    struct statx st;
    int fd = -1;
    int result = path_type(root, &st);
    if (result < 0)
        return result;
    if (!*path)
        return -ENOENT;
    w.root = w.dir = root;
    w.depth = 0;
    w.links = links;
    w.flags = flags | O_CLOEXEC;
    w.mode = mode;
    w.passed[0] = identity_of(&st);
    w.text[sizeof w.text - 1] = '\0';
    w.rest = w.text + sizeof w.text - 1;
    result = prepend(&w, path, text_length(path));
    while (result == 0)
        result = take_next(&w, &fd);
    stand_at(&w, root);
    return result < 0 ? result : fd;
}
