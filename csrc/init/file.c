/* Files, directories and links inside the root. Umask is 0: modes are meant as written. */
#include "init.h"

int step_mkdir(struct init *in, const union plan_arg *a) {
    uint32_t mode = plan_u32(&a[1]);
    int fd = path_make_dir(in, plan_text(in, &a[0]), mode);
    if (fd < 0)
        return fd;
    int result = at(in, AUX_ATTRIBUTE, owner_set_directory(fd, mode, plan_u32(&a[2]), &a[3]));
    k_close(fd);
    return result;
}

int file_write(int fd, const char *data, size_t length) {
    while (length) {
        long written = k_write(fd, data, length);
        if (written < 0)
            return (int)written;
        data += written;
        length -= (size_t)written;
    }
    return 0;
}

/* A new file in place of whatever has the name: what the image put there (a link to another file, a
 * device node) is not even opened. */
static int create_new(const struct place *place, uint32_t mode) {
    const int flags = O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC;
    int fd = k_openat(place->dir, place->name, flags, mode);
    if (fd != -EEXIST)
        return fd;
    int result = k_unlinkat(place->dir, place->name, 0);
    return result < 0 ? result : k_openat(place->dir, place->name, flags, mode);
}

/* Into the root, or mounted over what is there. */
int step_file(struct init *in, const union plan_arg *a) {
    struct place place;
    if (plan_u32(&a[3]))
        return mount_file(in, a);
    int result = at(in, AUX_TARGET, path_place(in, plan_text(in, &a[0]), &place));
    if (result < 0)
        return result;
    int fd = create_new(&place, plan_u32(&a[2]));
    k_close(place.dir);
    if (fd < 0)
        return at(in, AUX_CREATE, fd);
    result = file_write(fd, plan_data(in, &a[1]), a[1].data.length);
    if (result >= 0)
        result = at(in, AUX_ATTRIBUTE, owner_set(fd, &a[4]));
    if (result >= 0)
        result = at(in, AUX_ATTRIBUTE, k_fchmod(fd, plan_u32(&a[2])));
    k_close(fd);
    return result;
}

/* The regular file at the path, open for writing. What was looked at is held meanwhile: whatever
 * somebody puts in its place is another file, and a device is not even written to. */
static int open_regular(struct init *in, const char *path) {
    struct statx st;
    int seen = path_open(in, path, O_PATH);
    if (seen < 0)
        return at(in, AUX_TARGET, seen);
    int type = path_type(seen, &st);
    int fd = type == S_IFREG ? path_open(in, path, O_WRONLY | O_NONBLOCK) : -EINVAL;
    if (fd < 0)
        in->aux = type == S_IFREG ? AUX_TARGET : AUX_TYPE;
    else if (!path_is_same(seen, fd)) {
        k_close(fd);
        fd = at(in, AUX_VERIFY, -EAGAIN);
    }
    k_close(seen);
    return fd;
}

/* Into a file that exists, in one write where it can be: files of procfs and sysfs take a value
 * whole. The path may lead over symlinks of the image, but not into a device. */
int step_write(struct init *in, const union plan_arg *a) {
    int fd = open_regular(in, plan_text(in, &a[0]));
    if (fd < 0)
        return fd;
    int result = file_write(fd, plan_data(in, &a[1]), a[1].data.length);
    k_close(fd);
    return result;
}

static bool is_link_to(int dir, const char *name, const char *text) {
    char buffer[PLAN_MAX_PATH + 1];
    long length = k_readlinkat(dir, name, buffer, sizeof buffer);
    if (length < 0 || (size_t)length != text_length(text))
        return false;
    for (long i = 0; i < length; i++)
        if (buffer[i] != text[i])
            return false;
    return true;
}

int file_symlink(struct init *in, const char *text, const char *path) {
    struct place place;
    int result = at(in, AUX_TARGET, path_place(in, path, &place));
    if (result < 0)
        return result;
    result = at(in, AUX_CREATE, k_symlinkat(text, place.dir, place.name));
    if (result == -EEXIST && is_link_to(place.dir, place.name, text))
        result = 0;
    k_close(place.dir);
    return result;
}

int step_symlink(struct init *in, const union plan_arg *a) {
    return file_symlink(in, plan_text(in, &a[0]), plan_text(in, &a[1]));
}
