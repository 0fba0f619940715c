#include "core/loop.h"

#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define ATTEMPTS 64 /* others may take the device that was free */

static int configure(int device, int file) {
    struct loop_config config = {
        .fd = (uint32_t)file,
        .info = {.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR},
    };
    return ioctl(device, LOOP_CONFIGURE, &config) < 0 ? -errno : 0;
}

static int attach(int control, int file, char *path, size_t size) {
    int number = ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0)
        return -errno;
    snprintf(path, size, "/dev/loop%d", number);
    cleanup_fd device = open(path, O_RDONLY | O_CLOEXEC);
    if (device < 0)
        return -errno;
    int result = configure(device, file);
    return result < 0 ? result : take_fd(&device);
}

int lctr_loop_attach(int file, char *path, size_t size) {
    cleanup_fd control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
    for (int attempt = 1;; attempt++) {
        int result = attach(control, file, path, size);
        if (result != -EBUSY || attempt == ATTEMPTS)
            return result;
    }
}
