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
#include <unistd.h>

extern const char lctr_init_image[];
extern const char lctr_init_image_end[];

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* EINVAL: before Linux 6.3, which knows no MFD_EXEC and makes every memfd executable. */
static int new_memfd(const char *name) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? -errno : fd;
}

static int make_sealed(const struct lctr_image *image) {
    size_t size = (size_t)(image->end - image->start);
    cleanup_fd fd = new_memfd(image->name);
    if (fd < 0)
        return fd;
    ssize_t written = write(fd, image->start, size);
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
static int open_installed(const struct lctr_image *image) {
    cleanup_fd fd = open(image->installed, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    int protected = open_read_only(fd);
    if (protected < 0 && !is_writable(fd))
        return take_fd(&fd);
    return protected;
}

static int make(const struct lctr_image *image) {
    int fd = make_sealed(image);
    if (fd == -EACCES || fd == -ENOSYS || fd == -EPERM) {
        int installed = open_installed(image);
        return installed < 0 ? fd : installed;
    }
    return fd;
}

/* A program may close descriptors behind our back and get the number for a file of its own, so what
 * is cached is believed only while it is the same file. */
int lctr_image_open(struct lctr_image *image) {
    struct stat now;
    if (image->fd >= 0 && fstat(image->fd, &now) == 0 && now.st_dev == image->identity.st_dev &&
        now.st_ino == image->identity.st_ino)
        return image->fd;
    int fd = make(image);
    if (fd < 0)
        return fd;
    if (fstat(fd, &image->identity) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return image->fd = fd;
}

int lctr_image_open_init(void) {
    static struct lctr_image init = {.name = "luactr-init",
                                     .start = lctr_init_image,
                                     .end = lctr_init_image_end,
                                     .installed = LUACTR_INIT_PATH,
                                     .fd = -1};
    return lctr_image_open(&init);
}
