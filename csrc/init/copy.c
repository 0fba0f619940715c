/* Copy a directory with what is in it: modes, owners, times, links, holes, extended attributes.
 *
 * The source is hostile and may change meanwhile: each name is opened below its directory and no
 * link is followed, so nothing from elsewhere gets into the copy. What is mounted in the source
 * becomes an empty directory; device nodes are left out. No recursion: the directories on the way
 * down are a list, and a directory is read on from where its entry was found. */
#include "init.h"

#define DEPTH     128
#define SEEK_SET  0
#define SEEK_DATA 3
#define SEEK_HOLE 4

struct times {
    struct __kernel_timespec accessed;
    struct __kernel_timespec modified;
};

struct directory {
    int source;
    int copy;
    struct times times;
};

struct walk {
    struct directory at[DEPTH];
    int depth;
    uint64_t mount; /* all that is copied lies on this one */
};

/* ---- attributes */

/* What tmpfs does not take (trusted names of an overlay, labels of another policy) stays behind. */
static void copy_xattrs(int source, int copy) {
    char names[1024];
    char value[1024];
    long length = k_flistxattr(source, names, sizeof names);
    for (const char *name = names; name < names + length; name += text_length(name) + 1) {
        long size = k_fgetxattr(source, name, value, sizeof value);
        if (size >= 0)
            k_fsetxattr(copy, name, value, (size_t)size, 0);
    }
}

/* Ids that a user namespace does not map cannot be given to anything: then it is the init's. */
static int copy_owner(int dir, const char *name, const struct statx *st) {
    int flags = *name ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH;
    int result = k_fchownat(dir, name, st->stx_uid, st->stx_gid, flags);
    return result == -EINVAL ? 0 : result;
}

static struct times times_of(const struct statx *st) {
    return (struct times){
        .accessed = {st->stx_atime.tv_sec, st->stx_atime.tv_nsec},
        .modified = {st->stx_mtime.tv_sec, st->stx_mtime.tv_nsec},
    };
}

static int copy_times(int dir, const char *name, const struct statx *st) {
    const struct times times = times_of(st);
    return k_utimensat(dir, name, &times, name ? AT_SYMLINK_NOFOLLOW : 0);
}

/* The owner first: a change of it takes set-id bits and capabilities away. */
static int copy_attributes(int source, int copy, const struct statx *st) {
    int result = copy_owner(copy, "", st);
    if (result >= 0)
        result = k_fchmod(copy, st->stx_mode & 07777);
    copy_xattrs(source, copy);
    return result;
}

/* ---- files */

static int copy_range(int source, int copy, int64_t from, int64_t to) {
    k_lseek(source, from, SEEK_SET);
    k_lseek(copy, from, SEEK_SET);
    while (from < to) {
        int64_t left = to - from < (1 << 30) ? to - from : 1 << 30;
        long sent = k_sendfile(copy, source, (size_t)left);
        if (sent <= 0)
            return (int)sent; /* 0: it has been cut meanwhile */
        from += sent;
    }
    return 0;
}

/* Holes stay holes: a file may be larger than memory. */
static int copy_content(int source, int copy, int64_t size) {
    int64_t end = 0;
    while (end < size) {
        int64_t data = k_lseek(source, end, SEEK_DATA);
        if (data < 0 || data >= size)
            break;
        end = k_lseek(source, data, SEEK_HOLE);
        if (end < 0 || end > size)
            end = size;
        int result = copy_range(source, copy, data, end);
        if (result < 0)
            return result;
    }
    return k_ftruncate(copy, size);
}

static bool is_same(const struct statx *a, const struct statx *b) {
    return a->stx_ino == b->stx_ino && (a->stx_mode & S_IFMT) == (b->stx_mode & S_IFMT);
}

static int copy_file(const struct directory *in, const char *name, const struct statx *st) {
    struct statx opened;
    int source =
        k_openat(in->source, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
    if (source < 0)
        return source;
    int result = path_type(source, &opened);
    int copy = -1;
    if (result >= 0)
        result = is_same(st, &opened) ? 0 : -ESTALE;
    if (result >= 0)
        result = copy = k_openat(in->copy, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (result >= 0)
        result = copy_content(source, copy, (int64_t)st->stx_size);
    if (result >= 0)
        result = copy_attributes(source, copy, st);
    if (result >= 0)
        result = copy_times(copy, NULL, st);
    fds_close(&copy);
    k_close(source);
    return result;
}

/* ---- what has no content */

static int copy_name_attributes(const struct directory *in, const char *name,
                                const struct statx *st) {
    int result = copy_owner(in->copy, name, st);
    return result < 0 ? result : copy_times(in->copy, name, st);
}

static int copy_link(const struct directory *in, int link, const char *name,
                     const struct statx *st) {
    char text[PLAN_MAX_PATH + 1];
    long length = k_readlinkat(link, "", text, sizeof text - 1);
    if (length < 0)
        return (int)length;
    text[length] = '\0';
    int result = k_symlinkat(text, in->copy, name);
    return result < 0 ? result : copy_name_attributes(in, name, st);
}

static int copy_node(const struct directory *in, const char *name, const struct statx *st) {
    int result = k_mknodat(in->copy, name, st->stx_mode, 0);
    return result < 0 ? result : copy_name_attributes(in, name, st);
}

/* ---- directories */

static int make_directory(const struct directory *in, int source, const char *name,
                          const struct statx *st) {
    int result = k_mkdirat(in->copy, name, 0700);
    if (result < 0)
        return result;
    int copy = k_openat(in->copy, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (copy < 0)
        return copy;
    result = copy_attributes(source, copy, st);
    if (result >= 0)
        return copy;
    k_close(copy);
    return result;
}

/* 1: the walk goes on in it. */
static int copy_directory(struct walk *w, int found, const char *name, const struct statx *st) {
    const struct directory *in = &w->at[w->depth];
    int source = k_openat(found, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (source < 0)
        return source;
    int copy = make_directory(in, source, name, st);
    bool enter = copy >= 0 && st->stx_mnt_id == w->mount;
    int result = copy < 0 ? copy : enter && w->depth + 1 == DEPTH ? -ENAMETOOLONG : enter;
    if (result > 0) {
        w->at[++w->depth] = (struct directory){source, copy, times_of(st)};
        return result;
    }
    if (copy >= 0)
        k_close(copy);
    k_close(source);
    return result;
}

static int copy_entry(struct walk *w, const char *name) {
    const struct directory *in = &w->at[w->depth];
    struct statx st;
    int fd = k_openat(in->source, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd; /* gone meanwhile */
    int result = k_statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &st);
    if (result >= 0) {
        switch (st.stx_mode & S_IFMT) {
        case S_IFDIR:
            result = copy_directory(w, fd, name, &st);
            break;
        case S_IFREG:
            result = copy_file(in, name, &st);
            break;
        case S_IFLNK:
            result = copy_link(in, fd, name, &st);
            break;
        case S_IFIFO:
        case S_IFSOCK:
            result = copy_node(in, name, &st);
            break;
        default:
            break;
        }
    }
    k_close(fd);
    return result;
}

static bool is_dots(const char *name) {
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* As far as the next directory in it: 1. At its end: 0. */
static int copy_entries(struct walk *w) {
    _Alignas(struct k_dirent) char buffer[4096];
    int source = w->at[w->depth].source;
    for (;;) {
        long length = k_getdents64(source, buffer, sizeof buffer);
        if (length <= 0)
            return (int)length;
        const struct k_dirent *entry;
        for (long i = 0; i < length; i += entry->length) {
            entry = (const struct k_dirent *)(buffer + i);
            int result = is_dots(entry->name) ? 0 : copy_entry(w, entry->name);
            if (result > 0)
                k_lseek(source, entry->next, SEEK_SET);
            if (result != 0)
                return result;
        }
    }
}

static int copy_top(int source, int copy, const struct statx *st, const struct copy_keep *keep) {
    int result = keep->owner ? 0 : copy_owner(copy, "", st);
    if (result >= 0 && !keep->mode)
        result = k_fchmod(copy, st->stx_mode & 07777);
    copy_xattrs(source, copy);
    return result;
}

/* Times come last, since each new entry changes them. */
static int leave(struct walk *w) {
    const struct directory *left = &w->at[w->depth];
    int result = k_utimensat(left->copy, NULL, &left->times, 0);
    if (w->depth > 0) { /* the top is the caller's */
        k_close(left->source);
        k_close(left->copy);
    }
    w->depth--;
    return result;
}

int copy_tree(int source, int copy, const struct copy_keep *keep) {
    struct walk w; /* large, and mostly unused */
    struct statx st;
    int result = k_statx(source, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &st);
    if (result >= 0)
        result = copy_top(source, copy, &st, keep);
    if (result < 0)
        return result;
    w.at[0] = (struct directory){source, copy, times_of(&st)};
    w.depth = 0;
    w.mount = st.stx_mnt_id;
    while (result >= 0 && w.depth >= 0) {
        result = copy_entries(&w);
        if (result == 0)
            result = leave(&w);
    }
    for (; w.depth > 0; w.depth--) {
        k_close(w.at[w.depth].source);
        k_close(w.at[w.depth].copy);
    }
    return result;
}
