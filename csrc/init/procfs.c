/* What is set by writing to procfs. The container's /proc is never used for it: anything may be
 * mounted there. The instance here is our own, attached nowhere. */
#include "init.h"

/* A user namespace without a pid namespace of its own may make none. As long as nobody has entered
 * the new root, /proc is the host's. */
static int open_of_host(const struct init *in) {
    struct statfs fs;
    struct statx st;
    if (in->entered)
        return -EPERM;
    int fd = k_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    bool real = path_type(fd, &st) == S_IFDIR && st.stx_ino == PROC_ROOT_INODE &&
                k_fstatfs(fd, &fs) >= 0 && fs.f_type == PROC_SUPER_MAGIC;
    if (fd >= 0 && !real)
        k_close(fd);
    return fd < 0 || real ? fd : -ENODEV;
}

int procfs_open(struct init *in) {
    if (in->proc >= 0)
        return 0;
    int fd = mount_detached(in, "proc", 0);
    if (fd >= 0 && in->stage >= 0) /* mount(2) has made it there */
        mount_remove(fd);
    if (fd == -EPERM)
        fd = open_of_host(in);
    in->proc = fds_keep(in, fd);
    return in->proc < 0 ? at(in, AUX_SOURCE, in->proc) : 0;
}

/* In a user namespace a procfs can be made only while another is in sight: the old root has one,
 * the container need not. */
int procfs_prepare(struct init *in) {
    for (uint32_t i = in->index; i < in->plan->steps; i++) {
        uint32_t kind = plan_steps(in)[i].kind;
        if (kind == STEP_SYSCTL || kind == STEP_OOM_SCORE_ADJ || kind == STEP_EXEC_LABEL)
            return procfs_open(in);
    }
    return 0;
}

/* Whatever lies at the path has to be a file of procfs. */
static int open_file(struct init *in, const char *path, uint64_t flags) {
    struct statx st;
    struct statfs fs;
    int fd = path_walk(in, in->proc, path, flags, 0);
    if (fd < 0)
        return at(in, AUX_TARGET, fd);
    bool real =
        path_type(fd, &st) == S_IFREG && k_fstatfs(fd, &fs) >= 0 && fs.f_type == PROC_SUPER_MAGIC;
    if (!real)
        k_close(fd);
    return real ? fd : at(in, AUX_VERIFY, -ENXIO);
}

int procfs_write(struct init *in, const char *path, const char *value) {
    int result = procfs_open(in);
    int fd = result < 0 ? result : open_file(in, path, O_WRONLY);
    if (fd < 0)
        return fd;
    long written = k_write(fd, value, text_length(value));
    k_close(fd);
    return written < 0 ? (int)written : 0;
}

int procfs_read(struct init *in, const char *path, char *text, size_t size) {
    int result = procfs_open(in);
    int fd = result < 0 ? result : open_file(in, path, O_RDONLY);
    if (fd < 0)
        return fd;
    long length = k_read(fd, text, size - 1);
    k_close(fd);
    if (length < 0)
        return (int)length;
    text[length] = '\0';
    return 0;
}

int step_oom_score_adj(struct init *in, const union plan_arg *a) {
    char value[24];
    text_append_number(value, sizeof value, 0, (int64_t)a[0].u);
    return procfs_write(in, "self/oom_score_adj", value);
}

/* As sysctl(8) reads a key: dots separate, unless the first separator is a slash; then a dot
 * belongs to a name, such as that of a network device. */
static void key_to_path(char *key) {
    char *c = key;
    while (*c && *c != '.' && *c != '/')
        c++;
    if (*c == '/')
        return;
    for (; *c; c++)
        *c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
}

/* A key that leads out of sys/ names something else of procfs. */
static bool leads_up(const char *path) {
    for (const char *c = path; *c; c++) {
        bool starts = c == path || c[-1] == '/';
        if (starts && c[0] == '.' && c[1] == '.' && (!c[2] || c[2] == '/'))
            return true;
    }
    return false;
}

int step_sysctl(struct init *in, const union plan_arg *a) {
    char path[256];
    size_t prefix = text_append(path, sizeof path, 0, "sys/");
    if (text_append(path, sizeof path, prefix, plan_text(in, &a[0])) == sizeof path)
        return -ENAMETOOLONG;
    key_to_path(path + prefix);
    if (leads_up(path))
        return at(in, AUX_TARGET, -EINVAL);
    return procfs_write(in, path, plan_text(in, &a[1]));
}
