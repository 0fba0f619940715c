#include "image.h"

#include "fd.h"
#include "kernel/calls.h"
#include "kernel/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern const char lctr_init_image[];
extern const char lctr_init_image_end[];

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* EINVAL: before Linux 6.3, which knows no MFD_EXEC and makes every memfd executable. */
static int new_memfd(void) {
    int fd = memfd_create("luactr-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("luactr-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? -errno : fd;
}

static int make_sealed(void) {
    size_t size = (size_t)(lctr_init_image_end - lctr_init_image);
    cleanup_fd fd = new_memfd();
    if (fd < 0)
        return fd;
    ssize_t written = write(fd, lctr_init_image, size);
    if (written < 0)
        return -errno;
    if ((size_t)written != size)
        return -ENOSPC;
    if (fchmod(fd, 0555) < 0 || fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0)
        return -errno;
    return take_fd(&fd);
}

const char *lctr_image_path(void) {
    return LUACTR_INIT_PATH;
}

/* Who runs from the file can name it by /proc/PID/exe, and write to it later. In a read-only mount
 * of its own it can't be written by anybody who comes that way. */
static int open_read_only(int fd) {
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    cleanup_fd tree =
        k_open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)AT_EMPTY_PATH);
    if (tree < 0)
        return tree;
    int result = k_mount_setattr(tree, "", AT_EMPTY_PATH, &read_only, sizeof read_only);
    return result < 0 ? result : take_fd(&tree);
}

static bool is_writable(int fd) {
    struct stat st;
    return geteuid() == 0 || fstat(fd, &st) < 0 || st.st_uid == geteuid() || st.st_mode & 022;
}

/* vm.memfd_noexec=2 refuses executable memfds: the copy that `install` put down is as good, where
 * the container can't change it. */
static int open_installed(void) {
    cleanup_fd fd = open(lctr_image_path(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    int protected = open_read_only(fd);
    if (protected < 0 && !is_writable(fd))
        return take_fd(&fd);
    return protected;
}

static int make(void) {
    int fd = make_sealed();
    if (fd == -EACCES || fd == -ENOSYS || fd == -EPERM) {
        int installed = open_installed();
        return installed < 0 ? fd : installed;
    }
    return fd;
}

/* The one cached thing of this library. A program may close descriptors behind our back and get the
 * number for a file of its own, so the cache is believed only while it is the same file. */
int lctr_image_open(void) {
    static int cached = -1;
    static struct stat identity;
    struct stat now;
    if (cached >= 0 && fstat(cached, &now) == 0 && now.st_dev == identity.st_dev &&
        now.st_ino == identity.st_ino)
        return cached;
    int fd = make();
    if (fd < 0)
        return fd;
    if (fstat(fd, &identity) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return cached = fd;
}
