/* Loop devices: a file as a block device. loop(4) */
#ifndef LUACTR_CORE_LOOP_H
#define LUACTR_CORE_LOOP_H

#include <stddef.h>

#define LOOP_PATH_MAX 32

/* A free loop device becomes the file, read-only, and is free again once its last user is gone:
 * whoever has the descriptor open, and what is mounted from it. A descriptor of the device, and its
 * path, or -errno; -ENODEV: this kernel has none. */
int lctr_loop_attach(int file, char *path, size_t size);

#endif
